//! Operations that move elements without computing: the gradient moves back.

use ndarray::{Axis, IxDyn, Slice as AxisSlice};

use super::{Rule, Step};
use crate::device::cpu;
use crate::tensor::{
    Array, DType, Element, Part, Real, Tensor, array_from_vec, dense, float, row_major, with_slice,
};
use crate::{Error, Result};

/// The same elements under another shape.
#[derive(Clone, Debug)]
pub(crate) struct Reshape {
    pub(crate) shape: Vec<usize>,
}

impl Rule for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(self.shape.clone())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, shape: &[usize]) -> Array<T> {
            let rows = row_major(array);
            rows.into_shape_with_order(IxDyn(shape))
                .expect("as many elements, row-major")
        }
        dense!(inputs[0].storage(), array => Tensor::from_array(run(array, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| gradient.reshape(step.inputs[0].shape()))
    }
}

/// The axes in another order.
#[derive(Clone, Debug)]
pub(crate) struct Permute {
    pub(crate) axes: Vec<usize>,
}

impl Rule for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(self.axes.iter().map(|&axis| inputs[0][axis]).collect())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        dense!(inputs[0].storage(), array => {
            Tensor::from_array(array.clone().permuted_axes(IxDyn(&self.axes)))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let mut back = vec![0; self.axes.len()];
        for (to, &from) in self.axes.iter().enumerate() {
            back[from] = to;
        }
        step.each(|_| gradient.permute(&back))
    }
}

/// Tensors one after another along an axis.
#[derive(Clone, Debug)]
pub(crate) struct Concat {
    pub(crate) axis: usize,
}

impl Rule for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let mut shape = inputs[0].to_vec();
        for (position, other) in inputs.iter().enumerate().skip(1) {
            let fits = other.len() == shape.len()
                && (0..shape.len()).all(|axis| axis == self.axis || other[axis] == shape[axis]);
            if !fits {
                return Err(Error::Shape(format!(
                    "concat along axis {}: tensor {position} has shape {other:?}, which must equal \
                     the first one's, {:?}, on every other axis",
                    self.axis, inputs[0]
                )));
            }
            shape[self.axis] += other[self.axis];
        }
        Ok(shape)
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        fn run<T: Element>(_: &Array<T>, inputs: &[&Tensor], axis: usize) -> Tensor {
            let arrays = inputs
                .iter()
                .map(|t| T::array(t.storage()).expect("one type").view());
            let joined = ndarray::concatenate(Axis(axis), &arrays.collect::<Vec<_>>());
            Tensor::from_array(joined.expect("the shape rule holds").into_shared())
        }
        dense!(inputs[0].storage(), array => run(array, inputs, self.axis)).contiguous()
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let mut starts = vec![0];
        for input in step.inputs {
            starts.push(starts[starts.len() - 1] + input.shape()[self.axis]);
        }
        step.each(|index| {
            let all = |length| Part::Range {
                start: 0,
                end: length,
                step: 1,
            };
            let mut parts: Vec<Part> = gradient.shape().iter().map(|&n| all(n)).collect();
            parts[self.axis] = Part::Range {
                start: starts[index],
                end: starts[index + 1],
                step: 1,
            };
            super::apply_any(Slice { parts }, &[gradient])
        })
    }
}

/// A part of each axis.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// One for each axis of the operand, within its length.
    pub(crate) parts: Vec<Part>,
}

impl Slice {
    /// `array` without what is not taken.
    pub(super) fn narrow<S: ndarray::RawData>(
        &self,
        mut array: ndarray::ArrayBase<S, IxDyn>,
    ) -> ndarray::ArrayBase<S, IxDyn> {
        for (axis, part) in self.parts.iter().enumerate().rev() {
            match *part {
                Part::Index(index) => array = array.index_axis_move(Axis(axis), index),
                Part::Range { start, end, step } => array.slice_axis_inplace(
                    Axis(axis),
                    AxisSlice::new(start as isize, Some(end as isize), step as isize),
                ),
            }
        }
        array
    }
}

impl Rule for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Vec<usize>> {
        let kept = self
            .parts
            .iter()
            .filter(|part| !matches!(part, Part::Index(_)));
        Ok(kept.map(Part::len).collect())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        dense!(inputs[0].storage(), array => Tensor::from_array(self.narrow(array.clone())))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        fn run<T: Real>(slice: &Slice, gradient: &Array<T>, shape: &[usize]) -> Array<T> {
            let mut whole = ndarray::ArrayD::<T>::from_elem(shape, T::zero());
            slice.narrow(whole.view_mut()).assign(gradient);
            whole.into_shared()
        }
        let shape = step.inputs[0].shape();
        step.each(|_| float!(gradient, g => Tensor::from_array(run(self, g, shape))))
    }
}

/// Chosen positions of the first axis.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub(crate) rows: Vec<usize>,
}

impl Rule for Gather {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok([&[self.rows.len()], &inputs[0][1..]].concat())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(array: &Array<T>, rows: &[usize], shape: &[usize]) -> Array<T> {
            let row: usize = shape[1..].iter().product();
            let Some(values) = array.as_slice().filter(|_| row > 0) else {
                return array.select(Axis(0), rows).into_shared();
            };
            let gathered = cpu::build(rows.len() * row, row, cpu::Cost::Cheap, &|start, piece| {
                for (to, &from) in piece.chunks_exact_mut(row).zip(&rows[start / row..]) {
                    to.write_copy_of_slice(&values[from * row..][..row]);
                }
            });
            array_from_vec(shape, gathered)
        }
        dense!(inputs[0].storage(), array => Tensor::from_array(run(array, &self.rows, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        fn run<T: Real>(rows: &[usize], gradient: &Array<T>, shape: &[usize]) -> Array<T> {
            let row: usize = shape[1..].iter().product();
            let mut whole = vec![T::zero(); shape.iter().product()];
            with_slice(gradient, |gradient| {
                for (&to, from) in rows.iter().zip(gradient.chunks_exact(row.max(1))) {
                    for (sum, &value) in whole[to * row..][..row].iter_mut().zip(from) {
                        *sum += value;
                    }
                }
            });
            array_from_vec(shape, whole)
        }
        let shape = step.inputs[0].shape();
        step.each(|_| float!(gradient, g => Tensor::from_array(run(&self.rows, g, shape))))
    }
}

/// Between single and double precision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) dtype: DType,
}

impl Rule for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }

    fn forward(&self, inputs: &[&Tensor], _: &[usize]) -> Tensor {
        Tensor::from_storage(inputs[0].storage().cast(self.dtype))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| gradient.cast(step.inputs[0].dtype()))
    }
}
