//! What Keras 3 computed in training (`tests/parity/make_training_fixtures.py`), for the parity tests
//! of optimizers, losses, metrics and callbacks.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use crate::Tensor;

static TRAINING: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/parity/training.json");
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
});

/// A part of the fixtures.
pub(crate) fn training(part: &str) -> &'static Value {
    &TRAINING[part]
}

/// What is in a file of `tests/parity/fixtures`.
pub(crate) fn fixture(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/parity/fixtures/");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}{name}")).unwrap()).unwrap()
}

pub(crate) fn list(json: &Value) -> &[Value] {
    json.as_array().unwrap()
}

pub(crate) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

pub(crate) fn numbers(json: &Value) -> Vec<f64> {
    list(json).iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(crate) fn tensor(json: &Value) -> Tensor {
    let shape: Vec<usize> = numbers(&json["shape"])
        .iter()
        .map(|&v| v as usize)
        .collect();
    let values = numbers(&json["values"]).iter().map(|&v| v as f32).collect();
    Tensor::from_shape_vec(shape, values).unwrap()
}

/// Fails if numbers differ by more than 1e-5 of the largest.
#[track_caller]
pub(crate) fn close(what: &str, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0_f64, |scale, v| scale.max(v.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let fits = (a - e).abs() <= 1e-5 * scale;
        assert!(fits, "{what}[{i}]: {a}, Keras has {e}");
    }
}

/// [`close`] for a tensor.
#[track_caller]
pub(crate) fn tensor_close(what: &str, actual: &Tensor, expected: &Value) {
    close(
        what,
        &actual.to_vec_of::<f64>(),
        &numbers(&expected["values"]),
    );
}

/// Fails unless the fixtures have exactly these cases, and prints which variants each name has.
#[track_caller]
pub(crate) fn covered<'a>(
    cases: impl Iterator<Item = &'a str>,
    here: impl Iterator<Item = &'a str>,
) {
    let (cases, here): (BTreeSet<&str>, BTreeSet<&str>) = (cases.collect(), here.collect());
    assert_eq!(cases, here, "cases in the fixtures, and here");
    let name = |case: &str| case.split('/').next().unwrap().to_string();
    for kind in here.iter().map(|case| name(case)).collect::<BTreeSet<_>>() {
        let variants = here.iter().filter(|case| name(case) == kind);
        let variants: Vec<&str> = variants
            .map(|v| v.split_once('/').map_or("as it is", |v| v.1))
            .collect();
        println!("{kind:32} {}", variants.join(", "));
    }
}
