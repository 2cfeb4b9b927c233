//! Training with a scaled loss beside Keras's `LossScaleOptimizer`; the fixture is made by `tests/parity/loss_scale.py`.

use serde_json::Value;

use crate::fixtures::{close, fixture, list, numbers, tensor};
use crate::prelude::*;

/// From a scale by which gradients overflow, which they do again each time that it has grown.
#[test]
fn training_is_that_of_keras_through_every_overflow() {
    let fixture = &fixture("loss_scale.json")["fit"];
    let part = |key: &str| list(&fixture[key]).iter().map(tensor).collect::<Vec<_>>();
    let (x, y) = (tensor(&fixture["x"]), tensor(&fixture["y"]));
    let mut network = Sequential::new()
        .add(Dense::new(4).activation("tanh").input_shape([3]))
        .add(Dense::new(1));
    network.set_weights(&part("start")).unwrap();
    let optimizer = LossScaleOptimizer::new(SGD::new().learning_rate(0.01).momentum(0.5))
        .initial_scale(2.0_f64.powi(127))
        .dynamic_growth_steps(3);
    network.compile(optimizer, "mse", Metrics::none()).unwrap();
    goes_on_as_keras(&mut network, &x, &y, fixture);
}

/// Losses and scales of so many steps as are recorded, and the weights they come to.
fn goes_on_as_keras(network: &mut Sequential, x: &Tensor, y: &Tensor, recorded: &Value) {
    let scales = numbers(&recorded["scales"]);
    let (mut losses, mut here) = (Vec::new(), Vec::new());
    for _ in &scales {
        let once = Fit::epochs(1).batch_size(8).shuffle(false).verbose(0);
        losses.extend(network.fit(x, y, once).unwrap().get("loss"));
        here.push(scale(network));
    }
    assert_eq!(here, scales);
    close("losses", &losses, &numbers(&recorded["losses"]));
    let expected = list(&recorded["weights"]).iter().map(tensor);
    for (weight, expected) in network.get_weights().iter().zip(expected) {
        close("weights", &weight.to_vec_of(), &expected.to_vec_of());
    }
}

fn scale(network: &Sequential) -> f64 {
    network.compiled.as_ref().unwrap().optimizer.loss_scale()
}

/// Steps since the scale changed, and what the inner optimizer keeps, are read as well: the next change comes when Keras
/// makes it.
#[test]
fn a_model_that_keras_saved_goes_on() {
    let fixture = &fixture("loss_scale.json")["fit"];
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/loss_scale.keras"
    );
    let mut network = Sequential::load(path).unwrap();
    assert_eq!(Some(&scale(&network)), numbers(&fixture["scales"]).last());
    let (x, y) = (tensor(&fixture["x"]), tensor(&fixture["y"]));
    goes_on_as_keras(&mut network, &x, &y, &fixture["more"]);
}

/// A model that is saved between two steps goes on with the scale that it had.
#[test]
fn the_scale_is_saved_with_the_model() {
    let (x, y) = (
        Tensor::uniform([16, 3], -1.0, 1.0),
        Tensor::uniform([16, 1], -1.0, 1.0),
    );
    let mut network = Sequential::new().add(Dense::new(1).input_shape([3]));
    let optimizer = LossScaleOptimizer::new(Adam::new()).dynamic_growth_steps(3);
    network.compile(optimizer, "mse", Metrics::none()).unwrap();
    let settings = || Fit::epochs(2).batch_size(8).shuffle(false).verbose(0);
    network.fit(&x, &y, settings()).unwrap();
    let folder = std::env::temp_dir().join(format!("dlcore-loss-scale-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["model", "model.keras"] {
        let path = folder.join(name);
        network.save(&path).unwrap();
        let mut again = Sequential::load(&path).unwrap();
        let mut network = network.clone();
        assert_eq!((scale(&network), scale(&again)), (65536.0, 65536.0));
        for network in [&mut network, &mut again] {
            network.fit(&x, &y, settings()).unwrap();
        }
        assert_eq!((scale(&network), scale(&again)), (131_072.0, 131_072.0));
        assert_eq!(network.get_weights(), again.get_weights());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Moving statistics come from the forward pass, which has been made by then.
#[test]
fn a_step_that_is_left_out_moves_statistics_alone() {
    let x = Tensor::uniform([16, 3], -1.0, 1.0);
    let y = Tensor::uniform([16, 1], 500.0, 1000.0);
    let network = || {
        Sequential::new()
            .add(BatchNormalization::new().input_shape([3]))
            .add(Dense::new(1))
    };
    let (mut skipping, mut plain) = (network(), network());
    let before = skipping.get_weights();
    plain.set_weights(&before).unwrap();
    let optimizer = LossScaleOptimizer::new(SGD::new()).initial_scale(2.0_f64.powi(127));
    skipping.compile(optimizer, "mse", Metrics::none()).unwrap();
    plain.compile(SGD::new(), "mse", Metrics::none()).unwrap();
    for network in [&mut skipping, &mut plain] {
        let once = Fit::epochs(1).batch_size(16).shuffle(false).verbose(0);
        network.fit(&x, &y, once).unwrap();
    }
    assert_eq!(scale(&skipping), 2.0_f64.powi(126));
    let (skipping, plain) = (skipping.get_weights(), plain.get_weights());
    // Gamma, beta, the moving mean and variance; the kernel and the bias.
    for index in [0, 1, 4, 5] {
        assert_eq!(skipping[index], before[index], "weight {index}");
    }
    for index in [2, 3] {
        assert_ne!(skipping[index], before[index], "weight {index}");
        assert_eq!(skipping[index], plain[index], "weight {index}");
    }
}
