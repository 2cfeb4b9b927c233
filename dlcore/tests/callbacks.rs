//! Callbacks, schedules and metrics as a `fit` meets them, with real files.

use std::fs;
use std::path::PathBuf;

use dlcore::prelude::*;

fn data(samples: usize) -> (Tensor, Tensor) {
    let number = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
    let x: Vec<f32> = (0..2 * samples).map(number).collect();
    let y: Vec<f32> = x
        .chunks(2)
        .map(|p| f32::from(u8::from(p[0] > p[1])))
        .collect();
    (
        Tensor::from(x).reshape([samples, 2]),
        Tensor::from(y).reshape([samples, 1]),
    )
}

fn network(optimizer: impl Optimizer + 'static, metrics: impl Into<Metrics>) -> Sequential {
    let mut network = Sequential::new()
        .add(Dense::new(4).activation("tanh").input_shape([2]))
        .add(Dense::new(1).activation("sigmoid"));
    let weights: Vec<Tensor> = network
        .get_weights()
        .iter()
        .map(|w| (Tensor::arange(0.0, w.len() as f64, 1.0) / 10.0 - 0.3).reshape(w.shape()))
        .collect();
    network.set_weights(&weights).unwrap();
    let optimizer: Box<dyn Optimizer> = Box::new(optimizer);
    network
        .compile(optimizer, "binary_crossentropy", metrics)
        .unwrap();
    network
}

fn quiet(epochs: usize) -> Fit {
    Fit::epochs(epochs).batch_size(16).shuffle(false).verbose(0)
}

/// A folder of its own for a test, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("dlcore-fit-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_checkpoint_is_the_model_of_its_epoch_and_trains_on_from_there() {
    let folder = Folder::new("checkpoint");
    let (x, y) = data(80);
    let optimizer = Adam::new().learning_rate(ExponentialDecay::new(0.1, 3, 0.8));
    let mut network = network(optimizer, ["accuracy"]);
    let checkpoint = ModelCheckpoint::new(folder.path("{epoch:02}.dl"));
    network.fit(&x, &y, quiet(4).callback(checkpoint)).unwrap();
    let mut second = Sequential::load(folder.path("02.dl")).unwrap();
    second.fit(&x, &y, quiet(4).initial_epoch(2)).unwrap();
    assert_eq!(second.get_weights(), network.get_weights());
    assert_eq!(
        fs::read_dir(&folder.0).unwrap().count(),
        4,
        "no unfinished files are left"
    );
}

#[test]
fn the_best_weights_alone_can_be_kept() {
    let folder = Folder::new("best");
    let (x, y) = data(80);
    let mut network = network(SGD::new().learning_rate(0.5), Metrics::none());
    let path = folder.path("best.safetensors");
    let best = ModelCheckpoint::new(&path)
        .save_best_only(true)
        .save_weights_only(true);
    let settings = quiet(5).validation_split(0.25).callback(best);
    let history = network.fit(&x, &y, settings).unwrap();
    let (_, least) = history.best("val_loss");
    network.load_weights(&path).unwrap();
    let scores = network.evaluate(&x.slice(60..), &y.slice(60..)).unwrap();
    assert!(
        (scores.loss - least).abs() < 1e-6,
        "{} {least}",
        scores.loss
    );
}

#[test]
fn a_callback_that_fails_ends_training_and_leaves_model_and_history() {
    let folder = Folder::new("fails");
    fs::write(folder.path("file"), "").unwrap();
    let (x, y) = data(80);
    let mut network = network(SGD::new(), Metrics::none());
    let before = network.get_weights();
    let checkpoint = ModelCheckpoint::new(folder.path("file/model.dl"));
    let error = network
        .fit(&x, &y, quiet(3).callback(checkpoint))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("fit: ") && error.contains("file"),
        "{error}"
    );
    assert!(
        error.contains("history() the epochs that were finished"),
        "{error}"
    );
    let history = network.history().unwrap();
    assert_eq!((history.len(), history.stop_reason()), (1, "an error"));
    assert_ne!(network.get_weights(), before);
    network.fit(&x, &y, quiet(1)).unwrap();
}

#[test]
fn with_terminate_on_nan_a_loss_that_is_none_ends_training_with_its_history() {
    let (x, y) = data(64);
    let mut values = x.to_vec();
    values[70] = f32::NAN;
    let x = Tensor::from(values).reshape(x.shape());
    let mut first = network(SGD::new(), Metrics::none());
    assert!(first.fit(&x, &y, quiet(2)).is_err());
    let mut second = network(SGD::new(), Metrics::none());
    let history = second
        .fit(&x, &y, quiet(2).callback(TerminateOnNaN::new()))
        .unwrap();
    let reason = history.stop_reason();
    assert_eq!(reason, "nan in the loss at batch 3 of 4 in epoch 1");
    assert_eq!(second.history(), Some(&history));
}

#[test]
fn logs_of_a_training_are_in_their_files() {
    let folder = Folder::new("logs");
    let (x, y) = data(80);
    let mut network = network(RMSprop::new(), ["accuracy"]);
    let settings = quiet(2)
        .validation_split(0.2)
        .callback(CSVLogger::new(folder.path("log.csv")))
        .callback(TensorBoard::new(folder.path("board")));
    let history = network.fit(&x, &y, settings).unwrap();
    let text = fs::read_to_string(folder.path("log.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "epoch,accuracy,loss,val_accuracy,val_loss");
    let loss: f64 = lines[2].split(',').nth(2).unwrap().parse().unwrap();
    assert_eq!(loss, history.get("loss")[1]);
    for part in ["train", "validation"] {
        let files = fs::read_dir(folder.path("board").join(part)).unwrap();
        assert_eq!(files.count(), 1, "{part}");
    }
}

#[test]
fn the_rate_falls_by_callback_and_not_where_a_schedule_has_it() {
    let (x, y) = data(32);
    let mut network = network(SGD::new().learning_rate(0.5), Metrics::none());
    let halve = || LearningRateScheduler::new(|_, rate| rate / 2.0);
    network.fit(&x, &y, quiet(3).callback(halve())).unwrap();
    assert_eq!(Trainable::learning_rate(&*network), 0.0625);
    let scheduled = SGD::new().learning_rate(CosineDecay::new(0.1, 10));
    network.compile(scheduled, "mse", Metrics::none()).unwrap();
    let error = network
        .fit(&x, &y, quiet(1).callback(halve()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("follows CosineDecay"), "{error}");
}

/// These are no means of batch means: 700 samples are more than `evaluate` takes at a time.
#[test]
fn metrics_of_an_evaluation_are_those_of_all_samples_at_once() {
    let (x, y) = data(700);
    let own = Metric::custom("own", |y, p| (y - p).square().mean().sqrt());
    let metrics = vec![
        Metric::precision(),
        Metric::recall(),
        Metric::auc(),
        Metric::f1_score(),
        Metric::root_mean_squared_error(),
        Metric::r2_score(),
        own,
    ];
    let network = network(SGD::new(), metrics.clone());
    let scores = network.evaluate(&x, &y).unwrap();
    let predictions = network.predict(&x).unwrap();
    for metric in &metrics {
        let expected = metric.call(&y, &predictions).unwrap();
        let name = metric.name();
        assert!(
            (scores[name] - expected).abs() < 1e-6,
            "{name}: {} {expected}",
            scores[name]
        );
    }
    assert!((scores["own"] - scores["root_mean_squared_error"]).abs() < 1e-6);
    let mut validated = network.clone();
    let settings = quiet(1).validation_data(&x, &y);
    let history = validated.fit(&x, &y, settings).unwrap();
    let after = validated.evaluate(&x, &y).unwrap();
    for metric in &metrics {
        let (name, value) = (metric.name(), after[metric.name()]);
        let recorded = history.get(&format!("val_{name}"))[0];
        assert!(
            (recorded - value).abs() < 1e-6,
            "{name}: {recorded} {value}"
        );
    }
}

#[test]
fn closures_see_every_part_of_a_training() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(String::new()));
    let note = |what: &'static str| {
        let seen = seen.clone();
        move || seen.lock().unwrap().push_str(what)
    };
    let (begin, end) = (note("("), note(")"));
    let (epoch, epoch_end) = (note("["), note("]"));
    let (batch, batch_end) = (note("<"), note(">"));
    let callback = LambdaCallback::new()
        .on_train_begin(begin)
        .on_train_end(end)
        .on_epoch_begin(move |_| {
            epoch();
            Control::Continue
        })
        .on_epoch_end(move |_, _| {
            epoch_end();
            Control::Continue
        })
        .on_batch_begin(move |_| {
            batch();
            Control::Continue
        })
        .on_batch_end(move |_, _| {
            batch_end();
            Control::Continue
        });
    let (x, y) = data(32);
    let mut network = network(SGD::new(), Metrics::none());
    network.fit(&x, &y, quiet(2).callback(callback)).unwrap();
    assert_eq!(*seen.lock().unwrap(), "([<><>][<><>])");
}

/// As in Keras: the rate of the epoch's steps, whoever changes it after the epoch.
#[test]
fn the_learning_rate_is_recorded_where_a_callback_changes_it() {
    let (x, y) = data(32);
    let mut model = network(SGD::new().learning_rate(0.5), Metrics::none());
    let halved =
        LearningRateScheduler::new(|epoch, rate| if epoch == 0 { rate } else { rate / 2.0 });
    let settings = quiet(3).validation_split(0.5).callback(halved);
    let history = model.fit(&x, &y, settings).unwrap();
    assert_eq!(history.metrics(), ["loss", "val_loss", "learning_rate"]);
    assert_eq!(history.get("learning_rate"), [0.5, 0.25, 0.125]);
    history.plot();
    let plateau = ReduceLROnPlateau::new("loss").patience(1).min_delta(10.0);
    let folder = Folder::new("rate");
    let log = CSVLogger::new(folder.path("log.csv"));
    let mut model = network(SGD::new().learning_rate(0.5), Metrics::none());
    let settings = quiet(4).callback(plateau).callback(log);
    let rates = model.fit(&x, &y, settings).unwrap().get("learning_rate");
    assert_eq!(rates[..2], [0.5, 0.5]);
    assert!(
        (rates[2] - 0.05).abs() < 1e-7 && (rates[3] - 0.005).abs() < 1e-8,
        "{rates:?}"
    );
    let text = fs::read_to_string(folder.path("log.csv")).unwrap();
    assert!(
        text.starts_with("epoch,learning_rate,loss")
            || text.starts_with("epoch,loss,learning_rate"),
        "{text}"
    );
    let history = model.fit(&x, &y, quiet(1)).unwrap();
    assert_eq!(history.metrics(), ["loss"]);
}

#[test]
fn closures_may_return_nothing_or_a_decision() {
    let (x, y) = data(32);
    let mut model = network(SGD::new(), Metrics::none());
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (begins, ends) = (seen.clone(), seen.clone());
    let callback = LambdaCallback::new()
        .on_epoch_begin(move |epoch| begins.lock().unwrap().push(format!("begin {epoch}")))
        .on_epoch_end(move |epoch, logs| {
            ends.lock().unwrap().push(format!("end {epoch}"));
            match logs["loss"] < 0.0 || epoch == 1 {
                true => Control::Stop("enough".into()),
                false => Control::Continue,
            }
        });
    let history = model.fit(&x, &y, quiet(5).callback(callback)).unwrap();
    assert_eq!(history.stop_reason(), "enough");
    assert_eq!(
        *seen.lock().unwrap(),
        ["begin 0", "end 0", "begin 1", "end 1"]
    );
}

#[test]
fn a_live_plot_is_told_how_to_draw_before_training() {
    let (x, y) = data(32);
    let mut model = network(SGD::new(), Metrics::none());
    let plot = LivePlot::new().smoothing(0.9).mark_best(false);
    model.fit(&x, &y, quiet(2).callback(plot)).unwrap();
    let error = model.fit(&x, &y, quiet(2).callback(LivePlot::new().smoothing(1.0)));
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("smoothing must be at least 0 and below 1, got 1"),
        "{text}"
    );
}

#[test]
fn a_checkpoint_that_no_format_can_hold_is_refused_before_training() {
    let (x, y) = data(32);
    let mut model = network(SGD::new(), Metrics::none());
    let text = model.fit(&x, &y, quiet(1).callback(ModelCheckpoint::new("best.h5")));
    let text = text.unwrap_err().to_string();
    assert!(
        text.contains("best.h5") && text.contains(".keras"),
        "{text}"
    );
    assert!(model.history().is_none());
}

/// The library computes as if numbers below the normal range were zero; nobody else is to.
#[test]
fn the_smallest_numbers_count_in_callbacks_and_after_fit_also_where_it_panics() {
    use std::hint::black_box;
    let count = || black_box(1e-30_f32) * black_box(1e-10_f32) > 0.0;
    for panics in [false, true] {
        let (x, y) = data(64);
        let mut network = network(SGD::new(), ["accuracy"]);
        let watch = LambdaCallback::new().on_batch_end(move |batch, _| {
            assert!(count(), "not in a callback");
            assert!(!(panics && batch == 2), "on purpose");
            Control::Continue
        });
        let ended = network.fit(&x, &y, quiet(2).callback(watch));
        assert!(count(), "not after fit");
        match ended {
            Ok(history) => assert!(!panics && history.len() == 2),
            Err(error) => assert!(
                panics && error.to_string().contains("on purpose"),
                "{error}"
            ),
        }
    }
}
