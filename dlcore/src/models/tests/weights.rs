//! Samples and classes that do not count alike.

use super::{close, numbers};
use crate::grad::GradientTape;
use crate::layers::Dense;
use crate::metrics::Metrics;
use crate::models::*;
use crate::optimizers::SGD;
use crate::{Result, Tensor};

fn linear() -> Sequential {
    let mut model = Sequential::new().add(Dense::new(2).use_bias(false).input_shape([3]));
    model.set_weights(&[numbers([3, 2], 9)]).unwrap();
    model
        .compile(SGD::new().learning_rate(0.5), "mse", ["mae"])
        .unwrap();
    model
}

/// The weight after one step on the weighted loss, computed by hand; and that loss.
fn by_hand(x: &Tensor, y: &Tensor, weights: &Tensor) -> (Tensor, f64) {
    let tape = GradientTape::new();
    let before = numbers([3, 2], 9);
    let w = tape.watch(&before);
    let losses = (x.dot(&w) - y).square().mean_axis(1);
    let loss = (losses * weights).sum() / x.shape()[0] as f64;
    let value = loss.item();
    (
        &before - tape.gradient(&loss, &[&w]).swap_remove(0) * 0.5,
        value,
    )
}

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn weights_of_samples_and_classes_are_those_of_the_formula() {
    let (x, y) = (
        numbers([4, 3], 1),
        Tensor::from([0_i64, 1, 1, 0]).one_hot(2),
    );
    let weights = Tensor::from([1.0, 4.0, 4.0, 1.0]);
    let (expected, loss) = by_hand(&x, &y, &weights);
    let once = || Fit::epochs(1).batch_size(4).shuffle(false).verbose(0);
    let mut by_sample = linear();
    let history = by_sample
        .fit(&x, &y, once().sample_weight(&weights))
        .unwrap();
    close(&by_sample.get_weights()[0], &expected);
    assert!((history.get("loss")[0] - loss).abs() < 1e-6);
    let mut by_class = linear();
    by_class
        .fit(&x, &y, once().class_weight([(1, 4.0)]))
        .unwrap();
    assert_eq!(by_class.get_weights(), by_sample.get_weights());
    let mut by_batch = linear();
    by_batch
        .train_batch((x.clone(), y.clone(), weights.clone()))
        .unwrap();
    assert_eq!(by_batch.get_weights(), by_sample.get_weights());
    let scores = linear()
        .evaluate_with(
            &x,
            &y,
            Evaluate::new().batch_size(3).sample_weight(&weights),
        )
        .unwrap();
    assert!((scores.loss - loss).abs() < 1e-6);
    // Metrics are not weighted.
    assert_eq!(
        scores["mae"],
        linear()
            .evaluate_with(&x, &y, Evaluate::new().batch_size(3))
            .unwrap()["mae"]
    );
}

#[test]
fn weights_are_shuffled_and_split_with_their_samples() {
    let (x, y) = (numbers([10, 3], 1), numbers([10, 2], 2));
    // Only the samples of weight 0 are wrong.
    let right = x.dot(&numbers([3, 2], 9));
    let weights: Vec<f32> = (0..10).map(|i| (i % 2) as f32).collect();
    let mixed: Vec<Tensor> = (0..10)
        .map(|i| if i % 2 == 1 { right.get(i) } else { y.get(i) })
        .collect();
    let labels = Tensor::stack(&mixed.iter().collect::<Vec<_>>(), 0);
    let settings = Fit::epochs(2)
        .batch_size(3)
        .verbose(0)
        .validation_split(0.2);
    let history = linear()
        .fit(&x, &labels, settings.sample_weight(&Tensor::from(weights)))
        .unwrap();
    assert!(history.get("loss")[1] < 1e-9, "{history}");
    assert!(history.get("val_loss")[1] < 1e-9, "{history}");
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let (x, y) = (numbers([4, 3], 1), numbers([4, 2], 2));
    let mut model = linear();
    let quiet = || Fit::epochs(1).verbose(0);
    let text = refusal(model.fit(&x, &y, quiet().sample_weight(&Tensor::ones([3]))));
    assert!(
        text.contains("x holds 4 samples, sample_weight has shape [3]"),
        "{text}"
    );
    let both = quiet()
        .sample_weight(&Tensor::ones([4]))
        .class_weight([(0, 2.0)]);
    assert!(refusal(model.fit(&x, &y, both)).contains("cannot both say"));
    let input = Input::new([3]);
    let (a, b) = (Dense::new(1).on(&input), Dense::new(1).on(&input));
    let mut two = Model::new(&input, [&a, &b]).unwrap();
    two.compile("sgd", "mse", Metrics::none()).unwrap();
    let ones = Tensor::ones([4, 1]);
    let text = refusal(two.fit(&x, [&ones, &ones], quiet().class_weight([(0, 2.0)])));
    assert!(
        text.contains("class_weight is for models with one output"),
        "{text}"
    );
    two.fit(
        &x,
        [&ones, &ones],
        quiet().sample_weight(&Tensor::ones([4])),
    )
    .unwrap();
}
