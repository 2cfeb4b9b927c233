//! Adam: momentum and scaling by the gradients' mean square, both corrected for their start at
//! zero.

use std::sync::Arc;

use serde_json::{Value, json};

use super::update::{Slots, update2};
use super::{Optimizer, check_fraction, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::{Result, Tensor};

/// Running means of the gradient and of its square, corrected for their start at zero.
///
/// `m += (1 − beta_1) · (g − m)`, `v += (1 − beta_2) · (g² − v)`,
/// `a = learning_rate · sqrt(1 − beta_2ᵗ) / (1 − beta_1ᵗ)`, `w -= a · m / (sqrt(v) + epsilon)`.
///
/// Defaults: learning rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7. Source: Keras 3,
/// `optimizers/adam.py`, after Kingma and Ba, 2014, <https://arxiv.org/abs/1412.6980>.
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    steps: i32,
    moments: Slots,
    velocities: Slots,
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            learning_rate: 1e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            steps: 0,
            moments: Slots::default(),
            velocities: Slots::default(),
        }
    }
}

impl Adam {
    /// With Keras's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far a step goes (0.001).
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// How slowly the mean of gradients forgets, from 0 to below 1 (0.9).
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.beta_1 = beta_1;
        self
    }

    /// How slowly the mean of squares forgets, from 0 to below 1 (0.999).
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.beta_2 = beta_2;
        self
    }

    /// Keeps the divisor from zero (1e-7).
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl Adam {
    pub(super) fn from_config(
        fields: &Fields<'_>,
        moments: Slots,
        velocities: Slots,
    ) -> Parsed<Adam> {
        Ok(Adam {
            learning_rate: fields.float("learning_rate")?,
            beta_1: fields.float("beta_1")?,
            beta_2: fields.float("beta_2")?,
            epsilon: fields.float("epsilon")?,
            steps: i32::try_from(fields.size("steps")?).unwrap_or(i32::MAX),
            moments,
            velocities,
        })
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &str {
        "adam"
    }

    fn check(&self) -> Result<()> {
        check_positive("Adam", "learning_rate", self.learning_rate)?;
        check_fraction("Adam", "beta_1", self.beta_1)?;
        check_fraction("Adam", "beta_2", self.beta_2)?;
        check_positive("Adam", "epsilon", self.epsilon)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        self.steps = self.steps.saturating_add(1);
        let correction =
            (1.0 - self.beta_2.powi(self.steps)).sqrt() / (1.0 - self.beta_1.powi(self.steps));
        let alpha = (self.learning_rate * correction) as f32;
        let (new_1, new_2) = ((1.0 - self.beta_1) as f32, (1.0 - self.beta_2) as f32);
        let epsilon = self.epsilon as f32;
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let moments = self.moments.get(index, weight.len());
            let velocities = self.velocities.get(index, weight.len());
            update2(weight, gradient, (moments, velocities), |w, g, m, v| {
                let m = m + (g - m) * new_1;
                let v = v + (g * g - v) * new_2;
                (w - alpha * m / (v.sqrt() + epsilon), m, v)
            });
        }
    }

    fn reset(&mut self) {
        self.steps = 0;
        self.moments.clear();
        self.velocities.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(json!({
            "learning_rate": number(self.learning_rate),
            "beta_1": number(self.beta_1),
            "beta_2": number(self.beta_2),
            "epsilon": number(self.epsilon),
            "steps": self.steps,
        }))
    }

    fn state(&self) -> Vec<(&'static str, &[Arc<Vec<f32>>])> {
        vec![
            ("moments", self.moments.all()),
            ("velocities", self.velocities.all()),
        ]
    }
}
