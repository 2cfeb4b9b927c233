//! Sums and extremes, over all elements, along an axis, and running.

use super::{Rule, Step};
use crate::device::cpu;
use crate::tensor::{Array, Real, float, reduced, split_at, with_slice};
use crate::{Result, Tensor};

/// The shape of a reduction over one axis or all.
fn reduced_shape(shape: &[usize], axis: Option<usize>, keep: bool) -> Vec<usize> {
    match axis {
        Some(axis) => reduced(shape, axis, keep),
        None if keep => vec![1; shape.len()],
        None => Vec::new(),
    }
}

/// The shape seen around the axis that is reduced.
fn extent(shape: &[usize], axis: Option<usize>) -> (usize, usize, usize) {
    match axis {
        Some(axis) => split_at(shape, axis),
        None => (1, shape.iter().product(), 1),
    }
}

/// `per_result`, one element for each result of a reduction, under a shape that broadcasts to the
/// operand's.
fn spread(per_result: &Tensor, shape: &[usize], axis: Option<usize>) -> Tensor {
    per_result.reshape(reduced_shape(shape, axis, true))
}

/// The sum over one axis or all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) axis: Option<usize>,
    pub(crate) keep: bool,
}

impl Rule for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(reduced_shape(inputs[0], self.axis, self.keep))
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let extent = extent(inputs[0].shape(), self.axis);
        float!(inputs[0], x => with_slice(x, |values| {
            Tensor::from_values(shape, cpu::sum_axis(values, extent))
        }))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let shape = step.inputs[0].shape();
        step.each(|_| spread(gradient, shape, self.axis).broadcast_to(shape))
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The mean over all elements; NaN of none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean;

impl Rule for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(Vec::new())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Real>(values: &[T]) -> T {
            cpu::sum_all(values) / T::from_f64(values.len() as f64)
        }
        float!(inputs[0], x => Tensor::from_values(shape, vec![with_slice(x, run)]))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        fn share<T: Real>(gradient: &Array<T>, shape: &[usize]) -> Tensor {
            let count: usize = shape.iter().product();
            let share = T::one() / T::from_f64(count as f64);
            let whole = *gradient.first().expect("one number");
            Tensor::from_values(shape, vec![whole * share; count])
        }
        let shape = step.inputs[0].shape();
        if step.recorded(gradient) {
            let count = step.inputs[0].len() as f64;
            return step.each(|_| spread(&(gradient / count), shape, None).broadcast_to(shape));
        }
        step.each(|_| float!(gradient, g => share(g, shape)))
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The largest or smallest element over one axis or all; the gradient is shared evenly by the
/// elements that are it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extreme {
    pub(crate) axis: Option<usize>,
    pub(crate) keep: bool,
    pub(crate) largest: bool,
}

impl Rule for Extreme {
    fn name(&self) -> &'static str {
        if self.largest { "max" } else { "min" }
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(reduced_shape(inputs[0], self.axis, self.keep))
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Real>(x: &Array<T>, extent: (usize, usize, usize), largest: bool) -> Vec<T> {
            with_slice(x, |values| match largest {
                true => cpu::fold_axis(values, extent, T::neg_infinity(), super::larger),
                false => cpu::fold_axis(values, extent, T::infinity(), super::smaller),
            })
        }
        let extent = extent(inputs[0].shape(), self.axis);
        float!(inputs[0], x => Tensor::from_values(shape, run(x, extent, self.largest)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let x = &step.inputs[0];
        step.each(|_| {
            let chosen = x
                .equal(spread(step.output, x.shape(), self.axis))
                .cast(x.dtype());
            let count = Sum {
                axis: self.axis,
                keep: true,
            };
            let count = super::apply_any(count, &[&chosen]);
            chosen * (spread(gradient, x.shape(), self.axis) / count)
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The sums of the elements up to each one along an axis, or from each one on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CumSum {
    pub(crate) axis: usize,
    /// From each element on to the end.
    pub(crate) reverse: bool,
}

impl Rule for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Real>(values: &[T], extent: (usize, usize, usize), reverse: bool) -> Vec<T> {
            let (_, steps, inner) = extent;
            let mut sums = values.to_vec();
            for block in sums.chunks_exact_mut((steps * inner).max(1)) {
                for step in 1..steps {
                    for place in 0..inner {
                        let (to, from) = match reverse {
                            false => (step, step - 1),
                            true => (steps - 1 - step, steps - step),
                        };
                        let sum = block[from * inner + place];
                        block[to * inner + place] += sum;
                    }
                }
            }
            sums
        }
        let extent = split_at(shape, self.axis);
        float!(inputs[0], x => with_slice(x, |values| {
            Tensor::from_values(shape, run(values, extent, self.reverse))
        }))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let back = CumSum {
            axis: self.axis,
            reverse: !self.reverse,
        };
        step.each(|_| super::apply_any(back, &[gradient]))
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
