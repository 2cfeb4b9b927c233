//! Functions applied to each element of a layer's output (softmax: to each row).

use std::sync::Arc;

use serde_json::Value;

use crate::config::{Fields, Parsed};
use crate::grad::ops::{self, Elu, Gelu, GeluTanh, LeakyRelu, Silu};
use crate::{Error, Result, Tensor, names};

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
/// Source: Keras 3, `activations/activations.py`; of its functions only `glu`, `sparsemax` and
/// `threshold` are not here.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
    /// `exp(x) / sum(exp(x))` over the last axis
    Softmax,
    /// `x - log(sum(exp(x)))` over the last axis
    LogSoftmax,
    /// `x` above 0, `exp(x) - 1` below: Clevert et al., 2016
    Elu,
    /// `1.0507 x` above 0, `1.7581 (exp(x) - 1)` below, which keeps mean and variance through deep
    /// networks: Klambauer et al., 2017
    Selu,
    /// `x` above 0, `exp(x) - 1` below: [`Activation::Elu`] at this setting, Barron, 2017
    Celu,
    /// `x` times the probability that a standard normal number is below `x`: Hendrycks and Gimpel, 2016
    Gelu,
    /// [`Activation::Gelu`] approximated by `tanh`, Keras's `gelu(x, approximate=True)`
    GeluApproximate,
    /// `x · sigmoid(x)`, also called swish: Ramachandran et al., 2017
    Silu,
    /// `x · tanh(softplus(x))`: Misra, 2019
    Mish,
    /// `log(1 + exp(x))`
    Softplus,
    /// `x / (1 + |x|)`
    Softsign,
    /// `exp(x)`
    Exponential,
    /// `x / 6 + 1 / 2`, between 0 and 1
    HardSigmoid,
    /// `x · hard_sigmoid(x)`, also called hard swish: Howard et al., 2019
    HardSilu,
    /// `x`, between -1 and 1
    HardTanh,
    /// `x`, but 0 between -0.5 and 0.5
    HardShrink,
    /// `x` moved 0.5 towards 0, and 0 where that would pass it
    SoftShrink,
    /// `x - tanh(x)`
    TanhShrink,
    /// `x` above 0, `0.2 x` below
    LeakyRelu,
    /// `max(x, 0)`, at most 6
    Relu6,
    /// `log(sigmoid(x))`
    LogSigmoid,
    /// 0 below -1, `x` above 1, `(x + 1)² / 4` between
    SparsePlus,
    /// `(x + 1) / 2`, between 0 and 1
    SparseSigmoid,
    /// `(x + √(x² + 4)) / 2`
    Squareplus,
    /// A function of your own: [`Activation::custom`].
    Custom(CustomActivation),
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
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

const NAMES: [&str; 30] = [
    "linear",
    "relu",
    "sigmoid",
    "tanh",
    "softmax",
    "log_softmax",
    "elu",
    "selu",
    "celu",
    "gelu",
    "gelu_approximate",
    "silu",
    "swish",
    "mish",
    "softplus",
    "softsign",
    "exponential",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "tanh_shrink",
    "leaky_relu",
    "relu6",
    "log_sigmoid",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
];

/// The slope of `leaky_relu` below 0.
const LEAK: f64 = 0.2;
/// What `hard_shrink` and `soft_shrink` take for small.
const SMALL: f64 = 0.5;
/// SELU's constants, by which a standard normal input gives a standard normal output.
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Activation {
    /// The activation of this name: `"linear"`, `"relu"`, `"sigmoid"`, `"tanh"`, `"softmax"`,
    /// `"gelu"`, `"silu"` (also `"swish"`) and so on.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest known name.
    pub fn from_name(name: &str) -> Result<Activation> {
        Activation::from(name).known()
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

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
            Activation::Elu => "elu",
            Activation::Selu => "selu",
            Activation::Celu => "celu",
            Activation::Gelu => "gelu",
            Activation::GeluApproximate => "gelu_approximate",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Softsign => "softsign",
            Activation::Exponential => "exponential",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::HardSilu => "hard_silu",
            Activation::HardTanh => "hard_tanh",
            Activation::HardShrink => "hard_shrink",
            Activation::SoftShrink => "soft_shrink",
            Activation::TanhShrink => "tanh_shrink",
            Activation::LeakyRelu => "leaky_relu",
            Activation::Relu6 => "relu6",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::SparsePlus => "sparse_plus",
            Activation::SparseSigmoid => "sparse_sigmoid",
            Activation::Squareplus => "squareplus",
            Activation::Custom(own) => &own.name,
            Activation::Unknown(name) => name,
        }
    }

    /// The activation of `x`.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// # Panics
    /// If the name is not known.
    #[track_caller]
    pub fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            Activation::Linear => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
            Activation::Elu | Activation::Celu => elu(x, 1.0),
            Activation::Selu => {
                let (alpha, scale) = (SELU_ALPHA, SELU_SCALE);
                pointwise(
                    Elu {
                        alpha,
                        scale,
                        rate: 1.0,
                    },
                    x,
                )
            }
            Activation::Gelu => pointwise(Gelu, x),
            Activation::GeluApproximate => pointwise(GeluTanh, x),
            Activation::Silu => pointwise(Silu, x),
            Activation::Mish => x * x.softplus().tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x / (x.abs() + 1.0),
            Activation::Exponential => x.exp(),
            Activation::HardSigmoid => hard_sigmoid(x),
            Activation::HardSilu => x * hard_sigmoid(x),
            Activation::HardTanh => x.clip(-1.0, 1.0),
            Activation::HardShrink => {
                let x = x.as_float();
                let large = x.abs().greater(Tensor::from(SMALL as f32));
                &x * large.cast(x.dtype())
            }
            Activation::SoftShrink => x - x.clip(-SMALL, SMALL),
            Activation::TanhShrink => x - x.tanh(),
            Activation::LeakyRelu => leaky_relu(x, LEAK),
            Activation::Relu6 => x.clip(0.0, 6.0),
            Activation::LogSigmoid => -(-x.as_float()).softplus(),
            Activation::SparsePlus => (x + 1.0).clip(0.0, 2.0).square() / 4.0 + (x - 1.0).relu(),
            Activation::SparseSigmoid => (x + 1.0).clip(0.0, 2.0) / 2.0,
            Activation::Squareplus => (x + (x.as_float().square() + 4.0).sqrt()) / 2.0,
            Activation::Custom(own) => (own.function)(x),
            Activation::Unknown(name) => panic!("{}", unknown(name)),
        }
    }

    /// As it stands in a saved model: its name; none for a function of the user's own, which no file
    /// can hold.
    pub(crate) fn config(&self) -> Option<Value> {
        match self {
            Activation::Custom(_) => None,
            named => Some(Value::from(named.name())),
        }
    }

    /// What [`Activation::config`] wrote under `key`; a field that is missing is linear.
    pub(crate) fn from_field(fields: &Fields<'_>, key: &str) -> Parsed<Activation> {
        if fields.get(key).is_none() {
            return Ok(Activation::Linear);
        }
        let activation = Activation::from_name(fields.text(key)?);
        activation.map_err(|error| format!("{key}: {error}"))
    }
}

fn unknown(name: &str) -> String {
    format!(
        "{}; a function of your own is passed as Activation::custom(name, function)",
        names::unknown("activation", name, &NAMES)
    )
}

#[track_caller]
fn pointwise(op: impl Into<ops::Op>, x: &Tensor) -> Tensor {
    ops::apply_any(op, &[&x.as_float()])
}

/// `x` above 0, `alpha · (exp(x) - 1)` below.
#[track_caller]
pub(crate) fn elu(x: &Tensor, alpha: f64) -> Tensor {
    let op = Elu {
        alpha,
        scale: 1.0,
        rate: 1.0,
    };
    pointwise(op, x)
}

/// `x` above 0, `slope · x` below.
#[track_caller]
pub(crate) fn leaky_relu(x: &Tensor, slope: f64) -> Tensor {
    let op = LeakyRelu {
        slope,
        threshold: 0.0,
        limit: f64::INFINITY,
    };
    pointwise(op, x)
}

#[track_caller]
fn hard_sigmoid(x: &Tensor) -> Tensor {
    (x + 3.0).clip(0.0, 6.0) / 6.0
}

/// By name; one that is not known is reported when the layer is built.
impl From<&str> for Activation {
    fn from(name: &str) -> Self {
        match name {
            "linear" => Activation::Linear,
            "relu" => Activation::Relu,
            "sigmoid" => Activation::Sigmoid,
            "tanh" => Activation::Tanh,
            "softmax" => Activation::Softmax,
            "log_softmax" => Activation::LogSoftmax,
            "elu" => Activation::Elu,
            "selu" => Activation::Selu,
            "celu" => Activation::Celu,
            "gelu" => Activation::Gelu,
            "gelu_approximate" => Activation::GeluApproximate,
            "silu" | "swish" => Activation::Silu,
            "mish" => Activation::Mish,
            "softplus" => Activation::Softplus,
            "softsign" => Activation::Softsign,
            "exponential" => Activation::Exponential,
            "hard_sigmoid" => Activation::HardSigmoid,
            "hard_silu" | "hard_swish" => Activation::HardSilu,
            "hard_tanh" => Activation::HardTanh,
            "hard_shrink" => Activation::HardShrink,
            "soft_shrink" => Activation::SoftShrink,
            "tanh_shrink" => Activation::TanhShrink,
            "leaky_relu" => Activation::LeakyRelu,
            "relu6" => Activation::Relu6,
            "log_sigmoid" => Activation::LogSigmoid,
            "sparse_plus" => Activation::SparsePlus,
            "sparse_sigmoid" => Activation::SparseSigmoid,
            "squareplus" => Activation::Squareplus,
            other => Activation::Unknown(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_by_itself() {
        for name in NAMES {
            let activation = Activation::from_name(name).unwrap();
            let kept = match name {
                "swish" => "silu",
                "hard_swish" => "hard_silu",
                other => other,
            };
            assert_eq!(activation.name(), kept);
            let config = serde_json::json!({"activation": activation.config()});
            let fields = Fields::of(&config, "Dense").unwrap();
            let back = Activation::from_field(&fields, "activation");
            assert_eq!(back, Ok(activation));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = Activation::from_name("sofmax").unwrap_err().to_string();
        assert!(error.contains("did you mean \"softmax\"?"), "{error}");
        assert!(error.contains("Activation::custom"), "{error}");
    }

    #[test]
    fn values_are_those_of_the_formulas() {
        let x = Tensor::from([[-1.0, 0.0, 2.0]]);
        assert_eq!(Activation::Relu.apply(&x).to_vec(), [0.0, 0.0, 2.0]);
        let close = |actual: Vec<f32>, expected: [f32; 3]| {
            for (a, e) in actual.iter().zip(expected) {
                assert!((a - e).abs() < 1e-6, "{actual:?} {expected:?}");
            }
        };
        close(
            Activation::Sigmoid.apply(&x).to_vec(),
            [0.268_941_43, 0.5, 0.880_797_1],
        );
        close(
            Activation::Tanh.apply(&x).to_vec(),
            [-0.761_594_2, 0.0, 0.964_027_6],
        );
        close(
            Activation::Softmax.apply(&x).to_vec(),
            [0.042_010_066, 0.114_195_2, 0.843_794_7],
        );
    }

    #[test]
    fn large_arguments_give_what_the_formulas_tend_to() {
        let x = Tensor::from([-200.0, 200.0]);
        for (name, expected) in [
            ("elu", [-1.0, 200.0]),
            ("selu", [-1.758_099_3, 210.140_2]),
            ("gelu", [0.0, 200.0]),
            ("gelu_approximate", [0.0, 200.0]),
            ("silu", [0.0, 200.0]),
            ("mish", [0.0, 200.0]),
            ("softplus", [0.0, 200.0]),
            ("log_sigmoid", [-200.0, 0.0]),
            ("relu6", [0.0, 6.0]),
            ("hard_silu", [0.0, 200.0]),
            ("squareplus", [0.005, 200.005]),
        ] {
            let y = Activation::from(name).apply(&x).to_vec();
            let off = y.iter().zip(expected).map(|(y, e)| (y - e).abs() / 200.0);
            assert!(off.fold(0.0, f32::max) < 1e-6, "{name}: {y:?}");
        }
    }

    #[test]
    fn bytes_become_floats_first() {
        let x = Tensor::from_shape_vec_u8([2], vec![0, 7]).unwrap();
        for name in NAMES.iter().filter(|&&name| name != "linear") {
            let y = Activation::from(*name).apply(&x);
            let expected = Activation::from(*name).apply(&x.cast(crate::DType::F32));
            assert_eq!(y, expected, "{name}");
        }
    }

    #[test]
    fn a_function_of_ones_own_is_applied_and_equals_only_itself() {
        let own = Activation::custom("double", |x| x * 2.0);
        assert_eq!(own.apply(&Tensor::from([1.5])).to_vec(), [3.0]);
        assert_eq!(own.name(), "double");
        assert_eq!(own.clone(), own);
        assert_ne!(Activation::custom("double", |x| x * 2.0), own);
        assert_eq!(own.config(), None);
    }
}
