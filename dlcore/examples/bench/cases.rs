//! The cases, each as it is written in a notebook.

use std::time::Instant;

use dlcore::prelude::*;
use serde_json::json;

/// Who is measured, in the figures.
pub const PEER: &str = "dlcore";

pub const NAMES: [&str; 9] = [
    "gemm", "mnist", "imdb", "convnet", "lstm", "small", "boston", "evaluate", "startup",
];

/// Runs a case and prints its figures; `start` is when the process began.
pub fn run(case: &str, start: Instant) -> Result<()> {
    set_seed(1);
    match case {
        "gemm" => gemm(),
        "startup" => startup(start)?,
        "mnist" => mnist()?,
        "imdb" => imdb()?,
        "convnet" => convnet()?,
        "lstm" => lstm()?,
        "small" => small()?,
        "boston" => boston()?,
        "evaluate" => evaluate()?,
        other => crate::scaling::run(other)?,
    }
    if let Some(peak) = peak_megabytes() {
        tell(case, "peak_MB", peak);
    }
    Ok(())
}

pub fn tell(case: &str, metric: &str, value: f64) {
    let figure = json!({ "peer": PEER, "case": case, "metric": metric, "value": value });
    println!("{figure}");
}

/// The largest resident memory so far, where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

fn labels(count: usize, classes: usize) -> Tensor {
    let draws = Tensor::uniform([count], 0.0, classes as f64).to_vec();
    let label = |&draw: &f32| (draw as i64).min(classes as i64 - 1);
    Tensor::from(draws.iter().map(label).collect::<Vec<_>>())
}

pub fn one_hot(count: usize) -> Tensor {
    to_categorical(&labels(count, 10), 10)
}

/// The seconds of each epoch but the first, which warms caches and threads up.
pub fn epochs(network: &mut Sequential, x: &Tensor, y: &Tensor, settings: Fit) -> Result<Vec<f64>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut last = Instant::now();
    let clock = LambdaCallback::new().on_epoch_end(move |_, _| {
        sender.send(last.elapsed().as_secs_f64()).ok();
        last = Instant::now();
        Control::Continue
    });
    network.fit(x, y, settings.verbose(0).callback(clock))?;
    Ok(receiver.iter().skip(1).collect())
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn first_network(units: usize) -> Result<Sequential> {
    let mut network = Sequential::new()
        .add(Dense::new(units).activation("relu").input_shape([28 * 28]))
        .add(Dense::new(10).activation("softmax"));
    network.compile(RMSprop::new(), "categorical_crossentropy", ["accuracy"])?;
    Ok(network)
}

/// What the processor can do at most: the product of two large matrices.
fn gemm() {
    const SIDE: usize = 1024;
    let (a, b) = (
        Tensor::uniform([SIDE, SIDE], -1.0, 1.0),
        Tensor::uniform([SIDE, SIDE], -1.0, 1.0),
    );
    let mut seconds = Vec::new();
    for _ in 0..60 {
        let start = Instant::now();
        std::hint::black_box(a.dot(&b));
        seconds.push(start.elapsed().as_secs_f64());
    }
    let operations = 2.0 * (SIDE * SIDE * SIDE) as f64;
    tell("gemm", "gflops", operations / median(seconds) / 1e9);
}

fn startup(start: Instant) -> Result<()> {
    let mut network = first_network(512)?;
    let (x, y) = (Tensor::uniform([128, 784], 0.0, 1.0), one_hot(128));
    network.train_on_batch(&x, &y)?;
    tell("startup", "first_batch_s", start.elapsed().as_secs_f64());
    Ok(())
}

fn mnist() -> Result<()> {
    let (x, y) = (Tensor::uniform([60_000, 784], 0.0, 1.0), one_hot(60_000));
    let mut network = first_network(512)?;
    let seconds = epochs(&mut network, &x, &y, Fit::epochs(6).batch_size(128))?;
    tell("mnist", "epoch_s", median(seconds));
    Ok(())
}

fn evaluate() -> Result<()> {
    let (x, y) = (Tensor::uniform([10_000, 784], 0.0, 1.0), one_hot(10_000));
    let mut network = first_network(512)?;
    network.train_on_batch(&x.slice(..128), &y.slice(..128))?;
    let mut seconds = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        network.evaluate_with(&x, &y, Evaluate::new().batch_size(128))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    tell("evaluate", "evaluate_s", median(seconds));
    Ok(())
}

/// Rows of 150 words; low numbers, which stand for frequent words, are drawn more often.
fn reviews(count: usize) -> Result<Tensor> {
    let draws = Tensor::uniform([count, 150], 0.0, 1.0).to_vec();
    let word = |&draw: &f32| (draw.powi(4) * 9_999.0) as u32;
    let rows: Vec<Vec<u32>> = draws
        .chunks(150)
        .map(|row| row.iter().map(word).collect())
        .collect();
    Tensor::from_sparse_rows(10_000, &rows)
}

fn imdb() -> Result<()> {
    let (x, xv) = (reviews(15_000)?, reviews(10_000)?);
    let (y, yv) = (
        labels(15_000, 2).cast(DType::F32),
        labels(10_000, 2).cast(DType::F32),
    );
    let mut network = Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([10_000]))
        .add(Dense::new(16).activation("relu"))
        .add(Dense::new(1).activation("sigmoid"));
    network.compile("rmsprop", "binary_crossentropy", ["accuracy"])?;
    let settings = Fit::epochs(11).batch_size(512).validation_data(&xv, &yv);
    let seconds = epochs(&mut network, &x, &y, settings)?;
    tell("imdb", "epoch_s", median(seconds));
    Ok(())
}

pub fn convolutional() -> Result<Sequential> {
    let mut network = Sequential::new()
        .add(
            Conv2D::new(32, 3)
                .activation("relu")
                .input_shape([28, 28, 1]),
        )
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation("relu"))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation("relu"))
        .add(Flatten::new())
        .add(Dense::new(64).activation("relu"))
        .add(Dense::new(10).activation("softmax"));
    network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;
    Ok(network)
}

fn convnet() -> Result<()> {
    let samples = 64 * 50;
    let (x, y) = (
        Tensor::uniform([samples, 28, 28, 1], 0.0, 1.0),
        one_hot(samples),
    );
    let mut network = convolutional()?;
    let seconds = epochs(&mut network, &x, &y, Fit::epochs(6).batch_size(64))?;
    tell("convnet", "step_ms", median(seconds) / 50.0 * 1e3);
    Ok(())
}

fn lstm() -> Result<()> {
    let samples = 128 * 10;
    let x = labels(samples * 500, 10_000).reshape([samples, 500]);
    let y = labels(samples, 2).cast(DType::F32);
    let mut network = Sequential::new()
        .add(Embedding::new(10_000, 32).input_shape([500]))
        .add(LSTM::new(32))
        .add(Dense::new(1).activation("sigmoid"));
    network.compile("rmsprop", "binary_crossentropy", ["accuracy"])?;
    let seconds = epochs(&mut network, &x, &y, Fit::epochs(4).batch_size(128))?;
    tell("lstm", "step_ms", median(seconds) / 10.0 * 1e3);
    Ok(())
}

fn small() -> Result<()> {
    let samples = 32 * 1000;
    let (x, y) = (
        Tensor::uniform([samples, 20], 0.0, 1.0),
        Tensor::uniform([samples, 1], 0.0, 1.0),
    );
    let mut network = Sequential::new()
        .add(Dense::new(32).activation("relu").input_shape([20]))
        .add(Dense::new(1));
    network.compile("rmsprop", "mse", Metrics::none())?;
    let seconds = epochs(&mut network, &x, &y, Fit::epochs(8).batch_size(32))?;
    tell("small", "step_us", median(seconds) / 1000.0 * 1e6);
    let (x, y) = (x.slice(..32), y.slice(..32));
    let mut seconds = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..300 {
            network.train_on_batch(&x, &y)?;
        }
        seconds.push(start.elapsed().as_secs_f64() / 300.0);
    }
    tell("small", "train_on_batch_us", median(seconds) * 1e6);
    Ok(())
}

fn boston() -> Result<()> {
    let samples = 404;
    let (x, y) = (
        Tensor::normal([samples, 13], 0.0, 1.0),
        Tensor::uniform([samples], 5.0, 50.0),
    );
    let mut network = Sequential::new()
        .add(Dense::new(64).activation("relu").input_shape([13]))
        .add(Dense::new(64).activation("relu"))
        .add(Dense::new(1));
    network.compile("rmsprop", "mse", ["mae"])?;
    let seconds = epochs(&mut network, &x, &y, Fit::epochs(41).batch_size(1))?;
    tell("boston", "step_us", median(seconds) / samples as f64 * 1e6);
    // The book's experiment: what is left of the samples trains, a fourth of them validates.
    let fold = samples / 4;
    let start = Instant::now();
    for first in (0..samples).step_by(fold) {
        let mut network = network.clone();
        let rest = |t: &Tensor| {
            let (before, after) = (t.slice(..first), t.slice(first + fold..));
            Tensor::concat(&[&before, &after], 0)
        };
        let (xv, yv) = (x.slice(first..first + fold), y.slice(first..first + fold));
        let settings = Fit::epochs(100).batch_size(1).verbose(0);
        network.fit(&rest(&x), &rest(&y), settings.validation_data(&xv, &yv))?;
    }
    tell("boston", "folds_s", start.elapsed().as_secs_f64());
    Ok(())
}
