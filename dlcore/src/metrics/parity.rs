//! The same values as Keras 3 after each of three batches of different sizes, with and without sample
//! weights.

use super::*;
use crate::fixtures::{close, covered, list, numbers, tensor, text, training};

/// The metric of a case: `precision/threshold`.
fn metric(case: &str) -> Metric {
    let (name, variant) = case.split_once('/').unwrap_or((case, ""));
    let metric = if name == "mean_io_u" {
        Metric::mean_io_u(3)
    } else {
        Metric::from(name)
    };
    match (name, variant) {
        ("mean_io_u", "numbers") => metric.sparse_y_true(true).sparse_y_pred(true),
        (_, "") | ("accuracy", _) | ("mean_io_u", _) => metric,
        ("binary_accuracy", _) => metric.threshold(0.7),
        (_, "threshold") => metric.threshold(0.3),
        (_, "k") => metric.k(2),
        (_, "micro") => metric.average("micro"),
        (_, "weighted") => metric.average("weighted").threshold(0.3),
        ("f1_score", "one") => metric,
        (_, "pr") => metric.curve("PR"),
        (_, "thresholds") => metric.num_thresholds(7),
        other => panic!("no metric is configured as {other:?}"),
    }
}

#[test]
fn every_metric_has_its_case() {
    let cases = || {
        list(training("metrics"))
            .iter()
            .map(|case| text(case, "name"))
    };
    covered(cases(), cases());
    for name in NAMES.iter().chain(losses::NAMES) {
        let same = |case: &str| match (&metric(case).kind, &Metric::from(*name).kind) {
            (Kind::Loss(a), Kind::Loss(b)) => {
                std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
            }
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        assert!(cases().any(same), "{name}");
    }
}

#[test]
fn every_metric_has_the_value_that_keras_has_after_each_batch() {
    for case in list(training("metrics")) {
        let name = text(case, "name");
        let metric = metric(name).known().unwrap();
        let (mut plain, mut weighted) = (metric.state(), metric.state());
        let after = numbers(&case["after"])
            .into_iter()
            .zip(numbers(&case["weighted_after"]));
        for (batch, (expected, weighted_expected)) in list(&case["batches"]).iter().zip(after) {
            let (y, p) = (tensor(&batch["y_true"]), tensor(&batch["y_pred"]));
            let weights = tensor(&batch["weights"]);
            plain.update(&Batch::new(&y, &p, None).unwrap()).unwrap();
            close(name, &[plain.result()], &[expected]);
            weighted
                .update(&Batch::new(&y, &p, Some(&weights)).unwrap())
                .unwrap();
            close(
                &format!("{name}, weighted"),
                &[weighted.result()],
                &[weighted_expected],
            );
        }
    }
}
