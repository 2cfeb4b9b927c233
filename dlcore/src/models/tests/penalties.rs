//! Penalties on what layers return, and bounds of weights, while a model trains.

use super::{numbers, settle};
use crate::layers::{Call, Dense, Layer};
use crate::losses::Loss;
use crate::metrics::Metrics;
use crate::models::*;
use crate::optimizers::SGD;
use crate::regularizers::Regularizer;
use crate::{Result, Tensor};

fn labels() -> Tensor {
    Tensor::from([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
}

/// `first` and a softmax, whose loss is computed without it, with a penalty on its output.
fn classifier(first: LayerRef, strength: f64) -> Sequential {
    let mut last = Dense::new(2).activation("softmax");
    if strength > 0.0 {
        last = last.activity_regularizer(Regularizer::l2(strength));
    }
    let mut model = Sequential::new().add(first).add(last);
    model.build(&[3]).unwrap();
    settle(&model);
    model
        .compile(SGD::new(), "categorical_crossentropy", Metrics::none())
        .unwrap();
    model
}

#[test]
fn they_are_part_of_the_loss_in_training_and_evaluation() {
    let x = numbers([4, 3], 1);
    let hidden = || Dense::new(3).activation("tanh");
    let mut plain = classifier(hidden().into(), 0.0);
    let penalised = hidden().activity_regularizer(Regularizer::l1(0.5));
    let mut model = classifier(penalised.into(), 0.25);
    let activity = plain.layers()[0].forward(&x, false);
    let output = plain.predict(&x).unwrap();
    let penalty = (activity.abs().sum() * 0.5 + output.square().sum() * 0.25) / 4.0;
    let expected = plain.evaluate(&x, &labels()).unwrap().loss + penalty.item();
    let close = |loss: f64| assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
    close(model.evaluate(&x, &labels()).unwrap().loss);
    let once = || Fit::epochs(1).batch_size(4).shuffle(false).verbose(0);
    let history = model.fit(&x, &labels(), once()).unwrap();
    close(history.get("loss")[0]);
    // The step follows the penalties' slope too.
    plain.fit(&x, &labels(), once()).unwrap();
    assert_ne!(plain.get_weights(), model.get_weights());
}

/// Wants the mean of what it passes on to be 0.
#[derive(Clone)]
struct Centered;

impl Layer for Centered {
    fn name(&self) -> &str {
        "centered"
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(shape.to_vec())
    }
    fn forward(&self, x: &Tensor, _: bool) -> Tensor {
        // Of several numbers their sum counts, as in Keras 3.
        let half = x.mean().square() * 0.25;
        self.add_loss(&Tensor::stack(&[&half, &half], 0));
        x.clone()
    }
}

#[test]
fn what_a_layer_of_ones_own_adds_is_part_of_the_loss() {
    let x = numbers([4, 3], 1);
    let dense = || Sequential::new().add(Dense::new(2).input_shape([3]));
    let mut model = dense().add(Centered);
    let mut other = dense();
    other.set_weights(&model.get_weights()).unwrap();
    let both = Loss::custom("both", |y, p| {
        (p - y).square().mean_axis(-1) + p.mean().square() * 0.5
    });
    let rate = || SGD::new().learning_rate(0.1);
    model.compile(rate(), "mse", Metrics::none()).unwrap();
    other.compile(rate(), both, Metrics::none()).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    for _ in 0..2 {
        let losses = [&model, &other].map(|m| m.evaluate(&x, &labels()).unwrap().loss);
        close(losses[0], losses[1]);
        let settings = || Fit::epochs(3).batch_size(4).shuffle(false).verbose(0);
        let histories = [&mut model, &mut other].map(|m| m.fit(&x, &labels(), settings()).unwrap());
        close(histories[0].get("loss")[2], histories[1].get("loss")[2]);
    }
    for (own, expected) in model.get_weights().iter().zip(other.get_weights()) {
        assert!((own - expected).abs().max().item() < 1e-5);
    }
}

/// A layer that a program calls.
#[derive(Clone)]
struct Twice(LayerRef);

impl Block for Twice {
    fn name(&self) -> &str {
        "twice"
    }
    fn layers(&self) -> Vec<&LayerRef> {
        vec![&self.0]
    }
    fn layers_mut(&mut self) -> Vec<&mut LayerRef> {
        vec![&mut self.0]
    }
    fn build(&self, _: &[Vec<usize>]) -> Result<()> {
        self.0.build([3])
    }
    fn output_shapes(&self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        Ok(shapes.to_vec())
    }
    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        let once = self.0.forward(&inputs[0], call.training);
        vec![self.0.forward(&once, call.training)]
    }
}

#[test]
fn each_call_of_a_layer_counts_whoever_calls_it() {
    let x = numbers([4, 3], 1);
    let layer = Dense::new(3).activity_regularizer(Regularizer::l2(0.5));
    let layer = LayerRef::new(layer);
    let model = classifier(LayerRef::block(Twice(layer.clone())), 0.0);
    let first = layer.forward(&x, false);
    let second = layer.forward(&first, false);
    let penalty = (first.square().sum() + second.square().sum()) * (0.5 / 4.0);
    let output = model.predict(&x).unwrap();
    let crossentropy = -(labels() * output.log()).sum().item() / 4.0;
    let loss = model.evaluate(&x, &labels()).unwrap().loss;
    let expected = crossentropy + penalty.item();
    assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
}

#[test]
fn weights_stay_where_their_constraint_allows_them() {
    let bounded = Dense::new(3)
        .kernel_constraint("non_neg")
        .bias_constraint("unit_norm");
    let mut model = classifier(bounded.into(), 0.0);
    let x = numbers([4, 3], 1);
    let settings = || Fit::epochs(3).batch_size(2).verbose(0);
    model.fit(&x, &labels(), settings()).unwrap();
    let weights = model.get_weights();
    assert!(weights[0].min().item() >= 0.0);
    assert!((weights[1].square().sum().item() - 1.0).abs() < 1e-4);
    // A frozen layer's weights are not touched.
    model.layers()[0].set_trainable(false);
    settle(&model);
    model.compile(SGD::new(), "mse", Metrics::none()).unwrap();
    let before = model.get_weights();
    model.fit(&x, &labels(), settings()).unwrap();
    assert_eq!(model.get_weights()[..2], before[..2]);
}
