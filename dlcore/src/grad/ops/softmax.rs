//! Softmax along an axis, and its logarithm.

use super::{Rule, Step};
use crate::device::cpu::{Cost, buffers, chunks, exp_each, vectorised};
use crate::tensor::{Array, Real, array_from_vec, float, split_at, with_slice};
use crate::{Result, Tensor};

/// Elements that are computed side by side.
const LANES: usize = 16;

/// The largest element of a row, and the logarithm of the sum of `eˣ` relative to it: every softmax
/// and cross-entropy is made of these without overflow. Kept apart, since their sum would lose the
/// logarithm's digits to a large element. For a loop within [`vectorised`].
#[inline(always)]
pub(crate) fn log_sum_exp<T: Real>(row: &[T]) -> (T, T) {
    let largest = largest_of(row);
    let mut sum = T::zero();
    let mut lanes = [T::zero(); LANES];
    for values in row.chunks(LANES) {
        let powers = &mut lanes[..values.len()];
        for (to, &x) in powers.iter_mut().zip(values) {
            *to = x - largest;
        }
        exp_each(powers);
        sum += powers.iter().copied().sum();
    }
    (largest, sum.ln())
}

#[inline(always)]
fn largest_of<T: Real>(row: &[T]) -> T {
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [T::neg_infinity(); LANES];
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = super::larger(*lane, x);
        }
    }
    let all = lanes.iter().chain(rest);
    all.fold(T::neg_infinity(), |a, &b| super::larger(a, b))
}

/// Applies `row_function(row, result)`, a closure that is `#[inline(always)]`, to every row of the last axis.
#[inline(always)]
fn by_rows<T: Real>(x: &Array<T>, row_function: impl Fn(&[T], &mut [T]) + Sync) -> Array<T> {
    let row = x.shape().last().copied().unwrap_or(1).max(1);
    let values = with_slice(x, |values| {
        let mut result = buffers::any(values.len());
        chunks(&mut result, row, Cost::Costly, &|start, piece| {
            vectorised(
                #[inline(always)]
                || {
                    for (index, to) in piece.chunks_exact_mut(row).enumerate() {
                        row_function(&values[start + index * row..][..row], to);
                    }
                },
            );
        });
        result
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
            |x| float!(x, x => Tensor::from_array(softmax_of_rows(x))),
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

fn softmax_of_rows<T: Real>(x: &Array<T>) -> Array<T> {
    // By its name it would be called through a shim, which has no wider instructions.
    by_rows(
        x,
        #[inline(always)]
        |row, result| softmax(row, result),
    )
}

/// The softmax of a row. For a loop within [`vectorised`].
#[inline(always)]
pub(crate) fn softmax<T: Real>(row: &[T], result: &mut [T]) {
    let largest = largest_of(row);
    for (to, &x) in result.iter_mut().zip(row) {
        *to = x - largest;
    }
    exp_each(result);
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
            float!(x, x => Tensor::from_array(by_rows(x, #[inline(always)] |row, result| {
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
