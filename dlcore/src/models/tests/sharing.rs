//! Layers that models share, and layers that are frozen.

use super::layers::{Counter, Plus};
use super::{close, numbers, settle};
use crate::grad::GradientTape;
use crate::layers::{Call, Dense};
use crate::metrics::Metrics;
use crate::models::*;
use crate::optimizers::{Adam, SGD};
use crate::{Result, Tensor};

#[test]
fn gradients_of_a_shared_layer_are_summed() {
    let shared = LayerRef::new(Dense::new(2).activation("tanh").use_bias(false));
    let (a, b) = (Input::new([3]), Input::new([3]));
    let sum = Plus("sum").on([&shared.on(&a), &shared.on(&b)]);
    let mut model = Model::new([&a, &b], &sum).unwrap();
    model
        .compile(SGD::new().learning_rate(0.5), "mse", Metrics::none())
        .unwrap();
    let (xa, xb, y) = (numbers([4, 3], 1), numbers([4, 3], 2), numbers([4, 2], 3));
    let before = shared.get_weights().swap_remove(0);
    // The same by hand.
    let tape = GradientTape::new();
    let w = tape.watch(&before);
    let loss = (xa.dot(&w).tanh() + xb.dot(&w).tanh() - &y).square().mean();
    let expected = &before - tape.gradient(&loss, &[&w]).swap_remove(0) * 0.5;
    model.train_on_batch([&xa, &xb], &y).unwrap();
    close(&shared.get_weights()[0], &expected);
    assert_eq!(model.get_weights().len(), 1);
}

#[test]
fn a_siamese_model_learns_which_pairs_are_alike() {
    let twin = Sequential::new()
        .add(Dense::new(8).activation("relu").input_shape([4]))
        .add(Dense::new(4));
    let (a, b) = (Input::new([4]), Input::new([4]));
    let sum = Plus("difference").on([&twin.on(&a), &twin.on(&b)]);
    let output = Dense::new(1).activation("sigmoid").on(&sum);
    let mut model = Model::new([&a, &b], &output).unwrap();
    settle(&model);
    assert_eq!(model.count_params(), twin.count_params() + 5);
    model
        .compile(
            Adam::new().learning_rate(0.02),
            "binary_crossentropy",
            ["accuracy"],
        )
        .unwrap();
    let (xa, xb) = (numbers([64, 4], 1), numbers([64, 4], 5));
    let y = (xa.sum_axis(1) + xb.sum_axis(1)).greater(Tensor::from(0.0));
    let before = twin.get_weights();
    let history = model
        .fit([&xa, &xb], &y, Fit::epochs(60).verbose(0))
        .unwrap();
    assert!(history.get("accuracy")[59] > 0.9, "{history}");
    assert!(
        twin.get_weights() != before,
        "the twin is trained with the model"
    );
}

#[test]
fn an_autoencoder_and_its_parts_share_their_weights_and_a_clone_does_not() {
    let input = Input::new([6]);
    let code = Dense::new(2).name("code").on(&input);
    let decoder = Dense::new(6).name("decoder").on(&code);
    let mut whole = Model::new(&input, &decoder).unwrap();
    let encoder = Model::new(&input, &code).unwrap();
    let coded = Input::new([2]);
    let decode = Model::new(&coded, &whole.layer("decoder").unwrap().on(&coded)).unwrap();
    let copy = whole.clone();
    let (before, versions) = (copy.get_weights(), (encoder.version(), copy.version()));
    let x = numbers([32, 6], 1);
    whole.compile("adam", "mse", Metrics::none()).unwrap();
    whole.fit(&x, &x, Fit::epochs(3).verbose(0)).unwrap();
    let through = decode.predict(&encoder.predict(&x).unwrap()).unwrap();
    close(&through, &whole.predict(&x).unwrap());
    assert_eq!(copy.get_weights(), before);
    // Whoever keeps snapshots sees which models have changed.
    assert!(encoder.version() != versions.0 && copy.version() == versions.1);
    // What is shared within a model is shared within its copy.
    let shared = LayerRef::new(Dense::new(6).name("shared"));
    let twice = Model::new(&input, &shared.on(&shared.on(&input)))
        .unwrap()
        .clone();
    assert_eq!((twice.layers().len(), twice.count_params()), (1, 42));
}

#[test]
fn a_frozen_layer_keeps_its_weights_and_passes_gradients_on() {
    let base = Sequential::new()
        .add(
            Dense::new(3)
                .activation("tanh")
                .name("low")
                .input_shape([4]),
        )
        .add(Dense::new(3).activation("tanh").name("high"));
    let mut model = Sequential::new()
        .add(Dense::new(4).name("first").input_shape([2]))
        .add(&base)
        .add(Counter::new("counter"))
        .add(Dense::new(1));
    settle(&model);
    base.set_trainable(false);
    base.layer("high").unwrap().set_trainable(true);
    model.layer("counter").unwrap().set_trainable(false);
    let summary = model.summary();
    assert_eq!(
        (summary.trainable, summary.non_trainable),
        (12 + 12 + 4, 15 + 2)
    );
    model.compile("adam", "mse", Metrics::none()).unwrap();
    let weights = |model: &Sequential, name: &str| model.layer(name).unwrap().get_weights();
    let (low, high) = (
        base.layer("low").unwrap().get_weights(),
        base.layer("high").unwrap().get_weights(),
    );
    let (first, factor) = (weights(&model, "first"), weights(&model, "counter"));
    model
        .fit(
            &numbers([16, 2], 1),
            &numbers([16, 1], 2),
            Fit::epochs(2).batch_size(4).verbose(0),
        )
        .unwrap();
    assert_eq!(base.layer("low").unwrap().get_weights(), low);
    assert!(base.layer("high").unwrap().get_weights() != high);
    assert!(
        weights(&model, "first") != first,
        "gradients pass the frozen layers"
    );
    // A layer that knows nothing of freezing is frozen too; what it counts goes on.
    assert_eq!(weights(&model, "counter")[0], factor[0]);
    let counted = &weights(&model, "counter")[1] - &factor[1];
    assert!((counted.item() - 8.0).abs() < 1e-5);
    // Freezing is seen when the model is compiled.
    base.set_trainable(true);
    model
        .fit(
            &numbers([16, 2], 1),
            &numbers([16, 1], 2),
            Fit::epochs(1).verbose(0),
        )
        .unwrap();
    assert_eq!(base.layer("low").unwrap().get_weights(), low);
    model.compile("adam", "mse", Metrics::none()).unwrap();
    model
        .fit(
            &numbers([16, 2], 1),
            &numbers([16, 1], 2),
            Fit::epochs(1).verbose(0),
        )
        .unwrap();
    assert!(base.layer("low").unwrap().get_weights() != low);
}

#[test]
fn a_discriminator_is_trained_by_itself_and_frozen_within_the_gan() -> Result<()> {
    let generator = Sequential::new()
        .add(Dense::new(8).activation("relu").input_shape([3]))
        .add(Dense::new(2));
    let mut discriminator = Sequential::new()
        .add(Dense::new(8).activation("relu").input_shape([2]))
        .add(Dense::new(1).activation("sigmoid"));
    discriminator.compile("adam", "binary_crossentropy", Metrics::none())?;
    discriminator.set_trainable(false);
    let noise = Input::new([3]);
    let mut gan = Model::new(&noise, &discriminator.on(&generator.on(&noise)))?;
    settle(&gan);
    gan.compile("adam", "binary_crossentropy", Metrics::none())?;
    let (real, random) = (numbers([8, 2], 1), numbers([8, 3], 2));
    for _ in 0..2 {
        let fake = generator.predict(&random)?;
        let both = Tensor::concat(&[&fake, &real], 0);
        let labels = Tensor::concat(&[&Tensor::ones([8, 1]), &Tensor::zeros([8, 1])], 0);
        let (g, d) = (generator.get_weights(), discriminator.get_weights());
        assert!(
            discriminator
                .train_on_batch(&both, &labels)?
                .loss
                .is_finite()
        );
        assert!(discriminator.get_weights() != d, "it is trained by itself");
        assert_eq!(generator.get_weights(), g);
        let d = discriminator.get_weights();
        gan.train_on_batch(&random, &Tensor::zeros([8, 1]))?;
        assert_eq!(
            discriminator.get_weights(),
            d,
            "it is frozen within the GAN"
        );
        assert!(generator.get_weights() != g);
    }
    Ok(())
}

#[test]
fn state_is_taken_over_after_good_batches_only() {
    let mut model = Sequential::new()
        .add(Counter::new("counter"))
        .add(Dense::new(1));
    model.compile("sgd", "mse", Metrics::none()).unwrap();
    let (x, y) = (numbers([4, 2], 1), Tensor::ones([4, 1]));
    let count = |model: &Sequential| model.layer("counter").unwrap().get_weights()[1].item();
    model.train_on_batch(&x, &y).unwrap();
    model.evaluate(&x, &y).unwrap();
    assert_eq!(count(&model), 1.0);
    let text = model
        .train_on_batch(&(&x * f64::NAN), &y)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("the loss is NaN, so the batch changed no weights"),
        "{text}"
    );
    assert_eq!(count(&model), 1.0);
    let (_, gradients) = model
        .gradients(|model| model.forward(&x, true).sum())
        .unwrap();
    model.apply_gradients(&mut SGD::new(), &gradients).unwrap();
    assert_eq!(count(&model), 2.0);
    let text = model
        .apply_gradients(&mut SGD::new(), &gradients[1..])
        .unwrap_err();
    assert!(
        text.to_string()
            .contains("apply_gradients: the weights have shapes"),
        "{text}"
    );
}

#[test]
fn penalties_of_what_is_trained_are_part_of_the_loss() {
    let mut model = Sequential::new().add(
        Dense::new(1)
            .use_bias(false)
            .kernel_regularizer("l2")
            .name("regularized")
            .input_shape([1]),
    );
    model.set_weights(&[Tensor::full([1, 1], 3.0)]).unwrap();
    model.compile("sgd", "mse", Metrics::none()).unwrap();
    let x = Tensor::ones([2, 1]);
    let loss = |model: &Sequential| model.evaluate(&x, &(&x * 3.0)).unwrap().loss;
    assert!((loss(&model) - 0.09).abs() < 1e-6);
    let step = model.train_on_batch(&x, &(&x * 3.0)).unwrap();
    assert!((step.loss - 0.09).abs() < 1e-6);
    // 3 - 0.01 · 0.02 · 3
    assert!((model.get_weights()[0].item() - 2.9994).abs() < 1e-5);
    model.set_trainable(false);
    model.compile("sgd", "mse", Metrics::none()).unwrap();
    assert!(loss(&model) < 1e-5);
}

/// A layer and twice itself again.
#[derive(Clone)]
struct Thrice(LayerRef);

impl Block for Thrice {
    fn name(&self) -> &str {
        "thrice"
    }
    fn layers(&self) -> Vec<&LayerRef> {
        vec![&self.0]
    }
    fn layers_mut(&mut self) -> Vec<&mut LayerRef> {
        vec![&mut self.0]
    }
    fn build(&self, shapes: &[Vec<usize>]) -> Result<()> {
        self.0.build(shapes[0].clone())
    }
    fn output_shapes(&self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        Ok(shapes.to_vec())
    }
    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        let once = |x: &Tensor| self.0.forward(x, call.training);
        vec![once(&once(&once(&inputs[0])))]
    }
}

#[test]
fn a_block_of_ones_own_is_trained_copied_and_frozen_like_a_layer() {
    let inner = LayerRef::new(Dense::new(2).name("inner"));
    let mut model = Sequential::new()
        .add(LayerRef::block(Thrice(inner.clone())))
        .add(Dense::new(1).name("end"));
    let (x, y) = (numbers([8, 2], 1), numbers([8, 1], 2));
    model.compile("adam", "mse", Metrics::none()).unwrap();
    model.fit(&x, &y, Fit::epochs(1).verbose(0)).unwrap();
    let copy = model.clone();
    let (before, after) = (inner.get_weights(), copy.predict(&x).unwrap());
    model.train_on_batch(&x, &y).unwrap();
    assert!(inner.get_weights() != before);
    assert_eq!(copy.predict(&x).unwrap(), after);
    model.layer("thrice").unwrap().set_trainable(false);
    assert!(!inner.trainable());
    assert_eq!(model.summary().non_trainable, 6);
    let text = model.save("/nowhere/x.dl").unwrap_err().to_string();
    assert!(
        text.contains("thrice (Thrice) is a layer of your own"),
        "{text}"
    );
    // What a cell that fails gives back has the layers that others have too.
    let beside = model.beside();
    model.train_on_batch(&x, &y).unwrap();
    assert_eq!(beside.get_weights(), model.get_weights());
    let longer = model.add(Dense::new(1).name("more"));
    assert_eq!((beside.layers().len(), longer.layers().len()), (2, 3));
}
