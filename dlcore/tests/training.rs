//! Training from the outside: what `fit`, `evaluate` and `predict` do with good data and bad.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dlcore::interrupt;
use dlcore::prelude::*;

/// The random stream and the interrupt flag belong to the process, so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    interrupt::clear();
    set_seed(7);
    guard
}

/// Points in the plane and the quadrant each is in, as class number.
fn quadrants(samples: usize) -> (Tensor, Tensor) {
    let x = Tensor::uniform([samples, 2], -1.0, 1.0);
    let values = x.to_vec();
    let quadrant = |point: &[f32]| i64::from(point[0] > 0.0) + 2 * i64::from(point[1] > 0.0);
    let labels: Vec<i64> = values.chunks(2).map(quadrant).collect();
    (x, Tensor::from(labels))
}

fn classifier() -> Sequential {
    let mut network = Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([2]))
        .add(Dense::new(4).activation("softmax"));
    network
        .compile(
            Adam::new().learning_rate(0.02),
            "sparse_categorical_crossentropy",
            ["accuracy"],
        )
        .unwrap();
    network
}

fn quiet(epochs: usize) -> Fit {
    Fit::epochs(epochs).verbose(0)
}

#[track_caller]
fn message<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_network_learns_quadrants_and_repeats_bit_for_bit() {
    let _alone = alone();
    let run = || {
        set_seed(3);
        let (x, y) = quadrants(1000);
        let mut network = classifier();
        let history = network
            .fit(&x, &y, quiet(10).validation_split(0.2))
            .unwrap();
        (
            history,
            network.get_weights(),
            network.evaluate(&x, &y).unwrap(),
        )
    };
    let (history, weights, scores) = run();
    assert_eq!(
        history.metrics(),
        ["loss", "accuracy", "val_loss", "val_accuracy"]
    );
    assert_eq!(history.epochs(), (1..=10).collect::<Vec<_>>());
    assert_eq!(history.stop_reason(), "completed");
    assert!(scores["accuracy"] > 0.95, "{scores}");
    assert!(history.get("val_loss")[9] < history.get("val_loss")[0]);
    let again = run();
    assert_eq!(again.1, weights);
    assert_eq!(again.0.get("loss"), history.get("loss"));
}

#[test]
fn one_hot_and_class_numbers_train_alike_and_bytes_as_floats() {
    let _alone = alone();
    let (x, y) = quadrants(200);
    let bytes = (&(&x + 1.0) * 100.0).cast(DType::U8);
    let start = classifier();
    let train = |loss: &str, x: &Tensor, y: &Tensor| {
        let mut network = start.clone();
        network.compile("adam", loss, ["accuracy"]).unwrap();
        let history = network.fit(x, y, quiet(3).shuffle(false)).unwrap();
        (network.get_weights(), history.get("accuracy"))
    };
    let sparse = train("sparse_categorical_crossentropy", &bytes, &y);
    let hot = to_categorical(&y, 4);
    assert_eq!(train("categorical_crossentropy", &bytes, &hot), sparse);
    assert_eq!(
        train("categorical_crossentropy", &bytes.cast(DType::F32), &hot),
        sparse
    );
}

#[test]
fn sparse_rows_train_as_the_same_rows_dense() {
    let _alone = alone();
    let rows: Vec<Vec<u32>> = (0..60)
        .map(|i| (0..5).map(|j| (i * 7 + j * 11) % 40).collect())
        .collect();
    let labels: Vec<f32> = rows
        .iter()
        .map(|row| f32::from(u8::from(row.contains(&3))))
        .collect();
    let (x, y) = (
        Tensor::from_sparse_rows(40, &rows).unwrap(),
        Tensor::from(labels),
    );
    let mut start = Sequential::new()
        .add(Dense::new(8).activation("relu").input_shape([40]))
        .add(Dense::new(1).activation("sigmoid"));
    start
        .compile("rmsprop", "binary_crossentropy", ["accuracy"])
        .unwrap();
    let train = |x: &Tensor| {
        let mut network = start.clone();
        set_seed(1);
        network
            .fit(x, &y, quiet(4).batch_size(16).validation_split(0.25))
            .unwrap()
    };
    let (sparse, dense) = (train(&x), train(&x.to_dense()));
    for name in ["loss", "val_loss"] {
        for (a, b) in sparse.get(name).iter().zip(dense.get(name)) {
            assert!((a - b).abs() < 1e-5 * b.abs(), "{name}: {a} {b}");
        }
    }
}

#[test]
fn epoch_means_are_weighted_by_batch_size() {
    let _alone = alone();
    // Three samples in batches of two: the last batch counts half. No step is taken, so that the
    // epoch's mean is that of evaluate.
    let (x, y) = (
        Tensor::from([[1.0], [2.0], [6.0]]),
        Tensor::from([0.0, 0.0, 0.0]),
    );
    let mut network = Sequential::new().add(Dense::new(1).input_shape([1]));
    network
        .compile(SGD::new().learning_rate(1e-30), "mse", ["mae"])
        .unwrap();
    let history = network.fit(&x, &y, quiet(1).batch_size(2)).unwrap();
    let scores = network.evaluate(&x, &y).unwrap();
    assert!((history.get("loss")[0] - scores.loss).abs() < 1e-6 * scores.loss);
    assert!((history.get("mae")[0] - scores["mae"]).abs() < 1e-6 * scores.loss);
}

#[test]
fn the_split_is_the_end_of_the_data_before_shuffling() {
    let _alone = alone();
    let x = Tensor::from([[1.0], [1.0], [1.0], [5.0]]);
    let mut network = Sequential::new().add(Dense::new(1).use_bias(false).input_shape([1]));
    network
        .compile(SGD::new().learning_rate(1e-30), "mse", Metrics::none())
        .unwrap();
    network.set_weights(&[Tensor::ones([1, 1])]).unwrap();
    let y = Tensor::zeros([4]);
    let history = network
        .fit(&x, &y, quiet(1).validation_split(0.25))
        .unwrap();
    assert_eq!(
        (history.get("loss")[0], history.get("val_loss")[0]),
        (1.0, 25.0)
    );
}

#[test]
fn an_interrupt_ends_training_at_the_next_batch_with_the_history_so_far() {
    let _alone = alone();
    let (x, y) = quadrants(320);
    let mut network = classifier();
    let mut batches = 0;
    let press = LambdaCallback::new().on_batch_end(move |_, _| {
        batches += 1;
        if batches == 13 {
            interrupt::request();
        }
        Control::Continue
    });
    let history = network.fit(&x, &y, quiet(5).callback(press)).unwrap();
    assert_eq!(history.stop_reason(), "interrupted");
    assert_eq!(history.len(), 1);
    let partial = history.partial_epoch().unwrap();
    assert_eq!(
        (partial.epoch, partial.batches, partial.batches_per_epoch),
        (2, 3, 10)
    );
    assert!(partial.logs["loss"] > 0.0);
    assert!(
        history
            .to_string()
            .contains("epoch 2 stopped after 3 of 10 batches"),
        "{history}"
    );
    // What follows in the same cell still works, and a second fit stops at once.
    assert!(network.evaluate(&x, &y).is_ok() && network.predict(&x).is_ok());
    assert_eq!(
        network.fit(&x, &y, quiet(5)).unwrap().stop_reason(),
        "interrupted"
    );
    interrupt::clear();
    assert_eq!(
        network.fit(&x, &y, quiet(1)).unwrap().stop_reason(),
        "completed"
    );
}

#[test]
fn early_stopping_gives_back_the_best_weights() {
    let _alone = alone();
    let (x, y) = quadrants(64);
    // Labels at random: validation gets worse as soon as training memorises them.
    let shuffled = y.rows(&dlcore::random::permutation(64));
    let (xv, yv) = quadrants(64);
    let mut network = classifier();
    let stop = EarlyStopping::new("val_loss")
        .patience(3)
        .restore_best_weights(true);
    let settings = quiet(200)
        .validation_data(&xv, &yv)
        .callbacks(vec![Box::new(stop)]);
    let history = network.fit(&x, &shuffled, settings).unwrap();
    let (epoch, best) = history.best("val_loss");
    assert_eq!(history.len(), epoch + 3);
    assert_eq!(
        history.stop_reason(),
        format!("early stopping: val_loss was best in epoch {epoch}")
    );
    assert!((network.evaluate(&xv, &yv).unwrap().loss - best).abs() < 1e-6);
}

#[test]
fn a_callback_changes_the_learning_rate_and_sees_every_epoch() {
    struct Halve(Vec<f64>);
    impl Callback for Halve {
        fn epoch_end(&mut self, _: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
            assert!(logs.get("accuracy").is_some());
            self.0.push(model.learning_rate());
            model.set_learning_rate(model.learning_rate() / 2.0);
            if self.0.len() == 3 {
                assert_eq!(self.0, [0.02, 0.01, 0.005]);
                return Control::Stop("three are enough".to_string());
            }
            Control::Continue
        }
    }
    let _alone = alone();
    let (x, y) = quadrants(64);
    let history = classifier()
        .fit(&x, &y, quiet(9).callback(Halve(Vec::new())))
        .unwrap();
    assert_eq!(
        (history.len(), history.stop_reason()),
        (3, "three are enough")
    );
}

#[test]
fn nan_in_the_loss_ends_training_and_says_where() {
    let _alone = alone();
    let (x, y) = quadrants(96);
    let mut values = x.to_vec();
    values[2 * 70] = f32::NAN;
    let spoiled = Tensor::from_shape_vec([96, 2], values).unwrap();
    let mut network = classifier();
    let text = message(network.fit(&spoiled, &y, quiet(3).shuffle(false)));
    assert!(
        text.contains("the loss became NaN at batch 3 of 3 in epoch 1"),
        "{text}"
    );
    assert!(text.contains("x itself holds NaN"), "{text}");
    let history = network.history().unwrap();
    assert!(
        history
            .stop_reason()
            .starts_with("nan in the loss at batch 3 of 3 in epoch 1")
    );
    assert_eq!(history.partial_epoch().unwrap().batches, 2);
    assert!(network.evaluate(&x, &y).unwrap().loss.is_finite());
}

#[test]
fn weights_that_blew_up_are_put_back() {
    let _alone = alone();
    let (x, y) = (
        Tensor::uniform([64, 3], -1.0, 1.0),
        Tensor::uniform([64], -1.0, 1.0),
    );
    let mut network = Sequential::new()
        .add(Dense::new(8).input_shape([3]))
        .add(Dense::new(1));
    network
        .compile(SGD::new().learning_rate(1e6), "mse", Metrics::none())
        .unwrap();
    let text = message(network.fit(&x, &y, quiet(50)));
    assert!(
        text.contains("in epoch") && text.contains("lower the learning rate (now 1000000)"),
        "{text}"
    );
    let finite = |weight: &Tensor| weight.to_vec().iter().all(|w| w.is_finite());
    assert!(network.get_weights().iter().all(finite));
}

#[test]
fn a_panicking_callback_loss_or_metric_leaves_valid_weights() {
    let _alone = alone();
    let (x, y) = quadrants(96);
    let mut network = classifier();
    let bad = LambdaCallback::new().on_batch_end(|batch, _| {
        assert!(batch < 1, "no second batch, please");
        Control::Continue
    });
    let text = message(network.fit(&x, &y, quiet(2).callback(bad)));
    assert!(
        text.contains("a function panicked (no second batch, please)"),
        "{text}"
    );
    let hot = to_categorical(&y, 4);
    let failing = Loss::custom("failing", |_, _| panic!("no loss today"));
    network.compile("sgd", failing, Metrics::none()).unwrap();
    let text = message(network.fit(&x, &hot, quiet(1)));
    assert!(
        text.contains("(no loss today), at batch 1 of epoch 1"),
        "{text}"
    );
    // The weights are off the tape of the step that failed, and train again.
    network
        .compile("sgd", "categorical_crossentropy", ["accuracy"])
        .unwrap();
    assert!(network.fit(&x, &hot, quiet(1)).unwrap().get("loss")[0].is_finite());
}

#[test]
fn own_losses_and_metrics_train_as_the_built_in_ones() {
    let _alone = alone();
    let (x, y) = (
        Tensor::uniform([64, 3], -1.0, 1.0),
        Tensor::uniform([64, 1], -1.0, 1.0),
    );
    let mut start = Sequential::new()
        .add(Dense::new(4).activation("tanh").input_shape([3]))
        .add(Dense::new(1));
    let mut own = start.clone();
    start.compile("sgd", "mse", ["mae"]).unwrap();
    let squared = Loss::custom("squared", |y, p| (y - p).square());
    own.compile(
        "sgd",
        squared,
        [Metric::custom("distance", |y, p| (y - p).abs())],
    )
    .unwrap();
    let expected = start.fit(&x, &y, quiet(3).shuffle(false)).unwrap();
    let actual = own.fit(&x, &y, quiet(3).shuffle(false)).unwrap();
    for (name, twin) in [("loss", "loss"), ("mae", "distance")] {
        for (a, b) in expected.get(name).iter().zip(actual.get(twin)) {
            assert!((a - b).abs() < 1e-6, "{name}: {a} {b}");
        }
    }
    own.compile(
        "sgd",
        Loss::custom("constant", |_, _| Tensor::from(1.0)),
        Metrics::none(),
    )
    .unwrap();
    let text = message(own.fit(&x, &y, quiet(1)));
    assert!(
        text.contains("the loss \"constant\" does not depend on the model's output"),
        "{text}"
    );
}

#[test]
fn data_that_does_not_fit_is_refused_before_training() {
    let _alone = alone();
    let (x, y) = quadrants(8);
    let mut network = classifier();
    let before = network.get_weights();
    let mut refused = |x: &Tensor, y: &Tensor, settings: Fit, words: &[&str]| {
        let text = message(network.fit(x, y, settings));
        for word in words {
            assert!(text.contains(word), "{text:?} does not say {word:?}");
        }
    };
    refused(
        &Tensor::zeros([8, 1, 2]),
        &y,
        quiet(1),
        &[
            "(Dense): expected input of shape [batch, 2]",
            "got [8, 1, 2]",
            "x.reshape([8, 2])",
        ],
    );
    refused(
        &Tensor::zeros([8, 3]),
        &y,
        quiet(1),
        &["expected input of shape [batch, 2]", "got [8, 3]"],
    );
    refused(
        &Tensor::zeros([2]),
        &y,
        quiet(1),
        &["a batch of one: x.reshape([1, 2])"],
    );
    refused(
        &x,
        &y.slice(..7),
        quiet(1),
        &["x holds 8 samples, y 7 labels"],
    );
    refused(
        &Tensor::zeros([0, 2]),
        &Tensor::zeros([0]),
        quiet(1),
        &["x holds no samples"],
    );
    refused(
        &x,
        &y,
        quiet(1).batch_size(0),
        &["batch_size must be at least 1, got 0"],
    );
    refused(&x, &y, quiet(1).verbose(3), &["got 3"]);
    refused(
        &x,
        &(&y + 4),
        quiet(1),
        &["expected labels from 0 to 3 (4 classes)", "at position 0"],
    );
    refused(
        &x,
        &to_categorical(&y, 4),
        quiet(1),
        &["look one-hot", "\"categorical_crossentropy\""],
    );
    refused(
        &x,
        &y,
        quiet(1).validation_split(1.5),
        &["above 0 and below 1", "got 1.5"],
    );
    refused(
        &x,
        &y,
        quiet(1).validation_split(0.95),
        &["leaves none to train on"],
    );
    refused(
        &x,
        &y,
        quiet(1).validation_data(&Tensor::zeros([4, 3]), &y),
        &["fit: validation_data: ", "got [4, 3]"],
    );
    refused(
        &x,
        &y,
        quiet(1).validation_data(&x, &y.slice(..3)),
        &["fit: validation_data: x holds 8 samples, y 3"],
    );
    refused(
        &x,
        &y,
        quiet(1).callback(EarlyStopping::new("val_loss")),
        &["EarlyStopping", "validation_data"],
    );
    assert_eq!(network.get_weights(), before);
}

#[test]
fn labels_that_do_not_fit_the_loss_are_refused_with_what_to_do() {
    let _alone = alone();
    let (x, y) = quadrants(8);
    let mut network = classifier();
    network
        .compile("sgd", "categorical_crossentropy", ["accuracy"])
        .unwrap();
    let text = message(network.fit(&x, &y, quiet(1)));
    assert!(
        text.contains("sparse_categorical_crossentropy") && text.contains("to_categorical(&y, 4)"),
        "{text}"
    );
    let text = message(network.fit(&x, &to_categorical(&y, 6), quiet(1)));
    assert!(text.contains("one unit a class"), "{text}");
    let text = message(network.fit(&x, &Tensor::full([8, 4], 0.9), quiet(1)));
    assert!(
        text.contains("row 0 is [0.9, 0.9, 0.9, 0.9], which sums to 3.6"),
        "{text}"
    );
    let mut binary = Sequential::new().add(Dense::new(1).activation("sigmoid").input_shape([2]));
    binary
        .compile("sgd", "binary_crossentropy", ["accuracy"])
        .unwrap();
    let text = message(binary.fit(&x, &y, quiet(1)));
    assert!(text.contains("takes labels between 0 and 1, got"), "{text}");
}

#[test]
fn a_last_layer_that_does_not_fit_the_loss_is_refused() {
    let _alone = alone();
    let mut linear = Sequential::new().add(Dense::new(4).input_shape([2]));
    let text = message(linear.compile("sgd", "categorical_crossentropy", ["accuracy"]));
    assert!(
        text.contains(".activation(\"softmax\")") && text.contains("from_logits(true)"),
        "{text}"
    );
    linear
        .compile(
            "sgd",
            Loss::categorical_crossentropy().from_logits(true),
            ["accuracy"],
        )
        .unwrap();
    let mut one = Sequential::new().add(Dense::new(1).activation("softmax").input_shape([2]));
    let text = message(one.compile("sgd", "binary_crossentropy", ["accuracy"]));
    assert!(text.contains(".activation(\"sigmoid\")"), "{text}");
    one.compile("sgd", "categorical_crossentropy", ["accuracy"])
        .unwrap();
    let text = message(one.fit(&Tensor::zeros([4, 2]), &Tensor::zeros([4]), quiet(1)));
    assert!(text.contains("of which softmax is always 1"), "{text}");
}

#[test]
fn models_that_are_not_ready_say_what_is_missing() {
    let _alone = alone();
    let (x, y) = quadrants(8);
    let mut network = Sequential::new().add(Dense::new(4).activation("softmax"));
    assert!(message(network.fit(&x, &y, quiet(1))).contains("is not compiled"));
    assert!(message(network.predict(&x)).contains("has no weights yet"));
    assert!(message(Sequential::new().predict(&x)).contains("has no layers yet"));
    network
        .compile("sgd", "sparse_categorical_crossentropy", Metrics::none())
        .unwrap();
    assert!(message(network.evaluate(&x, &y)).contains("has no weights yet"));
    // Data that is refused does not decide what the model is built for.
    assert!(
        network
            .fit(&Tensor::zeros([8, 5]), &Tensor::full([8], 9.0), quiet(1))
            .is_err()
    );
    network.fit(&x, &y, quiet(1)).unwrap();
    assert_eq!(network.predict(&x).unwrap().shape(), [8, 4]);
}

#[test]
fn no_epochs_give_an_empty_history_and_a_later_start_goes_on() {
    let _alone = alone();
    let (x, y) = quadrants(64);
    let mut network = classifier();
    assert!(network.fit(&x, &y, quiet(0)).unwrap().is_empty());
    let history = network.fit(&x, &y, quiet(5).initial_epoch(3)).unwrap();
    assert_eq!(history.epochs(), [4, 5]);
}

#[test]
fn predictions_of_many_batches_are_those_of_one() {
    let _alone = alone();
    let (x, _) = quadrants(700);
    let network = classifier();
    let (whole, batched) = (network.forward(&x, false), network.predict(&x).unwrap());
    assert_eq!(batched.shape(), [700, 4]);
    for (a, b) in whole.to_vec().iter().zip(batched.to_vec()) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn a_model_that_was_saved_goes_on_bit_for_bit_where_it_was() {
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("dlcore-goes-on-{}.dl", std::process::id()));
    let (x, y) = quadrants(300);
    for optimizer in ["sgd", "rmsprop", "adam"] {
        let mut model = classifier();
        model
            .compile(optimizer, "sparse_categorical_crossentropy", ["accuracy"])
            .unwrap();
        model.fit(&x, &y, quiet(2)).unwrap();
        model.save(&path).unwrap();
        let mut loaded = Sequential::load(&path).unwrap();
        let go_on = |model: &mut Sequential| {
            set_seed(11);
            let history = model.fit(&x, &y, quiet(4).initial_epoch(2)).unwrap();
            (history.get("loss"), model.get_weights())
        };
        assert_eq!(go_on(&mut loaded), go_on(&mut model), "{optimizer}");
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn weights_that_run_away_in_the_last_step_are_put_back_and_callbacks_hear_of_the_end() {
    let mut model = Sequential::new().add(Dense::new(1).input_shape([1]));
    let optimizer = SGD::new().learning_rate(1e38);
    model.compile(optimizer, "mse", Metrics::none()).unwrap();
    let before = model.get_weights();
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = ended.clone();
    let callback = LambdaCallback::new()
        .on_train_end(move || seen.store(true, std::sync::atomic::Ordering::Relaxed));
    let (x, y) = (Tensor::full([4, 1], 1e3), Tensor::zeros([4, 1]));
    let settings = Fit::epochs(1).batch_size(4).callback(callback);
    let error = model.fit(&x, &y, settings.verbose(0)).unwrap_err();
    assert!(
        error.to_string().contains("are again those from before it"),
        "{error}"
    );
    assert_eq!(model.get_weights(), before);
    assert!(ended.load(std::sync::atomic::Ordering::Relaxed));
}

/// The first epoch did not come to its end, so that only its part knows what was measured.
#[test]
fn a_loss_that_runs_away_in_the_first_epoch_is_drawn_and_said() {
    let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
    let optimizer = SGD::new().learning_rate(1e6);
    model.compile(optimizer, "mse", ["mae"]).unwrap();
    let (x, y) = (Tensor::ones([640, 2]), Tensor::zeros([640, 1]));
    let error = model.fit(&x, &y, Fit::epochs(2).batch_size(8)).unwrap_err();
    assert!(
        error.to_string().contains("lower the learning rate"),
        "{error}"
    );
    let history = model.history().unwrap();
    assert!(history.is_empty() && history.partial_epoch().is_some());
    history.plot();
}

/// Sequences of another length than the first ones, images of another size: the first data say what there is,
/// not what may be.
#[test]
fn what_all_layers_take_is_taken_though_the_model_was_built_for_another_length() {
    let mut model = Sequential::new()
        .add(Conv1D::new(4, 3))
        .add(LSTM::new(4))
        .add(Dense::new(1));
    model.compile("adam", "mse", Metrics::none()).unwrap();
    model.build(&[24, 3]).unwrap();
    let predicted = model.predict(&Tensor::ones([5, 12, 3])).unwrap();
    assert_eq!(predicted.shape(), [5, 1]);
    let settings = Fit::epochs(1).verbose(0);
    let (x, y) = (Tensor::ones([5, 30, 3]), Tensor::ones([5, 1]));
    model.fit(&x, &y, settings).unwrap();
    let error = model.predict(&Tensor::ones([5, 12, 4])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected input of shape [batch, 24, 3]"),
        "{error}"
    );
}

#[test]
fn a_layer_that_refuses_its_input_is_an_error_in_its_own_words() {
    let mut model = Sequential::new()
        .add(Embedding::new(10, 2).input_shape([3]))
        .add(Flatten::new())
        .add(Dense::new(1));
    model.compile("adam", "mse", Metrics::none()).unwrap();
    let error = model.predict(&Tensor::full([1, 3], 10.0)).unwrap_err();
    assert!(
        error.to_string().starts_with("predict: embedding"),
        "{error}"
    );
}

/// Whatever waits for the end of training must hear of it.
#[test]
fn callbacks_hear_of_the_end_after_a_panic_in_one_of_them() {
    let _alone = alone();
    let ends = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = ends.clone();
    let count = LambdaCallback::new().on_train_end(move || {
        seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let bad = LambdaCallback::new().on_batch_end(|batch, _| assert!(batch < 1, "boom"));
    let (x, y) = quadrants(80);
    let settings = quiet(2).callback(count).callback(bad);
    let text = message(classifier().fit(&x, &y, settings));
    assert!(text.contains("a function panicked (boom)"), "{text}");
    assert_eq!(ends.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn weights_of_samples_that_are_no_numbers_are_found_out() {
    let _alone = alone();
    let (x, y) = quadrants(4);
    let weights = Tensor::from([1.0, f32::NAN, 1.0, 1.0]);
    let text = message(classifier().fit(&x, &y, quiet(1).sample_weight(&weights)));
    assert!(
        text.contains("sample_weight of this batch itself holds NaN"),
        "{text}"
    );
}

#[test]
fn a_hard_sigmoid_answers_yes_or_no_as_well() {
    let _alone = alone();
    let build = || Sequential::new().add(Dense::new(1).activation("hard_sigmoid").input_shape([2]));
    let mut model = build();
    model
        .compile("sgd", "binary_crossentropy", ["accuracy"])
        .unwrap();
    let (x, y) = (Tensor::uniform([32, 2], -1.0, 1.0), Tensor::ones([32, 1]));
    let history = model.fit(&x, &y, quiet(3)).unwrap();
    assert!(history.get("loss")[2] < history.get("loss")[0]);
    let logits = Loss::binary_crossentropy().from_logits(true);
    let text = message(build().compile("sgd", logits, ()));
    assert!(text.contains("ends in \"hard_sigmoid\""), "{text}");
}

/// Arrays without further words: a loss, and a list of metrics, for each output.
#[test]
fn losses_and_metrics_come_in_arrays() {
    let _alone = alone();
    let input = Input::new([2]);
    let (a, b) = (
        Dense::new(1).name("a").on(&input),
        Dense::new(1).name("b").on(&input),
    );
    let mut model = Model::new(&input, [&a, &b]).unwrap();
    let (x, y) = (Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    let mut recorded = |losses: Losses, metrics: OutputMetrics| {
        model.compile("sgd", losses, metrics).unwrap();
        let history = model.fit(&x, [&y, &y], quiet(1)).unwrap();
        history.metrics()[3..].join(" ")
    };
    assert_eq!(recorded(["mse", "mae"].into(), "mae".into()), "a_mae b_mae");
    let loss = [Loss::huber().delta(0.5), Loss::from("mse")];
    let metrics = [
        Metric::mean_absolute_error(),
        Metric::from("mse").named("second"),
    ];
    assert_eq!(
        recorded(loss.into(), metrics.into()),
        "a_mean_absolute_error a_second b_mean_absolute_error b_second"
    );
    let losses = Losses::from([("b", "mae"), ("a", "mse")]);
    let metrics = OutputMetrics::from([("b", "mse")]).weighted([("a", "mse"), ("b", "mse")]);
    assert_eq!(recorded(losses, metrics), "b_mse a_mse b_weighted_mse");
}

/// A model that is interrupted while it predicts.
struct Interrupted;

impl Trainable for Interrupted {
    fn get_weights(&self) -> Vec<Tensor> {
        Vec::new()
    }
    fn set_weights(&mut self, _: &[Tensor]) -> Result<()> {
        Ok(())
    }
    fn predict(&self, _: &Tensor) -> Result<Tensor> {
        interrupt::request();
        Err(Error::Model("predict was interrupted".to_string()))
    }
    fn learning_rate(&self) -> f64 {
        0.1
    }
    fn set_learning_rate(&mut self, _: f64) {}
    fn schedule(&self) -> Option<&'static str> {
        None
    }
    fn save(&self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
    fn save_weights(&self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_interrupt_while_predictions_are_shown_leaves_the_end_to_fit() {
    let _alone = alone();
    let mut live = LivePredictions::new(&Tensor::ones([2, 3]));
    let logs = Logs::from(vec![("loss".to_string(), 1.0)]);
    let control = live.epoch_end(0, &logs, &mut Interrupted);
    assert!(interrupt::requested());
    interrupt::clear();
    assert_eq!(control, Control::Continue);
}
