//! The same numbers as Keras 3: predictions, losses, metrics, gradients and five training steps of
//! small networks, from the same weights and batches, with each optimizer and the commonest losses.
//!
//! The fixtures are made by `tests/parity/make_fixtures.py`. Every loss, and every option of losses and
//! optimizers, is compared by itself beside its source (`dlcore/src/losses/parity.rs` and so on).

use dlcore::prelude::*;
use serde_json::Value;

/// Largest difference allowed, relative to the largest number of the tensor.
const TOLERANCE: f64 = 1e-5;
const BATCH: usize = 8;

fn fixtures() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/parity/fixtures.json");
    let text = std::fs::read_to_string(path).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["cases"].as_array().unwrap().clone()
}

fn tensor(json: &Value) -> Tensor {
    let numbers = |key: &str| {
        json[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
    };
    let shape: Vec<usize> = numbers("shape").map(|v| v as usize).collect();
    Tensor::from_shape_vec(shape, numbers("values").map(|v| v as f32).collect()).unwrap()
}

fn tensors(json: &Value) -> Vec<Tensor> {
    json.as_array().unwrap().iter().map(tensor).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn loss(case: &Value) -> Loss {
    Loss::from(text(case, "loss")).from_logits(case["from_logits"].as_bool().unwrap())
}

fn metrics(case: &Value) -> Vec<&str> {
    case["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect()
}

fn network(case: &Value) -> Sequential {
    let x = tensor(&case["x"]);
    let weights = tensors(&case["weights"]);
    let network = Sequential::new()
        .add(
            Dense::new(weights[1].len())
                .activation(text(case, "hidden_activation"))
                .input_shape([x.shape()[1]]),
        )
        .add(Dense::new(weights[3].len()).activation(text(case, "activation")));
    network.set_weights(&weights).unwrap();
    network
}

fn compile(network: &mut Sequential, case: &Value) {
    let (loss, metrics) = (loss(case), metrics(case));
    match text(case, "optimizer") {
        "sgd-momentum" => {
            network.compile(SGD::new().learning_rate(0.05).momentum(0.9), loss, metrics)
        }
        "sgd-nesterov" => {
            let nesterov = SGD::new().learning_rate(0.05).momentum(0.9).nesterov(true);
            network.compile(nesterov, loss, metrics)
        }
        "rmsprop-configured" => {
            let configured = RMSprop::new().learning_rate(0.01).rho(0.8).momentum(0.5);
            network.compile(configured, loss, metrics)
        }
        "adam-scheduled" => {
            let schedule = ExponentialDecay::new(0.02, 2, 0.5);
            let clipped = Adam::new().learning_rate(schedule).global_clipnorm(0.1);
            network.compile(clipped, loss, metrics)
        }
        name => network.compile(name, loss, metrics),
    }
    .unwrap();
}

#[track_caller]
fn close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let scale = expected
        .iter()
        .fold(0.0_f64, |scale, &v| scale.max(f64::from(v.abs())));
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let difference = (f64::from(a) - f64::from(e)).abs();
        assert!(
            difference <= TOLERANCE * scale,
            "{what}[{i}]: {a}, Keras has {e}"
        );
    }
}

#[track_caller]
fn all_close(what: &str, actual: &[Tensor], expected: &[Tensor]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(a.shape(), e.shape(), "{what} {i}");
        close(&format!("{what} {i}"), &a.to_vec(), &e.to_vec());
    }
}

fn floats(json: &Value) -> Vec<f32> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap() as f32)
        .collect()
}

#[test]
fn every_loss_and_every_optimizer_is_among_the_cases() {
    let cases = fixtures();
    let any = |key: &str, value: &str| cases.iter().any(|case| text(case, key) == value);
    for loss in [
        "mean_squared_error",
        "mean_absolute_error",
        "binary_crossentropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
    ] {
        assert!(any("loss", loss), "{loss}");
    }
    for optimizer in [
        "sgd",
        "sgd-momentum",
        "sgd-nesterov",
        "rmsprop",
        "rmsprop-configured",
        "adam",
        "adamw",
        "adamax",
        "nadam",
        "adagrad",
        "adadelta",
        "adam-scheduled",
    ] {
        assert!(any("optimizer", optimizer), "{optimizer}");
    }
}

#[test]
fn predictions_and_evaluations_are_those_of_keras() {
    for case in fixtures() {
        let name = text(&case, "name");
        let mut network = network(&case);
        compile(&mut network, &case);
        let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
        let predictions = network.predict(&x).unwrap();
        close(
            &format!("{name}: predictions"),
            &predictions.to_vec(),
            &tensor(&case["predictions"]).to_vec(),
        );
        let scores = network.evaluate(&x, &y).unwrap();
        let mut values = vec![scores.loss as f32];
        values.extend(metrics(&case).iter().map(|metric| scores[*metric] as f32));
        close(
            &format!("{name}: evaluation"),
            &values,
            &floats(&case["evaluation"]),
        );
    }
}

/// A step of plain gradient descent of length 1 moves each weight by its gradient.
#[test]
fn gradients_are_those_of_keras() {
    for case in fixtures() {
        let mut network = network(&case);
        network
            .compile(SGD::new().learning_rate(1.0), loss(&case), Metrics::none())
            .unwrap();
        let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
        let before = network.get_weights();
        network
            .fit(&x, &y, Fit::epochs(1).batch_size(x.shape()[0]).verbose(0))
            .unwrap();
        let moved: Vec<Tensor> = before
            .iter()
            .zip(network.get_weights())
            .map(|(a, b)| a - b)
            .collect();
        let expected = tensors(&case["gradients"]);
        let name = text(&case, "name");
        assert_eq!(moved.len(), expected.len(), "{name}");
        for (i, (actual, expected)) in moved.iter().zip(&expected).enumerate() {
            // The difference of two weights below 2 is exact to 1.2e-7 only.
            let slack = 1.2e-7 + TOLERANCE as f32 * expected.abs().max().item() as f32;
            let worst = (actual - expected).abs().max().item() as f32;
            assert!(
                worst <= slack,
                "{name}: gradient {i} is off by {worst}, allowed are {slack}"
            );
        }
    }
}

#[test]
fn five_training_steps_are_those_of_keras() {
    for case in fixtures() {
        let name = text(&case, "name");
        let mut network = network(&case);
        compile(&mut network, &case);
        let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
        for (step, expected) in case["steps"].as_array().unwrap().iter().enumerate() {
            let range = step * BATCH..(step + 1) * BATCH;
            let settings = Fit::epochs(1).batch_size(BATCH).shuffle(false).verbose(0);
            let (x, y) = (x.slice(range.clone()), y.slice(range));
            let history = network.fit(&x, &y, settings).unwrap();
            let what = format!("{name}: step {}", step + 1);
            let loss = [history.get("loss")[0] as f32];
            close(
                &format!("{what}, loss"),
                &loss,
                &[expected["loss"].as_f64().unwrap() as f32],
            );
            let measured: Vec<f32> = metrics(&case)
                .iter()
                .map(|m| history.get(m)[0] as f32)
                .collect();
            close(
                &format!("{what}, metrics"),
                &measured,
                &floats(&expected["metrics"]),
            );
            all_close(
                &format!("{what}, weight"),
                &network.get_weights(),
                &tensors(&expected["weights"]),
            );
        }
    }
}
