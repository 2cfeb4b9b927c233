use crate::{DType, GradientTape, Tensor};

#[test]
fn a_variable_used_twice_collects_both_shares() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([3.0]));
    let y = &x * &x + &x;
    assert_eq!(tape.gradient(&y.sum(), &[&x])[0].to_vec(), [7.0]);
}

#[test]
fn sources_may_be_intermediate_or_unreached() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([1.0, 2.0]));
    let unused = tape.watch(&Tensor::ones([2, 2]));
    let squared = x.square();
    let loss = (&squared * 3.0).sum();
    let gradients = tape.gradient(&loss, &[&squared, &x, &unused]);
    assert_eq!(gradients[0].to_vec(), [3.0, 3.0]);
    assert_eq!(gradients[1].to_vec(), [6.0, 12.0]);
    assert_eq!(gradients[2], Tensor::zeros([2, 2]));
}

#[test]
fn detached_tensors_are_constants() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([2.0]));
    let loss = (&x * x.stop_gradient()).sum();
    assert_eq!(tape.gradient(&loss, &[&x])[0].to_vec(), [2.0]);
}

#[test]
fn assignment_records_too() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([2.0, 3.0]));
    let mut sum = Tensor::zeros([2]);
    sum += &x * 2.0;
    sum *= &x;
    assert_eq!(tape.gradient(&sum.sum(), &[&x])[0].to_vec(), [8.0, 12.0]);
}

#[test]
fn gradients_do_not_share_what_is_written_later() {
    let tape = GradientTape::new();
    let (a, b) = (
        tape.watch(&Tensor::from([1.0])),
        tape.watch(&Tensor::from([2.0])),
    );
    let mut gradients = tape.gradient(&(&a + &b).sum(), &[&a, &b]);
    gradients[0] += 5.0;
    assert_eq!(gradients[1].to_vec(), [1.0]);
}

#[test]
fn a_used_tape_says_so_and_a_persistent_one_goes_on() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([2.0]));
    let loss = x.square().sum();
    tape.gradient(&loss, &[&x]);
    let error = tape.try_gradient(&loss, &[&x]).unwrap_err().to_string();
    assert!(
        error.contains("already taken") && error.contains("persistent"),
        "{error}"
    );
    assert!(tape.try_watch(&x).is_err());

    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::from([2.0]));
    let loss = x.square().sum();
    assert_eq!(tape.gradient(&loss, &[&x]), tape.gradient(&loss, &[&x]));
}

#[test]
fn misuse_is_explained() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([1.0, 2.0]));
    let error = |result: crate::Result<Vec<Tensor>>| result.unwrap_err().to_string();
    let not_scalar = error(tape.try_gradient(&x.square(), &[&x]));
    assert!(
        not_scalar.contains("[2]") && not_scalar.contains("mean()"),
        "{not_scalar}"
    );
    let not_recorded = error(tape.try_gradient(&Tensor::from(1.0), &[&x]));
    assert!(not_recorded.contains("tape.watch()"), "{not_recorded}");
    let not_watched = error(tape.try_gradient(&x.sum(), &[&Tensor::from([1.0, 2.0])]));
    assert!(
        not_watched.contains("source 0, of shape [2]"),
        "{not_watched}"
    );
    let integers = tape
        .try_watch(&Tensor::from([1, 2]))
        .err()
        .unwrap()
        .to_string();
    assert!(integers.contains("i32"), "{integers}");

    let cotangents = [&Tensor::from([1.0, 2.0, 3.0])];
    let other_shape = error(tape.try_gradient_with(&[&x.square()], &cotangents, &[&x]));
    assert!(
        other_shape.contains("output 0 has shape [2]") && other_shape.contains("[3]"),
        "{other_shape}"
    );
}

#[test]
fn each_tape_takes_what_the_other_watches_for_constant() {
    let (first, second) = (GradientTape::new(), GradientTape::new());
    let x = first.watch(&Tensor::from([3.0]));
    let y = second.watch(&Tensor::from([5.0]));
    let product = &x * &y;
    assert_eq!(first.gradient(&product, &[&x])[0].to_vec(), [5.0]);
    assert_eq!(second.gradient(&product, &[&y])[0].to_vec(), [3.0]);
}

#[test]
fn a_cube_differentiates_three_times() {
    let x = Tensor::from([2.0, -1.5]).cast(DType::F64);
    let (outer, middle, inner) = (
        GradientTape::new(),
        GradientTape::new(),
        GradientTape::new(),
    );
    let a = outer.watch(&x);
    let b = middle.watch(&a);
    let c = inner.watch(&b);
    let first = inner.gradient(&c.pow(3.0).sum(), &[&c]).remove(0);
    let second = middle.gradient(&first.sum(), &[&b]).remove(0);
    let third = outer.gradient(&second.sum(), &[&a]).remove(0);
    assert_eq!(first.to_vec(), [12.0, 6.75]);
    assert_eq!(second.to_vec(), [12.0, -9.0]);
    assert_eq!(third.to_vec(), [6.0, 6.0]);
    assert!(third.node().is_none(), "used-up tapes hold nothing");
}

#[test]
fn a_persistent_tape_around_a_persistent_one_gives_every_second_derivative() {
    let (outer, inner) = (GradientTape::persistent(), GradientTape::persistent());
    let x = outer.watch(&Tensor::from(2.0));
    let y = outer.watch(&Tensor::from(3.0));
    let (u, v) = (inner.watch(&x), inner.watch(&y));
    let z = u.square() * v.pow(3.0);
    for _ in 0..2 {
        let gradients = inner.gradient(&z, &[&u, &v]);
        let of_x = outer.gradient(&gradients[0], &[&x, &y]);
        let of_y = outer.gradient(&gradients[1], &[&x, &y]);
        assert_eq!((of_x[0].item(), of_x[1].item()), (54.0, 108.0));
        assert_eq!((of_y[0].item(), of_y[1].item()), (108.0, 72.0));
    }
}

#[test]
fn a_gradient_penalty_trains() {
    // The penalty (‖∂f/∂x‖ - 1)² of a small network, differentiated by its weights.
    let x = Tensor::from([[0.3, -0.6], [0.8, 0.1]]);
    let penalty = |weights: &[Tensor]| {
        let tape = GradientTape::new();
        let x = tape.watch(&x.cast(DType::F64));
        let output = x
            .dot(&weights[0])
            .tanh()
            .dot(&weights[1])
            .softmax(-1)
            .slice((.., 0));
        let gradient = tape.gradient(&output.sum(), &[&x]).remove(0);
        (gradient.norm_axis(-1) - 1.0).square().mean()
    };
    let weights = [
        Tensor::from([[0.5, -0.3, 0.8], [0.2, 0.7, -0.4]]),
        Tensor::from([[0.6, -0.2], [0.1, 0.9], [-0.5, 0.3]]),
    ];
    let error = super::super::check_gradients(penalty, &weights).unwrap();
    assert!(error < 1e-6, "{error:e}");
}

#[test]
fn a_hessian_agrees_with_finite_differences() {
    // Rosenbrock's valley.
    let valley = |x: &Tensor| {
        let (x, y) = (x.get(0), x.get(1));
        (1.0 - &x).square() + (y - x.square()).square() * 100.0
    };
    let at = Tensor::from([0.7, -0.4]).cast(DType::F64);
    let gradient = |x: &Tensor| {
        let tape = GradientTape::new();
        let x = tape.watch(x);
        tape.gradient(&valley(&x), &[&x]).remove(0)
    };
    let outer = GradientTape::new();
    let x = outer.watch(&at);
    let hessian = outer.jacobian(&gradient(&x), &x);
    assert_eq!(hessian.shape(), [2, 2]);
    for column in 0..2 {
        let step = Tensor::eye(2).get(column).cast(DType::F64) * 1e-5;
        let numeric = (gradient(&(&at + &step)) - gradient(&(&at - &step))) / 2e-5;
        let difference = (hessian.slice((.., column)) - numeric).abs().max().item();
        assert!(
            difference < 1e-5,
            "column {column} differs by {difference:e}"
        );
    }
    let (a, b) = (0.7, -0.4);
    let exact = [
        2.0 + 1200.0 * a * a - 400.0 * b,
        -400.0 * a,
        -400.0 * a,
        200.0,
    ];
    for (got, expected) in hessian.to_vec_of::<f64>().iter().zip(exact) {
        assert!((got - expected).abs() < 1e-4, "{hessian}");
    }
}

#[test]
fn several_outputs_are_weighed_by_their_cotangents() {
    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::from([1.0, 2.0]));
    let (squares, sum) = (x.square(), x.sum());
    let weights = Tensor::from([10.0, 100.0]);
    let gradient = tape.gradient_with(&[&squares, &sum], &[&weights, &Tensor::from(1)], &[&x]);
    assert_eq!(gradient[0].to_vec(), [21.0, 401.0]);
    let twice = tape.gradient_with(
        &[&sum, &sum],
        &[&Tensor::from(1.0), &Tensor::from(2.0)],
        &[&x],
    );
    assert_eq!(twice[0].to_vec(), [3.0, 3.0]);
}

#[test]
fn a_jacobian_has_the_axes_of_both() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    let jacobian = tape.jacobian(&x.square().sum_axis(1), &x);
    assert_eq!(jacobian.shape(), [2, 2, 3]);
    assert_eq!(
        jacobian.to_vec(),
        [2.0, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 10.0, 12.0]
    );
    let error = tape.try_jacobian(&x, &x).unwrap_err().to_string();
    assert!(
        error.starts_with("jacobian") && error.contains("already taken"),
        "{error}"
    );
}

#[test]
fn what_is_detached_is_constant_to_the_second_derivative_too() {
    let outer = GradientTape::new();
    let x = outer.watch(&Tensor::from([3.0]));
    let inner = GradientTape::new();
    let t = inner.watch(&x);
    let first = inner
        .gradient(&(t.square() * t.stop_gradient()).sum(), &[&t])
        .remove(0);
    // 2x · c with c = x held still, then 2c.
    assert_eq!(first.to_vec(), [18.0]);
    assert_eq!(outer.gradient(&first.sum(), &[&x])[0].to_vec(), [6.0]);
}

#[test]
fn custom_operations_say_what_is_wrong_with_their_gradient() {
    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::from([1.0, 2.0]));
    let with = |backward: fn(&[Tensor], &Tensor, &Tensor) -> Vec<Tensor>| {
        let y = crate::grad::custom("halve", &[&x], |x| &x[0] / 2.0, backward);
        tape.try_gradient(&y.sum(), &[&x])
            .map(|mut all| all.remove(0).to_vec())
    };
    assert_eq!(with(|_, _, g| vec![g / 2.0]).unwrap(), [0.5, 0.5]);
    let shape = with(|_, _, g| vec![g.sum()]).unwrap_err().to_string();
    assert!(shape.contains("halve") && shape.contains("[2]"), "{shape}");
    let count = with(|_, _, _| vec![]).unwrap_err().to_string();
    assert!(count.contains("0 tensors for 1 inputs"), "{count}");
    let integers =
        crate::grad::try_custom("count", &[&x], |x| x[0].cast(DType::I64), |_, _, _| vec![]);
    let integers = integers.unwrap_err().to_string();
    assert!(
        integers.contains("count") && integers.contains("i64"),
        "{integers}"
    );
}

#[test]
fn a_dropped_tape_no_longer_records() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([1.0]));
    drop(tape);
    let tape = GradientTape::new();
    let y = tape.watch(&x);
    let loss = (&x * &y).sum();
    assert_eq!(tape.gradient(&loss, &[&y])[0].to_vec(), [1.0]);
}

#[test]
fn double_precision_stays_double() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from([1.0]).cast(DType::F64));
    assert_eq!(
        tape.gradient(&(&x * 2.0).sum(), &[&x])[0].dtype(),
        DType::F64
    );
}
