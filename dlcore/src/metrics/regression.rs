//! How much of the labels' variance the predictions explain.

use super::state::{Batch, MetricState};
use super::unfit;
use crate::Result;

/// Sums over one column of labels.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    sum: f64,
    squares: f64,
    residuals: f64,
    weight: f64,
}

impl Column {
    fn score(self) -> f64 {
        let total = self.squares - self.sum * (self.sum / self.weight);
        let score = 1.0 - self.residuals / total;
        if score.is_infinite() { 0.0 } else { score }
    }
}

/// The coefficient of determination, the mean over the columns of the last axis.
#[derive(Default)]
pub(super) struct R2State {
    columns: Vec<Column>,
}

impl MetricState for R2State {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let (labels, answers) = (batch.y_true.to_vec(), batch.y_pred.to_vec());
        if labels.len() != answers.len() || batch.y_pred.ndim() > 2 {
            return Err(unfit("r2_score", batch.y_true, batch.y_pred));
        }
        let columns = batch.y_pred.shape().get(1).copied().unwrap_or(1).max(1);
        self.columns.resize(columns, Column::default());
        for (index, (&t, &p)) in labels.iter().zip(&answers).enumerate() {
            let weight = batch.weight(index, labels.len());
            let (t, p) = (f64::from(t), f64::from(p));
            let column = &mut self.columns[index % columns];
            column.sum += weight * t;
            column.squares += weight * t * t;
            column.residuals += weight * (t - p) * (t - p);
            column.weight += weight;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let scores = self.columns.iter().map(|column| column.score());
        scores.sum::<f64>() / self.columns.len().max(1) as f64
    }
}
