//! A learning rate that falls with the inverse of time.

use serde_json::{Value, json};

use super::{Schedule, check_at_least_zero, check_positive, check_steps, number, passed};
use crate::Result;
use crate::config::{Fields, Parsed};

/// `initial_learning_rate / (1 + decay_rate · step / decay_steps)`.
///
/// With `decay_steps` 1 this is what optimizers called `decay` in 2017; SGD and RMSprop have it by
/// that name too.
///
/// ```
/// use dlcore::optimizers::{InverseTimeDecay, SGD};
/// let schedule = InverseTimeDecay::new(0.1, 100, 1.0);
/// assert_eq!((schedule.at(0), schedule.at(100)), (0.1, 0.05));
/// let optimizer = SGD::new().learning_rate(schedule);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct InverseTimeDecay {
    initial_learning_rate: f64,
    decay_steps: usize,
    decay_rate: f64,
    staircase: bool,
}

impl InverseTimeDecay {
    /// The divisor grows by `decay_rate` in each `decay_steps` steps.
    pub fn new(initial_learning_rate: f64, decay_steps: usize, decay_rate: f64) -> Self {
        InverseTimeDecay {
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

impl Schedule for InverseTimeDecay {
    fn rate(&self, step: u64) -> f64 {
        let times = passed(step, self.decay_steps, self.staircase);
        self.initial_learning_rate / (1.0 + self.decay_rate * times)
    }

    fn check(&self) -> Result<()> {
        let initial = self.initial_learning_rate;
        check_positive("InverseTimeDecay", "initial_learning_rate", initial)?;
        check_steps("InverseTimeDecay", "decay_steps", self.decay_steps)?;
        check_at_least_zero("InverseTimeDecay", "decay_rate", self.decay_rate)
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
        Ok(InverseTimeDecay {
            initial_learning_rate: fields.float("initial_learning_rate")?,
            decay_steps: fields.size("decay_steps")?,
            decay_rate: fields.float("decay_rate")?,
            staircase: fields.flag("staircase")?,
        })
    }
}
