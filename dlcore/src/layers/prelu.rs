//! The rectifier that learns its slope.

use serde_json::{Map, Value, json};

use super::weight::{Weight, weight_methods, weight_settings};
use super::{Base, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Parametric ReLU: `x` above 0, `alpha · x` below, where each feature learns an `alpha` of its own.
///
/// # Shapes
/// any → the same; `alpha` has the shape of a sample, with 1 for shared axes
///
/// ```
/// use dlcore::prelude::*;
/// // After a convolution: one alpha for each channel.
/// let mut layer = PReLU::new().shared_axes([1, 2]);
/// layer.build(&[8, 8, 3])?;
/// assert_eq!(layer.weights()[0].shape(), [1, 1, 3]);
/// # Ok::<(), Error>(())
/// ```
///
/// Source: He et al., 2015.
#[derive(Clone, Debug)]
pub struct PReLU {
    base: Base,
    shared_axes: Option<Dims>,
    alpha: Weight,
}

layer_settings!(PReLU, "p_re_lu");
weight_settings!(
    PReLU,
    alpha,
    "slope",
    "zeros",
    alpha_initializer,
    alpha_regularizer,
    alpha_constraint
);

impl Default for PReLU {
    fn default() -> PReLU {
        PReLU::new()
    }
}

impl PReLU {
    /// A layer whose slopes begin at 0.
    pub fn new() -> PReLU {
        PReLU {
            base: Base::new("PReLU", "p_re_lu"),
            shared_axes: None,
            alpha: Weight::new("alpha", "zeros"),
        }
    }

    /// Axes along which the slope is the same (none), counted with the batch axis as 0.
    pub fn shared_axes(mut self, axes: impl Into<Dims>) -> PReLU {
        self.shared_axes = Some(axes.into());
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<PReLU> {
        Ok(PReLU {
            base: Base::from_config("PReLU", "p_re_lu", fields)?,
            shared_axes: Dims::from_field(fields, "shared_axes")?,
            alpha: Weight::new("alpha", "zeros").with_config(fields)?,
        })
    }

    /// The shape of alpha for samples of this shape.
    fn alpha_shape(&self, sample: &[usize]) -> Result<Vec<usize>> {
        let mut shape = sample.to_vec();
        if let Some(shared) = &self.shared_axes {
            for axis in self.base.axes(shared, sample)? {
                shape[axis - 1] = 1;
            }
        }
        Ok(shape)
    }
}

impl Layer for PReLU {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        let shape = self.alpha_shape(input_shape)?;
        let alpha = self.alpha.make(&mut self.base, &shape)?;
        self.base.finish()?;
        self.alpha.value = Some(alpha);
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let shape = self.alpha_shape(input_shape)?;
        match &self.alpha.value {
            Some(alpha) if alpha.shape() != shape => Err(self.base.shape_error(format!(
                "its slopes have shape {:?}, as when it was built; samples of shape {input_shape:?} need \
                 {shape:?}; shared_axes leaves the length of an axis open",
                alpha.shape()
            ))),
            _ => Ok(input_shape.to_vec()),
        }
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let alpha = self.alpha.built(&self.base);
        expect(self.output_shape(self.base.sample(x)));
        let x = x.as_float();
        x.relu() - alpha * (-&x).relu()
    }

    weight_methods!(alpha);

    fn config(&self) -> Option<Value> {
        let mut own = Map::new();
        let shared = self.shared_axes.as_ref().map(Dims::config);
        own.insert("shared_axes".into(), json!(shared));
        self.alpha.write(&mut own);
        Some(self.base.config(Value::Object(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initializers::Initializer;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(PReLU::new().alpha_initializer("ones"), &[3], &[3], 3)
                .refuses(&[4], "its slopes have shape [3]"),
        );
        let shared = PReLU::new()
            .shared_axes([1, 2])
            .alpha_initializer(Initializer::constant(0.2))
            .alpha_regularizer("l2");
        check_layer(
            Case::new(shared, &[2, 2, 3], &[2, 2, 3], 3)
                .refuses(&[2, 2, 4], "samples of shape [2, 2, 4] need [1, 1, 4]")
                .refuses(&[3], "axis 2 is out of range"),
        );
    }

    #[test]
    fn a_shared_axis_may_have_another_length() {
        let mut layer = PReLU::new().shared_axes(1);
        layer.build(&[5, 3]).unwrap();
        assert_eq!(layer.output_shape(&[9, 3]).unwrap(), [9, 3]);
        assert_eq!(
            layer.forward(&Tensor::ones([2, 9, 3]), false),
            Tensor::ones([2, 9, 3])
        );
    }
}
