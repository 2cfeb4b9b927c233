// Functions of one number and of two, element by element, and the derivatives of the former.

// value: of x. slope: of s, which is x or the result, times the gradient. a, b and c are an operation's settings.
#define POINTWISE(name, value, slope) \
    __device__ inline float name##_value_of(float x, float a, float b, float c) { return value; } \
    __device__ inline float name##_slope_of(float s, float a, float b, float c) { return slope; } \
    KERNEL(name##_value)(float* out, const float* in, long long n, float a, float b, float c) { \
        EACH(i, n) out[i] = name##_value_of(in[i], a, b, c); \
    } \
    KERNEL(name##_slope) \
    (float* out, const float* gradient, const float* source, long long n, float a, float b, float c) { \
        EACH(i, n) out[i] = gradient[i] * name##_slope_of(source[i], a, b, c); \
    }

__device__ inline float sign_of(float x) { return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x); }

// x^n, exact for the exponents that are written most.
__device__ inline float power_of(float x, float n) {
    if (n == 0.0f) return 1.0f;
    if (n == 1.0f) return x;
    if (n == 2.0f) return x * x;
    if (n == 3.0f) return x * x * x;
    if (n == 0.5f) return sqrtf(x);
    if (n == -1.0f) return 1.0f / x;
    return powf(x, n);
}

#define TWO_OVER_ROOT_PI 1.1283791670955126f
#define ROOT_HALF 0.7071067811865476f
#define ROOT_TWO_OVER_PI 0.7978845608028654f
#define ROOT_TWO_PI_INVERSE 0.3989422804014327f

__device__ inline float gelu_tanh_of(float x) {
    return 0.5f * x * (1.0f + tanhf(ROOT_TWO_OVER_PI * (x + 0.044715f * x * x * x)));
}

__device__ inline float gelu_tanh_slope_of(float x) {
    float t = tanhf(ROOT_TWO_OVER_PI * (x + 0.044715f * x * x * x));
    float inner = ROOT_TWO_OVER_PI * (1.0f + 3.0f * 0.044715f * x * x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
}

POINTWISE(add_scalar, x + a, 1.0f)
POINTWISE(mul_scalar, x * a, a)
POINTWISE(div_scalar, x / a, 1.0f / a)
POINTWISE(neg, -x, -1.0f)
POINTWISE(abs, fabsf(x), sign_of(s))
POINTWISE(sign, sign_of(x), 0.0f)
POINTWISE(square, x * x, s + s)
POINTWISE(sqrt, sqrtf(x), 1.0f / (s + s))
POINTWISE(exp, expf(x), s)
POINTWISE(log, logf(x), 1.0f / s)
POINTWISE(pow, power_of(x, a), a == 0.0f ? 0.0f : a * power_of(s, a - 1.0f))
POINTWISE(clip, x < a ? a : (x > b ? b : x), (s >= a && s <= b) ? 1.0f : 0.0f)
POINTWISE(relu, x < 0.0f ? 0.0f : x, s > 0.0f ? 1.0f : 0.0f)
POINTWISE(sigmoid, logistic(x), s * (1.0f - s))
POINTWISE(tanh, tanhf(x), 1.0f - s * s)
POINTWISE(sin, sinf(x), cosf(s))
POINTWISE(cos, cosf(x), -sinf(s))
POINTWISE(expm1, expm1f(x), s + 1.0f)
POINTWISE(log1p, log1pf(x), 1.0f / (1.0f + s))
POINTWISE(rsqrt, 1.0f / sqrtf(x), -(s * s * s) / 2.0f)
POINTWISE(reciprocal, 1.0f / x, -(s * s))
POINTWISE(softplus, softplus_of(x), logistic(s))
POINTWISE(erf, erff(x), TWO_OVER_ROOT_PI * expf(-s * s))
POINTWISE(floor, floorf(x), 0.0f)
POINTWISE(ceil, ceilf(x), 0.0f)
POINTWISE(round, rintf(x), 0.0f)
// slope, threshold, limit
POINTWISE(leaky_relu, x > b ? (x > c ? c : x) : ((a == 0.0f && x <= b) ? 0.0f : a * (x - b)),
          s > b ? (s <= c ? 1.0f : 0.0f) : a)
// alpha, scale, rate
POINTWISE(elu, x > 0.0f ? b * x : b * a * expm1f(x * c), s > 0.0f ? b : b * a * c * expf(s * c))
POINTWISE(silu, x * logistic(x), logistic(s) * (1.0f + s * (1.0f - logistic(s))))
POINTWISE(gelu, x * (erfcf(-x * ROOT_HALF) / 2.0f),
          erfcf(-s * ROOT_HALF) / 2.0f + s * expf(-0.5f * s * s) * ROOT_TWO_PI_INVERSE)
POINTWISE(gelu_tanh, gelu_tanh_of(x), gelu_tanh_slope_of(s))

#define BINARY(name, value) \
    KERNEL(name)(float* out, const float* left, const float* right, long long n, Layout layout) { \
        EACH(i, n) { \
            long long l, r; \
            places(layout, i, &l, &r); \
            float x = left[l], y = right[r]; \
            out[i] = value; \
        } \
    }

BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x * y)
BINARY(divide, x / y)
BINARY(power, powf(x, y))
BINARY(maximum, larger(x, y))
BINARY(minimum, smaller(x, y))
BINARY(squared_difference, (x - y) * (x - y))
// The slopes of functions of two numbers: of the squared difference with respect to its left side, of the power with
// respect to either, of extremes, which are comparisons.
BINARY(twice_difference, (x - y) + (x - y))
BINARY(power_by_base, y * powf(x, y - 1.0f))
BINARY(power_by_exponent, x > 0.0f ? powf(x, y) * logf(x) : 0.0f)
BINARY(greater, x > y ? 1.0f : 0.0f)
BINARY(greater_equal, x >= y ? 1.0f : 0.0f)
BINARY(less, x < y ? 1.0f : 0.0f)
BINARY(less_equal, x <= y ? 1.0f : 0.0f)
BINARY(equal, x == y ? 1.0f : 0.0f)
// The gradient of what went into a relu that gave y.
BINARY(relu_gradient, y > 0.0f ? x : x * 0.0f)

// The bias of a dense or convolution layer, one number for each of `units` columns, and its relu.
KERNEL(add_bias)(float* out, const float* bias, long long n, int units, int has_bias, int relu) {
    EACH(i, n) {
        float x = out[i];
        if (has_bias) x += bias[i % units];
        out[i] = (relu && x < 0.0f) ? 0.0f : x;
    }
}
