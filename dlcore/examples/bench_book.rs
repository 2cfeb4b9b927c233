//! Seconds an epoch takes of the book's two first networks.
//!
//! ```text
//! cargo run --release -p dlcore --example bench_book [EPOCHS]
//! ```
//!
//! The data is random, of the shapes and, for the reviews, the sparsity of the real sets: MNIST
//! (60,000 pictures, 784-512-10, batch 128, categorical cross-entropy) and IMDB (15,000 reviews of
//! 132 different words out of 10,000, 16-16-1, batch 512, validated on 10,000 more). The first
//! epoch warms caches and threads up and is left out of the median.

use std::time::Instant;

use dlcore::prelude::*;

fn main() -> Result<()> {
    let epochs: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    set_seed(1);
    mnist(epochs)?;
    imdb(epochs)
}

fn mnist(epochs: usize) -> Result<()> {
    let x = Tensor::uniform([60_000, 784], 0.0, 1.0);
    let y = to_categorical(&Tensor::from(labels(60_000, 10)), 10);
    let mut network = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
        .add(Dense::new(10).activation("softmax"));
    network.compile(RMSprop::new(), "categorical_crossentropy", ["accuracy"])?;
    let settings = Fit::epochs(epochs).batch_size(128);
    timed(
        "mnist 784-512-10, batch 128",
        &mut network,
        &x,
        &y,
        settings,
    )
}

fn imdb(epochs: usize) -> Result<()> {
    let reviews = |count: usize| Tensor::from_sparse_rows(10_000, &words(count));
    let (x, xv) = (reviews(15_000)?, reviews(10_000)?);
    let y = Tensor::from(labels(15_000, 2)).cast(DType::F32);
    let yv = Tensor::from(labels(10_000, 2)).cast(DType::F32);
    let mut network = Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([10_000]))
        .add(Dense::new(16).activation("relu"))
        .add(Dense::new(1).activation("sigmoid"));
    network.compile("rmsprop", "binary_crossentropy", ["accuracy"])?;
    let settings = Fit::epochs(epochs)
        .batch_size(512)
        .validation_data(&xv, &yv);
    timed(
        "imdb 10000-16-16-1, batch 512, validated",
        &mut network,
        &x,
        &y,
        settings,
    )
}

fn labels(count: usize, classes: usize) -> Vec<i64> {
    let draws = Tensor::uniform([count], 0.0, classes as f64).to_vec();
    draws
        .iter()
        .map(|&draw| (draw as i64).min(classes as i64 - 1))
        .collect()
}

/// Rows of 132 words on average; low numbers, which stand for frequent words, are drawn more often.
fn words(reviews: usize) -> Vec<Vec<u32>> {
    let draws = Tensor::uniform([reviews, 150], 0.0, 1.0).to_vec();
    let word = |&draw: &f32| (draw.powi(4) * 9_999.0) as u32;
    draws
        .chunks(150)
        .map(|row| row.iter().map(word).collect())
        .collect()
}

fn timed(
    what: &str,
    network: &mut Sequential,
    x: &Tensor,
    y: &Tensor,
    settings: Fit,
) -> Result<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut last = Instant::now();
    let clock = LambdaCallback::new().on_epoch_end(move |_, _| {
        sender.send(last.elapsed().as_secs_f64()).ok();
        last = Instant::now();
        Control::Continue
    });
    network.fit(x, y, settings.verbose(0).callback(clock))?;
    let mut seconds: Vec<f64> = receiver.iter().collect();
    let first = seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or(first);
    let least = seconds.first().copied().unwrap_or(first);
    println!("{what}: median {median:.3} s/epoch, best {least:.3}, first {first:.3}");
    Ok(())
}
