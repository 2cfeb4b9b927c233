//! Normalization by the statistics of the batch.

mod moving;

use serde_json::{Value, json};

use super::affine::{Affine, affine_settings};
use super::dims::with_axes_last;
use super::plan::{self, Input, Plan};
use super::weight::{are_free, weight_methods};
use super::{Base, Call, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::initializers::Initializer;
use crate::losses::EPSILON;
use crate::tensor::expect;
use crate::{Result, Tensor};
use moving::Noted;

/// Gives each channel mean 0 and variance 1, then a scale and a shift that are learned:
/// `gamma · (x - mean) / √(variance + epsilon) + beta`.
///
/// While training, mean and variance are those of the batch, over all axes but the channels', and are
/// averaged into `moving_mean` and `moving_variance`, which take their place otherwise. Where a mask
/// says which timesteps count, the others have no part in mean and variance. A layer that is frozen
/// ([`Layer::set_trainable`]) uses the moving ones in training too, as in Keras.
///
/// # Shapes
/// any → the same; weights `gamma`, `beta` and state `moving_mean`, `moving_variance`: `[channels]`
///
/// ```
/// use dlcore::prelude::*;
/// let mut layer = BatchNormalization::new();
/// layer.build(&[2])?;
/// let x = Tensor::from([[1.0, -10.0], [3.0, 10.0]]);
/// let y = layer.forward(&x, true);
/// assert!((y - Tensor::from([[-1.0, -1.0], [1.0, 1.0]])).abs().max().item() < 1e-3);
/// // `fit` does this after each batch.
/// layer.commit();
/// assert!((layer.state()[0].get(0).item() - 0.02).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
///
/// Source: Ioffe and Szegedy, 2015; momentum and epsilon as in Keras.
#[derive(Clone, Debug)]
pub struct BatchNormalization {
    base: Base,
    axis: isize,
    momentum: f64,
    epsilon: f64,
    affine: Affine,
    moving_mean_initializer: Initializer,
    moving_variance_initializer: Initializer,
    moving_mean: Option<Tensor>,
    moving_variance: Option<Tensor>,
    noted: Noted,
}

layer_settings!(BatchNormalization, "batch_normalization");
affine_settings!(BatchNormalization);

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization::new()
    }
}

impl BatchNormalization {
    /// A layer for channels on the last axis.
    pub fn new() -> BatchNormalization {
        BatchNormalization {
            base: Base::new("BatchNormalization", "batch_normalization"),
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            affine: Affine::new(),
            moving_mean_initializer: Initializer::Zeros,
            moving_variance_initializer: Initializer::Ones,
            moving_mean: None,
            moving_variance: None,
            noted: Noted::default(),
        }
    }

    /// The axis of the channels (-1), the batch axis being 0: 1 after a convolution whose channels
    /// come first.
    pub fn axis(mut self, axis: isize) -> BatchNormalization {
        self.axis = axis;
        self
    }

    /// The share of the moving mean and variance that stays at each batch (0.99).
    pub fn momentum(mut self, momentum: f64) -> BatchNormalization {
        self.momentum = momentum;
        self
    }

    /// How the moving mean begins (`"zeros"`).
    pub fn moving_mean_initializer(
        mut self,
        initializer: impl Into<Initializer>,
    ) -> BatchNormalization {
        self.moving_mean_initializer = initializer.into();
        self
    }

    /// How the moving variance begins (`"ones"`).
    pub fn moving_variance_initializer(
        mut self,
        initializer: impl Into<Initializer>,
    ) -> BatchNormalization {
        self.moving_variance_initializer = initializer.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<BatchNormalization> {
        let initializer = |key| Initializer::from_field(fields, key);
        let layer = BatchNormalization {
            base: Base::from_config("BatchNormalization", "batch_normalization", fields)?,
            axis: Dims::single(fields, "axis", -1)?,
            momentum: fields.float("momentum")?,
            epsilon: fields.float("epsilon")?,
            affine: Affine::from_config(fields)?,
            moving_mean_initializer: initializer("moving_mean_initializer")?,
            moving_variance_initializer: initializer("moving_variance_initializer")?,
            moving_mean: None,
            moving_variance: None,
            noted: Noted::default(),
        };
        if fields.get("renorm").and_then(Value::as_bool) == Some(true) {
            return Err("BatchNormalization: renorm is not supported".to_string());
        }
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        self.check_epsilon()?;
        match (0.0..=1.0).contains(&self.momentum) {
            true => Ok(()),
            false => Err(self.base.value_error(format!(
                "momentum is the share that stays, from 0 to 1, got {}",
                self.momentum
            ))),
        }
    }

    /// The axis of the channels, which must be as many as when the layer was built.
    fn channel_axis(&self, sample: &[usize]) -> Result<usize> {
        let axis = self.base.axis(self.axis, sample)?;
        match &self.moving_mean {
            Some(mean) if mean.len() != sample[axis - 1] => Err(self.base.shape_error(format!(
                "expected {} channels on axis {}, as when it was built, got samples of shape {sample:?}",
                mean.len(),
                self.axis
            ))),
            _ => Ok(axis),
        }
    }

    /// By the batch's own mean and variance, which are noted.
    fn by_batch(&self, x: &Tensor, axis: usize, mask: Option<&Tensor>) -> Tensor {
        let channels = x.shape()[axis];
        let (gamma, beta) = self.affine.rows(channels, x.dtype());
        let others: Vec<usize> = (0..x.ndim()).filter(|&other| other != axis).collect();
        if let Some(mask) = mask {
            let kept = self.spread(mask, x);
            let rows = |x: &Tensor| with_axis_first(x, axis);
            let (mean, variance) = masked_moments(&rows(x), &rows(&kept));
            self.noted.note(self.momentum, &mean, &variance);
            let shape: Vec<usize> = (0..x.ndim())
                .map(|other| if others.contains(&other) { 1 } else { channels })
                .collect();
            let [mean, variance, gamma, beta] =
                [&mean, &variance, &gamma, &beta].map(|row| row.reshape(&shape));
            return (x - mean) / (variance + self.epsilon).sqrt() * gamma + beta;
        }
        with_axes_last(x, &[axis], |x| {
            let result = expect(ops::batch_norm(x, &gamma, &beta, self.epsilon));
            self.noted
                .note(self.momentum, &result.mean, &result.variance);
            result.output
        })
    }

    /// By the moving mean and variance.
    fn by_moving(&self, x: &Tensor, axis: usize) -> Tensor {
        let (Some(mean), Some(variance)) = (&self.moving_mean, &self.moving_variance) else {
            panic!("{}", self.base.unbuilt());
        };
        let (mean, variance) = (mean.cast(x.dtype()), variance.cast(x.dtype()));
        let (gamma, beta) = self.affine.rows(mean.len(), x.dtype());
        let scale = gamma / (variance + self.epsilon).sqrt();
        let shift = beta - mean * &scale;
        let mut shape = vec![1; x.ndim() - axis];
        shape[0] = scale.len();
        x * scale.reshape(&shape) + shift.reshape(&shape)
    }

    /// A mask of timesteps as numbers of the shape of `x`.
    fn spread(&self, mask: &Tensor, x: &Tensor) -> Tensor {
        if mask.shape() != &x.shape()[..x.ndim() - 1] {
            panic!(
                "{}",
                self.base.shape_error(format!(
                    "expected a mask of the input's shape without its last axis, {:?}, got {:?}",
                    &x.shape()[..x.ndim() - 1],
                    mask.shape()
                ))
            );
        }
        x.detach().ones_like() * mask.expand_dims(-1).cast(x.dtype())
    }
}

/// `[channels, rest]`
fn with_axis_first(x: &Tensor, axis: usize) -> Tensor {
    let order: Vec<usize> = std::iter::once(axis)
        .chain((0..x.ndim()).filter(|&other| other != axis))
        .collect();
    let rest = x.len() / x.shape()[axis].max(1);
    x.permute(&order).reshape([x.shape()[axis], rest])
}

/// Mean and variance of each row over the elements that are kept. As in Keras a row of which none is
/// has mean 0.
fn masked_moments(rows: &Tensor, kept: &Tensor) -> (Tensor, Tensor) {
    let count = kept.sum_axis(1) + EPSILON;
    let mean = (rows * kept).sum_axis(1) / &count;
    let differences = (rows - mean.expand_dims(1)) * kept;
    let variance = differences.square().sum_axis(1) / count;
    (mean, variance)
}

impl Layer for BatchNormalization {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        let axis = self.channel_axis(input_shape)?;
        let shape = [input_shape[axis - 1]];
        let base = &mut self.base;
        self.affine.build(base, &shape)?;
        let mean = base.weight("moving mean", &shape, &self.moving_mean_initializer)?;
        let variance = base.weight("moving variance", &shape, &self.moving_variance_initializer)?;
        base.finish()?;
        (self.moving_mean, self.moving_variance) = (Some(mean), Some(variance));
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.channel_axis(input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let call = Call {
            training,
            masks: Vec::new(),
        };
        self.call(std::slice::from_ref(x), &call).remove(0)
    }

    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        if self.moving_mean.is_none() {
            panic!("{}", self.base.unbuilt());
        }
        let x = inputs[0].as_float();
        let axis = expect(self.channel_axis(self.base.sample(&x)));
        vec![match call.training && self.base.trainable {
            true => self.by_batch(&x, axis, call.mask(0)),
            false => self.by_moving(&x, axis),
        }]
    }

    weight_methods!(affine.gamma, affine.beta);

    fn plan(&self, x: &Input<'_>, _logits: bool) -> Option<Box<dyn Plan>> {
        let weights = [&self.affine.gamma, &self.affine.beta];
        let free = are_free(&weights) && self.base.is_plain() && self.base.trainable;
        let axis = self.channel_axis(x.sample()).ok()?;
        if !free || axis + 1 != x.shape.len() {
            return None;
        }
        let has = weights.map(|weight| weight.value.is_some());
        let note = self.noted.taker(self.momentum);
        let plan = plan::Normalize::new(x, self.epsilon, has, Box::new(note))?;
        Some(Box::new(plan))
    }

    fn state(&self) -> Vec<&Tensor> {
        self.moving_mean
            .iter()
            .chain(&self.moving_variance)
            .collect()
    }

    fn state_mut(&mut self) -> Vec<&mut Tensor> {
        let both = self.moving_mean.iter_mut().chain(&mut self.moving_variance);
        both.collect()
    }

    fn commit(&mut self) {
        let moving = (&mut self.moving_mean, &mut self.moving_variance);
        if let (Some(mean), Some(variance)) = moving {
            self.noted.take_over(mean, variance);
        }
    }

    fn discard(&mut self) {
        self.noted.forget();
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(self.affine.config(json!({
            "axis": self.axis,
            "momentum": number(self.momentum),
            "epsilon": number(self.epsilon),
            "moving_mean_initializer": self.moving_mean_initializer.config(),
            "moving_variance_initializer": self.moving_variance_initializer.config(),
        }))))
    }
}

#[cfg(test)]
mod tests;
