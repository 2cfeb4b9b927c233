//! Rules that turn gradients into better weights.
//!
//! Formulas and defaults are Keras 3's. Each rule passes once over a weight, its gradient and its
//! state, in place.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod betas;
mod built_for;
mod loss_scale_optimizer;
mod nadam;
#[cfg(test)]
mod parity;
mod rmsprop;
mod schedules;
mod settings;
mod sgd;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use update::Adjust;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
#[doc(hidden)]
pub use built_for::BuiltFor;
pub use loss_scale_optimizer::LossScaleOptimizer;
pub use nadam::Nadam;
pub use rmsprop::RMSprop;
pub use schedules::{
    CosineDecay, ExponentialDecay, InverseTimeDecay, LearningRate, PiecewiseConstantDecay,
    PolynomialDecay,
};
pub use sgd::SGD;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Fields, Parsed};
use crate::{Error, Result, Tensor, names};

/// What an optimizer keeps, by name: a vector for each weight, empty where it was not used yet.
pub(crate) type State = BTreeMap<String, Vec<Vec<f32>>>;

/// What [`Optimizer::state`] gives: by name, a vector for each weight.
pub type Kept = Vec<(&'static str, Vec<Arc<Vec<f32>>>)>;

/// A rule that changes weights by their gradients.
///
/// A user's own optimizer is passed to `compile` as `Box<dyn Optimizer>`.
pub trait Optimizer: OptimizerClone + Send + Sync {
    /// Its name: `rmsprop`.
    fn name(&self) -> &str;

    /// Whether its settings make sense.
    ///
    /// # Errors
    /// [`Error::Value`] with the setting, its value and what is allowed.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How far the next step goes.
    fn learning_rate(&self) -> f64;

    /// Changes how far the next steps go; takes the place of a schedule.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// The name of the schedule that the learning rate follows; `None` if it is a number.
    fn schedule(&self) -> Option<&'static str> {
        None
    }

    /// What the loss is multiplied by before it is differentiated; its gradients are divided by it in the step.
    fn loss_scale(&self) -> f64 {
        1.0
    }

    /// Changes each weight by its gradient.
    ///
    /// # Shapes
    /// `gradients[i]` as `weights[i]`; the same weights in the same order at each call.
    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]);

    /// Forgets what earlier steps left behind: velocities, moments, the step count.
    fn reset(&mut self) {}

    /// Where it notes which weights its steps are for, so that it is not used for others by mistake; an
    /// optimizer of your own need not.
    #[doc(hidden)]
    fn built_for(&mut self) -> Option<&mut BuiltFor> {
        None
    }

    /// Its settings, and the count of its steps, from which it can be made again by its name;
    /// `None` if it cannot be saved, which is what an optimizer of your own leaves.
    fn config(&self) -> Option<Value> {
        None
    }

    /// What earlier steps left behind, by name: a vector for each weight.
    ///
    /// # Errors
    /// [`Error::Device`] if it is on a card that has failed.
    fn state(&self) -> Result<Kept> {
        Ok(Vec::new())
    }
}

/// Copies an optimizer behind a `Box`; every `Clone` optimizer has it.
pub trait OptimizerClone {
    /// The copy.
    fn clone_box(&self) -> Box<dyn Optimizer>;
}

impl<T: Optimizer + Clone + 'static> OptimizerClone for T {
    fn clone_box(&self) -> Box<dyn Optimizer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Optimizer> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// An optimizer given to `compile`: one of this module's, a name, or a user's own in a box.
pub struct OptimizerChoice(Choice);

enum Choice {
    Known(Box<dyn Optimizer>),
    Named(String),
}

impl OptimizerChoice {
    /// The optimizer chosen, its settings checked.
    ///
    /// # Errors
    /// [`Error::Value`] for an unknown name or a setting out of range.
    pub(crate) fn resolve(self) -> Result<Box<dyn Optimizer>> {
        let optimizer = match self.0 {
            Choice::Known(optimizer) => optimizer,
            Choice::Named(name) => from_name(&name)?,
        };
        optimizer.check()?;
        Ok(optimizer)
    }
}

/// The names that `compile` takes; a literal, since completion reads it in the source.
const NAMES: &[&str] = &[
    "sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta",
];

macro_rules! optimizers {
    ($($name:literal => $optimizer:ident),* $(,)?) => {
        #[cfg(test)]
        const LISTED: &[&str] = &[$($name),*];

        /// The optimizer of this name with its defaults: `"rmsprop"`, `"adam"`, …
        ///
        /// # Errors
        /// [`Error::Value`] with the nearest known name.
        pub fn from_name(name: &str) -> Result<Box<dyn Optimizer>> {
            match name.to_lowercase().as_str() {
                $($name => Ok(Box::new($optimizer::new())),)*
                _ => Err(Error::Value(names::unknown("optimizer", name, NAMES))),
            }
        }

        /// The optimizer that [`Optimizer::config`] and [`Optimizer::state`] described.
        pub(crate) fn from_config(
            name: &str,
            config: &Value,
            mut state: State,
        ) -> Parsed<Box<dyn Optimizer>> {
            let fields = Fields::of(config, name)?;
            let optimizer: Box<dyn Optimizer> = match name {
                $($name => Box::new($optimizer::from_config(&fields, &mut state)?),)*
                // Without a name in `compile`: it needs another one.
                "loss_scale_optimizer" => {
                    Box::new(LossScaleOptimizer::from_config(&fields, state)?)
                }
                other => return Err(format!("no optimizer is named {other:?}")),
            };
            optimizer.check().map_err(|error| error.to_string())?;
            Ok(optimizer)
        }

        given_as_they_are!($($optimizer),*, LossScaleOptimizer);
    };
}

/// What `compile` takes, and what takes another optimizer.
macro_rules! given_as_they_are {
    ($($optimizer:ident),*) => {
        $(
            impl From<$optimizer> for Box<dyn Optimizer> {
                fn from(optimizer: $optimizer) -> Self {
                    Box::new(optimizer)
                }
            }

            impl From<$optimizer> for OptimizerChoice {
                fn from(optimizer: $optimizer) -> Self {
                    OptimizerChoice(Choice::Known(Box::new(optimizer)))
                }
            }

            impl From<&$optimizer> for OptimizerChoice {
                fn from(optimizer: &$optimizer) -> Self {
                    OptimizerChoice(Choice::Known(Box::new(optimizer.clone())))
                }
            }
        )*
    };
}

optimizers! {
    "sgd" => SGD,
    "rmsprop" => RMSprop,
    "adam" => Adam,
    "adamw" => AdamW,
    "adamax" => Adamax,
    "nadam" => Nadam,
    "adagrad" => Adagrad,
    "adadelta" => Adadelta,
}

impl From<&str> for OptimizerChoice {
    fn from(name: &str) -> Self {
        OptimizerChoice(Choice::Named(name.to_string()))
    }
}

impl From<Box<dyn Optimizer>> for OptimizerChoice {
    fn from(optimizer: Box<dyn Optimizer>) -> Self {
        OptimizerChoice(Choice::Known(optimizer))
    }
}

/// An error unless `value` is a number above zero.
fn check_positive(optimizer: &str, setting: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Value(format!(
        "{optimizer}: {setting} must be a number above 0, got {value}"
    )))
}

/// An error unless `value` is at least 0 and below 1.
fn check_fraction(optimizer: &str, setting: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Value(format!(
        "{optimizer}: {setting} must be at least 0 and below 1, got {value}"
    )))
}

/// An error unless `value` is a number, zero or above.
fn check_at_least_zero(optimizer: &str, setting: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Value(format!(
        "{optimizer}: {setting} must be a number, at least 0, got {value}"
    )))
}
