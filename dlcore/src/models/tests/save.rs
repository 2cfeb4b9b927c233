//! Graphs in files.

use std::io::Cursor;

use super::numbers;
use crate::Tensor;
use crate::config::Parsed;
use crate::layers::{Dense, Dropout};
use crate::metrics::Metrics;
use crate::models::save::{Parts, read};
use crate::models::*;

fn bytes(model: &Model) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    Parts::of(model).unwrap().write(&mut bytes).unwrap();
    bytes.into_inner()
}

fn reread(bytes: &[u8]) -> Parsed<Model> {
    read(&mut Cursor::new(bytes), bytes.len() as u64)
}

/// A model within a model, called twice; a shared layer; two outputs; a frozen layer.
fn nested() -> Model {
    let base = Sequential::new()
        .add(Dense::new(3).activation("tanh").input_shape([3]))
        .add(Dropout::new(0.0))
        .named("base");
    let shared = LayerRef::new(Dense::new(3).name("shared"));
    let input = Input::named("x", [3]);
    let once = base.on(&input);
    let twice = base.on(&shared.on(&once));
    let number = Dense::new(1).name("number").on(&shared.on(&twice));
    let class = Dense::new(2).activation("softmax").name("class").on(&once);
    let mut model = Model::new(&input, [&number, &class]).unwrap();
    shared.set_trainable(false);
    let losses = Losses::each(["mse", "categorical_crossentropy"]).weights([0.5, 2.0]);
    let metrics = OutputMetrics::named([("class", "accuracy")]);
    model.compile("adam", losses, metrics).unwrap();
    model
}

#[test]
fn a_graph_comes_back_with_all_that_is_shared_and_goes_on() {
    let mut model = nested();
    let (x, number) = (numbers([20, 3], 1), numbers([20, 1], 2));
    let class = Tensor::from((0..20).map(|i| i % 2).collect::<Vec<i64>>()).one_hot(2);
    let go_on = |model: &mut Model, epochs, initial| {
        let settings = Fit::epochs(epochs)
            .initial_epoch(initial)
            .shuffle(false)
            .verbose(0);
        model
            .fit(&x, [&number, &class], settings)
            .unwrap()
            .get("loss")
    };
    go_on(&mut model, 2, 0);
    let mut loaded = reread(&bytes(&model)).unwrap();
    assert_eq!(loaded.get_weights(), model.get_weights());
    assert_eq!(loaded.summary(), model.summary());
    assert_eq!(loaded.history(), model.history());
    assert_eq!(bytes(&loaded), bytes(&model));
    assert_eq!(go_on(&mut loaded, 4, 2), go_on(&mut model, 4, 2));
    assert_eq!(loaded.get_weights(), model.get_weights());
    // The shared layer is one still.
    loaded
        .layer("shared")
        .unwrap()
        .set_weights(&[Tensor::zeros([3, 3]), Tensor::zeros([3])])
        .unwrap();
    assert_eq!(loaded.layers().len(), 4);
    assert_eq!(loaded.output_names(), ["number", "class"]);
}

#[test]
fn weights_alone_go_into_a_model_of_the_same_shape() {
    let path = std::env::temp_dir().join(format!("dlcore-graph-weights-{}", std::process::id()));
    let (model, other) = (nested(), nested());
    model.save_weights(&path).unwrap();
    other.load_weights(&path).unwrap();
    assert_eq!(other.get_weights(), model.get_weights());
    model.save(&path).unwrap();
    assert_eq!(
        Model::load(&path).unwrap().get_weights(),
        model.get_weights()
    );
    let text = Sequential::load(&path).unwrap_err().to_string();
    assert!(text.contains("load it with Model::load"), "{text}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn files_of_the_first_version_are_read() {
    let (x, y) = (numbers([8, 3], 1), numbers([8, 1], 2));
    let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
    model.compile("adam", "mse", ["mae"]).unwrap();
    model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    let mut parts = Parts::of(&model).unwrap();
    let fields = parts.description.as_object_mut().unwrap();
    fields.insert("version".into(), 1.into());
    fields.remove("order");
    fields.remove("kind");
    let compile = fields["compile"].as_object_mut().unwrap();
    let objective = compile.remove("objectives").unwrap()[0].take();
    compile.remove("trained");
    compile.insert("loss".into(), objective["loss"].clone());
    compile.insert("metrics".into(), objective["metrics"].clone());
    let mut old = Cursor::new(vec![]);
    parts.write(&mut old).unwrap();
    let loaded = reread(&old.into_inner()).unwrap();
    assert_eq!(bytes(&loaded), bytes(&model));
}

#[test]
fn graphs_that_lie_are_refused_in_words() {
    let model = nested();
    let with = |pointer: &str, value: serde_json::Value| {
        let mut parts = Parts::of(&model).unwrap();
        *parts.description.pointer_mut(pointer).unwrap() = value;
        let mut bytes = Cursor::new(vec![]);
        parts.write(&mut bytes).unwrap();
        reread(&bytes.into_inner()).map(|_| ()).unwrap_err()
    };
    for (pointer, value, expected) in [
        ("/nodes/0/layer", 99.into(), "not in its list"),
        (
            "/nodes/0/inputs/0",
            1.into(),
            "an order in which they cannot be computed",
        ),
        (
            "/nodes/0/inputs",
            Vec::<u64>::new().into(),
            "without inputs",
        ),
        ("/outputs", Vec::<u64>::new().into(), "without outputs"),
        ("/outputs/0", 7000.into(), "an order in which"),
        (
            "/inputs/0/shape",
            vec![4_u64].into(),
            "expected last axis 3",
        ),
        ("/layers/2/config/order/0", 2.into(), "comes later"),
        ("/kind", "Graph".into(), "kind \"Graph\""),
        (
            "/compile/trained",
            vec![true].into(),
            "whether it is trained",
        ),
        ("/compile/objectives/1/output", 5.into(), "output 5"),
        ("/outputs/0", 0.into(), "no part of the model"),
    ] {
        let error = with(pointer, value);
        assert!(error.contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn changed_files_of_graphs_are_errors_and_never_panics() {
    let model = nested();
    let whole = bytes(&model);
    for at in (0..whole.len()).step_by(3) {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        if let Ok(again) = reread(&changed) {
            assert_eq!(again.get_weights(), model.get_weights(), "byte {at}");
        }
    }
    let mut plain = Sequential::new().add(Dense::new(1));
    assert!(Parts::of(&plain).is_ok());
    plain.push(Dense::new(2));
    plain.compile("sgd", "mse", Metrics::none()).unwrap();
    assert!(!reread(&bytes(&plain)).unwrap().is_built());
}

fn transfer(head: usize) -> Sequential {
    Sequential::new()
        .add(Dense::new(4).name("features").input_shape([3]))
        .add(Dense::new(4).name("middle"))
        .add(Dense::new(head).name("head"))
}

#[test]
fn weights_go_to_layers_of_their_names_and_shapes_alone() {
    let folder = std::env::temp_dir().join(format!("dlcore-by-name-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (whole, alone) = (folder.join("model.dl"), folder.join("weights.safetensors"));
    let source = transfer(10);
    source.save(&whole).unwrap();
    source.save_weights(&alone).unwrap();
    for path in [&whole, &alone] {
        let model = Sequential::new()
            .add(Dense::new(4).name("middle").input_shape([4]))
            .add(Dense::new(4).name("new"))
            .add(Dense::new(2).name("head"));
        let before = model.get_weights();
        let error = model.load_weights_with(path, LoadWeights::by_name());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("head (Dense)") && error.contains("skip_mismatch(true)"),
            "{error}"
        );
        assert_eq!(model.get_weights(), before);
        let how = LoadWeights::by_name().skip_mismatch(true);
        assert_eq!(model.load_weights_with(path, how).unwrap(), ["middle"]);
        assert_eq!(model.get_weights()[..2], source.get_weights()[2..4]);
        assert_eq!(model.get_weights()[2..], before[2..]);
        let other = transfer(2);
        let how = LoadWeights::in_order().skip_mismatch(true);
        let loaded = other.load_weights_with(path, how).unwrap();
        assert_eq!(loaded, ["features", "middle"]);
        let stranger = Sequential::new().add(Dense::new(1).name("stranger").input_shape([1]));
        let error = stranger.load_weights_with(path, LoadWeights::by_name());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("holds no weights for any layer"), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
