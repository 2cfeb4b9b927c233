// Sums and extremes. In a fixed order, so that a run repeats bit for bit.

// Along the last of [rows, steps]: a block for each row.
#define FOLD_ROWS(name, start, fold, together) \
    BLOCK_KERNEL(name)(float* out, const float* in, int rows, int steps) { \
        __shared__ float parts[BLOCK]; \
        for (int row = blockIdx.x; row < rows; row += gridDim.x) { \
            const float* values = in + (long long)row * steps; \
            float b = start; \
            for (int i = threadIdx.x; i < steps; i += BLOCK) { \
                float a = values[i]; \
                b = fold; \
            } \
            float whole = together(b, parts); \
            if (threadIdx.x == 0) out[row] = whole; \
        } \
    }

FOLD_ROWS(sum_rows, 0.0f, b + a, block_sum)
FOLD_ROWS(max_rows, -INFINITE, larger(b, a), block_larger)
FOLD_ROWS(min_rows, INFINITE, smaller(b, a), block_smaller)

// Along the middle of [outer, steps, inner]: a thread for each result.
#define FOLD_MIDDLE(name, start, fold) \
    KERNEL(name)(float* out, const float* in, long long results, int steps, int inner) { \
        EACH(i, results) { \
            const float* values = in + (i / inner) * steps * inner + i % inner; \
            float b = start; \
            for (int step = 0; step < steps; step++) { \
                float a = values[(long long)step * inner]; \
                b = fold; \
            } \
            out[i] = b; \
        } \
    }

FOLD_MIDDLE(sum_middle, 0.0f, b + a)
FOLD_MIDDLE(max_middle, -INFINITE, larger(b, a))
FOLD_MIDDLE(min_middle, INFINITE, smaller(b, a))

// The sums so far along the middle of [outer, steps, inner], from its beginning or its end: a thread for each line.
KERNEL(sums_so_far)(float* out, const float* in, long long lines, int steps, int inner, int reverse) {
    EACH(i, lines) {
        long long first = (i / inner) * steps * inner + i % inner;
        float sum = 0.0f;
        for (int step = 0; step < steps; step++) {
            long long at = first + (long long)(reverse ? steps - 1 - step : step) * inner;
            sum += in[at];
            out[at] = sum;
        }
    }
}

// One number for each element: the first of `value` times a factor.
KERNEL(fill_from)(float* out, const float* value, long long n, float factor) {
    EACH(i, n) out[i] = value[0] * factor;
}
