//! Every operation on the default device against the processor: `DLCORE_DEVICE=cuda cargo test -p dlcore device_tests`.
//!
//! On the processor both sides are the same numbers, which shows that the cases run.

use super::tests::{cases, some};
use crate::device::default_device;
use crate::grad::GradientTape;
use crate::tensor::SliceItem;
use crate::{DType, Tensor};

/// By how much numbers of about 1 may differ: functions of a card are right to a few units in the last place, and
/// sums are taken in another order.
const TOLERANCE: f64 = 2e-5;

/// The value of `Σ weights · f(x)`'s function and its gradients.
fn computed(function: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Vec<Tensor> {
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
    let output = function(&watched);
    let weights = some(output.shape()).cast(DType::F32) + 0.3;
    let loss = (&output * weights).sum();
    let mut all = vec![output.detach()];
    all.extend(tape.gradient(&loss, &watched.iter().collect::<Vec<_>>()));
    all
}

/// The largest difference of two elements; a NaN is not a small one.
fn distance(left: &Tensor, right: &Tensor) -> f64 {
    let (left, right) = (left.to_vec(), right.to_vec());
    let each = left
        .iter()
        .zip(&right)
        .map(|(l, r)| f64::from((l - r).abs()));
    each.map(|d| if d.is_nan() { f64::INFINITY } else { d })
        .fold(0.0, f64::max)
}

#[test]
fn every_operation_gives_what_the_processor_gives() {
    let device = default_device();
    let mut wrong = Vec::new();
    for (index, (name, inputs, function)) in cases().iter().enumerate() {
        let here: Vec<Tensor> = inputs.iter().map(|x| x.cast(DType::F32)).collect();
        let there: Vec<Tensor> = here.iter().map(|x| x.to(device).unwrap()).collect();
        let pairs = computed(function, &here)
            .into_iter()
            .zip(computed(function, &there));
        for (place, (expected, got)) in pairs.enumerate() {
            assert_eq!(got.shape(), expected.shape(), "{name}");
            let scale = expected.abs().max().item().max(1.0);
            let worst = distance(&got, &expected);
            if worst > TOLERANCE * scale {
                wrong.push(format!(
                    "case {index}, {name}, part {place}: off by {worst:.1e}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "on {device}:\n{}", wrong.join("\n"));
}

/// NaN, infinities and halves, which every device must treat as the processor does. (Not denormals, which the
/// processor takes for zero where it is faster.)
#[test]
fn functions_of_one_number_agree_where_numbers_end() {
    let device = default_device();
    let x = Tensor::from([
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        0.5,
        1.5,
        2.5,
        -0.5,
        1e-30,
        88.0,
        -104.0,
    ]);
    type Function = fn(&Tensor) -> Tensor;
    let functions: [(&str, Function); 16] = [
        ("abs", Tensor::abs),
        ("sign", Tensor::sign),
        ("relu", Tensor::relu),
        ("sigmoid", Tensor::sigmoid),
        ("tanh", Tensor::tanh),
        ("softplus", Tensor::softplus),
        ("exp", Tensor::exp),
        ("round", Tensor::round),
        ("floor", Tensor::floor),
        ("max", Tensor::max),
        ("min", Tensor::min),
        ("clip", |x| x.clip(-1.0, 1.0)),
        ("maximum", |x| x.maximum(0.25)),
        ("minimum", |x| x.minimum(0.25)),
        ("softmax of numbers", |x| x.slice(3..).softmax(-1)),
        ("square", Tensor::square),
    ];
    for (name, function) in functions {
        let expected = function(&x).to_vec();
        let got = function(&x.to(device).unwrap()).to_vec();
        for (got, expected) in got.iter().zip(&expected) {
            let same = got == expected
                || (got.is_nan() && expected.is_nan())
                || (got - expected).abs() <= 1e-6 * expected.abs().max(1.0);
            assert!(same, "{name} on {device}: {got}, not {expected}");
        }
    }
}

#[test]
fn long_sums_and_large_shapes_agree() {
    let device = default_device();
    let x = Tensor::uniform([37, 1031], -1.0, 1.0);
    let there = x.to(device).unwrap();
    let pairs = [
        (x.sum(), there.sum()),
        (x.mean(), there.mean()),
        (x.max(), there.max()),
        (x.sum_axis(0), there.sum_axis(0)),
        (x.sum_axis(1), there.sum_axis(1)),
        (x.softmax(-1), there.softmax(-1)),
        (x.dot(&x.transpose()), there.dot(&there.transpose())),
        (
            x.slice((.., SliceItem::from(20..500).step(-3))),
            there.slice((.., SliceItem::from(20..500).step(-3))),
        ),
    ];
    for (index, (expected, got)) in pairs.iter().enumerate() {
        let worst = (got.to(crate::Device::Cpu).unwrap() - expected)
            .abs()
            .max()
            .item();
        assert!(worst < 1e-3, "{index} on {device}: off by {worst}");
    }
}
