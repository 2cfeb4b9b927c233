//! The library's kernels one by one, against what the machine can do:
//! `cargo bench -p dlcore [-- NAME …]`, where a name is a part of those in the table.
//!
//! A kernel is as fast as it can be when it computes at the machine's peak or moves its data at the
//! machine's bandwidth, whichever takes longer; `share` is how near it comes. Peak and bandwidth are
//! measured in the same run, by the product of two matrices of 1024 by 1024 and by a sum of two long
//! vectors into a third. Data that fits into the processor's cache can be moved faster than that: a share
//! above 100 % says so.

use std::hint::black_box;
use std::time::Instant;

use dlcore::layers::Layer;
use dlcore::prelude::*;

/// What a kernel is asked for.
struct Kernel {
    name: String,
    /// Multiplications and additions.
    operations: f64,
    /// Least bytes to read and write.
    bytes: f64,
    run: Box<dyn FnMut()>,
}

impl Kernel {
    fn new(
        name: impl Into<String>,
        operations: usize,
        numbers: usize,
        run: impl FnMut() + 'static,
    ) -> Kernel {
        Kernel {
            name: name.into(),
            operations: operations as f64,
            bytes: 4.0 * numbers as f64,
            run: Box::new(run),
        }
    }
}

/// The median time, of at least 20 runs and a quarter of a second.
fn seconds(mut run: impl FnMut()) -> f64 {
    for _ in 0..3 {
        run();
    }
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < 20 || begun.elapsed().as_secs_f64() < 0.25 {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn uniform(shape: &[usize]) -> Tensor {
    Tensor::uniform(shape.to_vec(), -1.0, 1.0)
}

/// The products of the book's dense layers: forward, and the gradient of the kernel.
fn products() -> Vec<Kernel> {
    let shapes = [
        (128, 784, 512),
        (784, 128, 512),
        (128, 512, 10),
        (512, 128, 10),
        (512, 16, 16),
        (32, 20, 32),
        (1, 64, 64),
    ];
    let product = |(m, k, n): (usize, usize, usize)| {
        let (a, b) = (uniform(&[m, k]), uniform(&[k, n]));
        let name = format!("product {m}x{k} by {k}x{n}");
        Kernel::new(name, 2 * m * k * n, m * k + k * n + m * n, move || {
            black_box(a.dot(&b));
        })
    };
    shapes.map(product).into()
}

/// A layer forward, and backward to its weights and its input.
fn layer(
    words: &str,
    mut layer: impl Layer + Clone + 'static,
    x: Tensor,
    operations: usize,
) -> [Kernel; 2] {
    layer.build(&x.shape()[1..]).expect("the shape fits");
    let size = x.len() + layer.forward(&x, true).len();
    let (forward, input) = (layer.clone(), x.clone());
    let name = format!("{words} forward");
    let forward = Kernel::new(name, operations, size, move || {
        black_box(forward.forward(&input, true));
    });
    let name = format!("{words} forward and backward");
    let both = Kernel::new(name, 3 * operations, 3 * size, move || {
        let mut layer = layer.clone();
        let tape = GradientTape::new();
        for weight in layer.weights_mut() {
            *weight = tape.watch(weight);
        }
        let x = tape.watch(&x);
        let loss = layer.forward(&x, true).sum();
        let mut sources = vec![&x];
        sources.extend(layer.weights());
        black_box(tape.gradient(&loss, &sources));
    });
    [forward, both]
}

fn layers() -> Vec<Kernel> {
    let convolution = |side: usize, from: usize, to: usize| {
        let out = side - 2;
        let operations = 64 * 2 * 9 * out * out * from * to;
        let words = format!("convolution 3x3 of 64x{side}x{side}x{from} to {to}");
        layer(
            &words,
            Conv2D::new(to, 3),
            uniform(&[64, side, side, from]),
            operations,
        )
    };
    let words = Tensor::uniform([128, 500], 0.0, 9_999.0).cast(DType::I64);
    let mut kernels = Vec::new();
    kernels.extend(convolution(28, 1, 32));
    kernels.extend(convolution(13, 32, 64));
    kernels.extend(convolution(5, 64, 64));
    let picture = uniform(&[64, 26, 26, 32]);
    let compared = picture.len();
    kernels.extend(layer(
        "largest of 2x2 in 64x26x26x32",
        MaxPooling2D::new(2),
        picture,
        compared,
    ));
    let steps = 2 * 128 * 500 * (32 + 32) * 128;
    kernels.extend(layer(
        "LSTM 32 of 128x500x32",
        LSTM::new(32),
        uniform(&[128, 500, 32]),
        steps,
    ));
    let mut embedding = Embedding::new(10_000, 32);
    embedding.build(&[500]).expect("the shape fits");
    let numbers = 2 * 128 * 500 * 32;
    kernels.push(Kernel::new(
        "Embedding 32 of 128x500 forward",
        0,
        numbers,
        move || {
            black_box(embedding.forward(&words, true));
        },
    ));
    kernels.extend(layer(
        "softmax of 128x1000",
        Softmax::new(),
        uniform(&[128, 1000]),
        3 * 128_000,
    ));
    kernels
}

/// One step of each optimizer on the kernel of the book's first layer.
fn optimizers() -> Vec<Kernel> {
    const SIZE: usize = 784 * 512;
    // Numbers read and written for each weight: itself twice, its gradient, its state twice.
    let optimizers: [(Box<dyn Optimizer>, usize); 4] = [
        (Box::new(SGD::new()), 3),
        (Box::new(SGD::new().momentum(0.9)), 5),
        (Box::new(RMSprop::new()), 5),
        (Box::new(Adam::new()), 7),
    ];
    let names = ["SGD", "SGD with momentum", "RMSprop", "Adam"];
    let kernel = |((mut optimizer, numbers), name): ((Box<dyn Optimizer>, usize), &str)| {
        let (mut weight, gradient) = (uniform(&[784, 512]), [uniform(&[784, 512])]);
        let name = format!("{name} on 784x512");
        Kernel::new(name, 2 * numbers * SIZE, numbers * SIZE, move || {
            optimizer.step(&mut [&mut weight], &gradient);
        })
    };
    optimizers.into_iter().zip(names).map(kernel).collect()
}

/// Operations a second, and bytes a second.
fn machine() -> (f64, f64) {
    let (a, b) = (uniform(&[1024, 1024]), uniform(&[1024, 1024]));
    let peak = 2.0 * 1024f64.powi(3) / seconds(|| drop(black_box(a.dot(&b))));
    let length = 32 << 20;
    let (a, b) = (vec![1f32; length], vec![2f32; length]);
    let mut sum = vec![0f32; length];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = length / threads;
    let time = seconds(|| {
        std::thread::scope(|scope| {
            let inputs = a.chunks(part).zip(b.chunks(part));
            for (sum, (a, b)) in sum.chunks_mut(part).zip(inputs) {
                scope.spawn(move || {
                    for (sum, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
                        *sum = a + b;
                    }
                });
            }
        });
    });
    black_box(&sum);
    (peak, 12.0 * length as f64 / time)
}

fn main() {
    set_seed(1);
    // cargo passes `--bench`; what is left are parts of names.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let (peak, bandwidth) = machine();
    println!(
        "peak {:.0} GFLOP/s, bandwidth {:.1} GB/s\n",
        peak / 1e9,
        bandwidth / 1e9
    );
    println!("| kernel | µs | GFLOP/s | GB/s | share |\n|---|---|---|---|---|");
    for mut kernel in [products(), layers(), optimizers()].into_iter().flatten() {
        if !wanted.is_empty() && !wanted.iter().any(|part| kernel.name.contains(part)) {
            continue;
        }
        let time = seconds(&mut kernel.run);
        let least = (kernel.operations / peak).max(kernel.bytes / bandwidth);
        let (operations, bytes) = (kernel.operations / time / 1e9, kernel.bytes / time / 1e9);
        let (name, micros) = (&kernel.name, time * 1e6);
        println!(
            "| {name} | {micros:.1} | {operations:.1} | {bytes:.1} | {:.0} % |",
            least / time * 100.0
        );
    }
}
