//! RMSprop: steps scaled by the root of the gradients' mean square.

use std::sync::Arc;

use serde_json::{Value, json};

use super::update::{Slots, update1, update2};
use super::{Optimizer, check_fraction, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::{Result, Tensor};

/// Divides each gradient by the root of a running mean of its squares.
///
/// `v = rho · v + (1 − rho) · g²` and `w -= learning_rate · g / sqrt(v + epsilon)`; with momentum
/// `m = momentum · m + learning_rate · g / sqrt(v + epsilon)` and `w -= m`.
///
/// Defaults: learning rate 0.001, rho 0.9, no momentum, epsilon 1e-7. Source: Keras 3,
/// `optimizers/rmsprop.py`; note that epsilon is inside the root there.
#[derive(Clone, Debug)]
pub struct RMSprop {
    learning_rate: f64,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    velocities: Slots,
    moments: Slots,
}

impl Default for RMSprop {
    fn default() -> Self {
        RMSprop {
            learning_rate: 1e-3,
            rho: 0.9,
            momentum: 0.0,
            epsilon: 1e-7,
            velocities: Slots::default(),
            moments: Slots::default(),
        }
    }
}

impl RMSprop {
    /// With Keras's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far a step goes (0.001).
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// How slowly the mean of squares forgets, from 0 to below 1 (0.9).
    pub fn rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// How much of the last step is repeated, from 0 to below 1 (0).
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Keeps the root from zero (1e-7).
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl RMSprop {
    pub(super) fn from_config(
        fields: &Fields<'_>,
        velocities: Slots,
        moments: Slots,
    ) -> Parsed<RMSprop> {
        Ok(RMSprop {
            learning_rate: fields.float("learning_rate")?,
            rho: fields.float("rho")?,
            momentum: fields.float("momentum")?,
            epsilon: fields.float("epsilon")?,
            velocities,
            moments,
        })
    }
}

impl Optimizer for RMSprop {
    fn name(&self) -> &str {
        "rmsprop"
    }

    fn check(&self) -> Result<()> {
        check_positive("RMSprop", "learning_rate", self.learning_rate)?;
        check_fraction("RMSprop", "rho", self.rho)?;
        check_fraction("RMSprop", "momentum", self.momentum)?;
        check_positive("RMSprop", "epsilon", self.epsilon)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let (rate, momentum) = (self.learning_rate as f32, self.momentum as f32);
        let (rho, rest) = (self.rho as f32, (1.0 - self.rho) as f32);
        let epsilon = self.epsilon as f32;
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let velocities = self.velocities.get(index, weight.len());
            if self.momentum == 0.0 {
                update1(weight, gradient, velocities, |w, g, v| {
                    let v = rho * v + rest * (g * g);
                    (w - rate * g / (v + epsilon).sqrt(), v)
                });
            } else {
                let moments = self.moments.get(index, weight.len());
                update2(weight, gradient, (velocities, moments), |w, g, v, m| {
                    let v = rho * v + rest * (g * g);
                    let m = momentum * m + rate * g / (v + epsilon).sqrt();
                    (w - m, v, m)
                });
            }
        }
    }

    fn reset(&mut self) {
        self.velocities.clear();
        self.moments.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(json!({
            "learning_rate": number(self.learning_rate),
            "rho": number(self.rho),
            "momentum": number(self.momentum),
            "epsilon": number(self.epsilon),
        }))
    }

    fn state(&self) -> Vec<(&'static str, &[Arc<Vec<f32>>])> {
        vec![
            ("velocities", self.velocities.all()),
            ("moments", self.moments.all()),
        ]
    }
}
