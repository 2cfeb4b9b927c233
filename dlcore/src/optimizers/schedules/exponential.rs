//! A learning rate that falls by the same factor again and again.

use serde_json::{Value, json};

use super::{Schedule, check_positive, check_steps, number, passed};
use crate::Result;
use crate::config::{Fields, Parsed};

/// `initial_learning_rate · decay_rate ^ (step / decay_steps)`.
///
/// ```
/// use dlcore::optimizers::{Adam, ExponentialDecay};
/// let halves = ExponentialDecay::new(0.01, 1000, 0.5).staircase(true);
/// assert_eq!((halves.at(999), halves.at(1000)), (0.01, 0.005));
/// let optimizer = Adam::new().learning_rate(halves);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialDecay {
    initial_learning_rate: f64,
    decay_steps: usize,
    decay_rate: f64,
    staircase: bool,
}

impl ExponentialDecay {
    /// Falls from `initial_learning_rate` to `decay_rate` times as much in each `decay_steps` steps.
    pub fn new(initial_learning_rate: f64, decay_steps: usize, decay_rate: f64) -> Self {
        ExponentialDecay {
            initial_learning_rate,
            decay_steps,
            decay_rate,
            staircase: false,
        }
    }

    /// Whether the rate falls at once every `decay_steps` steps, not a little at each (false).
    pub fn staircase(mut self, staircase: bool) -> Self {
        self.staircase = staircase;
        self
    }
}

impl Schedule for ExponentialDecay {
    fn rate(&self, step: u64) -> f64 {
        let times = passed(step, self.decay_steps, self.staircase);
        self.initial_learning_rate * self.decay_rate.powf(times)
    }

    fn check(&self) -> Result<()> {
        let positive = |setting, value| check_positive("ExponentialDecay", setting, value);
        positive("initial_learning_rate", self.initial_learning_rate)?;
        check_steps("ExponentialDecay", "decay_steps", self.decay_steps)?;
        positive("decay_rate", self.decay_rate)
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", json!(self.decay_steps)),
            ("decay_rate", number(self.decay_rate)),
            ("staircase", json!(self.staircase)),
        ]
    }

    fn from_settings(fields: &Fields<'_>) -> Parsed<Self> {
        Ok(ExponentialDecay {
            initial_learning_rate: fields.float("initial_learning_rate")?,
            decay_steps: fields.size("decay_steps")?,
            decay_rate: fields.float("decay_rate")?,
            staircase: fields.flag("staircase")?,
        })
    }
}
