use super::Value;

/// The gradient of `f` at `x`, against central differences.
fn check(f: impl Fn(&[Value]) -> Value, x: &[f64]) {
    let values: Vec<Value> = x.iter().copied().map(Value::new).collect();
    f(&values).backward();
    for (place, value) in values.iter().enumerate() {
        let moved = |by: f64| {
            let mut x = x.to_vec();
            x[place] += by;
            f(&x.into_iter().map(Value::new).collect::<Vec<_>>()).data()
        };
        let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        let error = (value.grad() - numeric).abs() / numeric.abs().max(1.0);
        assert!(
            error < 1e-7,
            "input {place}: {} where {numeric} was expected",
            value.grad()
        );
    }
}

#[test]
fn every_operation_agrees_with_finite_differences() {
    check(|x| &x[0] + &x[1] * 2.0 + 1.0, &[0.5, -0.7]);
    check(|x| &x[0] - 3.0 * &x[1] - -&x[0], &[0.5, -0.7]);
    check(|x| &x[0] / &x[1] + 1.0 / &x[0], &[0.5, -0.7]);
    check(|x| x[0].exp() * x[1].tanh() + x[0].sigmoid(), &[0.5, -0.7]);
    check(|x| x[0].log() + x[0].relu() + x[1].relu(), &[0.5, -0.7]);
    check(
        |x| x[0].pow(3.0) + x[0].pow(-0.5) + x[1].pow(0.0),
        &[0.5, -0.7],
    );
}

#[test]
fn a_number_used_twice_collects_both_shares() {
    let x = Value::new(3.0);
    let y = &x * &x + &x;
    (&y * &y).backward();
    assert_eq!(x.grad(), 2.0 * 12.0 * 7.0);
    assert_eq!(y.grad(), 24.0);
}

#[test]
fn gradients_add_up_until_they_are_cleared() {
    let x = Value::new(2.0);
    let y = x.pow(2.0);
    y.backward();
    y.backward();
    assert_eq!((x.grad(), y.grad()), (8.0, 2.0));
    y.zero_grad();
    assert_eq!((x.grad(), y.grad()), (0.0, 0.0));
    y.backward();
    assert_eq!(x.grad(), 4.0);
}

#[test]
fn a_neuron_learns() {
    let (w, b) = (Value::new(0.1), Value::new(0.0));
    for _ in 0..200 {
        let loss: Value = [(-1.0, -3.0), (0.0, -1.0), (2.0, 3.0)]
            .into_iter()
            .map(|(x, y)| (&w * x + &b - y).pow(2.0))
            .sum();
        loss.zero_grad();
        loss.backward();
        w.set_data(w.data() - 0.05 * w.grad());
        b.set_data(b.data() - 0.05 * b.grad());
    }
    assert!(
        (w.data() - 2.0).abs() < 1e-6 && (b.data() + 1.0).abs() < 1e-6,
        "{w} {b}"
    );
}

#[test]
fn a_long_sum_overflows_no_stack() {
    let x = Value::new(1.0);
    let sum = (0..200_000).fold(Value::new(0.0), |sum, _| sum + &x);
    sum.backward();
    assert_eq!((sum.data(), x.grad()), (200_000.0, 200_000.0));
    drop(sum);
    assert_eq!(format!("{x:?}"), "Value(data=1, grad=200000)");
}
