// The matrix product of cuBLAS, in the obvious way: columns first, as there. With TF32 operands are rounded as a card
// since Ampere does it.
//
//   SIMULATED_BLAS_FULL=1        so many times it cannot start for lack of memory
//   SIMULATED_BLAS_ERROR=3       the product SIMULATED_BLAS_ERROR_AT (5) fails with this status, and so do the next
//                                ones until it was SIMULATED_BLAS_ERROR_TIMES (1)

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

const int ALLOC_FAILED = 3, INVALID_VALUE = 7, ARCH_MISMATCH = 8, NOT_SUPPORTED = 15;
const int R_32F = 0, R_16BF = 14, COMPUTE_32F = 68;
const int DEFAULT_MATH = 0, TF32_TENSOR_OP_MATH = 3;
long starts = 0, products = 0;
int math_mode = DEFAULT_MATH;

long number(const char* name, long otherwise) {
    const char* text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

// As it is, or with ten bits of mantissa.
float operand(float value) {
    if (math_mode != TF32_TENSOR_OP_MATH || value - value != 0.0f) return value;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x1000) & ~uint32_t(0x1FFF);
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

float operand(uint16_t value) {
    uint32_t bits = uint32_t(value) << 16;
    float whole;
    std::memcpy(&whole, &bits, sizeof bits);
    return whole;
}

template <class T>
int product(int left_as, int right_as, int m, int n, int k, float alpha, const T* left, int left_leading,
            long long left_stride, const T* right, int right_leading, long long right_stride, float beta, float* out,
            int out_leading, long long out_stride, int batch) {
    products++;
    long at = number("SIMULATED_BLAS_ERROR_AT", 5), times = number("SIMULATED_BLAS_ERROR_TIMES", 1);
    if (long error = number("SIMULATED_BLAS_ERROR", 0))
        if (products >= at && products < at + times) return error;
    if (m < 0 || n < 0 || k < 0 || batch < 0) return INVALID_VALUE;
    if (left_leading < (left_as ? k : m) || right_leading < (right_as ? n : k) || out_leading < m)
        return INVALID_VALUE;
    for (int which = 0; which < batch; which++) {
        const T* a = left + which * left_stride;
        const T* b = right + which * right_stride;
        float* c = out + which * out_stride;
        for (int column = 0; column < n; column++) {
            float* to = c + (int64_t)column * out_leading;
            for (int row = 0; row < m; row++) to[row] = beta == 0.0f ? 0.0f : to[row] * beta;
            for (int i = 0; i < k; i++) {
                float factor = alpha * operand(right_as ? b[(int64_t)i * right_leading + column]
                                                        : b[(int64_t)column * right_leading + i]);
                for (int row = 0; row < m; row++)
                    to[row] += factor * operand(left_as ? a[(int64_t)row * left_leading + i]
                                                        : a[(int64_t)i * left_leading + row]);
            }
        }
    }
    return 0;
}

}  // namespace

extern "C" {

int cublasCreate_v2(void** handle) {
    if (starts++ < number("SIMULATED_BLAS_FULL", 0)) return ALLOC_FAILED;
    *handle = handle;
    return 0;
}

int cublasSetMathMode(void*, int mode) {
    if (mode != DEFAULT_MATH && mode != TF32_TENSOR_OP_MATH) return INVALID_VALUE;
    math_mode = mode;
    return 0;
}

int cublasSgemmStridedBatched(void*, int left_as, int right_as, int m, int n, int k, const float* alpha,
                              const float* left, int left_leading, long long left_stride, const float* right,
                              int right_leading, long long right_stride, const float* beta, float* out,
                              int out_leading, long long out_stride, int batch) {
    return product(left_as, right_as, m, n, k, *alpha, left, left_leading, left_stride, right, right_leading,
                   right_stride, *beta, out, out_leading, out_stride, batch);
}

// Of bfloat16, with results and sums of single precision.
int cublasGemmStridedBatchedEx(void*, int left_as, int right_as, int m, int n, int k, const float* alpha,
                               const uint16_t* left, int left_type, int left_leading, long long left_stride,
                               const uint16_t* right, int right_type, int right_leading, long long right_stride,
                               const float* beta, float* out, int out_type, int out_leading, long long out_stride,
                               int batch, int compute, int algorithm) {
    if (number("SIMULATED_CAPABILITY", 80) < 80) return ARCH_MISMATCH;
    if (left_type != R_16BF || right_type != R_16BF || out_type != R_32F || compute != COMPUTE_32F || algorithm != -1)
        return NOT_SUPPORTED;
    return product(left_as, right_as, m, n, k, *alpha, left, left_leading, left_stride, right, right_leading,
                   right_stride, *beta, out, out_leading, out_stride, batch);
}
}
