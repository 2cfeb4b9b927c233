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

    let other = GradientTape::new();
    let y = other.watch(&Tensor::from([1.0, 2.0]));
    assert!(
        x.try_add(&y)
            .unwrap_err()
            .to_string()
            .contains("two different tapes")
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
