//! The value of a loss: over a batch, by sample, weighted by sample.

use super::{Kind, Loss, formulas};
use crate::grad::ops;
use crate::{Error, Result, Tensor};

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
        self.weighted(y_true, y_pred, None)
    }

    /// The loss of each sample, `[batch]`: its mean over all other axes.
    ///
    /// # Errors
    /// As [`Loss::call`]; [`Error::Shape`] if a function of the user's own returns something else
    /// than numbers for each sample.
    pub(crate) fn per_sample(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        means_of_rest(self.terms_of(samples, y_true, y_pred)?, 1)
    }

    /// The loss of each sample, or of each timestep of each: `[batch]`, `[batch, time]`, ….
    ///
    /// # Errors
    /// As [`Loss::per_sample`].
    pub(crate) fn per_position(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        let terms = self.terms_of(samples, y_true, y_pred)?;
        match terms.ndim() > 1 && terms.shape() == y_pred.shape() {
            true => terms.try_mean_axis(-1),
            false => Ok(terms),
        }
    }

    /// The mean over the batch of each loss times its weight (of 1 without weights), which is Keras's
    /// `sum_over_batch_size`: the weights' own sum does not matter.
    ///
    /// # Shapes
    /// `sample_weight` `[batch]`; or `[batch, time]`, … where the loss has such axes.
    ///
    /// # Errors
    /// As [`Loss::call`]; [`Error::Shape`] for weights of another shape.
    pub(crate) fn weighted(
        &self,
        y_true: &Tensor,
        y_pred: &Tensor,
        sample_weight: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Some(weights) = sample_weight else {
            return Ok(self.terms(y_true, y_pred)?.mean());
        };
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        let terms = self.terms_of(samples, y_true, y_pred)?;
        if !terms.shape().starts_with(weights.shape()) || weights.ndim() == 0 {
            return Err(Error::Shape(format!(
                "{}: sample weights are one for each sample, shape [{samples}]{}, got {:?}",
                self.name,
                match terms.ndim() {
                    0 | 1 => String::new(),
                    _ => format!(", or of the first axes of {:?}", terms.shape()),
                },
                weights.shape(),
            )));
        }
        Ok((means_of_rest(terms, weights.ndim())? * weights).mean())
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
            Kind::MeanSquaredError => p.try_sub(t)?.square(),
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

/// The means over all axes but the first so many.
fn means_of_rest(terms: Tensor, kept: usize) -> Result<Tensor> {
    if terms.ndim() == kept {
        return Ok(terms);
    }
    let shape = terms.shape();
    let rest: usize = shape[kept..].iter().product();
    let shape = [&shape[..kept], &[rest]].concat();
    terms.try_reshape(shape)?.try_mean_axis(-1)
}
