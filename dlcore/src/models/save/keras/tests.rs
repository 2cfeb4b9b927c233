//! Models that Keras wrote (`tests/parity/keras_files.py`, `keras2_files.py`), and ours as Keras is to read
//! them (`tests/parity/check_written.py`).

use std::io::Cursor;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::Tensor;
use crate::files::scratch::Folder;
use crate::layers::{Conv2D, Dense, Flatten, KINDS, Lambda, Reshape, from_config};
use crate::models::{Evaluate, Fit, Input, LayerRef, LoadWeights, Sequential, Symbol};

/// Models that Keras 3 could not read, and why.
const NOT_IN_KERAS: [(&str, &str); 2] = [
    (
        "keras2_recurrent",
        "Keras 3 has no function \"hard_sigmoid_2017\"",
    ),
    ("nested", "in_two (Dense) stands in two models"),
];

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures"
    ))
}

fn file(name: &str) -> PathBuf {
    fixtures().join("keras_files").join(name)
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

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

/// What Keras wrote, and what it computed.
struct Case {
    name: String,
    files: Vec<String>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    targets: Vec<Tensor>,
    losses: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let of = |json: &Value| Case {
        name: json["name"].as_str().unwrap().to_string(),
        files: (json["files"].as_array().unwrap().iter())
            .map(|name| name.as_str().unwrap().to_string())
            .collect(),
        inputs: tensors(&json["inputs"]),
        outputs: tensors(&json["outputs"]),
        targets: tensors(&json["targets"]),
        losses: (json["losses"].as_array().unwrap().iter())
            .map(|loss| loss.as_f64().unwrap())
            .collect(),
    };
    let files = ["keras3.json", "keras2.json"].map(|name| json(file(name)));
    let cases = files
        .iter()
        .flat_map(|json| json["cases"].as_array().unwrap());
    cases.map(of).collect()
}

impl Case {
    /// Those that are whole models, and those that are weights alone.
    fn divided(&self) -> (Vec<&String>, Vec<&String>) {
        self.files
            .iter()
            .partition(|name| !name.contains(".weights"))
    }

    fn check(&self, what: &str, model: &Model) {
        let actual = model.forward_all(self.inputs.clone(), false);
        close(&format!("{}: {what}", self.name), &actual, &self.outputs);
    }
}

fn close(what: &str, actual: &[Tensor], expected: &[Tensor]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (actual, expected) in actual.iter().zip(expected) {
        assert_eq!(actual.shape(), expected.shape(), "{what}");
        let off = (actual - expected).abs().max().item();
        let scale = expected.abs().max().item().max(1.0);
        assert!(off <= 1e-5 * scale, "{what} is off by {off}, of {scale}");
    }
}

/// A model written and read again, and what was written.
fn again(model: &Model) -> (Model, Vec<(&'static str, Vec<u8>)>) {
    let members = members(model).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    super::super::file::write_members(&mut bytes, &members).unwrap();
    let size = bytes.get_ref().len() as u64;
    let (again, note) = read_archive(bytes, size).unwrap();
    assert_eq!((note.as_deref(), again.not_compiled()), (None, None));
    assert_eq!(again.compiled.is_some(), model.compiled.is_some());
    (again, members)
}

#[test]
fn models_of_keras_predict_what_they_predict_there() {
    for case in cases() {
        let (whole, weights) = case.divided();
        assert!(!whole.is_empty());
        for name in whole {
            let model = Model::load(file(name)).unwrap_or_else(|error| panic!("{error}"));
            case.check(name, &model);
            for name in &weights {
                let zeros: Vec<Tensor> =
                    model.get_weights().iter().map(Tensor::zeros_like).collect();
                model.set_weights(&zeros).unwrap();
                model
                    .load_weights(file(name))
                    .unwrap_or_else(|error| panic!("{error}"));
                case.check(name, &model);
            }
        }
    }
}

#[test]
fn training_goes_on_where_keras_was() {
    for case in cases().into_iter().filter(|case| !case.losses.is_empty()) {
        for name in case.divided().0 {
            // This one was saved without its optimizer.
            if name == "two_inputs.h5" {
                continue;
            }
            let mut model = Model::load(file(name)).unwrap();
            assert_eq!(model.not_compiled(), None, "{name}");
            let fit = Fit::epochs(case.losses.len())
                .batch_size(3)
                .shuffle(false)
                .verbose(0);
            let history = model
                .fit(case.inputs.clone(), case.targets.clone(), fit)
                .unwrap();
            for (actual, expected) in history.get("loss").iter().zip(&case.losses) {
                assert!(
                    (actual - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                    "{name}: {:?}, Keras has {:?}",
                    history.get("loss"),
                    case.losses
                );
            }
        }
    }
}

#[test]
fn what_was_read_is_written_and_read_again() {
    for case in cases() {
        for name in case.divided().0 {
            let model = Model::load(file(name)).unwrap();
            if let Some((_, words)) = NOT_IN_KERAS.iter().find(|(c, _)| *c == case.name) {
                let error = members(&model).unwrap_err();
                assert!(error.contains(words), "{error}");
                continue;
            }
            let (same, written) = again(&model);
            case.check(&format!("{name}, again"), &same);
            assert_eq!(same.get_weights(), model.get_weights(), "{name}");
            assert_eq!(same.summary().to_string(), model.summary().to_string());
            let (_, twice) = again(&same);
            assert_eq!(written, twice, "{name}");
        }
    }
}

#[test]
fn what_keras_has_no_words_for_is_refused_and_not_left_out() {
    use crate::prelude::*;
    let input = Input::new([3]);
    let hidden = Dense::new(2).on(&input);
    let mut added = Model::new(&input, &Dense::new(1).on(&hidden)).unwrap();
    added.add_loss(&hidden).unwrap();
    let within = Sequential::new().add(&added);
    for model in [&added, &*within] {
        let error = members(model).unwrap_err();
        assert!(
            error.contains("add_loss") && error.contains(".keras"),
            "{error}"
        );
    }
}

#[test]
fn metrics_that_count_samples_by_their_weights_are_those_of_keras() {
    let recorded = json(file("weighted.json"));
    let data = ["x", "y", "sample_weight"].map(|name| tensor(&recorded[name]));
    for name in ["weighted.keras", "weighted.h5"] {
        let model = Model::load(file(name)).unwrap();
        assert_eq!(model.not_compiled(), None, "{name}");
        for model in [&model, &again(&model).0] {
            let found = evaluated(model, &data);
            let expected = recorded["metrics"].as_object().unwrap();
            assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
            for (metric, value) in found {
                let expected = expected[&metric].as_f64().unwrap();
                assert!(
                    (value - expected).abs() <= 1e-5,
                    "{name}: {metric}: {value}"
                );
            }
        }
    }
}

/// Loss and metrics of inputs, labels and the samples' weights.
fn evaluated(model: &Model, [x, y, weights]: &[Tensor; 3]) -> Vec<(String, f64)> {
    let how = Evaluate::new().sample_weight(weights);
    let found = model.evaluate_with(x, y, how).unwrap();
    let metrics = found.metrics().iter().cloned();
    std::iter::once(("loss".to_string(), found.loss))
        .chain(metrics)
        .collect()
}

#[test]
fn constraints_and_penalties_on_outputs_are_read_and_written() {
    use crate::prelude::*;
    let read = Model::load(file("constraint.keras")).unwrap();
    let own = Sequential::new().add(
        Dense::new(2)
            .kernel_constraint(Constraint::min_max_norm(0.5, 1.5).rate(0.75).axis(1))
            .bias_constraint("non_neg")
            .activity_regularizer(Regularizer::l1(0.25))
            .input_shape([3]),
    );
    for model in [&read, &*own] {
        // Where the shape of samples stands, in the layer or beside it, is no setting of its own.
        let config = |model: &Model| {
            let mut config = model.leaves()[0].leaf().unwrap().config().unwrap();
            config.as_object_mut().unwrap().remove("input_shape");
            config
        };
        let (same, _) = again(model);
        assert_eq!(config(model), config(&same));
        assert!(config(model)["kernel_constraint"].is_object());
    }
    let stepped = Sequential::new().add(
        Dense::new(2)
            .activation(Activation::threshold(0.5, 0.0))
            .input_shape([3]),
    );
    let error = members(&stepped).unwrap_err();
    assert!(
        error.contains("no place for the settings of threshold"),
        "{error}"
    );
}

#[test]
fn what_is_not_known_is_refused_by_the_layers_name() {
    for (name, expected) in [
        (
            "refused_kind.keras",
            "unit (UnitNormalization): is a layer of kind \"UnitNormalization\"",
        ),
        ("refused_mask.keras", "(GetItem)"),
    ] {
        let error = Model::load(file(name)).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
    let weights = Model::load(file("convolutional.weights.h5")).err().unwrap();
    assert!(
        weights.to_string().contains("holds weights alone"),
        "{weights}"
    );
}

#[test]
fn the_name_of_a_file_decides_what_is_written() {
    let folder = Folder::new();
    let model = Sequential::new().add(Dense::new(2).input_shape([3]));
    model.save(folder.file("a.keras")).unwrap();
    model.save(folder.file("a.dl")).unwrap();
    model.save_weights(folder.file("a.weights.h5")).unwrap();
    model.save_weights(folder.file("a.safetensors")).unwrap();
    assert_eq!(folder.count(), 4);
    for name in ["a.keras", "a.dl"] {
        let loaded = Sequential::load(folder.file(name)).unwrap();
        assert_eq!(loaded.get_weights(), model.get_weights());
    }
    // What it holds decides how it is read.
    std::fs::rename(folder.file("a.keras"), folder.file("b.model")).unwrap();
    let other = Sequential::new().add(Dense::new(2).input_shape([3]));
    for name in ["a.weights.h5", "a.safetensors", "b.model", "a.dl"] {
        let zeros: Vec<Tensor> = other.get_weights().iter().map(Tensor::zeros_like).collect();
        other.set_weights(&zeros).unwrap();
        other.load_weights(folder.file(name)).unwrap();
        assert_eq!(other.get_weights(), model.get_weights(), "{name}");
    }
    let error = model.save(folder.file("a.h5")).unwrap_err().to_string();
    assert!(error.contains("written for Keras as .keras"), "{error}");
    std::fs::write(folder.file("c.keras"), b"no zip file").unwrap();
    let error = Model::load(folder.file("c.keras"))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("c.keras: expected a model as Keras 3 saves it"),
        "{error}"
    );
    std::fs::write(folder.file("c.h5"), b"no HDF5 file").unwrap();
    let error = Model::load(folder.file("c.h5")).err().unwrap().to_string();
    assert!(error.contains("c.h5: is no HDF5 file"), "{error}");
}

#[test]
fn some_layers_take_their_weights_from_keras_files() {
    let by_name = |skip| LoadWeights::by_name().skip_mismatch(skip);
    let in_order = |skip| LoadWeights::in_order().skip_mismatch(skip);
    for name in [
        "convolutional.keras",
        "convolutional.weights.h5",
        "convolutional.h5",
    ] {
        let path = file(name);
        let source = Model::load(file("convolutional.keras")).unwrap();
        let conv = source.layer("conv2d").unwrap().get_weights();
        let kernel = conv[0].shape().to_vec();
        let model = Sequential::new()
            .add(Flatten::new().input_shape([2, 2]))
            .add(Dense::new(7).name("dense"))
            .add(Reshape::new([7, 1, 1]))
            .add(
                Conv2D::new(kernel[3], (kernel[0], kernel[1]))
                    .padding("same")
                    .name("conv2d"),
            );
        let before = model.get_weights();
        let error = model.load_weights_with(&path, by_name(false));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("dense (Dense)"), "{name}: {error}");
        assert_eq!(model.get_weights(), before);
        let loaded = model.load_weights_with(&path, by_name(true)).unwrap();
        assert_eq!(loaded, ["conv2d"], "{name}");
        assert_eq!(model.layer("conv2d").unwrap().get_weights(), conv, "{name}");
        assert_eq!(model.get_weights()[..2], before[..2]);
        // All of them, in order.
        let same = Model::load(file("convolutional.keras")).unwrap();
        let zeros: Vec<Tensor> = same.get_weights().iter().map(Tensor::zeros_like).collect();
        same.set_weights(&zeros).unwrap();
        same.load_weights_with(&path, in_order(false)).unwrap();
        assert_eq!(same.get_weights(), source.get_weights(), "{name}");
    }
    // Models within models, by the names of their own layers.
    let source = Model::load(file("nested.keras")).unwrap();
    let shape = source.layer("dense_4").unwrap().get_weights()[0]
        .shape()
        .to_vec();
    for name in ["nested.keras", "nested.weights.h5"] {
        let model =
            Sequential::new().add(Dense::new(shape[1]).name("dense_4").input_shape([shape[0]]));
        let loaded = model.load_weights_with(file(name), by_name(false)).unwrap();
        assert_eq!(loaded, ["dense_4"]);
        let expected = source.layer("dense_4").unwrap().get_weights();
        assert_eq!(model.get_weights(), expected, "{name}");
    }
    // Ours has no names.
    let folder = Folder::new();
    let path = folder.file("a.weights.h5");
    source.save_weights(&path).unwrap();
    let error = source.load_weights_with(&path, by_name(true));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("without the names of their layers; load them in order"),
        "{error}"
    );
}

#[test]
fn what_keras_does_not_have_is_said_with_the_layers_name() {
    let own = Sequential::new()
        .add(Dense::new(2).input_shape([3]))
        .add(Lambda::new(|x| x * 2.0).name("twice"));
    let error = members(&own).unwrap_err();
    assert!(
        error.contains("twice (Lambda) is a layer of your own"),
        "{error}"
    );
    let layer = Dense::new(2)
        .activation("gelu_approximate")
        .name("own")
        .input_shape([3]);
    let error = members(&Sequential::new().add(layer)).unwrap_err();
    assert!(
        error.contains("own (Dense): activation: Keras 3 has no function"),
        "{error}"
    );
    let twice = LayerRef::new(Dense::new(3).name("shared").input_shape([3]));
    let error = members(&Sequential::new().add(&twice).add(&twice)).unwrap_err();
    assert!(error.contains("shared (Dense) stands in"), "{error}");
}

#[test]
fn a_mask_beside_initial_states_is_not_written() {
    use crate::prelude::*;
    let words = Input::new([6]);
    let x = Embedding::new(10, 3).mask_zero(true).on(&words);
    let states = GRU::new(3)
        .return_sequences(true)
        .return_state(true)
        .on_many(&x);
    let end = GRU::new(3).name("end").on([&states[0], &states[1]]);
    let error = members(&Model::new(&words, &end).unwrap()).unwrap_err();
    assert!(
        error.contains("end (GRU) is called with initial states"),
        "{error}"
    );
}

/// Each layer of the fixtures that Keras has, in a model of its own, with inputs and outputs.
fn of_layers() -> Vec<(String, Model, Vec<Tensor>, Vec<Tensor>)> {
    let mut models = Vec::new();
    let mut kinds: Vec<String> = Vec::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("layers_")
        })
        .collect();
    paths.sort();
    let all = paths.into_iter().map(json);
    let all: Vec<Value> = all
        .flat_map(|json| json["cases"].as_array().unwrap().clone())
        .collect();
    for (number, case) in all.iter().enumerate() {
        let kind = case["kind"].as_str().unwrap();
        let config = &case["config"];
        // What Keras has no words for.
        let activation = &config["activation"];
        if *activation == "gelu_approximate"
            || activation.is_object()
            || case["mask"] != Value::Null
        {
            continue;
        }
        let mut weights = tensors(&case["weights"]);
        weights.extend(tensors(&case["state"]));
        let mut layer = from_config(kind, config).unwrap();
        layer.give_weights(weights);
        let inputs = tensors(&case["inputs"]);
        let symbols: Vec<Symbol> = inputs.iter().map(|x| Input::new(&x.shape()[1..])).collect();
        let outputs = LayerRef::boxed(layer).on_many(&symbols);
        let model = Model::new(symbols, outputs).unwrap();
        let outputs = model.forward_all(inputs.clone(), false);
        kinds.push(kind.to_string());
        models.push((format!("layer_{number}_{kind}"), model, inputs, outputs));
    }
    for kind in KINDS {
        assert!(
            kinds.iter().any(|known| known == kind),
            "{kind} has no case"
        );
    }
    models
}

#[test]
fn every_layer_is_written_and_read_again() {
    for (name, model, inputs, outputs) in of_layers() {
        let (same, _) = again(&model);
        close(&name, &same.forward_all(inputs, false), &outputs);
    }
}

/// Models of our own making, with inputs.
fn own() -> Vec<(String, Model, Vec<Tensor>)> {
    use crate::prelude::*;
    set_seed(5);
    let mut models = Vec::new();
    let image = Tensor::uniform([4, 8, 8, 1], -1.0, 1.0);
    let mut convnet = Sequential::new()
        .add(Conv2D::new(4, 3).activation("relu").input_shape([8, 8, 1]))
        .add(BatchNormalization::new())
        .add(MaxPooling2D::new(2))
        .add(Flatten::new())
        .add(Dropout::new(0.1))
        .add(
            Dense::new(3)
                .activation("softmax")
                .kernel_regularizer(Regularizer::l2(0.01)),
        );
    let labels = Tensor::from([
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0],
    ]);
    let metrics = [
        Metric::accuracy(),
        Metric::auc(),
        Metric::precision().threshold(0.4),
    ];
    let rate = ExponentialDecay::new(0.01, 10, 0.9);
    convnet
        .compile(
            Adam::new().learning_rate(rate),
            Loss::categorical_crossentropy().label_smoothing(0.1),
            metrics,
        )
        .unwrap();
    convnet
        .fit(&image, &labels, Fit::epochs(2).verbose(0))
        .unwrap();
    models.push(("own_convnet".to_string(), (*convnet).clone(), vec![image]));
    let mut scaled = Sequential::new().add(Dense::new(2).input_shape([3]));
    let optimizer = LossScaleOptimizer::new(Adam::new()).dynamic_growth_steps(3);
    scaled.compile(optimizer, "mse", Metrics::none()).unwrap();
    let (x, y) = (
        Tensor::uniform([4, 3], -1.0, 1.0),
        Tensor::uniform([4, 2], -1.0, 1.0),
    );
    scaled.fit(&x, &y, Fit::epochs(4).verbose(0)).unwrap();
    models.push(("own_scaled".to_string(), (*scaled).clone(), vec![x]));
    let (words, numbers) = (Input::named("words", [6]), Input::named("numbers", [5]));
    let embedded = Embedding::new(10, 4).mask_zero(true).on(&words);
    let steps = Input::new([3, 2]);
    let states = LSTM::new(3)
        .return_sequences(true)
        .return_state(true)
        .on_many(&steps);
    let sequence = LSTM::new(3).on([&states[0], &states[1], &states[2]]);
    // Keras 3 has no masks where there are initial states: so these stand in a model of their own.
    let sequence = Model::new(&steps, &sequence)
        .unwrap()
        .on(&Reshape::new([3, 2]).on(&words));
    let both = Bidirectional::new(GRU::new(2).reset_after(false))
        .merge_mode("sum")
        .on(&embedded);
    let shared = LayerRef::new(Dense::new(4).activation("tanh").name("shared"));
    let inner = Sequential::new()
        .add(Dense::new(4).input_shape([5]))
        .add(LayerNormalization::new());
    inner.set_trainable(false);
    let start = Input::new([4]);
    let graph = Model::new(&start, &Dense::new(4).on(&start)).unwrap();
    let a = shared.on(&numbers.clone());
    let b = inner.on(&numbers);
    let c = graph.on(&a);
    let ends = Concatenate::new().on([&sequence, &both, &a, &b, &c, &graph.on(&b)]);
    let one = Dense::new(1).name("one").on(&ends);
    let two = Dense::new(2).activation("softmax").name("two").on(&ends);
    let last = Model::new(&start, &Dense::new(1).on(&start)).unwrap();
    let three = last.on(&c);
    let mut model = Model::new([&words, &numbers], [&one, &two, &three]).unwrap();
    let x = [
        Tensor::from([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9]]).cast(DType::F32),
        Tensor::uniform([2, 5], -1.0, 1.0),
    ];
    let losses = Losses::named([("one", "mse"), ("two", "categorical_crossentropy")]);
    model
        .compile(
            RMSprop::new().momentum(0.5),
            losses.weights([0.5, 1.0]),
            Metrics::none(),
        )
        .unwrap();
    let y = [Tensor::ones([2, 1]), Tensor::from([[1.0, 0.0], [0.0, 1.0]])];
    model
        .fit(x.to_vec(), y.to_vec(), Fit::epochs(2).verbose(0))
        .unwrap();
    models.push(("own_two_inputs".to_string(), model, x.to_vec()));
    models
}

#[test]
fn models_of_our_own_are_written_and_read_again() {
    for (name, model, inputs) in own() {
        let (same, written) = again(&model);
        let outputs = model.forward_all(inputs.clone(), false);
        close(&name, &same.forward_all(inputs, false), &outputs);
        assert_eq!(again(&same).1, written, "{name}");
    }
}

/// Writes for `tests/parity/check_written.py`, into the folder that it names.
#[test]
fn writes_for_keras() {
    let Some(folder) = std::env::var_os("DLCORE_WRITTEN") else {
        return;
    };
    let folder = PathBuf::from(folder);
    let values =
        |tensor: &Tensor| serde_json::json!({"shape": tensor.shape(), "values": tensor.to_vec()});
    let steps = |model: &Model| {
        let config = model.compiled.as_ref()?.optimizer.config()?;
        let inner = config.get("inner_optimizer");
        Some(inner.map_or(&config, |inner| &inner["config"])["steps"].clone())
    };
    let mut listed = Vec::new();
    let mut write = |name: String, model: &Model, inputs: &[Tensor]| {
        let outputs = model.forward_all(inputs.to_vec(), false);
        model.save(folder.join(format!("{name}.keras"))).unwrap();
        model
            .save_weights(folder.join(format!("{name}.weights.h5")))
            .unwrap();
        listed.push(serde_json::json!({
            "name": name,
            "steps": steps(model),
            "inputs": inputs.iter().map(values).collect::<Vec<_>>(),
            "outputs": outputs.iter().map(values).collect::<Vec<_>>(),
        }));
    };
    for (name, model, inputs, _) in of_layers() {
        write(name, &model, &inputs);
    }
    for (name, model, inputs) in own() {
        write(name, &model, &inputs);
    }
    let known = |case: &&Case| NOT_IN_KERAS.iter().all(|(name, _)| *name != case.name);
    for case in cases().iter().filter(known) {
        let model = Model::load(file(&case.files[0])).unwrap();
        // A length of any size is one that was chosen when the model was read, and stays so.
        let shapes = case.inputs.iter().map(|x| x.shape()[1..].to_vec());
        if model
            .inputs()
            .unwrap()
            .iter()
            .map(|i| i.shape().to_vec())
            .eq(shapes)
        {
            write(case.name.clone(), &model, &case.inputs);
        }
    }
    let weighted = Model::load(file("weighted.keras")).unwrap();
    let x = tensor(&json(file("weighted.json"))["x"]);
    write("weighted".to_string(), &weighted, &[x]);
    let text = Value::from(listed).to_string();
    std::fs::write(folder.join("written.json"), text).unwrap();
}
