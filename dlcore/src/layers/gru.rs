//! Gated recurrent unit.

use serde_json::Value;

use super::recurrent::{Core, Form, recurrent_methods, recurrent_settings};
use super::{Base, Layer};
use crate::Tensor;
use crate::config::{Fields, Parsed};

/// Gated recurrent unit: a recurrent layer whose gates say how much of the state is kept (z) and how much
/// of it the candidate g sees (r):
///
/// `z, r = recurrent_activation(x·kernel + h·recurrent_kernel + bias)`, `h' = z·h + (1 − z)·g`, where
/// `g = activation(x·kernel + bias + r · (h·recurrent_kernel + recurrent_bias))`, or, if not `reset_after`,
/// `g = activation(x·kernel + bias + (r·h)·recurrent_kernel)`.
///
/// # Shapes
/// input `[batch, timesteps, features]`, and optionally the initial state `[batch, units]` → output
/// `[batch, units]`, or `[batch, timesteps, units]` with `return_sequences`; then, with `return_state`,
/// the final state. Weights: `[features, 3·units]`, `[units, 3·units]` and a bias `[2, 3·units]` (of the
/// input, then of the state), or `[3·units]` if not `reset_after`; columns in the order z, r, g.
///
/// Masked timesteps are passed over: state and output stay as they were.
///
/// Source: Cho et al., 2014; Keras 3, `layers/rnn/gru.py`.
///
/// ```
/// use dlcore::layers::{GRU, Layer};
/// use dlcore::Tensor;
/// let mut layer = GRU::new(32).reset_after(false);
/// layer.build(&[10, 32])?;
/// assert_eq!(layer.weights().iter().map(|weight| weight.len()).sum::<usize>(), 6_240);
/// assert_eq!(layer.forward(&Tensor::ones([2, 10, 32]), false).shape(), [2, 32]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GRU {
    base: Base,
    core: Core,
    reset_after: bool,
}

recurrent_settings!(GRU, "gru");

impl GRU {
    /// A layer of `units` units with activation tanh and sigmoid gates, reset after the product; kernel
    /// Glorot uniform, recurrent kernel orthogonal, bias zero.
    pub fn new(units: usize) -> GRU {
        GRU {
            base: Base::new("GRU", "gru"),
            core: Core::new(units),
            reset_after: true,
        }
    }

    /// The gates' activation, by name (`"sigmoid"`). `"hard_sigmoid"` is that of Keras 3, `x/6 + 0.5` cut
    /// off at 0 and 1; `"hard_sigmoid_2017"`, with `0.2·x + 0.5`, was the default when the book was written.
    pub fn recurrent_activation(
        mut self,
        activation: impl Into<crate::activations::Activation>,
    ) -> GRU {
        self.core.recurrent_activation = activation.into();
        self
    }

    /// Whether the reset gate comes after the recurrent product, with a bias of its own (true), or before
    /// it, as in the paper and in Keras of 2017 (false).
    pub fn reset_after(mut self, reset_after: bool) -> GRU {
        self.reset_after = reset_after;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<GRU> {
        let layer = GRU {
            base: Base::from_config("GRU", "gru", fields)?,
            core: Core::from_config(fields)?,
            reset_after: fields.flag_or("reset_after", true)?,
        };
        let checked = layer.core.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn form(&self) -> Form {
        Form::Gru {
            reset_after: self.reset_after,
        }
    }

    fn first_bias(&self) -> fn(&Tensor) -> Tensor {
        Tensor::clone
    }
}

impl Layer for GRU {
    recurrent_methods!();

    fn config(&self) -> Option<Value> {
        let mut own = self.core.config()?;
        own.insert("reset_after".into(), self.reset_after.into());
        Some(self.base.config(Value::Object(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        for (reset_after, params) in [(true, 63), (false, 54)] {
            let layer = GRU::new(3).reset_after(reset_after);
            check_layer(
                Case::new(layer, &[4, 2], &[3], params)
                    .mask()
                    .refuses(&[4, 5], "expected 2 features, as when it was built"),
            );
            let layer = GRU::new(2)
                .reset_after(reset_after)
                .use_bias(false)
                .return_sequences(true)
                .return_state(true);
            check_layer(Case::many(layer, &[&[3, 2], &[2]], &[&[3, 2], &[2]], 24));
            let dropping = GRU::new(2)
                .reset_after(reset_after)
                .dropout(0.5)
                .recurrent_dropout(0.5);
            let params = if reset_after { 36 } else { 30 };
            check_layer(Case::new(dropping, &[3, 2], &[2], params).random());
        }
    }

    #[test]
    fn the_books_layer_has_the_books_parameters() {
        let count = |reset_after| {
            let mut layer = GRU::new(32).reset_after(reset_after);
            layer.build(&[500, 32]).unwrap();
            crate::layers::count_params(&layer)
        };
        assert_eq!((count(false), count(true)), (6_240, 6_336));
    }
}
