//! Inputs brought to another range.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::{Result, Tensor};

/// `x · scale + offset`: pixels from 0 to 255 brought to `[0, 1]`, as the first layer of a model.
///
/// # Shapes
/// any → the same; integers become floats
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Rescaling::new(1.0 / 127.5).offset(-1.0);
/// assert_eq!(layer.forward(&Tensor::from([[0.0, 255.0]]), false).to_vec(), [-1.0, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Rescaling {
    base: Base,
    scale: f64,
    offset: f64,
}

layer_settings!(Rescaling, "rescaling");

impl Rescaling {
    /// A layer that multiplies by `scale`.
    pub fn new(scale: f64) -> Rescaling {
        Rescaling {
            base: Base::new("Rescaling", "rescaling"),
            scale,
            offset: 0.0,
        }
    }

    /// What is added after that (0).
    pub fn offset(mut self, offset: f64) -> Rescaling {
        self.offset = offset;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Rescaling> {
        Ok(Rescaling {
            base: Base::from_config("Rescaling", "rescaling", fields)?,
            scale: fields.float("scale")?,
            offset: fields.float("offset")?,
        })
    }
}

impl Layer for Rescaling {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.as_float() * self.scale + self.offset
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "scale": number(self.scale),
            "offset": number(self.offset),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(
            Rescaling::new(0.5).offset(-1.0),
            &[2, 3],
            &[2, 3],
            0,
        ));
    }

    #[test]
    fn bytes_become_floats() {
        let x = Tensor::from_shape_vec_u8([1, 2], vec![0, 255]).unwrap();
        let y = Rescaling::new(1.0 / 255.0).forward(&x, false);
        assert_eq!((y.dtype(), y.to_vec()), (DType::F32, vec![0.0, 1.0]));
    }
}
