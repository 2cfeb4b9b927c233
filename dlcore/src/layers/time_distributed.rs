//! A layer applied to every timestep.

use serde_json::{Value, json};

use super::{Base, Call, Layer, from_config, identity_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Applies a layer to every timestep of sequences, with the same weights.
///
/// The timesteps are taken as further samples of the batch, but by a layer that notes their statistics while
/// training ([`BatchNormalization`](crate::layers::BatchNormalization)) one after another, as in Keras. The mask of
/// the input is passed on.
///
/// # Shapes
/// input `[batch, timesteps, …]` → output `[batch, timesteps, …]`, where the layer takes `[batch, …]` to
/// `[batch, …]`
///
/// ```
/// use dlcore::layers::{Dense, Layer, TimeDistributed};
/// use dlcore::Tensor;
/// let mut layer = TimeDistributed::new(Dense::new(8));
/// layer.build(&[10, 16])?;
/// assert_eq!(layer.forward(&Tensor::ones([2, 10, 16]), false).shape(), [2, 10, 8]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone)]
pub struct TimeDistributed {
    base: Base,
    layer: Box<dyn Layer>,
}

layer_settings!(TimeDistributed, "time_distributed");

impl TimeDistributed {
    /// `layer` at every timestep.
    pub fn new(layer: impl Layer + 'static) -> TimeDistributed {
        TimeDistributed {
            base: Base::new("TimeDistributed", "time_distributed"),
            layer: Box::new(layer),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<TimeDistributed> {
        let inner = Fields::of(fields.get("layer").unwrap_or(&Value::Null), "layer")?;
        let config = inner.get("config").unwrap_or(&Value::Null);
        Ok(TimeDistributed {
            base: Base::from_config("TimeDistributed", "time_distributed", fields)?,
            layer: from_config(inner.text("kind")?, config)?,
        })
    }

    /// A timestep's shape, and their number.
    fn parts<'s>(&self, input_shape: &'s [usize]) -> Result<(usize, &'s [usize])> {
        match input_shape {
            [steps, inner @ ..] if !inner.is_empty() => Ok((*steps, inner)),
            _ => Err(self.base.shape_error(format!(
                "expected sequences [timesteps, …] of samples, got samples of shape {input_shape:?}"
            ))),
        }
    }

    /// A training call of a layer that notes statistics of what it gets: those of one timestep after
    /// another, each normalized by its own.
    fn step_by_step(&self, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let outputs: Vec<Tensor> = (0..x.shape()[1])
            .map(|step| {
                let call = Call {
                    training: true,
                    masks: vec![mask.map(|mask| mask.slice((.., step)))],
                };
                self.layer.call(&[x.slice((.., step))], &call).remove(0)
            })
            .collect();
        Tensor::stack(&outputs.iter().collect::<Vec<_>>(), 1)
    }

    fn own(&self, error: Error) -> Error {
        match error {
            Error::Shape(text) => self.base.shape_error(text),
            Error::Value(text) => self.base.value_error(text),
            other => other,
        }
    }
}

/// The first two axes made one.
fn folded(tensor: &Tensor) -> Tensor {
    let (first, rest) = tensor.shape().split_at(2);
    tensor.reshape([&[first[0] * first[1]], rest].concat())
}

impl Layer for TimeDistributed {
    identity_methods!();

    fn trainable(&self) -> bool {
        self.base.trainable && self.layer.trainable()
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.base.trainable = trainable;
        self.layer.set_trainable(trainable);
    }

    fn give_weights(&mut self, weights: Vec<Tensor>) {
        self.layer.give_weights(weights);
    }

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        let (_, inner) = self.parts(input_shape)?;
        let built = self.layer.build(inner);
        built.map_err(|error| self.own(error))?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let (steps, inner) = self.parts(input_shape)?;
        let output = self.layer.output_shape(inner);
        let output = output.map_err(|error| self.own(error))?;
        Ok([&[steps], &output[..]].concat())
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let masks = Vec::new();
        self.call(std::slice::from_ref(x), &Call { training, masks })
            .remove(0)
    }

    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        let x = &inputs[0];
        expect(self.output_shape(self.base.sample(x)));
        let (batch, steps) = (x.shape()[0], x.shape()[1]);
        if call.training && !self.layer.state().is_empty() {
            return vec![self.step_by_step(x, call.mask(0))];
        }
        // A mask of the timesteps says nothing within one; a mask with more axes does.
        let inner = call.mask(0).filter(|mask| mask.ndim() > 2).map(folded);
        let call = Call {
            training: call.training,
            masks: vec![inner],
        };
        let outputs = self.layer.call(&[folded(x)], &call).into_iter();
        outputs
            .map(|output| output.reshape([&[batch, steps], &output.shape()[1..]].concat()))
            .collect()
    }

    fn weights(&self) -> Vec<&Tensor> {
        self.layer.weights()
    }

    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        self.layer.weights_mut()
    }

    fn state(&self) -> Vec<&Tensor> {
        self.layer.state()
    }

    fn state_mut(&mut self) -> Vec<&mut Tensor> {
        self.layer.state_mut()
    }

    fn commit(&mut self) {
        self.layer.commit();
    }

    fn discard(&mut self) {
        self.layer.discard();
    }

    fn reset_states(&mut self) {
        self.layer.reset_states();
    }

    fn is_stateful(&self) -> bool {
        self.layer.is_stateful()
    }

    fn carried(&self) -> Vec<Tensor> {
        self.layer.carried()
    }

    fn carry(&mut self, states: &mut dyn Iterator<Item = Tensor>) -> Result<()> {
        self.layer.carry(states)
    }

    fn penalty(&self) -> Option<Tensor> {
        self.layer.penalty()
    }

    fn constrain(&mut self) {
        self.layer.constrain();
    }

    fn config(&self) -> Option<Value> {
        let config = self.layer.config()?;
        let layer = json!({"kind": self.layer.kind(), "config": config});
        Some(self.base.config(json!({"layer": layer})))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};
    use crate::layers::{BatchNormalization, Dense, LSTM};

    #[test]
    fn conforms() {
        let dense = Dense::new(3).activation("tanh").bias_regularizer("l2");
        check_layer(
            Case::new(TimeDistributed::new(dense), &[5, 4], &[5, 3], 15)
                .mask()
                .refuses(&[5, 2], "expected last axis 4")
                .refuses(&[5], "expected sequences [timesteps, …]"),
        );
        let nested = TimeDistributed::new(LSTM::new(2));
        check_layer(Case::new(nested, &[2, 3, 2], &[2, 2], 40).mask());
        let normalized = TimeDistributed::new(BatchNormalization::new());
        check_layer(Case::new(normalized, &[3, 2], &[3, 2], 8).mask());
    }

    #[test]
    fn while_training_each_timestep_has_statistics_of_its_own() {
        let mut layer = TimeDistributed::new(BatchNormalization::new().momentum(0.5));
        layer.build(&[2, 1]).unwrap();
        let x = Tensor::from([[[1.0], [10.0]], [[3.0], [30.0]]]);
        let y = layer.forward(&x, true);
        let expected = Tensor::from([[[-1.0], [-1.0]], [[1.0], [1.0]]]);
        assert!((y - expected).abs().max().item() < 1e-2);
        layer.commit();
        // (0 / 2 + 2 / 2) / 2 + 20 / 2
        assert_eq!(layer.state()[0].to_vec(), [10.5]);
    }

    #[test]
    fn each_timestep_is_what_the_layer_makes_of_it() {
        let mut dense = Dense::new(3).activation("relu");
        dense.build(&[4]).unwrap();
        let mut layer = TimeDistributed::new(dense.clone());
        layer.layer = Box::new(dense.clone());
        let x = Tensor::uniform([2, 5, 4], -1.0, 1.0);
        let y = layer.forward(&x, false);
        for step in 0..5 {
            let expected = dense.forward(&x.slice((.., step)), false);
            assert_eq!(y.slice((.., step)), expected);
        }
    }
}
