// Elements moved without being computed.

// Axes in another order, repeated, or narrowed: the left operand of the layout says where each comes from.
KERNEL(copy_from)(float* out, const float* in, long long n, Layout layout, long long first) {
    EACH(i, n) {
        long long l, r;
        places(layout, i, &l, &r);
        out[i] = in[first + l];
    }
}

// The other way: where each element goes to.
KERNEL(copy_to)(float* out, const float* in, long long n, Layout layout, long long first) {
    EACH(i, n) {
        long long l, r;
        places(layout, i, &l, &r);
        out[first + l] = in[i];
    }
}

// The left one where the condition holds, the right one elsewhere.
KERNEL(choose)
(float* out, const unsigned char* condition, const float* left, const float* right, long long n, Layout layout) {
    EACH(i, n) {
        long long l, r;
        places(layout, i, &l, &r);
        out[i] = condition[i] ? left[l] : right[r];
    }
}

// Rows of a table by their numbers.
KERNEL(gather_rows)(float* out, const float* table, const int* rows, long long n, int width) {
    EACH(i, n) out[i] = table[(long long)rows[i / width] * width + i % width];
}

// The sums of the rows that go to the same place. Those of segment s are positions[starts[s]] and on, and go to
// row targets[s]: a thread for each number, so that the order is fixed.
KERNEL(scatter_rows)
(float* out, const float* in, const int* positions, const int* starts, const int* targets, long long n, int width) {
    EACH(i, n) {
        int segment = (int)(i / width), column = (int)(i % width);
        float sum = 0.0f;
        for (int at = starts[segment]; at < starts[segment + 1]; at++)
            sum += in[(long long)positions[at] * width + column];
        out[(long long)targets[segment] * width + column] = sum;
    }
}
