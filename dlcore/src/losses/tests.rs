use super::*;
use crate::DType;
use crate::grad::check_gradients;

fn close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() < 1e-6 * expected.abs().max(1.0),
        "{actual} {expected}"
    );
}

fn value(loss: &str, y_true: Tensor, y_pred: Tensor) -> f64 {
    Loss::from(loss).call(&y_true, &y_pred).unwrap().item()
}

#[test]
fn values_are_those_of_keras() {
    // Keras 3.15's docstrings and by hand.
    let (y, p) = (
        Tensor::from([[0.0, 1.0], [0.0, 0.0]]),
        Tensor::from([[0.6, 0.4], [0.4, 0.6]]),
    );
    close(
        value("binary_crossentropy", y.clone(), p.clone()),
        (0.916_290_7 + 0.713_558_2) / 2.0,
    );
    close(
        value("mse", y.clone(), p.clone()),
        (0.36 + 0.36 + 0.16 + 0.36) / 4.0,
    );
    close(value("mae", y, p), (0.6 + 0.6 + 0.4 + 0.6) / 4.0);
    let (y, p) = (
        Tensor::from([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        Tensor::from([[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]),
    );
    let expected = -(0.95_f64.ln() + 0.1_f64.ln()) / 2.0;
    close(value("categorical_crossentropy", y, p.clone()), expected);
    close(
        value(
            "sparse_categorical_crossentropy",
            Tensor::from([1_i64, 2]),
            p,
        ),
        expected,
    );
}

#[test]
fn certain_and_wrong_is_clipped_and_unnormalised_rows_are_normalised() {
    let clipped = -(1e-7_f32.ln()) as f64;
    close(
        value(
            "categorical_crossentropy",
            Tensor::from([[1.0, 0.0]]),
            Tensor::from([[0.0, 1.0]]),
        ),
        clipped,
    );
    close(
        value(
            "binary_crossentropy",
            Tensor::from([[1.0]]),
            Tensor::from([[0.0]]),
        ),
        clipped,
    );
    close(
        value(
            "categorical_crossentropy",
            Tensor::from([[1.0, 0.0]]),
            Tensor::from([[2.0, 6.0]]),
        ),
        4.0_f64.ln(),
    );
}

#[test]
fn logits_and_probabilities_agree_where_both_are_exact() {
    let logits = Tensor::from([[0.3, -1.2, 2.0], [1.0, 0.0, -0.5]]);
    let y = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    for (loss, activation) in [
        (Loss::categorical_crossentropy(), Activation::Softmax),
        (Loss::binary_crossentropy(), Activation::Sigmoid),
    ] {
        let plain = loss.call(&y, &activation.apply(&logits)).unwrap().item();
        close(loss.on_logits().call(&y, &logits).unwrap().item(), plain);
        assert!(loss.fuses_with(&activation) && !loss.fuses_with(&Activation::Tanh));
    }
}

#[test]
fn gradients_of_every_loss_match_finite_differences() {
    let p = Tensor::from([[0.2, 0.5, 0.3], [0.6, 0.15, 0.25]]);
    let hot = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    let numbers = Tensor::from([2_i64, 0]);
    let far = &hot + 1.5;
    for &name in NAMES {
        let y = if name.starts_with("sparse") {
            &numbers
        } else if name == "mape" || name.contains("percentage") {
            // Labels of 0 would divide by epsilon.
            &far
        } else {
            &hot
        };
        for from_logits in [false, true] {
            let loss = Loss::from(name).from_logits(from_logits);
            let error = check_gradients(|t| loss.call(y, &t[0]).unwrap(), std::slice::from_ref(&p))
                .unwrap();
            assert!(error < 1e-6, "{name} from_logits={from_logits}: {error}");
        }
    }
}

#[test]
fn a_column_and_a_vector_of_labels_are_the_same() {
    let p = Tensor::from([[0.6], [0.4]]);
    let column = value(
        "binary_crossentropy",
        Tensor::from([[1.0], [0.0]]),
        p.clone(),
    );
    close(
        value("binary_crossentropy", Tensor::from([1.0, 0.0]), p.clone()),
        column,
    );
    let p = Tensor::from([[0.6, 0.4], [0.4, 0.6]]);
    let vector = value(
        "sparse_categorical_crossentropy",
        Tensor::from([1_i64, 0]),
        p.clone(),
    );
    close(
        value(
            "sparse_categorical_crossentropy",
            Tensor::from([[1_i64], [0]]),
            p,
        ),
        vector,
    );
}

#[test]
fn labels_of_another_shape_and_unknown_names_are_refused() {
    let error = Loss::from("mse")
        .call(&Tensor::zeros([2, 4]), &Tensor::zeros([2, 3]))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected labels of shape [2, 3]"),
        "{error}"
    );
    let error = Loss::from("categorical_crossentrpy")
        .known()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did you mean \"categorical_crossentropy\"?"),
        "{error}"
    );
}

#[test]
fn settings_are_refused_out_of_range_and_where_they_do_not_belong() {
    let error = |loss: Loss| loss.known().unwrap_err().to_string();
    assert_eq!(
        error(Loss::huber().delta(0.0)),
        "huber: delta must be a number above 0, got 0"
    );
    assert_eq!(
        error(Loss::categorical_crossentropy().label_smoothing(1.5)),
        "categorical_crossentropy: label_smoothing must be from 0 to 1, got 1.5"
    );
    assert!(error(Loss::binary_focal_crossentropy().gamma(-1.0)).contains("gamma"));
    assert!(error(Loss::binary_focal_crossentropy().alpha(2.0)).contains("alpha"));
    assert_eq!(
        error(Loss::hinge().delta(1.0)),
        "hinge: this loss has no setting delta"
    );
    assert!(error(Loss::from("mse").label_smoothing(0.1)).contains("no setting label_smoothing"));
}

#[test]
fn every_setting_is_saved() {
    for loss in [
        Loss::huber().delta(0.5),
        Loss::binary_crossentropy()
            .label_smoothing(0.1)
            .from_logits(true),
        Loss::binary_focal_crossentropy()
            .gamma(1.5)
            .alpha(0.3)
            .apply_class_balancing(true),
        Loss::from("MeanSquaredError"),
    ] {
        let config = loss.config();
        let back = Loss::from_config(&config).unwrap();
        assert_eq!(back.config(), config);
        let (y, p) = (Tensor::from([[1.0], [0.0]]), Tensor::from([[0.7], [0.4]]));
        assert_eq!(back.call(&y, &p).unwrap(), loss.call(&y, &p).unwrap());
    }
    let error = Loss::from_config(
        &serde_json::json!({"name": "huber", "from_logits": false, "delta": -1.0}),
    );
    assert!(error.unwrap_err().contains("delta"));
}

#[test]
fn weights_count_by_sample_and_the_divisor_is_the_batch() {
    let (y, p) = (
        Tensor::from([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]),
        Tensor::from([[2.0, 2.0], [3.0, 1.0], [4.0, 2.0]]),
    );
    let loss = Loss::mean_squared_error();
    let per_sample = loss.per_position(&y, &p).unwrap();
    assert_eq!(per_sample.to_vec(), [0.5, 4.5, 10.0]);
    let weights = Tensor::from([2.0, 0.0, 0.5]);
    close(
        loss.weighted(&y, &p, Some(&weights), None).unwrap().item(),
        (1.0 + 5.0) / 3.0,
    );
    assert_eq!(
        loss.weighted(&y, &p, None, None).unwrap(),
        loss.call(&y, &p).unwrap()
    );
    let error = loss
        .weighted(&y, &p, Some(&Tensor::ones([2])), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("shape [3]") && error.contains("got [2]"),
        "{error}"
    );
}

#[test]
fn a_function_that_averages_by_itself_cannot_be_weighted() {
    let (y, p) = (Tensor::from([[1.0], [0.0]]), Tensor::from([[0.5], [0.5]]));
    let own = Loss::custom("own", |y, p| (y - p).abs().mean());
    let error = own
        .weighted(&y, &p, Some(&Tensor::ones([2])), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("returned shape []"), "{error}");
    let each = Loss::custom("each", |y, p| (y - p).abs());
    close(
        each.weighted(&y, &p, Some(&Tensor::from([1.0, 3.0])), None)
            .unwrap()
            .item(),
        1.0,
    );
}

#[test]
fn large_errors_do_not_overflow_and_zero_vectors_have_no_direction() {
    let far = (Tensor::from([[0.0]]), Tensor::from([[500.0]]));
    close(
        value("log_cosh", far.0.clone(), far.1.clone()),
        500.0 - std::f64::consts::LN_2,
    );
    close(value("huber", far.0, far.1), 499.5);
    let zero = Tensor::zeros([1, 3]);
    close(
        value("cosine_similarity", Tensor::ones([1, 3]), zero.clone()),
        0.0,
    );
    let tape = crate::grad::GradientTape::new();
    let p = tape.watch(&zero);
    let loss = Loss::cosine_similarity()
        .call(&Tensor::ones([1, 3]), &p)
        .unwrap();
    assert!(
        tape.gradient(&loss, &[&p])[0]
            .to_vec()
            .iter()
            .all(|g| g.is_finite())
    );
}

#[test]
fn weights_of_one_change_no_loss() {
    let p = Tensor::from([[0.2, 0.5, 0.3], [0.6, 0.15, 0.25]]);
    let hot = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    for name in [
        "mse",
        "mae",
        "binary_crossentropy",
        "categorical_crossentropy",
    ] {
        for from_logits in [false, true] {
            let by = Loss::from(name).from_logits(from_logits);
            let weighted = by
                .weighted(&hot, &p, Some(&Tensor::ones([2])), None)
                .unwrap();
            let plain = by.call(&hot, &p).unwrap();
            let difference = (weighted.item() - plain.item()).abs();
            assert!(difference < 1e-6, "{name}: {difference}");
        }
    }
}

#[test]
fn a_sample_counts_as_often_as_its_weight_says() {
    let (y, p) = (
        Tensor::from([[0.0], [0.0], [0.0]]),
        Tensor::from([[1.0], [2.0], [3.0]]),
    );
    let weights = Tensor::from([2.0, 0.0, 1.0]);
    let value = Loss::from("mse")
        .weighted(&y, &p, Some(&weights), None)
        .unwrap();
    assert!((value.item() - (2.0 * 1.0 + 9.0) / 3.0).abs() < 1e-6);
}

#[test]
fn a_mask_leaves_timesteps_out_of_the_mean() {
    let (y, p) = (
        Tensor::zeros([2, 2, 1]),
        Tensor::from([[[1.0], [2.0]], [[3.0], [100.0]]]),
    );
    let mask = Tensor::from([[1_i64, 1], [1, 0]]).cast(DType::Bool);
    let value = Loss::from("mse")
        .weighted(&y, &p, None, Some(&mask))
        .unwrap();
    assert!((value.item() - 14.0 / 3.0).abs() < 1e-5);
    let weights = Tensor::from([3.0, 0.0]);
    let value = Loss::from("mse")
        .weighted(&y, &p, Some(&weights), Some(&mask))
        .unwrap();
    assert!((value.item() - 15.0 / 3.0).abs() < 1e-5);
}

#[test]
fn weights_that_do_not_fit_and_losses_that_cannot_be_weighted_are_refused() {
    let (y, p) = (Tensor::zeros([3, 1]), Tensor::ones([3, 1]));
    let error = Loss::from("mse")
        .weighted(&y, &p, Some(&Tensor::ones([2])), None)
        .unwrap_err();
    assert!(error.to_string().contains("sample weights of shape [3]"));
    let mean = Loss::custom("own", |y, p| (y - p).square().mean());
    let error = mean
        .weighted(&y, &p, Some(&Tensor::ones([3])), None)
        .unwrap_err();
    assert!(
        error.to_string().contains("a number for each of them"),
        "{error}"
    );
}
