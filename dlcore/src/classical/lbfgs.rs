//! The least value of a smooth convex function, by L-BFGS.
//!
//! D. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization" (1989).

use std::collections::VecDeque;

use crate::Result;

/// Steps that the curvature is estimated from.
const MEMORY: usize = 10;

/// Where `function` is least, to a gradient of at most `tolerance` in each component; the function
/// writes its gradient and returns its value. At most `max_iter` steps.
pub(super) fn minimise(
    start: Vec<f64>,
    max_iter: usize,
    tolerance: f64,
    mut function: impl FnMut(&[f64], &mut [f64]) -> Result<f64>,
) -> Result<Vec<f64>> {
    let mut at = start;
    let mut gradient = vec![0.0; at.len()];
    let mut value = function(&at, &mut gradient)?;
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY + 1);
    let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
    for _ in 0..max_iter {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            break;
        }
        let mut direction = quasi_newton(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // The first direction has no scale of its own.
        let mut step: f64 = match pairs.is_empty() {
            true => (1.0 / dot(&gradient, &gradient).sqrt()).min(1.0),
            false => 1.0,
        };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut found = value;
        // A step that descends enough and leaves less slope (Wolfe's conditions), by bisection.
        for _ in 0..40 {
            for ((next, at), direction) in next.iter_mut().zip(&at).zip(&direction) {
                *next = at + step * direction;
            }
            found = function(&next, &mut next_gradient)?;
            let descends = found <= value + 1e-4 * step * slope;
            if !descends {
                high = step;
            } else if dot(&direction, &next_gradient) < 0.9 * slope {
                low = step;
            } else {
                break;
            }
            step = match high.is_finite() {
                true => 0.5 * (low + high),
                false => 2.0 * low,
            };
        }
        let lower = found < value;
        if !lower {
            break; // As low as numbers go.
        }
        let pair = Pair::between((&at, &gradient), (&next, &next_gradient));
        if pair.curvature > 1e-16 * dot(&pair.change, &pair.change) {
            pairs.push_back(pair);
            if pairs.len() > MEMORY {
                pairs.pop_front();
            }
        }
        value = found;
        std::mem::swap(&mut at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
    }
    Ok(at)
}

/// How the gradient changed over one step.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

impl Pair {
    fn between(from: (&[f64], &[f64]), to: (&[f64], &[f64])) -> Pair {
        let minus =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (step, change) = (minus(to.0, from.0), minus(to.1, from.1));
        let curvature = dot(&step, &change);
        Pair {
            step,
            change,
            curvature,
        }
    }
}

/// Minus the gradient times the estimated inverse of the curvature: the two loops of L-BFGS.
fn quasi_newton(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let back = dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, share - back, &pair.step);
    }
    direction
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * what;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_valley_is_followed_to_its_end() {
        // Rosenbrock's function is not convex, but this start leads down.
        let rosenbrock = |at: &[f64], gradient: &mut [f64]| {
            let (x, y) = (at[0], at[1]);
            gradient[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
            gradient[1] = 200.0 * (y - x * x);
            Ok((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2))
        };
        let least = minimise(vec![-1.2, 1.0], 200, 1e-9, rosenbrock).unwrap();
        assert!(least.iter().all(|v| (v - 1.0).abs() < 1e-6), "{least:?}");
    }
}
