// The matrix product of cuBLAS, in the obvious way: columns first, as there.

#include <cstdint>

extern "C" {

int cublasCreate_v2(void** handle) {
    *handle = handle;
    return 0;
}

int cublasSgemm_v2() { return 15; }  // not supported; dlcore asks for batches

int cublasSgemmStridedBatched(void*, int left_as, int right_as, int m, int n, int k, const float* alpha,
                              const float* left, int left_leading, long long left_stride, const float* right,
                              int right_leading, long long right_stride, const float* beta, float* out,
                              int out_leading, long long out_stride, int batch) {
    if (m < 0 || n < 0 || k < 0 || batch < 0) return 7;
    if (left_leading < (left_as ? k : m) || right_leading < (right_as ? n : k) || out_leading < m) return 7;
    for (int which = 0; which < batch; which++) {
        const float* a = left + which * left_stride;
        const float* b = right + which * right_stride;
        float* c = out + which * out_stride;
        for (int column = 0; column < n; column++) {
            float* to = c + (int64_t)column * out_leading;
            for (int row = 0; row < m; row++) to[row] = *beta == 0.0f ? 0.0f : to[row] * *beta;
            for (int i = 0; i < k; i++) {
                float factor = *alpha * (right_as ? b[(int64_t)i * right_leading + column]
                                                  : b[(int64_t)column * right_leading + i]);
                if (left_as) {
                    for (int row = 0; row < m; row++) to[row] += factor * a[(int64_t)row * left_leading + i];
                } else {
                    const float* from = a + (int64_t)i * left_leading;
                    for (int row = 0; row < m; row++) to[row] += factor * from[row];
                }
            }
        }
    }
    return 0;
}
}
