//! Every operation's gradient against finite differences, in double and in single precision.

use std::collections::BTreeSet;

use super::{
    Conv, ConvTranspose, DepthwiseConv, Elu, Gelu, GeluTanh, LeakyRelu, Op, Pool, Products,
    ScatterRows, Silu, SquaredDifference, apply_any, batch_norm, conv, conv_transpose, crop, dense,
    dense_relu, depthwise_conv, dropout, layer_norm, pad, pool, repeat, sigmoid_cross_entropy,
    softmax_cross_entropy,
};
use crate::device::cpu::Window;
use crate::grad::{GradientTape, check_gradients, custom};
use crate::tensor::SliceItem;
use crate::{DType, Tensor};

/// Numbers between -2 and 2, none near 0 or another: where the functions are smooth.
pub(super) fn some(shape: &[usize]) -> Tensor {
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

pub(super) type Function = Box<dyn Fn(&[Tensor]) -> Tensor>;

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

pub(super) fn cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let mut cases = Vec::new();
    for (a, b) in pairs() {
        let both = || vec![a.clone(), b.clone()];
        cases.push(case("add", both(), |x| &x[0] + &x[1]));
        cases.push(case("sub", both(), |x| &x[0] - &x[1]));
        cases.push(case("mul", both(), |x| &x[0] * &x[1]));
        cases.push(case("div", both(), |x| &x[0] / &x[1]));
        cases.push(case("maximum", both(), |x| x[0].maximum(&x[1])));
        cases.push(case("minimum", both(), |x| x[0].minimum(&x[1])));
        cases.push(case("squared difference", both(), |x| {
            apply_any(SquaredDifference, &[&x[0], &x[1]])
        }));
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
        cases.push(case("sin", one(), |x| x[0].sin()));
        cases.push(case("cos", one(), |x| x[0].cos()));
        cases.push(case("expm1", one(), |x| x[0].expm1()));
        cases.push(case("softplus", one(), |x| x[0].softplus()));
        cases.push(case("erf", one(), |x| x[0].erf()));
        cases.push(case("floor", one(), |x| x[0].floor() * &x[0]));
        cases.push(case("ceil", one(), |x| x[0].ceil() * &x[0]));
        cases.push(case("round", one(), |x| x[0].round() * &x[0]));
        cases.push(case("pow 0", one(), |x| x[0].pow(0.0)));
        cases.push(case("prod", one(), |x| x[0].prod()));
        cases.push(case("var", one(), |x| x[0].var()));
        cases.push(case("logsumexp", one(), |x| x[0].logsumexp()));
        cases.push(case("norm", one(), |x| x[0].norm()));
        cases.push(case("sum", one(), |x| x[0].sum()));
        cases.push(case("mean", one(), |x| x[0].mean()));
        cases.push(case("max", one(), |x| x[0].max()));
        cases.push(case("min", one(), |x| x[0].min()));
        cases.push(case("dropout", one(), |x| dropout(&x[0], 0.4, 9).unwrap()));
    }
    cases.push(case("sqrt", vec![positive(&[5])], |x| x[0].sqrt()));
    cases.push(case("log", vec![positive(&[5])], |x| x[0].log()));
    for (a, b) in pairs() {
        // A base that is positive whatever the pair.
        cases.push(case("power", vec![a.square() + 0.2, b.clone()], |x| {
            x[0].power(&x[1])
        }));
    }
    cases.push(case(
        "remainder",
        vec![some(&[2, 3]), positive(&[3])],
        |x| x[0].remainder(&x[1]),
    ));
    cases.push(case("log1p", vec![positive(&[5])], |x| x[0].log1p()));
    cases.push(case("rsqrt", vec![positive(&[5]) + 0.4], |x| x[0].rsqrt()));
    cases.push(case("reciprocal", vec![positive(&[5]) + 0.4], |x| {
        x[0].reciprocal()
    }));
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
        cases.push(case("cumsum", x(), move |x| x[0].cumsum(axis)));
        cases.push(case("cumprod", x(), move |x| x[0].cumprod(axis)));
        cases.push(case("prod_axis", x(), move |x| x[0].prod_axis(axis)));
        cases.push(case("sort", x(), move |x| x[0].sort(axis)));
        cases.push(case("flip", x(), move |x| x[0].flip(axis)));
        cases.push(case("roll", x(), move |x| x[0].roll(-1, axis)));
        cases.push(case("take", x(), move |x| x[0].take([1, 0, 1], axis)));
        cases.push(case("repeat", x(), move |x| x[0].repeat(2, axis)));
    }
    cases.extend(moving_cases());
    cases.extend(picking_cases());
    cases.extend(joint_cases());
    cases.extend(matrix_cases());
    cases.extend(activation_cases());
    cases.extend(normalization_cases());
    cases.extend(window_cases());
    cases.extend(recurrent_cases());
    cases
}

fn window_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let window = Window {
        size: [2, 3],
        strides: [2, 1],
        dilation: [1, 2],
        before: [1, 1],
    };
    // 5 rows and one of padding above: 0 and 1, 2 and 3, 4 and beyond.
    let (positions, groups) = ([3, 4], 2);
    let conv_op = Conv {
        window,
        positions,
        groups,
        relu: false,
        products: Products::Single,
    };
    let with_relu = Conv {
        relu: true,
        ..conv_op
    };
    let transposed = ConvTranspose {
        window,
        images: [5, 6],
        products: Products::Single,
    };
    let depthwise = DepthwiseConv {
        window,
        positions,
        products: Products::Single,
    };
    let pooling = move |largest| Pool {
        window,
        positions,
        largest,
    };
    let images = || some(&[2, 5, 6, 4]);
    vec![
        case(
            "conv",
            vec![images(), some(&[2, 3, 2, 6]), some(&[6])],
            move |x| conv(&x[0], &x[1], Some(&x[2]), conv_op).unwrap(),
        ),
        case(
            "conv with relu",
            vec![images(), some(&[2, 3, 2, 6]), some(&[6])],
            move |x| conv(&x[0], &x[1], Some(&x[2]), with_relu).unwrap(),
        ),
        case(
            "conv_transpose",
            vec![some(&[2, 3, 4, 2]), some(&[2, 3, 3, 2]), some(&[3])],
            move |x| conv_transpose(&x[0], &x[1], Some(&x[2]), transposed).unwrap(),
        ),
        case(
            "depthwise_conv",
            vec![images(), some(&[2, 3, 4, 2]), some(&[8])],
            move |x| depthwise_conv(&x[0], &x[1], Some(&x[2]), depthwise).unwrap(),
        ),
        case("max_pool", vec![images()], move |x| {
            pool(&x[0], pooling(true)).unwrap()
        }),
        case("average_pool", vec![images()], move |x| {
            pool(&x[0], pooling(false)).unwrap()
        }),
        case("repeat", vec![some(&[2, 3, 2])], |x| {
            repeat(&x[0], 1, 3).unwrap()
        }),
        case("pad", vec![some(&[2, 3])], |x| {
            pad(&x[0], &[[1, 0], [2, 1]]).unwrap()
        }),
        case("crop", vec![some(&[4, 3])], |x| {
            crop(&x[0], &[[1, 0], [0, 1]]).unwrap()
        }),
    ]
}

fn moving_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let x = || vec![some(&[2, 3, 4])];
    vec![
        case("reshape", x(), |x| x[0].transpose().reshape([6, -1])),
        case("permute", x(), |x| x[0].permute([1, 2, 0])),
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

fn picking_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let x = || vec![some(&[2, 3, 4])];
    let two = || vec![some(&[3, 4]), some(&[4]) + 1.0];
    let order = || Tensor::from([[2, 0], [1, 1]]);
    let mask = || Tensor::from([[true, false, true], [false, false, true]]);
    vec![
        case("backwards", x(), |x| {
            x[0].slice((
                ..,
                SliceItem::from(..).step(-2),
                SliceItem::from(1..).step(-1),
            ))
        }),
        case("new axes", x(), |x| {
            x[0].slice((
                SliceItem::NewAxis,
                1,
                SliceItem::Ellipsis,
                SliceItem::NewAxis,
            ))
        }),
        case("rows scattered", vec![some(&[4, 2])], |x| {
            let rows = vec![1, 0, 1, 4];
            apply_any(ScatterRows { rows, length: 5 }, &[&x[0]])
        }),
        case("elements scattered", vec![some(&[4])], |x| {
            let (rows, length) = (vec![5, 0, 3, 5], 6);
            apply_any(ScatterRows { rows, length }, &[&x[0]])
        }),
        case("take_along_axis", vec![some(&[2, 3])], move |x| {
            x[0].take_along_axis(&order(), 1)
        }),
        case("top_k", x(), |x| x[0].top_k(2).0),
        case("boolean_mask", x(), move |x| x[0].boolean_mask(&mask())),
        case("where", two(), |x| {
            Tensor::where_(&x[0].greater(0.0), &x[0] * &x[0], &x[1])
        }),
        case("where of a number", two(), |x| {
            Tensor::where_(&x[0].greater(0.0), 2.0, &x[1])
        }),
        case("pad", x(), |x| x[0].pad(&[(1, 0), (0, 2)], 0.5)),
        case("pad_with", x(), |x| {
            x[0].pad_with(&[(1, 0), (2, 2)], "reflect")
        }),
        case("broadcast_to", vec![some(&[3, 1])], |x| {
            x[0].broadcast_to([2, 3, 4])
        }),
        case("tile", x(), |x| x[0].tile([2, 1, 3])),
        case("split", x(), |x| {
            let parts = x[0].split(2, -1);
            &parts[0] * &parts[1]
        }),
        case("set", vec![some(&[2, 3]), some(&[2])], |x| {
            let mut t = x[0].square();
            t.set((.., 1), &x[1]);
            t
        }),
        case("tril", x(), |x| x[0].tril(0)),
        case("triu", x(), |x| x[0].triu(1)),
    ]
}

fn joint_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let x = || vec![some(&[2, 3, 4])];
    vec![
        case("sum of axes", x(), |x| x[0].sum_axis([0, 2])),
        case("mean of axes", x(), |x| x[0].mean_axis_keep([1, 2])),
        case("max of axes", x(), |x| x[0].max_axis([-1, 0])),
        case("std of axes", x(), |x| x[0].std_axis([0, 1])),
        case("logsumexp of axes", x(), |x| {
            x[0].logsumexp_axis_keep([0, 2])
        }),
        case(
            "prod of a zero",
            vec![some(&[5]).pad(&[(1, 0)], 0.0)],
            |x| x[0].prod(),
        ),
        case(
            "einsum",
            vec![some(&[2, 3, 4]), some(&[4, 3]), some(&[2])],
            |x| Tensor::einsum("bij,ji,b->jb", &[&x[0], &x[1], &x[2]]),
        ),
        case("einsum of a diagonal", vec![some(&[3, 2, 3])], |x| {
            Tensor::einsum("iji->ji", &[&x[0]])
        }),
        case("tensordot", vec![some(&[2, 3, 4]), some(&[3, 4, 2])], |x| {
            x[0].tensordot(&x[1], 2)
        }),
        case("outer", vec![some(&[2]), some(&[3]) + 1.0], |x| {
            x[0].outer(&x[1])
        }),
        case("custom", vec![some(&[3]), some(&[3]) + 1.0], |x| {
            custom(
                "product",
                &[&x[0], &x[1]],
                |x| &x[0] * &x[1],
                |x, _, gradient| vec![gradient * &x[1], gradient * &x[0]],
            )
        }),
    ]
}

fn activation_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    fn of(op: impl Into<Op> + Clone + 'static) -> impl Fn(&[Tensor]) -> Tensor {
        move |x| apply_any(op.clone(), &[&x[0]])
    }
    let x = || vec![some(&[2, 9]) * 1.5];
    let leaky = LeakyRelu {
        slope: 0.3,
        threshold: 0.4,
        limit: 1.7,
    };
    let elu = Elu {
        alpha: 1.6,
        scale: 1.2,
        rate: 0.7,
    };
    vec![
        case("leaky_relu", x(), of(leaky)),
        case("elu", x(), of(elu)),
        case("silu", x(), of(Silu)),
        case("gelu", x(), of(Gelu)),
        case("gelu_approximate", x(), of(GeluTanh)),
    ]
}

fn normalization_cases() -> Vec<(&'static str, Vec<Tensor>, Function)> {
    let inputs = |shape: &[usize]| vec![some(shape), some(&[3]) + 0.2, some(&[3])];
    vec![
        case("batch_norm", inputs(&[5, 3]), |x| {
            batch_norm(&x[0], &x[1], &x[2], 0.01).unwrap().output
        }),
        case("batch_norm of rank 4", inputs(&[2, 2, 3, 3]), |x| {
            batch_norm(&x[0], &x[1], &x[2], 0.01).unwrap().output
        }),
        case("layer_norm", inputs(&[5, 3]), |x| {
            layer_norm(&x[0], &x[1], &x[2], 0.01).unwrap()
        }),
        case("layer_norm of rank 3", inputs(&[2, 4, 3]), |x| {
            layer_norm(&x[0], &x[1], &x[2], 0.01).unwrap()
        }),
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
        case(
            "dense with relu",
            vec![some(&[5, 4]), some(&[4, 3]), some(&[3])],
            |x| dense_relu(&x[0], &x[1], Some(&x[2])).unwrap(),
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

/// The gradients of `Σ weights · f(x)`, one after another: a function to be differentiated again.
fn first_gradients(function: &Function, inputs: &[Tensor]) -> Tensor {
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
    let output = function(&watched);
    let weights = some(output.shape()).cast(output.dtype()) + 0.3;
    let loss = (output * weights).sum();
    let gradients = tape.gradient(&loss, &watched.iter().collect::<Vec<_>>());
    // Where f is linear its gradient depends on nothing; then the loss of the check is this 0.
    let anchor = inputs[0].sum() * 0.0;
    let flat: Vec<Tensor> = gradients.iter().map(|g| g.flatten() + &anchor).collect();
    Tensor::concat(&flat.iter().collect::<Vec<_>>(), 0)
}

/// Whether every operation of the case differentiates twice; the others say so by an error.
fn differentiates_twice(function: &Function, inputs: &[Tensor]) -> bool {
    let (outer, inner) = (GradientTape::new(), GradientTape::new());
    let watched: Vec<Tensor> = inputs
        .iter()
        .map(|x| inner.watch(&outer.watch(x)))
        .collect();
    let result = inner.try_gradient(
        &function(&watched).sum(),
        &watched.iter().collect::<Vec<_>>(),
    );
    match result {
        Ok(_) => true,
        Err(error) => {
            assert!(
                error.to_string().contains("cannot be differentiated twice"),
                "{error}"
            );
            false
        }
    }
}

#[test]
fn gradients_of_gradients_agree_with_finite_differences() {
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for (index, (name, inputs, function)) in cases().iter().enumerate() {
        if !differentiates_twice(function, inputs) {
            continue;
        }
        checked += 1;
        let error = check_gradients(|x| first_gradients(function, x), inputs).unwrap();
        if error > 1e-6 {
            wrong.push(format!("case {index}, {name}: relative error {error:.1e}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 150, "only {checked} cases differentiate twice");
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
