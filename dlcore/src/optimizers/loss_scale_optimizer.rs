//! The gradients of a scaled loss, for numbers that do not reach as far down as those of single precision.

use serde_json::{Value, json};

use super::{BuiltFor, Kept, Optimizer, State, check_positive, from_config};
use crate::config::{Fields, Parsed, number};
use crate::{Error, Result, Tensor};

/// Has the loss multiplied by a large number before it is differentiated, so that small gradients do not vanish on the
/// way, and divides the gradients by it before another optimizer's step.
///
/// A step whose gradients are not all finite is left out, and the scale is halved; after `dynamic_growth_steps` steps in
/// a row that were not, it is doubled. What layers note in their forward pass, such as the moving statistics of
/// [`BatchNormalization`](crate::layers::BatchNormalization), changes all the same, as it does in Keras. Learning rate, clipping and weight decay are those of the inner optimizer.
///
/// In `fit` the loss is scaled by itself, and what is shown is the loss as it is. (A loss that is itself not finite ends
/// `fit`, as with every optimizer.) In a training loop of your own, differentiate
/// [`scale_loss(&loss)`](LossScaleOptimizer::scale_loss).
///
/// Defaults: a scale of 2¹⁵ at first, doubled after 2000 steps. Source: Keras 3,
/// `optimizers/loss_scale_optimizer.py`, after Micikevicius et al., 2018, <https://arxiv.org/abs/1710.03740>. There the
/// scale may become 0 or infinite, from which it does not come back; here it stays a number above 0.
///
/// [`Fit::mixed_precision`](crate::models::Fit::mixed_precision) needs none of it: bfloat16 reaches as far as single
/// precision does.
///
/// ```
/// use dlcore::prelude::*;
/// let mut model = Sequential::new().add(Dense::new(1).input_shape([4]));
/// model.compile(LossScaleOptimizer::new(Adam::new()), "mse", Metrics::none())?;
/// let (x, y) = (Tensor::uniform([64, 4], -1.0, 1.0), Tensor::ones([64, 1]));
/// model.fit(&x, &y, Fit::epochs(2).verbose(0))?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct LossScaleOptimizer {
    inner: Box<dyn Optimizer>,
    initial_scale: f64,
    dynamic_growth_steps: usize,
    /// What the loss is multiplied by now.
    scale: f32,
    /// Steps since it changed.
    steps: usize,
}

impl std::fmt::Debug for LossScaleOptimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LossScaleOptimizer")
            .field("inner_optimizer", &self.inner.name())
            .field("initial_scale", &self.initial_scale)
            .field("dynamic_growth_steps", &self.dynamic_growth_steps)
            .field("dynamic_scale", &self.scale)
            .finish()
    }
}

impl LossScaleOptimizer {
    /// Around this optimizer, which is none that scales the loss itself, with Keras's defaults.
    pub fn new(inner_optimizer: impl Into<Box<dyn Optimizer>>) -> LossScaleOptimizer {
        let scale = 32768.0;
        LossScaleOptimizer {
            inner: inner_optimizer.into(),
            initial_scale: scale,
            dynamic_growth_steps: 2000,
            scale: scale as f32,
            steps: 0,
        }
    }

    /// What the loss is multiplied by at first (2¹⁵ = 32768).
    pub fn initial_scale(mut self, initial_scale: f64) -> Self {
        self.initial_scale = initial_scale;
        self.scale = initial_scale as f32;
        self
    }

    /// After how many steps with finite gradients the scale is doubled (2000); 0 for never.
    pub fn dynamic_growth_steps(mut self, steps: usize) -> Self {
        self.dynamic_growth_steps = steps;
        self
    }

    /// What the loss is multiplied by now.
    pub fn dynamic_scale(&self) -> f64 {
        f64::from(self.scale)
    }

    /// The loss times the scale, whose gradients [`Optimizer::step`] takes.
    pub fn scale_loss(&self, loss: &Tensor) -> Tensor {
        loss * self.dynamic_scale()
    }

    /// Multiplies the scale, unless that leaves what a number can be.
    fn rescale(&mut self, factor: f32) {
        self.steps = 0;
        let scale = self.scale * factor;
        if scale.is_normal() {
            self.scale = scale;
        }
    }

    pub(super) fn from_config(fields: &Fields<'_>, state: State) -> Parsed<LossScaleOptimizer> {
        let inner = fields.get("inner_optimizer").unwrap_or(&Value::Null);
        let inner = Fields::of(inner, "inner_optimizer")?;
        let settings = inner.get("config").unwrap_or(&Value::Null);
        Ok(LossScaleOptimizer {
            inner: from_config(inner.text("name")?, settings, state)?,
            initial_scale: fields.float("initial_scale")?,
            dynamic_growth_steps: fields.size("dynamic_growth_steps")?,
            scale: fields.float("dynamic_scale")? as f32,
            steps: fields.size("step_counter")?,
        })
    }
}

/// Whether all numbers are finite; one number is looked at, however many there are and wherever they lie.
fn are_finite(gradients: &[Tensor]) -> bool {
    let gradients = gradients.iter().filter(|gradient| gradient.len() > 0);
    let largest = gradients.map(|gradient| gradient.abs().max());
    let largest = largest.reduce(|largest, other| largest.maximum(&other));
    largest.is_none_or(|largest| largest.item().is_finite())
}

impl Optimizer for LossScaleOptimizer {
    fn name(&self) -> &str {
        "loss_scale_optimizer"
    }

    fn check(&self) -> Result<()> {
        let what = "LossScaleOptimizer";
        check_positive(what, "initial_scale", self.initial_scale)?;
        check_positive(what, "the scale in single precision", self.dynamic_scale())?;
        // Each would divide by its own scale gradients that are multiplied by one alone.
        if self.inner.name() == self.name() || self.inner.loss_scale() != 1.0 {
            return Err(Error::Value(format!(
                "{what}: expected an optimizer that does not scale the loss itself, got {}, by whose scale gradients \
                 would be divided once more; leave out one of the two",
                self.inner.name()
            )));
        }
        self.inner.check()
    }

    fn learning_rate(&self) -> f64 {
        self.inner.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.inner.set_learning_rate(learning_rate);
    }

    fn schedule(&self) -> Option<&'static str> {
        self.inner.schedule()
    }

    fn loss_scale(&self) -> f64 {
        self.dynamic_scale()
    }

    /// Takes the gradients of the scaled loss.
    fn step(&mut self, weights: &mut [&mut Tensor], gradients: &[Tensor]) {
        if !are_finite(gradients) {
            self.rescale(0.5);
            return;
        }
        let scale = self.dynamic_scale();
        let unscaled: Vec<Tensor> = gradients.iter().map(|gradient| gradient / scale).collect();
        self.inner.step(weights, &unscaled);
        self.steps += 1;
        if self.steps == self.dynamic_growth_steps {
            self.rescale(2.0);
        }
    }

    fn reset(&mut self) {
        self.scale = self.initial_scale as f32;
        self.steps = 0;
        self.inner.reset();
    }

    fn built_for(&mut self) -> Option<&mut BuiltFor> {
        self.inner.built_for()
    }

    fn config(&self) -> Option<Value> {
        let inner = self.inner.config()?;
        Some(json!({
            "inner_optimizer": {"name": self.inner.name(), "config": inner},
            "initial_scale": number(self.initial_scale),
            "dynamic_growth_steps": self.dynamic_growth_steps,
            "dynamic_scale": number(self.dynamic_scale()),
            "step_counter": self.steps,
        }))
    }

    fn state(&self) -> Result<Kept> {
        self.inner.state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::SGD;

    #[test]
    fn the_scale_stays_a_number() {
        let mut optimizer =
            LossScaleOptimizer::new(SGD::new()).initial_scale(f64::from(f32::MIN_POSITIVE));
        let mut weight = Tensor::zeros([1]);
        let nan = Tensor::full([1], f64::NAN);
        optimizer.step(&mut [&mut weight], &[nan]);
        assert_eq!(optimizer.dynamic_scale(), f64::from(f32::MIN_POSITIVE));
        let mut optimizer = LossScaleOptimizer::new(SGD::new())
            .initial_scale(2e38)
            .dynamic_growth_steps(1);
        optimizer.step(&mut [&mut weight], &[Tensor::zeros([1])]);
        assert_eq!(optimizer.dynamic_scale(), f64::from(2e38_f32));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let error = |optimizer: LossScaleOptimizer| optimizer.check().unwrap_err().to_string();
        let around = |scale| LossScaleOptimizer::new(SGD::new()).initial_scale(scale);
        assert!(error(around(0.0)).contains("initial_scale must be a number above 0, got 0"));
        assert!(error(around(1e39)).contains("in single precision must be a number above 0"));
        let inner = LossScaleOptimizer::new(SGD::new().momentum(2.0));
        assert!(error(inner).contains("SGD: momentum"));
        for scale in [1.0, 32768.0] {
            let twice = error(LossScaleOptimizer::new(around(scale)));
            assert!(twice.contains("leave out one of the two"), "{twice}");
        }
    }
}
