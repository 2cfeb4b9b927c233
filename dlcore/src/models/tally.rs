//! Loss and metrics of all outputs over the batches of an epoch or an evaluation.

use super::objective::{Compiled, Objective};
use crate::metrics::{Batch, Metric, Totals};
use crate::{Result, Tensor};

/// What [`Compiled::names`] names, of the batches so far.
pub(super) struct Tally {
    /// The loss that is trained on.
    loss: Totals,
    /// The loss and the metrics of each output.
    outputs: Vec<Totals>,
    /// The metrics of each output in which samples count by their weights.
    weighted: Vec<Totals>,
    values: Vec<f64>,
}

impl Tally {
    /// For training, where the model is another after each batch.
    pub(super) fn of_training(compiled: &Compiled) -> Tally {
        Self::of(&compiled.objectives, Totals::of_training)
    }

    /// For the evaluation of one model.
    pub(super) fn of_evaluation(compiled: &Compiled) -> Tally {
        Self::of(&compiled.objectives, Totals::of_evaluation)
    }

    fn of(objectives: &[Objective], totals: fn(&[Metric]) -> Totals) -> Tally {
        Tally {
            loss: totals(&[]),
            outputs: objectives.iter().map(|o| totals(&o.metrics)).collect(),
            weighted: objectives.iter().map(|o| totals(&o.weighted)).collect(),
            values: Vec::new(),
        }
    }

    /// Takes in a batch's loss, and that of each output.
    pub(super) fn add_losses(
        &mut self,
        loss: f64,
        outputs: impl IntoIterator<Item = f64>,
        samples: usize,
    ) {
        self.loss.add_loss(loss, samples);
        for (totals, loss) in self.outputs.iter_mut().zip(outputs) {
            totals.add_loss(loss, samples);
        }
    }

    /// Whether an output has metrics.
    pub(super) fn needs_predictions(&self, output: usize) -> bool {
        self.outputs[output].needs_predictions() || self.weighted[output].needs_predictions()
    }

    /// Takes in what an output's metrics are told by.
    pub(super) fn add_predictions(
        &mut self,
        output: usize,
        y: &Tensor,
        predictions: &Tensor,
        mask: Option<&Tensor>,
        weights: Option<&Tensor>,
    ) -> Result<()> {
        let mask = mask.filter(|mask| predictions.shape().starts_with(mask.shape()));
        self.outputs[output].add(&Batch::new(y, predictions, mask)?)?;
        if !self.weighted[output].needs_predictions() {
            return Ok(());
        }
        let both = match (weights, mask) {
            (Some(weights), Some(mask)) => Some(masked(weights, mask)?),
            _ => None,
        };
        let weights = both.as_ref().or(weights).or(mask);
        self.weighted[output].add(&Batch::new(y, predictions, weights)?)
    }

    /// Losses and metrics over all batches so far.
    pub(super) fn values(&mut self) -> &[f64] {
        self.values.clear();
        self.values.push(self.loss.values()[0]);
        if self.outputs.len() > 1 {
            let losses = self.outputs.iter_mut().map(|output| output.values()[0]);
            self.values.extend(losses);
        }
        for output in &mut self.outputs {
            self.values.extend_from_slice(&output.values()[1..]);
        }
        for weighted in &mut self.weighted {
            self.values.extend_from_slice(&weighted.values()[1..]);
        }
        &self.values
    }
}

/// The weights of what counts by the mask, those of samples for each of their timesteps.
fn masked(weights: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let mut shape = weights.shape().to_vec();
    shape.resize(shape.len().max(mask.ndim()), 1);
    weights
        .try_reshape(shape)?
        .try_mul(mask.cast(weights.dtype()))
}
