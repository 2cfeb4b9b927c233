//! Training in mixed precision beside Keras's policy `mixed_bfloat16`; the fixture is made by
//! `tests/parity/mixed_precision.py`.

use serde_json::Value;

use crate::fixtures::{list, numbers, tensor};
use crate::prelude::*;

/// Keras rounds what layers return as well, so that each number on the way may differ by half a unit of bfloat16's last
/// place, 2⁻⁹ of it.
const TOLERANCE: f64 = 1.0 / 256.0;

fn fixture() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/mixed_precision.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn tensors(json: &Value) -> Vec<Tensor> {
    list(json).iter().map(tensor).collect()
}

/// The losses of steps on the whole data, and the weights they come to.
fn trained(case: &Value, mixed: bool) -> (Vec<f64>, Vec<Tensor>) {
    let (x, y) = (tensor(&case["x"]), tensor(&case["y"]));
    let mut network = Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([6]))
        .add(Dense::new(16).activation("tanh"))
        .add(Dense::new(3).activation("softmax"));
    network.set_weights(&tensors(&case["weights"])).unwrap();
    let optimizer = SGD::new().learning_rate(0.5);
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
    let case = fixture();
    let single = apart(&trained(&case, false), &case["float32"]);
    assert!(single.iter().all(|&off| off < 1e-5), "{single:?}");
    let mixed = trained(&case, true);
    let off = apart(&mixed, &case["mixed_bfloat16"]);
    assert!(off.iter().all(|&off| off < TOLERANCE), "{off:?}");
    // It is not single precision under another name.
    let usual = apart(&mixed, &case["float32"]);
    assert!(usual.iter().all(|&off| off > 1e-4), "{usual:?}");
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
