// What all kernels share. They are plain CUDA C, compiled by NVRTC without any header; tests/gpu compiles the
// same text for the processor, too.

// A kernel whose threads know nothing of each other: one for each element.
#define KERNEL(name) extern "C" __global__ void name

// A kernel whose blocks of BLOCK threads work together, with __syncthreads().
#define BLOCK 256
#define BLOCK_KERNEL(name) extern "C" __global__ void __launch_bounds__(BLOCK) name

// The loop over elements: thread after thread, as many as there are.
#define EACH(i, n) \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
         i += (long long)gridDim.x * blockDim.x)

#define INFINITE __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fffffff)

// Axes of a result, and by how much an operand advances along each; 0 where it is repeated.
#define AXES 8
struct Layout {
    int axes;
    int shape[AXES];
    int left[AXES];
    int right[AXES];
};

__device__ inline float larger(float x, float y) { return (x > y || x != x) ? x : y; }

__device__ inline float smaller(float x, float y) { return (x < y || x != x) ? x : y; }

__device__ inline float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

// ln(1 + e^x), without overflow.
__device__ inline float softplus_of(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

// Where element i of a result lies in the left operand, and in the right one.
__device__ inline void places(const Layout& layout, long long i, long long* left, long long* right) {
    long long l = 0, r = 0;
    for (int axis = layout.axes - 1; axis >= 0; axis--) {
        long long length = layout.shape[axis];
        long long at = i % length;
        i /= length;
        l += at * layout.left[axis];
        r += at * layout.right[axis];
    }
    *left = l;
    *right = r;
}

// The sum, or another fold, of one value of each thread of a block; all threads get it.
#define FOLD_BLOCK(name, operation) \
    __device__ inline float name(float value, float* parts) { \
        __syncthreads(); \
        parts[threadIdx.x] = value; \
        __syncthreads(); \
        for (unsigned half = BLOCK / 2; half > 0; half /= 2) { \
            if (threadIdx.x < half) { \
                float a = parts[threadIdx.x], b = parts[threadIdx.x + half]; \
                parts[threadIdx.x] = operation; \
            } \
            __syncthreads(); \
        } \
        return parts[0]; \
    }

FOLD_BLOCK(block_sum, a + b)
FOLD_BLOCK(block_larger, larger(a, b))
FOLD_BLOCK(block_smaller, smaller(a, b))
