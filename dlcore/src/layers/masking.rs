//! Timesteps that are to be passed over, told by their values.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::tensor::Element;
use crate::{DType, Result, Tensor};

/// Masks the timesteps all of whose features equal `mask_value`: the layers that follow pass them over.
/// Their features become 0; the other timesteps pass unchanged.
///
/// # Shapes
/// `[batch, timesteps, features]` → the same; the mask is `[batch, timesteps]`
///
/// ```
/// use dlcore::layers::{Layer, Masking};
/// use dlcore::Tensor;
/// let layer = Masking::new(-1.0);
/// let x = Tensor::from([[[3.0, -1.0], [-1.0, -1.0]]]);
/// assert_eq!(layer.forward(&x, false).to_vec(), [3.0, -1.0, 0.0, 0.0]);
/// assert_eq!(layer.output_mask(&[x], &[None]).unwrap().to_vec(), [1.0, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Masking {
    base: Base,
    mask_value: f64,
}

layer_settings!(Masking, "masking");

impl Masking {
    /// A layer that masks timesteps of `mask_value`; Keras's default is 0.
    pub fn new(mask_value: f64) -> Masking {
        Masking {
            base: Base::new("Masking", "masking"),
            mask_value,
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Masking> {
        Ok(Masking {
            base: Base::from_config("Masking", "masking", fields)?,
            mask_value: fields.float("mask_value")?,
        })
    }

    /// Which timesteps differ from the value, `[batch, timesteps]`.
    fn counting(&self, x: &Tensor) -> Tensor {
        fn any<T: Element>(x: &Tensor, value: T) -> Vec<bool> {
            let features = x.shape()[x.ndim() - 1].max(1);
            let values = x.to_vec_of::<T>();
            let rows = values.chunks(features);
            rows.map(|row| row.iter().any(|&v| v != value)).collect()
        }
        let counts = match x.dtype() {
            DType::F64 => any(x, self.mask_value),
            _ => any(x, self.mask_value as f32),
        };
        Tensor::from(counts).reshape(&x.shape()[..x.ndim() - 1])
    }
}

impl Layer for Masking {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.output_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        if input_shape.len() < 2 {
            return Err(self.base.shape_error(format!(
                "expected sequences [timesteps, features], got samples of shape {input_shape:?}"
            )));
        }
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        if x.ndim() < 3 {
            let error = self.output_shape(x.shape().get(1..).unwrap_or_default());
            crate::tensor::expect(error);
        }
        let x = x.as_float();
        let counts = self.counting(&x.detach()).cast(x.dtype());
        &x * counts.expand_dims(-1)
    }

    fn output_mask(&self, inputs: &[Tensor], _masks: &[Option<Tensor>]) -> Option<Tensor> {
        inputs
            .first()
            .map(|x| self.counting(&x.detach().as_float()))
    }

    fn config(&self) -> Option<Value> {
        Some(
            self.base
                .config(json!({"mask_value": number(self.mask_value)})),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(Masking::new(0.0), &[3, 2], &[3, 2], 0)
                .mask()
                .copies(&["reading numbers"])
                .refuses(&[3], "expected sequences [timesteps, features]"),
        );
    }

    #[test]
    fn only_timesteps_that_are_the_value_throughout_are_masked() {
        let layer = Masking::new(0.1);
        let x = Tensor::from([[[0.1, 0.1], [0.1, 2.0], [0.0, 0.0]]]);
        assert_eq!(
            layer.forward(&x, true).to_vec(),
            [0.0, 0.0, 0.1, 2.0, 0.0, 0.0]
        );
        let mask = layer.output_mask(&[x], &[None]).unwrap();
        assert_eq!(
            (mask.shape(), mask.to_vec()),
            (&[1, 3][..], vec![0.0, 1.0, 1.0])
        );
    }
}
