//! Names, settings and values of activations.

use super::*;
use crate::{DType, GradientTape};

#[test]
fn every_name_is_known_by_itself() {
    for &name in NAMES {
        let activation = Activation::from_name(name).unwrap();
        let kept = match name {
            "swish" => "silu",
            "hard_swish" => "hard_silu",
            other => other,
        };
        assert_eq!(activation.name(), kept);
        let config = serde_json::json!({"activation": activation.config()});
        let fields = Fields::of(&config, "Dense").unwrap();
        let back = Activation::from_field(&fields, "activation");
        assert_eq!(back, Ok(activation));
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let error = Activation::from_name("sofmax").unwrap_err().to_string();
    assert!(error.contains("did you mean \"softmax\"?"), "{error}");
    assert!(error.contains("Activation::custom"), "{error}");
}

#[test]
fn values_are_those_of_the_formulas() {
    let x = Tensor::from([[-1.0, 0.0, 2.0]]);
    assert_eq!(Activation::Relu.apply(&x).to_vec(), [0.0, 0.0, 2.0]);
    let close = |actual: Vec<f32>, expected: [f32; 3]| {
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-6, "{actual:?} {expected:?}");
        }
    };
    close(
        Activation::Sigmoid.apply(&x).to_vec(),
        [0.268_941_43, 0.5, 0.880_797_1],
    );
    close(
        Activation::Tanh.apply(&x).to_vec(),
        [-0.761_594_2, 0.0, 0.964_027_6],
    );
    close(
        Activation::Softmax.apply(&x).to_vec(),
        [0.042_010_066, 0.114_195_2, 0.843_794_7],
    );
}

#[test]
fn large_arguments_give_what_the_formulas_tend_to() {
    let x = Tensor::from([-200.0, 200.0]);
    for (name, expected) in [
        ("elu", [-1.0, 200.0]),
        ("selu", [-1.758_099_3, 210.140_2]),
        ("gelu", [0.0, 200.0]),
        ("gelu_approximate", [0.0, 200.0]),
        ("silu", [0.0, 200.0]),
        ("mish", [0.0, 200.0]),
        ("softplus", [0.0, 200.0]),
        ("log_sigmoid", [-200.0, 0.0]),
        ("relu6", [0.0, 6.0]),
        ("hard_silu", [0.0, 200.0]),
        ("squareplus", [0.005, 200.005]),
    ] {
        let y = Activation::from(name).apply(&x).to_vec();
        let off = y.iter().zip(expected).map(|(y, e)| (y - e).abs() / 200.0);
        assert!(off.fold(0.0, f32::max) < 1e-6, "{name}: {y:?}");
    }
}

#[test]
fn bytes_become_floats_first() {
    let x = Tensor::from_shape_vec_u8([2], vec![0, 7]).unwrap();
    for name in NAMES.iter().filter(|&&name| name != "linear") {
        let y = Activation::from(*name).apply(&x);
        let expected = Activation::from(*name).apply(&x.cast(DType::F32));
        assert_eq!(y, expected, "{name}");
    }
}

#[test]
fn a_function_of_ones_own_is_applied_and_equals_only_itself() {
    let own = Activation::custom("double", |x| x * 2.0);
    assert_eq!(own.apply(&Tensor::from([1.5])).to_vec(), [3.0]);
    assert_eq!(own.name(), "double");
    assert_eq!(own.clone(), own);
    assert_ne!(Activation::custom("double", |x| x * 2.0), own);
    assert_eq!(own.config(), None);
}

#[test]
fn glu_and_sparsemax_work_along_the_last_axis() {
    let x = Tensor::from([[1.0, -2.0, 0.0, 100.0]]);
    assert_eq!(Activation::Glu.apply(&x).to_vec(), [0.5, -2.0]);
    let rows = Tensor::from([[0.2, 0.1, -0.3], [3.0, 0.5, 1.0], [0.0, 0.0, 0.0]]);
    let sums = Activation::Sparsemax.apply(&rows);
    let third = 1.0 / 3.0;
    let expected = [
        [0.533_333_3, 0.433_333_3, 0.033_333_3],
        [1.0, 0.0, 0.0],
        [third, third, third],
    ];
    let worst = (sums - Tensor::from(expected)).abs().max().item();
    assert!(worst < 1e-6, "{worst}");
    let odd = Activation::Glu.output_shape(&[2, 3]).unwrap_err();
    assert!(
        odd.to_string()
            .contains("of an even length, got shape [2, 3]")
    );
    assert!(Activation::Sparsemax.output_shape(&[]).is_err());
}

#[test]
fn a_threshold_keeps_its_settings() {
    let step = Activation::threshold(0.25, -1.0);
    let config = json!({"activation": step.config()});
    let fields = Fields::of(&config, "Dense").unwrap();
    assert_eq!(Activation::from_field(&fields, "activation"), Ok(step));
    let error = Activation::from_name("threshold").unwrap_err().to_string();
    assert!(error.contains("Activation::threshold(threshold"), "{error}");
}

/// For minus infinity `x · sigmoid(x)` is NaN in either.
#[test]
fn sigmoid_and_silu_are_those_of_double_precision_at_the_far_ends() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let large = f64::from(3e38_f32);
    let ends = [-inf, -large, -200.0, -88.0, 88.0, 200.0, large, inf, nan];
    for name in ["sigmoid", "silu"] {
        let function = Activation::from_name(name).unwrap();
        let results = |dtype: DType| {
            let tape = GradientTape::new();
            let x = tape.watch(&Tensor::from_values(&[9], ends.to_vec()).cast(dtype));
            let y = function.apply(&x);
            let gradient = tape.gradient(&y.sum(), &[&x]).remove(0);
            [y, gradient].map(|tensor| tensor.cast(DType::F64).to_vec())
        };
        let (single, double) = (results(DType::F32), results(DType::F64));
        for (single, double) in single.iter().zip(&double) {
            for ((x, single), double) in ends.iter().zip(single).zip(double) {
                let same = single == double || single.is_nan() && double.is_nan();
                assert!(
                    same || (single - double).abs() < 1e-30,
                    "{name} at {x}: {single} and {double}"
                );
            }
        }
    }
}
