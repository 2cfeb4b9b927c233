//! What every optimizer can be told: its learning rate, weight decay, and how gradients are clipped.

use serde_json::{Map, Value, json};

use super::update::{Adjust, Gradient};
use super::{BuiltFor, LearningRate, check_at_least_zero, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::device::cpu::{collect, vectorised};
use crate::tensor::{Storage, with_slice};
use crate::{DType, Error, Result, Tensor};

/// The settings all optimizers share, and the count of their steps.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) learning_rate: LearningRate,
    /// The 2017 books' `decay`: the divisor of the rate grows by it at each step.
    pub(super) decay: f64,
    pub(super) weight_decay: Option<f64>,
    pub(super) clipnorm: Option<f64>,
    pub(super) clipvalue: Option<f64>,
    pub(super) global_clipnorm: Option<f64>,
    pub(super) steps: u64,
    pub(super) built_for: BuiltFor,
}

/// One step: its rate, its number from 1, and what is done to gradients before the rule.
pub(super) struct Step {
    pub(super) rate: f64,
    pub(super) number: i32,
    /// The factor for all gradients.
    scale: f64,
    clipnorm: Option<f64>,
    limit: f64,
    decay: f64,
}

impl Settings {
    /// Keras's defaults, with this learning rate.
    pub(super) fn new(learning_rate: f64) -> Settings {
        Settings {
            learning_rate: learning_rate.into(),
            decay: 0.0,
            weight_decay: None,
            clipnorm: None,
            clipvalue: None,
            global_clipnorm: None,
            steps: 0,
            built_for: BuiltFor::default(),
        }
    }

    /// The learning rate of the next step.
    pub(super) fn rate(&self) -> f64 {
        self.learning_rate.at(self.steps) / (1.0 + self.decay * self.steps as f64)
    }

    /// Makes this the learning rate of the next step.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.learning_rate = (rate * (1.0 + self.decay * self.steps as f64)).into();
    }

    /// Begins anew, for whatever weights.
    pub(super) fn reset(&mut self) {
        self.steps = 0;
        self.built_for.forget();
    }

    /// Notes that a step is made, or that nothing can keep it from being made.
    pub(super) fn count(&mut self) {
        self.steps += 1;
    }

    /// The next step. A card may refuse it: it counts when it is made.
    pub(super) fn prepare(&self, gradients: &[Tensor]) -> Step {
        let rate = self.rate();
        Step {
            rate,
            number: i32::try_from(self.steps + 1).unwrap_or(i32::MAX),
            scale: self.global_clipnorm.map_or(1.0, |most| {
                shortening(gradients.iter().map(sum_of_squares).sum(), most)
            }),
            clipnorm: self.clipnorm,
            limit: self.clipvalue.unwrap_or(f64::INFINITY),
            decay: self.weight_decay.map_or(0.0, |decay| decay * rate),
        }
    }

    pub(super) fn check(&self, optimizer: &str) -> Result<()> {
        self.learning_rate.check(optimizer)?;
        check_at_least_zero(optimizer, "decay", self.decay)?;
        if let Some(schedule) = self.learning_rate.schedule().filter(|_| self.decay > 0.0) {
            return Err(Error::Value(format!(
                "{optimizer}: decay {} changes a learning rate that is a number, but it is {schedule}; leave one out",
                self.decay
            )));
        }
        if let Some(decay) = self.weight_decay {
            check_at_least_zero(optimizer, "weight_decay", decay)?;
        }
        let mut given = Vec::new();
        for (name, limit) in self.limits() {
            if let Some(limit) = limit {
                check_positive(optimizer, name, limit)?;
                given.push(format!("{name} {limit}"));
            }
        }
        match given.len() {
            0 | 1 => Ok(()),
            _ => Err(Error::Value(format!(
                "{optimizer}: only one of clipnorm, clipvalue and global_clipnorm can be set, got {}",
                given.join(" and ")
            ))),
        }
    }

    fn limits(&self) -> [(&'static str, Option<f64>); 3] {
        [
            ("clipnorm", self.clipnorm),
            ("clipvalue", self.clipvalue),
            ("global_clipnorm", self.global_clipnorm),
        ]
    }

    /// These settings and an optimizer's own, as they stand in a saved model.
    pub(super) fn config(&self, own: Value) -> Value {
        let mut config = Map::new();
        config.insert("learning_rate".into(), self.learning_rate.config());
        config.insert("decay".into(), number(self.decay));
        config.insert("weight_decay".into(), json!(self.weight_decay.map(number)));
        for (name, limit) in self.limits() {
            config.insert(name.into(), json!(limit.map(number)));
        }
        config.insert("steps".into(), json!(self.steps));
        if let Value::Object(own) = own {
            config.extend(own);
        }
        Value::Object(config)
    }

    /// What [`Settings::config`] wrote; what an earlier version did not write has its default.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Settings> {
        let optional = |key| fields.get(key).map(|_| fields.float(key)).transpose();
        let rate = fields.get("learning_rate").unwrap_or(&Value::Null);
        Ok(Settings {
            learning_rate: LearningRate::from_config(rate)?,
            decay: optional("decay")?.unwrap_or(0.0),
            weight_decay: optional("weight_decay")?,
            clipnorm: optional("clipnorm")?,
            clipvalue: optional("clipvalue")?,
            global_clipnorm: optional("global_clipnorm")?,
            steps: match fields.get("steps") {
                Some(_) => fields.size("steps")? as u64,
                None => 0,
            },
            built_for: BuiltFor::default(),
        })
    }
}

impl Step {
    /// A gradient as the rule is to see it: clipped, and its weight decayed.
    pub(super) fn clipped<'a>(&self, gradient: &'a Tensor) -> Gradient<'a> {
        let own = self.clipnorm;
        let own = own.map_or(1.0, |most| shortening(sum_of_squares(gradient), most));
        Gradient {
            values: gradient,
            adjust: Adjust {
                scale: (self.scale * own) as f32,
                limit: self.limit as f32,
                decay: self.decay as f32,
            },
        }
    }
}

/// The factor that shortens a vector to the norm `most`, if it is longer. As in Keras it is NaN for a
/// vector that is not finite.
fn shortening(squares: f64, most: f64) -> f64 {
    match squares.is_finite() {
        true => most / squares.sqrt().max(most),
        false => f64::NAN,
    }
}

/// Pieces of this length are summed on their own, whatever the number of threads.
const PIECE: usize = 1 << 14;
/// Sums that grow side by side, so that one addition need not wait for the one before.
const LANES: usize = 16;

fn sum_of_squares(tensor: &Tensor) -> f64 {
    let tensor = match tensor.dtype() {
        DType::F32 => tensor.to_dense(),
        _ => tensor.cast(DType::F32),
    };
    let Storage::F32(values) = tensor.storage() else {
        unreachable!("it was made dense f32 above")
    };
    with_slice(values, |values| {
        if values.len() <= PIECE {
            return squares_of_piece(values);
        }
        let piece = |index: usize| &values[index * PIECE..values.len().min((index + 1) * PIECE)];
        let count = values.len().div_ceil(PIECE);
        collect(count, &|index| squares_of_piece(piece(index)))
            .iter()
            .sum()
    })
}

fn squares_of_piece(values: &[f32]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    vectorised(
        #[inline(always)]
        || {
            for lanes in values.chunks(LANES) {
                for (sum, &v) in sums.iter_mut().zip(lanes) {
                    *sum += f64::from(v) * f64::from(v);
                }
            }
        },
    );
    sums.iter().sum()
}

/// The methods that set what all optimizers share.
macro_rules! shared_settings {
    ($optimizer:ident, $rate:literal, $weight_decay:literal) => {
        impl $optimizer {
            /// With Keras's defaults.
            pub fn new() -> Self {
                Self::default()
            }

            #[doc = concat!("How far a step goes, a number or a schedule (", $rate, ").")]
            pub fn learning_rate(mut self, learning_rate: impl Into<LearningRate>) -> Self {
                self.settings.learning_rate = learning_rate.into();
                self
            }

            #[doc = concat!(
                "The share of each weight, times the learning rate, that is taken away before each step (",
                $weight_decay, ")."
            )]
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.settings.weight_decay = Some(weight_decay);
                self
            }

            /// The largest norm of each weight's gradient; a longer one is shortened to it (none).
            pub fn clipnorm(mut self, norm: f64) -> Self {
                self.settings.clipnorm = Some(norm);
                self
            }

            /// The largest size of each element of a gradient; beyond it they are cut (none).
            pub fn clipvalue(mut self, value: f64) -> Self {
                self.settings.clipvalue = Some(value);
                self
            }

            /// The largest norm of all gradients together; if it is larger, all are shortened by the
            /// same factor (none).
            pub fn global_clipnorm(mut self, norm: f64) -> Self {
                self.settings.global_clipnorm = Some(norm);
                self
            }
        }
    };
}
pub(super) use shared_settings;

/// The methods of [`Optimizer`](super::Optimizer) that are about what all optimizers share.
macro_rules! shared_methods {
    () => {
        fn learning_rate(&self) -> f64 {
            self.settings.rate()
        }

        fn set_learning_rate(&mut self, learning_rate: f64) {
            self.settings.set_rate(learning_rate);
        }

        fn schedule(&self) -> Option<&'static str> {
            self.settings.learning_rate.schedule()
        }

        fn built_for(&mut self) -> Option<&mut super::BuiltFor> {
            Some(&mut self.settings.built_for)
        }
    };
}
pub(super) use shared_methods;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_do_not_depend_on_the_number_of_threads() {
        let tensor = Tensor::uniform([3 * PIECE + 5], -1.0, 1.0);
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let one = alone.install(|| sum_of_squares(&tensor));
        assert_eq!(sum_of_squares(&tensor).to_bits(), one.to_bits());
    }

    #[test]
    fn only_one_way_of_clipping_can_be_chosen() {
        let mut settings = Settings::new(0.1);
        settings.clipnorm = Some(1.0);
        settings.check("SGD").unwrap();
        settings.clipvalue = Some(0.5);
        let error = settings.check("SGD").unwrap_err().to_string();
        assert!(
            error.ends_with("got clipnorm 1 and clipvalue 0.5"),
            "{error}"
        );
    }

    #[test]
    fn vectors_are_shortened_to_the_norm_and_those_that_are_not_finite_stay_so() {
        let mut settings = Settings::new(0.1);
        settings.clipnorm = Some(2.5);
        let scale = |settings: &Settings, gradient: &Tensor| {
            let step = settings.prepare(std::slice::from_ref(gradient));
            step.clipped(gradient).adjust.scale
        };
        assert_eq!(scale(&settings, &Tensor::from([3.0, 4.0])), 0.5);
        assert_eq!(scale(&settings, &Tensor::from([0.0, 0.0])), 1.0);
        assert!(scale(&settings, &Tensor::from([f32::INFINITY])).is_nan());
        (settings.clipnorm, settings.global_clipnorm) = (None, Some(2.5));
        assert_eq!(scale(&settings, &Tensor::from([3.0, 4.0])), 0.5);
        assert!(scale(&settings, &Tensor::from([f32::NAN, 1.0])).is_nan());
    }
}
