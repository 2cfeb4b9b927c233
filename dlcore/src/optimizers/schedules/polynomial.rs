//! A learning rate that falls along a polynomial.

use serde_json::{Value, json};

use super::{Schedule, check_at_least_zero, check_positive, check_steps, number};
use crate::Result;
use crate::config::{Fields, Parsed};

/// `(initial − end) · (1 − step / decay_steps) ^ power + end`, and `end` after `decay_steps` steps.
///
/// Defaults: end learning rate 0.0001, power 1 (a straight line), no cycle.
///
/// ```
/// use dlcore::optimizers::{PolynomialDecay, SGD};
/// let schedule = PolynomialDecay::new(0.5, 100).end_learning_rate(0.0);
/// assert_eq!((schedule.at(50), schedule.at(1000)), (0.25, 0.0));
/// let optimizer = SGD::new().learning_rate(schedule);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialDecay {
    initial_learning_rate: f64,
    decay_steps: usize,
    end_learning_rate: f64,
    power: f64,
    cycle: bool,
}

impl PolynomialDecay {
    /// Falls from `initial_learning_rate` in `decay_steps` steps.
    pub fn new(initial_learning_rate: f64, decay_steps: usize) -> Self {
        PolynomialDecay {
            initial_learning_rate,
            decay_steps,
            end_learning_rate: 1e-4,
            power: 1.0,
            cycle: false,
        }
    }

    /// The rate it ends at (0.0001).
    pub fn end_learning_rate(mut self, rate: f64) -> Self {
        self.end_learning_rate = rate;
        self
    }

    /// The polynomial's power (1).
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Whether the rate rises again after `decay_steps` steps and falls over as many more (false).
    pub fn cycle(mut self, cycle: bool) -> Self {
        self.cycle = cycle;
        self
    }
}

impl Schedule for PolynomialDecay {
    fn rate(&self, step: u64) -> f64 {
        let (step, mut steps) = (step as f64, self.decay_steps as f64);
        if self.cycle {
            steps *= (step / steps).ceil().max(1.0);
        }
        let left = 1.0 - step.min(steps) / steps;
        let range = self.initial_learning_rate - self.end_learning_rate;
        range * left.powf(self.power) + self.end_learning_rate
    }

    fn check(&self) -> Result<()> {
        let initial = self.initial_learning_rate;
        check_positive("PolynomialDecay", "initial_learning_rate", initial)?;
        check_steps("PolynomialDecay", "decay_steps", self.decay_steps)?;
        let end = self.end_learning_rate;
        check_at_least_zero("PolynomialDecay", "end_learning_rate", end)?;
        check_positive("PolynomialDecay", "power", self.power)
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", json!(self.decay_steps)),
            ("end_learning_rate", number(self.end_learning_rate)),
            ("power", number(self.power)),
            ("cycle", json!(self.cycle)),
        ]
    }

    fn from_settings(fields: &Fields<'_>) -> Parsed<Self> {
        Ok(PolynomialDecay {
            initial_learning_rate: fields.float("initial_learning_rate")?,
            decay_steps: fields.size("decay_steps")?,
            end_learning_rate: fields.float("end_learning_rate")?,
            power: fields.float("power")?,
            cycle: fields.flag("cycle")?,
        })
    }
}
