//! Operations of two operands, element by element, with broadcasting.

use super::{Rule, Step, unbroadcast};
use crate::device::cpu;
use crate::tensor::{Array, Real, broadcast, float2};
use crate::{Result, Tensor};

/// The larger of two numbers; NaN if either is, as in NumPy.
#[inline(always)]
pub(crate) fn larger<T: Real>(x: T, y: T) -> T {
    if x > y || x.is_nan() { x } else { y }
}

/// The smaller of two numbers; NaN if either is, as in NumPy.
#[inline(always)]
pub(crate) fn smaller<T: Real>(x: T, y: T) -> T {
    if x < y || x.is_nan() { x } else { y }
}

/// Defines an operation by its value and the gradients of both sides, before they are summed over
/// the axes that were broadcast.
macro_rules! binary {
    ($($(#[$doc:meta])* $op:ident $name:literal, $value:expr, $left:expr, $right:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $op;

        impl Rule for $op {
            fn name(&self) -> &'static str {
                $name
            }

            fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
                broadcast($name, inputs[0], inputs[1])
            }

            fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
                float2!(inputs[0], inputs[1], (a, b) => {
                    Tensor::from_array(cpu::zip(a, b, shape, $value))
                })
            }

            fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
                let (a, b) = (&step.inputs[0], &step.inputs[1]);
                step.each(|side| {
                    let share: fn(&Tensor, &Tensor, &Tensor) -> Tensor =
                        if side == 0 { $left } else { $right };
                    unbroadcast(share(gradient, a, b), step.inputs[side].shape())
                })
            }

            fn differentiable_twice(&self) -> bool {
                true
            }
        }
    )*};
}

binary! {
    /// `a + b`
    Add "add", |a, b| a + b, |g, _, _| g.clone(), |g, _, _| g.clone();
    /// `a - b`
    Sub "sub", |a, b| a - b, |g, _, _| g.clone(), |g, _, _| -g;
    /// `a · b`
    Mul "mul", |a, b| a * b, |g, _, b| g * b, |g, a, _| g * a;
    /// `a / b`
    Div "div", |a, b| a / b, |g, _, b| g / b, |g, a, b| -(g * a / b.square());
    /// `aᵇ`; where `a` is not positive, the gradient with respect to `b` is 0.
    Power "power", |a, b| a.powf(b),
        |g, a, b| g * b * a.power(b - 1.0),
        |g, a, b| {
            let positive = a.greater(0);
            let slope = a.power(b) * Tensor::where_(&positive, a, 1).log();
            g * Tensor::where_(&positive, slope, 0)
        };
    /// The larger one; where both are equal the left one takes the gradient.
    Maximum "maximum", larger,
        |g, a, b| g * a.greater_equal(b).cast(g.dtype()), |g, a, b| g * a.less(b).cast(g.dtype());
    /// The smaller one; where both are equal the left one takes the gradient.
    Minimum "minimum", smaller,
        |g, a, b| g * a.less_equal(b).cast(g.dtype()), |g, a, b| g * a.greater(b).cast(g.dtype());
}

/// `(a - b)²`, what a mean squared error is the mean of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SquaredDifference;

impl Rule for SquaredDifference {
    fn name(&self) -> &'static str {
        "squared_difference"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        broadcast(self.name(), inputs[0], inputs[1])
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        float2!(inputs[0], inputs[1], (a, b) => {
            Tensor::from_array(cpu::zip(a, b, shape, |a, b| (a - b) * (a - b)))
        })
    }

    /// `∂a = 2g · (a - b)`, `∂b = -∂a`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        fn slope<T: Real>(a: &Array<T>, b: &Array<T>, shape: &[usize]) -> Array<T> {
            cpu::zip(a, b, shape, |a, b| (a - b) + (a - b))
        }
        let (a, b) = (&step.inputs[0], &step.inputs[1]);
        let by_a = if step.recorded(gradient) {
            gradient * ((a - b) + (a - b))
        } else {
            let shape = gradient.shape();
            float2!(a, b, (a, b) => gradient * Tensor::from_array(slope(a, b, shape)))
        };
        step.each(|side| {
            let share = if side == 0 { by_a.clone() } else { -&by_a };
            unbroadcast(share, step.inputs[side].shape())
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
