//! Softmax along an axis, and its logarithm.

use super::{Rule, Step};
use crate::device::cpu::{Cost, build};
use crate::tensor::{Array, Real, array_from_vec, float, split_at, with_slice};
use crate::{Result, Tensor};

/// The largest element of a row, and the logarithm of the sum of `eˣ` relative to it: every softmax
/// and cross-entropy is made of these without overflow. Kept apart, since their sum would lose the
/// logarithm's digits to a large element.
pub(crate) fn log_sum_exp<T: Real>(row: &[T]) -> (T, T) {
    let largest = row
        .iter()
        .fold(T::neg_infinity(), |a, &b| super::larger(a, b));
    let sum: T = row.iter().map(|&x| (x - largest).exp()).sum();
    (largest, sum.ln())
}

/// Applies `row_function(row, result)` to every row of the last axis.
fn by_rows<T: Real>(x: &Array<T>, row_function: impl Fn(&[T], &mut [T]) + Sync) -> Array<T> {
    let row = x.shape().last().copied().unwrap_or(1).max(1);
    let values = with_slice(x, |values| {
        build(values.len(), row, Cost::Costly, &|start, piece| {
            let mut result = vec![T::zero(); row];
            for (index, to) in piece.chunks_exact_mut(row).enumerate() {
                row_function(&values[start + index * row..][..row], &mut result);
                to.write_copy_of_slice(&result);
            }
        })
    });
    array_from_vec(x.shape(), values)
}

/// Runs `along_rows` with the axis brought last, and brings it back.
fn with_axis_last(x: &Tensor, axis: usize, along_rows: impl Fn(&Tensor) -> Tensor) -> Tensor {
    if axis + 1 == x.ndim() {
        return along_rows(x);
    }
    let mut axes: Vec<usize> = (0..x.ndim()).collect();
    let last = axes.len() - 1;
    axes.swap(axis, last);
    along_rows(&x.permute(&axes)).permute(&axes)
}

/// `eˣ / Σeˣ`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softmax {
    pub(crate) axis: usize,
}

impl Rule for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        with_axis_last(
            inputs[0],
            self.axis,
            |x| float!(x, x => Tensor::from_array(by_rows(x, softmax))),
        )
    }

    /// `y · (g - Σ g·y)`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let axis = self.axis as isize;
        step.each(|_| {
            let y = step.output;
            let mean = (gradient * y).sum_axis_keep(axis);
            y * (gradient - mean)
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

pub(crate) fn softmax<T: Real>(row: &[T], result: &mut [T]) {
    let largest = row
        .iter()
        .fold(T::neg_infinity(), |a, &b| super::larger(a, b));
    for (to, &x) in result.iter_mut().zip(row) {
        *to = (x - largest).exp();
    }
    let sum: T = result.iter().copied().sum();
    for to in result {
        *to /= sum;
    }
}

/// `x - ln Σeˣ`
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSoftmax {
    pub(crate) axis: usize,
}

impl Rule for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        with_axis_last(inputs[0], self.axis, |x| {
            float!(x, x => Tensor::from_array(by_rows(x, |row, result| {
                let (largest, rest) = log_sum_exp(row);
                for (to, &x) in result.iter_mut().zip(row) {
                    *to = (x - largest) - rest;
                }
            })))
        })
    }

    /// `g - eʸ · Σg`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let axis = self.axis as isize;
        debug_assert!(split_at(step.output.shape(), self.axis).1 > 0);
        step.each(|_| gradient - step.output.exp() * gradient.sum_axis_keep(axis))
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
