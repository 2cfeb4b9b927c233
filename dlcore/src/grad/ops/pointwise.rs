//! Functions of one number, applied to each element.

use super::{Rule, Step};
use crate::device::cpu::{self, Cost};
use crate::tensor::{Real, float, float2};
use crate::{Result, Tensor};

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
