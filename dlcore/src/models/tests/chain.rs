//! Steps through a chain of layers against the same steps on the tape.

use super::numbers;
use crate::layers::{
    ActivationLayer, AveragePooling1D, AveragePooling2D, BatchNormalization, Conv1D, Conv2D, Dense,
    Dropout, Embedding, Flatten, GRU, LSTM, MaxPooling1D, MaxPooling2D, SimpleRNN,
};
use crate::models::chain::Chain;
use crate::models::step::Samples;
use crate::models::{Batch, Fit, Sequential};
use crate::{Tensor, random};

/// Trains two networks of one form with the same weights on the same batches; the weights they come to.
fn trained(mut networks: [Sequential; 2], loss: &str, y: &Tensor) -> [Vec<Tensor>; 2] {
    let x = numbers([y.shape()[0], 6], 3);
    for (network, chained) in networks.iter_mut().zip([true, false]) {
        network.build(&[6]).unwrap();
        let metric = match loss.starts_with("sparse") {
            true => "accuracy",
            false => "mae",
        };
        network.compile("rmsprop", loss, [metric]).unwrap();
        assert_eq!(is_chain(network, &x, y), chained, "{loss}");
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

#[test]
fn the_numbers_are_those_of_the_tape_for_numbers_of_classes() {
    let classes = Tensor::from(vec![0_i64, 2, 1, 1]);
    let loss = "sparse_categorical_crossentropy";
    let [chain, tape] = trained(networks(3, "softmax"), loss, &classes);
    assert_eq!(chain, tape);
}

/// Whether the next step of a network on this batch goes through a chain.
fn is_chain(network: &mut Sequential, x: &Tensor, y: &Tensor) -> bool {
    let batch = network.prepare_built(&Batch::new(x, y), "test").unwrap();
    let graph = network.graph("test").unwrap();
    let compiled = network.compiled("test").unwrap();
    Chain::of(&graph, compiled, &network.leaves(), &Samples::Batch(&batch)).is_some()
}

/// Trains the network that `front` begins, and the same with a layer in it that only a tape can go through.
#[track_caller]
fn check(what: &str, x: &Tensor, front: &dyn Fn() -> Sequential) {
    let y = Tensor::from([0, 2, 1, 1, 0, 2, 2]).one_hot(3);
    let last = || Dense::new(3).activation("softmax");
    let chain = front().add(last());
    let tape = front().add(ActivationLayer::new("linear")).add(last());
    let mut networks = [chain, tape];
    for network in &mut networks {
        network.build(&x.shape()[1..]).unwrap();
        network
            .compile("adam", "categorical_crossentropy", ["accuracy"])
            .unwrap();
    }
    let first = networks[0].get_weights();
    networks[1].set_weights(&first).unwrap();
    assert!(is_chain(&mut networks[0], x, &y), "{what}");
    assert!(!is_chain(&mut networks[1], x, &y), "{what}");
    let [chain, tape] = networks.map(|mut network| {
        // The last batch of an epoch is a smaller one.
        let fit = Fit::epochs(3).batch_size(4).verbose(0);
        let history = random::apart(7, || network.fit(x, &y, fit)).unwrap();
        (network.get_weights(), history.get("loss"))
    });
    assert_eq!(chain.1, tape.1, "{what}");
    assert!(chain.0 == tape.0, "{what}");
}

#[test]
fn the_numbers_of_all_layers_are_those_of_the_tape() {
    let images = numbers([7, 9, 8, 2], 3);
    check("convolutions of images", &images, &|| {
        Sequential::new()
            .add(Conv2D::new(5, 3).activation("relu"))
            .add(MaxPooling2D::new(2))
            .add(Conv2D::new(4, 2).padding("same").strides(2).use_bias(false))
            .add(AveragePooling2D::new(2).padding("same").strides(1))
            .add(Flatten::new())
            .add(Dense::new(6).activation("relu"))
    });
    let sequences = numbers([7, 12, 3], 3);
    check("convolutions of sequences", &sequences, &|| {
        Sequential::new()
            .add(Conv1D::new(4, 3).padding("causal").activation("relu"))
            .add(MaxPooling1D::new(3).strides(2))
            .add(Conv1D::new(4, 2))
            .add(AveragePooling1D::new(2))
            .add(Flatten::new())
    });
    check("flattened at first", &sequences, &|| {
        Sequential::new()
            .add(Flatten::new())
            .add(Dropout::new(0.0))
            .add(Dense::new(5).activation("relu"))
    });
    check("normalized and dropped", &sequences, &|| {
        Sequential::new()
            .add(Dropout::new(0.2))
            .add(Dense::new(5))
            .add(BatchNormalization::new())
            .add(BatchNormalization::new().center(false))
            .add(Dropout::new(0.4))
            .add(BatchNormalization::new().scale(false))
            .add(Flatten::new())
            .add(BatchNormalization::new().center(false).scale(false))
    });
    let rows = [
        vec![0, 5],
        vec![],
        vec![3],
        vec![1, 2, 3],
        vec![5],
        vec![0],
        vec![4],
    ];
    let rows = Tensor::from_sparse_rows(6, &rows).unwrap();
    check("sparse rows", &rows, &|| {
        Sequential::new()
            .add(Dense::new(4).activation("relu"))
            .add(BatchNormalization::new())
    });
    let words = Tensor::from((0..7 * 6).map(|i| i * 5 % 11).collect::<Vec<i64>>()).reshape([7, 6]);
    for words in [
        words.clone(),
        words.cast(crate::DType::I32),
        words.cast(crate::DType::F32),
    ] {
        check("embeddings", &words, &|| {
            Sequential::new()
                .add(Embedding::new(11, 4))
                .add(Flatten::new())
        });
    }
    check("recurrent layers", &words, &|| {
        Sequential::new()
            .add(Embedding::new(11, 4))
            .add(LSTM::new(5).return_sequences(true))
            .add(GRU::new(4).return_sequences(true).go_backwards(true))
            .add(GRU::new(4).reset_after(false).return_sequences(true))
            .add(SimpleRNN::new(3).use_bias(false))
    });
}

#[test]
fn a_layer_that_is_frozen_or_data_that_are_wrong_leave_the_chain() {
    let (x, y) = (numbers([4, 6], 3), numbers([4, 1], 5));
    let mut network = Sequential::new()
        .add(Dense::new(4))
        .add(BatchNormalization::new().name("norm"))
        .add(Dense::new(1));
    network.build(&[6]).unwrap();
    network.compile("sgd", "mse", ()).unwrap();
    network.train_on_batch(&x, &y).unwrap();
    let state = |network: &Sequential| network.layer("norm").unwrap().get_weights()[2..].to_vec();
    let before = state(&network);
    network.layer("norm").unwrap().set_trainable(false);
    network.train_on_batch(&x, &y).unwrap();
    assert_eq!(state(&network), before);
    network.layer("norm").unwrap().set_trainable(true);
    network.train_on_batch(&x, &y).unwrap();
    assert_ne!(state(&network), before);

    let mut network = Sequential::new()
        .add(Embedding::new(3, 2).name("words"))
        .add(Flatten::new())
        .add(Dense::new(1));
    network.build(&[2]).unwrap();
    network.compile("sgd", "mse", ()).unwrap();
    let words = Tensor::from([[0, 1], [2, 1], [0, 0], [1, 2]]);
    network.train_on_batch(&words, &y).unwrap();
    let weights = network.get_weights();
    let error = network
        .train_on_batch(&(words + 1), &y)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("words (Embedding): expected integers from 0 to 2, got 3"),
        "{error}"
    );
    assert_eq!(network.get_weights(), weights);
}
