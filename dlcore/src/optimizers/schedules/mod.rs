//! Learning rates: a number, or a schedule that changes it step by step.
//!
//! Formulas are Keras 3's (`optimizers/schedules/learning_rate_schedule.py`). Steps are counted from
//! 0: the first batch trains with the rate of step 0.

mod cosine;
mod exponential;
mod inverse_time;
mod piecewise;
mod polynomial;

pub use cosine::CosineDecay;
pub use exponential::ExponentialDecay;
pub use inverse_time::InverseTimeDecay;
pub use piecewise::PiecewiseConstantDecay;
pub use polynomial::PolynomialDecay;

use serde_json::{Map, Value, json};

use super::{check_at_least_zero, check_positive};
use crate::config::{Fields, Parsed, float, number};
use crate::sorted;
use crate::{Error, Result, names};

/// How far a step goes: a number, or a schedule. What `.learning_rate(…)` of every optimizer takes.
///
/// ```
/// use dlcore::optimizers::{ExponentialDecay, LearningRate, SGD};
/// let constant = SGD::new().learning_rate(0.1);
/// let falling = SGD::new().learning_rate(ExponentialDecay::new(0.1, 100, 0.5));
/// assert_eq!(LearningRate::from(ExponentialDecay::new(0.1, 100, 0.5)).at(100), 0.05);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRate(Rate);

/// A rule for the learning rate of each step.
trait Schedule: Sized {
    fn rate(&self, step: u64) -> f64;

    fn check(&self) -> Result<()>;

    /// Its settings by name.
    fn settings(&self) -> Vec<(&'static str, Value)>;

    fn from_settings(fields: &Fields<'_>) -> Parsed<Self>;
}

macro_rules! schedules {
    ($($schedule:ident),* $(,)?) => {
        #[derive(Clone, Debug, PartialEq)]
        enum Rate {
            Number(f64),
            $($schedule($schedule)),*
        }

        pub(super) const NAMES: &[&str] = &[$(stringify!($schedule)),*];

        impl LearningRate {
            /// The learning rate of a step, counted from 0.
            pub fn at(&self, step: u64) -> f64 {
                match &self.0 {
                    Rate::Number(rate) => *rate,
                    $(Rate::$schedule(schedule) => schedule.rate(step)),*
                }
            }

            /// The schedule's name; `None` for a number.
            pub(crate) fn schedule(&self) -> Option<&'static str> {
                match &self.0 {
                    Rate::Number(_) => None,
                    $(Rate::$schedule(_) => Some(stringify!($schedule))),*
                }
            }

            /// An error for a rate that is no number above 0, or a schedule's setting out of range.
            pub(super) fn check(&self, optimizer: &str) -> Result<()> {
                match &self.0 {
                    Rate::Number(rate) => check_positive(optimizer, "learning_rate", *rate),
                    $(Rate::$schedule(schedule) => schedule.check()),*
                }
            }

            /// As it stands in a saved model: a number, or an object that names the schedule.
            pub(super) fn config(&self) -> Value {
                let (name, settings) = match &self.0 {
                    Rate::Number(rate) => return number(*rate),
                    $(Rate::$schedule(schedule) => (stringify!($schedule), schedule.settings())),*
                };
                let mut config: Map<String, Value> =
                    sorted::gathered(settings.into_iter().map(|(key, value)| (key.to_string(), value)));
                config.insert("schedule".to_string(), json!(name));
                Value::Object(config)
            }

            /// What [`LearningRate::config`] wrote.
            pub(super) fn from_config(value: &Value) -> Parsed<LearningRate> {
                if let Some(rate) = float(value) {
                    return Ok(LearningRate(Rate::Number(rate)));
                }
                let fields = Fields::of(value, "learning_rate")?;
                match fields.text("schedule")? {
                    $(stringify!($schedule) => {
                        Ok(LearningRate(Rate::$schedule($schedule::from_settings(&fields)?)))
                    })*
                    other => Err(names::unknown("schedule", other, NAMES)),
                }
            }
        }

        $(
            impl From<$schedule> for LearningRate {
                fn from(schedule: $schedule) -> Self {
                    LearningRate(Rate::$schedule(schedule))
                }
            }

            impl From<&$schedule> for LearningRate {
                fn from(schedule: &$schedule) -> Self {
                    LearningRate(Rate::$schedule(schedule.clone()))
                }
            }

            impl $schedule {
                /// The learning rate of a step, counted from 0.
                pub fn at(&self, step: u64) -> f64 {
                    self.rate(step)
                }
            }
        )*
    };
}

schedules! {
    ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay,
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> Self {
        LearningRate(Rate::Number(rate))
    }
}

impl From<&LearningRate> for LearningRate {
    fn from(rate: &LearningRate) -> Self {
        rate.clone()
    }
}

/// An error unless a schedule decays over at least one step.
fn check_steps(schedule: &str, setting: &str, steps: usize) -> Result<()> {
    if steps > 0 {
        return Ok(());
    }
    Err(Error::Value(format!(
        "{schedule}: {setting} must be at least 1, got 0"
    )))
}

/// How many times `decay_steps` have passed: whole times only if `staircase`.
fn passed(step: u64, decay_steps: usize, staircase: bool) -> f64 {
    let times = step as f64 / decay_steps as f64;
    if staircase { times.floor() } else { times }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<LearningRate> {
        vec![
            LearningRate::from(0.1 + 0.2),
            ExponentialDecay::new(0.1, 10, 0.9).staircase(true).into(),
            InverseTimeDecay::new(0.1, 10, 0.5).into(),
            PiecewiseConstantDecay::new([10, 20], [0.1, 0.01, 0.001]).into(),
            PolynomialDecay::new(0.1, 10).power(2.0).cycle(true).into(),
            CosineDecay::new(0.0, 10).alpha(0.1).warmup(0.2, 5).into(),
        ]
    }

    #[test]
    fn every_rate_reads_back_as_it_was_written() {
        assert_eq!(all().len(), NAMES.len() + 1, "a schedule has no case here");
        for rate in all() {
            rate.check("SGD").unwrap();
            assert_eq!(LearningRate::from_config(&rate.config()), Ok(rate));
        }
        let error = LearningRate::from_config(&json!({"schedule": "CosineDecai"})).unwrap_err();
        assert!(error.contains("did you mean \"CosineDecay\"?"), "{error}");
    }

    #[test]
    fn settings_out_of_range_are_refused_with_their_name_and_value() {
        let error = |rate: LearningRate| rate.check("SGD").unwrap_err().to_string();
        assert_eq!(
            error(ExponentialDecay::new(0.1, 0, 0.9).into()),
            "ExponentialDecay: decay_steps must be at least 1, got 0"
        );
        assert!(
            error(ExponentialDecay::new(-1.0, 1, 0.9).into()).contains("initial_learning_rate")
        );
        assert!(error(InverseTimeDecay::new(0.1, 1, -0.5).into()).contains("decay_rate"));
        assert!(
            error(PiecewiseConstantDecay::new([10], [0.1]).into()).contains("1 boundaries need 2")
        );
        assert!(
            error(PiecewiseConstantDecay::new([10, 10], [0.1, 0.2, 0.3]).into())
                .contains("must rise")
        );
        assert!(error(PolynomialDecay::new(0.1, 5).power(0.0).into()).contains("power"));
        assert!(error(CosineDecay::new(0.1, 5).warmup(0.2, 0).into()).contains("warmup_steps"));
        assert!(error(f64::NAN.into()).contains("SGD: learning_rate"));
    }

    #[test]
    fn a_step_on_a_boundary_still_has_the_rate_before_it() {
        let rate = PiecewiseConstantDecay::new([2, 4], [0.3, 0.2, 0.1]);
        let rates: Vec<f64> = (0..6).map(|step| rate.at(step)).collect();
        assert_eq!(rates, [0.3, 0.3, 0.3, 0.2, 0.2, 0.1]);
    }
}
