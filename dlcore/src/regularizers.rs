//! Penalties on large weights, added to the loss while training.

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::{Error, Result, Tensor, names};

/// A penalty on a layer's weights: `l1 · Σ|w| + l2 · Σw²`.
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Dense::new(16).kernel_regularizer(Regularizer::l2(0.001)).activation("relu");
/// ```
///
/// Source: Keras 3, `regularizers/regularizers.py`. Its losses are the sum of the data's loss and the
/// penalties of all layers, in training and in evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Regularizer {
    l1: f64,
    l2: f64,
    unknown: Option<String>,
}

const NAMES: [&str; 3] = ["l1", "l2", "l1_l2"];
/// The strength of a penalty that is chosen by its name.
const DEFAULT: f64 = 0.01;

impl Regularizer {
    /// `l1 · Σ|w|`, which drives weights to zero.
    pub fn l1(l1: f64) -> Regularizer {
        Self::l1_l2(l1, 0.0)
    }

    /// `l2 · Σw²`, which keeps weights small: weight decay.
    pub fn l2(l2: f64) -> Regularizer {
        Self::l1_l2(0.0, l2)
    }

    /// `l1 · Σ|w| + l2 · Σw²`
    pub fn l1_l2(l1: f64, l2: f64) -> Regularizer {
        Regularizer {
            l1,
            l2,
            unknown: None,
        }
    }

    /// Itself, unless its name is not known or a strength is no number of at least 0.
    pub(crate) fn known(&self) -> Result<()> {
        if let Some(name) = &self.unknown {
            return Err(Error::Value(format!(
                "{}; a strength of its own is given as Regularizer::l2(0.001)",
                names::unknown("regularizer", name, &NAMES)
            )));
        }
        for (name, strength) in [("l1", self.l1), ("l2", self.l2)] {
            if !(strength >= 0.0 && strength.is_finite()) {
                return Err(Error::Value(format!(
                    "regularizer: {name} must be a number of at least 0, got {strength}"
                )));
            }
        }
        Ok(())
    }

    /// The penalty of a weight, one number.
    pub fn penalty(&self, weight: &Tensor) -> Tensor {
        let l1 = || weight.abs().sum() * self.l1;
        let l2 = || weight.square().sum() * self.l2;
        match (self.l1 != 0.0, self.l2 != 0.0) {
            (true, true) => l1() + l2(),
            (true, false) => l1(),
            _ => l2(),
        }
    }

    /// As it stands in a saved model, or null.
    pub(crate) fn config(regularizer: Option<&Regularizer>) -> Value {
        regularizer.map_or(
            Value::Null,
            |own| json!({"l1": number(own.l1), "l2": number(own.l2)}),
        )
    }

    /// What [`Regularizer::config`] wrote under `key`; a field that is missing is none.
    pub(crate) fn from_config(fields: &Fields<'_>, key: &str) -> Parsed<Option<Regularizer>> {
        let Some(value) = fields.get(key) else {
            return Ok(None);
        };
        let strengths = Fields::of(value, key)?;
        let regularizer = Self::l1_l2(strengths.float("l1")?, strengths.float("l2")?);
        regularizer.known().map_err(|error| error.to_string())?;
        Ok(Some(regularizer))
    }
}

/// By name, with strength 0.01; one that is not known is reported when the layer is built.
impl From<&str> for Regularizer {
    fn from(name: &str) -> Self {
        match name {
            "l1" => Self::l1(DEFAULT),
            "l2" => Self::l2(DEFAULT),
            "l1_l2" => Self::l1_l2(DEFAULT, DEFAULT),
            other => Regularizer {
                l1: 0.0,
                l2: 0.0,
                unknown: Some(other.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_are_those_of_the_formulas() {
        let weight = Tensor::from([[1.0, -2.0], [0.0, 3.0]]);
        let penalty = |regularizer: Regularizer| regularizer.penalty(&weight).item();
        assert!((penalty(Regularizer::l1(0.5)) - 3.0).abs() < 1e-6);
        assert!((penalty(Regularizer::l2(0.5)) - 7.0).abs() < 1e-6);
        assert!((penalty(Regularizer::l1_l2(0.5, 0.25)) - 6.5).abs() < 1e-6);
        assert!((penalty("l2".into()) - 0.14).abs() < 1e-6);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let error = |regularizer: Regularizer| regularizer.known().unwrap_err().to_string();
        assert!(error("l3".into()).contains("unknown regularizer \"l3\""));
        assert!(error(Regularizer::l2(-1.0)).contains("l2 must be a number of at least 0, got -1"));
        assert!(error(Regularizer::l1(f64::NAN)).contains("NaN"));
    }

    #[test]
    fn settings_come_back() {
        let config =
            json!({"kernel_regularizer": Regularizer::config(Some(&Regularizer::l2(0.3)))});
        let fields = Fields::of(&config, "Dense").unwrap();
        let back = Regularizer::from_config(&fields, "kernel_regularizer").unwrap();
        assert_eq!(back, Some(Regularizer::l2(0.3)));
        assert_eq!(
            Regularizer::from_config(&fields, "bias_regularizer"),
            Ok(None)
        );
    }
}
