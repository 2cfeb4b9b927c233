//! Operations that move all elements without computing: the gradient moves back.

use ndarray::IxDyn;

use super::{Rule, Step, unbroadcast};
use crate::device::cpu::{self, buffers};
use crate::tensor::{Array, DType, Element, Tensor, array_from_vec, dense, row_major};
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

    fn differentiable_twice(&self) -> bool {
        true
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

    fn differentiable_twice(&self) -> bool {
        true
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

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Element>(
            _: &Array<T>,
            inputs: &[&Tensor],
            axis: usize,
            shape: &[usize],
        ) -> Tensor {
            let mut joined = buffers::empty(shape.iter().product());
            let of = |t: &&Tensor| row_major(T::array(t.storage()).expect("one type"));
            let arrays: Vec<Array<T>> = inputs.iter().map(of).collect();
            // One after the other for each index of the axes before.
            for block in 0..shape[..axis].iter().product() {
                for array in &arrays {
                    let length: usize = array.shape()[axis..].iter().product();
                    let values = array.as_slice().expect("just put in row-major order");
                    joined.extend_from_slice(&values[block * length..][..length]);
                }
            }
            Tensor::from_array(array_from_vec(shape, joined))
        }
        dense!(inputs[0].storage(), array => run(array, inputs, self.axis, shape))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let mut starts = vec![0];
        for input in step.inputs {
            starts.push(starts[starts.len() - 1] + input.shape()[self.axis]);
        }
        step.each(|index| gradient.part_of_axis(self.axis, starts[index]..starts[index + 1]))
    }

    fn differentiable_twice(&self) -> bool {
        true
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

    fn differentiable_twice(&self) -> bool {
        true
    }
}

/// The elements repeated along axes of length 1, and along new ones in front.
#[derive(Clone, Debug)]
pub(crate) struct BroadcastTo {
    /// What the operand's shape broadcasts to.
    pub(crate) shape: Vec<usize>,
}

impl Rule for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let fits = crate::tensor::broadcast(self.name(), inputs[0], &self.shape);
        match fits {
            Ok(shape) if shape == self.shape => Ok(shape),
            _ => Err(Error::Shape(format!(
                "broadcast_to: shape {:?} does not broadcast to {:?}: matched from the last axis, \
                 each length must be equal or 1, and there may not be more axes",
                inputs[0], self.shape
            ))),
        }
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        // The loops of arithmetic know rows and columns that are used again.
        let nothing = array_from_vec(&[], vec![false]);
        dense!(inputs[0].storage(), array => {
            Tensor::from_array(cpu::zip(array, &nothing, shape, |x, _| x))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        step.each(|_| unbroadcast(gradient.clone(), step.inputs[0].shape()))
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}
