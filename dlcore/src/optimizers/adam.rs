//! Adam: momentum and scaling by the gradients' mean square, both corrected for their start at
//! zero.

use serde_json::{Value, json};

use super::betas::{Betas, beta_settings};
use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update2, update3};
use super::{Kept, LearningRate, Optimizer, State};
use crate::config::{Fields, Parsed};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Running means of the gradient and of its square, corrected for their start at zero.
///
/// `m += (1 − beta_1) · (g − m)`, `v += (1 − beta_2) · (g² − v)`,
/// `a = learning_rate · sqrt(1 − beta_2ᵗ) / (1 − beta_1ᵗ)`, `w -= a · m / (sqrt(v) + epsilon)`; with
/// AMSGrad the largest `v` so far instead of `v`.
///
/// Defaults: learning rate 0.001, beta_1 0.9, beta_2 0.999, epsilon 1e-7, no AMSGrad. Source: Keras 3,
/// `optimizers/adam.py`, after Kingma and Ba, 2014, <https://arxiv.org/abs/1412.6980>.
///
/// ```
/// use dlcore::optimizers::Adam;
/// let optimizer = Adam::new().learning_rate(3e-4).global_clipnorm(1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    pub(super) settings: Settings,
    betas: Betas,
    amsgrad: bool,
    moments: Slots,
    velocities: Slots,
    largest: Slots,
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            settings: Settings::new(1e-3),
            betas: Betas::default(),
            amsgrad: false,
            moments: Slots::default(),
            velocities: Slots::default(),
            largest: Slots::default(),
        }
    }
}

shared_settings!(Adam, "0.001", "none");
beta_settings!(Adam, "the mean of squares forgets");

impl Adam {
    /// Whether the divisor is that of the largest mean of squares so far (false). After Reddi, Kale and
    /// Kumar, 2018, <https://openreview.net/forum?id=ryQu7f-RZ>.
    pub fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.amsgrad = amsgrad;
        self
    }
}

impl Adam {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<Adam> {
        Ok(Adam {
            settings: Settings::from_config(fields)?,
            betas: Betas::from_config(fields)?,
            amsgrad: fields.get("amsgrad").is_some() && fields.flag("amsgrad")?,
            moments: Slots::take(state, "moments"),
            velocities: Slots::take(state, "velocities"),
            largest: Slots::take(state, "largest"),
        })
    }

    /// [`Optimizer::check`], under the name of the optimizer that this is or is part of.
    pub(super) fn check_as(&self, name: &str) -> Result<()> {
        self.settings.check(name)?;
        self.betas.check(name)
    }
}

impl Optimizer for Adam {
    shared_methods!();

    fn name(&self) -> &str {
        "adam"
    }

    fn check(&self) -> Result<()> {
        self.check_as("Adam")
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let correction = (1.0 - self.betas.beta_2.powi(step.number)).sqrt()
            / (1.0 - self.betas.beta_1.powi(step.number));
        let alpha = (step.rate * correction) as f32;
        let (new_1, new_2) = (
            (1.0 - self.betas.beta_1) as f32,
            (1.0 - self.betas.beta_2) as f32,
        );
        let epsilon = self.betas.epsilon as f32;
        let rule = OptimizerRule::Adam {
            alpha,
            new_1,
            new_2,
            epsilon,
            amsgrad: self.amsgrad,
        };
        let (moments, velocities) = (&mut self.moments, &mut self.velocities);
        let made = match self.amsgrad {
            false => on_card(weights, gradients, &step, rule, [moments, velocities]),
            true => {
                let slots = [moments, velocities, &mut self.largest];
                on_card(weights, gradients, &step, rule, slots)
            }
        };
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let gradient = step.clipped(gradient);
            let moments = self.moments.get(index, weight.len());
            let velocities = self.velocities.get(index, weight.len());
            if self.amsgrad {
                let slots = (moments, velocities, self.largest.get(index, weight.len()));
                update3(weight, gradient, slots, move |w, g, m, v, l| {
                    let m = m + (g - m) * new_1;
                    let v = v + (g * g - v) * new_2;
                    let l = if v > l { v } else { l };
                    (w - alpha * m / (l.sqrt() + epsilon), m, v, l)
                });
                continue;
            }
            update2(
                weight,
                gradient,
                (moments, velocities),
                move |w, g, m, v| {
                    let m = m + (g - m) * new_1;
                    let v = v + (g * g - v) * new_2;
                    (w - alpha * m / (v.sqrt() + epsilon), m, v)
                },
            );
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.moments.clear();
        self.velocities.clear();
        self.largest.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(
            self.settings
                .config(self.betas.config(json!({"amsgrad": self.amsgrad}))),
        )
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![
            ("moments", self.moments.all()?),
            ("velocities", self.velocities.all()?),
            ("largest", self.largest.all()?),
        ])
    }
}
