//! Every operation on the default device against the processor: `DLCORE_DEVICE=cuda cargo test -p dlcore device_tests`.
//!
//! On the processor both sides are the same numbers, which shows that the cases run.

use super::tests::{cases, some};
use super::{Memory, Pool, Recurrent, batch_norm, layer_norm, pool, recurrent};
use crate::device::cpu::Window;
use crate::device::default_device;
use crate::grad::GradientTape;
use crate::tensor::SliceItem;
use crate::{DType, Tensor};

/// By how much numbers of about 1 may differ: functions of a card are right to a few units in the last place, and
/// sums are taken in another order.
const TOLERANCE: f64 = 2e-5;

/// The value of a function, and the gradients of `Σ weights · f(x)`.
fn computed(function: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Vec<Tensor> {
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
    let output = function(&watched);
    // Of the size of 1, however many there are.
    let weights = some(output.shape()).sin().cast(DType::F32) + 0.3;
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

/// What is wrong with the device's result and gradients, in words. `within` says by how much one of these may differ.
fn differences_within(
    what: &str,
    inputs: &[Tensor],
    function: &dyn Fn(&[Tensor]) -> Tensor,
    within: impl Fn(usize, &Tensor) -> f64,
) -> Vec<String> {
    let device = default_device();
    let here: Vec<Tensor> = inputs.iter().map(|x| x.cast(DType::F32)).collect();
    let there: Vec<Tensor> = here.iter().map(|x| x.to(device).unwrap()).collect();
    let pairs = computed(function, &here)
        .into_iter()
        .zip(computed(function, &there));
    let mut wrong = Vec::new();
    for (place, (expected, got)) in pairs.enumerate() {
        assert_eq!(got.shape(), expected.shape(), "{what}");
        let worst = distance(&got, &expected);
        if worst > within(place, &expected) {
            wrong.push(format!("{what}, part {place}: off by {worst:.1e}"));
        }
    }
    wrong
}

/// [`TOLERANCE`] of the largest number.
fn relative(expected: &Tensor) -> f64 {
    TOLERANCE * expected.abs().max().item().max(1.0)
}

fn differences(
    what: &str,
    inputs: &[Tensor],
    function: &dyn Fn(&[Tensor]) -> Tensor,
) -> Vec<String> {
    differences_within(what, inputs, function, |_, expected| relative(expected))
}

fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "on {}:\n{}",
        default_device(),
        wrong.join("\n")
    );
}

/// These operations were computed where their operands are.
fn assert_nothing_left(operations: &[&str]) {
    let left = crate::device::cuda::fallback::summary().unwrap_or_default();
    for operation in operations {
        assert!(!left.contains(&format!("{operation} (")), "{left}");
    }
}

#[test]
fn every_operation_gives_what_the_processor_gives() {
    let cases = cases();
    let wrong = cases.iter().enumerate();
    let wrong = wrong.flat_map(|(index, (name, inputs, function))| {
        differences(&format!("case {index}, {name}"), inputs, function)
    });
    assert_none(&wrong.collect::<Vec<_>>());
}

#[test]
fn every_way_through_a_sequence_gives_what_the_processor_gives() {
    use super::recurrent::tests::{every_activation, every_way, uneven_drops};
    let all = [every_way(), uneven_drops(), every_activation()].concat();
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|(pass, operands)| {
            let function = |x: &[Tensor]| {
                let fresh = Recurrent {
                    memory: Memory::default(),
                    ..pass.clone()
                };
                recurrent(fresh, &x.iter().collect::<Vec<_>>()).unwrap()
            };
            differences(&format!("{pass:?}"), operands, &function)
        })
        .collect();
    assert_none(&wrong);
    assert_nothing_left(&["Recurrent"]);
}

#[test]
fn normalization_of_many_rows_and_columns_agrees() {
    type Function = fn(&[Tensor]) -> Tensor;
    let functions: [(&str, Function); 2] = [
        ("batch", |x| {
            batch_norm(&x[0], &x[1], &x[2], 1e-3).unwrap().output
        }),
        ("layer", |x| layer_norm(&x[0], &x[1], &x[2], 1e-3).unwrap()),
    ];
    // Tiles and pieces that are full, and such that are not; rows longer than a block, and shorter.
    for (rows, width) in [(1, 1), (9_001, 3), (300, 70), (3, 600), (2_100, 32)] {
        let x = (some(&[rows, width]) * 1.7).sin() * 1.5 + 0.5;
        let inputs = [x, some(&[width]), some(&[width]) * 0.5];
        for (name, function) in functions {
            let what = format!("{name} {rows} by {width}");
            // The gradients of gamma and beta are sums of numbers of about 1, which may cancel.
            let within = |place: usize, expected: &Tensor| match place {
                2 | 3 => relative(expected).max(1e-6 * rows as f64),
                _ => relative(expected),
            };
            assert_none(&differences_within(&what, &inputs, &function, within));
        }
    }
    assert_nothing_left(&["BatchNorm", "LayerNorm"]);
}

#[test]
fn of_equal_numbers_in_a_window_the_same_one_has_the_gradient() {
    let window = Window {
        size: [2, 3],
        strides: [2, 1],
        dilation: [1, 2],
        before: [1, 1],
    };
    let pooled = |x: &[Tensor]| {
        let op = Pool {
            window,
            positions: [3, 4],
            largest: true,
        };
        pool(&x[0], op).unwrap()
    };
    let few_values = some(&[2, 5, 6, 4]).round();
    assert_none(&differences("max_pool", &[few_values], &pooled));
}

#[test]
fn a_large_mean_does_not_swallow_the_variance() {
    let values: Vec<f32> = (0..30_000).map(|i| 1000.0 + (i % 2) as f32).collect();
    let x = Tensor::from(values).to(default_device()).unwrap();
    let (ones, zeros) = (Tensor::ones([3]), Tensor::zeros([3]));
    let by_columns = batch_norm(&x.reshape([10_000, 3]), &ones, &zeros, 0.0).unwrap();
    assert!((by_columns.mean - 1000.5).abs().max().item() < 1e-3);
    assert!((by_columns.variance - 0.25).abs().max().item() < 1e-4);
    let (ones, zeros) = (Tensor::ones([10_000]), Tensor::zeros([10_000]));
    let by_rows = layer_norm(&x.reshape([3, 10_000]), &ones, &zeros, 0.0).unwrap();
    assert!((by_rows.abs() - 1.0).abs().max().item() < 1e-2);
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
