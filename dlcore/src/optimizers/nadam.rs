//! Nadam: Adam with Nesterov's momentum.

use serde_json::{Value, json};

use super::betas::{Betas, beta_settings};
use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update2};
use super::{Kept, LearningRate, Optimizer, State};
use crate::config::{Fields, Parsed, number};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Adam whose momentum looks one step ahead.
///
/// With `uₜ = beta_1 · (1 − 0.96ᵗ / 2)` and `Uₜ = u₁ · … · uₜ`:
/// `m += (1 − beta_1) · (g − m)`, `v += (1 − beta_2) · (g² − v)`,
/// `m̂ = uₜ₊₁ · m / (1 − Uₜ₊₁) + (1 − uₜ) · g / (1 − Uₜ)`,
/// `w -= learning_rate · m̂ / (sqrt(v / (1 − beta_2ᵗ)) + epsilon)`.
///
/// Defaults: learning rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7. Source: Keras 3,
/// `optimizers/nadam.py`, after Dozat, 2015, <https://cs229.stanford.edu/proj2015/054_report.pdf>.
///
/// ```
/// use dlcore::optimizers::Nadam;
/// let optimizer = Nadam::new().learning_rate(0.002);
/// ```
#[derive(Clone, Debug)]
pub struct Nadam {
    settings: Settings,
    betas: Betas,
    /// `Uₜ` of the steps so far.
    product: f64,
    moments: Slots,
    velocities: Slots,
}

impl Default for Nadam {
    fn default() -> Self {
        Nadam {
            settings: Settings::new(1e-3),
            betas: Betas::default(),
            product: 1.0,
            moments: Slots::default(),
            velocities: Slots::default(),
        }
    }
}

shared_settings!(Nadam, "0.001", "none");
beta_settings!(Nadam, "the mean of squares forgets");

impl Nadam {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<Nadam> {
        Ok(Nadam {
            settings: Settings::from_config(fields)?,
            betas: Betas::from_config(fields)?,
            product: fields.float("product")?,
            moments: Slots::take(state, "moments"),
            velocities: Slots::take(state, "velocities"),
        })
    }
}

impl Optimizer for Nadam {
    shared_methods!();

    fn name(&self) -> &str {
        "nadam"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("Nadam")?;
        self.betas.check("Nadam")
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let ahead = |step: i32| self.betas.beta_1 * (1.0 - 0.5 * 0.96_f64.powi(step));
        let (now, next) = (ahead(step.number), ahead(step.number.saturating_add(1)));
        let product = self.product * now;
        let from_moment = (step.rate * next / (1.0 - product * next)) as f32;
        let from_gradient = (step.rate * (1.0 - now) / (1.0 - product)) as f32;
        let correction = (1.0 / (1.0 - self.betas.beta_2.powi(step.number))) as f32;
        let (new_1, new_2) = (
            (1.0 - self.betas.beta_1) as f32,
            (1.0 - self.betas.beta_2) as f32,
        );
        let epsilon = self.betas.epsilon as f32;
        let rule = OptimizerRule::Nadam {
            from_moment,
            from_gradient,
            correction,
            new_1,
            new_2,
            epsilon,
        };
        let slots = [&mut self.moments, &mut self.velocities];
        let made = on_card(weights, gradients, &step, rule, slots);
        self.settings.count();
        self.product = product;
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let moments = self.moments.get(index, weight.len());
            let velocities = self.velocities.get(index, weight.len());
            let slots = (moments, velocities);
            update2(weight, step.clipped(gradient), slots, move |w, g, m, v| {
                let m = m + (g - m) * new_1;
                let v = v + (g * g - v) * new_2;
                let ahead = from_moment * m + from_gradient * g;
                (w - ahead / ((v * correction).sqrt() + epsilon), m, v)
            });
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.product = 1.0;
        self.moments.clear();
        self.velocities.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(
            self.settings
                .config(self.betas.config(json!({"product": number(self.product)}))),
        )
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![
            ("moments", self.moments.all()?),
            ("velocities", self.velocities.all()?),
        ])
    }
}
