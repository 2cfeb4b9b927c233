//! Losses within the graph.

use super::{numbers, settle};
use crate::layers::{ActivationLayer, Dense, Lambda};
use crate::models::*;
use crate::optimizers::SGD;
use crate::{Result, Tensor};

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

/// A model of one layer, and the squares of what it returns as a loss.
fn shrinking() -> Model {
    let input = Input::named("data", [3]);
    let output = Dense::new(2).name("output").on(&input);
    let mut model = Model::new(&input, &output).unwrap();
    model
        .add_loss(&Lambda::new(Tensor::square).name("squares").on(&output))
        .unwrap();
    settle(&model);
    model
}

#[test]
fn the_mean_of_a_symbol_is_part_of_the_loss_wherever_there_is_one() {
    let (x, y) = (numbers([10, 3], 1), numbers([10, 2], 2));
    let mut model = shrinking();
    model.compile(SGD::new(), "mse", ["mae"]).unwrap();
    let output = model.predict(&x).unwrap();
    let expected = (&output - &y).square().mean().item() + output.square().mean().item();
    let close = |loss: f64| assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    close(model.evaluate(&x, &y).unwrap().loss);
    close(model.test_on_batch(&x, &y).unwrap().loss);
    // One step of gradient descent on both.
    let kernel = &model.get_weights()[0];
    let slope = x.transpose().dot(&(&output * 2.0 - &y)) * (2.0 / 20.0);
    let stepped = kernel - slope * 0.01;
    let settings = Fit::epochs(1).batch_size(10).verbose(0);
    let settings = settings.validation_data(&x, &y);
    let history = model.fit(&x, &y, settings).unwrap();
    close(history.get("loss")[0]);
    assert_eq!(history.metrics(), ["loss", "mae", "val_loss", "val_mae"]);
    super::close(&model.get_weights()[0], &stepped);
    assert!(history.get("val_loss")[0] < expected);
}

#[test]
fn a_model_may_have_no_other_loss_and_no_labels() {
    let x = numbers([8, 3], 1);
    let mut model = shrinking();
    model.compile("adam", Losses::none(), ()).unwrap();
    let settings = || Fit::epochs(5).batch_size(4).verbose(0);
    let history = model.fit(&x, (), settings().validation_split(0.5)).unwrap();
    assert_eq!(history.metrics(), ["loss", "val_loss"]);
    assert!(history.get("loss")[4] < history.get("loss")[0]);
    let scores = model.evaluate(&x, ()).unwrap();
    let output = model.predict(&x).unwrap();
    assert!((scores.loss - output.square().mean().item()).abs() < 1e-6);
    model
        .fit_sequence([Batch::new(&x, ())], settings())
        .unwrap();
    let text = refusal(model.fit(&x, (), settings().sample_weight(&Tensor::ones([8]))));
    assert!(text.contains("no output has a loss"), "{text}");
    let text = refusal(model.fit(&x, &numbers([8, 2], 1), settings()));
    assert!(text.contains("has 0 outputs"), "{text}");
}

#[test]
fn a_model_within_another_brings_its_losses_and_a_clone_keeps_them() {
    let (x, y) = (numbers([6, 3], 1), numbers([6, 1], 2));
    let inner = shrinking();
    let input = Input::new([3]);
    let output = Dense::new(1).on(&inner.on(&input));
    let mut outer = Model::new(&input, &output).unwrap();
    outer.compile("sgd", "mse", ()).unwrap();
    let alone = (outer.predict(&x).unwrap() - &y).square().mean().item();
    let added = inner.predict(&x).unwrap().square().mean().item();
    let loss = |model: &Model| model.evaluate(&x, &y).unwrap().loss;
    assert!((loss(&outer) - alone - added).abs() < 1e-5);
    assert_eq!(loss(&outer.clone()), loss(&outer));
}

/// Which layers are trained was noted one by one.
#[test]
fn a_model_around_one_that_gets_layers_for_a_loss_is_compiled_again() {
    let (x, y) = (numbers([6, 3], 1), numbers([6, 1], 2));
    let mut inner = shrinking();
    let input = Input::new([3]);
    let output = Dense::new(1).on(&inner.on(&input));
    let mut outer = Model::new(&input, &output).unwrap();
    outer.compile("sgd", "mse", ()).unwrap();
    let end = inner.outputs().unwrap().remove(0);
    inner
        .add_loss(&Dense::new(1).name("critic").on(&end))
        .unwrap();
    let text = refusal(outer.fit(&x, &y, Fit::epochs(1).verbose(0)));
    assert!(
        text.contains("other layers than when it was compiled"),
        "{text}"
    );
    outer.compile("sgd", "mse", ()).unwrap();
    outer.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
}

/// The logits that a cross-entropy is computed from are not what a loss within the graph is about.
#[test]
fn an_output_that_a_loss_is_computed_from_keeps_its_activation() {
    let input = Input::new([3]);
    let output = Dense::new(1).activation("sigmoid").on(&input);
    let mut model = Model::new(&input, &output).unwrap();
    model.add_loss(&output).unwrap();
    model.compile("sgd", "binary_crossentropy", ()).unwrap();
    let (x, y) = (numbers([4, 3], 1), Tensor::ones([4, 1]));
    let p = model.predict(&x).unwrap();
    let expected = p.mean().item() - p.log().mean().item();
    assert!((model.evaluate(&x, &y).unwrap().loss - expected).abs() < 1e-5);
}

#[test]
fn losses_that_cannot_be_are_refused() {
    let mut model = shrinking();
    let other = Dense::new(1).on(&Input::named("other", [3]));
    let text = refusal(model.add_loss(&other));
    assert!(
        text.starts_with("add_loss: ") && text.contains("\"other\""),
        "{text}"
    );
    let itself = model.on(&Input::new([3]));
    let text = refusal(model.add_loss(&itself));
    assert!(text.starts_with("add_loss: "), "{text}");
    let again = model.on(&model.inputs().unwrap()[0]);
    let text = refusal(model.add_loss(&again));
    assert!(text.contains("called as a layer"), "{text}");
    let mut stack = Sequential::new().add(Dense::new(1).input_shape([3]));
    let end = stack.outputs().unwrap().remove(0);
    let text = refusal(stack.add_loss(&end));
    assert!(text.contains("is a Sequential"), "{text}");
    let text = refusal(stack.compile("sgd", (), ()));
    assert!(text.contains("has no loss"), "{text}");
    let text = refusal(model.compile("sgd", (), ["mae"]));
    assert!(text.contains("leave the metrics out"), "{text}");
    model.compile("sgd", "mse", ()).unwrap();
    let output = model.outputs().unwrap().remove(0);
    model.add_loss(&output).unwrap();
    let (x, y) = (numbers([4, 3], 1), numbers([4, 2], 1));
    let text = refusal(model.fit(&x, &y, Fit::epochs(1)));
    assert!(text.contains("is not compiled"), "{text}");
}

#[test]
fn losses_of_layers_that_a_file_can_hold_are_saved_and_functions_refused() {
    let folder = std::env::temp_dir().join(format!("dlcore-losses-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.dl");
    let (x, y) = (numbers([10, 3], 1), numbers([10, 2], 2));
    let input = Input::new([3]);
    let output = Dense::new(2).on(&input);
    let loss = ActivationLayer::new("softplus").on(&Dense::new(1).name("critic").on(&output));
    let mut model = Model::new(&input, &output).unwrap();
    model.add_loss(&loss).unwrap();
    let metrics = OutputMetrics::from(["mae"]).weighted(["mae"]);
    model.compile("adam", "mse", metrics).unwrap();
    let settings = || Fit::epochs(2).shuffle(false).verbose(0);
    model.fit(&x, &y, settings()).unwrap();
    model.save(&path).unwrap();
    let mut same = Model::load(&path).unwrap();
    assert_eq!(
        same.evaluate(&x, &y).unwrap(),
        model.evaluate(&x, &y).unwrap()
    );
    let (a, b) = (model.fit(&x, &y, settings()), same.fit(&x, &y, settings()));
    assert_eq!(
        a.unwrap().get("weighted_mae"),
        b.unwrap().get("weighted_mae")
    );
    assert_eq!(same.get_weights(), model.get_weights());
    let text = refusal(shrinking().save(&path));
    assert!(
        text.contains("squares (Lambda)") && text.contains("save_weights"),
        "{text}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
