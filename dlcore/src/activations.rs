//! Functions applied to each element of a layer's output (softmax: to each row).

use crate::{Error, Result, Tensor, names};

/// An activation function, by its Keras name.
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
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
}

const NAMES: [&str; 5] = ["linear", "relu", "sigmoid", "tanh", "softmax"];

impl Activation {
    /// The activation of this name: `"linear"`, `"relu"`, `"sigmoid"`, `"tanh"`, `"softmax"`.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest known name.
    pub fn from_name(name: &str) -> Result<Activation> {
        Activation::from(name).known()
    }

    /// Itself, unless its name is not known.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest known name.
    pub(crate) fn known(self) -> Result<Activation> {
        match self {
            Activation::Unknown(name) => {
                Err(Error::Value(names::unknown("activation", &name, &NAMES)))
            }
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
            Activation::Unknown(name) => panic!("{}", names::unknown("activation", name, &NAMES)),
        }
    }
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
            assert_eq!(Activation::from_name(name).unwrap().name(), name);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = Activation::from_name("sofmax").unwrap_err().to_string();
        assert!(error.contains("did you mean \"softmax\"?"), "{error}");
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
}
