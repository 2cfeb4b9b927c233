// What slides over images [batch, height, width, channels]: the patches of a convolution, and pooling. A gradient is
// gathered by each pixel from the windows over it, so that its order is fixed.

struct Slide {
    int batch, height, width, channels;
    // Positions of the window, its places, how far it moves, how far apart its places are, padding before.
    int down, across;
    int size_y, size_x;
    int stride_y, stride_x;
    int dilation_y, dilation_x;
    int before_y, before_x;
    // Groups of channels, each of which has patches of its own.
    int groups;
};

// Where a place of the window lies in the images at a position, counted in pixels; -1 for padding.
__device__ inline long long pixel_at(const Slide& s, int image, int y, int x, int place_y, int place_x) {
    int from_y = y * s.stride_y + place_y * s.dilation_y - s.before_y;
    int from_x = x * s.stride_x + place_x * s.dilation_x - s.before_x;
    bool inside = from_y >= 0 && from_y < s.height && from_x >= 0 && from_x < s.width;
    return inside ? ((long long)image * s.height + from_y) * s.width + from_x : -1;
}

// The position along an axis at which a place lies over a pixel; -1 if there is none.
__device__ inline int position_over(int pixel, int place, int stride, int dilation, int before, int positions) {
    int at = pixel + before - place * dilation;
    return at >= 0 && at % stride == 0 && at / stride < positions ? at / stride : -1;
}

// An element of [batch, down, across, channels]. There are no more than an int counts.
struct Spot {
    int image, y, x, channel;
};

__device__ inline Spot spot_of(int i, int height, int width, int channels) {
    Spot spot;
    spot.channel = i % channels;
    i /= channels;
    spot.x = i % width;
    i /= width;
    spot.y = i % height;
    spot.image = i / height;
    return spot;
}

// Where the window is whose `place` lies over a pixel, and where that is among all positions; -1 if there is none.
__device__ inline long long window_over(const Slide& s, const Spot& pixel, int place, int* y, int* x) {
    *y = position_over(pixel.y, place / s.size_x, s.stride_y, s.dilation_y, s.before_y, s.down);
    *x = position_over(pixel.x, place % s.size_x, s.stride_x, s.dilation_x, s.before_x, s.across);
    return *y < 0 || *x < 0 ? -1 : ((long long)pixel.image * s.down + *y) * s.across + *x;
}

// A row for each position, the numbers under its window; group after group.
KERNEL(patches)(float* out, const float* in, long long n, Slide s) {
    EACH(i, n) {
        int places = s.size_y * s.size_x, own = s.channels / s.groups, rows = s.batch * s.down * s.across;
        int at = (int)i, place = at / own % places, row = at / own / places;
        int group = s.groups > 1 ? row / rows : 0, channel = group * own + at % own;
        Spot spot = spot_of(row - group * rows, s.down, s.across, 1);
        long long pixel = pixel_at(s, spot.image, spot.y, spot.x, place / s.size_x, place % s.size_x);
        out[i] = pixel < 0 ? 0.0f : in[pixel * s.channels + channel];
    }
}

// The sums of what each pixel is in the rows of `patches`.
KERNEL(patches_back)(float* out, const float* patches, long long n, Slide s) {
    EACH(i, n) {
        Spot spot = spot_of((int)i, s.height, s.width, s.channels);
        int places = s.size_y * s.size_x, own = s.channels / s.groups;
        long long first = (long long)(spot.channel / own) * s.batch * s.down * s.across;
        float sum = 0.0f;
        for (int place = 0; place < places; place++) {
            int y, x;
            long long row = window_over(s, spot, place, &y, &x);
            if (row >= 0) sum += patches[((first + row) * places + place) * own + spot.channel % own];
        }
        out[i] = sum;
    }
}

// Not a number wins, and stays.
KERNEL(max_pool)(float* out, const float* in, long long n, Slide s) {
    EACH(i, n) {
        Spot spot = spot_of((int)i, s.down, s.across, s.channels);
        float largest = -INFINITE;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            long long pixel = pixel_at(s, spot.image, spot.y, spot.x, place / s.size_x, place % s.size_x);
            if (pixel >= 0) largest = larger(largest, in[pixel * s.channels + spot.channel]);
        }
        out[i] = largest;
    }
}

// All of a window's gradient goes to the first element that is the largest.
KERNEL(max_pool_back)
(float* out, const float* in, const float* result, const float* gradient, long long n, Slide s) {
    EACH(i, n) {
        Spot spot = spot_of((int)i, s.height, s.width, s.channels);
        float sum = 0.0f;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            int y, x;
            long long row = window_over(s, spot, place, &y, &x);
            if (row < 0) continue;
            long long window = row * s.channels + spot.channel;
            if (in[i] != result[window]) continue;
            bool first = true;
            for (int earlier = 0; earlier < place; earlier++) {
                long long pixel = pixel_at(s, spot.image, y, x, earlier / s.size_x, earlier % s.size_x);
                if (pixel >= 0 && in[pixel * s.channels + spot.channel] == result[window]) first = false;
            }
            if (first) sum += gradient[window];
        }
        out[i] = sum;
    }
}

// Places of a window that are no padding.
__device__ inline int covered(const Slide& s, int y, int x) {
    int count = 0;
    for (int place = 0; place < s.size_y * s.size_x; place++)
        count += pixel_at(s, 0, y, x, place / s.size_x, place % s.size_x) >= 0;
    return count > 0 ? count : 1;
}

KERNEL(average_pool)(float* out, const float* in, long long n, Slide s) {
    EACH(i, n) {
        Spot spot = spot_of((int)i, s.down, s.across, s.channels);
        float sum = 0.0f;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            long long pixel = pixel_at(s, spot.image, spot.y, spot.x, place / s.size_x, place % s.size_x);
            if (pixel >= 0) sum += in[pixel * s.channels + spot.channel];
        }
        out[i] = sum / covered(s, spot.y, spot.x);
    }
}

KERNEL(average_pool_back)(float* out, const float* gradient, long long n, Slide s) {
    EACH(i, n) {
        Spot spot = spot_of((int)i, s.height, s.width, s.channels);
        float sum = 0.0f;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            int y, x;
            long long row = window_over(s, spot, place, &y, &x);
            if (row < 0) continue;
            sum += gradient[row * s.channels + spot.channel] * (1.0f / covered(s, y, x));
        }
        out[i] = sum;
    }
}

// Each channel convolved by itself, with `many` kernels: so little arithmetic that patches would only be copying.
KERNEL(depthwise)
(float* out, const float* in, const float* kernel, const float* bias, long long n, Slide s, int many, int has_bias) {
    EACH(i, n) {
        int outputs = s.channels * many;
        Spot spot = spot_of((int)i, s.down, s.across, outputs);
        float sum = has_bias ? bias[spot.channel] : 0.0f;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            long long pixel = pixel_at(s, spot.image, spot.y, spot.x, place / s.size_x, place % s.size_x);
            if (pixel >= 0)
                sum += in[pixel * s.channels + spot.channel / many] * kernel[place * outputs + spot.channel];
        }
        out[i] = sum;
    }
}

KERNEL(depthwise_back)(float* out, const float* gradient, const float* kernel, long long n, Slide s, int many) {
    EACH(i, n) {
        int outputs = s.channels * many;
        Spot spot = spot_of((int)i, s.height, s.width, s.channels);
        float sum = 0.0f;
        for (int place = 0; place < s.size_y * s.size_x; place++) {
            int y, x;
            long long row = window_over(s, spot, place, &y, &x);
            if (row < 0) continue;
            for (int output = spot.channel * many; output < (spot.channel + 1) * many; output++)
                sum += gradient[row * outputs + output] * kernel[place * outputs + output];
        }
        out[i] = sum;
    }
}

// The gradient of the kernel over a piece of the positions: [pieces, width], a column for each number of the kernel.
BLOCK_KERNEL(depthwise_kernel_back)
(float* out, const float* in, const float* gradient, int rows, int width, int across, int piece, Slide s, int many) {
    __shared__ float parts[BLOCK];
    EACH_TILE(at, tiles_of(width, across) * pieces_of(rows, piece)) {
        Tile tile = tile_of(at, rows, width, across, piece);
        int outputs = s.channels * many, place = tile.column / outputs, output = tile.column % outputs;
        float sum = 0.0f;
        EACH_ROW(row, tile) {
            Spot spot = spot_of(row, s.down, s.across, 1);
            long long pixel = pixel_at(s, spot.image, spot.y, spot.x, place / s.size_x, place % s.size_x);
            if (pixel >= 0)
                sum += in[pixel * s.channels + output / many] * gradient[(long long)row * outputs + output];
        }
        sum = sum_lanes(sum, parts, across);
        if (tile.lane == 0 && tile.inside) out[(long long)tile.piece * width + tile.column] = sum;
    }
}
