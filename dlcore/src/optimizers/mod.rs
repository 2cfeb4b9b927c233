//! Rules that turn gradients into better weights.
//!
//! Formulas and defaults are Keras 3's. Each rule passes once over a weight, its gradient and its
//! state, in place.

mod adam;
mod rmsprop;
mod sgd;
mod update;

pub use adam::Adam;
pub use rmsprop::RMSprop;
pub use sgd::SGD;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Fields, Parsed};
use crate::{Error, Result, Tensor, names};

/// What an optimizer keeps, by name: a vector for each weight, empty where it was not used yet.
pub(crate) type State = BTreeMap<String, Vec<Vec<f32>>>;

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

    /// How far a step goes.
    fn learning_rate(&self) -> f64;

    /// Changes how far the next steps go.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Changes each weight by its gradient.
    ///
    /// # Shapes
    /// `gradients[i]` as `weights[i]`; the same weights in the same order at each call.
    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]);

    /// Forgets what earlier steps left behind: velocities, moments, the step count.
    fn reset(&mut self) {}

    /// Its settings, and the count of its steps, from which it can be made again by its name;
    /// `None` if it cannot be saved, which is what an optimizer of your own leaves.
    fn config(&self) -> Option<Value> {
        None
    }

    /// What earlier steps left behind, by name: a vector for each weight.
    fn state(&self) -> Vec<(&'static str, &[Arc<Vec<f32>>])> {
        Vec::new()
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

const NAMES: [&str; 3] = ["sgd", "rmsprop", "adam"];

/// The optimizer of this name with its defaults: `"sgd"`, `"rmsprop"`, `"adam"`.
///
/// # Errors
/// [`Error::Value`] with the nearest known name.
pub fn from_name(name: &str) -> Result<Box<dyn Optimizer>> {
    match name.to_lowercase().as_str() {
        "sgd" => Ok(Box::new(SGD::new())),
        "rmsprop" => Ok(Box::new(RMSprop::new())),
        "adam" => Ok(Box::new(Adam::new())),
        _ => Err(Error::Value(names::unknown("optimizer", name, &NAMES))),
    }
}

/// The optimizer that [`Optimizer::config`] and [`Optimizer::state`] described.
pub(crate) fn from_config(
    name: &str,
    config: &Value,
    mut state: State,
) -> Parsed<Box<dyn Optimizer>> {
    let fields = Fields::of(config, name)?;
    let mut slots = |key: &str| update::Slots::from(state.remove(key).unwrap_or_default());
    let optimizer: Box<dyn Optimizer> = match name {
        "sgd" => Box::new(SGD::from_config(&fields, slots("moments"))?),
        "rmsprop" => Box::new(RMSprop::from_config(
            &fields,
            slots("velocities"),
            slots("moments"),
        )?),
        "adam" => Box::new(Adam::from_config(
            &fields,
            slots("moments"),
            slots("velocities"),
        )?),
        other => return Err(format!("no optimizer is named {other:?}")),
    };
    optimizer.check().map_err(|error| error.to_string())?;
    Ok(optimizer)
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

macro_rules! choice_from {
    ($($optimizer:ty),*) => {$(
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
    )*};
}
choice_from!(SGD, RMSprop, Adam);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimizers_are_found_by_name_whatever_the_case() {
        for name in ["sgd", "RMSprop", "adam"] {
            assert_eq!(from_name(name).unwrap().name(), name.to_lowercase());
        }
        let error = OptimizerChoice::from("rmsporp")
            .resolve()
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("did you mean \"rmsprop\"?"), "{error}");
    }

    /// Gradients so small that it matters where epsilon stands; the numbers are Keras 3.15's.
    #[test]
    fn epsilon_stands_where_keras_has_it() {
        let rmsprop: Box<dyn Optimizer> = Box::new(RMSprop::new());
        let adam: Box<dyn Optimizer> = Box::new(Adam::new());
        for (mut optimizer, gradient, expected) in [
            (rmsprop, 1e-4, [-3.146_584e-4, -6.279_241e-4]),
            (adam, 1e-6, [-2.402_514_5e-4, -5.492_12e-4]),
        ] {
            let mut weight = Tensor::zeros([1]);
            for expected in expected {
                optimizer.step(&mut [&mut weight], &[Tensor::full([1], gradient)]);
                let actual = weight.item();
                assert!(
                    (actual / expected - 1.0).abs() < 1e-5,
                    "{}: {actual} {expected}",
                    optimizer.name()
                );
            }
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let error = |choice: OptimizerChoice| choice.resolve().err().unwrap().to_string();
        assert!(
            error(SGD::new().learning_rate(-0.1).into())
                .contains("learning_rate must be a number above 0, got -0.1")
        );
        assert!(error(SGD::new().learning_rate(f64::NAN).into()).contains("NaN"));
        assert!(
            error(SGD::new().momentum(1.5).into())
                .contains("momentum must be at least 0 and below 1, got 1.5")
        );
        assert!(error(RMSprop::new().rho(1.0).into()).contains("rho"));
        assert!(error(Adam::new().beta_2(2.0).into()).contains("beta_2"));
    }
}
