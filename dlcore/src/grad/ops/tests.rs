//! Every operation's gradient against finite differences, in double and in single precision.

use std::collections::BTreeSet;

use super::{Op, dense, dropout, sigmoid_cross_entropy, softmax_cross_entropy};
use crate::grad::{GradientTape, check_gradients};
use crate::tensor::SliceItem;
use crate::{DType, Tensor};

/// Numbers between -2 and 2, none near 0 or another: where the functions are smooth.
fn some(shape: &[usize]) -> Tensor {
    let size: usize = shape.iter().product();
    let value = |i: usize| {
        let place = (i * 37 + 11) % 101;
        (place as f64 - 50.5) / 25.0 + (i as f64) * 1e-3
    };
    Tensor::from_shape_vec_f64(shape, (0..size).map(value).collect()).unwrap()
}

fn positive(shape: &[usize]) -> Tensor {
    some(shape).abs() + 0.1
}

type Function = Box<dyn Fn(&[Tensor]) -> Tensor>;

fn case(
    name: &'static str,
    inputs: Vec<Tensor>,
    function: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> (&'static str, Vec<Tensor>, Function) {
    (name, inputs, Box::new(function))
}

fn pairs() -> [(Tensor, Tensor); 6] {
    [
        (some(&[3, 4]), some(&[3, 4]) * 0.9 + 0.123),
        (some(&[3, 4]), positive(&[4])),
        (some(&[3, 1]), positive(&[1, 4])),
        (some(&[]), positive(&[2, 3])),
        (some(&[2, 3, 4]), positive(&[3, 1])),
        (some(&[4, 3]).transpose(), positive(&[2, 1, 1])),
    ]
}

fn cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let mut cases = Vec::new();
    for (a, b) in pairs() {
        let both = || vec![a.clone(), b.clone()];
        cases.push(case("add", both(), |x| &x[0] + &x[1]));
        cases.push(case("sub", both(), |x| &x[0] - &x[1]));
        cases.push(case("mul", both(), |x| &x[0] * &x[1]));
        cases.push(case("div", both(), |x| &x[0] / &x[1]));
        cases.push(case("maximum", both(), |x| x[0].maximum(&x[1])));
        cases.push(case("minimum", both(), |x| x[0].minimum(&x[1])));
    }
    for x in [some(&[2, 3]), some(&[3, 2]).transpose(), some(&[])] {
        let one = || vec![x.clone()];
        cases.push(case("add scalar", one(), |x| &x[0] + 1.5));
        cases.push(case("scalar sub", one(), |x| 1.5 - &x[0]));
        cases.push(case("mul scalar", one(), |x| &x[0] * -2.5));
        cases.push(case("div scalar", one(), |x| &x[0] / 3.0));
        cases.push(case("scalar div", one(), |x| 3 / &x[0]));
        cases.push(case("neg", one(), |x| -&x[0]));
        cases.push(case("abs", one(), |x| x[0].abs()));
        cases.push(case("sign", one(), |x| x[0].sign()));
        cases.push(case("square", one(), |x| x[0].square()));
        cases.push(case("exp", one(), |x| x[0].exp()));
        cases.push(case("pow 3", one(), |x| x[0].pow(3.0)));
        cases.push(case("clip", one(), |x| x[0].clip(-1.0, 0.7)));
        cases.push(case("relu", one(), |x| x[0].relu()));
        cases.push(case("sigmoid", one(), |x| x[0].sigmoid()));
        cases.push(case("tanh", one(), |x| x[0].tanh()));
        cases.push(case("sum", one(), |x| x[0].sum()));
        cases.push(case("mean", one(), |x| x[0].mean()));
        cases.push(case("max", one(), |x| x[0].max()));
        cases.push(case("min", one(), |x| x[0].min()));
        cases.push(case("dropout", one(), |x| dropout(&x[0], 0.4, 9).unwrap()));
    }
    cases.push(case("sqrt", vec![positive(&[5])], |x| x[0].sqrt()));
    cases.push(case("log", vec![positive(&[5])], |x| x[0].log()));
    cases.push(case("pow 1.7", vec![positive(&[5])], |x| x[0].pow(1.7)));
    for axis in -3..3 {
        let x = || vec![some(&[2, 3, 4])];
        cases.push(case("softmax", x(), move |x| x[0].softmax(axis)));
        cases.push(case("log_softmax", x(), move |x| x[0].log_softmax(axis)));
        cases.push(case("sum_axis", x(), move |x| x[0].sum_axis(axis)));
        cases.push(case("sum_axis_keep", x(), move |x| {
            x[0].sum_axis_keep(axis)
        }));
        cases.push(case("mean_axis", x(), move |x| x[0].mean_axis(axis)));
        cases.push(case("max_axis", x(), move |x| x[0].max_axis(axis)));
        cases.push(case("min_axis_keep", x(), move |x| {
            x[0].min_axis_keep(axis)
        }));
    }
    cases.extend(moving_cases());
    cases.extend(matrix_cases());
    cases.extend(recurrent_cases());
    cases
}

fn moving_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let x = || vec![some(&[2, 3, 4])];
    vec![
        case("reshape", x(), |x| x[0].transpose().reshape([6, -1])),
        case("permute", x(), |x| x[0].permute(&[1, 2, 0])),
        case("squeeze", x(), |x| x[0].expand_dims(1).square().squeeze(1)),
        case("concat", vec![some(&[2, 3]), some(&[2, 1])], |x| {
            Tensor::concat(&[&x[0], &x[1]], 1)
        }),
        case("stack", vec![some(&[3]), some(&[3]) + 1.0], |x| {
            Tensor::stack(&[&x[0], &x[1]], -1)
        }),
        case("slice", x(), |x| x[0].slice((1, 1.., ..-1))),
        case("slice by steps", x(), |x| {
            x[0].slice((.., .., SliceItem::from(..).step(2)))
        }),
        case("get", x(), |x| x[0].get(-1)),
        case("rows", x(), |x| x[0].rows(&[1, 0, 1, 1])),
        case("same use twice", x(), |x| &x[0] * &x[0] + &x[0]),
    ]
}

fn matrix_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let targets = || some(&[4, 3]).softmax(-1);
    let sparse = || Tensor::from_sparse_rows(5, &[vec![0, 3], vec![], vec![1, 3, 4]]).unwrap();
    vec![
        case("vector dot", vec![some(&[4]), some(&[4]) + 1.0], |x| {
            x[0].dot(&x[1])
        }),
        case("dot", vec![some(&[3, 4]), some(&[4, 2])], |x| {
            x[0].dot(&x[1])
        }),
        case("dot transposed", vec![some(&[4, 3]), some(&[2, 4])], |x| {
            x[0].transpose().dot(&x[1].transpose())
        }),
        case(
            "dot of ranks 3",
            vec![some(&[2, 3, 4]), some(&[2, 4, 2])],
            |x| x[0].dot(&x[1]),
        ),
        case("matmul", vec![some(&[2, 3, 4]), some(&[2, 4, 2])], |x| {
            x[0].matmul(&x[1])
        }),
        case(
            "matmul broadcast",
            vec![some(&[2, 1, 3, 4]), some(&[3, 4, 2])],
            |x| x[0].matmul(&x[1]),
        ),
        case(
            "dense",
            vec![some(&[3, 4]), some(&[4, 2]), some(&[2])],
            |x| dense(&x[0], &x[1], Some(&x[2])).unwrap(),
        ),
        case(
            "dense of rank 3",
            vec![some(&[2, 3, 4]), some(&[4, 2])],
            |x| dense(&x[0], &x[1], None).unwrap(),
        ),
        case("sparse dense", vec![some(&[5, 2]), some(&[2])], move |x| {
            dense(&sparse(), &x[0], Some(&x[1])).unwrap()
        }),
        case(
            "softmax_cross_entropy",
            vec![some(&[4, 3]), targets()],
            |x| softmax_cross_entropy(&x[0], &x[1]).unwrap(),
        ),
        case(
            "softmax_cross_entropy of classes",
            vec![some(&[4, 3])],
            |x| softmax_cross_entropy(&x[0], &Tensor::from([0, 2, 1, 2])).unwrap(),
        ),
        case(
            "sigmoid_cross_entropy",
            vec![some(&[4, 3]), targets()],
            |x| sigmoid_cross_entropy(&x[0], &x[1]).unwrap(),
        ),
    ]
}

fn recurrent_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let case_of = |(pass, operands)| {
        let pass: super::Recurrent = pass;
        case("recurrent", operands, move |x| {
            super::recurrent(pass.clone(), &x.iter().collect::<Vec<_>>()).unwrap()
        })
    };
    let passes = super::recurrent::tests::cases();
    passes.into_iter().map(case_of).collect()
}

#[test]
fn every_gradient_agrees_with_finite_differences() {
    let mut wrong = Vec::new();
    for (index, (name, inputs, function)) in cases().iter().enumerate() {
        let error = check_gradients(function, inputs).unwrap();
        if error > 1e-6 {
            wrong.push(format!("case {index}, {name}: relative error {error:.1e}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_has_a_check() {
    let mut checked = BTreeSet::from(["Cast"]); // its own test, below
    for (_, inputs, function) in cases() {
        let tape = GradientTape::new();
        let watched: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
        function(&watched);
        checked.extend(tape.recorded());
    }
    let missing: Vec<_> = Op::NAMES
        .iter()
        .filter(|name| !checked.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no gradient check for {missing:?}");
}

fn gradients(function: &Function, inputs: &[Tensor]) -> Vec<Tensor> {
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
    let loss = function(&watched).sum();
    tape.gradient(&loss, &watched.iter().collect::<Vec<_>>())
}

#[test]
fn single_precision_gives_the_same_gradients() {
    for (name, inputs, function) in cases() {
        let single: Vec<Tensor> = inputs.iter().map(|input| input.cast(DType::F32)).collect();
        let expected = gradients(&function, &inputs);
        for (got, expected) in gradients(&function, &single).iter().zip(&expected) {
            assert_eq!(got.dtype(), DType::F32, "{name}");
            let difference = (got.cast(DType::F64) - expected).abs().max().item();
            assert!(difference < 1e-4, "{name}: differs by {difference:e}");
        }
    }
}

#[test]
fn sparse_gradients_in_single_precision_equal_the_dense_ones() {
    let x = Tensor::from_sparse_rows(7, &[vec![6, 0], vec![], vec![2, 3, 5], vec![6]]).unwrap();
    let kernel = some(&[7, 3]).cast(DType::F32);
    let gradient = |x: &Tensor| {
        let tape = GradientTape::new();
        let kernel = tape.watch(&kernel);
        let loss = dense(x, &kernel, None).unwrap().square().sum();
        tape.gradient(&loss, &[&kernel]).remove(0)
    };
    assert!(x.is_sparse());
    assert!((gradient(&x) - gradient(&x.to_dense())).abs().max().item() < 1e-5);
}

#[test]
fn a_cast_passes_the_gradient_on_in_the_source_type() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([1.0, -2.0]));
    let loss = (x.cast(DType::F64).square() * 3.0).sum();
    let gradient = tape.gradient(&loss, &[&x]).remove(0);
    assert_eq!(gradient.dtype(), DType::F32);
    assert_eq!(gradient, Tensor::from([6.0, -12.0]));
}
