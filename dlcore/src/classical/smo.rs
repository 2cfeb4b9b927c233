//! Training a support vector machine between two classes: sequential minimal optimization, with the
//! working sets of R.-E. Fan, P.-H. Chen and C.-J. Lin, "Working set selection using second order
//! information for training support vector machines" (2005), as in LIBSVM.

use super::data::go_on;
use crate::{Error, Result};

/// No curvature is taken to be less.
const LEAST_CURVATURE: f64 = 1e-12;
/// Rows of the kernel's matrix are kept up to so many numbers (256 MB).
const KEPT: usize = 64 << 20;

/// What there is to solve: signs of the samples, the kernel between two of them, and limits.
pub(super) struct Problem<'a> {
    pub signs: &'a [f64],
    pub kernel: &'a (dyn Fn(usize, usize) -> f64 + Sync),
    pub c: f64,
    pub tolerance: f64,
}

/// The solution: the weight of each sample (with its sign) and what is subtracted from their sum.
pub(super) struct Solution {
    pub weights: Vec<f64>,
    pub rho: f64,
}

/// Rows of the kernel's matrix, computed when first asked for.
struct Matrix<'a> {
    problem: &'a Problem<'a>,
    rows: Vec<Option<Box<[f32]>>>,
    kept: usize,
}

impl Matrix<'_> {
    /// Computes a row if it is not there.
    fn need(&mut self, index: usize) {
        let count = self.rows.len();
        if self.rows[index].is_some() {
            return;
        }
        if (self.kept + 1) * count > KEPT {
            // Rarely: more than 8000 samples. What is still needed comes again.
            self.rows.iter_mut().for_each(|row| *row = None);
            self.kept = 0;
        }
        let row = (0..count).map(|other| (self.problem.kernel)(index, other) as f32);
        self.rows[index] = Some(row.collect());
        self.kept += 1;
    }

    fn row(&self, index: usize) -> &[f32] {
        self.rows[index].as_deref().unwrap_or(&[])
    }
}

/// Solves the dual problem to the tolerance.
pub(super) fn solve(problem: &Problem<'_>) -> Result<Solution> {
    let count = problem.signs.len();
    let mut matrix = Matrix {
        problem,
        rows: vec![None; count],
        kept: 0,
    };
    let diagonal: Vec<f64> = (0..count).map(|i| (problem.kernel)(i, i)).collect();
    let mut alpha = vec![0.0; count];
    let mut gradient = vec![-1.0; count];
    // LIBSVM's bound; what is not solved by then does not get there.
    let most = (100 * count).max(10_000_000);
    for round in 0..most {
        if round % 1024 == 0 {
            go_on("SVC.fit")?;
        }
        let Some(first) = highest(problem, &alpha, &gradient) else {
            return Ok(finish(problem, alpha, &gradient));
        };
        matrix.need(first);
        let Some(second) = partner(
            problem,
            &alpha,
            &gradient,
            first,
            (matrix.row(first), &diagonal),
        ) else {
            return Ok(finish(problem, alpha, &gradient));
        };
        matrix.need(second);
        matrix.need(first);
        step(
            problem,
            (&mut alpha, &mut gradient),
            (first, second),
            (&matrix, &diagonal),
        );
    }
    Err(Error::Model(format!(
        "SVC.fit: no solution to a tolerance of {} in {most} steps; scale the features to a mean of 0 and \
         a deviation of 1, or lower C",
        problem.tolerance
    )))
}

/// Whether the sample's weight may still move up (or down) along its sign.
fn may(problem: &Problem<'_>, alpha: &[f64], index: usize, up: bool) -> bool {
    match (problem.signs[index] > 0.0) == up {
        true => alpha[index] < problem.c,
        false => alpha[index] > 0.0,
    }
}

/// The sample that most wants to move up.
fn highest(problem: &Problem<'_>, alpha: &[f64], gradient: &[f64]) -> Option<usize> {
    let wish = |index: &usize| -problem.signs[*index] * gradient[*index];
    let movable = (0..alpha.len()).filter(|&index| may(problem, alpha, index, true));
    movable.max_by(|a, b| wish(a).total_cmp(&wish(b)))
}

/// The sample that gains most by moving down as `first` moves up; none at the solution.
fn partner(
    problem: &Problem<'_>,
    alpha: &[f64],
    gradient: &[f64],
    first: usize,
    (row, diagonal): (&[f32], &[f64]),
) -> Option<usize> {
    let top = -problem.signs[first] * gradient[first];
    let (mut lowest, mut best) = (f64::NEG_INFINITY, None);
    let mut greatest = 0.0;
    for index in (0..alpha.len()).filter(|&index| may(problem, alpha, index, false)) {
        let wish = problem.signs[index] * gradient[index];
        lowest = lowest.max(wish);
        let gap = top + wish;
        if gap > 0.0 {
            let curvature = diagonal[first] + diagonal[index] - 2.0 * f64::from(row[index]);
            let gain = gap * gap / curvature.max(LEAST_CURVATURE);
            if gain > greatest {
                (greatest, best) = (gain, Some(index));
            }
        }
    }
    best.filter(|_| top + lowest >= problem.tolerance)
}

/// Moves two weights against each other, as far as is best and their limits allow.
fn step(
    problem: &Problem<'_>,
    (alpha, gradient): (&mut [f64], &mut [f64]),
    (i, j): (usize, usize),
    (matrix, diagonal): (&Matrix<'_>, &[f64]),
) {
    let (signs, c) = (problem.signs, problem.c);
    let (row_i, row_j) = (matrix.row(i), matrix.row(j));
    let curvature = diagonal[i] + diagonal[j] - 2.0 * f64::from(row_i[j]);
    // Along the line on which the sum of the signed weights stays: i goes up by t / sign, j down.
    let wish = -signs[i] * gradient[i] + signs[j] * gradient[j];
    let room = |index: usize, up: bool| match (signs[index] > 0.0) == up {
        true => c - alpha[index],
        false => alpha[index],
    };
    let limits = (room(i, true), room(j, false));
    let t = (wish / curvature.max(LEAST_CURVATURE))
        .min(limits.0)
        .min(limits.1);
    for (index, change, limit) in [(i, t * signs[i], limits.0), (j, -t * signs[j], limits.1)] {
        // At the limit exactly: rounding must not leave a sliver to move.
        alpha[index] = match (t == limit, change > 0.0) {
            (true, true) => c,
            (true, false) => 0.0,
            _ => (alpha[index] + change).clamp(0.0, c),
        };
    }
    for (index, gradient) in gradient.iter_mut().enumerate() {
        *gradient += signs[index] * t * (f64::from(row_i[index]) - f64::from(row_j[index]));
    }
}

/// The constant lies where the free samples put it, or between the limits.
fn finish(problem: &Problem<'_>, alpha: Vec<f64>, gradient: &[f64]) -> Solution {
    let (mut upper, mut lower) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut sum, mut free) = (0.0, 0.0);
    for (index, &weight) in alpha.iter().enumerate() {
        let value = problem.signs[index] * gradient[index];
        if weight > 0.0 && weight < problem.c {
            sum += value;
            free += 1.0;
        } else if may(problem, &alpha, index, true) {
            upper = upper.min(value);
        } else {
            lower = lower.max(value);
        }
    }
    let rho = if free > 0.0 {
        sum / free
    } else {
        (upper + lower) / 2.0
    };
    let weights = alpha
        .iter()
        .zip(problem.signs)
        .map(|(a, s)| a * s)
        .collect();
    Solution { weights, rho }
}
