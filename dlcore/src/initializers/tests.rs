//! Moments, settings and names of initializers.

use super::draw::TRUNCATED;
use super::*;
use crate::DType;

fn variance(weights: &Tensor) -> f64 {
    weights.square().mean().item()
}

#[test]
fn variances_are_those_of_the_formulas() {
    let shape = [300, 200];
    for (name, expected) in [
        ("glorot_uniform", 1.0 / 250.0),
        ("glorot_normal", 1.0 / 250.0),
        ("he_uniform", 2.0 / 300.0),
        ("he_normal", 2.0 / 300.0),
        ("lecun_uniform", 1.0 / 300.0),
        ("lecun_normal", 1.0 / 300.0),
        ("random_normal", 0.0025),
        ("random_uniform", 0.01 / 12.0),
    ] {
        let weights = Initializer::from(name).create(&shape).unwrap();
        // 60,000 draws: five standard errors of the variance are below 3 %.
        let actual = variance(&weights);
        assert!(
            (actual / expected - 1.0).abs() < 0.03,
            "{name}: {actual} {expected}"
        );
        assert!(
            weights.mean().item().abs() < 5.0 * (expected / 6e4).sqrt(),
            "{name}"
        );
    }
}

#[test]
fn moments_are_those_of_the_settings() {
    let scaled = Initializer::variance_scaling;
    // What a cut at two standard deviations leaves of the variance.
    let cut = TRUNCATED * TRUNCATED;
    for (initializer, mean, variance) in [
        (Initializer::random_normal(1.0, 0.3), 1.0, 0.09),
        (Initializer::truncated_normal(-1.0, 0.3), -1.0, 0.09 * cut),
        (Initializer::random_uniform(1.0, 3.0), 2.0, 4.0 / 12.0),
        (scaled(2.0, "fan_in", "truncated_normal"), 0.0, 2.0 / 300.0),
        (
            scaled(2.0, "fan_out", "untruncated_normal"),
            0.0,
            2.0 / 200.0,
        ),
        (scaled(0.5, "fan_avg", "uniform"), 0.0, 0.5 / 250.0),
    ] {
        let weights = initializer.create(&[300, 200]).unwrap();
        let found = weights.mean().item();
        assert!(
            (found - mean).abs() < 5.0 * (variance / 6e4).sqrt(),
            "{initializer:?}: mean {found}"
        );
        let found = (&weights - mean).square().mean().item();
        assert!(
            (found / variance - 1.0).abs() < 0.03,
            "{initializer:?}: variance {found}, expected {variance}"
        );
    }
}

#[test]
fn distributions_end_where_they_should() {
    let furthest =
        |initializer: Initializer| initializer.create(&[300, 200]).unwrap().abs().max().item();
    assert!(furthest(Initializer::truncated_normal(0.0, 1.0)) <= 2.0);
    assert!(furthest(Initializer::random_normal(0.0, 1.0)) > 3.0);
    let scaled = |kind| furthest(Initializer::variance_scaling(300.0, "fan_in", kind));
    assert!(scaled("truncated_normal") <= 2.0 / TRUNCATED + 1e-6);
    assert!(scaled("untruncated_normal") > 3.0);
    assert!(scaled("uniform") <= 3.0_f64.sqrt() + 1e-6);
}

#[test]
fn the_identity_is_a_matrix() {
    let identity = Initializer::identity(2.0);
    let expected = Tensor::from([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]);
    assert_eq!(identity.create(&[2, 3]).unwrap(), expected);
    let error = identity.create(&[2]).unwrap_err().to_string();
    assert!(
        error.contains("has shape [2]; expected two axes"),
        "{error}"
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let error = |initializer: Initializer| initializer.create(&[2]).unwrap_err().to_string();
    assert!(error(Initializer::random_normal(0.0, -1.0)).contains("stddev must be"));
    assert!(error(Initializer::random_uniform(1.0, 0.0)).contains("minval must not be above"));
    let scaled = Initializer::variance_scaling;
    assert!(error(scaled(0.0, "fan_in", "uniform")).contains("scale must be a number above 0"));
    assert!(error(scaled(1.0, "fan", "uniform")).contains("did you mean \"fan_in\", \"fan_out\""));
    assert!(error(scaled(1.0, "fan_in", "gamma")).contains("unknown distribution"));
}

#[test]
fn glorot_uniform_stays_within_its_limit_and_reaches_for_it() {
    let limit = (6.0_f64 / 500.0).sqrt();
    let weights = Initializer::GlorotUniform.create(&[300, 200]).unwrap();
    let largest = weights.abs().max().item();
    assert!(
        largest <= limit * 1.000_001 && largest > 0.99 * limit,
        "{largest} {limit}"
    );
}

#[test]
fn every_name_is_known_and_another_is_refused_with_the_nearest() {
    for name in NAMES {
        let initializer = Initializer::from(name);
        assert_eq!(
            Initializer::from_config(&initializer.config()),
            Ok(initializer)
        );
        assert_eq!(
            Initializer::from(name).create(&[2, 3]).unwrap().shape(),
            [2, 3]
        );
    }
    let error = Initializer::from("glorot")
        .create(&[2])
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown initializer \"glorot\""), "{error}");
    let error = Initializer::from("he_norml")
        .create(&[2])
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean \"he_normal\"?"), "{error}");
}

#[test]
fn orthogonal_vectors_are_of_one_length_and_at_right_angles() {
    for (shape, gain) in [([8, 8], 1.0), ([5, 12], 1.0), ([12, 5], 2.0)] {
        let weight = Initializer::Orthogonal(gain).create(&shape).unwrap();
        assert_eq!((weight.shape(), weight.dtype()), (&shape[..], DType::F32));
        let square = match shape[0] < shape[1] {
            true => weight.dot(&weight.transpose()),
            false => weight.transpose().dot(&weight),
        };
        let expected = Tensor::eye(5.max(shape[0].min(shape[1]))) * (gain * gain);
        assert!((square - expected).abs().max().item() < 1e-6);
    }
    let kernel = Initializer::Orthogonal(1.0).create(&[3, 3, 2, 4]).unwrap();
    assert_eq!(kernel.shape(), [3, 3, 2, 4]);
    let error = Initializer::Orthogonal(1.0).create(&[4]).unwrap_err();
    assert!(error.to_string().contains("at least two axes"), "{error}");
    let config = Initializer::Orthogonal(2.5).config();
    let back = Initializer::from_config(&config);
    assert_eq!(back, Ok(Initializer::Orthogonal(2.5)));
}

#[test]
fn fans_count_a_kernels_extent() {
    assert_eq!(fans(&[784, 512]), (784.0, 512.0));
    assert_eq!(fans(&[3, 3, 32, 64]), (288.0, 576.0));
    assert_eq!(fans(&[7]), (7.0, 7.0));
}
