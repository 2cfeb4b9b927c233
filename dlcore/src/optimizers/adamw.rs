//! AdamW: Adam whose weights decay by themselves, apart from the gradient.

use serde_json::Value;

use super::{Adam, BuiltFor, Kept, LearningRate, Optimizer, State};
use crate::config::{Fields, Parsed};
use crate::{Error, Result, Tensor};

/// [`Adam`] with weight decay: `w -= w · weight_decay · learning_rate` before each step.
///
/// Defaults: weight decay 0.004, the others as Adam's. Source: Keras 3, `optimizers/adamw.py`, after
/// Loshchilov and Hutter, 2017, <https://arxiv.org/abs/1711.05101>.
///
/// ```
/// use dlcore::optimizers::AdamW;
/// let optimizer = AdamW::new().learning_rate(1e-4).weight_decay(0.01);
/// ```
#[derive(Clone, Debug)]
pub struct AdamW(Adam);

impl Default for AdamW {
    fn default() -> Self {
        AdamW(Adam::new().weight_decay(0.004))
    }
}

impl AdamW {
    /// With Keras's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far a step goes, a number or a schedule (0.001).
    pub fn learning_rate(self, learning_rate: impl Into<LearningRate>) -> Self {
        AdamW(self.0.learning_rate(learning_rate))
    }

    /// The share of each weight, times the learning rate, that is taken away before each step
    /// (0.004).
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        AdamW(self.0.weight_decay(weight_decay))
    }

    /// How slowly the mean of gradients forgets, from 0 to below 1 (0.9).
    pub fn beta_1(self, beta_1: f64) -> Self {
        AdamW(self.0.beta_1(beta_1))
    }

    /// How slowly the mean of squares forgets, from 0 to below 1 (0.999).
    pub fn beta_2(self, beta_2: f64) -> Self {
        AdamW(self.0.beta_2(beta_2))
    }

    /// Keeps the divisor from zero (1e-7).
    pub fn epsilon(self, epsilon: f64) -> Self {
        AdamW(self.0.epsilon(epsilon))
    }

    /// Whether the divisor is that of the largest mean of squares so far (false).
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        AdamW(self.0.amsgrad(amsgrad))
    }

    /// The largest norm of each weight's gradient; a longer one is shortened to it (none).
    pub fn clipnorm(self, norm: f64) -> Self {
        AdamW(self.0.clipnorm(norm))
    }

    /// The largest size of each element of a gradient; beyond it they are cut (none).
    pub fn clipvalue(self, value: f64) -> Self {
        AdamW(self.0.clipvalue(value))
    }

    /// The largest norm of all gradients together; if it is larger, all are shortened by the same
    /// factor (none).
    pub fn global_clipnorm(self, norm: f64) -> Self {
        AdamW(self.0.global_clipnorm(norm))
    }

    pub(super) fn from_config(fields: &Fields<'_>, state: &mut State) -> Parsed<AdamW> {
        Adam::from_config(fields, state).map(AdamW)
    }
}

impl Optimizer for AdamW {
    fn name(&self) -> &str {
        "adamw"
    }

    fn check(&self) -> Result<()> {
        if self.0.settings.weight_decay.is_none() {
            return Err(Error::Value(
                "AdamW: weight_decay must be a number, got none; Adam is the optimizer without"
                    .into(),
            ));
        }
        self.0.check_as("AdamW")
    }

    fn learning_rate(&self) -> f64 {
        Optimizer::learning_rate(&self.0)
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.0.set_learning_rate(learning_rate);
    }

    fn schedule(&self) -> Option<&'static str> {
        self.0.schedule()
    }

    fn built_for(&mut self) -> Option<&mut BuiltFor> {
        self.0.built_for()
    }

    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        self.0.step(weights, gradients);
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn config(&self) -> Option<Value> {
        self.0.config()
    }

    fn state(&self) -> Result<Kept> {
        self.0.state()
    }
}
