// Normalization by columns (batch) and by rows (layer): with x^ = (x - mean) / sqrt(variance + epsilon) the result is
// gamma * x^ + beta, with a gamma and a beta for each column.

__device__ inline float inverse_of(float variance, float epsilon) { return 1.0f / sqrtf(variance + epsilon); }

KERNEL(batch_norm)
(float* out, const float* x, const float* mean, const float* variance, const float* gamma, const float* beta,
 long long n, int width, float epsilon) {
    EACH(i, n) {
        int c = (int)(i % width);
        out[i] = (x[i] - mean[c]) * (gamma[c] * inverse_of(variance[c], epsilon)) + beta[c];
    }
}

// For each column the sums of g and of g * x^ over a piece of the rows, [pieces, width] each. Mean and variance are
// those of columns, or of rows.
BLOCK_KERNEL(normalized_sums)
(float* plain, float* product, const float* g, const float* x, const float* mean, const float* variance, int rows,
 int width, int across, int piece, int by_row, float epsilon) {
    __shared__ float parts[BLOCK];
    EACH_TILE(at, tiles_of(width, across) * pieces_of(rows, piece)) {
        Tile tile = tile_of(at, rows, width, across, piece);
        float sum = 0.0f, normalized = 0.0f;
        EACH_ROW(row, tile) {
            long long i = (long long)row * width + tile.column;
            int of = by_row ? row : tile.column;
            sum += g[i];
            normalized += g[i] * ((x[i] - mean[of]) * inverse_of(variance[of], epsilon));
        }
        sum = sum_lanes(sum, parts, across);
        normalized = sum_lanes(normalized, parts, across);
        if (tile.lane == 0 && tile.inside) {
            plain[(long long)tile.piece * width + tile.column] = sum;
            product[(long long)tile.piece * width + tile.column] = normalized;
        }
    }
}

// gamma / sqrt(variance + epsilon) * (g - (sum of g + x^ * sum of g * x^) / rows)
KERNEL(batch_norm_back)
(float* out, const float* g, const float* x, const float* mean, const float* variance, const float* gamma,
 const float* plain, const float* product, long long n, int rows, int width, float epsilon) {
    EACH(i, n) {
        int c = (int)(i % width);
        float inverse = inverse_of(variance[c], epsilon);
        float normalized = (x[i] - mean[c]) * inverse;
        out[i] = gamma[c] * inverse * (g[i] - (plain[c] + normalized * product[c]) / rows);
    }
}

// Mean and variance of a row, by two passes.
__device__ inline void moments_of(const float* row, int width, float* parts, float* mean, float* variance) {
    float sum = 0.0f, square = 0.0f;
    for (int i = threadIdx.x; i < width; i += BLOCK) sum += row[i];
    float middle = block_sum(sum, parts) / width;
    for (int i = threadIdx.x; i < width; i += BLOCK) square += (row[i] - middle) * (row[i] - middle);
    *variance = block_sum(square, parts) / width;
    *mean = middle;
}

BLOCK_KERNEL(layer_norm)
(float* out, const float* in, const float* gamma, const float* beta, int rows, int width, float epsilon) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* x = in + (long long)row * width;
        float mean, variance;
        moments_of(x, width, parts, &mean, &variance);
        float inverse = inverse_of(variance, epsilon);
        for (int i = threadIdx.x; i < width; i += BLOCK)
            out[(long long)row * width + i] = (x[i] - mean) * inverse * gamma[i] + beta[i];
    }
}

BLOCK_KERNEL(row_moments)(float* means, float* variances, const float* in, int rows, int width) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        float mean, variance;
        moments_of(in + (long long)row * width, width, parts, &mean, &variance);
        if (threadIdx.x == 0) {
            means[row] = mean;
            variances[row] = variance;
        }
    }
}

// (g * gamma - mean of g * gamma - x^ * mean of g * gamma * x^) / sqrt(variance + epsilon)
BLOCK_KERNEL(layer_norm_back)
(float* out, const float* gradient, const float* in, const float* gamma, const float* means, const float* variances,
 int rows, int width, float epsilon) {
    __shared__ float parts[BLOCK];
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const float* x = in + (long long)row * width;
        const float* g = gradient + (long long)row * width;
        float mean = means[row], inverse = inverse_of(variances[row], epsilon);
        float plain = 0.0f, product = 0.0f;
        for (int i = threadIdx.x; i < width; i += BLOCK) {
            plain += g[i] * gamma[i];
            product += g[i] * gamma[i] * ((x[i] - mean) * inverse);
        }
        plain = block_sum(plain, parts) / width;
        product = block_sum(product, parts) / width;
        for (int i = threadIdx.x; i < width; i += BLOCK) {
            float normalized = (x[i] - mean) * inverse;
            out[(long long)row * width + i] = inverse * (g[i] * gamma[i] - plain - normalized * product);
        }
    }
}
