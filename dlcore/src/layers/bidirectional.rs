//! A recurrent layer in both directions.

use serde_json::{Map, Value, json};

use super::{Base, Call, Layer, from_config, identity_methods, layer_settings, note_activity};
use crate::config::{Fields, Parsed};
use crate::tensor::expect;
use crate::{Error, Result, Tensor, names};

/// Runs a recurrent layer over sequences from their beginning and a second one from their end, and merges
/// what they return.
///
/// The layer that is given is a pattern: the two are made anew after its settings. With
/// `return_sequences` the second one's outputs are put back in the order of time, and outputs at masked
/// timesteps are 0, as in Keras.
///
/// # Shapes
/// as the recurrent layer's, the last axis doubled when outputs are concatenated; initial and final
/// states are first those of the forward layer, then those of the backward one. Weights: those of the
/// forward layer, then those of the backward one.
///
/// Source: Schuster and Paliwal, 1997; Keras 3, `layers/rnn/bidirectional.py`.
///
/// ```
/// use dlcore::layers::{Bidirectional, LSTM, Layer};
/// use dlcore::Tensor;
/// let mut layer = Bidirectional::new(LSTM::new(32));
/// layer.build(&[10, 8])?;
/// assert_eq!(layer.forward(&Tensor::ones([2, 10, 8]), false).shape(), [2, 64]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone)]
pub struct Bidirectional {
    base: Base,
    forward: Box<dyn Layer>,
    backward: Box<dyn Layer>,
    merge_mode: String,
    /// Why the layers cannot be made, told by `build`.
    problem: Option<String>,
}

layer_settings!(Bidirectional, "bidirectional");

const MODES: [&str; 5] = ["concat", "sum", "mul", "ave", "none"];

/// The layers that have a direction.
const RECURRENT: [&str; 3] = ["GRU", "LSTM", "SimpleRNN"];

/// The settings that both layers must share.
const COMMON: [&str; 3] = ["stateful", "return_sequences", "return_state"];

/// The settings of a recurrent layer.
fn settings(layer: &dyn Layer) -> Parsed<Map<String, Value>> {
    match layer.config() {
        Some(Value::Object(config)) if config.contains_key("go_backwards") => Ok(config),
        None if RECURRENT.contains(&layer.kind()) => Err(format!(
            "{} has a function of your own, with which it cannot be made anew; use an activation by its name",
            super::describe(layer)
        )),
        _ => Err(format!(
            "expected a recurrent layer, such as LSTM or GRU, got {}",
            super::describe(layer)
        )),
    }
}

fn is_set(settings: &Map<String, Value>, key: &str) -> bool {
    settings.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// A layer after the pattern of `layer`, unbuilt, whose name says its direction.
fn made_after(
    layer: &dyn Layer,
    direction: &str,
    backwards: Option<bool>,
) -> Parsed<Box<dyn Layer>> {
    let mut config = settings(layer)?;
    let name = layer.name().strip_prefix(direction).unwrap_or(layer.name());
    config.insert("name".into(), format!("{direction}{name}").into());
    let sequences = is_set(&config, "return_sequences");
    config.insert("zero_output_for_mask".into(), sequences.into());
    if let Some(backwards) = backwards {
        config.insert("go_backwards".into(), backwards.into());
    }
    from_config(layer.kind(), &Value::Object(config))
}

impl Bidirectional {
    /// Both directions of `layer`, concatenated.
    pub fn new(layer: impl Layer + 'static) -> Bidirectional {
        Self::after(&layer)
    }

    fn after(layer: &dyn Layer) -> Bidirectional {
        let made = made_after(layer, "forward_", None);
        let made = made.and_then(|f| Ok((f, made_after(layer, "backward_", Some(true))?)));
        let mut base = Base::new("Bidirectional", "bidirectional");
        base.input_shape = layer.input_shape().map(<[usize]>::to_vec);
        let (forward, backward, problem) = match made {
            Ok((forward, backward)) => (forward, backward, None),
            Err(problem) => (layer.clone_box(), layer.clone_box(), Some(problem)),
        };
        Bidirectional {
            base,
            forward,
            backward,
            merge_mode: "concat".to_string(),
            problem,
        }
    }

    /// Another layer for the backward direction; it must have `go_backwards(true)` (the same layer as
    /// forwards).
    pub fn backward_layer(mut self, layer: impl Layer + 'static) -> Bidirectional {
        self.set_backward(&layer);
        self
    }

    fn set_backward(&mut self, layer: &dyn Layer) {
        match made_after(layer, "", None) {
            Ok(layer) => self.backward = layer,
            Err(problem) => self.problem = Some(format!("backward_layer: {problem}")),
        }
    }

    /// How the two outputs become one (`"concat"`): also `"sum"`, `"mul"`, `"ave"` (their mean) and `"none"`,
    /// which leaves them two outputs.
    pub fn merge_mode(mut self, merge_mode: &str) -> Bidirectional {
        self.merge_mode = merge_mode.to_string();
        self
    }

    /// The layer that [`Layer::config`] described; no merge mode is `"none"`.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Bidirectional> {
        let inner = |key: &str| -> Parsed<Option<Box<dyn Layer>>> {
            let Some(value) = fields.get(key) else {
                return Ok(None);
            };
            let described = Fields::of(value, key)?;
            let config = described.get("config").unwrap_or(&Value::Null);
            let layer = from_config(described.text("kind")?, config)?;
            settings(&*layer)?;
            Ok(Some(layer))
        };
        let forward = inner("layer")?.ok_or("Bidirectional: layer: expected one, found nothing")?;
        let backward = match inner("backward_layer")? {
            Some(backward) => backward,
            None => made_after(&*forward, "backward_", Some(true))?,
        };
        let layer = Bidirectional {
            base: Base::from_config("Bidirectional", "bidirectional", fields)?,
            forward,
            backward,
            merge_mode: match fields.get("merge_mode") {
                Some(_) => fields.text("merge_mode")?.to_string(),
                None => "none".to_string(),
            },
            problem: None,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(self.base.value_error(problem));
        }
        if !MODES.contains(&&*self.merge_mode) {
            let text = names::unknown("merge mode", &self.merge_mode, &MODES);
            return Err(self.base.value_error(text));
        }
        let value_error = |text: String| self.base.value_error(text);
        let forward = settings(&*self.forward).map_err(value_error)?;
        let backward = settings(&*self.backward).map_err(value_error)?;
        if is_set(&forward, "go_backwards") == is_set(&backward, "go_backwards") {
            return Err(self.base.value_error(format!(
                "expected layers of two directions, got go_backwards({}) twice",
                is_set(&forward, "go_backwards")
            )));
        }
        for key in COMMON {
            let (one, other) = (is_set(&forward, key), is_set(&backward, key));
            if one != other {
                return Err(self.base.value_error(format!(
                    "expected layers that agree in {key}, got {one} forwards and {other} backwards"
                )));
            }
        }
        Ok(())
    }

    /// The sequences and the states for each direction.
    fn divided<T: Clone>(&self, inputs: &[T]) -> Result<[Vec<T>; 2]> {
        let states = inputs.len().saturating_sub(1);
        if inputs.is_empty() || states % 2 == 1 {
            return Err(self.base.shape_error(format!(
                "expected sequences, then as many initial states forwards as backwards, or none, got {} inputs",
                inputs.len()
            )));
        }
        let (forward, backward) = inputs[1..].split_at(states / 2);
        let with = |states: &[T]| [&inputs[..1], states].concat();
        Ok([with(forward), with(backward)])
    }

    /// Gives a file's weights to the two layers, the backward one taking what is left.
    fn hand_on(&mut self) {
        if let Some(mut given) = self.base.take_given() {
            let biased = settings(&*self.forward).is_ok_and(|config| is_set(&config, "use_bias"));
            let own = given.len().min(2 + usize::from(biased));
            let rest = given.split_off(own);
            self.forward.give_weights(given);
            self.backward.give_weights(rest);
        }
    }

    fn merged(&self, forward: Tensor, backward: Tensor) -> Vec<Tensor> {
        let backward = match settings(&*self.forward) {
            Ok(config) if is_set(&config, "return_sequences") => reversed(&backward),
            _ => backward,
        };
        vec![match &*self.merge_mode {
            "concat" => Tensor::concat(&[&forward, &backward], -1),
            "sum" => forward + backward,
            "mul" => forward * backward,
            "ave" => (forward + backward) / 2.0,
            _ => return vec![forward, backward],
        }]
    }
}

/// The second axis in reverse.
fn reversed(sequence: &Tensor) -> Tensor {
    let mut axes: Vec<usize> = (0..sequence.ndim()).collect();
    axes.swap(0, 1);
    let rows: Vec<usize> = (0..sequence.shape()[1]).rev().collect();
    sequence.permute(&axes).rows(&rows).permute(&axes)
}

impl Layer for Bidirectional {
    identity_methods!();

    fn trainable(&self) -> bool {
        self.base.trainable && self.forward.trainable() && self.backward.trainable()
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.base.trainable = trainable;
        self.forward.set_trainable(trainable);
        self.backward.set_trainable(trainable);
    }

    fn give_weights(&mut self, weights: Vec<Tensor>) {
        self.base.give(weights);
    }

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.build_many(&[input_shape.to_vec()])
    }

    fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> Result<()> {
        self.check()?;
        let [forward, backward] = self.divided(input_shapes)?;
        self.hand_on();
        self.forward.build_many(&forward)?;
        self.backward.build_many(&backward)?;
        self.output_shapes(input_shapes)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(self.output_shapes(&[input_shape.to_vec()])?.remove(0))
    }

    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        let [forward, backward] = self.divided(input_shapes)?;
        let own = |error: Error| match error {
            Error::Shape(text) => self.base.shape_error(text),
            other => other,
        };
        let mut forward = self.forward.output_shapes(&forward).map_err(own)?;
        let mut backward = self.backward.output_shapes(&backward).map_err(own)?;
        let (mut one, other) = (forward.remove(0), backward.remove(0));
        let mut outputs = match &*self.merge_mode {
            "none" => vec![one, other],
            "concat" => {
                let last = one.len() - 1;
                one[last] += other[last];
                vec![one]
            }
            mode if one != other => {
                return Err(self.base.shape_error(format!(
                    "merge mode {mode:?}: expected outputs of one shape, got {one:?} forwards and {other:?} \
                     backwards"
                )));
            }
            _ => vec![one],
        };
        outputs.extend(forward.into_iter().chain(backward));
        Ok(outputs)
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let masks = Vec::new();
        self.call(std::slice::from_ref(x), &Call { training, masks })
            .remove(0)
    }

    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        let samples = inputs.iter().map(|input| self.base.sample(input).to_vec());
        expect(self.output_shapes(&samples.collect::<Vec<_>>()));
        let [forward, backward] = expect(self.divided(inputs));
        let mut forward = self.forward.call(&forward, call);
        let mut backward = self.backward.call(&backward, call);
        note_activity(&*self.forward, &forward);
        note_activity(&*self.backward, &backward);
        let mut outputs = self.merged(forward.remove(0), backward.remove(0));
        outputs.extend(forward.into_iter().chain(backward));
        outputs
    }

    fn output_mask(&self, inputs: &[Tensor], masks: &[Option<Tensor>]) -> Option<Tensor> {
        self.forward.output_mask(inputs, masks)
    }

    fn weights(&self) -> Vec<&Tensor> {
        [self.forward.weights(), self.backward.weights()].concat()
    }

    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        let forward = self.forward.weights_mut().into_iter();
        forward.chain(self.backward.weights_mut()).collect()
    }

    fn commit(&mut self) {
        self.forward.commit();
        self.backward.commit();
    }

    fn discard(&mut self) {
        self.forward.discard();
        self.backward.discard();
    }

    fn reset_states(&mut self) {
        self.forward.reset_states();
        self.backward.reset_states();
    }

    fn is_stateful(&self) -> bool {
        self.forward.is_stateful() || self.backward.is_stateful()
    }

    fn carried(&self) -> Vec<Tensor> {
        [self.forward.carried(), self.backward.carried()].concat()
    }

    fn carry(&mut self, states: &mut dyn Iterator<Item = Tensor>) -> Result<()> {
        // What fits one direction and not the other changes neither.
        let (mut forward, mut backward) = (self.forward.clone(), self.backward.clone());
        forward.carry(states)?;
        backward.carry(states)?;
        (self.forward, self.backward) = (forward, backward);
        Ok(())
    }

    fn penalty(&self) -> Option<Tensor> {
        let both = [self.forward.penalty(), self.backward.penalty()];
        both.into_iter()
            .flatten()
            .reduce(|sum, penalty| sum + penalty)
    }

    fn constrain(&mut self) {
        self.forward.constrain();
        self.backward.constrain();
    }

    fn config(&self) -> Option<Value> {
        let inner = |layer: &dyn Layer| json!({"kind": layer.kind(), "config": layer.config()});
        Some(self.base.config(json!({
            "layer": inner(&*self.forward),
            "backward_layer": inner(&*self.backward),
            "merge_mode": self.merge_mode,
        })))
    }
}

#[cfg(test)]
mod tests;
