//! What layers draw is independent of what was drawn before, and of its distribution. The seeds are fixed; bounds are
//! five standard deviations of what is asked for. One test: the stream of random numbers is one for the process.

use dlcore::Tensor;
use dlcore::prelude::*;

/// The correlation of equally long numbers.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let mean =
        |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f32], mx: f64, y: &[f32], my: f64| -> f64 {
        let pairs = x.iter().zip(y);
        pairs
            .map(|(&x, &y)| (f64::from(x) - mx) * (f64::from(y) - my))
            .sum()
    };
    let both = product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b);
    product(a, mean_a, b, mean_b) / both.sqrt()
}

#[track_caller]
fn uncorrelated(what: &str, a: &[f32], b: &[f32]) {
    let found = correlation(a, b);
    let bound = 5.0 / (a.len() as f64).sqrt();
    assert!(
        found.abs() < bound,
        "{what}: {found}, below {bound} expected"
    );
}

/// Masks of two layers over some batches, with an order of samples drawn before each as `fit` does.
fn masks(batches: usize) -> [Vec<Vec<f32>>; 2] {
    let (first, second) = (Dropout::new(0.5), Dropout::new(0.5));
    let ones = Tensor::ones([512, 16]);
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..batches {
        Tensor::arange(0.0, 100.0, 1.0).shuffle();
        all[0].push(first.forward(&ones, true).to_vec());
        all[1].push(second.forward(&ones, true).to_vec());
    }
    all
}

fn check_masks() {
    let [first, second] = masks(40);
    for batch in 0..39 {
        uncorrelated("two layers", &first[batch], &second[batch]);
        uncorrelated("batches in a row", &first[batch], &first[batch + 1]);
        uncorrelated(
            "a layer and the one before",
            &second[batch],
            &first[batch + 1],
        );
        for shift in [1, 2, 4, 16, 32, 64, 256] {
            let mask = &first[batch];
            uncorrelated(
                "elements and rows",
                &mask[shift..],
                &mask[..mask.len() - shift],
            );
        }
    }
    // Each unit is dropped as often as any other, in each sample and over all batches.
    let (count, draws) = (40.0 * 512.0, 40 * 512);
    for unit in 0..16 {
        let of_unit = first
            .iter()
            .flat_map(|mask| mask.iter().skip(unit).step_by(16));
        let kept = of_unit.filter(|&&v| v != 0.0).count() as f64;
        assert!(
            (kept - count / 2.0).abs() < 2.5 * count.sqrt(),
            "unit {unit}: {kept} of {draws}"
        );
    }
}

fn check_weights() {
    let shape = [10_000, 16];
    let weights = Initializer::from("glorot_uniform").create(&shape).unwrap();
    let values = weights.to_vec_of::<f64>();
    let (n, limit) = (values.len() as f64, (6.0_f64 / 10_016.0).sqrt());
    let moment = |power: i32| values.iter().map(|v| (v / limit).powi(power)).sum::<f64>() / n;
    // Those of a uniform distribution from -1 to 1: 1 / (power + 1) for even powers, 0 for odd ones.
    for power in 1..=4 {
        let expected = if power % 2 == 0 {
            1.0 / f64::from(power + 1)
        } else {
            0.0
        };
        let spread = (1.0 / f64::from(2 * power + 1) - expected * expected).sqrt();
        let found = moment(power);
        assert!(
            (found - expected).abs() < 5.0 * spread / n.sqrt(),
            "power {power}: {found}"
        );
    }
    assert!(values.iter().all(|v| v.abs() <= limit * 1.000_001));
    let rows = weights.to_vec();
    uncorrelated("weights in a row", &rows[1..], &rows[..rows.len() - 1]);
    uncorrelated("weights of a unit", &rows[16..], &rows[..rows.len() - 16]);
    let other = Initializer::from("glorot_uniform").create(&shape).unwrap();
    uncorrelated("two layers' weights", &rows, &other.to_vec());
}

fn check_orders() {
    const SIZE: usize = 8;
    const DRAWS: usize = 8_000;
    let mut places = [[0_u32; SIZE]; SIZE];
    let mut follows = [[0_u32; SIZE]; SIZE];
    for _ in 0..DRAWS {
        let order = Tensor::arange(0.0, SIZE as f64, 1.0).shuffle().to_vec();
        for (place, &value) in order.iter().enumerate() {
            places[place][value as usize] += 1;
        }
        for pair in order.windows(2) {
            follows[pair[0] as usize][pair[1] as usize] += 1;
        }
    }
    let distance = |counts: &[[u32; SIZE]; SIZE], expected: f64, skip: bool| -> f64 {
        let cell = |(row, column): (usize, usize)| {
            let counted = f64::from(counts[row][column]);
            (!(skip && row == column)).then_some((counted - expected).powi(2) / expected)
        };
        (0..SIZE * SIZE)
            .filter_map(|at| cell((at / SIZE, at % SIZE)))
            .sum()
    };
    // Chi squared of about (SIZE - 1)² and SIZE · (SIZE - 2) + 1 degrees of freedom: their mean, and five deviations.
    let even = distance(&places, DRAWS as f64 / SIZE as f64, false);
    assert!(even < 49.0 + 5.0 * 98.0_f64.sqrt(), "places: {even}");
    let pairs = (DRAWS * (SIZE - 1)) as f64 / (SIZE * (SIZE - 1)) as f64;
    let even = distance(&follows, pairs, true);
    assert!(even < 49.0 + 5.0 * 98.0_f64.sqrt(), "neighbours: {even}");
}

#[test]
fn draws_are_independent_and_of_their_distribution() {
    for seed in [1, 2, 7] {
        set_seed(seed);
        check_masks();
        check_weights();
        check_orders();
    }
}
