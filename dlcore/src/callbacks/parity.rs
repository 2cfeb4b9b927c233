//! The same decisions as Keras 3's callbacks over the same epochs.

use serde_json::Value;

use super::fake::{self, Model};
use super::*;
use crate::fixtures::{close, covered, list, numbers, text, training};

/// A case's name, and its callback for a metric.
type Known<T> = (&'static str, fn(&str) -> T);

fn cases(callback: &str) -> Vec<&'static Value> {
    let all = list(training("callbacks")).iter();
    all.filter(|case| text(case, "callback") == callback)
        .collect()
}

/// The callbacks of one kind by the names of their cases.
fn of<T>(known: &[Known<T>], case: &Value) -> T {
    let name = text(case, "name");
    let (_, make) = known.iter().find(|(known, _)| *known == name).unwrap();
    make(text(case, "metric"))
}

fn check_covered<T>(callback: &str, known: &[Known<T>]) {
    let names = cases(callback).into_iter().map(|case| text(case, "name"));
    covered(names, known.iter().map(|(name, _)| *name));
}

#[test]
fn early_stopping_stops_and_restores_where_keras_does() {
    let known: [Known<EarlyStopping>; 11] = [
        ("default", EarlyStopping::new),
        ("patience", |m| EarlyStopping::new(m).patience(2)),
        ("min_delta", |m| {
            EarlyStopping::new(m).patience(2).min_delta(0.05)
        }),
        ("baseline", |m| {
            EarlyStopping::new(m).patience(3).baseline(0.6)
        }),
        ("baseline-beaten", |m| {
            EarlyStopping::new(m).patience(2).baseline(0.8)
        }),
        ("start", |m| {
            EarlyStopping::new(m).patience(1).start_from_epoch(3)
        }),
        ("restore", |m| {
            EarlyStopping::new(m).patience(2).restore_best_weights(true)
        }),
        ("restore-min_delta", |m| {
            EarlyStopping::new(m)
                .patience(3)
                .min_delta(0.03)
                .restore_best_weights(true)
        }),
        ("restore-to-end", |m| {
            EarlyStopping::new(m)
                .patience(20)
                .restore_best_weights(true)
        }),
        ("max", |m| EarlyStopping::new(m).patience(1).mode("max")),
        ("min", |m| EarlyStopping::new(m).patience(1).mode("min")),
    ];
    check_covered("EarlyStopping", &known);
    for case in cases("EarlyStopping") {
        let mut model = Model::new();
        let mut stopping = of(&known, case);
        let ended = fake::run(
            &mut stopping,
            &mut model,
            text(case, "metric"),
            &numbers(&case["values"]),
        );
        let what = format!("{} of {}", text(case, "name"), text(case, "metric"));
        let stopped = ended.map(|(epoch, _)| epoch as u64);
        assert_eq!(stopped, case["stopped"].as_u64(), "{what}");
        assert_eq!(
            model.weights[0].item(),
            case["weight"].as_f64().unwrap(),
            "{what}"
        );
    }
}

#[test]
fn the_learning_rate_falls_where_keras_lets_it_fall() {
    let known: [Known<ReduceLROnPlateau>; 8] = [
        ("default", ReduceLROnPlateau::new),
        ("patience", |m| ReduceLROnPlateau::new(m).patience(2)),
        ("factor", |m| {
            ReduceLROnPlateau::new(m).patience(1).factor(0.5)
        }),
        ("min_delta", |m| {
            ReduceLROnPlateau::new(m)
                .patience(2)
                .min_delta(0.05)
                .factor(0.5)
        }),
        ("cooldown", |m| {
            ReduceLROnPlateau::new(m)
                .patience(1)
                .cooldown(2)
                .factor(0.5)
        }),
        ("min_lr", |m| {
            ReduceLROnPlateau::new(m)
                .patience(1)
                .factor(0.5)
                .min_lr(0.3)
        }),
        ("max", |m| {
            ReduceLROnPlateau::new(m)
                .patience(1)
                .factor(0.5)
                .mode("max")
        }),
        ("patience-zero", |m| {
            ReduceLROnPlateau::new(m).patience(0).factor(0.5)
        }),
    ];
    check_covered("ReduceLROnPlateau", &known);
    for case in cases("ReduceLROnPlateau") {
        let mut callback = of(&known, case);
        let mut model = Model::new();
        model.rate = 1.0;
        let mut rates = Vec::new();
        callback.train_begin(&mut model);
        for (epoch, value) in numbers(&case["values"]).into_iter().enumerate() {
            let logs = Logs::from(vec![(text(case, "metric").to_string(), value)]);
            assert_eq!(
                callback.epoch_end(epoch, &logs, &mut model),
                Control::Continue
            );
            rates.push(model.rate);
        }
        close(text(case, "name"), &rates, &numbers(&case["rates"]));
    }
}

#[test]
fn models_are_saved_after_the_epochs_after_which_keras_saves_them() {
    let known: [Known<ModelCheckpoint>; 4] = [
        ("every", |m| {
            ModelCheckpoint::new("{epoch:02}.dl").monitor(m)
        }),
        ("best", |m| {
            ModelCheckpoint::new("{epoch:02}.dl")
                .monitor(m)
                .save_best_only(true)
        }),
        ("best-max", |m| {
            ModelCheckpoint::new("{epoch:02}.dl")
                .monitor(m)
                .save_best_only(true)
                .mode("max")
        }),
        ("threshold", |m| {
            ModelCheckpoint::new("{epoch:02}.dl")
                .monitor(m)
                .save_best_only(true)
                .initial_value_threshold(0.65)
        }),
    ];
    check_covered("ModelCheckpoint", &known);
    for case in cases("ModelCheckpoint") {
        let mut model = Model::new();
        let values = numbers(&case["values"]);
        fake::run(
            &mut of(&known, case),
            &mut model,
            text(case, "metric"),
            &values,
        );
        let saved = model.saved.borrow();
        let names: Vec<String> = saved
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        let expected = numbers(&case["saved"]);
        let expected: Vec<String> = expected
            .iter()
            .map(|epoch| format!("{epoch:02}.dl"))
            .collect();
        assert_eq!(
            names,
            expected,
            "{} of {}",
            text(case, "name"),
            text(case, "metric")
        );
    }
}
