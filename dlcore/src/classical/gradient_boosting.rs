//! Gradient boosting.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::criterion::SquaredError;
use super::data::{Labelled, Rows, positive};
use super::grow::{Columns, grow};
use super::naive_bayes::softmax;
use super::tree::{Limits, MOST, Tree, generator, limits};
use crate::device::cpu::collect;
use crate::{Error, Result, Tensor};

/// Gradient boosting: small trees one after the other, each grown to the error that those before it
/// leave, a tree a class in each round (one between two classes).
///
/// J. Friedman, "Greedy function approximation: a gradient boosting machine" (2001), with the
/// cross-entropy as loss and a Newton step in each leaf.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(200, 0.2, 0);
/// let mut boosting = GradientBoostingClassifier::new().n_estimators(30);
/// boosting.fit(&x, &y)?;
/// assert!(boosting.score(&x, &y)? > 0.95);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientBoostingClassifier {
    n_estimators: usize,
    learning_rate: f64,
    limits: Limits,
    random_state: Option<u32>,
    fitted: Option<Fitted<Boosted>>,
}

classifier!(GradientBoostingClassifier);
probabilities!(GradientBoostingClassifier);
limits!(GradientBoostingClassifier);

impl GradientBoostingClassifier {
    /// Boosting with scikit-learn's defaults: 100 rounds of trees of depth 3, each counting a tenth.
    pub fn new() -> Self {
        GradientBoostingClassifier {
            n_estimators: 100,
            learning_rate: 0.1,
            limits: Limits {
                max_depth: Some(3),
                ..Limits::NONE
            },
            random_state: None,
            fitted: None,
        }
    }

    /// The number of rounds (100 unless set).
    pub fn n_estimators(mut self, rounds: usize) -> Self {
        self.n_estimators = rounds;
        self
    }

    /// How much each tree counts (0.1 unless set).
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    fn learn(&self, data: &Labelled) -> Result<Boosted> {
        self.limits.check("GradientBoostingClassifier")?;
        if !(1..=100_000).contains(&self.n_estimators) || !positive(self.learning_rate) {
            return Err(Error::Value(format!(
                "GradientBoostingClassifier: expected 1 to 100000 rounds and a learning rate above 0, got {} and {}",
                self.n_estimators, self.learning_rate
            )));
        }
        let shares = data
            .counts()
            .into_iter()
            .map(|n| n as f64 / data.rows.len() as f64);
        let shares: Vec<f64> = shares.collect();
        // Between two classes one score stands for the second.
        let start = match shares[..] {
            [first, second] => vec![(second / first).ln()],
            _ => shares.iter().map(|share| share.ln()).collect(),
        };
        let mut boosted = Boosted {
            start,
            rounds: Vec::new(),
            rate: self.learning_rate,
        };
        let columns = Columns::of(&data.rows);
        let mut random = generator(self.random_state);
        let weights = vec![1.0; data.rows.len()];
        let mut scores: Vec<f64> = boosted.start.repeat(data.rows.len());
        for _ in 0..self.n_estimators {
            // Every tree of a round is grown to what the round before left.
            let errors = boosted.errors(&scores, &data.labels);
            let seeds: Vec<u32> = errors.iter().map(|_| random.interval(MOST)).collect();
            let tree = |(errors, &seed): (&Vec<f64>, &u32)| {
                let operation = "GradientBoostingClassifier.fit";
                let criterion = &mut SquaredError::new(errors);
                let mut tree = grow(operation, &columns, &weights, criterion, self.limits, seed)?;
                let leaves: Vec<usize> = (0..errors.len())
                    .map(|sample| columns.leaf(&tree, sample))
                    .collect();
                boosted.set_leaves(&mut tree, &leaves, errors);
                Ok((tree, leaves))
            };
            let grown = collect(errors.len(), &|class| tree((&errors[class], &seeds[class])));
            let grown = grown.into_iter().collect::<Result<Vec<_>>>()?;
            for (class, (tree, leaves)) in grown.iter().enumerate() {
                for (scores, &leaf) in scores.chunks_exact_mut(grown.len()).zip(leaves) {
                    scores[class] += self.learning_rate * tree.value(leaf)[0];
                }
            }
            boosted
                .rounds
                .push(grown.into_iter().map(|(tree, _)| tree).collect());
        }
        Ok(boosted)
    }
}

/// The scores that one begins with, and what each round adds.
struct Boosted {
    start: Vec<f64>,
    rounds: Vec<Vec<Tree>>,
    rate: f64,
}

impl Boosted {
    /// Scores as a probability for each class.
    fn chances(scores: &[f64]) -> Vec<f64> {
        match *scores {
            [score] => {
                let second = 1.0 / (1.0 + (-score).exp());
                vec![1.0 - second, second]
            }
            _ => {
                let mut chances = scores.to_vec();
                softmax(&mut chances);
                chances
            }
        }
    }

    /// For each score, what is missing to the labels in each sample.
    fn errors(&self, scores: &[f64], labels: &[usize]) -> Vec<Vec<f64>> {
        let count = self.start.len();
        let mut errors = vec![Vec::with_capacity(labels.len()); count];
        for (scores, &label) in scores.chunks_exact(count).zip(labels) {
            let chances = Self::chances(scores);
            let first = chances.len() - count;
            for (class, errors) in errors.iter_mut().enumerate() {
                let is = if label == first + class { 1.0 } else { 0.0 };
                errors.push(is - chances[first + class]);
            }
        }
        errors
    }

    /// One step of Newton's in each leaf: the errors over the curvature of the loss.
    fn set_leaves(&self, tree: &mut Tree, leaves: &[usize], errors: &[f64]) {
        let mut sums = vec![(0.0, 0.0); tree.values.len()];
        for (&leaf, &error) in leaves.iter().zip(errors) {
            let size = error.abs();
            sums[leaf].0 += error;
            // The distance to the label is |error|, so this is p (1 - p).
            sums[leaf].1 += size * (1.0 - size);
        }
        // Friedman's factor among several classes, which scikit-learn keeps.
        let classes = self.start.len() as f64;
        let factor = if classes > 1.0 {
            (classes - 1.0) / classes
        } else {
            1.0
        };
        for (value, (errors, curvature)) in tree.values.iter_mut().zip(sums) {
            *value = if curvature < 1e-150 {
                0.0
            } else {
                factor * errors / curvature
            };
        }
    }
}

impl Rule for Boosted {
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let values = rows.to_f32();
        let one = |row: &[f32]| {
            let mut scores = self.start.clone();
            for round in &self.rounds {
                for (score, tree) in scores.iter_mut().zip(round) {
                    *score += self.rate * tree.value(tree.leaf(|feature| row[feature]))[0];
                }
            }
            Self::chances(&scores)
        };
        collect(rows.len(), &|row| one(&values[row * rows.features..])).concat()
    }
}
