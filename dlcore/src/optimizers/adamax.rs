//! Adamax: Adam scaled by the largest recent gradient.

use serde_json::{Value, json};

use super::betas::{Betas, beta_settings};
use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update2};
use super::{Kept, LearningRate, Optimizer, State};
use crate::config::{Fields, Parsed};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// A running mean of the gradient, divided by the largest gradient there lately was.
///
/// `m += (1 − beta_1) · (g − m)`, `u = max(beta_2 · u, |g|)`,
/// `w -= learning_rate · m / ((1 − beta_1ᵗ) · (u + epsilon))`.
///
/// Defaults: learning rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7. Source: Keras 3,
/// `optimizers/adamax.py`, after Kingma and Ba, 2014, <https://arxiv.org/abs/1412.6980>, section 7.
///
/// ```
/// use dlcore::optimizers::Adamax;
/// let optimizer = Adamax::new().learning_rate(0.002);
/// ```
#[derive(Clone, Debug)]
pub struct Adamax {
    settings: Settings,
    betas: Betas,
    moments: Slots,
    norms: Slots,
}

impl Default for Adamax {
    fn default() -> Self {
        Adamax {
            settings: Settings::new(1e-3),
            betas: Betas::default(),
            moments: Slots::default(),
            norms: Slots::default(),
        }
    }
}

shared_settings!(Adamax, "0.001", "none");
beta_settings!(Adamax, "the largest gradient is forgotten");

impl Adamax {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<Adamax> {
        Ok(Adamax {
            settings: Settings::from_config(fields)?,
            betas: Betas::from_config(fields)?,
            moments: Slots::take(state, "moments"),
            norms: Slots::take(state, "norms"),
        })
    }
}

impl Optimizer for Adamax {
    shared_methods!();

    fn name(&self) -> &str {
        "adamax"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("Adamax")?;
        self.betas.check("Adamax")
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let alpha = (step.rate / (1.0 - self.betas.beta_1.powi(step.number))) as f32;
        let (new_1, beta_2) = ((1.0 - self.betas.beta_1) as f32, self.betas.beta_2 as f32);
        let epsilon = self.betas.epsilon as f32;
        let rule = OptimizerRule::Adamax {
            alpha,
            new_1,
            beta_2,
            epsilon,
        };
        let slots = [&mut self.moments, &mut self.norms];
        let made = on_card(weights, gradients, &step, rule, slots);
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let moments = self.moments.get(index, weight.len());
            let norms = self.norms.get(index, weight.len());
            update2(
                weight,
                step.clipped(gradient),
                (moments, norms),
                move |w, g, m, u| {
                    let m = m + (g - m) * new_1;
                    let (u, size) = (beta_2 * u, g.abs());
                    let u = if size > u { size } else { u };
                    (w - alpha * m / (u + epsilon), m, u)
                },
            );
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.moments.clear();
        self.norms.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(self.settings.config(self.betas.config(json!({}))))
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![
            ("moments", self.moments.all()?),
            ("norms", self.norms.all()?),
        ])
    }
}
