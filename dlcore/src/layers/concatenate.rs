//! Several inputs one after another.

use serde_json::{Value, json};

use super::merge::{check_count, needs_several};
use super::{Base, Call, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{DType, Result, Tensor};

/// Its inputs, one after another along an axis.
///
/// # Shapes
/// inputs that agree on all other axes → the lengths of that axis added
///
/// ```
/// use dlcore::prelude::*;
/// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0]])];
/// let joined = Concatenate::new().call(&inputs, &Call::inference()).remove(0);
/// assert_eq!(joined.to_vec(), [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Concatenate {
    base: Base,
    axis: isize,
}

layer_settings!(Concatenate, "concatenate");

impl Default for Concatenate {
    fn default() -> Concatenate {
        Concatenate::new()
    }
}

impl Concatenate {
    /// A layer that joins along the last axis.
    pub fn new() -> Concatenate {
        Concatenate {
            base: Base::new("Concatenate", "concatenate"),
            axis: -1,
        }
    }

    /// The axis along which inputs follow one another (-1), the batch axis being 0.
    pub fn axis(mut self, axis: isize) -> Concatenate {
        self.axis = axis;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Concatenate> {
        Ok(Concatenate {
            base: Base::from_config("Concatenate", "concatenate", fields)?,
            axis: Dims::single(fields, "axis", -1)?,
        })
    }

    /// The axis, counted from the batch axis, and the shape of a sample of the result.
    fn joined(&self, shapes: &[Vec<usize>]) -> Result<(usize, Vec<usize>)> {
        check_count(&self.base, usize::MAX, shapes.len())?;
        let mut joined = shapes[0].clone();
        let axis = self.base.axis(self.axis, &joined)?;
        for (position, shape) in shapes.iter().enumerate().skip(1) {
            let fits = shape.len() == joined.len()
                && (0..shape.len()).all(|i| i + 1 == axis || shape[i] == joined[i]);
            if !fits {
                return Err(self.base.shape_error(format!(
                    "inputs must agree on all axes but axis {} (0 is the batch axis); the samples of \
                     input {position} have shape {shape:?}, those of input 0 {:?}",
                    self.axis, shapes[0]
                )));
            }
            joined[axis - 1] += shape[axis - 1];
        }
        Ok((axis, joined))
    }
}

impl Layer for Concatenate {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        Err(needs_several(&self.base, usize::MAX))
    }

    fn output_shape(&self, _input_shape: &[usize]) -> Result<Vec<usize>> {
        Err(needs_several(&self.base, usize::MAX))
    }

    fn forward(&self, _x: &Tensor, _training: bool) -> Tensor {
        panic!("{}", needs_several(&self.base, usize::MAX));
    }

    fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> Result<()> {
        self.joined(input_shapes)?;
        self.base.finish()
    }

    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        Ok(vec![self.joined(input_shapes)?.1])
    }

    fn call(&self, inputs: &[Tensor], _call: &Call) -> Vec<Tensor> {
        let samples = inputs.iter().map(|x| self.base.sample(x).to_vec());
        let (axis, _) = expect(self.joined(&samples.collect::<Vec<_>>()));
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        vec![Tensor::concat(&inputs, axis as isize)]
    }

    /// Along the timesteps masks follow one another; along the features a timestep counts that counts
    /// in any input. An input without a mask counts throughout.
    fn output_mask(&self, inputs: &[Tensor], masks: &[Option<Tensor>]) -> Option<Tensor> {
        if masks.iter().all(Option::is_none) {
            return None;
        }
        let rank = inputs.first()?.ndim();
        let axis = self.base.axis(self.axis, &inputs[0].shape()[1..]).ok()?;
        let whole = |(x, mask): (&Tensor, &Option<Tensor>)| match mask {
            Some(mask) => mask.clone(),
            None => Tensor::ones(&x.shape()[..2.min(x.ndim())]).cast(DType::Bool),
        };
        let masks: Vec<Tensor> = inputs.iter().zip(masks).map(whole).collect();
        if axis == 1 && rank > 2 {
            return Some(Tensor::concat(&masks.iter().collect::<Vec<_>>(), 1));
        }
        let any = |a: Tensor, b: Tensor| a.maximum(&b).cast(DType::Bool);
        masks.into_iter().reduce(any)
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"axis": self.axis})))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::many(
                Concatenate::new(),
                &[&[2, 3], &[2, 1], &[2, 2]],
                &[&[2, 6]],
                0,
            )
            .refuses_many(
                &[&[2, 3], &[3, 3]],
                "the samples of input 1 have shape [3, 3]",
            )
            .refuses_many(&[&[2, 3], &[3]], "the samples of input 1 have shape [3]")
            .refuses(&[2, 3], "expected at least two inputs, got 1"),
        );
        check_layer(
            Case::many(
                Concatenate::new().axis(1),
                &[&[2, 3], &[1, 3]],
                &[&[3, 3]],
                0,
            )
            .refuses_many(&[&[], &[]], "at least one axis"),
        );
        let mut batches = Concatenate::new().axis(0);
        let error = batches.build_many(&[vec![2], vec![2]]).unwrap_err();
        assert!(
            error.to_string().contains("axis 0 is out of range"),
            "{error}"
        );
    }

    #[test]
    fn masks_follow_one_another_or_are_joined() {
        let inputs = [Tensor::zeros([1, 2, 3]), Tensor::zeros([1, 2, 3])];
        let masks = [Some(Tensor::from([[1, 0]]).cast(DType::Bool)), None];
        let along = |axis| {
            let layer = Concatenate::new().axis(axis);
            layer.output_mask(&inputs, &masks).unwrap().to_vec()
        };
        assert_eq!(along(1), [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(along(-1), [1.0, 1.0]);
        assert!(
            Concatenate::new()
                .output_mask(&inputs, &[None, None])
                .is_none()
        );
    }
}
