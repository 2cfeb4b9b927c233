//! Stochastic gradient descent.

use serde_json::{Value, json};

use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update0, update1};
use super::{Kept, LearningRate, Optimizer, State, check_fraction};
use crate::config::{Fields, Parsed, number};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Stochastic gradient descent, with momentum where asked for.
///
/// `w -= learning_rate · g`; with momentum `m = momentum · m − learning_rate · g` and `w += m`
/// (Nesterov: `w += momentum · m − learning_rate · g`).
///
/// Defaults: learning rate 0.01, no momentum. Source: Keras 3, `optimizers/sgd.py`.
///
/// ```
/// use dlcore::optimizers::SGD;
/// let optimizer = SGD::new().learning_rate(0.1).momentum(0.9).nesterov(true);
/// ```
#[derive(Clone, Debug)]
pub struct SGD {
    settings: Settings,
    momentum: f64,
    nesterov: bool,
    moments: Slots,
}

impl Default for SGD {
    fn default() -> Self {
        SGD {
            settings: Settings::new(0.01),
            momentum: 0.0,
            nesterov: false,
            moments: Slots::default(),
        }
    }
}

shared_settings!(SGD, "0.01", "none");

impl SGD {
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

    /// How much the divisor of the learning rate grows at each step: the rate of step `n`, from 0, is
    /// `learning_rate / (1 + decay · n)` (0). The name is that of 2017;
    /// [`InverseTimeDecay`](super::InverseTimeDecay) is today's.
    pub fn decay(mut self, decay: f64) -> Self {
        self.settings.decay = decay;
        self
    }
}

impl SGD {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<SGD> {
        Ok(SGD {
            settings: Settings::from_config(fields)?,
            momentum: fields.float("momentum")?,
            nesterov: fields.flag("nesterov")?,
            moments: Slots::take(state, "moments"),
        })
    }
}

impl Optimizer for SGD {
    shared_methods!();

    fn name(&self) -> &str {
        "sgd"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("SGD")?;
        check_fraction("SGD", "momentum", self.momentum)
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let (rate, momentum) = (step.rate as f32, self.momentum as f32);
        let nesterov = self.nesterov;
        let made = match self.momentum {
            0.0 => on_card(weights, gradients, &step, OptimizerRule::Sgd { rate }, []),
            _ => {
                let rule = OptimizerRule::SgdMomentum {
                    rate,
                    momentum,
                    nesterov,
                };
                on_card(weights, gradients, &step, rule, [&mut self.moments])
            }
        };
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let gradient = step.clipped(gradient);
            if self.momentum == 0.0 {
                update0(weight, gradient, move |w, g| w - rate * g);
                continue;
            }
            let moments = self.moments.get(index, weight.len());
            if self.nesterov {
                update1(weight, gradient, moments, move |w, g, m| {
                    let m = momentum * m - rate * g;
                    (w + momentum * m - rate * g, m)
                });
            } else {
                update1(weight, gradient, moments, move |w, g, m| {
                    let m = momentum * m - rate * g;
                    (w + m, m)
                });
            }
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.moments.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(self.settings.config(json!({
            "momentum": number(self.momentum),
            "nesterov": self.nesterov,
        })))
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![("moments", self.moments.all()?)])
    }
}
