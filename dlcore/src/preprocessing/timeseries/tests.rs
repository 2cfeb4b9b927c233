//! Windows against Keras (`tests/parity/preprocessing_images.py`).

use serde_json::Value;

use super::*;
use crate::fixtures::{list, numbers, tensor};

fn keras() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/preprocessing_images.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn series() -> (Tensor, Tensor) {
    let data = Tensor::arange(0.0, 60.0, 1.0).reshape([30, 2]);
    (data, Tensor::arange(0.0, 3000.0, 100.0))
}

#[track_caller]
fn check(batches: impl Iterator<Item = Result<(Tensor, Tensor)>>, case: &Value) {
    let batches: Vec<(Tensor, Tensor)> = batches.map(|batch| batch.unwrap()).collect();
    let expected = list(&case["batches"]);
    assert_eq!(batches.len(), expected.len(), "{}", case["settings"]);
    for ((x, y), batch) in batches.iter().zip(expected) {
        assert_eq!(*x, tensor(&batch["x"]), "{}", case["settings"]);
        match batch["y"].is_null() {
            true => assert_eq!(y.shape(), [x.shape()[0], 0]),
            false => assert_eq!(*y, tensor(&batch["y"]), "{}", case["settings"]),
        }
    }
}

fn number(settings: &Value, name: &str) -> Option<usize> {
    settings[name].as_u64().map(|number| number as usize)
}

#[test]
fn windows_are_kerass() {
    let (data, targets) = series();
    for case in list(&keras()["windows"]) {
        let given = |name| number(&case["settings"], name);
        let mut settings = Windows::of(given("sequence_length").unwrap());
        settings.sampling_rate = given("sampling_rate").unwrap_or(1);
        settings.sequence_stride = given("sequence_stride").unwrap_or(1);
        settings.batch_size = given("batch_size").unwrap_or(128);
        settings.start_index = given("start_index").unwrap_or(0);
        settings.end_index = given("end_index");
        let targets = number(case, "targets").map(|skipped| targets.slice(skipped as isize..));
        let dataset = timeseries_dataset_from_array(&data, targets.as_ref(), settings).unwrap();
        assert_eq!(dataset.steps(), list(&case["batches"]).len());
        check((&dataset).into_iter(), case);
        let twice = dataset
            .repeat()
            .take(2 * dataset.steps())
            .skip(dataset.steps());
        check(twice, case);
    }
}

#[test]
fn the_generators_windows_are_kerass() {
    let (data, targets) = series();
    let keras = keras();
    for case in list(&keras["generators"]) {
        let given = |name| number(&case["settings"], name);
        let mut generator = TimeseriesGenerator::new(&data, &targets, given("length").unwrap())
            .sampling_rate(given("sampling_rate").unwrap_or(1))
            .stride(given("stride").unwrap_or(1))
            .batch_size(given("batch_size").unwrap_or(128))
            .start_index(given("start_index").unwrap_or(0))
            .reverse(case["settings"]["reverse"] == true);
        if let Some(end) = given("end_index") {
            generator = generator.end_index(end);
        }
        check(generator.batches().unwrap(), case);
        check(
            (0..generator.steps().unwrap()).map(|index| generator.get(index)),
            case,
        );
    }
    let shuffled = TimeseriesGenerator::new(&data, &targets, 3)
        .stride(2)
        .batch_size(4)
        .shuffle(true);
    assert_eq!(
        Some(shuffled.steps().unwrap()),
        number(&keras["shuffled"], "batches")
    );
    for batch in shuffled.batches().unwrap() {
        let (x, y) = batch.unwrap();
        let shape: Vec<f64> = x.shape().iter().map(|&axis| axis as f64).collect();
        assert_eq!(shape, numbers(&keras["shuffled"]["shape"]));
        for row in 0..4 {
            // A window of steps t − 3 to t − 1 comes with target t.
            assert_eq!(x.at([row, 2, 0]) / 2.0 + 1.0, y.at(row) / 100.0);
        }
    }
}

#[test]
fn a_shuffled_pass_has_each_window_once() {
    let (data, targets) = series();
    let settings = Windows::of(4).batch_size(5).shuffle(true).seed(3);
    let dataset = timeseries_dataset_from_array(&data, &targets, settings).unwrap();
    let passes: Vec<Vec<f32>> = (0..2)
        .map(|pass| {
            let batches = dataset
                .repeat()
                .skip(pass * dataset.steps())
                .take(dataset.steps());
            batches
                .flat_map(|batch| batch.unwrap().1.to_vec())
                .collect()
        })
        .collect();
    assert_ne!(passes[0], passes[1]);
    for mut pass in passes {
        pass.sort_by(f32::total_cmp);
        assert_eq!(pass, targets.to_vec()[..27]);
    }
}

#[test]
fn windows_that_do_not_fit_are_refused() {
    let (data, targets) = series();
    let refused = |settings: Windows| {
        let dataset = timeseries_dataset_from_array(&data, &targets, settings);
        dataset.unwrap_err().to_string()
    };
    assert!(refused(Windows::of(0)).contains("expected sequence_length of at least 1"));
    assert!(
        refused(Windows::of(3).sampling_rate(0)).contains("expected sampling_rate of at least 1")
    );
    assert!(refused(Windows::of(31)).contains("reaches over 31 steps, and there are 30"));
    assert!(refused(Windows::of(usize::MAX).sampling_rate(9)).contains("shorten it"));
    assert!(refused(Windows::of(3).start_index(30)).contains("got 30 and 30"));
    assert!(refused(Windows::of(3).end_index(31)).contains("within 30 steps, got 0 and 31"));
    let single = timeseries_dataset_from_array(&Tensor::from(1.0), None, Windows::of(3));
    assert!(
        single
            .unwrap_err()
            .to_string()
            .contains("got a single number")
    );
    let generator = TimeseriesGenerator::new(&data, &targets, 30);
    assert!(
        generator
            .get(0)
            .unwrap_err()
            .to_string()
            .contains("their first target at 30")
    );
    let generator = TimeseriesGenerator::new(&data, &targets, 3);
    assert!(
        generator
            .get(1)
            .unwrap_err()
            .to_string()
            .contains("there is no batch 1: there are 1")
    );
    let short = TimeseriesGenerator::new(&data, &targets.slice(1..), 3);
    assert!(
        short
            .steps()
            .unwrap_err()
            .to_string()
            .contains("got 29 and 30")
    );
}
