//! Activation functions that are no composition of others.

use super::{Cost, From, Pointwise, indicator, sigmoid, tanh};
use crate::tensor::Real;
use crate::{DType, Tensor};

pointwise! {
    /// `x` above a threshold, at most a limit; below it `slope · (x - threshold)`
    LeakyRelu { slope, threshold, limit } "leaky_relu" Cheap: |op, x| leaky_relu(x, op),
        Input |x| leaky_relu_slope(x, op), {
            let above = x.greater(op.threshold).logical_and(&x.less_equal(op.limit));
            above.cast(x.dtype()) + x.less_equal(op.threshold).cast(x.dtype()) * op.slope
        };
    /// `scale · x` above 0, `scale · alpha · (e^(rate·x) - 1)` below: ELU, SELU and CELU
    Elu { alpha, scale, rate } "elu" Costly: |op, x| elu(x, op), Input |x| elu_slope(x, op),
        Tensor::where_(&x.greater(0.0), op.scale, (x * op.rate).exp() * (op.scale * op.alpha * op.rate));
    /// `x / (1 + e⁻ˣ)`
    Silu {} "silu" Costly: |op, x| x * sigmoid(x), Input |x| silu_slope(x), {
            let s = x.sigmoid();
            &s * (1.0 + x * (1.0 - &s))
        };
    /// `x · Φ(x)`, Φ being the standard normal distribution
    Gelu {} "gelu" Costly: |op, x| x * normal_cdf(x), Input |x| normal_cdf(x) + x * normal_density(x), {
            let density = (x.square() * -0.5).exp() * DENSITY;
            ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + x * density
        };
    /// [`Gelu`] by way of the hyperbolic tangent
    GeluTanh {} "gelu_approximate" Costly: |op, x| gelu_tanh(x), Input |x| gelu_tanh_slope(x), {
            let t = ((x + x.pow(3.0) * GELU_CUBE) * GELU_RATE).tanh();
            let inner = (1.0 + x.square() * (3.0 * GELU_CUBE)) * GELU_RATE;
            (1.0 + &t + x * (1.0 - t.square()) * inner) * 0.5
        };
}

#[inline(always)]
fn leaky_relu<T: Real>(x: T, op: &LeakyRelu) -> T {
    let threshold = T::from_f64(op.threshold);
    let limit = T::from_f64(op.limit);
    if x > threshold {
        if x > limit { limit } else { x }
    } else if op.slope == 0.0 && x <= threshold {
        // Not a product, which would be NaN for minus infinity.
        T::zero()
    } else {
        T::from_f64(op.slope) * (x - threshold)
    }
}

#[inline(always)]
fn leaky_relu_slope<T: Real>(x: T, op: &LeakyRelu) -> T {
    if x > T::from_f64(op.threshold) {
        indicator(x <= T::from_f64(op.limit))
    } else {
        T::from_f64(op.slope)
    }
}

#[inline(always)]
fn elu<T: Real>(x: T, op: &Elu) -> T {
    let scale = T::from_f64(op.scale);
    if x > T::zero() {
        scale * x
    } else {
        scale * T::from_f64(op.alpha) * (x * T::from_f64(op.rate)).exp_m1()
    }
}

#[inline(always)]
fn elu_slope<T: Real>(x: T, op: &Elu) -> T {
    if x > T::zero() {
        T::from_f64(op.scale)
    } else {
        T::from_f64(op.scale * op.alpha * op.rate) * (x * T::from_f64(op.rate)).exp()
    }
}

#[inline(always)]
fn silu_slope<T: Real>(x: T) -> T {
    let s = sigmoid(x);
    s * (T::one() + x * (T::one() - s))
}

/// `(1 + erf(x/√2)) / 2`, by the complement, which keeps its digits where the result is small.
#[inline(always)]
fn normal_cdf<T: Real>(x: T) -> T {
    let z = -x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2);
    let complement = match T::DTYPE {
        DType::F32 => T::from_f64(f64::from(libm::erfcf(z.to_f32()))),
        _ => T::from_f64(libm::erfc(z.to_f64())),
    };
    complement / T::from_f64(2.0)
}

/// `1 / √(2π)`
const DENSITY: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 / 2.0;

/// `e^(-x²/2) / √(2π)`
#[inline(always)]
fn normal_density<T: Real>(x: T) -> T {
    (-x * x / T::from_f64(2.0)).exp() * T::from_f64(DENSITY)
}

/// `√(2/π)`
const GELU_RATE: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
const GELU_CUBE: f64 = 0.044715;

#[inline(always)]
fn gelu_tanh<T: Real>(x: T) -> T {
    let inner = T::from_f64(GELU_RATE) * (x + T::from_f64(GELU_CUBE) * x * x * x);
    x * (T::one() + tanh(inner)) / T::from_f64(2.0)
}

#[inline(always)]
fn gelu_tanh_slope<T: Real>(x: T) -> T {
    let cube = T::from_f64(GELU_CUBE);
    let t = tanh(T::from_f64(GELU_RATE) * (x + cube * x * x * x));
    let inner = T::from_f64(GELU_RATE) * (T::one() + T::from_f64(3.0) * cube * x * x);
    (T::one() + t + x * (T::one() - t * t) * inner) / T::from_f64(2.0)
}
