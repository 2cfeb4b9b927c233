//! What the recurrent layers say alike: their settings, and how they answer as layers.

/// Defines the settings that every recurrent layer has, beside those of every layer.
macro_rules! recurrent_settings {
    ($layer:ident, $prefix:literal) => {
        $crate::layers::layer_settings!($layer, $prefix);
        $crate::layers::weight::weight_settings!(
            $layer,
            core.kernel,
            "kernel",
            "glorot_uniform",
            kernel_initializer,
            kernel_regularizer,
            kernel_constraint
        );
        $crate::layers::weight::weight_settings!(
            $layer,
            core.recurrent,
            "recurrent kernel",
            "orthogonal",
            recurrent_initializer,
            recurrent_regularizer,
            recurrent_constraint
        );
        $crate::layers::weight::weight_settings!(
            $layer,
            core.bias,
            "bias",
            "zeros",
            bias_initializer,
            bias_regularizer,
            bias_constraint
        );

        impl $layer {
            /// The activation, by name (`"tanh"`). With `"linear"`, `"relu"`, `"sigmoid"`, `"hard_sigmoid"` and
            /// `"hard_sigmoid_2017"` a sequence is computed at once, with others step by step, which takes
            /// several times as long.
            pub fn activation(
                mut self,
                activation: impl Into<$crate::activations::Activation>,
            ) -> $layer {
                self.core.activation = activation.into();
                self
            }

            /// Whether a bias is added (true).
            pub fn use_bias(mut self, use_bias: bool) -> $layer {
                self.core.use_bias = use_bias;
                self
            }

            /// The share of the input's features that is left out while training (0): the same ones at
            /// every timestep of a sequence.
            pub fn dropout(mut self, rate: f64) -> $layer {
                self.core.dropout = rate;
                self
            }

            /// The share of the state that does not reach the recurrent kernel while training (0): the
            /// same units at every timestep of a sequence. What is left out is drawn for each gate by itself, for the
            /// input's `dropout` then too, as in Keras 3. Source: Gal and Ghahramani, 2016.
            pub fn recurrent_dropout(mut self, rate: f64) -> $layer {
                self.core.recurrent_dropout = rate;
                self
            }

            /// Whether the output has every timestep, rather than the last one only (false).
            pub fn return_sequences(mut self, return_sequences: bool) -> $layer {
                self.core.return_sequences = return_sequences;
                self
            }

            /// Whether the final states are outputs too, after the first one (false).
            pub fn return_state(mut self, return_state: bool) -> $layer {
                self.core.return_state = return_state;
                self
            }

            /// Whether sequences are read from their end; outputs come in the order in which they
            /// are read (false).
            pub fn go_backwards(mut self, go_backwards: bool) -> $layer {
                self.core.go_backwards = go_backwards;
                self
            }

            /// Whether a batch begins with the states that the one before ended with, sample by sample,
            /// until `reset_states` (false). While training they are taken over by `commit`, which
            /// `fit` does after each batch.
            pub fn stateful(mut self, stateful: bool) -> $layer {
                self.core.stateful = stateful;
                self
            }

            /// Whether the output at masked timesteps is 0, rather than the one before (false); of use
            /// with `return_sequences`.
            pub fn zero_output_for_mask(mut self, zero_output_for_mask: bool) -> $layer {
                self.core.zero_output_for_mask = zero_output_for_mask;
                self
            }
        }
    };
}
pub(in crate::layers) use recurrent_settings;

/// The methods of [`Layer`](super::Layer) that a recurrent layer answers by its `core`; it has a `form`
/// of its own, and says in `first_bias` how the bias begins.
macro_rules! recurrent_methods {
    () => {
        $crate::layers::base_methods!();

        fn build(&mut self, input_shape: &[usize]) -> $crate::Result<()> {
            self.build_many(&[input_shape.to_vec()])
        }

        fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> $crate::Result<()> {
            let (form, bias) = (self.form(), self.first_bias());
            self.core.build(&mut self.base, form, input_shapes, bias)
        }

        fn output_shape(&self, input_shape: &[usize]) -> $crate::Result<Vec<usize>> {
            Ok(self.output_shapes(&[input_shape.to_vec()])?.remove(0))
        }

        fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> $crate::Result<Vec<Vec<usize>>> {
            self.core
                .output_shapes(&self.base, self.form(), input_shapes)
        }

        fn forward(&self, x: &$crate::Tensor, training: bool) -> $crate::Tensor {
            let call = $crate::layers::Call {
                training,
                masks: Vec::new(),
            };
            self.call(std::slice::from_ref(x), &call).remove(0)
        }

        fn call(
            &self,
            inputs: &[$crate::Tensor],
            call: &$crate::layers::Call,
        ) -> Vec<$crate::Tensor> {
            self.core.call(&self.base, self.form(), inputs, call)
        }

        fn plan(
            &self,
            x: &$crate::layers::plan::Input<'_>,
            _logits: bool,
        ) -> Option<Box<dyn $crate::layers::plan::Plan>> {
            self.core.plan(&self.base, self.form(), x)
        }

        fn output_mask(
            &self,
            _inputs: &[$crate::Tensor],
            masks: &[Option<$crate::Tensor>],
        ) -> Option<$crate::Tensor> {
            let mask = masks.first().cloned().flatten();
            mask.filter(|_| self.core.return_sequences)
        }

        $crate::layers::weight::weight_methods!(core.kernel, core.recurrent, core.bias);

        fn commit(&mut self) {
            self.core.commit();
        }

        fn discard(&mut self) {
            self.core.discard();
        }

        fn reset_states(&mut self) {
            self.core.reset();
        }

        fn is_stateful(&self) -> bool {
            self.core.stateful
        }

        fn carried(&self) -> Vec<$crate::Tensor> {
            self.core.carried()
        }

        fn carry(
            &mut self,
            states: &mut dyn Iterator<Item = $crate::Tensor>,
        ) -> $crate::Result<()> {
            let form = self.form();
            self.core.carry(&self.base, form, states)
        }
    };
}
pub(in crate::layers) use recurrent_methods;
