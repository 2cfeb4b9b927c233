//! Files that were saved, and files that only look like it.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::layers::{
    BatchNormalization, Bidirectional, Dense, Dropout, GRU, LSTM, Layer, TimeDistributed,
};
use crate::losses::Loss;
use crate::metrics::{Metric, Metrics};
use crate::models::Fit;
use crate::optimizers::{Adam, Optimizer, RMSprop, SGD};

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "dlcore-save-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("model.dl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn network(optimizer: Box<dyn Optimizer>) -> Sequential {
    let mut network = Sequential::new()
        .add(Dense::new(6).activation("tanh").input_shape([3]))
        .add(Dropout::new(0.2))
        .add(
            Dense::new(2)
                .activation("softmax")
                .use_bias(false)
                .kernel_initializer("he_normal"),
        );
    network
        .compile(
            optimizer,
            "categorical_crossentropy",
            [Metric::accuracy(), Metric::binary_accuracy().threshold(0.3)],
        )
        .unwrap();
    network
}

fn data() -> (Tensor, Tensor) {
    let x: Vec<f32> = (0..60)
        .map(|i| ((i * 37 % 19) as f32 - 9.0) / 9.0)
        .collect();
    let y: Vec<f32> = (0..20)
        .flat_map(|i| [(i % 2) as f32, 1.0 - (i % 2) as f32])
        .collect();
    (
        Tensor::from_shape_vec([20, 3], x).unwrap(),
        Tensor::from_shape_vec([20, 2], y).unwrap(),
    )
}

fn bytes(model: &Sequential) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    Parts::of(model).unwrap().write(&mut bytes).unwrap();
    bytes.into_inner()
}

fn reread(bytes: &[u8]) -> Parsed<Sequential> {
    read(&mut Cursor::new(bytes), bytes.len() as u64).map(Sequential::from_model)
}

fn refusal(bytes: &[u8]) -> String {
    reread(bytes)
        .map(|_| ())
        .expect_err("this file should be refused")
}

#[test]
fn what_is_loaded_is_what_was_saved() {
    let folder = Folder::new();
    let (x, y) = data();
    for optimizer in [
        Box::new(SGD::new().momentum(0.9).nesterov(true)) as Box<dyn Optimizer>,
        Box::new(RMSprop::new().learning_rate(0.1 + 0.2).momentum(0.5)),
        Box::new(Adam::new()),
    ] {
        let mut model = network(optimizer);
        model.fit(&x, &y, Fit::epochs(2).verbose(0)).unwrap();
        model.save(folder.file()).unwrap();
        let loaded = Sequential::load(folder.file()).unwrap();
        assert_eq!(loaded.name(), model.name());
        assert_eq!(loaded.get_weights(), model.get_weights());
        assert_eq!(loaded.history(), model.history());
        assert_eq!(loaded.summary(), model.summary());
        assert_eq!(
            loaded.evaluate(&x, &y).unwrap(),
            model.evaluate(&x, &y).unwrap()
        );
        // What is not compared above, settings and the optimizer's state, stands in the file again.
        assert_eq!(bytes(&loaded), bytes(&model));
    }
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the model is left: {left:?}");
}

#[test]
fn damaged_states_of_stateful_layers_change_nothing() {
    let folder = Folder::new();
    let stateful = || {
        Sequential::new()
            .add(LSTM::new(2).stateful(true).input_shape([3, 1]))
            .add(Dense::new(1))
    };
    let saved = stateful();
    saved.forward(&Tensor::ones([4, 3, 1]), false);
    let good = weights(&saved).unwrap();
    let (model, x) = (stateful(), Tensor::ones([4, 3, 1]));
    let before = model.get_weights();
    let path = folder.0.join("weights.safetensors");
    for bad in [
        Tensor::from(1.0),
        Tensor::zeros([4, 3]),
        Tensor::full([4, 2], f64::NAN),
        Tensor::ones([4, 2]).cast(crate::DType::I64),
    ] {
        for place in [0, 1] {
            let mut tensors = tensors::read(&good).unwrap();
            let name = describe::carried_name(0, place);
            assert!(tensors.insert(name, bad.clone()).is_some());
            std::fs::write(&path, tensors::write(&tensors).unwrap()).unwrap();
            let error = model.load_weights(&path).unwrap_err().to_string();
            assert!(error.contains("weights.safetensors"), "{error}");
            assert_eq!(model.get_weights(), before, "{error}");
            assert!(model.leaves()[0].leaf().unwrap().carried().is_empty());
        }
    }
    std::fs::write(&path, good).unwrap();
    model.load_weights(&path).unwrap();
    assert_eq!(model.forward(&x, false), saved.forward(&x, false));
}

/// A model within a model, with layers within layers, of which some carry states.
fn nested() -> Sequential {
    let inner = Sequential::new()
        .add(TimeDistributed::new(BatchNormalization::new()))
        .add(Bidirectional::new(LSTM::new(2).stateful(true)));
    let mut model = Sequential::new()
        .add(TimeDistributed::new(Dense::new(3)))
        .add(GRU::new(2).stateful(true).return_sequences(true))
        .add(inner)
        .add(Dense::new(1));
    model.build(&[3, 2]).unwrap();
    model.forward(&Tensor::uniform([4, 3, 2], -1.0, 1.0), false);
    model
}

/// Weights, states and what is carried.
fn content(model: &Sequential) -> Vec<Tensor> {
    let carried = |leaf: &LayerRef| leaf.leaf().map(|layer| layer.carried());
    let leaves = model.leaves();
    let carried = leaves.iter().filter_map(carried).flatten();
    model.get_weights().into_iter().chain(carried).collect()
}

#[test]
fn whatever_is_damaged_of_a_nested_model_nothing_is_changed() {
    let folder = Folder::new();
    let path = folder.0.join("weights.safetensors");
    let (saved, model) = (nested(), nested());
    let good = tensors::read(&weights(&saved).unwrap()).unwrap();
    assert!(good.keys().filter(|name| name.contains("carried")).count() == 5);
    let before = content(&model);
    let refused = |damaged: &tensors::Tensors, what: &str| {
        std::fs::write(&path, tensors::write(damaged).unwrap()).unwrap();
        let error = model.load_weights(&path).expect_err(what).to_string();
        assert!(error.contains("weights.safetensors"), "{what}: {error}");
        assert_eq!(content(&model), before, "{what}: {error}");
    };
    for (name, tensor) in &good {
        let whole = tensor.shape().iter().product::<usize>() as isize;
        for bad in [tensor.reshape([whole, 1, 1]), tensor * f64::NAN] {
            let mut damaged = good.clone();
            damaged.insert(name.clone(), bad);
            refused(&damaged, name);
        }
        // States may be of a batch of another size, or missing.
        if !name.contains("carried") {
            let mut damaged = good.clone();
            damaged.insert(name.clone(), Tensor::concat(&[tensor, tensor], 0));
            refused(&damaged, name);
            damaged.remove(name);
            refused(&damaged, name);
        }
    }
    // In Keras's formats and ours, bytes that were changed or cut off.
    for name in ["a.weights.h5", "a.keras", "a.dl", "a.safetensors"] {
        let path = folder.0.join(name);
        match name.contains("weights") || name.ends_with("tensors") {
            true => saved.save_weights(&path).unwrap(),
            false => saved.save(&path).unwrap(),
        }
        let whole = std::fs::read(&path).unwrap();
        for part in 0..60 {
            let mut bytes = whole.clone();
            let at = whole.len() * part / 60;
            match part % 2 {
                0 => bytes.truncate(at),
                _ => bytes[at] ^= 0xff,
            }
            std::fs::write(&path, &bytes).unwrap();
            let loaded = model.load_weights(&path);
            let all = [LoadWeights::in_order(), LoadWeights::by_name()];
            for how in all {
                if loaded.is_err() && model.load_weights_with(&path, how).is_err() {
                    assert_eq!(content(&model), before, "{name}, byte {at}");
                }
            }
            // A changed number is a number all the same; then the model is put back as it was.
            if content(&model) != before {
                let count = model.get_weights().len();
                model.set_weights(&before[..count]).unwrap();
                let mut carried = before[count..].iter().cloned();
                for leaf in model.leaves() {
                    if let Some(mut layer) = leaf.leaf_mut() {
                        layer.carry(&mut carried).unwrap();
                    }
                }
            }
            let _ = Sequential::load(&path);
        }
    }
}

#[test]
fn what_fits_one_direction_only_changes_neither() {
    let mut layer = Bidirectional::new(GRU::new(2).stateful(true));
    layer.build(&[3, 1]).unwrap();
    layer.forward(&Tensor::ones([4, 3, 1]), false);
    let before = layer.carried();
    let states = [Tensor::ones([5, 2]), Tensor::ones([5, 3])];
    let error = layer
        .carry(&mut states.into_iter())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected 1 carried states [batch, 2]"),
        "{error}"
    );
    assert_eq!(layer.carried(), before);
}

#[test]
fn models_too_deep_in_one_another_to_be_read_again_are_not_written() {
    let deep = |depth| {
        let mut model = Sequential::new().add(Dense::new(1).input_shape([1]));
        for _ in 0..depth {
            model = Sequential::new().add(model);
        }
        model.build(&[1]).unwrap();
        model
    };
    let folder = Folder::new();
    for name in ["a.dl", "a.keras"] {
        let path = folder.0.join(name);
        let error = deep(17).save(&path).unwrap_err().to_string();
        assert!(error.contains("more than 16 deep"), "{error}");
        assert!(!path.exists());
        deep(16).save(&path).unwrap();
        Model::load(&path).unwrap();
    }
}

#[test]
fn a_stateful_layer_goes_on_where_it_was_saved() {
    let pattern = LSTM::new(2).stateful(true);
    let mut model = Sequential::new()
        .add(GRU::new(3).stateful(true).return_sequences(true))
        .add(Bidirectional::new(pattern))
        .add(Dense::new(1));
    model.build(&[4, 2]).unwrap();
    let x = Tensor::uniform([2, 4, 2], -1.0, 1.0);
    let first = model.predict(&x).unwrap();
    let loaded = reread(&bytes(&model)).unwrap();
    let folder = Folder::new();
    model.save_weights(folder.file()).unwrap();
    let expected = model.predict(&x).unwrap();
    assert_ne!(expected, first);
    assert_eq!(loaded.predict(&x).unwrap(), expected);
    loaded.load_weights(folder.file()).unwrap();
    assert_eq!(loaded.predict(&x).unwrap(), expected);
    loaded.reset_states();
    assert_eq!(loaded.predict(&x).unwrap(), first);
}

#[test]
fn a_model_that_is_not_built_is_built_after_it_was_loaded() {
    let model = Sequential::new().add(Dense::new(2)).add(Dropout::new(0.5));
    let mut loaded = reread(&bytes(&model)).unwrap();
    assert!(!loaded.is_built());
    loaded.build(&[3]).unwrap();
    assert_eq!(loaded.count_params(), 8);
    // A new layer does not get a name that the loaded ones have.
    let more = loaded.add(Dense::new(1));
    assert!(more.check_layers("test").is_ok());
}

#[test]
fn functions_of_ones_own_are_named_and_asked_for() {
    let mut model = network(Box::new(SGD::new()));
    let loss = Loss::custom("cubic", |y, p| (y - p).abs().pow(3.0));
    model
        .compile("sgd", loss, [Metric::custom("worst", |y, p| (y - p).max())])
        .unwrap();
    let mut loaded = reread(&bytes(&model)).unwrap();
    let (x, y) = data();
    let error = loaded.evaluate(&x, &y).unwrap_err().to_string();
    assert!(
        error.contains("loss \"cubic\" and metric \"worst\" are your own"),
        "{error}"
    );
    loaded.compile("sgd", "mse", Metrics::none()).unwrap();
    loaded.evaluate(&x, &y).unwrap();
}

#[test]
fn a_layer_of_ones_own_is_named_and_its_weights_can_be_saved() {
    #[derive(Clone)]
    struct Scale(Option<Tensor>);
    impl Layer for Scale {
        fn name(&self) -> &str {
            "my_scale"
        }
        fn build(&mut self, shape: &[usize]) -> Result<()> {
            self.0 = Some(Tensor::ones(shape));
            Ok(())
        }
        fn is_built(&self) -> bool {
            self.0.is_some()
        }
        fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
            Ok(shape.to_vec())
        }
        fn forward(&self, x: &Tensor, _: bool) -> Tensor {
            x * self.0.as_ref().unwrap()
        }
        fn weights(&self) -> Vec<&Tensor> {
            self.0.iter().collect()
        }
        fn weights_mut(&mut self) -> Vec<&mut Tensor> {
            self.0.iter_mut().collect()
        }
    }
    use crate::layers::Layer;
    let folder = Folder::new();
    let mut model = Sequential::new().add(Scale(None));
    model.build(&[4]).unwrap();
    let error = model.save(folder.file()).unwrap_err().to_string();
    assert!(
        error.starts_with("save: my_scale (Scale)") && error.contains("save_weights"),
        "{error}"
    );
    model.set_weights(&[Tensor::full([4], 2.5)]).unwrap();
    model.save_weights(folder.file()).unwrap();
    model.set_weights(&[Tensor::ones([4])]).unwrap();
    model.load_weights(folder.file()).unwrap();
    assert_eq!(model.get_weights()[0].to_vec(), [2.5; 4]);
}

#[test]
fn weights_of_another_shape_are_refused_and_those_of_a_saved_model_are_taken() {
    let folder = Folder::new();
    let model = network(Box::new(SGD::new()));
    model.save(folder.file()).unwrap();
    let other = network(Box::new(SGD::new()));
    other.load_weights(folder.file()).unwrap();
    assert_eq!(other.get_weights(), model.get_weights());
    let wide = Sequential::new().add(Dense::new(7).input_shape([3]));
    let before = wide.get_weights();
    let error = wide.load_weights(folder.file()).unwrap_err().to_string();
    assert!(
        error.contains("model.dl") && error.contains("[3, 7], got [3, 6]"),
        "{error}"
    );
    assert_eq!(wide.get_weights(), before);
    let unbuilt = Sequential::new().add(Dense::new(7));
    let error = unbuilt.load_weights(folder.file()).unwrap_err();
    assert!(error.to_string().contains("no weights yet"), "{error}");
}

#[test]
fn a_save_that_fails_leaves_the_older_file() {
    let folder = Folder::new();
    let model = network(Box::new(SGD::new()));
    model.save(folder.file()).unwrap();
    let before = std::fs::read(folder.file()).unwrap();
    let sick = model.clone();
    let mut weights = sick.get_weights();
    weights[0] = Tensor::full([3, 6], f64::NAN);
    sick.set_weights(&weights).unwrap();
    let error = sick.save(folder.file()).unwrap_err().to_string();
    assert!(error.contains("holds NaN or infinity"), "{error}");
    assert!(model.save(folder.0.join("no/such/folder.dl")).is_err());
    assert!(model.save(&folder.0).is_err(), "a folder is no file");
    assert_eq!(std::fs::read(folder.file()).unwrap(), before);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

/// A file of these members.
fn archive(description: Value, weights: &[u8]) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    let text = description.to_string();
    let members = [(MODEL, text.as_bytes()), (WEIGHTS, weights)];
    file::write_members(&mut bytes, &members).unwrap();
    bytes.into_inner()
}

#[test]
fn files_that_lie_are_refused_in_words() {
    let model = network(Box::new(SGD::new()));
    let parts = Parts::of(&model).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut description = parts.description.clone();
        *description.pointer_mut(pointer).unwrap() = value;
        refusal(&archive(description, &parts.weights))
    };
    let huge = json!(u64::MAX);
    for (pointer, value, expected) in [
        ("/format", json!("other"), "no saved model of dlcore"),
        ("/version", json!(4), "version 4"),
        ("/layers", json!([]), "a model without layers"),
        ("/layers/0/kind", json!("Conv9D"), "\"Conv9D\""),
        (
            "/layers/0/weights",
            huge.clone(),
            "has no weight layers.0.2",
        ),
        (
            "/layers/0/config/units",
            huge.clone(),
            "expected a kernel of shape",
        ),
        (
            "/layers/0/config/input_shape",
            json!([huge]),
            "expected a shape",
        ),
        (
            "/layers/0/config/activation",
            json!("rellu"),
            "did you mean \"relu\"?",
        ),
        (
            "/layers/1/config/rate",
            json!("NaN"),
            "at least 0 and below 1",
        ),
        (
            "/layers/2/config/name",
            model.layers()[0].name().into(),
            "two layers named",
        ),
        (
            "/input_shape",
            json!([4]),
            "expected a kernel of shape [4, 6], found one of shape [3, 6]",
        ),
        ("/input_shape", json!([huge, 2]), "expected a shape"),
        ("/input_shape", Value::Null, "for which input_shape"),
        (
            "/compile/optimizer/config/learning_rate",
            json!("NaN"),
            "above 0, got NaN",
        ),
        ("/compile/optimizer/name", json!("adamm"), "adamm"),
        (
            "/compile/objectives/0/loss/name",
            json!("msee"),
            "did you mean \"mse\"?",
        ),
        (
            "/compile/objectives/0/metrics",
            json!("accuracy"),
            "expected a list",
        ),
    ] {
        let error = with(pointer, value);
        assert!(error.contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn weights_that_are_no_numbers_or_of_another_shape_are_refused() {
    let model = network(Box::new(SGD::new()));
    let parts = Parts::of(&model).unwrap();
    let with = |tensor: Tensor| {
        let mut tensors = tensors::read(&parts.weights).unwrap();
        tensors.insert("layers.0.0".into(), tensor);
        let weights = tensors::write(&tensors).unwrap();
        refusal(&archive(parts.description.clone(), &weights))
    };
    assert!(with(Tensor::full([3, 6], f64::NAN)).contains("holds NaN"));
    assert!(with(Tensor::zeros([6, 3])).contains("expected a kernel of shape [3, 6]"));
    assert!(with(Tensor::zeros([18])).contains("found one of shape [18]"));
    // A header that declares more than there is, and one that is longer than the file.
    let claim = br#"{"layers.0.0":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551615]}}"#;
    for (length, header) in [(claim.len() as u64, &claim[..]), (u64::MAX, b"{}")] {
        let weights = [&length.to_le_bytes(), header].concat();
        let error = refusal(&archive(parts.description.clone(), &weights));
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn cut_changed_and_foreign_files_are_errors_and_never_panics() {
    let (x, y) = data();
    let mut model = network(Box::new(Adam::new()));
    model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    let whole = bytes(&model);
    assert!(refusal(b"").contains("no saved model"));
    assert!(refusal(b"%PDF-1.4 and so on").contains("no saved model"));
    for cut in (0..whole.len()).step_by(7) {
        refusal(&whole[..cut]);
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        // A change outside the members' content may go unnoticed, a change inside may not.
        if let Ok(model_again) = reread(&changed) {
            assert_eq!(model_again.get_weights(), model.get_weights(), "byte {at}");
        }
    }
    // A zip file of something else, with a name that would lead out of a folder.
    let mut foreign = Cursor::new(vec![]);
    file::write_members(&mut foreign, &[("../../outside", b"x")]).unwrap();
    assert!(refusal(&foreign.into_inner()).contains("it has no model.json"));
    // Compressed members could be any size when they are read.
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    writer.start_file(MODEL, options).unwrap();
    writer.write_all(&[b' '; 1 << 20]).unwrap();
    let bomb = writer.finish().unwrap().into_inner();
    assert!(refusal(&bomb).contains("is compressed"));
}
