//! Training in mixed precision beside Keras's policy `mixed_bfloat16`; the fixture is made by
//! `tests/parity/mixed_precision.py`.

use serde_json::Value;

use crate::fixtures::{fixture, list, numbers, tensor};
use crate::prelude::*;

/// Keras rounds what layers return as well, so that each number on the way may differ by half a unit of bfloat16's last
/// place, 2⁻⁹ of it.
const TOLERANCE: f64 = 1.0 / 256.0;

fn tensors(json: &Value) -> Vec<Tensor> {
    list(json).iter().map(tensor).collect()
}

fn dense() -> Sequential {
    Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([6]))
        .add(Dense::new(16).activation("tanh"))
}

fn convnet() -> Sequential {
    let first = Conv2D::new(6, (3, 3)).activation("relu");
    Sequential::new()
        .add(first.input_shape([8, 8, 1]))
        .add(MaxPooling2D::new((2, 2)))
        .add(BatchNormalization::new())
        .add(Flatten::new())
        .add(Dense::new(8).activation("relu"))
}

fn lstm() -> Sequential {
    Sequential::new().add(LSTM::new(8).input_shape([5, 4]))
}

/// The losses of steps on the whole data, and the weights they come to.
fn trained(case: &Value, network: Sequential, rate: f64, mixed: bool) -> (Vec<f64>, Vec<Tensor>) {
    let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
    let mut network = network.add(Dense::new(3).activation("softmax"));
    network.set_weights(&tensors(&case["weights"])).unwrap();
    let optimizer = SGD::new().learning_rate(rate);
    network
        .compile(optimizer, "categorical_crossentropy", Metrics::none())
        .unwrap();
    let steps = numbers(&case["float32"]["losses"]).len();
    let settings = Fit::epochs(steps).batch_size(24).shuffle(false).verbose(0);
    let history = network
        .fit(&x, &y, settings.mixed_precision(mixed))
        .unwrap();
    (history.get("loss").to_vec(), network.get_weights())
}

/// The largest difference, relative to the number itself for losses, to the tensor's largest for weights.
fn apart(ours: &(Vec<f64>, Vec<Tensor>), keras: &Value) -> [f64; 2] {
    let losses = numbers(&keras["losses"]);
    assert_eq!(ours.0.len(), losses.len());
    let of_losses = ours.0.iter().zip(&losses).map(|(a, e)| (a - e).abs() / e);
    let expected = tensors(&keras["weights"]);
    let of_weights = ours.1.iter().zip(&expected).map(|(a, e)| {
        let largest = e.abs().max().item();
        (a - e).abs().max().item() / largest
    });
    [
        of_losses.fold(0.0, f64::max),
        of_weights.fold(0.0, f64::max),
    ]
}

#[test]
fn training_is_that_of_keras_as_far_as_bfloat16_goes() {
    let fixture = fixture("mixed_precision.json");
    type Network = fn() -> Sequential;
    let networks: [(&str, Network, f64); 3] = [
        ("dense", dense, 0.5),
        ("convnet", convnet, 0.02),
        ("lstm", lstm, 0.5),
    ];
    for (name, network, rate) in networks {
        let case = &fixture[name];
        let single = apart(&trained(case, network(), rate, false), &case["float32"]);
        assert!(single.iter().all(|&off| off < 1e-5), "{name}: {single:?}");
        let mixed = trained(case, network(), rate, true);
        let off = apart(&mixed, &case["mixed_bfloat16"]);
        let band = match name {
            // Of two pixels that rounding makes equal, pooling sends a gradient to another one. So there it is asked to
            // be nearer than Keras's single precision is.
            "convnet" => {
                let keras = &case["float32"];
                let keras = (numbers(&keras["losses"]), tensors(&keras["weights"]));
                apart(&keras, &case["mixed_bfloat16"])
            }
            _ => [TOLERANCE; 2],
        };
        let within = off.iter().zip(&band).all(|(off, band)| off < band);
        assert!(within, "{name}: {off:?}, not within {band:?}");
        // It is not single precision under another name.
        let usual = apart(&mixed, &case["float32"]);
        assert!(usual.iter().all(|&off| off > 1e-4), "{name}: {usual:?}");
    }
}

/// Weights, and what is computed outside of training, are of single precision.
#[test]
fn weights_stay_single_and_validation_is_what_evaluate_says() {
    let (x, y) = (
        Tensor::uniform([32, 6], -1.0, 1.0),
        Tensor::uniform([32, 1], -1.0, 1.0),
    );
    let mut network = Sequential::new()
        .add(Dense::new(8).activation("relu").input_shape([6]))
        .add(Dense::new(1));
    network.compile("rmsprop", "mse", ["mae"]).unwrap();
    let settings = Fit::epochs(2).validation_data(&x, &y).verbose(0);
    let history = network.fit(&x, &y, settings.mixed_precision(true)).unwrap();
    let scores = network.evaluate(&x, &y).unwrap();
    assert_eq!(history.get("val_loss").last(), Some(&scores.loss));
    for weight in network.get_weights() {
        assert_eq!(weight.dtype(), DType::F32);
        let halves = weight
            .to_vec()
            .iter()
            .filter(|w| w.to_bits() & 0xFFFF != 0)
            .count();
        assert!(halves > 0, "more digits than bfloat16 has");
    }
}

/// A network of every kind of layer with products learns as it does in single precision.
#[test]
fn convolutions_and_sequences_are_trained() {
    set_seed(11);
    let x = Tensor::uniform([64, 8, 8, 1], -1.0, 1.0);
    let y = x
        .reshape([64, 64])
        .slice((.., 0..1))
        .greater(0.0)
        .cast(DType::F32);
    let losses = [false, true].map(|mixed| {
        set_seed(12);
        let mut network = Sequential::new()
            .add(
                Conv2D::new(8, (3, 3))
                    .activation("relu")
                    .input_shape([8, 8, 1]),
            )
            .add(SeparableConv2D::new(8, (3, 3)).activation("relu"))
            .add(Reshape::new([4, 32]))
            .add(LSTM::new(8))
            .add(Dense::new(1).activation("sigmoid"));
        network
            .compile(
                Adam::new().learning_rate(0.01),
                "binary_crossentropy",
                ["accuracy"],
            )
            .unwrap();
        let settings = Fit::epochs(15).batch_size(16).verbose(0);
        let history = network
            .fit(&x, &y, settings.mixed_precision(mixed))
            .unwrap();
        history.get("loss").to_vec()
    });
    assert_ne!(losses[0], losses[1]);
    for each in &losses {
        assert!(each[14] < 0.7 * each[0], "{each:?}");
    }
}
