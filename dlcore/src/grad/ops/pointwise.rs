//! Functions of one number, applied to each element.

use super::{Rule, Step};
use crate::device::cpu::{self, Cost, tanh};
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
    /// The slope again, made of operations, which differentiate in turn.
    fn recorded_slope(&self, source: &Tensor) -> Tensor;
}

impl<P: Pointwise + Sync + Copy> Rule for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        float!(inputs[0], x => {
            let op = *self;
            Tensor::from_array(cpu::map(x, P::COST, #[inline(always)] move |x| op.value(x)))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let source = match P::SLOPE {
            From::Input => &step.inputs[0],
            From::Output => step.output,
        };
        if step.recorded(gradient) {
            return step.each(|_| gradient * self.recorded_slope(source));
        }
        // A copy, so that its numbers are not read again for every element.
        let op = *self;
        step.each(|_| {
            float2!(gradient, source, (g, s) => {
                Tensor::from_array(cpu::zip_same(g, s, #[inline(always)] move |g, s| g * op.slope(s)))
            })
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// A slope that does not change with its source.
fn constant(like: &Tensor, value: f64) -> Tensor {
    like.detach().zeros_like() + value
}

/// Defines an operation: its settings, name, cost, value, and slope from input or output, for
/// numbers and for tensors.
macro_rules! pointwise {
    ($(
        $(#[$doc:meta])*
        $op:ident { $($field:ident),* } $name:literal $cost:ident:
        |$this:ident, $x:ident| $value:expr, $from:ident |$s:ident| $slope:expr, $recorded:expr;
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
            fn recorded_slope(&self, $s: &Tensor) -> Tensor {
                let $this = self;
                let _ = $this;
                $recorded
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
    AddScalar { value } "add" Cheap: |op, x| x + T::from_f64(op.value), Input |s| T::one(), constant(s, 1.0);
    /// `x · c`
    MulScalar { value } "mul" Cheap: |op, x| x * T::from_f64(op.value), Input |s| T::from_f64(op.value), constant(s, op.value);
    /// `x / c`
    DivScalar { value } "div" Cheap: |op, x| x / T::from_f64(op.value), Input |s| T::one() / T::from_f64(op.value),
        constant(s, 1.0 / op.value);
    /// `-x`
    Neg {} "neg" Cheap: |op, x| -x, Input |s| -T::one(), constant(s, -1.0);
    /// `|x|`
    Abs {} "abs" Cheap: |op, x| x.abs(), Input |x| sign(x), x.detach().sign();
    /// -1, 0 or 1
    Sign {} "sign" Cheap: |op, x| sign(x), Input |s| T::zero(), constant(s, 0.0);
    /// `x²`
    Square {} "square" Cheap: |op, x| x * x, Input |x| x + x, x + x;
    /// `√x`
    Sqrt {} "sqrt" Cheap: |op, x| x.sqrt(), Output |y| T::one() / (y + y), 0.5 / y;
    /// `eˣ`
    Exp {} "exp" Costly: |op, x| x.exp(), Output |y| y, y.clone();
    /// `ln x`
    Log {} "log" Costly: |op, x| x.ln(), Input |x| T::one() / x, x.reciprocal();
    /// `xⁿ`
    Pow { exponent } "pow" Costly: |op, x| power(x, op.exponent),
        Input |x| power_slope(x, op.exponent), match op.exponent {
            0.0 => constant(x, 0.0),
            n => x.pow(n - 1.0) * n,
        };
    /// `x`, moved into `[low, high]`
    Clip { low, high } "clip" Cheap: |op, x| clip(x, T::from_f64(op.low), T::from_f64(op.high)),
        Input |x| indicator(x >= T::from_f64(op.low) && x <= T::from_f64(op.high)),
        x.greater_equal(op.low).logical_and(&x.less_equal(op.high)).cast(x.dtype());
    /// `max(x, 0)`; the gradient at 0 is 0
    Relu {} "relu" Cheap: |op, x| if x < T::zero() { T::zero() } else { x },
        Output |y| indicator(y > T::zero()), y.greater(0).cast(y.dtype());
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid {} "sigmoid" Costly: |op, x| sigmoid(x), Output |y| y * (T::one() - y),
        y * (1.0 - y);
    /// `tanh x`
    Tanh {} "tanh" Costly: |op, x| tanh(x), Output |y| T::one() - y * y, 1.0 - y.square();
    /// `sin x`
    Sin {} "sin" Costly: |op, x| x.sin(), Input |x| x.cos(), x.cos();
    /// `cos x`
    Cos {} "cos" Costly: |op, x| x.cos(), Input |x| -x.sin(), -x.sin();
    /// `eˣ - 1`
    Expm1 {} "expm1" Costly: |op, x| x.exp_m1(), Output |y| y + T::one(), y + 1.0;
    /// `ln(1 + x)`
    Log1p {} "log1p" Costly: |op, x| x.ln_1p(), Input |x| T::one() / (T::one() + x),
        (x + 1.0).reciprocal();
    /// `1 / √x`
    Rsqrt {} "rsqrt" Cheap: |op, x| T::one() / x.sqrt(),
        Output |y| -(y * y * y) / T::from_f64(2.0), y.pow(3.0) * -0.5;
    /// `1 / x`
    Reciprocal {} "reciprocal" Cheap: |op, x| T::one() / x, Output |y| -(y * y), -y.square();
    /// `ln(1 + eˣ)`
    Softplus {} "softplus" Costly: |op, x| softplus(x), Input |x| sigmoid(x), x.sigmoid();
    /// The error function, `2/√π ∫₀ˣ e^(-t²) dt`
    Erf {} "erf" Costly: |op, x| erf(x),
        Input |x| T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).exp(),
        (-x.square()).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    /// The next whole number downwards
    Floor {} "floor" Cheap: |op, x| x.floor(), Input |s| T::zero(), constant(s, 0.0);
    /// The next whole number upwards
    Ceil {} "ceil" Cheap: |op, x| x.ceil(), Input |s| T::zero(), constant(s, 0.0);
    /// The nearest whole number, the even one of two
    Round {} "round" Cheap: |op, x| round(x), Input |s| T::zero(), constant(s, 0.0);
}

pub(crate) use crate::device::cpu::sigmoid;

mod activations;
pub(crate) use activations::{Elu, Gelu, GeluTanh, LeakyRelu, Silu};

#[inline(always)]
fn indicator<T: Real>(condition: bool) -> T {
    if condition { T::one() } else { T::zero() }
}

#[inline(always)]
pub(crate) fn sign<T: Real>(x: T) -> T {
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

/// `n·xⁿ⁻¹`; 0 for the constant `x⁰`, at 0 too.
#[inline(always)]
fn power_slope<T: Real>(x: T, exponent: f64) -> T {
    match exponent {
        0.0 => T::zero(),
        n => T::from_f64(n) * power(x, n - 1.0),
    }
}

/// `ln(1 + eˣ)`, without overflow, and without losing a small result to the 1.
#[inline(always)]
fn softplus<T: Real>(x: T) -> T {
    super::larger(x, T::zero()) + (-x.abs()).exp().ln_1p()
}

#[inline(always)]
fn erf<T: Real>(x: T) -> T {
    match T::DTYPE {
        DType::F32 => T::from_f64(f64::from(libm::erff(x.to_f32()))),
        _ => T::from_f64(libm::erf(x.to_f64())),
    }
}

/// To the even one of two as near, as in NumPy; every f32 is an f64, so nothing is rounded twice.
#[inline(always)]
fn round<T: Real>(x: T) -> T {
    T::from_f64(x.to_f64().round_ties_even())
}
