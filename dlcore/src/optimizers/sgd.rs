//! Stochastic gradient descent.

use std::sync::Arc;

use serde_json::{Value, json};

use super::update::{Slots, update0, update1};
use super::{Optimizer, check_fraction, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::{Result, Tensor};

/// Stochastic gradient descent, with momentum where asked for.
///
/// `w -= learning_rate · g`; with momentum `m = momentum · m − learning_rate · g` and `w += m`
/// (Nesterov: `w += momentum · m − learning_rate · g`).
///
/// Defaults: learning rate 0.01, no momentum. Source: Keras 3, `optimizers/sgd.py`.
#[derive(Clone, Debug)]
pub struct SGD {
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    moments: Slots,
}

impl Default for SGD {
    fn default() -> Self {
        SGD {
            learning_rate: 0.01,
            momentum: 0.0,
            nesterov: false,
            moments: Slots::default(),
        }
    }
}

impl SGD {
    /// With Keras's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far a step goes (0.01).
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// How much of the last step is repeated, from 0 to below 1 (0).
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Whether the gradient's step is taken ahead of the momentum's (false).
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }
}

impl SGD {
    pub(super) fn from_config(fields: &Fields<'_>, moments: Slots) -> Parsed<SGD> {
        Ok(SGD {
            learning_rate: fields.float("learning_rate")?,
            momentum: fields.float("momentum")?,
            nesterov: fields.flag("nesterov")?,
            moments,
        })
    }
}

impl Optimizer for SGD {
    fn name(&self) -> &str {
        "sgd"
    }

    fn check(&self) -> Result<()> {
        check_positive("SGD", "learning_rate", self.learning_rate)?;
        check_fraction("SGD", "momentum", self.momentum)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let (rate, momentum) = (self.learning_rate as f32, self.momentum as f32);
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            if self.momentum == 0.0 {
                update0(weight, gradient, |w, g| w - rate * g);
                continue;
            }
            let moments = self.moments.get(index, weight.len());
            if self.nesterov {
                update1(weight, gradient, moments, |w, g, m| {
                    let m = momentum * m - rate * g;
                    (w + momentum * m - rate * g, m)
                });
            } else {
                update1(weight, gradient, moments, |w, g, m| {
                    let m = momentum * m - rate * g;
                    (w + m, m)
                });
            }
        }
    }

    fn reset(&mut self) {
        self.moments.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(json!({
            "learning_rate": number(self.learning_rate),
            "momentum": number(self.momentum),
            "nesterov": self.nesterov,
        }))
    }

    fn state(&self) -> Vec<(&'static str, &[Arc<Vec<f32>>])> {
        vec![("moments", self.moments.all())]
    }
}
