//! Penalties on what layers return.
//!
//! They are noted where a layer is called, by a model's graph or by a program of one's own, and the step of
//! training or evaluation that the call is a part of adds them to the loss.

use std::cell::{Cell, RefCell};

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::regularizers::Regularizer;
use crate::{Result, Tensor};

thread_local! {
    /// What was noted in the step that this thread is in, if it is in one.
    static NOTED: RefCell<Option<Vec<Tensor>>> = const { RefCell::new(None) };
}

thread_local! {
    /// How many losses layers have added by themselves.
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// How many losses layers have added by themselves on this thread so far.
pub(crate) fn own_losses() -> u64 {
    OWN.get()
}

/// Puts back what an outer step has noted, also in a panic.
struct Outer(Option<Vec<Tensor>>);

impl Drop for Outer {
    fn drop(&mut self) {
        NOTED.set(self.0.take());
    }
}

/// What `run` returns, and the sum of the penalties on what the layers called in it have returned.
pub(crate) fn collect<R>(run: impl FnOnce() -> R) -> (R, Option<Tensor>) {
    let outer = Outer(NOTED.replace(Some(Vec::new())));
    let result = run();
    let noted = NOTED.take().unwrap_or_default();
    drop(outer);
    (result, noted.into_iter().reduce(|sum, one| sum + one))
}

/// Notes the penalty on what a call of `layer` has returned: for each output that of all its elements,
/// divided by the samples, as in Keras.
pub(crate) fn note(layer: &dyn Layer, outputs: &[Tensor]) {
    let Some(regularizer) = layer.activity_regularizer() else {
        return;
    };
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            for output in outputs {
                let samples = output.shape().first().map_or(1, |&samples| samples.max(1));
                noted.push(regularizer.penalty(output) / samples as f64);
            }
        }
    });
}

/// Notes what a layer adds to the loss by itself.
pub(crate) fn note_loss(loss: &Tensor) {
    OWN.set(OWN.get() + 1);
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.push(loss.sum());
        }
    });
}

/// Passes its input on and adds a penalty on it to the loss: `(l1 · Σ|x| + l2 · Σx²) / batch`.
///
/// Every layer can put such a penalty on its own output by its `activity_regularizer`.
///
/// # Shapes
/// any → the same
///
/// ```
/// use dlcore::prelude::*;
/// // Codes of which few elements are not 0.
/// let encoder = Sequential::new()
///     .add(Dense::new(32).activation("relu").input_shape([784]))
///     .add(ActivityRegularization::new(1e-5, 0.0));
/// let same = Dense::new(32).activation("relu").activity_regularizer(Regularizer::l1(1e-5));
/// ```
///
/// Source: Keras 3, `layers/regularization/activity_regularization.py`.
#[derive(Clone, Debug)]
pub struct ActivityRegularization {
    base: Base,
    l1: f64,
    l2: f64,
}

layer_settings!(ActivityRegularization, "activity_regularization");

impl ActivityRegularization {
    /// A layer with these strengths, 0 each in Keras.
    pub fn new(l1: f64, l2: f64) -> ActivityRegularization {
        Self::of(
            Base::new("ActivityRegularization", "activity_regularization"),
            l1,
            l2,
        )
    }

    fn of(mut base: Base, l1: f64, l2: f64) -> ActivityRegularization {
        base.activity_regularizer = Some(Regularizer::l1_l2(l1, l2));
        ActivityRegularization { base, l1, l2 }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<ActivityRegularization> {
        let base = Base::from_config("ActivityRegularization", "activity_regularization", fields)?;
        let layer = Self::of(base, fields.float("l1")?, fields.float("l2")?);
        let checked = layer.base.check_activity_regularizer();
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

impl Layer for ActivityRegularization {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        x.as_float()
    }

    fn config(&self) -> Option<Value> {
        let own = json!({"l1": number(self.l1), "l2": number(self.l2)});
        let mut config = self.base.config(own);
        if let Value::Object(fields) = &mut config {
            fields.remove("activity_regularizer");
        }
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};
    use crate::layers::{Call, Dense};

    #[test]
    fn conforms() {
        let layer = ActivityRegularization::new(0.1, 0.2);
        check_layer(Case::new(layer, &[3, 2], &[3, 2], 0));
        let layer = Dense::new(2).activity_regularizer("l1_l2");
        check_layer(Case::new(layer, &[3], &[2], 8));
    }

    #[test]
    fn the_penalty_is_divided_by_the_samples_and_counts_within_a_step_only() {
        let layer = ActivityRegularization::new(0.5, 0.1);
        let x = Tensor::from([[1.0, -3.0], [0.0, 2.0]]);
        let pass = || {
            note(
                &layer,
                &layer.call(std::slice::from_ref(&x), &Call::training()),
            )
        };
        pass();
        let ((), none) = collect(|| ());
        assert!(none.is_none());
        let (inner, outer) = collect(|| {
            pass();
            collect(|| {
                pass();
                pass();
            })
            .1
        });
        // (0.5 · 6 + 0.1 · 14) / 2
        assert!((outer.unwrap().item() - 2.2).abs() < 1e-6);
        assert!((inner.unwrap().item() - 4.4).abs() < 1e-6);
    }

    #[test]
    fn a_panic_ends_the_step_that_it_is_in() {
        let panicked = std::panic::catch_unwind(|| collect(|| panic!("on purpose")));
        assert!(panicked.is_err());
        assert!(NOTED.take().is_none());
    }

    #[test]
    fn a_strength_that_makes_no_sense_is_refused_with_the_layers_name() {
        let mut layer = ActivityRegularization::new(-1.0, 0.0).name("sparse");
        let error = layer.build(&[2]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "sparse (ActivityRegularization): activity_regularizer: regularizer: l1 must be"
            ),
            "{error}"
        );
        let mut layer = Dense::new(1).activity_regularizer("l3");
        let error = layer.build(&[2]).unwrap_err().to_string();
        assert!(
            error.contains("activity_regularizer: unknown regularizer \"l3\""),
            "{error}"
        );
    }
}
