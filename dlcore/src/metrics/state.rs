//! Metrics over many batches: what is kept of each, and the value of all.

use super::{Kind, Metric};
use crate::{Error, Result, Tensor};

/// One batch as a metric sees it.
pub(crate) struct Batch<'a> {
    pub(crate) y_true: &'a Tensor,
    pub(crate) y_pred: &'a Tensor,
    samples: usize,
    weights: Option<Vec<f32>>,
}

impl<'a> Batch<'a> {
    /// Labels, predictions, and a weight for each sample (of 1 if there are none).
    ///
    /// # Errors
    /// [`Error::Shape`] for weights that are not one a sample.
    pub(crate) fn new(
        y_true: &'a Tensor,
        y_pred: &'a Tensor,
        sample_weight: Option<&Tensor>,
    ) -> Result<Batch<'a>> {
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        if let Some(weights) = sample_weight
            && (weights.shape().first() != Some(&samples)
                || weights.len() == 0
                || !y_pred.len().is_multiple_of(weights.len()))
        {
            return Err(Error::Shape(format!(
                "metrics: expected a weight for each of {samples} samples, got weights of shape {:?}",
                weights.shape()
            )));
        }
        Ok(Batch {
            y_true,
            y_pred,
            samples,
            weights: sample_weight.map(Tensor::to_vec),
        })
    }

    /// The weight of number `index` of `count`, of which every sample has as many.
    pub(super) fn weight(&self, index: usize, count: usize) -> f64 {
        match &self.weights {
            None => 1.0,
            Some(weights) => f64::from(weights[index * weights.len() / count]),
        }
    }

    /// The sum of all weights.
    fn total_weight(&self) -> f64 {
        match &self.weights {
            None => self.samples as f64,
            Some(weights) => weights.iter().map(|&w| f64::from(w)).sum(),
        }
    }
}

/// What is kept of the batches so far, of which the value of all can be told.
pub(crate) trait MetricState: Send {
    /// Takes another batch in.
    ///
    /// # Errors
    /// [`Error::Shape`] if the labels do not fit the predictions.
    fn update(&mut self, batch: &Batch<'_>) -> Result<()>;

    /// The value over all batches so far.
    fn result(&self) -> f64;
}

/// A mean of numbers, each with its weight; 0 of none, as in Keras.
#[derive(Clone, Debug, Default)]
pub(super) struct Mean {
    total: f64,
    weight: f64,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        self.total += value * weight;
        self.weight += weight;
    }

    /// Takes in as many numbers of each sample.
    fn add_all(&mut self, values: &[f32], batch: &Batch<'_>) {
        for (index, &value) in values.iter().enumerate() {
            self.add(f64::from(value), batch.weight(index, values.len()));
        }
    }

    pub(super) fn result(&self) -> f64 {
        ratio(self.total, self.weight)
    }
}

/// A quotient; 0 where the divisor is.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// A metric that is a mean over samples, or the root of one.
pub(super) struct MeanState {
    metric: Metric,
    mean: Mean,
    /// What a batch's values are written to.
    values: Vec<f32>,
}

impl MeanState {
    pub(super) fn new(metric: &Metric) -> MeanState {
        MeanState {
            metric: metric.clone(),
            mean: Mean::default(),
            values: Vec::new(),
        }
    }
}

impl MetricState for MeanState {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let (y_true, y_pred) = (batch.y_true, batch.y_pred);
        self.metric.values(y_true, y_pred, &mut self.values)?;
        let values = &self.values;
        if !values.len().is_multiple_of(batch.samples.max(1)) || values.is_empty() {
            // A function of the user's own that has a number for the whole batch.
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
            self.mean.add(mean, batch.total_weight());
        } else {
            self.mean.add_all(values, batch);
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        match self.metric.kind {
            Kind::RootMeanSquaredError => self.mean.result().sqrt(),
            _ => self.mean.result(),
        }
    }
}

/// A function of the user's own, called once with all there was: what it returns then does not depend
/// on how the data fell into batches.
pub(super) struct WholeState {
    metric: Metric,
    labels: Vec<Tensor>,
    predictions: Vec<Tensor>,
    weights: Vec<f32>,
}

impl WholeState {
    pub(super) fn new(metric: &Metric) -> WholeState {
        WholeState {
            metric: metric.clone(),
            labels: Vec::new(),
            predictions: Vec::new(),
            weights: Vec::new(),
        }
    }
}

impl MetricState for WholeState {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        self.labels.push(batch.y_true.clone());
        self.predictions.push(batch.y_pred.clone());
        self.weights.extend(batch.weights.iter().flatten());
        Ok(())
    }

    fn result(&self) -> f64 {
        let joined = |parts: &[Tensor]| Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0);
        let (y_true, y_pred) = match self.labels.is_empty() {
            true => return 0.0,
            false => (joined(&self.labels), joined(&self.predictions)),
        };
        let mut state = MeanState::new(&self.metric);
        let batch = Batch {
            samples: y_pred.shape()[0],
            y_true: &y_true,
            y_pred: &y_pred,
            weights: (!self.weights.is_empty()).then(|| self.weights.clone()),
        };
        state.update(&batch).map_or(f64::NAN, |()| state.result())
    }
}

/// Loss and metrics over the batches of an epoch or an evaluation.
pub(crate) struct Totals {
    loss: Mean,
    metrics: Vec<Box<dyn MetricState>>,
    values: Vec<f64>,
}

impl Totals {
    /// For training, where the model is another after each batch.
    pub(crate) fn of_training(metrics: &[Metric]) -> Totals {
        Totals::of(metrics.iter().map(Metric::state).collect())
    }

    /// For the evaluation of one model, by which functions of the user's own are called once, with
    /// all labels and predictions.
    pub(crate) fn of_evaluation(metrics: &[Metric]) -> Totals {
        Totals::of(metrics.iter().map(Metric::whole_state).collect())
    }

    fn of(metrics: Vec<Box<dyn MetricState>>) -> Totals {
        Totals {
            loss: Mean::default(),
            values: vec![0.0; 1 + metrics.len()],
            metrics,
        }
    }

    /// Whether metrics are measured besides the loss.
    pub(crate) fn needs_predictions(&self) -> bool {
        !self.metrics.is_empty()
    }

    /// Takes in a batch's loss, which counts by its samples.
    pub(crate) fn add_loss(&mut self, loss: f64, samples: usize) {
        self.loss.add(loss, samples as f64);
        self.values[0] = self.loss.result();
    }

    /// Takes in what a batch's metrics are told by.
    pub(crate) fn add(&mut self, batch: &Batch<'_>) -> Result<()> {
        let mut metrics = self.metrics.iter_mut();
        metrics.try_for_each(|metric| metric.update(batch))
    }

    /// Loss and metrics over all batches so far.
    pub(crate) fn values(&mut self) -> &[f64] {
        for (value, metric) in self.values[1..].iter_mut().zip(&self.metrics) {
            *value = metric.result();
        }
        &self.values
    }
}
