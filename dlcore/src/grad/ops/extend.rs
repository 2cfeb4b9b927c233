//! Larger tensors from smaller ones: elements repeated, margins of zeros.

use super::{Rule, Slice, Step, apply};
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
    let margins = margins.to_vec();
    apply(Pad { margins }, &[&x.to_dense()])
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
            .all(|(&length, [before, after])| before + after <= length);
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
        match shape.get_mut(self.axis) {
            Some(length) => *length *= self.times,
            None => {
                return Err(Error::Shape(format!(
                    "repeat: shape {shape:?} has no axis {}",
                    self.axis
                )));
            }
        }
        Ok(shape)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, repeat: Repeat, shape: &[usize]) -> Array<T> {
            let (_, _, inner) = split_at(shape, repeat.axis);
            let row = inner * repeat.times;
            let length = shape.iter().product();
            let values = with_slice(array, |values| {
                cpu::build(length, row, cpu::Cost::Cheap, &|start, piece| {
                    let from = values[start / repeat.times..].chunks_exact(inner.max(1));
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
}

/// See [`pad`].
#[derive(Clone, Debug)]
pub(crate) struct Pad {
    pub(crate) margins: Vec<[usize; 2]>,
}

impl Pad {
    /// Where the operand lies in the result.
    fn inside(&self, shape: &[usize]) -> Vec<Part> {
        let part = |(&length, &[before, _]): (&usize, &[usize; 2])| Part::Range {
            start: before,
            end: before + length,
            step: 1,
        };
        shape.iter().zip(&self.margins).map(part).collect()
    }
}

impl Rule for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        if inputs[0].len() != self.margins.len() {
            return Err(Error::Shape(format!(
                "pad: expected two margins for each axis of shape {:?}, got {:?}",
                inputs[0], self.margins
            )));
        }
        let axes = inputs[0].iter().zip(&self.margins);
        Ok(axes
            .map(|(length, [before, after])| before + length + after)
            .collect())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, place: &[Part], shape: &[usize]) -> Array<T> {
            let mut whole = ndarray::ArrayD::<T>::from_elem(shape, T::default());
            super::narrow(place, whole.view_mut()).assign(array);
            whole.into_shared()
        }
        let place = &self.inside(inputs[0].shape());
        dense!(inputs[0].storage(), array => Tensor::from_array(run(array, place, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|index| {
            let parts = self.inside(step.inputs[index].shape());
            super::apply_any(Slice { parts }, &[gradient])
        })
    }
}
