use super::*;

fn value(name: &str, y_true: Tensor, y_pred: Tensor) -> f64 {
    Metric::from(name).call(&y_true, &y_pred).unwrap()
}

#[test]
fn accuracy_is_chosen_by_shape_as_keras_does() {
    let column = Tensor::from([[0.9], [0.2], [0.6]]);
    assert_eq!(
        value("accuracy", Tensor::from([1.0, 0.0, 0.0]), column.clone()),
        2.0 / 3.0
    );
    assert_eq!(
        value("accuracy", Tensor::from([[1.0], [0.0], [1.0]]), column),
        1.0
    );
    let rows = Tensor::from([[0.1, 0.9], [0.7, 0.3]]);
    assert_eq!(
        value(
            "accuracy",
            Tensor::from([[0.0, 1.0], [0.0, 1.0]]),
            rows.clone()
        ),
        0.5
    );
    assert_eq!(
        value("accuracy", Tensor::from([1_i64, 0]), rows.clone()),
        1.0
    );
    assert_eq!(value("acc", Tensor::from([[1_u8], [1]]), rows), 0.5);
}

#[test]
fn one_half_is_not_above_the_threshold_and_ties_go_to_the_first() {
    assert_eq!(
        value("binary_accuracy", Tensor::from([0.0]), Tensor::from([0.5])),
        1.0
    );
    let strict = Metric::binary_accuracy().threshold(0.8);
    assert_eq!(
        strict
            .call(&Tensor::from([1.0]), &Tensor::from([0.7]))
            .unwrap(),
        0.0
    );
    assert_eq!(
        value(
            "sparse_categorical_accuracy",
            Tensor::from([0_i64]),
            Tensor::from([[0.5, 0.5]])
        ),
        1.0
    );
}

#[test]
fn errors_and_own_functions_are_averaged() {
    let (y, p) = (Tensor::from([[1.0], [3.0]]), Tensor::from([[2.0], [5.0]]));
    assert_eq!(value("mae", y.clone(), p.clone()), 1.5);
    assert_eq!(value("mse", y.clone(), p.clone()), 2.5);
    let largest = Metric::custom("largest", |y, p| (y - p).abs().max());
    assert_eq!(largest.call(&y, &p).unwrap(), 2.0);
}

#[test]
fn unknown_and_repeated_names_are_refused() {
    let error = Metrics::from(["acuracy"])
        .resolve()
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean \"accuracy\"?"), "{error}");
    let error = Metrics::from(["mae", "mae"])
        .resolve()
        .unwrap_err()
        .to_string();
    assert!(error.contains("two metrics are named \"mae\""), "{error}");
    assert!(Metrics::none().resolve().unwrap().is_empty());
}

/// As many positions as classes, or rows as wide: told by the labels, or by a setting.
#[test]
fn class_numbers_are_no_rows_of_scores() {
    let numbers = Tensor::from([0.0, 1.0, 2.0]);
    let iou = |metric: Metric, y: &Tensor, p: &Tensor| metric.call(y, p).unwrap();
    let close = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-6, "{value}");
    close(iou(Metric::mean_io_u(3), &numbers, &numbers), 1.0);
    let (y, p) = (
        Tensor::from([[0.0, 1.0, 2.0], [2.0, 2.0, 1.0]]),
        Tensor::from([[0.0, 1.0, 1.0], [2.0, 2.0, 1.0]]),
    );
    let third = (1.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0;
    close(iou(Metric::mean_io_u(3), &y, &p), third);
    // Pictures that could be one-hot rows.
    let y = Tensor::from([[0.0, 1.0, 0.0]]);
    let p = Tensor::from([[0.0, 1.0, 1.0]]);
    let both = Metric::mean_io_u(3).sparse_y_true(true).sparse_y_pred(true);
    close(iou(both, &y, &p), 0.5);
    let rows = Metric::mean_io_u(3)
        .sparse_y_true(false)
        .sparse_y_pred(false);
    close(iou(rows, &y, &p), 1.0);
    let misplaced = Metric::accuracy().sparse_y_pred(true).known().unwrap_err();
    assert!(
        misplaced.to_string().contains("no setting sparse_y_pred"),
        "{misplaced}"
    );
}

#[test]
fn labels_that_do_not_fit_are_refused_with_both_shapes() {
    let error = Metric::categorical_accuracy()
        .call(&Tensor::zeros([2, 3]), &Tensor::zeros([2, 4]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[2, 3]") && error.contains("[2, 4]"),
        "{error}"
    );
}

#[test]
fn settings_are_refused_out_of_range_and_where_they_do_not_belong() {
    let error = |metric: Metric| Metrics::from(metric).resolve().unwrap_err().to_string();
    assert_eq!(
        error(Metric::precision().threshold(1.5)),
        "precision: threshold must be from 0 to 1, got 1.5"
    );
    assert_eq!(
        error(Metric::from("mse").threshold(0.5)),
        "mse: this metric has no setting threshold"
    );
    assert!(error(Metric::top_k_categorical_accuracy().k(0)).contains("k must be at least 1"));
    assert!(error(Metric::f1_score().average("makro")).contains("did you mean \"macro\"?"));
    assert!(error(Metric::auc().curve("prc")).contains("unknown curve"));
    assert!(error(Metric::auc().num_thresholds(1)).contains("at least 2, got 1"));
    assert!(error(Metric::mean_io_u(0)).contains("num_classes"));
    assert!(error(Metric::from("MeanIoU")).contains("Metric::mean_io_u(3)"));
    assert!(error(Metric::from(Loss::huber().delta(-1.0))).contains("delta"));
}

#[test]
fn every_setting_is_saved() {
    for metric in [
        Metric::precision().threshold(0.7).named("strict"),
        Metric::top_k_categorical_accuracy().k(3),
        Metric::f1_score().average("weighted").threshold(0.2),
        Metric::auc().curve("pr").num_thresholds(50),
        Metric::mean_io_u(4),
        Metric::from(Loss::huber().delta(0.5)),
        Metric::from("acc"),
        Metric::from("mse").named("error"),
    ] {
        let config = metric.config();
        let back = Metric::from_config(&config).unwrap();
        assert_eq!((back.config(), back.name()), (config, metric.name()));
    }
    let old = serde_json::json!({"name": "binary_accuracy", "threshold": 0.3});
    assert_eq!(
        Metric::from_config(&old).unwrap().config()["threshold"],
        0.3
    );
}

#[test]
fn one_output_is_judged_by_one_half_and_class_numbers_are_taken_for_rows() {
    let (y, p) = (
        Tensor::from([[1.0], [0.0], [1.0]]),
        Tensor::from([[0.9], [0.2], [0.1]]),
    );
    let f1 = Metric::f1_score().call(&y, &p).unwrap();
    assert!((f1 - 2.0 / 3.0).abs() < 1e-6, "{f1}");
    let rows = Tensor::from([[0.9, 0.1], [0.2, 0.8]]);
    let numbers = Metric::f1_score()
        .call(&Tensor::from([0_i64, 0]), &rows)
        .unwrap();
    let hot = Metric::f1_score()
        .call(&Tensor::from([[1.0, 0.0], [1.0, 0.0]]), &rows)
        .unwrap();
    assert_eq!(numbers, hot);
}

#[test]
fn a_function_of_ones_own_sees_all_of_an_evaluation_at_once() {
    let rmse = Metric::custom("own", |y, p| (y - p).square().mean().sqrt());
    let metrics = [rmse.clone()];
    let (mut training, mut evaluation) = (
        Totals::of_training(&metrics),
        Totals::of_evaluation(&metrics),
    );
    let batches = [
        (
            Tensor::from([[0.0], [0.0], [0.0]]),
            Tensor::from([[1.0], [1.0], [1.0]]),
        ),
        (Tensor::from([[0.0]]), Tensor::from([[3.0]])),
    ];
    for (y, p) in &batches {
        let batch = Batch::new(y, p, None).unwrap();
        training.add(&batch).unwrap();
        evaluation.add(&batch).unwrap();
    }
    assert_eq!(training.values()[1], (3.0 * 1.0 + 3.0) / 4.0);
    assert!((evaluation.values()[1] - 3.0_f64.sqrt()).abs() < 1e-6);
}

#[test]
fn names_tell_whether_more_is_better() {
    for (name, expected) in [
        ("val_loss", Some(false)),
        ("accuracy", Some(true)),
        ("val_auc", Some(true)),
        ("mae", Some(false)),
        ("val_cosine_similarity", Some(true)),
        ("kl_divergence", Some(false)),
        ("strict_precision", Some(true)),
        ("my_error", Some(false)),
        ("oddity", None),
    ] {
        assert_eq!(larger_is_better(name), expected, "{name}");
    }
}
