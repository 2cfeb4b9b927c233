// Softmax and the losses computed with it: a block for each row of the last axis.

// The largest of a row, and the sum of e^x relative to it.
__device__ inline void log_sum(const float* row, int steps, float* parts, float* largest, float* sum) {
    float most = -INFINITE;
    for (int i = threadIdx.x; i < steps; i += BLOCK) most = larger(most, row[i]);
    most = block_larger(most, parts);
    float total = 0.0f;
    for (int i = threadIdx.x; i < steps; i += BLOCK) total += expf(row[i] - most);
    *sum = block_sum(total, parts);
    *largest = most;
}

// What `value` makes of an element's distance to the row's largest, and of the sum of all e^distance.
#define SOFTMAX(name, value) \
    BLOCK_KERNEL(name)(float* out, const float* in, int rows, int steps) { \
        __shared__ float parts[BLOCK]; \
        for (int row = blockIdx.x; row < rows; row += gridDim.x) { \
            const float* x = in + (long long)row * steps; \
            float largest, sum; \
            log_sum(x, steps, parts, &largest, &sum); \
            for (int i = threadIdx.x; i < steps; i += BLOCK) { \
                float distance = x[i] - largest; \
                out[(long long)row * steps + i] = value; \
            } \
        } \
    }

SOFTMAX(softmax, expf(distance) / sum)
SOFTMAX(log_softmax, distance - logf(sum))

// -sum of t * log_softmax(z), a number for each row; a target of 0 contributes nothing.
BLOCK_KERNEL(softmax_cross_entropy)(float* out, const float* logits, const float* targets, int rows, int steps) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* z = logits + (long long)row * steps;
        const float* t = targets + (long long)row * steps;
        float largest, sum;
        log_sum(z, steps, parts, &largest, &sum);
        float rest = logf(sum), loss = 0.0f;
        for (int i = threadIdx.x; i < steps; i += BLOCK)
            if (t[i] != 0.0f) loss += t[i] * ((largest - z[i]) + rest);
        loss = block_sum(loss, parts);
        if (threadIdx.x == 0) out[row] = loss;
    }
}

// g * (softmax(z) * sum of t - t)
BLOCK_KERNEL(softmax_cross_entropy_slope)
(float* out, const float* logits, const float* targets, const float* gradient, int rows, int steps) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* z = logits + (long long)row * steps;
        const float* t = targets + (long long)row * steps;
        float largest, sum;
        log_sum(z, steps, parts, &largest, &sum);
        float total = 0.0f;
        for (int i = threadIdx.x; i < steps; i += BLOCK) total += t[i];
        total = block_sum(total, parts);
        for (int i = threadIdx.x; i < steps; i += BLOCK)
            out[(long long)row * steps + i] = gradient[row] * (expf(z[i] - largest) / sum * total - t[i]);
    }
}

// The mean of max(z, 0) - z * t + ln(1 + e^-|z|), a number for each row.
BLOCK_KERNEL(sigmoid_cross_entropy)(float* out, const float* logits, const float* targets, int rows, int steps) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* z = logits + (long long)row * steps;
        const float* t = targets + (long long)row * steps;
        float loss = 0.0f;
        for (int i = threadIdx.x; i < steps; i += BLOCK) loss += softplus_of(z[i]) - z[i] * t[i];
        loss = block_sum(loss, parts);
        if (threadIdx.x == 0) out[row] = loss / steps;
    }
}

// g * (sigmoid(z) - t) / n
KERNEL(sigmoid_cross_entropy_slope)
(float* out, const float* logits, const float* targets, const float* gradient, long long n, int steps) {
    EACH(i, n) out[i] = (logistic(logits[i]) - targets[i]) * (gradient[i / steps] / steps);
}
