//! Adagrad: steps scaled by all gradients so far.

use serde_json::{Value, json};

use super::settings::{Settings, shared_methods, shared_settings};
use super::update::{Slots, on_card, update1};
use super::{Kept, LearningRate, Optimizer, State, check_at_least_zero, check_positive};
use crate::config::{Fields, Parsed, number};
use crate::device::cuda::OptimizerRule;
use crate::{Result, Tensor};

/// Divides each gradient by the root of the sum of all its squares so far.
///
/// `a += g²` and `w -= learning_rate · g / sqrt(a + epsilon)`.
///
/// Defaults: learning rate 0.001, the sum begins at 0.1, epsilon 1e-7. Source: Keras 3,
/// `optimizers/adagrad.py`, after Duchi, Hazan and Singer, 2011,
/// <https://www.jmlr.org/papers/volume12/duchi11a/duchi11a.pdf>.
///
/// ```
/// use dlcore::optimizers::Adagrad;
/// let optimizer = Adagrad::new().learning_rate(0.1);
/// ```
#[derive(Clone, Debug)]
pub struct Adagrad {
    settings: Settings,
    initial_accumulator_value: f64,
    epsilon: f64,
    accumulators: Slots,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad {
            settings: Settings::new(1e-3),
            initial_accumulator_value: 0.1,
            epsilon: 1e-7,
            accumulators: Slots::default(),
        }
    }
}

shared_settings!(Adagrad, "0.001", "none");

impl Adagrad {
    /// What the sum of squares begins at (0.1).
    pub fn initial_accumulator_value(mut self, initial_accumulator_value: f64) -> Self {
        self.initial_accumulator_value = initial_accumulator_value;
        self
    }

    /// Keeps the root from zero (1e-7).
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl Adagrad {
    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<Adagrad> {
        Ok(Adagrad {
            settings: Settings::from_config(fields)?,
            initial_accumulator_value: fields.float("initial_accumulator_value")?,
            epsilon: fields.float("epsilon")?,
            accumulators: Slots::take(state, "accumulators"),
        })
    }
}

impl Optimizer for Adagrad {
    shared_methods!();

    fn name(&self) -> &str {
        "adagrad"
    }

    fn check(&self) -> Result<()> {
        self.settings.check("Adagrad")?;
        check_at_least_zero(
            "Adagrad",
            "initial_accumulator_value",
            self.initial_accumulator_value,
        )?;
        check_positive("Adagrad", "epsilon", self.epsilon)
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        let step = self.settings.prepare(gradients);
        let (rate, epsilon) = (step.rate as f32, self.epsilon as f32);
        let first = self.initial_accumulator_value as f32;
        self.accumulators.begin_with(first);
        let rule = OptimizerRule::Adagrad { rate, epsilon };
        let slots = [&mut self.accumulators];
        let made = on_card(weights, gradients, &step, rule, slots);
        self.settings.count();
        if made {
            return;
        }
        for (index, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
            let accumulators = self.accumulators.get(index, weight.len());
            update1(
                weight,
                step.clipped(gradient),
                accumulators,
                move |w, g, a| {
                    let a = a + g * g;
                    (w - rate * g / (a + epsilon).sqrt(), a)
                },
            );
        }
    }

    fn reset(&mut self) {
        self.settings.reset();
        self.accumulators.clear();
    }

    fn config(&self) -> Option<Value> {
        Some(self.settings.config(json!({
            "initial_accumulator_value": number(self.initial_accumulator_value),
            "epsilon": number(self.epsilon),
        })))
    }

    fn state(&self) -> Result<Kept> {
        Ok(vec![("accumulators", self.accumulators.all()?)])
    }
}
