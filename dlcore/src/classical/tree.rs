//! Decision trees, and what grows them: for classes and, within gradient boosting, for numbers.
//!
//! L. Breiman and others, *Classification and Regression Trees* (1984), step by step as scikit-learn
//! grows them, its order of nodes and its random draws included: of splits that are as good as each
//! other the same one is taken.

use super::base::{self, Fitted, Rule, classifier, probabilities};
use super::criterion::{Criterion, Gini};
use super::data::{Labelled, Rows, go_on};
use crate::datasets::mt19937::RandomState;
use crate::{Error, Result, Tensor, random};

/// Values nearer to each other than this are not told apart.
const THRESHOLD: f32 = 1e-7;
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

/// Samples feature by feature, in single precision.
pub(super) struct Columns {
    values: Vec<f32>,
    samples: usize,
}

impl Columns {
    pub fn of(rows: &Rows) -> Columns {
        let values = (0..rows.features)
            .flat_map(|feature| rows.iter().map(move |row| row[feature] as f32))
            .collect();
        Columns {
            values,
            samples: rows.len(),
        }
    }

    fn column(&self, feature: usize) -> &[f32] {
        &self.values[feature * self.samples..][..self.samples]
    }

    fn features(&self) -> usize {
        self.values.len() / self.samples
    }

    /// The leaf that a sample comes to.
    pub fn leaf(&self, tree: &Tree, sample: usize) -> usize {
        tree.leaf(|feature| self.column(feature)[sample])
    }
}

/// A question, or an answer where it leads nowhere.
#[derive(Clone, Copy)]
struct Node {
    feature: usize,
    threshold: f64,
    /// Where one goes on: at most the threshold, and above. The root is nobody's child.
    children: [usize; 2],
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children == [0, 0]
    }
}

/// A grown tree, with so many values for each node.
pub(super) struct Tree {
    nodes: Vec<Node>,
    pub values: Vec<f64>,
    width: usize,
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

/// A part of the samples that waits to be split.
struct Part {
    samples: std::ops::Range<usize>,
    depth: usize,
    /// The place in the parent's children.
    parent: Option<(usize, usize)>,
    impurity: f64,
    /// How many features do not vary in it, as far as is known.
    constant: usize,
}

/// Grows a tree over the samples of positive weight.
pub(super) fn grow(
    operation: &str,
    columns: &Columns,
    weights: &[f64],
    criterion: &mut dyn Criterion,
    limits: Limits,
    seed: u32,
) -> Result<Tree> {
    let samples: Vec<u32> = (0..columns.samples as u32)
        .filter(|&sample| weights[sample as usize] > 0.0)
        .collect();
    let whole = 0..samples.len();
    let mut search = Search::new(columns, samples, limits, seed);
    let width = criterion.width();
    let mut tree = Tree {
        nodes: Vec::new(),
        values: Vec::new(),
        width,
    };
    let root = Part {
        samples: whole,
        depth: 0,
        parent: None,
        impurity: f64::NAN,
        constant: 0,
    };
    let mut waiting = vec![root];
    while let Some(mut part) = waiting.pop() {
        go_on(operation)?;
        criterion.open(&search.samples[part.samples.clone()]);
        let first = part.parent.is_none();
        part.impurity = if first {
            criterion.impurity()
        } else {
            part.impurity
        };
        let count = part.samples.len();
        let leaf = limits.max_depth.is_some_and(|most| part.depth >= most)
            || count < limits.min_samples_split
            || count < 2 * limits.min_samples_leaf
            || part.impurity <= f64::EPSILON;
        let split = if leaf {
            None
        } else {
            search.split(&mut part, criterion)
        };
        let at = tree.nodes.len();
        if let Some((parent, side)) = part.parent {
            tree.nodes[parent].children[side] = at;
        }
        let (feature, threshold) = split
            .as_ref()
            .map_or((0, 0.0), |s| (s.feature, s.threshold));
        tree.nodes.push(Node {
            feature,
            threshold,
            children: [0, 0],
        });
        criterion.value(&mut tree.values);
        let Some(split) = split else { continue };
        let middle = part.samples.start + split.left;
        let parts = [part.samples.start..middle, middle..part.samples.end];
        // The left part is taken up first, as there: the draws follow this order.
        for side in [1, 0] {
            waiting.push(Part {
                samples: parts[side].clone(),
                depth: part.depth + 1,
                parent: Some((at, side)),
                impurity: split.impurities[side],
                constant: part.constant,
            });
        }
    }
    Ok(tree)
}

/// The question that was found best.
#[derive(Clone)]
struct Split {
    feature: usize,
    threshold: f64,
    /// How many samples go left.
    left: usize,
    impurities: [f64; 2],
}

/// What looks for splits: the samples, part by part, and the order in which features are drawn.
struct Search<'a> {
    columns: &'a Columns,
    samples: Vec<u32>,
    limits: Limits,
    features: Vec<usize>,
    constant: Vec<usize>,
    random: u32,
}

impl<'a> Search<'a> {
    fn new(columns: &'a Columns, samples: Vec<u32>, limits: Limits, seed: u32) -> Self {
        let features: Vec<usize> = (0..columns.features()).collect();
        Search {
            columns,
            samples,
            limits,
            constant: features.clone(),
            features,
            random: seed,
        }
    }

    /// A number from `low` up to without `high`: G. Marsaglia's xorshift, in scikit-learn's form.
    fn draw(&mut self, low: usize, high: usize) -> usize {
        if self.random == 0 {
            self.random = 1;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        low + (self.random & i32::MAX as u32) as usize % (high - low)
    }

    /// The best split of a part over features drawn without replacement; the part's samples are then in
    /// its order. Features that do not vary are put in front and not looked at again further down.
    fn split(&mut self, part: &mut Part, criterion: &mut dyn Criterion) -> Option<Split> {
        let most = self.limits.max_features.unwrap_or(usize::MAX);
        let known = part.constant;
        let (mut end, mut visited, mut found, mut drawn) = (self.features.len(), 0, 0, 0);
        let mut best: Option<(f64, Split)> = None;
        let mut sorted = Vec::new();
        while end > known + found && (visited < most || visited <= found + drawn) {
            visited += 1;
            let mut at = self.draw(drawn, end - found);
            if at < known {
                self.features.swap(drawn, at);
                drawn += 1;
                continue;
            }
            at += found;
            let feature = self.features[at];
            self.sort(part, feature, &mut sorted);
            let (least, greatest) = (sorted[0].0, sorted[sorted.len() - 1].0);
            if greatest <= least + THRESHOLD {
                self.features.swap(at, known + found);
                found += 1;
                continue;
            }
            end -= 1;
            self.features.swap(end, at);
            self.best_of(feature, &sorted, criterion, &mut best);
        }
        self.features[..known].copy_from_slice(&self.constant[..known]);
        self.constant[known..known + found].copy_from_slice(&self.features[known..known + found]);
        part.constant = known + found;
        let (_, mut split) = best?;
        self.part(part, &split);
        let left = &self.samples[part.samples.start..][..split.left];
        split.impurities = criterion.children(left);
        Some(split)
    }

    /// The values of a feature in a part with their samples, ascending.
    fn sort(&self, part: &Part, feature: usize, sorted: &mut Vec<(f32, u32)>) {
        let column = self.columns.column(feature);
        sorted.clear();
        let samples = &self.samples[part.samples.clone()];
        sorted.extend(
            samples
                .iter()
                .map(|&sample| (column[sample as usize], sample)),
        );
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// Looks at each threshold of one feature.
    fn best_of(
        &self,
        feature: usize,
        sorted: &[(f32, u32)],
        criterion: &mut dyn Criterion,
        best: &mut Option<(f64, Split)>,
    ) {
        let least = self.limits.min_samples_leaf;
        criterion.reset();
        for left in 1..sorted.len() {
            criterion.move_left(sorted[left - 1].1);
            let (below, above) = (sorted[left - 1].0, sorted[left].0);
            if above <= below + THRESHOLD || left < least || sorted.len() - left < least {
                continue;
            }
            let gain = criterion.gain();
            if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                let split = Split {
                    feature,
                    threshold: f64::from(below) / 2.0 + f64::from(above) / 2.0,
                    left,
                    impurities: [0.0; 2],
                };
                *best = Some((gain, split));
            }
        }
    }

    /// Puts the samples that go left in front.
    fn part(&mut self, part: &Part, split: &Split) {
        let column = self.columns.column(split.feature);
        let goes_left = |sample: &u32| f64::from(column[*sample as usize]) <= split.threshold;
        let samples = &mut self.samples[part.samples.clone()];
        let (left, right): (Vec<u32>, Vec<u32>) = samples.iter().partition(|s| goes_left(s));
        samples[..left.len()].copy_from_slice(&left);
        samples[left.len()..].copy_from_slice(&right);
        debug_assert_eq!(left.len(), split.left);
    }
}
