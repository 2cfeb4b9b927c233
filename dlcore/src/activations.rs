//! Functions applied to each element of a layer's output (softmax and the like: to each row).

mod compute;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::{Error, Result, Tensor, names};
pub(crate) use compute::{SELU_ALPHA, SELU_SCALE, elu, leaky_relu};

/// Defines [`Activation`]: the functions that have a name alone, each with its Keras name, after which
/// other names for it stand; then those with settings.
macro_rules! activations {
    (
        $(#[$enum_doc:meta])*
        pub enum Activation
        by_name { $($(#[$doc:meta])* $variant:ident = $name:literal $(| $alias:literal)*;)* }
        with_settings { $($rest:tt)* }
    ) => {
        $(#[$enum_doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub enum Activation {
            $($(#[$doc])* $variant,)*
            $($rest)*
        }

        /// Every name by which a function is known.
        pub(crate) const NAMES: &[&str] = &[$($name, $($alias,)*)*];

        impl Activation {
            /// Its name.
            pub fn name(&self) -> &str {
                match self {
                    $(Activation::$variant => $name,)*
                    Activation::Threshold { .. } => THRESHOLD,
                    Activation::Custom(own) => &own.name,
                    Activation::Unknown(name) => name,
                }
            }
        }

        /// By name; one that is not known is reported when the layer is built.
        impl From<&str> for Activation {
            fn from(name: &str) -> Self {
                match name {
                    $($name $(| $alias)* => Activation::$variant,)*
                    other => Activation::Unknown(other.to_string()),
                }
            }
        }
    };
}

const THRESHOLD: &str = "threshold";

activations! {
    /// An activation function: by its Keras name, or one of your own.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let hidden = Dense::new(16).activation("gelu");
    /// let own = Activation::custom("cube", |x| x.pow(3.0));
    /// assert_eq!(own.apply(&Tensor::from([2.0, -1.0])).to_vec(), [8.0, -1.0]);
    /// let output = Dense::new(16).activation(own);
    /// ```
    ///
    /// Functions with settings have Keras's defaults here; other settings are had by the layers
    /// ([`ELU`](crate::layers::ELU), [`LeakyReLU`](crate::layers::LeakyReLU),
    /// [`ReLU`](crate::layers::ReLU), [`Softmax`](crate::layers::Softmax)) or a function of your own.
    ///
    /// Source: Keras 3, `activations/activations.py`.
    pub enum Activation
    by_name {
        /// `x`
        #[default]
        Linear = "linear";
        /// `max(x, 0)`
        Relu = "relu";
        /// `1 / (1 + exp(-x))`
        Sigmoid = "sigmoid";
        /// `tanh(x)`
        Tanh = "tanh";
        /// `exp(x) / sum(exp(x))` over the last axis
        Softmax = "softmax";
        /// `x - log(sum(exp(x)))` over the last axis
        LogSoftmax = "log_softmax";
        /// `max(x - τ, 0)` over the last axis, with that τ for which the sum is 1; most elements of a long row
        /// are 0: Martins and Astudillo, 2016 (Keras 3.15 takes another τ, with which the sum is not 1)
        Sparsemax = "sparsemax";
        /// `x` above 0, `exp(x) - 1` below: Clevert et al., 2016
        Elu = "elu";
        /// `1.0507 x` above 0, `1.7581 (exp(x) - 1)` below, which keeps mean and variance through deep
        /// networks: Klambauer et al., 2017
        Selu = "selu";
        /// `x` above 0, `exp(x) - 1` below: [`Activation::Elu`] at this setting, Barron, 2017
        Celu = "celu";
        /// `x` times the probability that a standard normal number is below `x`: Hendrycks and Gimpel, 2016
        Gelu = "gelu";
        /// [`Activation::Gelu`] approximated by `tanh`, Keras's `gelu(x, approximate=True)`
        GeluApproximate = "gelu_approximate";
        /// `a · sigmoid(b)`, where `a` and `b` are the halves of the last axis, which the result is half as
        /// long as: Dauphin et al., 2017
        Glu = "glu";
        /// `x · sigmoid(x)`, also called swish: Ramachandran et al., 2017
        Silu = "silu" | "swish";
        /// `x · tanh(softplus(x))`: Misra, 2019
        Mish = "mish";
        /// `log(1 + exp(x))`
        Softplus = "softplus";
        /// `x / (1 + |x|)`
        Softsign = "softsign";
        /// `exp(x)`
        Exponential = "exponential";
        /// `x / 6 + 1 / 2`, between 0 and 1
        HardSigmoid = "hard_sigmoid";
        /// `x / 5 + 1 / 2`, between 0 and 1: what Keras called `hard_sigmoid` when the book was written
        HardSigmoid2017 = "hard_sigmoid_2017";
        /// `x · hard_sigmoid(x)`, also called hard swish: Howard et al., 2019
        HardSilu = "hard_silu" | "hard_swish";
        /// `x`, between -1 and 1
        HardTanh = "hard_tanh";
        /// `x`, but 0 between -0.5 and 0.5
        HardShrink = "hard_shrink";
        /// `x` moved 0.5 towards 0, and 0 where that would pass it
        SoftShrink = "soft_shrink";
        /// `x - tanh(x)`
        TanhShrink = "tanh_shrink";
        /// `x` above 0, `0.2 x` below
        LeakyRelu = "leaky_relu";
        /// `max(x, 0)`, at most 6
        Relu6 = "relu6";
        /// `log(sigmoid(x))`
        LogSigmoid = "log_sigmoid";
        /// 0 below -1, `x` above 1, `(x + 1)² / 4` between
        SparsePlus = "sparse_plus";
        /// `(x + 1) / 2`, between 0 and 1
        SparseSigmoid = "sparse_sigmoid";
        /// `(x + √(x² + 4)) / 2`
        Squareplus = "squareplus";

    }
    with_settings {
        /// `x` above a threshold, a fixed value elsewhere: [`Activation::threshold`].
        Threshold {
            /// What `x` must be above.
            threshold: f64,
            /// What stands for the others.
            default_value: f64,
        },
        /// A function of your own: [`Activation::custom`].
        Custom(CustomActivation),
        /// A name that is not known; a layer that has it cannot be built.
        Unknown(String),
    }
}

/// A function of your own under the name it is shown by; see [`Activation::custom`].
#[derive(Clone)]
pub struct CustomActivation {
    name: String,
    function: Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
}

impl std::fmt::Debug for CustomActivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

/// The same function, not one that computes the same.
impl PartialEq for CustomActivation {
    fn eq(&self, other: &CustomActivation) -> bool {
        Arc::ptr_eq(&self.function, &other.function)
    }
}

impl Activation {
    /// Whether a relu is what it makes of a result, in place, unless it is left out; none for a function that is
    /// computed apart.
    pub(crate) fn in_place(&self, left_out: bool) -> Option<bool> {
        match self {
            _ if left_out => Some(false),
            Activation::Linear => Some(false),
            Activation::Relu => Some(true),
            _ => None,
        }
    }

    /// The activation of this name: `"linear"`, `"relu"`, `"sigmoid"`, `"tanh"`, `"softmax"`,
    /// `"gelu"`, `"silu"` (also `"swish"`) and so on.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest known name.
    pub fn from_name(name: &str) -> Result<Activation> {
        Activation::from(name).known()
    }

    /// `x` above `threshold`, `default_value` elsewhere.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let step = Activation::threshold(0.5, -1.0);
    /// assert_eq!(step.apply(&Tensor::from([0.2, 0.5, 0.7])).to_vec(), [-1.0, -1.0, 0.7]);
    /// ```
    pub fn threshold(threshold: f64, default_value: f64) -> Activation {
        Activation::Threshold {
            threshold,
            default_value,
        }
    }

    /// A function of your own, shown as `name`. It must keep the shape and, to be trained with,
    /// compute with operations on its argument. A model that has one cannot be saved; its weights can.
    pub fn custom(
        name: &str,
        function: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Activation {
        Activation::Custom(CustomActivation {
            name: name.to_string(),
            function: Arc::new(function),
        })
    }

    /// Itself, unless its name is not known.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest known name.
    pub(crate) fn known(self) -> Result<Activation> {
        match self {
            Activation::Unknown(name) => Err(Error::Value(unknown(&name))),
            known => Ok(known),
        }
    }

    /// As it stands in a saved model: its name, with settings if it has some; none for a function of the
    /// user's own, which no file can hold.
    pub(crate) fn config(&self) -> Option<Value> {
        match self {
            Activation::Custom(_) => None,
            Activation::Threshold {
                threshold,
                default_value,
            } => Some(json!({THRESHOLD: {
                "threshold": number(*threshold), "default_value": number(*default_value),
            }})),
            named => Some(Value::from(named.name())),
        }
    }

    /// What [`Activation::config`] wrote under `key`; a field that is missing is linear.
    pub(crate) fn from_field(fields: &Fields<'_>, key: &str) -> Parsed<Activation> {
        let Some(value) = fields.get(key) else {
            return Ok(Activation::Linear);
        };
        if value.is_object() {
            let settings = Fields::of(value, key)?;
            let own = settings.get(THRESHOLD).unwrap_or(&Value::Null);
            let own = Fields::of(own, THRESHOLD)?;
            let (threshold, default) = (own.float("threshold")?, own.float("default_value")?);
            return Ok(Activation::threshold(threshold, default));
        }
        let activation = Activation::from_name(fields.text(key)?);
        activation.map_err(|error| format!("{key}: {error}"))
    }
}

fn unknown(name: &str) -> String {
    if name == THRESHOLD {
        return "the activation \"threshold\" needs its settings: \
                Activation::threshold(threshold, default_value)"
            .to_string();
    }
    format!(
        "{}; a function of your own is passed as Activation::custom(name, function)",
        names::unknown("activation", name, NAMES)
    )
}

#[cfg(test)]
mod tests;
