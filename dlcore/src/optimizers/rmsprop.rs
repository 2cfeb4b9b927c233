//! RMSprop: steps scaled by the root of the gradients' mean square.

use serde_json::{Value, json};

use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Gradient, Slots, on_card, update1, update2, update3};
use super::{Kept, LearningRate, Optimizer, State, check_fraction, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Divides each gradient by the root of a running mean of its squares.
///
/// `v = rho · v + (1 − rho) · g²` and `w -= learning_rate · g / sqrt(v + epsilon)`; with momentum
/// `m = momentum · m + learning_rate · g / sqrt(v + epsilon)` and `w -= m`. Centered, the root is
/// that of the variance: `a = rho · a + (1 − rho) · g` and `v − a²` instead of `v`.
///
/// Defaults: learning rate 0.001, rho 0.9, no momentum, epsilon 1e-7, not centered. Source: Keras 3,
/// `optimizers/rmsprop.py`; note that epsilon is inside the root there.
///
/// ```
/// use dlcore::optimizers::RMSprop;
/// let optimizer = RMSprop::new().learning_rate(1e-4).rho(0.95);
/// ```
#[derive(Clone, Debug)]
pub struct RMSprop {
    settings: Settings,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
    velocities: Slots,
    moments: Slots,
    averages: Slots,
}

impl Default for RMSprop {
    fn default() -> Self {
        RMSprop {
            settings: Settings::new(1e-3),
            rho: 0.9,
            momentum: 0.0,
            epsilon: 1e-7,
            centered: false,
            velocities: Slots::default(),
            moments: Slots::default(),
            averages: Slots::default(),
        }
    }
}

shared_settings!(RMSprop, "0.001", "none");

impl RMSprop {
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

    /// Whether gradients are divided by their standard deviation, not their root mean square (false).
    pub fn centered(mut self, centered: bool) -> Self {
        self.centered = centered;
        self
    }

    /// How much the divisor of the learning rate grows at each step: the rate of step `n`, from 0, is
    /// `learning_rate / (1 + decay · n)` (0). The name is that of 2017;
    /// [`InverseTimeDecay`](super::InverseTimeDecay) is today's.
    pub fn decay(mut self, decay: f64) -> Self {
        self.settings.decay = decay;
        self
    }
}

impl RMSprop {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<RMSprop> {
        Ok(RMSprop {
            settings: Settings::from_config(fields)?,
            rho: fields.float("rho")?,
            momentum: fields.float("momentum")?,
            epsilon: fields.float("epsilon")?,
            centered: fields.get("centered").is_some() && fields.flag("centered")?,
            velocities: Slots::take(state, "velocities"),
            moments: Slots::take(state, "moments"),
            averages: Slots::take(state, "averages"),
        })
    }

    /// One weight's step where gradients are centered.
    fn centered_step(
        &mut self,
        index: usize,
        weight: &mut Tensor,
        gradient: Gradient<'_>,
        rate: f32,
    ) {
        let (rho, rest) = (self.rho as f32, (1.0 - self.rho) as f32);
        let (momentum, epsilon) = (self.momentum as f32, self.epsilon as f32);
        let velocities = self.velocities.get(index, weight.len());
        let averages = self.averages.get(index, weight.len());
        if self.momentum == 0.0 {
            update2(
                weight,
                gradient,
                (velocities, averages),
                move |w, g, v, a| {
                    let v = rho * v + rest * (g * g);
                    let a = rho * a + rest * g;
                    (w - rate * g / (v - a * a + epsilon).sqrt(), v, a)
                },
            );
            return;
        }
        let moments = self.moments.get(index, weight.len());
        let slots = (velocities, averages, moments);
        update3(weight, gradient, slots, move |w, g, v, a, m| {
            let v = rho * v + rest * (g * g);
            let a = rho * a + rest * g;
            let m = momentum * m + rate * g / (v - a * a + epsilon).sqrt();
            (w - m, v, a, m)
        });
    }
}

impl Optimizer for RMSprop {
    shared_methods!();

    fn name(&self) -> &str {
        "rmsprop"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("RMSprop")?;
        check_fraction("RMSprop", "rho", self.rho)?;
        check_fraction("RMSprop", "momentum", self.momentum)?;
        check_positive("RMSprop", "epsilon", self.epsilon)
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let (rate, momentum) = (step.rate as f32, self.momentum as f32);
        let (rho, rest) = (self.rho as f32, (1.0 - self.rho) as f32);
        let epsilon = self.epsilon as f32;
        let rule = OptimizerRule::RmsProp {
            rate,
            rho,
            rest,
            epsilon,
            momentum,
            centered: self.centered,
        };
        let velocities = &mut self.velocities;
        let (averages, moments) = (&mut self.averages, &mut self.moments);
        let made = match (self.centered, self.momentum != 0.0) {
            (false, false) => on_card(weights, gradients, &step, rule, [velocities]),
            (true, false) => on_card(weights, gradients, &step, rule, [velocities, averages]),
            (false, true) => on_card(weights, gradients, &step, rule, [velocities, moments]),
            (true, true) => {
                let slots = [velocities, averages, moments];
                on_card(weights, gradients, &step, rule, slots)
            }
        };
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let gradient = step.clipped(gradient);
            if self.centered {
                self.centered_step(index, weight, gradient, rate);
                continue;
            }
            let velocities = self.velocities.get(index, weight.len());
            if self.momentum == 0.0 {
                update1(weight, gradient, velocities, move |w, g, v| {
                    let v = rho * v + rest * (g * g);
                    (w - rate * g / (v + epsilon).sqrt(), v)
                });
            } else {
                let moments = self.moments.get(index, weight.len());
                update2(
                    weight,
                    gradient,
                    (velocities, moments),
                    move |w, g, v, m| {
                        let v = rho * v + rest * (g * g);
                        let m = momentum * m + rate * g / (v + epsilon).sqrt();
                        (w - m, v, m)
                    },
                );
            }
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.velocities.clear();
        self.moments.clear();
        self.averages.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(self.settings.config(json!({
            "rho": number(self.rho),
            "momentum": number(self.momentum),
            "epsilon": number(self.epsilon),
            "centered": self.centered,
        })))
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![
            ("velocities", self.velocities.all()?),
            ("moments", self.moments.all()?),
            ("averages", self.averages.all()?),
        ])
    }
}
