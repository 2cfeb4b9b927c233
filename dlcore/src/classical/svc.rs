//! The support vector machine.

use super::base::{self, Fitted, Rule, classifier, largest};
use super::data::{Labelled, Rows};
use super::lbfgs::dot;
use super::smo::{self, Problem};
use crate::device::cpu::collect;
use crate::error::raise;
use crate::{Error, Result, Tensor, names};

/// How a support vector machine measures that two rows are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// The dot product: the boundary is straight.
    Linear,
    /// `exp(−gamma · squared distance)`: the boundary bends.
    Rbf,
}

impl From<&str> for Kernel {
    fn from(name: &str) -> Self {
        match name {
            "linear" => Kernel::Linear,
            "rbf" => Kernel::Rbf,
            _ => {
                let known = ["linear", "rbf"];
                raise(&Error::Value(names::unknown("kernel", name, &known)))
            }
        }
    }
}

/// A support vector machine: the boundary with the widest margin, straight or, by a kernel, bent.
/// Among more than two classes there is a machine for each pair, and the most votes decide.
///
/// It has no probabilities: [`decision_function`](SVC::decision_function) says on which side of the
/// boundary a row lies and how far.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_circles(200, 0.1, 0.5, 0);
/// let (mut straight, mut bent) = (SVC::new().kernel("linear"), SVC::new());
/// straight.fit(&x, &y)?;
/// bent.fit(&x, &y)?;
/// assert!(straight.score(&x, &y)? < 0.7 && bent.score(&x, &y)? > 0.95);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SVC {
    c: f64,
    kernel: Kernel,
    gamma: Option<f64>,
    tol: f64,
    fitted: Option<Fitted<Machines>>,
}

classifier!(SVC);

impl SVC {
    /// A machine with scikit-learn's defaults: `C` 1 and the RBF kernel.
    pub fn new() -> Self {
        SVC {
            c: 1.0,
            kernel: Kernel::Rbf,
            gamma: None,
            tol: 1e-3,
            fitted: None,
        }
    }

    /// scikit-learn's `C`: how much points on the wrong side cost (1 unless set).
    pub fn c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// `"rbf"` (unless set) or `"linear"`.
    ///
    /// # Panics
    /// For another name.
    pub fn kernel(mut self, kernel: impl Into<Kernel>) -> Self {
        self.kernel = kernel.into();
        self
    }

    /// How fast likeness falls with distance; scikit-learn's `"scale"` unless set:
    /// `1 / (features · variance of x)`.
    pub fn gamma(mut self, gamma: f64) -> Self {
        self.gamma = Some(gamma);
        self
    }

    /// How exactly the problem is solved (1e-3 unless set).
    pub fn tol(mut self, tolerance: f64) -> Self {
        self.tol = tolerance;
        self
    }

    /// The rows that the boundary rests on, `[count, features]`.
    ///
    /// # Errors
    /// If it was not fitted.
    pub fn support_vectors(&self) -> Result<Tensor> {
        let machines = &base::known("SVC.support_vectors", &self.fitted)?.rule;
        let values: Vec<f32> = machines.vectors.iter().map(|&v| v as f32).collect();
        Tensor::from_shape_vec([machines.count(), machines.features], values)
    }

    /// On which side of the boundary each row lies and how far, in margins.
    ///
    /// # Shapes
    /// Between two classes `[samples]`, above 0 for the second; among more `[samples, classes]`, the
    /// votes of the pairs with their confidence as a fraction.
    ///
    /// # Errors
    /// If it was not fitted, or to rows of another length.
    pub fn decision_function(&self, x: &Tensor) -> Result<Tensor> {
        let operation = "SVC.decision_function";
        let fitted = base::known(operation, &self.fitted)?;
        let rows = fitted.rows(operation, x)?;
        let by_row = fitted.rule.sides(&rows);
        let classes = fitted.count();
        if classes == 2 {
            let values: Vec<f32> = by_row.iter().map(|sides| -sides[0] as f32).collect();
            return Ok(Tensor::from(values));
        }
        let scores = by_row
            .iter()
            .flat_map(|sides| fitted.rule.votes(sides, true));
        let scores: Vec<f32> = scores.map(|score| score as f32).collect();
        Tensor::from_shape_vec([rows.len(), classes], scores)
    }

    fn learn(&self, data: &Labelled) -> Result<Machines> {
        let gamma = self.gamma.unwrap_or_else(|| scale(&data.rows));
        if !(self.c > 0.0 && self.tol > 0.0 && gamma >= 0.0) {
            return Err(Error::Value(format!(
                "SVC: expected C and tol above 0 and gamma of at least 0, got {}, {} and {gamma}",
                self.c, self.tol
            )));
        }
        let likeness = match self.kernel {
            Kernel::Linear => Likeness::Linear,
            Kernel::Rbf => Likeness::Rbf(gamma),
        };
        let mut machines = Vec::new();
        // The place of each row among the support vectors.
        let mut place = vec![None; data.rows.len()];
        let mut vectors = Vec::new();
        for first in 0..data.classes.len() {
            for second in first + 1..data.classes.len() {
                let (chosen, solution) = self.solve(data, (first, second), likeness)?;
                let mut weights = Vec::new();
                for (&row, &weight) in chosen.iter().zip(&solution.weights) {
                    if weight != 0.0 {
                        let next = vectors.len() / data.rows.features;
                        let place = *place[row].get_or_insert_with(|| {
                            vectors.extend_from_slice(data.rows.row(row));
                            next
                        });
                        weights.push((place, weight));
                    }
                }
                machines.push(Machine {
                    pair: (first, second),
                    weights,
                    rho: solution.rho,
                });
            }
        }
        Ok(Machines {
            machines,
            vectors,
            features: data.rows.features,
            classes: data.classes.len(),
            likeness,
        })
    }

    /// The rows of two classes, and the machine between them.
    fn solve(
        &self,
        data: &Labelled,
        (first, second): (usize, usize),
        likeness: Likeness,
    ) -> Result<(Vec<usize>, smo::Solution)> {
        let of_pair = |&row: &usize| [first, second].contains(&data.labels[row]);
        let chosen: Vec<usize> = (0..data.rows.len()).filter(of_pair).collect();
        let sign = |&row: &usize| if data.labels[row] == first { 1.0 } else { -1.0 };
        let signs: Vec<f64> = chosen.iter().map(sign).collect();
        let kernel =
            |a: usize, b: usize| likeness.of(data.rows.row(chosen[a]), data.rows.row(chosen[b]));
        let solution = smo::solve(&Problem {
            signs: &signs,
            kernel: &kernel,
            c: self.c,
            tolerance: self.tol,
        })?;
        Ok((chosen, solution))
    }
}

/// scikit-learn's `gamma="scale"`.
fn scale(rows: &Rows) -> f64 {
    let count = (rows.len() * rows.features) as f64;
    let mean = rows.iter().flatten().sum::<f64>() / count;
    let variance = rows
        .iter()
        .flatten()
        .map(|v| (v - mean).powi(2))
        .sum::<f64>()
        / count;
    match variance > 0.0 {
        true => 1.0 / (rows.features as f64 * variance),
        false => 1.0,
    }
}

#[derive(Clone, Copy)]
enum Likeness {
    Linear,
    Rbf(f64),
}

impl Likeness {
    fn of(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Likeness::Linear => dot(a, b),
            Likeness::Rbf(gamma) => {
                let distance: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                (-gamma * distance).exp()
            }
        }
    }
}

/// The machine between two classes.
struct Machine {
    pair: (usize, usize),
    /// The places of its support vectors, and their weights.
    weights: Vec<(usize, f64)>,
    rho: f64,
}

struct Machines {
    machines: Vec<Machine>,
    vectors: Vec<f64>,
    features: usize,
    classes: usize,
    likeness: Likeness,
}

impl Machines {
    fn count(&self) -> usize {
        self.vectors.len() / self.features
    }

    /// For each row and machine how far the row lies on the side of the pair's first class.
    fn sides(&self, rows: &Rows) -> Vec<Vec<f64>> {
        let one = |index: usize| {
            let row = rows.row(index);
            let vectors = self.vectors.chunks_exact(self.features);
            let alike: Vec<f64> = vectors
                .map(|vector| self.likeness.of(vector, row))
                .collect();
            let side = |machine: &Machine| {
                let terms = machine
                    .weights
                    .iter()
                    .map(|&(place, weight)| weight * alike[place]);
                terms.sum::<f64>() - machine.rho
            };
            self.machines.iter().map(side).collect()
        };
        collect(rows.len(), &one)
    }

    /// The votes for each class, with the machines' confidence as a fraction where it is asked for.
    fn votes(&self, sides: &[f64], confidence: bool) -> Vec<f64> {
        let (mut votes, mut sums) = (vec![0.0; self.classes], vec![0.0; self.classes]);
        for (machine, &side) in self.machines.iter().zip(sides) {
            let (first, second) = machine.pair;
            // A row on the boundary counts for the first, as there.
            votes[if side >= 0.0 { first } else { second }] += 1.0;
            sums[first] += side;
            sums[second] -= side;
        }
        if confidence {
            for (vote, sum) in votes.iter_mut().zip(&sums) {
                *vote += sum / (3.0 * (sum.abs() + 1.0));
            }
        }
        votes
    }
}

impl Rule for Machines {
    /// The shares of the votes: not asked for, since they are no probabilities.
    fn probabilities(&self, rows: &Rows) -> Vec<f64> {
        let total = self.machines.len() as f64;
        let by_row = self.sides(rows);
        let votes = by_row.iter().flat_map(|sides| self.votes(sides, false));
        votes.map(|votes| votes / total).collect()
    }

    fn decide(&self, rows: &Rows) -> Vec<usize> {
        let by_row = self.sides(rows);
        by_row
            .iter()
            .map(|sides| largest(&self.votes(sides, false)))
            .collect()
    }
}
