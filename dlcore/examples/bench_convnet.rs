//! How long a forward and backward pass of chapter 5's convnet takes on a batch of 64:
//! `cargo run --release -p dlcore --example bench_convnet`.

use std::time::{Duration, Instant};

use dlcore::GradientTape;
use dlcore::grad::ops::softmax_cross_entropy;
use dlcore::layers::Layer;
use dlcore::prelude::*;

const BATCH: usize = 64;
const ROUNDS: usize = 60;

/// Convolutions of the first network for MNIST of chapter 5, then its two dense layers.
fn layers() -> Vec<Box<dyn Layer>> {
    vec![
        Box::new(Conv2D::new(32, 3).activation("relu")),
        Box::new(MaxPooling2D::new(2)),
        Box::new(Conv2D::new(64, 3).activation("relu")),
        Box::new(MaxPooling2D::new(2)),
        Box::new(Conv2D::new(64, 3).activation("relu")),
        Box::new(Dense::new(64).activation("relu")),
        Box::new(Dense::new(10)),
    ]
}

/// What a layer takes: the dense ones a batch of rows.
fn fitted(layer: &dyn Layer, x: Tensor) -> Tensor {
    match layer.kind() {
        "Dense" => x.reshape([x.shape()[0] as isize, -1]),
        _ => x,
    }
}

fn build(layers: &mut [Box<dyn Layer>]) -> Result<usize> {
    let mut shape = vec![28, 28, 1];
    let mut params = 0;
    for layer in layers {
        if layer.kind() == "Dense" {
            shape = vec![shape.iter().product()];
        }
        layer.build(&shape)?;
        shape = layer.output_shape(&shape)?;
        params += layer.weights().iter().map(|w| w.len()).sum::<usize>();
    }
    Ok(params)
}

/// Forward and backward; the time each took.
fn step(layers: &mut [Box<dyn Layer>], x: &Tensor, y: &Tensor) -> (Duration, Duration) {
    let start = Instant::now();
    let tape = GradientTape::new();
    for layer in layers.iter_mut() {
        for weight in layer.weights_mut() {
            *weight = tape.watch(weight);
        }
    }
    let logits = layers.iter().fold(x.clone(), |x, layer| {
        layer.forward(&fitted(&**layer, x), true)
    });
    let loss = softmax_cross_entropy(&logits, y).expect("classes").mean();
    let forward = start.elapsed();
    let weights: Vec<&Tensor> = layers.iter().flat_map(|layer| layer.weights()).collect();
    let gradients = tape.gradient(&loss, &weights);
    assert_eq!(gradients.len(), weights.len());
    let backward = start.elapsed() - forward;
    drop(gradients);
    for layer in layers.iter_mut() {
        for weight in layer.weights_mut() {
            *weight = weight.detach();
        }
    }
    (forward, backward)
}

/// The median, in milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// Each layer by itself: forward, and backward to its weights and its input.
fn alone(layers: &[Box<dyn Layer>], x: &Tensor) {
    let mut x = x.clone();
    for layer in layers {
        x = fitted(&**layer, x);
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let mut layer = layer.clone();
            let tape = GradientTape::new();
            for weight in layer.weights_mut() {
                *weight = tape.watch(weight);
            }
            let watched = tape.watch(&x);
            let start = Instant::now();
            let y = layer.forward(&watched, true);
            forward.push(start.elapsed());
            let loss = y.sum();
            let start = Instant::now();
            let mut sources = vec![&watched];
            sources.extend(layer.weights());
            drop(tape.gradient(&loss, &sources));
            backward.push(start.elapsed());
        }
        let name = layer.name();
        println!(
            "  {name:<16} forward {:6.2} ms, backward {:6.2} ms",
            median(forward),
            median(backward)
        );
        x = layer.forward(&x, true);
    }
}

fn main() -> Result<()> {
    set_seed(1);
    let mut layers = layers();
    println!("{} parameters, batches of {BATCH}", build(&mut layers)?);
    let x = Tensor::uniform([BATCH, 28, 28, 1], 0.0, 1.0);
    let y = Tensor::from((0..BATCH).map(|i| (i % 10) as i64).collect::<Vec<_>>());
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (f, b) = step(&mut layers, &x, &y);
        forward.push(f);
        backward.push(b);
    }
    let (forward, backward) = (median(forward), median(backward));
    println!(
        "forward {forward:.2} ms, backward {backward:.2} ms, together {:.2} ms",
        forward + backward
    );
    alone(&layers, &x);
    Ok(())
}
