//! The recurrent layer whose output is its state.

use serde_json::Value;

use super::recurrent::{Core, Form, recurrent_methods, recurrent_settings};
use super::{Base, Layer};
use crate::Tensor;
use crate::config::{Fields, Parsed};

/// Recurrent layer: `h = activation(x·kernel + h·recurrent_kernel + bias)`, timestep by timestep.
///
/// # Shapes
/// input `[batch, timesteps, features]`, and optionally the initial state `[batch, units]` → output
/// `[batch, units]`, or `[batch, timesteps, units]` with `return_sequences`; then, with `return_state`,
/// the final state `[batch, units]`. Weights: `[features, units]`, `[units, units]`, `[units]`.
///
/// Masked timesteps are passed over: state and output stay as they were.
///
/// Source: Elman, 1990; Keras 3, `layers/rnn/simple_rnn.py`.
///
/// ```
/// use dlcore::layers::{Layer, SimpleRNN};
/// use dlcore::Tensor;
/// let mut layer = SimpleRNN::new(32).return_sequences(true);
/// layer.build(&[10, 8])?;
/// assert_eq!(layer.forward(&Tensor::ones([2, 10, 8]), false).shape(), [2, 10, 32]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimpleRNN {
    base: Base,
    core: Core,
}

recurrent_settings!(SimpleRNN, "simple_rnn");

impl SimpleRNN {
    /// A layer of `units` units with activation tanh; kernel Glorot uniform, recurrent kernel orthogonal,
    /// bias zero.
    pub fn new(units: usize) -> SimpleRNN {
        SimpleRNN {
            base: Base::new("SimpleRNN", "simple_rnn"),
            core: Core::new(units),
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<SimpleRNN> {
        let layer = SimpleRNN {
            base: Base::from_config("SimpleRNN", "simple_rnn", fields)?,
            core: Core::from_config(fields)?,
        };
        let checked = layer.core.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn form(&self) -> Form {
        Form::Simple
    }

    fn first_bias(&self) -> fn(&Tensor) -> Tensor {
        Tensor::clone
    }
}

impl Layer for SimpleRNN {
    recurrent_methods!();

    fn config(&self) -> Option<Value> {
        let mut own = self.core.config()?;
        own.remove("recurrent_activation");
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
            Case::new(SimpleRNN::new(3), &[4, 2], &[3], 18)
                .mask()
                .refuses(&[4, 5], "expected 2 features, as when it was built")
                .refuses(&[4], "x.reshape([-1, 4, 1])")
                .refuses(&[0, 2], "at least one timestep"),
        );
        let layer = SimpleRNN::new(2)
            .use_bias(false)
            .return_sequences(true)
            .recurrent_regularizer("l2");
        check_layer(Case::new(layer, &[3, 2], &[3, 2], 8));
        let layer = SimpleRNN::new(2).return_sequences(true).return_state(true);
        check_layer(Case::many(layer, &[&[3, 2], &[2]], &[&[3, 2], &[2]], 10));
    }

    #[test]
    fn a_linear_cell_computes_powers_of_its_kernel() {
        let mut layer = SimpleRNN::new(1)
            .activation("linear")
            .return_sequences(true)
            .kernel_initializer("ones")
            .recurrent_initializer(crate::initializers::Initializer::Constant(0.5));
        layer.build(&[4, 1]).unwrap();
        let impulse = Tensor::from([[[1.0], [0.0], [0.0], [0.0]]]);
        let y = layer.forward(&impulse, false);
        assert_eq!(y.to_vec(), [1.0, 0.5, 0.25, 0.125]);
    }
}
