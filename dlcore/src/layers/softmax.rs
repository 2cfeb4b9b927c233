//! Softmax as a layer, along any axes.

use serde_json::{Value, json};

use super::dims::with_axes_last;
use super::{Base, Call, Dims, Layer, base_methods, layer_settings};
use crate::activations::Activation;
use crate::config::{Fields, Parsed};
use crate::tensor::{broadcast, expect};
use crate::{Result, Tensor};

/// `exp(x)` divided by its sum along one axis or several: positive, summing to 1.
///
/// # Shapes
/// any → the same. A mask that broadcasts to the input says which elements take part; the others
/// become 0.
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Softmax::new().axis(1);
/// let y = layer.forward(&Tensor::zeros([2, 4, 3]), false);
/// assert_eq!(y, Tensor::full([2, 4, 3], 0.25));
/// ```
#[derive(Clone, Debug)]
pub struct Softmax {
    base: Base,
    axis: Dims,
}

layer_settings!(Softmax, "softmax");

impl Default for Softmax {
    fn default() -> Softmax {
        Softmax::new()
    }
}

/// What stands for minus infinity, as in Keras: it leaves a row that is masked throughout finite.
const MASKED: f64 = -1e9;

impl Softmax {
    /// Softmax along the last axis.
    pub fn new() -> Softmax {
        Softmax {
            base: Base::new("Softmax", "softmax"),
            axis: Dims::from(-1),
        }
    }

    /// The axis or axes along which the results sum to 1 (-1), the batch axis being 0.
    pub fn axis(mut self, axis: impl Into<Dims>) -> Softmax {
        self.axis = axis.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Softmax> {
        Ok(Softmax {
            base: Base::from_config("Softmax", "softmax", fields)?,
            axis: Dims::from_field(fields, "axis")?.unwrap_or(Dims::from(-1)),
        })
    }

    /// `x` with the elements that do not take part moved out of the way, and where they are.
    fn masked(&self, x: &Tensor, mask: &Tensor) -> (Tensor, Tensor) {
        match broadcast("softmax", x.shape(), mask.shape()) {
            Ok(shape) if shape == x.shape() => {}
            _ => panic!(
                "{}",
                self.base.shape_error(format!(
                    "a mask of shape {:?} does not broadcast to the input, {:?}",
                    mask.shape(),
                    x.shape()
                ))
            ),
        }
        let kept = mask.cast(x.dtype());
        (x * &kept + (1.0 - &kept) * MASKED, kept)
    }
}

impl Layer for Softmax {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.base.axes(&self.axis, input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.base.axes(&self.axis, input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let axes = expect(self.base.axes(&self.axis, self.base.sample(x)));
        match axes[..] {
            [axis] => x.softmax(axis as isize),
            _ => with_axes_last(x, &axes, |x| x.softmax(-1)),
        }
    }

    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        let x = &inputs[0];
        vec![match call.mask(0) {
            None => self.forward(x, call.training),
            Some(mask) => {
                let (x, kept) = self.masked(&x.as_float(), mask);
                self.forward(&x, call.training) * kept
            }
        }]
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"axis": self.axis.config()})))
    }

    fn activation(&self) -> Option<&Activation> {
        const SOFTMAX: &Activation = &Activation::Softmax;
        (self.axis == Dims::from(-1)).then_some(SOFTMAX)
    }

    fn forward_logits(&self, x: &Tensor, training: bool) -> Tensor {
        match self.activation() {
            Some(_) => x.clone(),
            None => self.forward(x, training),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(Softmax::new(), &[4], &[4], 0)
                .mask()
                .refuses(&[], "at least one axis"),
        );
        let axes = [Dims::from(1), Dims::from(-2), Dims::from([1, 3])];
        for axis in axes {
            check_layer(
                Case::new(Softmax::new().axis(axis), &[2, 3, 2], &[2, 3, 2], 0)
                    .refuses(&[], "at least one axis"),
            );
        }
    }

    #[test]
    fn what_is_masked_takes_no_part() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]);
        let mask = Tensor::from([[1, 1, 0], [0, 0, 0]]).cast(DType::Bool);
        let call = Call {
            training: false,
            masks: vec![Some(mask)],
        };
        let y = Softmax::new().call(&[x], &call).remove(0);
        let part = Tensor::from([[1.0, 2.0]]).softmax(-1).to_vec();
        assert_eq!(y.to_vec(), [part[0], part[1], 0.0, 0.0, 0.0, 0.0]);
    }
}
