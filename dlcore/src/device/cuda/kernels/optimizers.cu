// The steps of optimizers: all weights in one launch.

#define TENSORS 32

// Weights, their gradients and what the optimizer keeps beside them. Those of tensor k are elements first[k] up to
// first[k + 1] of all.
struct Tensors {
    int count;
    float scale;
    float limit;
    float decay;
    long long first[TENSORS + 1];
    float* weights[TENSORS];
    const float* gradients[TENSORS];
    float* slots[TENSORS];
    float* others[TENSORS];
};

// Where element i is: a few comparisons, the same for all threads of a warp but a few.
__device__ inline int tensor_of(const Tensors& all, long long i) {
    int k = 0;
    while (k + 1 < all.count && i >= all.first[k + 1]) k++;
    return k;
}

// Clipping and weight decay come before the rule; NaN stays what it is.
#define UPDATE(name, rule, ...) \
    KERNEL(name)(Tensors all, __VA_ARGS__) { \
        EACH(i, all.first[all.count]) { \
            int k = tensor_of(all, i); \
            long long at = i - all.first[k]; \
            float g = all.gradients[k][at] * all.scale; \
            g = g > all.limit ? all.limit : g; \
            g = g < -all.limit ? -all.limit : g; \
            float w = all.weights[k][at]; \
            w = w - w * all.decay; \
            rule all.weights[k][at] = w; \
        } \
    }

#define SLOT all.slots[k][at]
#define OTHER all.others[k][at]

UPDATE(sgd, { w = w - rate * g; }, float rate)

UPDATE(sgd_momentum,
       {
           float m = momentum * SLOT - rate * g;
           SLOT = m;
           w = nesterov ? w + momentum * m - rate * g : w + m;
       },
       float rate, float momentum, int nesterov)

UPDATE(rmsprop,
       {
           float v = rho * SLOT + rest * (g * g);
           SLOT = v;
           w = w - rate * g / sqrtf(v + epsilon);
       },
       float rate, float rho, float rest, float epsilon)

UPDATE(adam,
       {
           float m = SLOT + (g - SLOT) * new_1;
           float v = OTHER + (g * g - OTHER) * new_2;
           SLOT = m;
           OTHER = v;
           w = w - alpha * m / (sqrtf(v) + epsilon);
       },
       float alpha, float new_1, float new_2, float epsilon)
