//! Normalization of each sample by its own statistics.

use serde_json::{Value, json};

use super::affine::{Affine, affine_settings};
use super::dims::with_axes_last;
use super::weight::weight_methods;
use super::{Base, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Gives each sample, over one axis or several, mean 0 and variance 1, then a scale and a shift that
/// are learned: `gamma · (x - mean) / √(variance + epsilon) + beta`. It does the same in training and
/// inference.
///
/// # Shapes
/// any → the same; `gamma` and `beta` have the lengths of the normalized axes
///
/// ```
/// use dlcore::prelude::*;
/// let mut layer = LayerNormalization::new().epsilon(0.0);
/// layer.build(&[2])?;
/// let y = layer.forward(&Tensor::from([[1.0, 3.0], [-10.0, 10.0]]), false);
/// assert_eq!(y, Tensor::from([[-1.0, 1.0], [-1.0, 1.0]]));
/// # Ok::<(), Error>(())
/// ```
///
/// Source: Ba, Kiros and Hinton, 2016; epsilon as in Keras.
#[derive(Clone, Debug)]
pub struct LayerNormalization {
    base: Base,
    axis: Dims,
    epsilon: f64,
    affine: Affine,
    /// The lengths of the normalized axes, once the layer is built.
    lengths: Option<Vec<usize>>,
}

layer_settings!(LayerNormalization, "layer_normalization");
affine_settings!(LayerNormalization);

impl Default for LayerNormalization {
    fn default() -> LayerNormalization {
        LayerNormalization::new()
    }
}

impl LayerNormalization {
    /// A layer that normalizes the last axis.
    pub fn new() -> LayerNormalization {
        LayerNormalization {
            base: Base::new("LayerNormalization", "layer_normalization"),
            axis: Dims::from(-1),
            epsilon: 1e-3,
            affine: Affine::new(),
            lengths: None,
        }
    }

    /// The axis or axes that are normalized (-1), the batch axis being 0.
    pub fn axis(mut self, axis: impl Into<Dims>) -> LayerNormalization {
        self.axis = axis.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<LayerNormalization> {
        let layer = LayerNormalization {
            base: Base::from_config("LayerNormalization", "layer_normalization", fields)?,
            axis: Dims::from_field(fields, "axis")?.unwrap_or(Dims::from(-1)),
            epsilon: fields.float("epsilon")?,
            affine: Affine::from_config(fields)?,
            lengths: None,
        };
        layer.check_epsilon().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    /// The normalized axes, which must have the lengths that they had when the layer was built.
    fn axes(&self, sample: &[usize]) -> Result<Vec<usize>> {
        let axes = self.base.axes(&self.axis, sample)?;
        let lengths: Vec<usize> = axes.iter().map(|&axis| sample[axis - 1]).collect();
        match &self.lengths {
            Some(built) if *built != lengths => Err(self.base.shape_error(format!(
                "expected lengths {built:?} on axis {:?}, as when it was built, got samples of shape \
                 {sample:?}",
                self.axis.as_slice()
            ))),
            _ => Ok(axes),
        }
    }
}

impl Layer for LayerNormalization {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check_epsilon()?;
        let axes = self.axes(input_shape)?;
        let lengths: Vec<usize> = axes.iter().map(|&axis| input_shape[axis - 1]).collect();
        self.affine.build(&mut self.base, &lengths)?;
        self.base.finish()?;
        self.lengths = Some(lengths);
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.axes(input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let Some(lengths) = &self.lengths else {
            panic!("{}", self.base.unbuilt());
        };
        let x = x.as_float();
        let axes = expect(self.axes(self.base.sample(&x)));
        let (gamma, beta) = self.affine.rows(lengths.iter().product(), x.dtype());
        with_axes_last(&x, &axes, |x| {
            expect(ops::layer_norm(x, &gamma, &beta, self.epsilon))
        })
    }

    weight_methods!(affine.gamma, affine.beta);

    fn config(&self) -> Option<Value> {
        Some(self.base.config(self.affine.config(json!({
            "axis": self.axis.config(),
            "epsilon": number(self.epsilon),
        }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(LayerNormalization::new(), &[4], &[4], 8).refuses(
            &[5],
            "expected lengths [4] on axis [-1], as when it was built",
        ));
        check_layer(Case::new(LayerNormalization::new(), &[3, 4], &[3, 4], 8).mask());
        for (axis, params) in [
            (Dims::from(1), 4),
            (Dims::from([1, 2]), 12),
            (Dims::from([3, 1]), 8),
        ] {
            let layer = LayerNormalization::new().axis(axis);
            check_layer(Case::new(layer, &[2, 3, 2], &[2, 3, 2], params));
        }
        let bare = LayerNormalization::new().scale(false).center(false);
        check_layer(Case::new(bare, &[4], &[4], 0));
        let regularized = LayerNormalization::new()
            .epsilon(0.1)
            .gamma_regularizer("l2")
            .beta_initializer("ones");
        check_layer(Case::new(regularized, &[4], &[4], 8));
    }

    #[test]
    fn axes_that_are_not_there_or_twice_are_refused() {
        let error = |axis: [i32; 2]| {
            let mut layer = LayerNormalization::new().axis(axis);
            layer.build(&[2, 3]).unwrap_err().to_string()
        };
        assert!(error([1, 3]).contains("axis 3 is out of range for samples of shape [2, 3]"));
        assert!(error([2, -1]).contains("several different ones, got [2, -1]"));
    }
}
