//! What grows a tree: for classes and, within gradient boosting, for numbers.
//!
//! L. Breiman and others, *Classification and Regression Trees* (1984), step by step as scikit-learn
//! grows them, its order of nodes and its random draws included: of splits that are as good as each
//! other the same one is taken.

use super::criterion::Criterion;
use super::data::{Rows, go_on};
use super::tree::{Limits, Node, Tree};
use crate::Result;

/// Values nearer to each other than this are not told apart.
const THRESHOLD: f32 = 1e-7;

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
