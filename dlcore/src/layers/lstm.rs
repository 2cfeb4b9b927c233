//! Long short-term memory.

use serde_json::Value;

use super::recurrent::{Core, Form, recurrent_methods, recurrent_settings};
use super::{Base, Layer};
use crate::Tensor;
use crate::config::{Fields, Parsed};

/// Long short-term memory: a recurrent layer with a carry `c` beside its state `h`, and gates that say
/// what is taken in (i), kept (f) and shown (o):
///
/// `i, f, o = recurrent_activation(…)`, `g = activation(…)`, each of `x·kernel + h·recurrent_kernel + bias`;
/// `c' = f·c + i·g`, `h' = o · activation(c')`.
///
/// # Shapes
/// input `[batch, timesteps, features]`, and optionally the initial `h` and `c`, each `[batch, units]` →
/// output `[batch, units]`, or `[batch, timesteps, units]` with `return_sequences`; then, with
/// `return_state`, the final `h` and `c`. Weights: `[features, 4·units]`, `[units, 4·units]`, `[4·units]`,
/// columns in the order i, f, g, o.
///
/// Masked timesteps are passed over: states and output stay as they were.
///
/// Source: Hochreiter and Schmidhuber, 1997; Keras 3, `layers/rnn/lstm.py`.
///
/// ```
/// use dlcore::layers::{Call, LSTM, Layer};
/// use dlcore::Tensor;
/// let mut layer = LSTM::new(32).return_state(true);
/// layer.build(&[10, 8])?;
/// let outputs = layer.call(&[Tensor::ones([2, 10, 8])], &Call::inference());
/// assert_eq!(outputs.len(), 3); // the last output, which is h, then h and c
/// assert_eq!(outputs[2].shape(), [2, 32]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LSTM {
    base: Base,
    core: Core,
    unit_forget_bias: bool,
}

recurrent_settings!(LSTM, "lstm");

impl LSTM {
    /// A layer of `units` units with activation tanh and sigmoid gates; kernel Glorot uniform, recurrent
    /// kernel orthogonal, bias one for the forget gate and zero elsewhere.
    pub fn new(units: usize) -> LSTM {
        LSTM {
            base: Base::new("LSTM", "lstm"),
            core: Core::new(units),
            unit_forget_bias: true,
        }
    }

    /// The gates' activation, by name (`"sigmoid"`). `"hard_sigmoid"` is that of Keras 3, `x/6 + 0.5` cut
    /// off at 0 and 1; `"hard_sigmoid_2017"`, with `0.2·x + 0.5`, was the default when the book was written.
    pub fn recurrent_activation(
        mut self,
        activation: impl Into<crate::activations::Activation>,
    ) -> LSTM {
        self.core.recurrent_activation = activation.into();
        self
    }

    /// Whether the forget gate's bias begins as 1, whatever `bias_initializer` says of the others (true).
    /// Source: Jozefowicz et al., 2015.
    pub fn unit_forget_bias(mut self, unit_forget_bias: bool) -> LSTM {
        self.unit_forget_bias = unit_forget_bias;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<LSTM> {
        let layer = LSTM {
            base: Base::from_config("LSTM", "lstm", fields)?,
            core: Core::from_config(fields)?,
            unit_forget_bias: fields.flag_or("unit_forget_bias", true)?,
        };
        let checked = layer.core.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn form(&self) -> Form {
        Form::Lstm
    }

    fn first_bias(&self) -> fn(&Tensor) -> Tensor {
        match self.unit_forget_bias {
            true => remembering,
            false => Tensor::clone,
        }
    }
}

/// The bias with ones for the forget gate.
fn remembering(bias: &Tensor) -> Tensor {
    let units = bias.len() / 4;
    let ones = Tensor::ones([units]);
    let (before, after) = (bias.slice(..units), bias.slice(2 * units..));
    Tensor::concat(&[&before, &ones, &after], 0)
}

impl Layer for LSTM {
    recurrent_methods!();

    fn config(&self) -> Option<Value> {
        let mut own = self.core.config()?;
        own.insert("unit_forget_bias".into(), self.unit_forget_bias.into());
        Some(self.base.config(Value::Object(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(LSTM::new(3), &[4, 2], &[3], 72)
                .mask()
                .refuses(&[4, 5], "expected 2 features, as when it was built")
                .refuses(&[2], "expected sequences [timesteps, features]"),
        );
        let layer = LSTM::new(2)
            .use_bias(false)
            .return_sequences(true)
            .recurrent_activation("hard_sigmoid_2017")
            .kernel_regularizer("l1_l2");
        check_layer(Case::new(layer, &[3, 2], &[3, 2], 32).mask());
        let slow = LSTM::new(2).activation("softsign").return_sequences(true);
        check_layer(Case::new(slow, &[3, 2], &[3, 2], 40).mask());
        let layer = LSTM::new(2).return_state(true).go_backwards(true);
        check_layer(
            Case::many(layer, &[&[3, 2], &[2], &[2]], &[&[2], &[2], &[2]], 40)
                .refuses_many(&[&[3, 2], &[2]], "expected 2 initial states of shape [2]"),
        );
        let dropping = LSTM::new(2).dropout(0.5).recurrent_dropout(0.5);
        check_layer(Case::new(dropping, &[3, 2], &[2], 40).random());
    }

    #[test]
    fn the_forget_gate_begins_open() {
        let bias = |layer: LSTM| {
            let mut layer = layer.bias_initializer("zeros");
            layer.build(&[1, 1]).unwrap();
            layer.weights()[2].to_vec()
        };
        let [open, closed] = [true, false].map(|open| bias(LSTM::new(2).unit_forget_bias(open)));
        assert_eq!(open, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(closed, [0.0; 8]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |layer: LSTM| {
            let mut layer = layer.name("memory");
            layer.build(&[3, 2]).unwrap_err().to_string()
        };
        let text = error(LSTM::new(1).recurrent_activation("hard_sigmod"));
        assert!(
            text.starts_with(
                "memory (LSTM): recurrent_activation: unknown activation \"hard_sigmod\""
            ),
            "{text}"
        );
        assert!(error(LSTM::new(0)).contains("units must be at least 1, got 0"));
        assert!(error(LSTM::new(1).dropout(1.0)).contains("dropout is the share"));
        let text = error(LSTM::new(1).recurrent_initializer("orthogonl"));
        assert!(text.contains("did you mean \"orthogonal\"?"), "{text}");
    }
}
