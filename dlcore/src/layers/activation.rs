//! An activation as a layer of its own.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::activations::Activation;
use crate::config::{Fields, Parsed};
use crate::{Result, Tensor};

/// Applies an activation: what Keras calls `Activation`, a name that the functions themselves,
/// [`Activation`], have here.
///
/// # Shapes
/// any → the same; `"glu"`: `[batch, …, 2·n]` → `[batch, …, n]`
///
/// ```
/// use dlcore::prelude::*;
/// let layer = ActivationLayer::new("relu");
/// assert_eq!(layer.forward(&Tensor::from([[-1.0, 2.0]]), false).to_vec(), [0.0, 2.0]);
/// ```
///
/// As the last layer of a model it is computed together with the loss, as an activation of the layer
/// before would be.
#[derive(Clone, Debug)]
pub struct ActivationLayer {
    base: Base,
    activation: Activation,
}

layer_settings!(ActivationLayer, "activation");

impl ActivationLayer {
    /// A layer that applies this activation: `"relu"`, or `Activation::custom(…)`.
    pub fn new(activation: impl Into<Activation>) -> ActivationLayer {
        ActivationLayer {
            base: Base::new("Activation", "activation"),
            activation: activation.into(),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<ActivationLayer> {
        Ok(ActivationLayer {
            base: Base::from_config("Activation", "activation", fields)?,
            activation: Activation::from_field(fields, "activation")?,
        })
    }
}

impl Layer for ActivationLayer {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        let known = self.activation.clone().known();
        known.map_err(|error| self.base.value_error(error))?;
        self.output_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let shape = self.activation.output_shape(input_shape);
        shape.map_err(|error| self.base.shape_error(error))
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        self.activation.apply(x)
    }

    fn config(&self) -> Option<Value> {
        let activation = self.activation.config()?;
        Some(self.base.config(json!({"activation": activation})))
    }

    fn activation(&self) -> Option<&Activation> {
        Some(&self.activation)
    }

    fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
        x.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::NAMES;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        for &name in NAMES {
            let columns = if name == "glu" { 2 } else { 4 };
            let case = Case::new(ActivationLayer::new(name), &[3, 4], &[3, columns], 0).mask();
            // They compare numbers, or sort them.
            check_layer(match name {
                "hard_shrink" | "sparsemax" => case.copies(&["reading numbers"]),
                _ => case,
            });
        }
        let step = ActivationLayer::new(Activation::threshold(0.3, -1.0));
        check_layer(Case::new(step, &[4], &[4], 0).copies(&["reading numbers"]));
        let own = Activation::custom("cube", |x| x.pow(3.0));
        check_layer(Case::new(ActivationLayer::new(own), &[4], &[4], 0));
    }

    #[test]
    fn one_of_ones_own_cannot_be_saved() {
        let own = Activation::custom("cube", |x| x.pow(3.0));
        assert_eq!(ActivationLayer::new(own).config(), None);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let mut layer = ActivationLayer::new("rellu").name("act");
        let error = layer.build(&[2]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "act (Activation): unknown activation \"rellu\"; did you mean \"relu\"?"
            ),
            "{error}"
        );
    }
}
