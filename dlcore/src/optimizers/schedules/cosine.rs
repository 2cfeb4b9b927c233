//! A learning rate that falls along half a cosine, after a warm-up where asked for.

use std::f64::consts::PI;

use serde_json::{Value, json};

use super::{Schedule, check_at_least_zero, check_positive, check_steps, number};
use crate::Result;
use crate::config::{Fields, Parsed};

/// `initial · ((1 − alpha) · (1 + cos(π · step / decay_steps)) / 2 + alpha)`, and `alpha · initial`
/// after `decay_steps` steps.
///
/// With a warm-up the rate first rises in a straight line from `initial_learning_rate` to the
/// warm-up's target, and falls from that. Source: Keras 3, after Loshchilov and Hutter, 2016,
/// <https://arxiv.org/abs/1608.03983>.
///
/// ```
/// use dlcore::optimizers::{AdamW, CosineDecay};
/// let schedule = CosineDecay::new(0.0, 900).warmup(0.01, 100);
/// assert_eq!((schedule.at(50), schedule.at(100), schedule.at(1000)), (0.005, 0.01, 0.0));
/// let optimizer = AdamW::new().learning_rate(schedule);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CosineDecay {
    initial_learning_rate: f64,
    decay_steps: usize,
    alpha: f64,
    /// Target and steps.
    warmup: Option<(f64, usize)>,
}

impl CosineDecay {
    /// Falls from `initial_learning_rate` to zero in `decay_steps` steps.
    pub fn new(initial_learning_rate: f64, decay_steps: usize) -> Self {
        CosineDecay {
            initial_learning_rate,
            decay_steps,
            alpha: 0.0,
            warmup: None,
        }
    }

    /// The share of the rate that is left at the end (0).
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Rises to `target` in the first `steps` steps, before the decay (none).
    pub fn warmup(mut self, target: f64, steps: usize) -> Self {
        self.warmup = Some((target, steps));
        self
    }
}

impl Schedule for CosineDecay {
    fn rate(&self, step: u64) -> f64 {
        let step = step as f64;
        let initial = self.initial_learning_rate;
        let (from, step) = match self.warmup {
            None => (initial, step),
            Some((target, steps)) if step < steps as f64 => {
                return (target - initial) * (step / steps as f64) + initial;
            }
            Some((target, steps)) => (target, step - steps as f64),
        };
        let share = (step / self.decay_steps as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (PI * share).cos());
        from * ((1.0 - self.alpha) * cosine + self.alpha)
    }

    fn check(&self) -> Result<()> {
        let (name, initial) = ("CosineDecay", self.initial_learning_rate);
        match self.warmup {
            None => check_positive(name, "initial_learning_rate", initial)?,
            Some((target, steps)) => {
                check_at_least_zero(name, "initial_learning_rate", initial)?;
                check_positive(name, "warmup_target", target)?;
                check_steps(name, "warmup_steps", steps)?;
            }
        }
        check_steps(name, "decay_steps", self.decay_steps)?;
        check_at_least_zero(name, "alpha", self.alpha)
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", json!(self.decay_steps)),
            ("alpha", number(self.alpha)),
            (
                "warmup_target",
                json!(self.warmup.map(|(target, _)| number(target))),
            ),
            ("warmup_steps", json!(self.warmup.map(|(_, steps)| steps))),
        ]
    }

    fn from_settings(fields: &Fields<'_>) -> Parsed<Self> {
        let warmup = match fields.get("warmup_target") {
            Some(_) => Some((fields.float("warmup_target")?, fields.size("warmup_steps")?)),
            None => None,
        };
        Ok(CosineDecay {
            initial_learning_rate: fields.float("initial_learning_rate")?,
            decay_steps: fields.size("decay_steps")?,
            alpha: fields.float("alpha")?,
            warmup,
        })
    }
}
