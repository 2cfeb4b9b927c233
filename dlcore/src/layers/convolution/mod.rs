//! Convolutions, and what they have in common: weights with their settings, a bias, an activation.

mod conv;
mod depthwise;
mod separable;
mod transpose;

pub use conv::{Conv1D, Conv2D};
pub use depthwise::{DepthwiseConv1D, DepthwiseConv2D};
pub use separable::{SeparableConv1D, SeparableConv2D};
pub use transpose::{Conv1DTranspose, Conv2DTranspose};

use serde_json::{Map, Value, json};

use super::Base;
use super::weight::{Weight, weight_methods, weight_settings};
use crate::activations::Activation;
use crate::config::{Fields, Parsed};
use crate::{Result, Tensor};

/// A kernel with four axes, a sequence's window being one of height 1.
///
/// # Panics
/// If the layer is not built.
fn kernel_of_images(weight: &Weight, base: &Base) -> Tensor {
    let kernel = weight.built(base);
    match *kernel.shape() {
        [length, inputs, outputs] => kernel.reshape([1, length, inputs, outputs]),
        _ => kernel.clone(),
    }
}

/// What comes after the products: a bias, an activation.
#[derive(Clone, Debug)]
struct Head {
    activation: Activation,
    use_bias: bool,
    bias: Weight,
}

impl Head {
    fn new() -> Head {
        Head {
            activation: Activation::Linear,
            use_bias: true,
            bias: Weight::new("bias", "zeros"),
        }
    }

    fn from_config(fields: &Fields<'_>) -> Parsed<Head> {
        Ok(Head {
            activation: Activation::from_field(fields, "activation")?,
            use_bias: fields.flag_or("use_bias", true)?,
            bias: Head::new().bias.with_config(fields)?,
        })
    }

    /// None for an activation that no file can hold.
    fn write(&self, config: &mut Map<String, Value>) -> Option<()> {
        config.insert("activation".into(), self.activation.config()?);
        config.insert("use_bias".into(), json!(self.use_bias));
        self.bias.write(config);
        Some(())
    }

    /// The shape of a sample after the activation.
    fn output_shape(&self, base: &Base, shape: &[usize]) -> Result<Vec<usize>> {
        let shape = self.activation.output_shape(shape);
        shape.map_err(|error| base.shape_error(error))
    }

    fn check(&self, base: &Base) -> Result<()> {
        let activation = self.activation.clone().known();
        activation.map_err(|error| base.value_error(error))?;
        self.bias.check(base)
    }

    /// The bias of a layer that is being built.
    fn make(&self, base: &mut Base, outputs: usize) -> Result<Option<Tensor>> {
        match self.use_bias {
            true => Ok(Some(self.bias.make(base, &[outputs])?)),
            false => Ok(None),
        }
    }
}

/// An error unless a setting that counts something is at least 1.
fn check_count(base: &Base, what: &str, count: usize) -> Result<()> {
    match count {
        0 => Err(base.value_error(format!("{what} must be at least 1, got 0"))),
        _ => Ok(()),
    }
}

/// The extent of a kernel's window along the axes that its layer has, then `rest`.
fn kernel_shape(rank: usize, size: [usize; 2], rest: [usize; 2]) -> Vec<usize> {
    [&size[2 - rank..], &rest].concat()
}

/// The shape of one sample of a batch; nothing for what is no batch, which no layer here takes.
fn sample(x: &Tensor) -> &[usize] {
    x.shape().get(1..).unwrap_or_default()
}

/// Defines the settings of a convolution's window, bias and activation.
macro_rules! convolution_settings {
    ($layer:ident, $extent:ty, $pair:path, $paddings:literal) => {
        $crate::layers::spatial::sliding_settings!($layer, $extent, $pair, "1", $paddings);

        impl $layer {
            /// How far apart the places of the window are (1).
            pub fn dilation_rate(mut self, dilation_rate: $extent) -> $layer {
                self.sliding.dilation_rate = $pair(dilation_rate);
                self
            }

            /// The activation, by name (`"linear"`).
            pub fn activation(
                mut self,
                activation: impl Into<$crate::activations::Activation>,
            ) -> $layer {
                self.head.activation = activation.into();
                self
            }

            /// Whether a bias is added (true).
            pub fn use_bias(mut self, use_bias: bool) -> $layer {
                self.head.use_bias = use_bias;
                self
            }
        }

        weight_settings!(
            $layer,
            head.bias,
            "bias",
            "zeros",
            bias_initializer,
            bias_regularizer,
            bias_constraint
        );
    };
}
use convolution_settings;

/// The methods of [`Layer`](super::Layer) that convolutions answer alike: with these kernels, a bias
/// and an activation in `self.head`, and `self.settings()` beside those of window, kernels and bias.
macro_rules! convolution_methods {
    ($($kernel:ident),+) => {
        $crate::layers::convolution::convolution_methods!(fused $($kernel),+);

        fn forward(&self, x: &Tensor, training: bool) -> Tensor {
            self.head.activation.apply(&self.forward_logits(x, training))
        }
    };
    // For a layer that has its activation in its product, and so its own `forward`.
    (fused $($kernel:ident),+) => {
        $crate::layers::base_methods!();

        weight_methods!($($kernel),+, head.bias);

        fn config(&self) -> Option<Value> {
            let mut own = self.settings();
            self.sliding.write(&mut own);
            $(self.$kernel.write(&mut own);)+
            self.head.write(&mut own)?;
            Some(self.base.config(Value::Object(own)))
        }

        fn activation(&self) -> Option<&$crate::activations::Activation> {
            Some(&self.head.activation)
        }

        /// None: Keras's convolutions do not pass masks on.
        fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
            None
        }
    };
}
use convolution_methods;
