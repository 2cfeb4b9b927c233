// CUDA C for the processor: enough of it for the kernels of dlcore/src/device/cuda/kernels. A block's threads run
// one after another; those of a kernel that waits with __syncthreads() have a stack each and take turns.

#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __shared__ static

struct Triple {
    unsigned x, y, z;
};
extern Triple blockIdx, blockDim, gridDim, threadIdx;
void __syncthreads();

inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

struct Kernel {
    const char* name;
    bool waits;
    void (*run)(void** arguments);
};
extern const Kernel KERNELS[];
extern const char* const SOURCE;

template <class... Types, size_t... Places>
void call(void (*kernel)(Types...), void** arguments, std::index_sequence<Places...>) {
    kernel(*static_cast<Types*>(arguments[Places])...);
}

template <class... Types>
void call(void (*kernel)(Types...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Types...>{});
}
