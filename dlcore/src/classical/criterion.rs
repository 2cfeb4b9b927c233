//! How good a split is: Gini's measure for classes, squared error for numbers.

/// Adds up the samples of a node and of what would be its left part.
pub(super) trait Criterion {
    /// How many values a node has.
    fn width(&self) -> usize;
    /// Takes up a node.
    fn open(&mut self, samples: &[u32]);
    /// The impurity of the node.
    fn impurity(&self) -> f64;
    /// Begins again with an empty left part.
    fn reset(&mut self);
    /// Moves a sample to the left part.
    fn move_left(&mut self, sample: u32);
    /// How good the parts are, the greater the better.
    fn gain(&self) -> f64;
    /// The impurities of the two parts, the left one being these samples.
    fn children(&mut self, left: &[u32]) -> [f64; 2];
    /// Adds the node's values.
    fn value(&self, out: &mut Vec<f64>);
}

/// Sums of weights by class.
#[derive(Clone)]
struct Counts {
    by_class: Vec<f64>,
    total: f64,
}

impl Counts {
    fn add(&mut self, class: usize, weight: f64) {
        self.by_class[class] += weight;
        self.total += weight;
    }

    fn clear(&mut self) {
        self.by_class.fill(0.0);
        self.total = 0.0;
    }
}

fn gini(squares: f64, total: f64) -> f64 {
    1.0 - squares / (total * total)
}

/// Gini's impurity: how often two samples of a part, drawn with replacement, differ in class.
pub(super) struct Gini<'a> {
    labels: &'a [usize],
    weights: &'a [f64],
    node: Counts,
    left: Counts,
}

impl<'a> Gini<'a> {
    pub fn new(labels: &'a [usize], weights: &'a [f64], classes: usize) -> Self {
        let none = Counts {
            by_class: vec![0.0; classes],
            total: 0.0,
        };
        Gini {
            labels,
            weights,
            node: none.clone(),
            left: none,
        }
    }

    fn impurities(&self) -> [f64; 2] {
        let (mut left, mut right) = (0.0, 0.0);
        for (part, whole) in self.left.by_class.iter().zip(&self.node.by_class) {
            left += part * part;
            right += (whole - part) * (whole - part);
        }
        let weight = self.left.total;
        [gini(left, weight), gini(right, self.node.total - weight)]
    }
}

impl Criterion for Gini<'_> {
    fn width(&self) -> usize {
        self.node.by_class.len()
    }

    fn open(&mut self, samples: &[u32]) {
        self.node.clear();
        for &sample in samples {
            self.node
                .add(self.labels[sample as usize], self.weights[sample as usize]);
        }
    }

    fn impurity(&self) -> f64 {
        let squares = self.node.by_class.iter().map(|c| c * c).sum();
        gini(squares, self.node.total)
    }

    fn reset(&mut self) {
        self.left.clear();
    }

    fn move_left(&mut self, sample: u32) {
        self.left
            .add(self.labels[sample as usize], self.weights[sample as usize]);
    }

    fn gain(&self) -> f64 {
        let [left, right] = self.impurities();
        let weight = self.left.total;
        -(self.node.total - weight) * right - weight * left
    }

    fn children(&mut self, left: &[u32]) -> [f64; 2] {
        self.reset();
        left.iter().for_each(|&sample| self.move_left(sample));
        self.impurities()
    }

    fn value(&self, out: &mut Vec<f64>) {
        out.extend(
            self.node
                .by_class
                .iter()
                .map(|count| count / self.node.total),
        );
    }
}

/// The mean squared distance from the part's mean.
pub(super) struct SquaredError<'a> {
    targets: &'a [f64],
    /// Sum, sum of squares and number.
    node: (f64, f64, f64),
    left: (f64, f64, f64),
}

impl<'a> SquaredError<'a> {
    pub fn new(targets: &'a [f64]) -> Self {
        SquaredError {
            targets,
            node: (0.0, 0.0, 0.0),
            left: (0.0, 0.0, 0.0),
        }
    }
}

fn spread((sum, squares, count): (f64, f64, f64)) -> f64 {
    squares / count - (sum / count).powi(2)
}

impl Criterion for SquaredError<'_> {
    fn width(&self) -> usize {
        1
    }

    fn open(&mut self, samples: &[u32]) {
        self.reset();
        samples.iter().for_each(|&sample| self.move_left(sample));
        self.node = self.left;
    }

    fn impurity(&self) -> f64 {
        spread(self.node)
    }

    fn reset(&mut self) {
        self.left = (0.0, 0.0, 0.0);
    }

    fn move_left(&mut self, sample: u32) {
        let target = self.targets[sample as usize];
        self.left.0 += target;
        self.left.1 += target * target;
        self.left.2 += 1.0;
    }

    fn gain(&self) -> f64 {
        let (left, count) = (self.left.0, self.left.2);
        let right = self.node.0 - left;
        left * left / count + right * right / (self.node.2 - count)
    }

    fn children(&mut self, left: &[u32]) -> [f64; 2] {
        self.reset();
        left.iter().for_each(|&sample| self.move_left(sample));
        let (node, left) = (self.node, self.left);
        [
            spread(left),
            spread((node.0 - left.0, node.1 - left.1, node.2 - left.2)),
        ]
    }

    fn value(&self, out: &mut Vec<f64>) {
        out.push(self.node.0 / self.node.2);
    }
}
