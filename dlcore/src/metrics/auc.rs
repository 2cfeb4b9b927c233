//! The area under a curve of true positives, over many thresholds.

use super::state::{Batch, MetricState, ratio};
use super::unfit;
use crate::Result;

/// Which curve the area is under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Curve {
    /// True positives over false positives.
    Roc,
    /// Precision over recall.
    Pr,
}

/// Positives and negatives by the thresholds their predictions lie between: Keras's 200, evenly from 0
/// to 1, with one below and one above all. The area is a sum of trapezoids (`ROC`), or interpolated as
/// by Davis and Goadrich, 2006, <https://www.biostat.wisc.edu/~page/rocpr.pdf> (`PR`).
pub(super) struct AucState {
    curve: Curve,
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl AucState {
    pub(super) fn new(curve: Curve, thresholds: usize) -> AucState {
        AucState {
            curve,
            positives: vec![0.0; thresholds],
            negatives: vec![0.0; thresholds],
        }
    }
}

impl MetricState for AucState {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let (labels, answers) = (batch.y_true.to_vec(), batch.y_pred.to_vec());
        if labels.len() != answers.len() {
            return Err(unfit("auc", batch.y_true, batch.y_pred));
        }
        let steps = (self.positives.len() - 1) as f32;
        for (index, (&label, &p)) in labels.iter().zip(&answers).enumerate() {
            // The last threshold that the prediction is above; in f32, as Keras computes it.
            let below = ((p.clamp(0.0, 1.0) * steps).ceil() - 1.0).max(0.0) as usize;
            let counts = if label != 0.0 {
                &mut self.positives
            } else {
                &mut self.negatives
            };
            counts[below] += batch.weight(index, labels.len());
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let (true_positives, positives) = above(&self.positives);
        let (false_positives, negatives) = above(&self.negatives);
        let pieces = 0..true_positives.len() - 1;
        match self.curve {
            Curve::Roc => {
                let x = |i: usize| ratio(false_positives[i], negatives);
                let y = |i: usize| ratio(true_positives[i], positives);
                pieces
                    .map(|i| (x(i) - x(i + 1)) * (y(i) + y(i + 1)) / 2.0)
                    .sum()
            }
            Curve::Pr => {
                let answers = |i: usize| true_positives[i] + false_positives[i];
                let piece = |i: usize| {
                    let (here, next) = (answers(i), answers(i + 1));
                    let gained = true_positives[i] - true_positives[i + 1];
                    let slope = ratio(gained, (here - next).max(0.0));
                    let intercept = true_positives[i + 1] - slope * next;
                    let growth = if here > 0.0 && next > 0.0 {
                        here / next
                    } else {
                        1.0
                    };
                    ratio(slope * (gained + intercept * growth.ln()), positives)
                };
                pieces.map(piece).sum()
            }
        }
    }
}

/// How many lie above each threshold, and how many there are.
fn above(counts: &[f64]) -> (Vec<f64>, f64) {
    let mut sums = counts.to_vec();
    for i in (1..sums.len()).rev() {
        sums[i - 1] += sums[i];
    }
    let all = sums.first().copied().unwrap_or(0.0);
    (sums, all)
}
