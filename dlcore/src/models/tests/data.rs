//! Data that comes batch by batch.

use super::numbers;
use crate::layers::{Conv2D, Dense, LSTM};
use crate::metrics::Metrics;
use crate::models::*;
use crate::{Result, Tensor};

fn model() -> Sequential {
    let mut model = Sequential::new()
        .add(Dense::new(4).activation("tanh").input_shape([3]))
        .add(Dense::new(1));
    model.compile("adam", "mse", ["mae"]).unwrap();
    model
}

#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

/// The data in batches of `size`, over and over.
fn batches(x: &Tensor, y: &Tensor, size: usize) -> impl Iterator<Item = (Tensor, Tensor)> + use<> {
    let (x, y) = (x.clone(), y.clone());
    let count = x.shape()[0].div_ceil(size);
    let part = move |data: &Tensor, index: usize| {
        let start = index % count * size;
        data.slice(start..(start + size).min(data.shape()[0]))
    };
    (0..).map(move |index| (part(&x, index), part(&y, index)))
}

#[test]
fn a_generator_trains_as_the_tensors_it_is_made_from() {
    let (x, y) = (numbers([10, 3], 1), numbers([10, 1], 2));
    let start = model();
    let (mut whole, mut parts) = (start.clone(), start.clone());
    let settings = Fit::epochs(3).batch_size(4).shuffle(false).verbose(0);
    let expected = whole.fit(&x, &y, settings.validation_data(&x, &y)).unwrap();
    let settings = Fit::epochs(3).steps_per_epoch(3).verbose(0);
    let settings = settings.validation_batches(batches(&x, &y, 4), 3);
    let history = parts.fit_batches(batches(&x, &y, 4), settings).unwrap();
    assert_eq!(parts.get_weights(), whole.get_weights());
    for name in expected.metrics() {
        assert_eq!(history.get(name), expected.get(name), "{name}");
    }
    let scores = parts.evaluate_batches(batches(&x, &y, 5), 2).unwrap();
    assert!((scores.loss - parts.evaluate(&x, &y).unwrap().loss).abs() < 1e-6);
    assert!((parts.test_on_batch(&x, &y).unwrap()["mae"] - scores["mae"]).abs() < 1e-6);
    assert_eq!(parts.predict_on_batch(&x).unwrap().shape(), [10, 1]);
    let small = parts.predict_in_batches(&x, 3).unwrap();
    assert!((small - parts.predict(&x).unwrap()).abs().max().item() < 1e-6);
}

#[test]
fn a_generator_goes_on_where_it_was_and_may_end() {
    let (x, y) = (numbers([4, 3], 1), numbers([4, 1], 2));
    let mut model = model();
    let mut stream = batches(&x, &y, 2);
    let two = || Fit::epochs(1).steps_per_epoch(2).verbose(0);
    model.fit_batches(stream.by_ref().take(2), two()).unwrap();
    let history = model.fit_batches(stream.take(3), Fit::epochs(5).steps_per_epoch(2).verbose(0));
    let history = history.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(
        history.stop_reason(),
        "the generator ended after 1 of 2 batches in epoch 2"
    );
    assert_eq!(history.partial_epoch().unwrap().batches, 1);
}

#[test]
fn batches_that_do_not_fit_are_refused_when_they_come() {
    let (x, y) = (numbers([4, 3], 1), numbers([4, 1], 2));
    let mut model = model();
    let text = refusal(model.fit_batches(batches(&x, &y, 2), Fit::epochs(1)));
    assert!(text.contains(".steps_per_epoch(100)"), "{text}");
    let settings = || Fit::epochs(1).steps_per_epoch(2).verbose(0);
    let second = batches(&x, &y, 2)
        .take(1)
        .chain([(numbers([2, 5], 1), y.slice(..2))]);
    let text = refusal(model.fit_batches(second, settings()));
    assert!(
        text.contains("batch 2 of epoch 1") && text.contains("got [2, 5]"),
        "{text}"
    );
    let text = refusal(model.fit_batches(batches(&x, &y, 2), settings().validation_split(0.5)));
    assert!(text.contains("validation_batches"), "{text}");
    let text = refusal(model.fit(&x, &y, settings()));
    assert!(
        text.contains("steps_per_epoch is for fit_batches"),
        "{text}"
    );
    // Nor does a first batch that is refused decide what the model is built for.
    let mut unbuilt = Sequential::new().add(Dense::new(1));
    unbuilt.compile("sgd", "mse", Metrics::none()).unwrap();
    let wrong = batches(&numbers([4, 7], 1), &numbers([4, 2], 1), 2);
    assert!(unbuilt.fit_batches(wrong, settings()).is_err());
    assert!(!unbuilt.is_built() && unbuilt.count_params() == 0);
    unbuilt.fit_batches(batches(&x, &y, 2), settings()).unwrap();
}

#[test]
fn class_weights_reach_the_batches_of_a_generator() {
    let (x, y) = (
        numbers([4, 3], 1),
        Tensor::from([[0.0], [1.0], [1.0], [0.0]]),
    );
    let train = |classes: Vec<(i64, f64)>, weights: Option<Tensor>| {
        let mut model = Sequential::new().add(Dense::new(1).activation("sigmoid").input_shape([3]));
        model
            .set_weights(&[numbers([3, 1], 4), Tensor::zeros([1])])
            .unwrap();
        model
            .compile("sgd", "binary_crossentropy", Metrics::none())
            .unwrap();
        let mut batch = Batch::new(&x, &y);
        if let Some(weights) = &weights {
            batch = batch.sample_weight(weights);
        }
        let settings = Fit::epochs(1)
            .steps_per_epoch(1)
            .class_weight(classes)
            .verbose(0);
        model.fit_batches([batch], settings).unwrap();
        model.get_weights()
    };
    let by_sample = train(vec![], Some(Tensor::from([1.0, 3.0, 3.0, 1.0])));
    assert_eq!(train(vec![(1, 3.0)], None), by_sample);
}

#[test]
fn a_sequence_trains_as_the_tensors_it_is_made_from_in_a_new_order_each_epoch() {
    let (x, y) = (numbers([10, 3], 1), numbers([10, 1], 2));
    let start = model();
    let list: Vec<(Tensor, Tensor)> = batches(&x, &y, 4).take(3).collect();
    let settings = || Fit::epochs(3).batch_size(4).shuffle(false).verbose(0);
    let (mut whole, mut parts) = (start.clone(), start.clone());
    let expected = whole
        .fit(&x, &y, settings().validation_data(&x, &y))
        .unwrap();
    let history = parts
        .fit_sequence(&list, settings().validation_sequence(&list))
        .unwrap();
    assert_eq!(parts.get_weights(), whole.get_weights());
    assert_eq!(history.get("val_mae"), expected.get("val_mae"));
    let scores = parts.evaluate_sequence(&list).unwrap();
    assert!((scores.loss - parts.evaluate(&x, &y).unwrap().loss).abs() < 1e-6);
    // Each batch once an epoch, in whatever order.
    let asked = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let ended = std::rc::Rc::new(std::cell::Cell::new(0));
    let (noted, counted) = (asked.clone(), ended.clone());
    let many = BatchSequence::new(20, move |index| {
        noted.borrow_mut().push(index);
        list[index % 3].clone()
    });
    let many = many.on_epoch_end(move || counted.set(counted.get() + 1));
    model()
        .fit_sequence(many, Fit::epochs(2).verbose(0))
        .unwrap();
    let asked = asked.borrow();
    let (one, two) = (&asked[..20], &asked[20..]);
    assert!(one != two && ended.get() == 2);
    for order in [one, two] {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn sequences_that_are_too_short_or_break_are_refused_in_words() {
    let (x, y) = (numbers([4, 3], 1), numbers([4, 1], 2));
    let mut model = model();
    let list: Vec<(Tensor, Tensor)> = batches(&x, &y, 2).take(2).collect();
    let quiet = || Fit::epochs(1).verbose(0);
    let text = refusal(model.fit_sequence(&list, quiet().steps_per_epoch(3)));
    assert!(
        text.contains("takes 3 batches, but the sequence has 2"),
        "{text}"
    );
    let none: Vec<(Tensor, Tensor)> = Vec::new();
    let text = refusal(model.fit_sequence(none.clone(), quiet()));
    assert!(text.contains("the sequence has 0"), "{text}");
    let text = refusal(model.fit_sequence(&list, quiet().validation_sequence(none.clone())));
    assert!(text.contains("validation_sequence has no batch"), "{text}");
    assert!(model.evaluate_sequence(none).is_err());
    let text = refusal(model.fit_sequence(&list, quiet().validation_split(0.5)));
    assert!(text.contains("validation_sequence"), "{text}");
    let broken = BatchSequence::new(2, |index| match index {
        0 => (Tensor::ones([2, 3]), Tensor::ones([2, 1])),
        _ => panic!("file 1 is missing"),
    });
    let before = model.get_weights();
    let text = refusal(model.fit_sequence(broken, quiet().shuffle(false)));
    assert!(
        text.contains("file 1 is missing") && text.contains("at batch 2"),
        "{text}"
    );
    assert_ne!(model.get_weights(), before);
    let text = refusal(model.fit_batches(list, quiet()));
    assert!(text.contains("fit_sequence"), "{text}");
}

#[test]
fn a_generator_without_a_batch_is_an_error_that_changes_nothing() {
    let mut model = model();
    let none: Vec<(Tensor, Tensor)> = Vec::new();
    let settings = Fit::epochs(1).steps_per_epoch(2).verbose(0);
    let text = refusal(model.fit_batches(none.clone(), settings));
    assert_eq!(text, "fit_batches: the generator has no batch");
    let text = refusal(model.evaluate_batches(none, 2));
    assert_eq!(text, "evaluate_batches: the generator has no more batches");
    assert!(model.history().is_none());
}

/// The epoch is over and recorded; only what it was to be validated on is not all there.
#[test]
fn a_validation_generator_that_runs_short_ends_training_in_words() {
    let (x, y) = (numbers([4, 3], 1), numbers([4, 1], 2));
    let mut model = model();
    let settings = |batches: usize| {
        let validation = batches_of(&x, &y, batches);
        Fit::epochs(5).verbose(0).validation_batches(validation, 2)
    };
    let history = model.fit(&x, &y, settings(3)).unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(
        history.stop_reason(),
        "the validation generator ended after 1 of 2 batches in epoch 2"
    );
    assert!(history.get("val_loss").iter().all(|loss| loss.is_finite()));
    let history = model.fit(&x, &y, settings(2)).unwrap();
    assert_eq!(history.len(), 2);
    assert!(
        history
            .stop_reason()
            .contains("after 0 of 2 batches in epoch 2")
    );
    assert!(history.get("val_loss")[1].is_nan() && history.get("loss")[1].is_finite());
}

fn batches_of(x: &Tensor, y: &Tensor, count: usize) -> Vec<(Tensor, Tensor)> {
    batches(x, y, 2).take(count).collect()
}

#[test]
fn labels_of_samples_for_a_layer_that_answers_at_each_place_are_told_what_is_missing() {
    let images = Tensor::ones([6, 8, 8, 1]);
    let mut model = Sequential::new()
        .add(Conv2D::new(4, 3).input_shape([8, 8, 1]))
        .add(Dense::new(3).activation("softmax"));
    let missing = "answers at each of the 6 x 6 places of an image, the labels are one a sample: put Flatten::new() or \
                   GlobalAveragePooling2D::new() before it";
    let one_hot = Tensor::from([0, 1, 2, 0, 1, 2]).one_hot(3);
    let cases = [
        ("categorical_crossentropy", one_hot.clone()),
        (
            "sparse_categorical_crossentropy",
            Tensor::from([0, 1, 2, 0, 1, 2]),
        ),
        ("sparse_categorical_crossentropy", Tensor::zeros([6, 1])),
        ("mse", one_hot),
    ];
    for (loss, labels) in cases {
        model.compile("sgd", loss, ["accuracy"]).unwrap();
        let said = refusal(model.fit(&images, &labels, Fit::epochs(1).verbose(0)));
        assert!(said.contains(missing), "{loss}: {said}");
    }
    // Labels for each place that are of the wrong width are another matter.
    model.compile("sgd", "mse", ["mae"]).unwrap();
    let said = refusal(model.fit(
        &images,
        &Tensor::ones([6, 6, 6, 2]),
        Fit::epochs(1).verbose(0),
    ));
    assert!(!said.contains("Flatten"), "{said}");
    let mut model = Sequential::new()
        .add(LSTM::new(4).return_sequences(true).input_shape([5, 2]))
        .add(Dense::new(1).activation("sigmoid"));
    model
        .compile("sgd", "binary_crossentropy", ["accuracy"])
        .unwrap();
    let said = refusal(model.fit(
        &Tensor::ones([6, 5, 2]),
        &Tensor::ones([6]),
        Fit::epochs(1).verbose(0),
    ));
    assert!(
        said.contains("each of the 5 timesteps") && said.contains("return_sequences(false)"),
        "{said}"
    );
    let steps = Tensor::ones([6, 5]);
    model
        .fit(&Tensor::ones([6, 5, 2]), &steps, Fit::epochs(1).verbose(0))
        .unwrap();
}
