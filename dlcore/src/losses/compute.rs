//! The value of a loss: over a batch, by sample, weighted by sample.

use super::{EPSILON, Kind, Loss, formulas};
use crate::grad::ops;
use crate::tensor::{Storage, same_float};
use crate::{DType, Error, Result, Tensor};

/// `(p - t)²`, in one operation.
fn squared_difference(p: &Tensor, t: &Tensor) -> Result<Tensor> {
    let (p, t) = same_float(p, t);
    ops::apply(ops::SquaredDifference, &[&p, &t])
}

impl Loss {
    /// The mean loss of a batch.
    ///
    /// # Shapes
    /// `y_pred` `[batch, …]`, `y_true` the same; for the sparse categorical cross-entropy without
    /// the last axis. Returns one number, `[]`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Value`] if the labels do not fit the predictions.
    pub fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        self.weighted(y_true, y_pred, None, None)
    }

    /// The loss of each sample, or of each timestep of each: `[batch]`, `[batch, time]`, ….
    ///
    /// # Errors
    /// As [`Loss::call`]; [`Error::Shape`] if a function of the user's own returns something else
    /// than numbers for each sample.
    pub(crate) fn per_position(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        let terms = self.terms_of(samples, y_true, y_pred)?;
        match terms.ndim() > 1 && terms.shape() == y_pred.shape() {
            true => terms.try_mean_axis(-1),
            false => Ok(terms),
        }
    }

    /// [`Loss::per_position`] of a column of predictions and one of labels, put into `values`, for the losses
    /// that need nothing but these; false, and nothing, for others.
    pub(crate) fn of_columns(
        &self,
        y_true: &Tensor,
        y_pred: &Tensor,
        values: &mut Vec<f32>,
    ) -> bool {
        let ([samples, 1], [labels] | [labels, 1]) = (y_pred.shape(), y_true.shape()) else {
            return false;
        };
        let (Storage::F32(p), Storage::F32(t)) = (y_pred.storage(), y_true.storage()) else {
            return false;
        };
        let (Some(p), Some(t)) = (p.as_slice(), t.as_slice()) else {
            return false;
        };
        let pairs = p.iter().zip(t);
        match self.kind {
            _ if samples != labels || self.label_smoothing != 0.0 => return false,
            Kind::MeanSquaredError => values.extend(pairs.map(|(p, t)| (p - t) * (p - t))),
            Kind::MeanAbsoluteError => values.extend(pairs.map(|(p, t)| (p - t).abs())),
            _ => return false,
        }
        true
    }

    /// The loss of a batch, one number: each loss times its weight, summed and divided by the number of
    /// losses, not by the sum of the weights, which is Keras's `sum_over_batch_size`. A mask counts as
    /// weights that average 1.
    ///
    /// # Shapes
    /// `weights` `[batch]`, or `[batch, time]` where the loss has timesteps; `mask` `[batch, time]`, which
    /// counts only there.
    ///
    /// # Errors
    /// As [`Loss::per_position`]; [`Error::Shape`] for weights of another shape.
    pub(crate) fn weighted(
        &self,
        y_true: &Tensor,
        y_pred: &Tensor,
        weights: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        if weights.is_none() && mask.is_none() {
            return Ok(self.terms(y_true, y_pred)?.mean());
        }
        let losses = self.per_position(y_true, y_pred)?;
        let mask = mask.filter(|mask| mask.shape() == losses.shape());
        let weights = weights
            .map(|weights| self.aligned_weights(weights, losses.shape()))
            .transpose()?;
        let factors = match (weights, mask.map(averaging_one)) {
            (Some(weights), Some(mask)) => weights * mask,
            (Some(factors), None) | (None, Some(factors)) => factors,
            (None, None) => return Ok(losses.mean()),
        };
        Ok((losses * factors).mean())
    }

    /// Weights with an axis for each of the losses': `[batch]` becomes `[batch, 1]` for losses of timesteps.
    fn aligned_weights(&self, weights: &Tensor, losses: &[usize]) -> Result<Tensor> {
        let weights = weights.to_dense().cast(DType::F32).detach();
        let mut shape = weights.shape().to_vec();
        if shape.len() == losses.len() + 1 && shape.last() == Some(&1) {
            shape.pop();
        }
        let fits = !losses.is_empty() && losses.starts_with(&shape);
        if !fits || shape.is_empty() {
            return Err(Error::Shape(format!(
                "{}: expected sample weights of shape {losses:?}, one for each of its losses, got {:?}",
                self.name,
                weights.shape()
            )));
        }
        shape.resize(losses.len(), 1);
        weights.try_reshape(shape)
    }

    /// [`Loss::terms`], sure to begin with the batch's axis.
    fn terms_of(&self, samples: usize, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let terms = self.terms(y_true, y_pred)?;
        if terms.shape().first() == Some(&samples) {
            return Ok(terms);
        }
        Err(Error::Shape(format!(
            "{}: samples can be weighted where the loss is a number for each of them, shape [{samples}], but the \
             function returned shape {:?}; leave the mean over samples to fit",
            self.name,
            terms.shape(),
        )))
    }

    /// Numbers of shape `[batch, …]` whose mean is the loss.
    fn terms(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let t = &self.smoothed(self.aligned(y_true, y_pred)?, y_pred);
        let p = y_pred;
        Ok(match &self.kind {
            Kind::MeanSquaredError => squared_difference(p, t)?,
            Kind::MeanAbsoluteError => p.try_sub(t)?.abs(),
            Kind::MeanAbsolutePercentageError => formulas::mean_absolute_percentage_error(t, p),
            Kind::MeanSquaredLogarithmicError => formulas::mean_squared_logarithmic_error(t, p),
            Kind::Huber(delta) => formulas::huber(t, p, *delta),
            Kind::LogCosh => formulas::log_cosh(t, p),
            Kind::Hinge => formulas::hinge(t, p),
            Kind::SquaredHinge => formulas::hinge(t, p).square(),
            Kind::CategoricalHinge => formulas::categorical_hinge(t, p),
            Kind::KlDivergence => formulas::kl_divergence(t, p),
            Kind::Poisson => formulas::poisson(t, p),
            Kind::CosineSimilarity => -formulas::cosine(t, p),
            Kind::BinaryCrossentropy if self.from_logits => ops::sigmoid_cross_entropy(p, t)?,
            Kind::BinaryCrossentropy => formulas::binary_crossentropy(t, p),
            Kind::BinaryFocalCrossentropy(focus) => {
                let p = if self.from_logits { &p.sigmoid() } else { p };
                let alpha = focus.balance.then_some(focus.alpha);
                formulas::binary_focal_crossentropy(t, p, focus.gamma, alpha)
            }
            Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy
                if self.from_logits =>
            {
                ops::softmax_cross_entropy(p, t)?
            }
            Kind::CategoricalCrossentropy => formulas::categorical_crossentropy(t, p),
            Kind::SparseCategoricalCrossentropy => {
                let classes = p.shape().last().copied().unwrap_or(1);
                formulas::categorical_crossentropy(&t.try_one_hot(classes)?, p)
            }
            Kind::Custom(function) => function(t, p),
            Kind::Unknown => return Err(self.clone().known().expect_err("it is unknown")),
        })
    }

    /// Labels moved towards "all classes alike".
    fn smoothed(&self, y_true: Tensor, y_pred: &Tensor) -> Tensor {
        let smoothing = self.label_smoothing;
        if smoothing == 0.0 {
            return y_true;
        }
        let classes = match self.kind {
            Kind::CategoricalCrossentropy => y_pred.shape().last().copied().unwrap_or(1),
            _ => 2,
        };
        y_true * (1.0 - smoothing) + smoothing / classes as f64
    }

    /// Labels in the shape the formula wants: `[n]` and `[n, 1]` are taken for one another.
    fn aligned(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let (labels, output) = (y_true.shape(), y_pred.shape());
        let wanted: &[usize] = match output {
            [positions @ .., _] if self.takes_class_numbers() => positions,
            _ => output,
        };
        if labels == wanted || matches!(self.kind, Kind::Custom(_)) && labels.len() >= output.len()
        {
            return Ok(y_true.clone());
        }
        let without_ones = |shape: &[usize]| {
            let end = shape
                .iter()
                .rposition(|&axis| axis != 1)
                .map_or(0, |last| last + 1);
            shape[..end.max(1).min(shape.len())].to_vec()
        };
        if without_ones(labels) == without_ones(wanted) {
            return y_true.try_reshape(wanted);
        }
        if matches!(self.kind, Kind::Custom(_)) {
            return Ok(y_true.clone());
        }
        Err(Error::Shape(format!(
            "{}: expected labels of shape {wanted:?} for an output of shape {output:?}, got {labels:?}",
            self.name
        )))
    }
}

/// The mask as numbers: valid timesteps get all/valid, so that the mean over all is that over them.
fn averaging_one(mask: &Tensor) -> Tensor {
    let mask = mask.cast(DType::F32);
    let valid = mask.sum().item();
    &mask * (mask.len() as f64 / (valid + EPSILON))
}
