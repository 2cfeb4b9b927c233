//! The same numbers as Keras 3: `tests/parity/models.py` says what is compared.

use serde_json::Value;

use super::layers::Plus;
use crate::Tensor;
use crate::callbacks::{LearningRateScheduler, ReduceLROnPlateau};
use crate::layers::{Dense, Embedding, LSTM, Lambda};
use crate::models::*;
use crate::optimizers::RMSprop;
use crate::regularizers::Regularizer;

const TOLERANCE: f64 = 1e-5;

fn tensor(json: &Value) -> Tensor {
    let numbers = |key: &str| {
        let all = json[key].as_array().unwrap().iter();
        all.map(|v| v.as_f64().unwrap())
    };
    let shape: Vec<usize> = numbers("shape").map(|v| v as usize).collect();
    Tensor::from_shape_vec(shape, numbers("values").map(|v| v as f32).collect()).unwrap()
}

fn tensors(json: &Value) -> Vec<Tensor> {
    json.as_array().unwrap().iter().map(tensor).collect()
}

fn two_by_two() -> Model {
    let (left, right) = (Input::named("left", [3]), Input::named("right", [2]));
    let tanh = |name: &str| Dense::new(4).activation("tanh").name(name);
    let shared = LayerRef::new(tanh("shared"));
    let a = shared.on(&tanh("a").on(&left));
    let b = shared.on(&tanh("b").on(&right));
    let sum = Plus("sum").on([&a, &b]);
    let number = Dense::new(1).name("number").on(&sum);
    let class = Dense::new(3)
        .activation("softmax")
        .kernel_regularizer(Regularizer::l2(0.01))
        .name("class");
    Model::new([&left, &right], [&number, &class.on(&sum)]).unwrap()
}

/// The autoencoder whose code's divergence from a normal distribution is added to the loss.
fn autoencoder() -> Model {
    let data = Input::new([6]);
    let hidden = Dense::new(4).activation("tanh").name("hidden").on(&data);
    let mean = Dense::new(2).name("mean").on(&hidden);
    let log_var = Dense::new(2).name("log_var").on(&hidden);
    let code = Lambda::of_many(|z| &z[0] + (&z[1] * 0.5).exp() * 0.3).on([&mean, &log_var]);
    let decoded = Dense::new(6).activation("sigmoid").name("decoded");
    let mut model = Model::new(&data, &decoded.on(&code)).unwrap();
    let divergence = Lambda::of_many(|z| {
        let terms = &z[1] + 1.0 - z[0].square() - z[1].exp();
        terms.mean_axis(-1) * -0.05
    });
    model.add_loss(&divergence.on([&mean, &log_var])).unwrap();
    model
}

fn masked(units: usize, activation: &str) -> Model {
    let words = Input::new([5]);
    let embedded = Embedding::new(7, 3).mask_zero(true).on(&words);
    let steps = LSTM::new(4).return_sequences(true).on(&embedded);
    let output = Dense::new(units).activation(activation).on(&steps);
    Model::new(&words, &output).unwrap()
}

fn binary() -> Model {
    let input = Input::new([3]);
    let hidden = Dense::new(4).activation("tanh").on(&input);
    let output = Dense::new(1).activation("sigmoid").on(&hidden);
    Model::new(&input, &output).unwrap()
}

/// The model of a case, compiled as there.
fn compiled(case: &str) -> Model {
    let metrics = OutputMetrics::from;
    let (mut model, loss, metrics) = match case {
        "two inputs, two outputs" | "two inputs, two outputs, sample weights" => (
            two_by_two(),
            Losses::each(["mse", "categorical_crossentropy"]).weights([0.25, 2.0]),
            OutputMetrics::named([("class", "accuracy")]),
        ),
        "class weights"
        | "sample weights"
        | "a scheduled learning rate"
        | "a learning rate that falls on a plateau" => {
            (binary(), "binary_crossentropy".into(), metrics("accuracy"))
        }
        "sample weights in metrics" => (
            binary(),
            "binary_crossentropy".into(),
            OutputMetrics::from(["accuracy", "mae"]).weighted("accuracy"),
        ),
        "a loss that a layer adds" => (autoencoder(), "binary_crossentropy".into(), metrics("mae")),
        "nothing but a loss that a layer adds" => {
            (autoencoder(), Losses::none(), OutputMetrics::from(()))
        }
        "masked timesteps" => (masked(1, "linear"), "mse".into(), metrics("mae")),
        "masked timesteps, weighted" => (
            masked(1, "linear"),
            "mse".into(),
            metrics("mae").weighted("mae"),
        ),
        "masked classes" => (
            masked(3, "softmax"),
            "sparse_categorical_crossentropy".into(),
            metrics("accuracy"),
        ),
        other => panic!("no model is built for the case {other:?}"),
    };
    let optimizer = RMSprop::new().learning_rate(0.01);
    model.compile(optimizer, loss, metrics).unwrap();
    model
}

#[track_caller]
fn same(what: &str, actual: &[Tensor], expected: &[Tensor]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(actual.shape(), expected.shape(), "{what} {index}");
        let worst = (actual - expected).abs().max().item();
        assert!(worst < TOLERANCE, "{what} {index} is off by {worst}");
    }
}

fn check(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let (x, y) = (tensors(&case["x"]), tensors(&case["y"]));
    let mut model = compiled(name);
    model.set_weights(&tensors(&case["before"])).unwrap();
    let mut settings = Fit::epochs(3).batch_size(4).shuffle(false).verbose(0);
    let mut evaluation = Evaluate::new().batch_size(4);
    if let Value::Array(_) = case["sample_weight"] {
        let weights = tensors(&case["sample_weight"]);
        settings = settings.sample_weight(&weights);
        evaluation = evaluation.sample_weight(&weights);
    }
    if let Value::Array(classes) = &case["class_weight"] {
        let pair = |pair: &Value| (pair[0].as_i64().unwrap(), pair[1].as_f64().unwrap());
        settings = settings.class_weight(classes.iter().map(pair).collect::<Vec<_>>());
    }
    settings = match name {
        "a scheduled learning rate" => {
            settings.callback(LearningRateScheduler::new(|_, rate| rate * 0.5))
        }
        "a learning rate that falls on a plateau" => {
            let plateau = ReduceLROnPlateau::new("loss").factor(0.5).patience(1);
            settings.callback(plateau.min_delta(10.0))
        }
        _ => settings,
    };
    let history = model.fit(&x, &y, settings).unwrap();
    same(
        &format!("{name}: weights"),
        &model.get_weights(),
        &tensors(&case["after"]),
    );
    same(
        &format!("{name}: outputs"),
        &model.predict_all(&x).unwrap(),
        &tensors(&case["outputs"]),
    );
    let close = |what: &str, actual: f64, expected: &Value| {
        let expected = expected.as_f64().unwrap();
        let difference = (actual - expected).abs();
        assert!(
            difference < TOLERANCE * expected.abs().max(1.0),
            "{name}: {what}: {actual}, Keras has {expected}"
        );
    };
    let recorded = case["history"].as_object().unwrap();
    assert!(recorded.len() <= history.metrics().len(), "{name}");
    for (metric, values) in recorded {
        for (actual, expected) in history.get(metric).iter().zip(values.as_array().unwrap()) {
            close(metric, *actual, expected);
        }
    }
    // In batches of 4, then in as many as there are without a word.
    let usual = match &case["sample_weight"] {
        Value::Null => model.evaluate(&x, &y),
        weights => {
            let settings = Evaluate::new().sample_weight(tensors(weights));
            model.evaluate_with(&x, &y, settings)
        }
    };
    let small = model.evaluate_with(&x, &y, evaluation);
    for (scores, expected) in [(small, "scores"), (usual, "usual_scores")] {
        let scores = scores.unwrap();
        for (metric, value) in case[expected].as_object().unwrap() {
            close(
                &format!("{expected}, {metric}"),
                scores.metric(metric),
                value,
            );
        }
        let recorded = case[expected].as_object().unwrap().len();
        assert_eq!(scores.metrics().len() + 1, recorded, "{name}");
    }
}

#[test]
fn functional_models_train_as_in_keras() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/models.json"
    );
    let fixtures: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = fixtures["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    cases.iter().for_each(check);
    let names: Vec<String> = two_by_two().layers().iter().map(LayerRef::name).collect();
    assert_eq!(
        Value::from(names),
        cases[0]["layers"],
        "the order of layers and weights"
    );
}
