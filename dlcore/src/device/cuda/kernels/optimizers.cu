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
    float* thirds[TENSORS];
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
#define THIRD all.thirds[k][at]

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
           float square = v;
           if (centered) {
               float a = rho * OTHER + rest * g;
               OTHER = a;
               square = v - a * a;
           }
           float step = rate * g / sqrtf(square + epsilon);
           if (momentum != 0.0f) {
               float* moment = centered ? &THIRD : &OTHER;
               step = momentum * *moment + step;
               *moment = step;
           }
           w = w - step;
       },
       float rate, float rho, float rest, float epsilon, float momentum, int centered)

UPDATE(adam,
       {
           float m = SLOT + (g - SLOT) * new_1;
           float v = OTHER + (g * g - OTHER) * new_2;
           SLOT = m;
           OTHER = v;
           if (amsgrad) {
               float largest = THIRD;
               v = v > largest ? v : largest;
               THIRD = v;
           }
           w = w - alpha * m / (sqrtf(v) + epsilon);
       },
       float alpha, float new_1, float new_2, float epsilon, int amsgrad)

UPDATE(adamax,
       {
           float m = SLOT + (g - SLOT) * new_1;
           float u = beta_2 * OTHER;
           u = fabsf(g) > u ? fabsf(g) : u;
           SLOT = m;
           OTHER = u;
           w = w - alpha * m / (u + epsilon);
       },
       float alpha, float new_1, float beta_2, float epsilon)

UPDATE(nadam,
       {
           float m = SLOT + (g - SLOT) * new_1;
           float v = OTHER + (g * g - OTHER) * new_2;
           SLOT = m;
           OTHER = v;
           float ahead = from_moment * m + from_gradient * g;
           w = w - ahead / (sqrtf(v * correction) + epsilon);
       },
       float from_moment, float from_gradient, float correction, float new_1, float new_2, float epsilon)

UPDATE(adagrad,
       {
           float a = SLOT + g * g;
           SLOT = a;
           w = w - rate * g / sqrtf(a + epsilon);
       },
       float rate, float epsilon)

UPDATE(adadelta,
       {
           float a = rho * SLOT + rest * (g * g);
           float d = sqrtf(OTHER + epsilon) * g / sqrtf(a + epsilon);
           SLOT = a;
           OTHER = rho * OTHER + rest * (d * d);
           w = w - rate * d;
       },
       float rate, float rho, float rest, float epsilon)
