//! Random forests.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::criterion::Gini;
use super::data::{Labelled, Rows};
use super::grow::{Columns, grow};
use super::tree::{Limits, MOST, Tree, generator, limits};
use crate::datasets::mt19937::RandomState;
use crate::device::cpu::{collect, each_piece};
use crate::{Error, Result, Tensor};

/// A random forest: many decision trees, each grown from rows drawn with replacement and looking at a
/// few features, drawn anew, for each question; their probabilities are averaged.
///
/// L. Breiman, "Random forests" (2001).
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(200, 0.2, 0);
/// let mut forest = RandomForestClassifier::new().n_estimators(20).random_state(0);
/// forest.fit(&x, &y)?;
/// assert!(forest.score(&x, &y)? > 0.95);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RandomForestClassifier {
    n_estimators: usize,
    limits: Limits,
    random_state: Option<u32>,
    fitted: Option<Fitted<Forest>>,
}

classifier!(RandomForestClassifier);
probabilities!(RandomForestClassifier);
limits!(RandomForestClassifier);

impl RandomForestClassifier {
    /// A forest with scikit-learn's defaults: 100 trees, each looking at as many features a question as
    /// the square root of their number.
    pub fn new() -> Self {
        RandomForestClassifier {
            n_estimators: 100,
            limits: Limits::NONE,
            random_state: None,
            fitted: None,
        }
    }

    /// The number of trees (100 unless set).
    pub fn n_estimators(mut self, trees: usize) -> Self {
        self.n_estimators = trees;
        self
    }

    fn learn(&self, data: &Labelled) -> Result<Forest> {
        self.limits.check("RandomForestClassifier")?;
        if !(1..=100_000).contains(&self.n_estimators) {
            return Err(Error::Value(format!(
                "RandomForestClassifier: expected 1 to 100000 trees, got {}",
                self.n_estimators
            )));
        }
        let root = (data.rows.features as f64).sqrt() as usize;
        let limits = Limits {
            max_features: Some(self.limits.max_features.unwrap_or(root.max(1))),
            ..self.limits
        };
        let mut generator = generator(self.random_state);
        let seeds: Vec<u32> = (0..self.n_estimators)
            .map(|_| generator.interval(MOST))
            .collect();
        let columns = Columns::of(&data.rows);
        let tree = |&seed: &u32| {
            let mut weights = vec![0.0; data.rows.len()];
            let mut drawn = RandomState::new(seed);
            for _ in 0..weights.len() {
                weights[drawn.interval(data.rows.len() as u32 - 1) as usize] += 1.0;
            }
            // The tree begins again from the same seed, as there.
            let seed = RandomState::new(seed).interval(MOST);
            let mut gini = Gini::new(&data.labels, &weights, data.classes.len());
            let operation = "RandomForestClassifier.fit";
            grow(operation, &columns, &weights, &mut gini, limits, seed)
        };
        let trees = collect(seeds.len(), &|index| tree(&seeds[index]));
        Ok(Forest {
            trees: trees.into_iter().collect::<Result<_>>()?,
            classes: data.classes.len(),
        })
    }
}

struct Forest {
    trees: Vec<Tree>,
    classes: usize,
}

impl Rule for Forest {
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let values = rows.to_f32();
        let mut out = vec![0.0; rows.len() * self.classes];
        each_piece(&mut out, self.classes, &|index, sums| {
            let row = &values[index * rows.features..];
            for tree in &self.trees {
                let leaf = tree.leaf(|feature| row[feature]);
                for (sum, share) in sums.iter_mut().zip(tree.value(leaf)) {
                    *sum += share;
                }
            }
            sums.iter_mut()
                .for_each(|sum| *sum /= self.trees.len() as f64);
        });
        out
    }
}
