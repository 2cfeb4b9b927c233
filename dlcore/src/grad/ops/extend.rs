//! Larger tensors from smaller ones: elements repeated, margins of zeros.

use super::{Rule, Slice, Step, Unslice, apply};
use crate::device::cpu;
use crate::tensor::{Array, Element, Part, array_from_vec, dense, split_at, with_slice};
use crate::{Error, Result, Tensor};

/// Each step along an axis `times` times in a row.
pub(crate) fn repeat(x: &Tensor, axis: usize, times: usize) -> Result<Tensor> {
    apply(Repeat { axis, times }, &[&x.to_dense()])
}

/// Zeros before and after what is there, so many along each axis.
///
/// # Errors
/// [`Error::Shape`] unless there is a pair for each axis.
pub(crate) fn pad(x: &Tensor, margins: &[[usize; 2]]) -> Result<Tensor> {
    apply(padding(x.shape(), margins)?, &[&x.to_dense()])
}

/// What [`pad`] does with a tensor of this shape.
///
/// # Errors
/// As [`pad`], and where the sums are beyond `usize`.
pub(crate) fn padding(shape: &[usize], margins: &[[usize; 2]]) -> Result<Unslice> {
    if shape.len() != margins.len() {
        return Err(Error::Shape(format!(
            "pad: expected two margins for each axis of shape {shape:?}, got {margins:?}"
        )));
    }
    let axes = shape.iter().zip(margins);
    let sums = axes
        .clone()
        .map(|(&length, &[before, after])| length.checked_add(before)?.checked_add(after));
    let whole: Option<Vec<usize>> = sums.collect();
    let whole = whole.ok_or_else(|| {
        Error::Shape(format!(
            "pad: margins {margins:?} around shape {shape:?} would not fit into memory"
        ))
    })?;
    let inside = axes.map(|(&length, &[before, _])| Part::Range {
        start: before,
        end: before + length,
        step: 1,
    });
    Ok(Unslice {
        parts: inside.collect(),
        shape: whole,
    })
}

/// What [`pad`] adds taken away again.
///
/// # Errors
/// [`Error::Shape`] unless there is a pair for each axis that leaves something of it.
pub(crate) fn crop(x: &Tensor, margins: &[[usize; 2]]) -> Result<Tensor> {
    let left = |(&length, [before, after]): (&usize, &[usize; 2])| Part::Range {
        start: *before,
        end: length - after,
        step: 1,
    };
    let fits = margins.len() == x.ndim()
        && x.shape()
            .iter()
            .zip(margins)
            .all(|(&length, [before, after])| before.saturating_add(*after) <= length);
    if !fits {
        return Err(Error::Shape(format!(
            "crop: cannot take {margins:?} from shape {:?}",
            x.shape()
        )));
    }
    let parts = x.shape().iter().zip(margins).map(left).collect();
    apply(Slice { parts }, &[&x.to_dense()])
}

/// See [`repeat`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    pub(crate) axis: usize,
    pub(crate) times: usize,
}

impl Rule for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let mut shape = inputs[0].to_vec();
        let Some(length) = shape.get_mut(self.axis) else {
            return Err(Error::Shape(format!(
                "repeat: shape {shape:?} has no axis {}",
                self.axis
            )));
        };
        *length = length.checked_mul(self.times).ok_or_else(|| {
            Error::Shape(format!(
                "repeat: axis {} of shape {:?} cannot be {} times as long: it would not fit into \
                 memory",
                self.axis, inputs[0], self.times
            ))
        })?;
        Ok(shape)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, repeat: Repeat, shape: &[usize]) -> Array<T> {
            let (_, _, inner) = split_at(shape, repeat.axis);
            let row = inner * repeat.times;
            let length = shape.iter().product();
            if length == 0 {
                return array_from_vec(shape, Vec::new());
            }
            let values = with_slice(array, |values| {
                cpu::build(length, row, cpu::Cost::Cheap, &|start, piece| {
                    let from = values[start / repeat.times..].chunks_exact(inner);
                    for (to, from) in piece.chunks_exact_mut(row).zip(from) {
                        for to in to.chunks_exact_mut(inner) {
                            to.write_copy_of_slice(from);
                        }
                    }
                })
            });
            array_from_vec(shape, values)
        }
        dense!(inputs[0].storage(), array => Tensor::from_array(run(array, *self, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let shape = step.inputs[0].shape();
        let (outer, steps, inner) = split_at(shape, self.axis);
        step.each(|_| {
            let by_step = gradient.reshape([outer * steps, self.times, inner]);
            by_step.sum_axis(1).reshape(shape)
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
