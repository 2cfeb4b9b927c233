//! Functions of one number, applied to each element.

use super::{Rule, Step};
use crate::device::cpu::{self, Cost};
use crate::tensor::{Real, float, float2};
use crate::{DType, Result, Tensor};

/// What a slope is computed from.
enum From {
    Input,
    Output,
}

/// A function of one number and its derivative.
trait Pointwise {
    const NAME: &'static str;
    const COST: Cost;
    /// Whether the derivative is given in terms of the input or of the result.
    const SLOPE: From;
    fn value<T: Real>(&self, x: T) -> T;
    fn slope<T: Real>(&self, source: T) -> T;
}

impl<P: Pointwise + Sync> Rule for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        float!(inputs[0], x => {
            Tensor::from_array(cpu::map(x, P::COST, #[inline(always)] |x| self.value(x)))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let source = match P::SLOPE {
            From::Input => &step.inputs[0],
            From::Output => step.output,
        };
        step.each(|_| {
            float2!(gradient, source, (g, s) => {
                Tensor::from_array(cpu::zip_same(g, s, #[inline(always)] |g, s| g * self.slope(s)))
            })
        })
    }
}

/// Defines an operation: its settings, name, cost, value, and slope from input or output.
macro_rules! pointwise {
    ($(
        $(#[$doc:meta])*
        $op:ident { $($field:ident),* } $name:literal $cost:ident:
        |$this:ident, $x:ident| $value:expr, $from:ident |$s:ident| $slope:expr;
    )*) => {$(
        pointwise!(struct $(#[$doc])* $op $($field)*);

        impl Pointwise for $op {
            const NAME: &'static str = $name;
            const COST: Cost = Cost::$cost;
            const SLOPE: From = From::$from;
            #[inline(always)]
            fn value<T: Real>(&self, $x: T) -> T {
                let $this = self;
                let _ = $this;
                $value
            }
            #[inline(always)]
            fn slope<T: Real>(&self, $s: T) -> T {
                let $this = self;
                let _ = ($this, $s);
                $slope
            }
        }
    )*};
    (struct $(#[$doc:meta])* $op:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $op;
    };
    (struct $(#[$doc:meta])* $op:ident $($field:ident)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $op {
            $(pub(crate) $field: f64),+
        }
    };
}

pointwise! {
    /// `x + c`
    AddScalar { value } "add" Cheap: |op, x| x + T::from_f64(op.value), Input |_s| T::one();
    /// `x · c`
    MulScalar { value } "mul" Cheap: |op, x| x * T::from_f64(op.value), Input |_s| T::from_f64(op.value);
    /// `x / c`
    DivScalar { value } "div" Cheap: |op, x| x / T::from_f64(op.value), Input |_s| T::one() / T::from_f64(op.value);
    /// `-x`
    Neg {} "neg" Cheap: |op, x| -x, Input |_s| -T::one();
    /// `|x|`
    Abs {} "abs" Cheap: |op, x| x.abs(), Input |x| sign(x);
    /// -1, 0 or 1
    Sign {} "sign" Cheap: |op, x| sign(x), Input |_s| T::zero();
    /// `x²`
    Square {} "square" Cheap: |op, x| x * x, Input |x| x + x;
    /// `√x`
    Sqrt {} "sqrt" Cheap: |op, x| x.sqrt(), Output |y| T::one() / (y + y);
    /// `eˣ`
    Exp {} "exp" Costly: |op, x| x.exp(), Output |y| y;
    /// `ln x`
    Log {} "log" Costly: |op, x| x.ln(), Input |x| T::one() / x;
    /// `xⁿ`
    Pow { exponent } "pow" Costly: |op, x| power(x, op.exponent),
        Input |x| T::from_f64(op.exponent) * power(x, op.exponent - 1.0);
    /// `x`, moved into `[low, high]`
    Clip { low, high } "clip" Cheap: |op, x| clip(x, T::from_f64(op.low), T::from_f64(op.high)),
        Input |x| indicator(x >= T::from_f64(op.low) && x <= T::from_f64(op.high));
    /// `max(x, 0)`; the gradient at 0 is 0
    Relu {} "relu" Cheap: |op, x| if x < T::zero() { T::zero() } else { x },
        Output |y| indicator(y > T::zero());
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid {} "sigmoid" Costly: |op, x| sigmoid(x), Output |y| y * (T::one() - y);
    /// `tanh x`
    Tanh {} "tanh" Costly: |op, x| x.tanh(), Output |y| T::one() - y * y;
}

#[inline(always)]
fn indicator<T: Real>(condition: bool) -> T {
    if condition { T::one() } else { T::zero() }
}

#[inline(always)]
fn sign<T: Real>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        // Zero, of either sign, or NaN.
        x
    }
}

#[inline(always)]
fn clip<T: Real>(x: T, low: T, high: T) -> T {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// `1 / (1 + e⁻ˣ)`; the exponential may overflow to infinity, of which the result is 0.
#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

/// `xⁿ`, exact for the exponents that are written most.
#[inline(always)]
fn power<T: Real>(x: T, exponent: f64) -> T {
    match exponent {
        0.0 => T::one(),
        1.0 => x,
        2.0 => x * x,
        3.0 => x * x * x,
        0.5 => x.sqrt(),
        -1.0 => T::one() / x,
        n => x.powf(T::from_f64(n)),
    }
}

pointwise! {
    /// `x` above a threshold, at most a limit; below it `slope · (x - threshold)`
    LeakyRelu { slope, threshold, limit } "leaky_relu" Cheap: |op, x| leaky_relu(x, op),
        Input |x| leaky_relu_slope(x, op);
    /// `scale · x` above 0, `scale · alpha · (e^(rate·x) - 1)` below: ELU, SELU and CELU
    Elu { alpha, scale, rate } "elu" Costly: |op, x| elu(x, op), Input |x| elu_slope(x, op);
    /// `x / (1 + e⁻ˣ)`
    Silu {} "silu" Costly: |op, x| x * sigmoid(x), Input |x| silu_slope(x);
    /// `x · Φ(x)`, Φ being the standard normal distribution
    Gelu {} "gelu" Costly: |op, x| x * normal_cdf(x), Input |x| normal_cdf(x) + x * normal_density(x);
    /// [`Gelu`] by way of the hyperbolic tangent
    GeluTanh {} "gelu_approximate" Costly: |op, x| gelu_tanh(x), Input |x| gelu_tanh_slope(x);
    /// `ln(1 + eˣ)`
    SmoothRelu {} "softplus" Costly: |op, x| smooth_relu(x), Input |x| sigmoid(x);
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

/// `e^(-x²/2) / √(2π)`
#[inline(always)]
fn normal_density<T: Real>(x: T) -> T {
    const FACTOR: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 / 2.0;
    (-x * x / T::from_f64(2.0)).exp() * T::from_f64(FACTOR)
}

/// `√(2/π)`
const GELU_RATE: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
const GELU_CUBE: f64 = 0.044715;

#[inline(always)]
fn gelu_tanh<T: Real>(x: T) -> T {
    let inner = T::from_f64(GELU_RATE) * (x + T::from_f64(GELU_CUBE) * x * x * x);
    x * (T::one() + inner.tanh()) / T::from_f64(2.0)
}

#[inline(always)]
fn gelu_tanh_slope<T: Real>(x: T) -> T {
    let cube = T::from_f64(GELU_CUBE);
    let t = (T::from_f64(GELU_RATE) * (x + cube * x * x * x)).tanh();
    let inner = T::from_f64(GELU_RATE) * (T::one() + T::from_f64(3.0) * cube * x * x);
    (T::one() + t + x * (T::one() - t * t) * inner) / T::from_f64(2.0)
}

/// `ln(1 + eˣ)`, without overflow, and without losing a small result to the 1.
#[inline(always)]
fn smooth_relu<T: Real>(x: T) -> T {
    super::larger(x, T::zero()) + (-x.abs()).exp().ln_1p()
}
