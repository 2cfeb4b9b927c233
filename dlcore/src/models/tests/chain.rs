//! Steps through a chain of dense layers against the same steps on the tape.

use super::numbers;
use crate::Tensor;
use crate::layers::{ActivationLayer, Dense};
use crate::models::chain::Chain;
use crate::models::step::Samples;
use crate::models::{Batch, Sequential};

/// Trains two networks of one form with the same weights on the same batches; the weights they come to.
fn trained(mut networks: [Sequential; 2], loss: &str, y: &Tensor) -> [Vec<Tensor>; 2] {
    let x = numbers([y.shape()[0], 6], 3);
    for (network, is_chain) in networks.iter_mut().zip([true, false]) {
        network.build(&[6]).unwrap();
        network.compile("rmsprop", loss, ["mae"]).unwrap();
        let batch = network.prepare_built(&Batch::new(&x, y), "test").unwrap();
        let graph = network.graph("test").unwrap();
        let compiled = network.compiled("test").unwrap();
        let chain = Chain::of(&graph, compiled, &network.leaves(), &Samples::Batch(&batch));
        assert_eq!(chain.is_some(), is_chain, "{loss}");
    }
    networks[1].set_weights(&networks[0].get_weights()).unwrap();
    for _ in 0..5 {
        let losses: Vec<f64> = networks
            .iter_mut()
            .map(|network| network.train_on_batch(&x, y).unwrap().loss)
            .collect();
        assert_eq!(losses[0], losses[1], "{loss}");
    }
    networks.map(|network| network.get_weights())
}

/// Layers with their activations, and the same with the activations as layers, which are no chain.
fn networks(units: usize, activation: &str) -> [Sequential; 2] {
    let together = Sequential::new()
        .add(Dense::new(8).activation("relu"))
        .add(Dense::new(5).use_bias(false).activation("relu"))
        .add(Dense::new(units).activation(activation));
    let apart = Sequential::new()
        .add(Dense::new(8))
        .add(ActivationLayer::new("relu"))
        .add(Dense::new(5).use_bias(false))
        .add(ActivationLayer::new("relu"))
        .add(Dense::new(units))
        .add(ActivationLayer::new(activation));
    [together, apart]
}

#[test]
fn the_numbers_are_those_of_the_tape() {
    let numbers = numbers([4, 1], 5);
    let classes = Tensor::from([0, 2, 1, 1]).one_hot(3);
    let binary = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    for (units, activation, loss, y) in [
        (1, "linear", "mse", &numbers),
        (1, "relu", "mae", &numbers),
        (3, "softmax", "categorical_crossentropy", &classes),
        (1, "sigmoid", "binary_crossentropy", &binary),
    ] {
        let [chain, tape] = trained(networks(units, activation), loss, y);
        assert_eq!(chain, tape, "{loss}");
    }
}
