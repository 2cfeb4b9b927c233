//! Naive Bayes with normal distributions.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::data::{Labelled, Rows};
use crate::{Error, Result, Tensor};

/// Naive Bayes: each feature of a class is taken to be normal and independent of the others, and the
/// class is chosen that is most probable by Bayes's theorem.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_blobs(150, 3, 1.0, 0);
/// let mut bayes = GaussianNB::new();
/// bayes.fit(&x, &y)?;
/// assert_eq!(bayes.predict_proba(&x)?.shape(), [150, 3]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianNB {
    var_smoothing: f64,
    fitted: Option<Fitted<Normals>>,
}

classifier!(GaussianNB);
probabilities!(GaussianNB);

impl GaussianNB {
    /// Naive Bayes with scikit-learn's defaults.
    pub fn new() -> Self {
        GaussianNB {
            var_smoothing: 1e-9,
            fitted: None,
        }
    }

    /// The part of the greatest variance of all features that is added to each variance (1e-9 unless
    /// set): a feature that is the same in a whole class would have none.
    pub fn var_smoothing(mut self, share: f64) -> Self {
        self.var_smoothing = share;
        self
    }

    fn learn(&self, data: &Labelled) -> Result<Normals> {
        if self.var_smoothing.is_nan() || self.var_smoothing < 0.0 {
            return Err(Error::Value(format!(
                "GaussianNB: expected var_smoothing of at least 0, got {}",
                self.var_smoothing
            )));
        }
        let everything = vec![0; data.rows.len()];
        let [(_, overall)] = &moments(&data.rows, &everything, 1)[..] else {
            unreachable!("one group")
        };
        let greatest = overall.iter().fold(0.0, |most: f64, &v| most.max(v));
        let added = self.var_smoothing * greatest;
        let groups = moments(&data.rows, &data.labels, data.classes.len());
        let counts = data.counts();
        let classes = groups
            .into_iter()
            .zip(counts)
            .map(|((mean, mut variance), count)| {
                // All features the same everywhere: any positive number leaves the priors to decide.
                let floor = if greatest == 0.0 { 1.0 } else { 0.0 };
                variance.iter_mut().for_each(|v| *v += added + floor);
                let spread: f64 = variance
                    .iter()
                    .map(|v| (std::f64::consts::TAU * v).ln())
                    .sum();
                Normal {
                    constant: (count as f64 / data.rows.len() as f64).ln() - 0.5 * spread,
                    mean,
                    variance,
                }
            });
        Ok(Normals(classes.collect()))
    }
}

/// Mean and variance of each feature in each group.
fn moments(rows: &Rows, group_of: &[usize], groups: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
    let zeros = || vec![0.0; rows.features];
    let (mut counts, mut moments) = (vec![0.0; groups], vec![(zeros(), zeros()); groups]);
    for (row, &group) in rows.iter().zip(group_of) {
        counts[group] += 1.0;
        for (mean, value) in moments[group].0.iter_mut().zip(row) {
            *mean += value;
        }
    }
    for ((mean, _), count) in moments.iter_mut().zip(&counts) {
        mean.iter_mut().for_each(|sum| *sum /= count);
    }
    for (row, &group) in rows.iter().zip(group_of) {
        let (mean, variance) = &mut moments[group];
        for ((variance, mean), value) in variance.iter_mut().zip(mean).zip(row) {
            *variance += (value - *mean).powi(2);
        }
    }
    for ((_, variance), count) in moments.iter_mut().zip(&counts) {
        variance.iter_mut().for_each(|sum| *sum /= count);
    }
    moments
}

/// One class: a normal distribution a feature.
struct Normal {
    /// Logarithm of the prior and of what stands before the exponential.
    constant: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

struct Normals(Vec<Normal>);

impl Rule for Normals {
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let mut out = Vec::with_capacity(rows.len() * self.0.len());
        for row in rows.iter() {
            let start = out.len();
            out.extend(self.0.iter().map(|class| {
                let distance: f64 = row
                    .iter()
                    .zip(&class.mean)
                    .zip(&class.variance)
                    .map(|((value, mean), variance)| (value - mean).powi(2) / variance)
                    .sum();
                class.constant - 0.5 * distance
            }));
            softmax(&mut out[start..]);
        }
        out
    }
}

/// Logarithms of probabilities, up to a constant, as probabilities.
pub(super) fn softmax(values: &mut [f64]) {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|v| *v = (*v - greatest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}
