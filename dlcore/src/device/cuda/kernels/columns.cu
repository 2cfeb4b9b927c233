// What is computed of the columns of a matrix [rows, width]. A block takes a tile of them and a piece of the rows: its
// threads stand side by side over `across` columns (a power of two, 32 at most) and in lanes over the rows. Pieces are
// put together by another kernel, in a fixed order.

#define EACH_TILE(at, tiles) for (int at = blockIdx.x; at < (tiles); at += gridDim.x)

__device__ inline int tiles_of(int width, int across) { return (width + across - 1) / across; }

__device__ inline int pieces_of(int rows, int piece) { return (rows + piece - 1) / piece; }

// Rows of a piece: the last one has what is left.
__device__ inline int rows_of(int rows, int piece, int which) {
    int left = rows - which * piece;
    return left < piece ? left : piece;
}

// The sum of one value of each lane; all threads get their column's.
__device__ inline float sum_lanes(float value, float* parts, int across) {
    __syncthreads();
    parts[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = BLOCK / 2; half >= (unsigned)across; half /= 2) {
        if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
        __syncthreads();
    }
    return parts[threadIdx.x % across];
}

// Where a thread works.
struct Tile {
    int column, lane, lanes, piece, first, last;
    bool inside;
};

__device__ inline Tile tile_of(int at, int rows, int width, int across, int piece) {
    Tile tile;
    int tiles = tiles_of(width, across);
    tile.column = at % tiles * across + threadIdx.x % across;
    tile.lane = threadIdx.x / across;
    tile.lanes = BLOCK / across;
    tile.piece = at / tiles;
    tile.first = tile.piece * piece;
    tile.last = tile.first + rows_of(rows, piece, tile.piece);
    tile.inside = tile.column < width;
    return tile;
}

#define EACH_ROW(row, tile) \
    for (int row = tile.inside ? tile.first + tile.lane : tile.last; row < tile.last; row += tile.lanes)

// The sums of each piece, [pieces, width].
BLOCK_KERNEL(sum_columns)(float* out, const float* in, int rows, int width, int across, int piece) {
    __shared__ float parts[BLOCK];
    EACH_TILE(at, tiles_of(width, across) * pieces_of(rows, piece)) {
        Tile tile = tile_of(at, rows, width, across, piece);
        float sum = 0.0f;
        EACH_ROW(row, tile) sum += in[(long long)row * width + tile.column];
        sum = sum_lanes(sum, parts, across);
        if (tile.lane == 0 && tile.inside) out[(long long)tile.piece * width + tile.column] = sum;
    }
}

// The mean and the sum of squared deviations of each piece, [pieces, width], by two passes over it: no large mean
// swallows the deviations, and the second pass finds the rows in the cache.
BLOCK_KERNEL(piece_moments)
(float* means, float* squares, const float* x, int rows, int width, int across, int piece) {
    __shared__ float parts[BLOCK];
    EACH_TILE(at, tiles_of(width, across) * pieces_of(rows, piece)) {
        Tile tile = tile_of(at, rows, width, across, piece);
        float sum = 0.0f, square = 0.0f;
        EACH_ROW(row, tile) sum += x[(long long)row * width + tile.column];
        float mean = sum_lanes(sum, parts, across) / (tile.last - tile.first);
        EACH_ROW(row, tile) {
            float deviation = x[(long long)row * width + tile.column] - mean;
            square += deviation * deviation;
        }
        square = sum_lanes(square, parts, across);
        if (tile.lane == 0 && tile.inside) {
            means[(long long)tile.piece * width + tile.column] = mean;
            squares[(long long)tile.piece * width + tile.column] = square;
        }
    }
}

// Mean and variance of each column of those of its pieces: Chan, Golub and LeVeque, 1983.
BLOCK_KERNEL(column_moments)
(float* mean, float* variance, const float* means, const float* squares, int rows, int width, int across, int piece) {
    __shared__ float parts[BLOCK];
    int pieces = pieces_of(rows, piece);
    EACH_TILE(at, tiles_of(width, across)) {
        Tile tile = tile_of(at, pieces, width, across, pieces);
        float sum = 0.0f, square = 0.0f;
        EACH_ROW(part, tile) sum += rows_of(rows, piece, part) * means[(long long)part * width + tile.column];
        float middle = sum_lanes(sum, parts, across) / rows;
        EACH_ROW(part, tile) {
            float away = means[(long long)part * width + tile.column] - middle;
            square += squares[(long long)part * width + tile.column] + rows_of(rows, piece, part) * (away * away);
        }
        square = sum_lanes(square, parts, across);
        if (tile.lane == 0 && tile.inside) {
            mean[tile.column] = middle;
            variance[tile.column] = square / rows;
        }
    }
}
