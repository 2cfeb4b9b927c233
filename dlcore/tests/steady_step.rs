//! A step of a small network is so short that asking for memory would be most of it: after the first steps
//! `fit` asks for none.
//!
//! What is counted is everybody's, so there is one test, in a process of its own. It runs on the thread of a pool of
//! one: a program's own thread hands its work to the pool through a queue of rayon's, which asks for a block of
//! memory for each 63 pieces, and how many threads there are decides how many buffers are in use at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use dlcore::optimizers::OptimizerChoice;
use dlcore::prelude::*;

/// The system's allocator, which counts how often it is asked.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is handed on to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Samples of a batch.
const BATCH: usize = 8;

/// How often memory is asked for in an epoch of so many steps, of a model that was trained before.
fn asked(network: &mut Sequential, x: &Tensor, y: &Tensor, steps: usize) -> Result<usize> {
    let (x, y) = (x.slice(..steps * BATCH), y.slice(..steps * BATCH));
    let settings = || Fit::epochs(1).batch_size(BATCH).verbose(0);
    network.fit(&x, &y, settings())?;
    let before = ASKED.load(Ordering::Relaxed);
    network.fit(&x, &y, settings())?;
    Ok(ASKED.load(Ordering::Relaxed) - before)
}

fn network(activation: &str, units: usize, features: usize) -> Sequential {
    Sequential::new()
        .add(Dense::new(16).activation("relu").input_shape([features]))
        .add(Dense::new(12).use_bias(false))
        .add(Dense::new(units).activation(activation))
}

fn dense_layers() -> Result<()> {
    let x = Tensor::uniform([160, 7], -1.0, 1.0);
    let numbers = Tensor::uniform([160], 0.0, 1.0);
    let binary = numbers.greater(0.5).cast(DType::F32).reshape([160, 1]);
    let classes: Vec<i64> = (0..160).map(|i| i % 3).collect();
    let numbers_of_classes: Tensor = classes.clone().into();
    let classes = to_categorical(&classes.into(), 3);
    for (loss, metrics, activation, y) in [
        ("mse", vec!["mae"], "linear", &numbers),
        ("mae", vec!["mse"], "relu", &numbers),
        ("binary_crossentropy", vec!["accuracy"], "sigmoid", &binary),
        (
            "categorical_crossentropy",
            vec!["accuracy"],
            "softmax",
            &classes,
        ),
        (
            "sparse_categorical_crossentropy",
            vec!["accuracy"],
            "softmax",
            &numbers_of_classes,
        ),
    ] {
        let decay = ExponentialDecay::new(0.1, 100, 0.9);
        let optimizers: [(&str, OptimizerChoice); 10] = [
            ("sgd", "sgd".into()),
            ("momentum", SGD::new().momentum(0.9).nesterov(true).into()),
            ("rmsprop", "rmsprop".into()),
            ("adam", "adam".into()),
            ("adamw", "adamw".into()),
            ("adamax", "adamax".into()),
            ("nadam", "nadam".into()),
            ("adagrad", "adagrad".into()),
            ("adadelta", "adadelta".into()),
            (
                "clipped, decaying",
                Adam::new().learning_rate(decay).clipnorm(1.0).into(),
            ),
        ];
        for (name, optimizer) in optimizers {
            let units = if activation == "softmax" { 3 } else { 1 };
            let mut network = network(activation, units, 7);
            network.compile(optimizer, loss, metrics.clone())?;
            let few = asked(&mut network, &x, y, 10)?;
            let many = asked(&mut network, &x, y, 20)?;
            assert_eq!(few, many, "{loss}, {name}: in 10 and in 20 steps");
        }
    }
    Ok(())
}

/// Trains a network on batches of 8 of these samples.
fn none_is_asked_for(what: &str, mut network: Sequential, x: &Tensor) -> Result<()> {
    let labels: Vec<i64> = (0..x.shape()[0] as i64).map(|i| i % 3).collect();
    let y = to_categorical(&labels.into(), 3);
    network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;
    let steps = x.shape()[0] / BATCH;
    let few = asked(&mut network, x, &y, steps / 2)?;
    let many = asked(&mut network, x, &y, steps)?;
    assert_eq!(few, many, "{what}: in {} and in {steps} steps", steps / 2);
    Ok(())
}

/// The network of chapter 5.1 on smaller pictures: two that are computed by one thread, and large enough for several.
fn convolutions() -> Result<()> {
    for (side, filters) in [(18, 4), (28, 32)] {
        let network = Sequential::new()
            .add(Conv2D::new(filters, 3).activation("relu"))
            .add(MaxPooling2D::new(2))
            .add(Conv2D::new(2 * filters, 3).activation("relu"))
            .add(MaxPooling2D::new(2))
            .add(Conv2D::new(2 * filters, 2).activation("relu"))
            .add(Flatten::new())
            .add(Dense::new(64).activation("relu"))
            .add(Dense::new(3).activation("softmax"));
        let x = Tensor::uniform([4 * BATCH, side, side, 1], 0.0, 1.0);
        none_is_asked_for("convolutions", network, &x)?;
    }
    Ok(())
}

fn recurrent_layers() -> Result<()> {
    let words = Tensor::randint([6 * BATCH, 20], 0, 50);
    let lstm = Sequential::new()
        .add(Embedding::new(50, 16))
        .add(LSTM::new(16))
        .add(Dense::new(3).activation("softmax"));
    none_is_asked_for("LSTM", lstm, &words)?;
    let stacked = Sequential::new()
        .add(Embedding::new(50, 16))
        .add(GRU::new(8).return_sequences(true))
        .add(SimpleRNN::new(8))
        .add(Dense::new(3).activation("softmax"));
    none_is_asked_for("GRU and SimpleRNN", stacked, &words)
}

fn dropout_and_batch_normalization() -> Result<()> {
    let network = Sequential::new()
        .add(Dense::new(32).activation("relu"))
        .add(Dropout::new(0.5))
        .add(BatchNormalization::new())
        .add(Dense::new(3).activation("softmax"));
    none_is_asked_for("dropout", network, &Tensor::uniform([160, 20], 0.0, 1.0))
}

/// What `train_on_batch` asks for does not grow with the network: it checks the batch as anybody's and returns what it has
/// measured under names.
fn batches_by_hand() -> Result<()> {
    let x = Tensor::uniform([32, 20], 0.0, 1.0);
    let classes: Vec<i64> = (0..32).map(|i| i % 3).collect();
    let y = to_categorical(&classes.into(), 3);
    for layers in [1, 5] {
        let mut network = Sequential::new();
        for _ in 0..layers {
            network = network.add(Dense::new(40).activation("relu"));
        }
        network = network.add(Dense::new(3).activation("softmax"));
        network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;
        for _ in 0..2 {
            network.train_on_batch(&x, &y)?;
        }
        let before = ASKED.load(Ordering::Relaxed);
        network.train_on_batch(&x, &y)?;
        let asked = ASKED.load(Ordering::Relaxed) - before;
        // Lists of inputs, labels and weights: 5; of layers and leaves, to see that they are those it was compiled
        // for: 4; the tally and its metric: 9; names and values that are returned: 6.
        assert_eq!(asked, 5 + 4 + 9 + 6, "{layers} layers and the last");
    }
    Ok(())
}

#[test]
fn a_step_asks_for_no_memory() -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a pool of one thread").install(|| {
        dense_layers()?;
        convolutions()?;
        recurrent_layers()?;
        dropout_and_batch_normalization()?;
        batches_by_hand()
    })
}
