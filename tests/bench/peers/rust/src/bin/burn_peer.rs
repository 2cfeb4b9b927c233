//! The cases of dlcore's bench example in burn, on its backend for processors: burn_peer CASE.
#![recursion_limit = "256"]

use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::optim::{GradientsParams, RmsPropConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use peers::{Random, tell, tell_peak, timed};

const PEER: &str = "burn 0.22.1 (flex)";

/// Dense layers with relu between them.
#[derive(Module, Debug)]
struct Dense {
    layers: Vec<Linear>,
}

impl Dense {
    fn new(widths: &[usize], device: &Device) -> Dense {
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        Dense {
            layers: widths.windows(2).map(layer).collect(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut x = self.layers[0].forward(x);
        for layer in &self.layers[1..] {
            x = layer.forward(relu(x));
        }
        x
    }
}

#[derive(Module, Debug)]
struct Convolutional {
    first: Conv2d,
    second: Conv2d,
    third: Conv2d,
    pool: MaxPool2d,
    head: Dense,
}

impl Convolutional {
    fn new(device: &Device) -> Convolutional {
        let layer = |channels| Conv2dConfig::new(channels, [3, 3]).init(device);
        Convolutional {
            first: layer([1, 32]),
            second: layer([32, 64]),
            third: layer([64, 64]),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            head: Dense::new(&[576, 64, 10], device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.first.forward(x)));
        let x = self.pool.forward(relu(self.second.forward(x)));
        self.head.forward(relu(self.third.forward(x)).flatten(1, 3))
    }
}

#[derive(Module, Debug)]
struct Recurrent {
    words: Embedding,
    lstm: Lstm,
    head: Linear,
}

impl Recurrent {
    fn new(device: &Device) -> Recurrent {
        Recurrent {
            words: EmbeddingConfig::new(10_000, 32).init(device),
            lstm: LstmConfig::new(32, 32, true).init(device),
            head: LinearConfig::new(32, 1).init(device),
        }
    }

    fn forward(&self, x: Tensor<2, Int>) -> Tensor<2> {
        let (_, state) = self.lstm.forward(self.words.forward(x), None);
        self.head.forward(state.hidden)
    }
}

fn floats<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn whole<const D: usize>(values: Vec<u32>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The rows of each batch of a shuffled epoch.
fn batches(
    random: &mut Random,
    count: usize,
    batch: usize,
    device: &Device,
    mut step: impl FnMut(Tensor<1, Int>),
) {
    for rows in random.shuffled(count).chunks(batch) {
        step(whole(rows.to_vec(), [rows.len()], device));
    }
}

fn main() {
    let start = Instant::now();
    let case = std::env::args().nth(1).unwrap_or_default();
    let say = |metric: &str, value: f64| tell(PEER, &case, metric, value);
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let mut random = Random(88_172_645_463_325_252);
    let random = &mut random;
    let mut optimizer = RmsPropConfig::new()
        .with_alpha(0.9)
        .with_momentum(0.0)
        .with_epsilon(1e-7)
        .init();
    let classes = CrossEntropyLossConfig::new().init(&device);
    let binary = BinaryCrossEntropyLossConfig::new()
        .with_logits(true)
        .init(&device);
    // A step gives the model away and gets it back.
    macro_rules! train {
        ($model:ident, $loss:expr) => {{
            let loss = $loss;
            black_box(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &$model);
            $model = optimizer.step(1e-3, $model, gradients);
        }};
    }
    // An epoch in which each batch is picked by its rows.
    macro_rules! epoch {
        ($model:ident, $loss:expr, $x:ident, $y:ident, $batch:expr) => {{
            let mut slot = Some($model);
            batches(random, $x.dims()[0], $batch, &device, |rows| {
                let mut model = slot.take().expect("it was put back");
                let (x, y) = (
                    $x.clone().select(0, rows.clone()),
                    $y.clone().select(0, rows),
                );
                train!(model, $loss(model.forward(x), y));
                slot = Some(model);
            });
            $model = slot.expect("it was put back");
        }};
    }
    // `timed` runs a closure; the model moves through it in an Option.
    macro_rules! timed_epochs {
        ($model:ident, $loss:expr, $x:ident, $y:ident, $batch:expr, $after:expr) => {{
            let mut slot = Some($model);
            timed(|| {
                let mut model = slot.take().expect("it was put back");
                epoch!(model, $loss, $x, $y, $batch);
                $after(&model);
                slot = Some(model);
            })
        }};
    }
    match case.as_str() {
        "gemm" => {
            let mut side = || floats(random.units(1024 * 1024), [1024, 1024], &plain);
            let (a, b): (Tensor<2>, Tensor<2>) = (side(), side());
            let seconds = timed(|| drop(black_box(a.clone().matmul(b.clone()))));
            say("gflops", 2.0 * 1024f64.powi(3) / seconds / 1e9);
        }
        "startup" => {
            let x = floats(random.units(128 * 784), [128, 784], &device);
            let y = whole(random.whole(128, 10), [128], &device);
            let mut model = Dense::new(&[784, 512, 10], &device);
            train!(model, classes.forward(model.forward(x), y));
            black_box(model);
            say("first_batch_s", start.elapsed().as_secs_f64());
        }
        "mnist" => {
            let x = floats(random.units(60_000 * 784), [60_000, 784], &device);
            let y = whole(random.whole(60_000, 10), [60_000], &device);
            let model = Dense::new(&[784, 512, 10], &device);
            let loss = |p, y| classes.forward(p, y);
            say(
                "epoch_s",
                timed_epochs!(model, loss, x, y, 128, |_: &Dense| ()),
            );
        }
        "evaluate" => {
            let x = floats(random.units(10_000 * 784), [10_000, 784], &plain);
            let y = whole(random.whole(10_000, 10), [10_000], &plain);
            let model = Dense::new(&[784, 512, 10], &device).valid();
            let classes = CrossEntropyLossConfig::new().init(&plain);
            say(
                "evaluate_s",
                timed(|| {
                    for first in (0..10_000).step_by(128) {
                        let rows = first..10_000.min(first + 128);
                        let p = model.forward(x.clone().slice([rows.clone()]));
                        black_box(
                            classes
                                .forward(p, y.clone().slice([rows]))
                                .into_scalar::<f32>(),
                        );
                    }
                }),
            );
        }
        "imdb" => {
            let x = floats(random.reviews(15_000), [15_000, 10_000], &device);
            let xv = floats(random.reviews(10_000), [10_000, 10_000], &plain);
            let y = whole(random.whole(15_000, 2), [15_000, 1], &device);
            let yv = whole(random.whole(10_000, 2), [10_000, 1], &plain);
            let model = Dense::new(&[10_000, 16, 16, 1], &device);
            let loss = |p, y| binary.forward(p, y);
            let validate = |model: &Dense| {
                let model = model.valid();
                for first in (0..10_000).step_by(512) {
                    let rows = first..10_000.min(first + 512);
                    let p = model.forward(xv.clone().slice([rows.clone()]));
                    black_box(
                        binary
                            .forward(p, yv.clone().slice([rows]))
                            .into_scalar::<f32>(),
                    );
                }
            };
            say("epoch_s", timed_epochs!(model, loss, x, y, 512, validate));
        }
        "convnet" => {
            let steps = 10;
            let x = floats(
                random.units(64 * steps * 784),
                [64 * steps, 1, 28, 28],
                &device,
            );
            let y = whole(random.whole(64 * steps, 10), [64 * steps], &device);
            let model = Convolutional::new(&device);
            let loss = |p, y| classes.forward(p, y);
            let seconds = timed_epochs!(model, loss, x, y, 64, |_: &Convolutional| ());
            say("step_ms", seconds / steps as f64 * 1e3);
        }
        "lstm" => {
            let x = whole(random.whole(128 * 500, 10_000), [128, 500], &device);
            let y = whole(random.whole(128, 2), [128, 1], &device);
            let model = Recurrent::new(&device);
            let loss = |p, y| binary.forward(p, y);
            say(
                "step_ms",
                timed_epochs!(model, loss, x, y, 128, |_: &Recurrent| ()) * 1e3,
            );
        }
        "small" => {
            let x = floats(random.units(32_000 * 20), [32_000, 20], &device);
            let y = floats(random.units(32_000), [32_000, 1], &device);
            let model = Dense::new(&[20, 32, 1], &device);
            let loss = |p, y| MseLoss::new().forward(p, y, Reduction::Mean);
            say(
                "step_us",
                timed_epochs!(model, loss, x, y, 32, |_: &Dense| ()) / 1_000.0 * 1e6,
            );
        }
        "boston" => {
            let x = floats(random.units(404 * 13), [404, 13], &device);
            let y = floats(random.units(404), [404, 1], &device);
            let model = Dense::new(&[13, 64, 64, 1], &device);
            let loss = |p, y| MseLoss::new().forward(p, y, Reduction::Mean);
            say(
                "step_us",
                timed_epochs!(model, loss, x, y, 1, |_: &Dense| ()) / 404.0 * 1e6,
            );
        }
        _ => return,
    }
    tell_peak(PEER, &case);
}
