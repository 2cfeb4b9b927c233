//! The two principal directions of points in many dimensions.

/// Power iterations: what has not settled by then lies in two directions of equal spread.
const ROUNDS: usize = 300;

/// Rows of `features` numbers, each as its parts along the two directions in which the rows vary most.
pub(super) fn two_directions(values: &[f64], features: usize) -> Vec<(f64, f64)> {
    let count = (values.len() / features) as f64;
    let mut mean = vec![0.0; features];
    for row in values.chunks_exact(features) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, value)| *mean += value / count);
    }
    let centred: Vec<f64> = values
        .chunks_exact(features)
        .flat_map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean))
        .collect();
    let first = direction(&centred, features, None);
    let second = direction(&centred, features, Some(&first));
    let rows = centred.chunks_exact(features);
    rows.map(|row| (dot(row, &first), dot(row, &second)))
        .collect()
}

/// The direction in which the rows vary most, of those at a right angle to another.
fn direction(centred: &[f64], features: usize, other: Option<&[f64]>) -> Vec<f64> {
    // Any start that is at no right angle to the answer; the same each time.
    let mut at: Vec<f64> = (0..features)
        .map(|i| 1.0 + (i as f64 * 0.754_877).fract())
        .collect();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; features];
        for row in centred.chunks_exact(features) {
            let along = dot(row, &at);
            next.iter_mut()
                .zip(row)
                .for_each(|(next, value)| *next += along * value);
        }
        if let Some(other) = other {
            let along = dot(&next, other);
            next.iter_mut()
                .zip(other)
                .for_each(|(next, other)| *next -= along * other);
        }
        let length = dot(&next, &next).sqrt();
        // No variation is left in any direction.
        if length < 1e-300 {
            return vec![0.0; features];
        }
        next.iter_mut().for_each(|value| *value /= length);
        let turned = at
            .iter()
            .zip(&next)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        at = next;
        if turned < 1e-9 {
            break;
        }
    }
    at
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_tilted_plane_lie_flat() {
        // 3 along (1, 1, 0) and 1 along (1, -1, 0), nothing along the third.
        let mut values = Vec::new();
        for (a, b) in [(3.0, 0.0), (-3.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
            let root = 0.5_f64.sqrt();
            values.extend([root * (a + b) + 5.0, root * (a - b), 7.0]);
        }
        let flat = two_directions(&values, 3);
        for ((x, y), (a, b)) in flat
            .iter()
            .zip([(3.0, 0.0), (3.0, 0.0), (0.0, 1.0), (0.0, 1.0)])
        {
            assert!(
                (x.abs() - a).abs() < 1e-6 && (y.abs() - b).abs() < 1e-6,
                "{flat:?}"
            );
        }
    }

    #[test]
    fn points_that_are_all_one_stay_at_the_middle() {
        assert_eq!(two_directions(&[2.0; 12], 4), [(0.0, 0.0); 3]);
    }
}
