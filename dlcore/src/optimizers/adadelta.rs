//! Adadelta: steps as long as the steps before, in proportion to the gradients.

use serde_json::{Value, json};

use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update2};
use super::{Kept, LearningRate, Optimizer, State, check_fraction, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Scales each gradient by the ratio of the steps lately made to the gradients they came from.
///
/// `a = rho · a + (1 − rho) · g²`, `d = g · sqrt(b + epsilon) / sqrt(a + epsilon)`,
/// `b = rho · b + (1 − rho) · d²`, `w -= learning_rate · d`.
///
/// Defaults: learning rate 0.001 (1 in the paper), rho 0.95, epsilon 1e-7. Source: Keras 3,
/// `optimizers/adadelta.py`, after Zeiler, 2012, <https://arxiv.org/abs/1212.5701>.
///
/// ```
/// use dlcore::optimizers::Adadelta;
/// let as_in_the_paper = Adadelta::new().learning_rate(1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Adadelta {
    settings: Settings,
    rho: f64,
    epsilon: f64,
    gradients: Slots,
    steps: Slots,
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta {
            settings: Settings::new(1e-3),
            rho: 0.95,
            epsilon: 1e-7,
            gradients: Slots::default(),
            steps: Slots::default(),
        }
    }
}

shared_settings!(Adadelta, "0.001", "none");

impl Adadelta {
    /// How slowly both means of squares forget, from 0 to below 1 (0.95).
    pub fn rho(mut self, rho: f64) -> Self {
        self.rho = rho;
        self
    }

    /// Keeps the roots from zero (1e-7).
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl Adadelta {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<Adadelta> {
        Ok(Adadelta {
            settings: Settings::from_config(fields)?,
            rho: fields.float("rho")?,
            epsilon: fields.float("epsilon")?,
            gradients: Slots::take(state, "gradients"),
            steps: Slots::take(state, "steps"),
        })
    }
}

impl Optimizer for Adadelta {
    shared_methods!();

    fn name(&self) -> &str {
        "adadelta"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("Adadelta")?;
        check_fraction("Adadelta", "rho", self.rho)?;
        check_positive("Adadelta", "epsilon", self.epsilon)
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let (rate, epsilon) = (step.rate as f32, self.epsilon as f32);
        let (rho, rest) = (self.rho as f32, (1.0 - self.rho) as f32);
        let rule = OptimizerRule::Adadelta {
            rate,
            rho,
            rest,
            epsilon,
        };
        let slots = [&mut self.gradients, &mut self.steps];
        let made = on_card(weights, gradients, &step, rule, slots);
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let means = self.gradients.get(index, weight.len());
            let steps = self.steps.get(index, weight.len());
            update2(
                weight,
                step.clipped(gradient),
                (means, steps),
                move |w, g, a, b| {
                    let a = rho * a + rest * (g * g);
                    let d = (b + epsilon).sqrt() * g / (a + epsilon).sqrt();
                    (w - rate * d, a, rho * b + rest * (d * d))
                },
            );
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.gradients.clear();
        self.steps.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(self.settings.config(json!({
            "rho": number(self.rho),
            "epsilon": number(self.epsilon),
        })))
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![
            ("gradients", self.gradients.all()?),
            ("steps", self.steps.all()?),
        ])
    }
}
