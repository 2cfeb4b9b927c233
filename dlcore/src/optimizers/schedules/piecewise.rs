//! A learning rate that changes at given steps.

use serde_json::{Value, json};

use super::{Schedule, check_positive, number};
use crate::config::{Fields, Parsed, float};
use crate::{Error, Result};

/// `values[0]` up to and with step `boundaries[0]`, `values[1]` up to and with `boundaries[1]`, …,
/// the last value from then on.
///
/// ```
/// use dlcore::optimizers::{PiecewiseConstantDecay, SGD};
/// let schedule = PiecewiseConstantDecay::new([1000, 2000], [0.1, 0.01, 0.001]);
/// assert_eq!((schedule.at(1000), schedule.at(1001)), (0.1, 0.01));
/// let optimizer = SGD::new().learning_rate(schedule);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<u64>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    /// `boundaries` are steps, rising; `values` has one rate more.
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f64>>) -> Self {
        PiecewiseConstantDecay {
            boundaries: boundaries.into(),
            values: values.into(),
        }
    }
}

impl Schedule for PiecewiseConstantDecay {
    fn rate(&self, step: u64) -> f64 {
        let piece = self.boundaries.partition_point(|&boundary| boundary < step);
        self.values[piece]
    }

    fn check(&self) -> Result<()> {
        let (boundaries, values) = (self.boundaries.len(), self.values.len());
        if values != boundaries + 1 {
            return Err(Error::Value(format!(
                "PiecewiseConstantDecay: {boundaries} boundaries need {} values, got {values}",
                boundaries + 1
            )));
        }
        if !self.boundaries.is_sorted_by(|a, b| a < b) {
            return Err(Error::Value(format!(
                "PiecewiseConstantDecay: boundaries must rise, got {:?}",
                self.boundaries
            )));
        }
        let mut values = self.values.iter();
        values.try_for_each(|&value| check_positive("PiecewiseConstantDecay", "each value", value))
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        let values: Vec<Value> = self.values.iter().map(|&value| number(value)).collect();
        vec![
            ("boundaries", json!(self.boundaries)),
            ("values", Value::Array(values)),
        ]
    }

    fn from_settings(fields: &Fields<'_>) -> Parsed<Self> {
        let boundaries = fields.list("boundaries")?.iter().map(Value::as_u64);
        let values = fields.list("values")?.iter().map(float);
        let no = || "PiecewiseConstantDecay: boundaries and values are not numbers".to_string();
        let schedule = PiecewiseConstantDecay {
            boundaries: boundaries.collect::<Option<_>>().ok_or_else(no)?,
            values: values.collect::<Option<_>>().ok_or_else(no)?,
        };
        schedule.check().map_err(|error| error.to_string())?;
        Ok(schedule)
    }
}
