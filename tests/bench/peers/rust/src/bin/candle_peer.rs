//! The cases of dlcore's bench example in candle: candle_peer CASE.
//!
//! candle has no RMSprop: Keras's formula is written here with its tensors. Its recurrent layers are
//! differentiated operation by operation, so a step of the LSTM takes long; few are timed.

use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::rnn::RNN;
use candle_nn::{Module, VarBuilder, VarMap, conv2d, embedding, linear, loss};
use peers::{Random, tell, tell_peak, timed};

const PEER: &str = "candle 0.11.1";
const CPU: Device = Device::Cpu;

type Forward = Box<dyn Fn(&Tensor) -> Result<Tensor>>;
type Loss = fn(&Tensor, &Tensor) -> Result<Tensor>;

struct Trainer {
    forward: Forward,
    loss: Loss,
    weights: Vec<(Var, Tensor)>,
    random: Random,
}

impl Trainer {
    fn new(loss: Loss, forward: impl FnOnce(VarBuilder<'_>) -> Result<Forward>) -> Result<Trainer> {
        let variables = VarMap::new();
        let forward = forward(VarBuilder::from_varmap(&variables, DType::F32, &CPU))?;
        let with_state = |variable: Var| {
            let state = variable.as_tensor().zeros_like()?;
            Ok((variable, state))
        };
        let weights = variables.all_vars().into_iter().map(with_state);
        Ok(Trainer {
            forward,
            loss,
            weights: weights.collect::<Result<_>>()?,
            random: Random(99),
        })
    }

    fn step(&mut self, x: &Tensor, y: &Tensor) -> Result<f32> {
        let loss = (self.loss)(&(self.forward)(x)?, y)?;
        let gradients = loss.backward()?;
        for (weight, state) in &mut self.weights {
            if let Some(gradient) = gradients.get(weight.as_tensor()) {
                *state = ((&*state * 0.9)? + (gradient.sqr()? * 0.1)?)?.detach();
                let change = ((gradient * 1e-3)? / (&*state + 1e-7)?.sqrt()?)?;
                weight.set(&(weight.as_tensor() - change)?)?;
            }
        }
        loss.to_scalar()
    }

    fn epoch(&mut self, x: &Tensor, y: &Tensor, batch: usize) -> Result<()> {
        let order = self.random.shuffled(x.dim(0)?);
        for rows in order.chunks(batch) {
            let rows = Tensor::from_slice(rows, rows.len(), &CPU)?;
            self.step(&x.index_select(&rows, 0)?, &y.index_select(&rows, 0)?)?;
        }
        Ok(())
    }

    fn evaluate(&self, x: &Tensor, y: &Tensor, batch: usize) -> Result<()> {
        for first in (0..x.dim(0)?).step_by(batch) {
            let count = batch.min(x.dim(0)? - first);
            let y = y.narrow(0, first, count)?;
            (self.loss)(&(self.forward)(&x.narrow(0, first, count)?)?, &y)?.to_scalar::<f32>()?;
        }
        Ok(())
    }
}

/// Dense layers with relu between them.
fn dense(widths: &[usize], variables: VarBuilder<'_>) -> Result<Forward> {
    let layer = |(index, pair): (usize, &[usize])| linear(pair[0], pair[1], variables.pp(index));
    let layers = widths.windows(2).enumerate().map(layer);
    let layers = layers.collect::<Result<Vec<_>>>()?;
    Ok(Box::new(move |x| {
        let mut x = layers[0].forward(x)?;
        for layer in &layers[1..] {
            x = layer.forward(&x.relu()?)?;
        }
        Ok(x)
    }))
}

fn convolutional(variables: VarBuilder<'_>) -> Result<Forward> {
    let layer =
        |inputs, filters, name| conv2d(inputs, filters, 3, Default::default(), variables.pp(name));
    let (first, second, third) = (layer(1, 32, "a")?, layer(32, 64, "b")?, layer(64, 64, "c")?);
    let head = dense(&[576, 64, 10], variables.pp("head"))?;
    Ok(Box::new(move |x| {
        let x = first.forward(x)?.relu()?.max_pool2d(2)?;
        let x = second.forward(&x)?.relu()?.max_pool2d(2)?;
        head(&third.forward(&x)?.relu()?.flatten_from(1)?)
    }))
}

fn recurrent(variables: VarBuilder<'_>) -> Result<Forward> {
    let words = embedding(10_000, 32, variables.pp("words"))?;
    let lstm = candle_nn::lstm(32, 32, Default::default(), variables.pp("lstm"))?;
    let head = linear(32, 1, variables.pp("head"))?;
    Ok(Box::new(move |x| {
        let states = lstm.seq(&words.forward(x)?)?;
        head.forward(states.last().expect("500 words").h())
    }))
}

fn uniform(random: &mut Random, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(random.units(shape.iter().product()), shape, &CPU)
}

fn labels(random: &mut Random, count: usize, classes: usize) -> Result<Tensor> {
    Tensor::from_vec(random.whole(count, classes), count, &CPU)
}

fn binary(random: &mut Random, count: usize) -> Result<Tensor> {
    labels(random, count, 2)?.to_dtype(DType::F32)?.unsqueeze(1)
}

fn run(case: &str, start: Instant) -> Result<()> {
    let random = &mut Random(88_172_645_463_325_252);
    let say = |metric: &str, value: f64| tell(PEER, case, metric, value);
    let done = |result: Result<()>| result.expect("a step of candle's");
    let first = || Trainer::new(loss::cross_entropy, |v| dense(&[784, 512, 10], v));
    let logits: Loss = loss::binary_cross_entropy_with_logit;
    match case {
        "gemm" => {
            let (a, b) = (
                uniform(random, &[1024, 1024])?,
                uniform(random, &[1024, 1024])?,
            );
            let seconds = timed(|| drop(a.matmul(&b).expect("a product")));
            say("gflops", 2.0 * 1024f64.powi(3) / seconds / 1e9);
        }
        "startup" => {
            let (x, y) = (uniform(random, &[128, 784])?, labels(random, 128, 10)?);
            first()?.step(&x, &y)?;
            say("first_batch_s", start.elapsed().as_secs_f64());
        }
        "mnist" => {
            let (x, y) = (
                uniform(random, &[60_000, 784])?,
                labels(random, 60_000, 10)?,
            );
            let mut trainer = first()?;
            say("epoch_s", timed(|| done(trainer.epoch(&x, &y, 128))));
        }
        "evaluate" => {
            let (x, y) = (
                uniform(random, &[10_000, 784])?,
                labels(random, 10_000, 10)?,
            );
            let trainer = first()?;
            say("evaluate_s", timed(|| done(trainer.evaluate(&x, &y, 128))));
        }
        "imdb" => {
            let x = Tensor::from_vec(random.reviews(15_000), (15_000, 10_000), &CPU)?;
            let xv = Tensor::from_vec(random.reviews(10_000), (10_000, 10_000), &CPU)?;
            let (y, yv) = (binary(random, 15_000)?, binary(random, 10_000)?);
            let mut trainer = Trainer::new(logits, |v| dense(&[10_000, 16, 16, 1], v))?;
            say(
                "epoch_s",
                timed(|| {
                    done(trainer.epoch(&x, &y, 512));
                    done(trainer.evaluate(&xv, &yv, 512));
                }),
            );
        }
        "convnet" => {
            let steps = 10;
            let (x, y) = (
                uniform(random, &[64 * steps, 1, 28, 28])?,
                labels(random, 64 * steps, 10)?,
            );
            let mut trainer = Trainer::new(loss::cross_entropy, convolutional)?;
            say(
                "step_ms",
                timed(|| done(trainer.epoch(&x, &y, 64))) / steps as f64 * 1e3,
            );
        }
        "lstm" => {
            let x = Tensor::from_vec(random.whole(128 * 500, 10_000), (128, 500), &CPU)?;
            let y = binary(random, 128)?;
            let mut trainer = Trainer::new(logits, recurrent)?;
            say("step_ms", timed(|| done(trainer.epoch(&x, &y, 128))) * 1e3);
        }
        "small" => {
            let (x, y) = (
                uniform(random, &[32_000, 20])?,
                uniform(random, &[32_000, 1])?,
            );
            let mut trainer = Trainer::new(loss::mse, |v| dense(&[20, 32, 1], v))?;
            say(
                "step_us",
                timed(|| done(trainer.epoch(&x, &y, 32))) / 1_000.0 * 1e6,
            );
        }
        "boston" => {
            let (x, y) = (uniform(random, &[404, 13])?, uniform(random, &[404, 1])?);
            let mut trainer = Trainer::new(loss::mse, |v| dense(&[13, 64, 64, 1], v))?;
            say(
                "step_us",
                timed(|| done(trainer.epoch(&x, &y, 1))) / 404.0 * 1e6,
            );
        }
        _ => return Ok(()),
    }
    tell_peak(PEER, case);
    Ok(())
}

fn main() -> Result<()> {
    let start = Instant::now();
    run(&std::env::args().nth(1).unwrap_or_default(), start)
}
