//! Decision trees. `grow.rs` grows them.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::criterion::Gini;
use super::data::{Labelled, Rows};
use super::grow::{Columns, grow};
use crate::datasets::mt19937::RandomState;
use crate::{Error, Result, Tensor, random};

/// scikit-learn draws seeds below this.
pub(super) const MOST: u32 = i32::MAX as u32 - 1;

/// A decision tree: questions of the kind "is this feature at most so much?", each the one that makes
/// the two parts purest by Gini's measure, until the parts are pure.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(100, 0.1, 0);
/// let mut tree = DecisionTreeClassifier::new().max_depth(2);
/// tree.fit(&x, &y)?;
/// println!("{}", tree.export_text()?);
/// assert!(tree.depth()? <= 2);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DecisionTreeClassifier {
    limits: Limits,
    random_state: Option<u32>,
    fitted: Option<Fitted<Tree>>,
}

classifier!(DecisionTreeClassifier);
probabilities!(DecisionTreeClassifier);

/// When a node is not split any more, and how a split is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub max_depth: Option<usize>,
    pub min_samples_split: usize,
    pub min_samples_leaf: usize,
    pub max_features: Option<usize>,
}

impl Limits {
    pub const NONE: Limits = Limits {
        max_depth: None,
        min_samples_split: 2,
        min_samples_leaf: 1,
        max_features: None,
    };

    pub fn check(&self, name: &str) -> Result<()> {
        let wrong = match self {
            Limits {
                max_depth: Some(0), ..
            } => "max_depth of at least 1, got 0",
            Limits {
                max_features: Some(0),
                ..
            } => "max_features of at least 1, got 0",
            Limits {
                min_samples_split: 0 | 1,
                ..
            } => "min_samples_split of at least 2",
            Limits {
                min_samples_leaf: 0,
                ..
            } => "min_samples_leaf of at least 1, got 0",
            _ => return Ok(()),
        };
        Err(Error::Value(format!("{name}: expected {wrong}")))
    }
}

/// The setters of a tree's limits and of the random state.
macro_rules! limits {
    ($name:ident) => {
        impl $name {
            /// The most questions one after the other.
            pub fn max_depth(mut self, questions: usize) -> Self {
                self.limits.max_depth = Some(questions);
                self
            }

            /// A part of fewer samples is not split (2 unless set).
            pub fn min_samples_split(mut self, samples: usize) -> Self {
                self.limits.min_samples_split = samples;
                self
            }

            /// No part has fewer samples (1 unless set).
            pub fn min_samples_leaf(mut self, samples: usize) -> Self {
                self.limits.min_samples_leaf = samples;
                self
            }

            /// How many features, drawn anew for each question, are looked at.
            pub fn max_features(mut self, features: usize) -> Self {
                self.limits.max_features = Some(features);
                self
            }

            /// Draws what scikit-learn draws with this `random_state`; without it the seed comes from the
            /// stream that [`set_seed`](crate::set_seed) starts.
            pub fn random_state(mut self, seed: u32) -> Self {
                self.random_state = Some(seed);
                self
            }
        }
    };
}
pub(super) use limits;

limits!(DecisionTreeClassifier);

/// The generator for a `random_state`.
pub(super) fn generator(random_state: Option<u32>) -> RandomState {
    RandomState::new(random_state.unwrap_or_else(|| random::next_seed() as u32))
}

impl DecisionTreeClassifier {
    /// A tree with scikit-learn's defaults: it grows until every part is pure.
    pub fn new() -> Self {
        DecisionTreeClassifier {
            limits: Limits::NONE,
            random_state: None,
            fitted: None,
        }
    }

    /// The most questions one after the other that there are.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn depth(&self) -> Result<usize> {
        let tree = &base::known("DecisionTreeClassifier.depth", &self.fitted)?.rule;
        Ok(tree.depth(0))
    }

    /// The number of parts that the tree tells apart.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn n_leaves(&self) -> Result<usize> {
        let tree = &base::known("DecisionTreeClassifier.n_leaves", &self.fitted)?.rule;
        Ok(tree.nodes.iter().filter(|node| node.is_leaf()).count())
    }

    /// The questions, one below the other, as scikit-learn's `export_text` writes them.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn export_text(&self) -> Result<String> {
        let fitted = base::known("DecisionTreeClassifier.export_text", &self.fitted)?;
        let classes = fitted.classes().to_vec_of::<i64>();
        let mut lines = Vec::new();
        fitted.rule.write(0, 0, &classes, &mut lines);
        Ok(lines.join("\n"))
    }

    fn learn(&self, data: &Labelled) -> Result<Tree> {
        self.limits.check("DecisionTreeClassifier")?;
        let seed = generator(self.random_state).interval(MOST);
        let weights = vec![1.0; data.rows.len()];
        let columns = Columns::of(&data.rows);
        let gini = &mut Gini::new(&data.labels, &weights, data.classes.len());
        grow(
            "DecisionTreeClassifier.fit",
            &columns,
            &weights,
            gini,
            self.limits,
            seed,
        )
    }
}

/// A question, or an answer where it leads nowhere.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub feature: usize,
    pub threshold: f64,
    /// Where one goes on: at most the threshold, and above. The root is nobody's child.
    pub children: [usize; 2],
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children == [0, 0]
    }
}

/// A grown tree, with so many values for each node.
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    pub values: Vec<f64>,
    pub width: usize,
}

impl Tree {
    /// The leaf that a sample comes to, by its features.
    pub fn leaf(&self, feature: impl Fn(usize) -> f32) -> usize {
        let mut at = 0;
        while !self.nodes[at].is_leaf() {
            let node = &self.nodes[at];
            let above = f64::from(feature(node.feature)) > node.threshold;
            at = node.children[usize::from(above)];
        }
        at
    }

    pub fn value(&self, node: usize) -> &[f64] {
        &self.values[node * self.width..][..self.width]
    }

    fn depth(&self, at: usize) -> usize {
        let node = &self.nodes[at];
        match node.is_leaf() {
            true => 0,
            false => {
                1 + node
                    .children
                    .map(|child| self.depth(child))
                    .into_iter()
                    .max()
                    .unwrap_or(0)
            }
        }
    }

    fn write(&self, at: usize, depth: usize, classes: &[i64], lines: &mut Vec<String>) {
        let node = &self.nodes[at];
        let indent = "|   ".repeat(depth) + "|--- ";
        if node.is_leaf() {
            let class = classes[base::largest(self.value(at))];
            return lines.push(format!("{indent}class: {class}"));
        }
        for (child, sign) in node.children.into_iter().zip(["<=", "> "]) {
            let question = format!(
                "{indent}feature_{} {sign} {:.2}",
                node.feature, node.threshold
            );
            lines.push(question);
            self.write(child, depth + 1, classes, lines);
        }
    }
}

impl Rule for Tree {
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let leaf = |row: &[f64]| {
            self.value(self.leaf(|feature| row[feature] as f32))
                .to_vec()
        };
        rows.iter().flat_map(leaf).collect()
    }
}
