//! Points in the plane to try classifiers on.
//!
//! `make_moons`, `make_circles` and `make_blobs` give the points that scikit-learn gives for the
//! same seed: they draw from NumPy's `RandomState` in the same order.

use super::mt19937::RandomState;
use crate::Tensor;

/// More points than this are refused.
const MOST: usize = 10_000_000;

#[track_caller]
fn check(operation: &str, n_samples: usize, noise: f64) {
    assert!(
        (1..=MOST).contains(&n_samples),
        "{operation}: expected 1 to {MOST} points, got {n_samples}"
    );
    assert!(
        noise >= 0.0 && noise.is_finite(),
        "{operation}: expected a deviation of at least 0, got {noise}"
    );
}

/// Two half circles that reach into each other, in noise of this standard deviation.
///
/// # Shapes
/// `x`: `[n_samples, 2]`, `F32`; `y`: `[n_samples]`, 0 or 1, `I64`
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(200, 0.2, 0);
/// assert_eq!((x.shape(), y.shape()), (&[200, 2][..], &[200][..]));
/// ```
///
/// # Panics
/// If there is no point or there are more than ten million, or the noise is negative.
#[track_caller]
pub fn make_moons(n_samples: usize, noise: f64, seed: u32) -> (Tensor, Tensor) {
    check("make_moons", n_samples, noise);
    let outer = n_samples / 2;
    let point = |index: usize| match index < outer {
        true => {
            let angle = step(index, outer, std::f64::consts::PI, true);
            ([angle.cos(), angle.sin()], 0)
        }
        false => {
            let angle = step(index - outer, n_samples - outer, std::f64::consts::PI, true);
            ([1.0 - angle.cos(), 1.0 - angle.sin() - 0.5], 1)
        }
    };
    shuffled_with_noise((0..n_samples).map(point).collect(), noise, seed)
}

/// A circle around another that is `factor` times as large, in noise of this standard deviation.
///
/// # Shapes
/// `x`: `[n_samples, 2]`, `F32`; `y`: `[n_samples]`, 0 or 1, `I64`
///
/// # Panics
/// If there is no point or there are more than ten million, the noise is negative, or the factor is not
/// from 0 to 1.
#[track_caller]
pub fn make_circles(n_samples: usize, noise: f64, factor: f64, seed: u32) -> (Tensor, Tensor) {
    check("make_circles", n_samples, noise);
    assert!(
        (0.0..1.0).contains(&factor),
        "make_circles: expected a factor from 0 to 1, got {factor}"
    );
    let outer = n_samples / 2;
    let point = |index: usize| {
        let (at, count, radius, class) = match index < outer {
            true => (index, outer, 1.0, 0),
            false => (index - outer, n_samples - outer, factor, 1),
        };
        let angle = step(at, count, std::f64::consts::TAU, false);
        ([radius * angle.cos(), radius * angle.sin()], class)
    };
    shuffled_with_noise((0..n_samples).map(point).collect(), noise, seed)
}

/// Round clouds of points around `centers` places from −10 to 10, each of this standard deviation.
///
/// # Shapes
/// `x`: `[n_samples, 2]`, `F32`; `y`: `[n_samples]`, 0 to `centers` − 1, `I64`
///
/// # Panics
/// If there is no point or there are more than ten million, no centre, or the deviation is negative.
#[track_caller]
pub fn make_blobs(
    n_samples: usize,
    centers: usize,
    cluster_std: f64,
    seed: u32,
) -> (Tensor, Tensor) {
    check("make_blobs", n_samples, cluster_std);
    assert!(
        centers > 0,
        "make_blobs: expected at least one centre, got 0"
    );
    let mut draws = Draws::new(seed);
    let middles: Vec<[f64; 2]> = (0..centers)
        .map(|_| [(); 2].map(|()| -10.0 + 20.0 * draws.uniform()))
        .collect();
    let mut points = Vec::with_capacity(n_samples);
    for (class, middle) in middles.iter().enumerate() {
        let count = n_samples / centers + usize::from(class < n_samples % centers);
        for _ in 0..count {
            points.push((
                middle.map(|at| at + cluster_std * draws.normal()),
                class as i64,
            ));
        }
    }
    let order = draws.state.shuffled(n_samples);
    tensors(
        &order
            .into_iter()
            .map(|index| points[index])
            .collect::<Vec<_>>(),
    )
}

/// Clusters of points with correlated coordinates, two to a class, in the spirit of scikit-learn's
/// `make_classification` (whose points are others).
///
/// # Shapes
/// `x`: `[n_samples, 2]`, `F32`; `y`: `[n_samples]`, 0 to `n_classes` − 1, `I64`
///
/// # Panics
/// If there is no point or there are more than ten million, or there are fewer than two classes or more
/// than 100.
#[track_caller]
pub fn make_classification(n_samples: usize, n_classes: usize, seed: u32) -> (Tensor, Tensor) {
    check("make_classification", n_samples, 0.0);
    assert!(
        (2..=100).contains(&n_classes),
        "make_classification: expected 2 to 100 classes, got {n_classes}"
    );
    let mut draws = Draws::new(seed);
    let clusters = 2 * n_classes;
    // Places on a grid, taken in random order, so that clusters lie apart.
    let side = (clusters as f64).sqrt().ceil() as usize;
    let places = draws.state.shuffled(side * side);
    let shapes: Vec<[f64; 4]> = (0..clusters)
        .map(|_| [(); 4].map(|()| 1.6 * draws.uniform() - 0.8))
        .collect();
    let point = |index: usize| {
        let cluster = index % clusters;
        let (row, column) = (places[cluster] / side, places[cluster] % side);
        let ([a, b, c, d], (u, v)) = (shapes[cluster], (draws.normal(), draws.normal()));
        let x = 2.5 * column as f64 + 0.35 * u + a * u + b * v;
        let y = 2.5 * row as f64 + 0.35 * v + c * u + d * v;
        ([x, y], (cluster % n_classes) as i64)
    };
    let points: Vec<_> = (0..n_samples).map(point).collect();
    let order = draws.state.shuffled(n_samples);
    tensors(
        &order
            .into_iter()
            .map(|index| points[index])
            .collect::<Vec<_>>(),
    )
}

/// Spirals that wind around each other, one to a class, in noise of this standard deviation: no straight
/// line parts them, a few layers do.
///
/// # Shapes
/// `x`: `[n_samples, 2]`, `F32`; `y`: `[n_samples]`, 0 to `n_classes` − 1, `I64`
///
/// # Panics
/// If there is no point or there are more than ten million, no class, or the noise is negative.
#[track_caller]
pub fn make_spirals(n_samples: usize, n_classes: usize, noise: f64, seed: u32) -> (Tensor, Tensor) {
    check("make_spirals", n_samples, noise);
    assert!(
        n_classes > 0,
        "make_spirals: expected at least one class, got 0"
    );
    let point = |index: usize| {
        let class = index % n_classes;
        let share = (index / n_classes) as f64 / n_samples.div_ceil(n_classes) as f64;
        let turn = std::f64::consts::TAU * class as f64 / n_classes as f64;
        let (radius, angle) = (
            0.1 + 0.9 * share,
            turn + 1.25 * std::f64::consts::TAU * share,
        );
        ([radius * angle.cos(), radius * angle.sin()], class as i64)
    };
    shuffled_with_noise((0..n_samples).map(point).collect(), noise, seed)
}

/// The step at `index` of `count` evenly spaced ones, the last at `end` or one before it.
fn step(index: usize, count: usize, end: f64, with_end: bool) -> f64 {
    let steps = if with_end { count - 1 } else { count };
    match steps {
        0 => 0.0,
        steps => index as f64 * (end / steps as f64),
    }
}

fn shuffled_with_noise(points: Vec<([f64; 2], i64)>, noise: f64, seed: u32) -> (Tensor, Tensor) {
    let mut draws = Draws::new(seed);
    let order = draws.state.shuffled(points.len());
    let mut points: Vec<_> = order.into_iter().map(|index| points[index]).collect();
    if noise > 0.0 {
        for (at, _) in &mut points {
            at.iter_mut()
                .for_each(|value| *value += noise * draws.normal());
        }
    }
    tensors(&points)
}

fn tensors(points: &[([f64; 2], i64)]) -> (Tensor, Tensor) {
    let at: Vec<f32> = points
        .iter()
        .flat_map(|(at, _)| at.map(|value| value as f32))
        .collect();
    let classes: Vec<i64> = points.iter().map(|(_, class)| *class).collect();
    let x = Tensor::from_values(&[points.len(), 2], at);
    (x, Tensor::from(classes))
}

/// Numbers drawn as NumPy's `RandomState` draws them.
struct Draws {
    state: RandomState,
    /// The second of a pair of normal numbers.
    kept: Option<f64>,
}

impl Draws {
    fn new(seed: u32) -> Self {
        Draws {
            state: RandomState::new(seed),
            kept: None,
        }
    }

    /// From 0 up to without 1, in 53 bits.
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.state.next_u32() >> 5, self.state.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A standard normal number, by G. Marsaglia's polar method.
    fn normal(&mut self) -> f64 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        loop {
            let (a, b) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square > 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.kept = Some(factor * a);
                return factor * b;
            }
        }
    }
}
