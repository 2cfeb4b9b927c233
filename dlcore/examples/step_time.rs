//! Time of the parts of a training step of the two first networks, best and median of many runs.
//!
//!     cargo run --release -p dlcore --example step_time

use std::time::Instant;

use dlcore::grad::ops;
use dlcore::{GradientTape, Tensor, set_seed};

fn time(name: &str, flops: f64, mut work: impl FnMut()) {
    for _ in 0..5 {
        work();
    }
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0] * 1e6, times[times.len() / 2] * 1e6);
    let rate = if flops > 0.0 {
        format!("{:7.1} GFLOP/s", flops / best / 1e3)
    } else {
        String::new()
    };
    println!("{name:44} best {best:8.1} us  median {median:8.1} us  {rate}");
}

fn main() {
    let parts = || {
        set_seed(1);
        mnist_products();
        mnist_step();
        imdb_step();
    };
    // With any argument: from within the pool of threads, as it would be without handing over.
    match std::env::args().len() {
        1 => parts(),
        _ => rayon::scope(|_| parts()),
    }
}

fn mnist_products() {
    let x = Tensor::uniform([128, 784], 0.0, 1.0);
    let w1 = Tensor::normal([784, 512], 0.0, 0.05);
    let h = Tensor::normal([128, 512], 0.0, 1.0);
    let w2 = Tensor::normal([512, 10], 0.0, 0.05);
    let g2 = Tensor::normal([128, 10], 0.0, 0.05);
    let flops = |m: usize, k: usize, n: usize| 2.0 * (m * k * n) as f64;
    time(
        "x·w1        128x784 · 784x512",
        flops(128, 784, 512),
        || drop(x.dot(&w1)),
    );
    time(
        "xᵀ·g1       784x128 · 128x512",
        flops(784, 128, 512),
        || drop(x.transpose().dot(&h)),
    );
    time(
        "g1·w1ᵀ      128x512 · 512x784",
        flops(128, 784, 512),
        || drop(h.dot(&w1.transpose())),
    );
    time(
        "h·w2        128x512 · 512x10",
        flops(128, 512, 10),
        || drop(h.dot(&w2)),
    );
    time(
        "hᵀ·g2       512x128 · 128x10",
        flops(128, 512, 10),
        || drop(h.transpose().dot(&g2)),
    );
    time(
        "g2·w2ᵀ      128x10 · 10x512",
        flops(128, 512, 10),
        || drop(g2.dot(&w2.transpose())),
    );
    let b = Tensor::zeros([512]);
    time("dense with bias", flops(128, 784, 512), || {
        drop(ops::dense(&x, &w1, Some(&b)))
    });
    time("relu 128x512", 0.0, || drop(h.relu()));
    time("h * h 128x512", 0.0, || drop(&h * &h));
    time("h + bias 128x512", 0.0, || drop(&h + &b));
    time("sum_axis(0) 128x512", 0.0, || drop(h.sum_axis(0)));
    time("w1 * w1 784x512", 0.0, || drop(&w1 * &w1));
    time("dropout 128x512", 0.0, || drop(ops::dropout(&h, 0.5, 3)));
    let images = Tensor::zeros([60_000, 784]);
    let order = dlcore::random::permutation(60_000);
    time("gather 128 of 60,000 images", 0.0, || {
        drop(images.rows(&order[..128]))
    });
    let logits = Tensor::normal([128, 10], 0.0, 1.0);
    let t = logits.softmax(-1);
    time("softmax 128x10", 0.0, || drop(logits.softmax(-1)));
    time("softmax_cross_entropy 128x10", 0.0, || {
        drop(ops::softmax_cross_entropy(&logits, &t))
    });
}

fn mnist_step() {
    let x = Tensor::uniform([128, 784], 0.0, 1.0);
    let labels: Vec<i64> = (0..128).map(|i| i % 10).collect();
    let targets = Tensor::from(labels).one_hot(10);
    let w1 = Tensor::normal([784, 512], 0.0, 0.05);
    let b1 = Tensor::zeros([512]);
    let w2 = Tensor::normal([512, 10], 0.0, 0.05);
    let b2 = Tensor::zeros([10]);
    time(
        "forward and gradients, 784-512-10",
        4.0 * 128.0 * 784.0 * 512.0,
        || {
            let tape = GradientTape::new();
            let [w1, b1, w2, b2] = [&w1, &b1, &w2, &b2].map(|t| tape.watch(t));
            let hidden = ops::dense(&x, &w1, Some(&b1)).unwrap().relu();
            let logits = ops::dense(&hidden, &w2, Some(&b2)).unwrap();
            let loss = ops::softmax_cross_entropy(&logits, &targets)
                .unwrap()
                .mean();
            drop(tape.gradient(&loss, &[&w1, &b1, &w2, &b2]));
        },
    );
}

fn imdb_step() {
    let rows: Vec<Vec<u32>> = (0..512_usize)
        .map(|_| {
            dlcore::random::permutation(10_000)[..140]
                .iter()
                .map(|&c| c as u32)
                .collect()
        })
        .collect();
    let x = Tensor::from_sparse_rows(10_000, &rows).unwrap();
    let targets = Tensor::uniform([512, 1], 0.0, 1.0);
    let w1 = Tensor::normal([10_000, 16], 0.0, 0.05);
    let w2 = Tensor::normal([16, 16], 0.0, 0.05);
    let w3 = Tensor::normal([16, 1], 0.0, 0.05);
    let g = Tensor::normal([512, 16], 0.0, 0.05);
    time("sparse 512x10000 · 10000x16", 0.0, || drop(x.dot(&w1)));
    time("sparseᵀ 10000x512 · 512x16", 0.0, || {
        let tape = GradientTape::new();
        let w = tape.watch(&w1);
        drop(tape.gradient(&(x.dot(&w) * &g).sum(), &[&w]));
    });
    time("forward and gradients, 10000-16-16-1", 0.0, || {
        let tape = GradientTape::new();
        let [w1, w2, w3] = [&w1, &w2, &w3].map(|t| tape.watch(t));
        let h1 = ops::dense(&x, &w1, None).unwrap().relu();
        let h2 = ops::dense(&h1, &w2, None).unwrap().relu();
        let logits = ops::dense(&h2, &w3, None).unwrap();
        let loss = ops::sigmoid_cross_entropy(&logits, &targets)
            .unwrap()
            .mean();
        drop(tape.gradient(&loss, &[&w1, &w2, &w3]));
    });
}
