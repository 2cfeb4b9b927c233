//! Logistic regression.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::data::{Labelled, Rows, go_on, positive};
use super::lbfgs::{dot, minimise};
use super::naive_bayes::softmax;
use crate::device::cpu::collect;
use crate::{Error, Result, Tensor};

/// Rows whose losses are summed by one thread: fixed, so that sums do not depend on the threads.
const PIECE: usize = 512;

/// Logistic regression: a weighted sum of the features for each class, and its softmax. Between two
/// classes there is one sum, and its sigmoid.
///
/// What is least in the end is the sum of the cross-entropies times `C`, plus half the sum of the squared
/// weights, found by L-BFGS.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_blobs(100, 2, 1.0, 3);
/// let mut regression = LogisticRegression::new();
/// regression.fit(&x, &y)?;
/// assert_eq!(regression.coef()?.shape(), [1, 2]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    c: f64,
    max_iter: usize,
    tol: f64,
    fitted: Option<Fitted<Sums>>,
}

classifier!(LogisticRegression);
probabilities!(LogisticRegression);

impl LogisticRegression {
    /// Logistic regression with scikit-learn's defaults.
    pub fn new() -> Self {
        LogisticRegression {
            c: 1.0,
            max_iter: 100,
            tol: 1e-4,
            fitted: None,
        }
    }

    /// scikit-learn's `C`: how much the data count against small weights (1 unless set).
    pub fn c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// The most steps that are taken (100 unless set).
    pub fn max_iter(mut self, steps: usize) -> Self {
        self.max_iter = steps;
        self
    }

    /// The slope of the mean loss below which training ends (1e-4 unless set).
    pub fn tol(mut self, slope: f64) -> Self {
        self.tol = slope;
        self
    }

    /// The weights, `[1, features]` between two classes and `[classes, features]` among more.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn coef(&self) -> Result<Tensor> {
        let sums = &base::known("LogisticRegression.coef", &self.fitted)?.rule;
        let weights: Vec<f32> = sums
            .rows()
            .flat_map(|(w, _)| w.to_vec())
            .map(|v| v as f32)
            .collect();
        Tensor::from_shape_vec([sums.count, sums.features], weights)
    }

    /// The constant of each sum, `[1]` between two classes and `[classes]` among more.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn intercept(&self) -> Result<Tensor> {
        let sums = &base::known("LogisticRegression.intercept", &self.fitted)?.rule;
        let constants: Vec<f32> = sums.rows().map(|(_, constant)| constant as f32).collect();
        Ok(Tensor::from(constants))
    }

    fn learn(&self, data: &Labelled) -> Result<Sums> {
        if !positive(self.c) || !positive(self.tol) {
            return Err(Error::Value(format!(
                "LogisticRegression: expected C and tol above 0, got {} and {}",
                self.c, self.tol
            )));
        }
        let features = data.rows.features;
        let count = match data.classes.len() {
            2 => 1,
            more => more,
        };
        let mut sums = Sums {
            weights: Vec::new(),
            count,
            features,
        };
        let start = vec![0.0; count * (features + 1)];
        let strength = 1.0 / (self.c * data.rows.len() as f64);
        let least = minimise(start, self.max_iter, self.tol, |weights, gradient| {
            go_on("LogisticRegression.fit")?;
            sums.weights.clear();
            sums.weights.extend_from_slice(weights);
            let mut value = sums.mean_loss(data, gradient);
            let by_sum = gradient.chunks_exact_mut(features + 1);
            for (gradient, weights) in by_sum.zip(weights.chunks_exact(features + 1)) {
                // The constant is not held small.
                for (gradient, weight) in gradient[..features].iter_mut().zip(weights) {
                    *gradient += strength * weight;
                    value += 0.5 * strength * weight * weight;
                }
            }
            Ok(value)
        })?;
        sums.weights = least;
        Ok(sums)
    }
}

/// A weighted sum for each class, or one between two.
struct Sums {
    /// For each sum its weights, then its constant.
    weights: Vec<f64>,
    count: usize,
    features: usize,
}

impl Sums {
    fn rows(&self) -> impl Iterator<Item = (&[f64], f64)> {
        let sums = self.weights.chunks_exact(self.features + 1);
        sums.map(|sum| (&sum[..self.features], sum[self.features]))
    }

    /// The probability of each class for one row.
    fn chances(&self, row: &[f64], out: &mut Vec<f64>) {
        let start = out.len();
        // Between two classes the first has the sum 0.
        out.extend((self.count == 1).then_some(0.0));
        out.extend(
            self.rows()
                .map(|(weights, constant)| dot(weights, row) + constant),
        );
        softmax(&mut out[start..]);
    }

    /// The mean cross-entropy, and its gradient.
    fn mean_loss(&self, data: &Labelled, gradient: &mut [f64]) -> f64 {
        let scale = 1.0 / data.rows.len() as f64;
        let count = data.labels.len().div_ceil(PIECE);
        let pieces: Vec<(f64, Vec<f64>)> = collect(count, &|piece| {
            let (start, end) = (piece * PIECE, data.labels.len().min((piece + 1) * PIECE));
            self.sum_of_losses(data, start, &data.labels[start..end])
        });
        gradient.fill(0.0);
        let mut loss = 0.0;
        for (piece_loss, piece) in pieces {
            loss += piece_loss * scale;
            for (gradient, part) in gradient.iter_mut().zip(piece) {
                *gradient += part * scale;
            }
        }
        loss
    }

    fn sum_of_losses(&self, data: &Labelled, first: usize, labels: &[usize]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; self.weights.len()];
        let (mut loss, mut chances) = (0.0, Vec::new());
        for (offset, &label) in labels.iter().enumerate() {
            let row = data.rows.row(first + offset);
            chances.clear();
            self.chances(row, &mut chances);
            loss -= chances[label].max(f64::MIN_POSITIVE).ln();
            chances[label] -= 1.0;
            let errors = &chances[chances.len() - self.count..];
            for (gradient, error) in gradient.chunks_exact_mut(self.features + 1).zip(errors) {
                for (gradient, value) in gradient.iter_mut().zip(row) {
                    *gradient += error * value;
                }
                gradient[self.features] += error;
            }
        }
        (loss, gradient)
    }
}

impl Rule for Sums {
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let mut out = Vec::with_capacity(rows.len() * self.count.max(2));
        rows.iter().for_each(|row| self.chances(row, &mut out));
        out
    }
}
