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
use crate::activations::Activation;
use crate::config::{Fields, Parsed};
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::{Result, Tensor};

/// A weight and its settings.
#[derive(Clone, Debug)]
struct Weight {
    /// What its settings begin with: `kernel`, `depthwise`, `pointwise`, `bias`.
    name: &'static str,
    initializer: Initializer,
    regularizer: Option<Regularizer>,
    value: Option<Tensor>,
}

impl Weight {
    fn new(name: &'static str) -> Weight {
        Weight {
            name,
            initializer: match name {
                "bias" => Initializer::Zeros,
                _ => Initializer::GlorotUniform,
            },
            regularizer: None,
            value: None,
        }
    }

    fn from_config(name: &'static str, fields: &Fields<'_>) -> Parsed<Weight> {
        let mut weight = Self::new(name);
        let key = format!("{name}_initializer");
        if fields.get(&key).is_some() {
            weight.initializer = Initializer::from_field(fields, &key)?;
        }
        weight.regularizer = Regularizer::from_config(fields, &format!("{name}_regularizer"))?;
        Ok(weight)
    }

    fn write(&self, config: &mut Map<String, Value>) {
        let mut insert = |what, value| config.insert(format!("{}_{what}", self.name), value);
        insert("initializer", self.initializer.config());
        insert(
            "regularizer",
            Regularizer::config(self.regularizer.as_ref()),
        );
    }

    fn check(&self, base: &Base) -> Result<()> {
        let setting = format!("{}_regularizer", self.name);
        base.check_regularizer(&setting, self.regularizer.as_ref())
    }

    /// A value for a layer that is being built.
    fn make(&self, base: &mut Base, shape: &[usize]) -> Result<Tensor> {
        base.weight(self.name, shape, &self.initializer)
    }

    /// The value with four axes, a sequence's window being one of height 1.
    ///
    /// # Panics
    /// If the layer is not built.
    fn kernel(&self, base: &Base) -> Tensor {
        let Some(value) = &self.value else {
            panic!("{}", base.unbuilt());
        };
        match *value.shape() {
            [length, inputs, outputs] => value.reshape([1, length, inputs, outputs]),
            _ => value.clone(),
        }
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
            bias: Weight::new("bias"),
        }
    }

    fn from_config(fields: &Fields<'_>) -> Parsed<Head> {
        let activation = match fields.get("activation") {
            Some(_) => fields.text("activation")?.into(),
            None => Activation::Linear,
        };
        Ok(Head {
            activation,
            use_bias: fields.flag_or("use_bias", true)?,
            bias: Weight::from_config("bias", fields)?,
        })
    }

    fn write(&self, config: &mut Map<String, Value>) {
        config.insert("activation".into(), json!(self.activation.name()));
        config.insert("use_bias".into(), json!(self.use_bias));
        self.bias.write(config);
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

/// An error, once the layer is built, for samples with other channels than it was built for.
fn check_channels(base: &Base, built: Option<usize>, got: usize, shape: &[usize]) -> Result<()> {
    match built {
        Some(built) if built != got => Err(base.shape_error(format!(
            "expected {built} channels, as when it was built, got {got} in samples of shape {shape:?}"
        ))),
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
            bias_regularizer
        );
    };
}
use convolution_settings;

/// Defines the settings of a weight.
macro_rules! weight_settings {
    (
        $layer:ident, $($weight:ident).+, $what:literal, $default:literal,
        $initializer:ident, $regularizer:ident
    ) => {
        impl $layer {
            #[doc = concat!("How the ", $what, " begins (`\"", $default, "\"`).")]
            pub fn $initializer(
                mut self,
                initializer: impl Into<$crate::initializers::Initializer>,
            ) -> $layer {
                self.$($weight).+.initializer = initializer.into();
                self
            }

            #[doc = concat!("The penalty on the ", $what, " (none): `\"l2\"`, or `Regularizer::l2(0.001)`.")]
            pub fn $regularizer(
                mut self,
                regularizer: impl Into<$crate::regularizers::Regularizer>,
            ) -> $layer {
                self.$($weight).+.regularizer = Some(regularizer.into());
                self
            }
        }
    };
}
use weight_settings;

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

        fn weights(&self) -> Vec<&Tensor> {
            let all = [$(&self.$kernel,)+ &self.head.bias];
            all.into_iter().filter_map(|weight| weight.value.as_ref()).collect()
        }

        fn weights_mut(&mut self) -> Vec<&mut Tensor> {
            let all = [$(&mut self.$kernel,)+ &mut self.head.bias];
            all.into_iter().filter_map(|weight| weight.value.as_mut()).collect()
        }

        fn penalty(&self) -> Option<Tensor> {
            let all = [$(&self.$kernel,)+ &self.head.bias];
            $crate::layers::penalties(
                all.map(|weight| (weight.value.as_ref(), weight.regularizer.as_ref())),
            )
        }

        fn config(&self) -> Option<Value> {
            let mut own = self.settings();
            self.sliding.write(&mut own);
            $(self.$kernel.write(&mut own);)+
            self.head.write(&mut own);
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
