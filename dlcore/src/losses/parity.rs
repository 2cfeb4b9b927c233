//! The same losses and gradients as Keras 3, with and without sample weights.

use super::*;
use crate::fixtures::{close, covered, list, tensor, tensor_close, text, training};
use crate::grad::GradientTape;

/// The loss of a case: `huber/delta`.
fn loss(case: &str) -> Loss {
    let (name, variant) = case.split_once('/').unwrap_or((case, ""));
    let loss = Loss::from(name);
    match variant {
        "" => loss,
        "delta" => loss.delta(0.4),
        "from_logits" => loss.from_logits(true),
        "label_smoothing" => loss.label_smoothing(0.2),
        "both" => loss.from_logits(true).label_smoothing(0.2),
        "configured" => loss
            .alpha(0.3)
            .apply_class_balancing(true)
            .gamma(1.5)
            .label_smoothing(0.1),
        other => panic!("no loss is configured as {other}"),
    }
}

#[test]
fn every_loss_has_its_case() {
    let cases = || {
        list(training("losses"))
            .iter()
            .map(|case| text(case, "name"))
    };
    covered(cases(), cases());
    let kind = |loss: &Loss| std::mem::discriminant(&loss.kind);
    for name in NAMES {
        let covered = cases().any(|case| kind(&loss(case)) == kind(&Loss::from(*name)));
        assert!(covered, "{name}");
    }
}

#[test]
fn values_and_gradients_of_every_loss_are_those_of_keras() {
    for case in list(training("losses")) {
        let name = text(case, "name");
        let loss = loss(name).known().unwrap();
        let (y, p) = (tensor(&case["y_true"]), tensor(&case["y_pred"]));
        let what = |part: &str| format!("{name} {:?}: {part}", p.shape());
        // What was recorded of each sample is the mean over its timesteps.
        let mut per_sample = loss.per_position(&y, &p).unwrap();
        while per_sample.ndim() > 1 {
            per_sample = per_sample.mean_axis(-1);
        }
        tensor_close(&what("per sample"), &per_sample, &case["per_sample"]);
        let weights = tensor(&case["weights"]);
        for (part, gradient, weights) in [
            ("loss", "gradient", None),
            ("weighted", "weighted_gradient", Some(&weights)),
        ] {
            let tape = GradientTape::new();
            let watched = tape.watch(&p);
            let value = loss.weighted(&y, &watched, weights, None).unwrap();
            close(
                &what(part),
                &[value.item()],
                &[case[part].as_f64().unwrap()],
            );
            let gradients = tape.gradient(&value, &[&watched]);
            tensor_close(&what(gradient), &gradients[0], &case[gradient]);
        }
    }
}
