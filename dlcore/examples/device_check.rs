//! Training on the default device, beside the processor: does it give the same weights, how long does it take, and
//! what happens when the device fails.
//!
//!     cargo run --release --example device_check -- devices
//!     DLCORE_DEVICE=cuda cargo run --release --example device_check -- agree
//!     DLCORE_DEVICE=cuda cargo run --release --example device_check -- networks
//!     DLCORE_DEVICE=cuda DLCORE_DATA=DIR cargo run --release --example device_check -- train
//!     DLCORE_DEVICE=cuda cargo run --release --example device_check -- fill

use std::cell::RefCell;
use std::time::Instant;

use dlcore::device::{self, default_device, set_default_device};
use dlcore::prelude::*;

fn main() {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "devices" => {
            println!("{}", device::report());
            Ok(())
        }
        "agree" => agree(),
        "networks" => networks(),
        "train" => train(),
        "fill" => fill(),
        "fail" => fail(),
        "broken" => broken(),
        "outlived" => outlived(),
        "refused" => refused(),
        "full" => full(),
        "forked" => forked(),
        "tf32" => tf32(),
        "mixed" => mixed(),
        _ => Err(Error::Value(
            "device_check: say devices, agree, networks, train, fill, fail, broken, outlived, refused, full, forked, tf32 or \
             mixed"
                .to_string(),
        )),
    };
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn perceptron() -> Sequential {
    Sequential::new()
        .add(Dense::new(32).activation("relu").input_shape([20]))
        .add(Dense::new(16).activation("tanh"))
        .add(Dense::new(5).activation("softmax"))
}

/// 192 points in five classes, the same at each call.
fn points() -> (Tensor, Tensor) {
    set_seed(5);
    let x = Tensor::uniform([192, 20], -1.0, 1.0);
    let labels = x.slice((.., 0..5)).argmax(1);
    (x, to_categorical(&labels, 5))
}

/// Weights after two epochs, and the losses.
fn trained(optimizer: impl Into<Box<dyn Optimizer>>) -> Result<(Vec<Tensor>, History)> {
    let (x, y) = points();
    set_seed(7);
    let mut model = perceptron();
    model.compile(optimizer.into(), "categorical_crossentropy", ["accuracy"])?;
    let history = model.fit(&x, &y, Fit::epochs(2).batch_size(32).verbose(0))?;
    Ok((model.get_weights(), history))
}

fn last(history: &History, name: &str) -> f64 {
    history.get(name).last().copied().unwrap_or(f64::NAN)
}

/// Training on the device gives the weights that training on the processor gives.
fn compare(name: &str, train: impl Fn() -> Result<(Vec<Tensor>, History)>) -> Result<()> {
    let device = default_device();
    let (there, history) = train()?;
    let where_they_are: Vec<Device> = there.iter().map(Tensor::device).collect();
    set_default_device(Device::Cpu)?;
    let (here, expected) = train()?;
    set_default_device(device)?;
    let mut worst: f64 = 0.0;
    for (here, there) in here.iter().zip(&there) {
        let off = (here - there.to(Device::Cpu)?).abs().max().item();
        worst = worst.max(if off.is_nan() { f64::INFINITY } else { off });
    }
    println!(
        "{name}: weights on {}, largest difference {worst:.1e}, loss {:.6} and {:.6}",
        where_they_are[0],
        last(&history, "loss"),
        last(&expected, "loss")
    );
    if where_they_are.iter().any(|&place| place != device) || worst > 1e-4 {
        return Err(Error::Device(format!(
            "{name}: {device} does not agree with the CPU"
        )));
    }
    Ok(())
}

/// Training with each optimizer.
fn agree() -> Result<()> {
    type Make = fn() -> Box<dyn Optimizer>;
    let optimizers: [(&str, Make); 13] = [
        ("sgd", || Box::new(SGD::new().learning_rate(0.1))),
        ("sgd with momentum", || {
            Box::new(SGD::new().momentum(0.9).nesterov(true).clipvalue(0.01))
        }),
        ("rmsprop", || Box::new(RMSprop::new())),
        ("adam", || Box::new(Adam::new())),
        ("adamw", || Box::new(AdamW::new())),
        ("rmsprop with momentum", || {
            Box::new(RMSprop::new().momentum(0.5))
        }),
        ("rmsprop, centered", || {
            Box::new(RMSprop::new().centered(true).momentum(0.5))
        }),
        ("adam with amsgrad", || Box::new(Adam::new().amsgrad(true))),
        ("adamax", || Box::new(Adamax::new())),
        ("nadam", || Box::new(Nadam::new())),
        ("adagrad", || Box::new(Adagrad::new().learning_rate(0.1))),
        ("adadelta", || Box::new(Adadelta::new().learning_rate(1.0))),
        ("loss_scale_optimizer", || {
            Box::new(LossScaleOptimizer::new(Adam::new()).dynamic_growth_steps(3))
        }),
    ];
    for (name, make) in optimizers {
        compare(name, || trained(make()))?;
    }
    println!("{}", device::report());
    Ok(())
}

/// Training of networks with convolutions of every kind, with normalization, and of recurrent ones, and what of them was
/// left to the processor.
fn networks() -> Result<()> {
    type Make = fn() -> Sequential;
    let all: [(&str, &[usize], Make); 7] = [
        ("convolutions", &[8, 8, 4], || {
            let grouped = Conv2D::new(6, (3, 3)).groups(2).activation("relu");
            Sequential::new()
                .add(grouped.input_shape([8, 8, 4]))
                .add(SeparableConv2D::new(8, (3, 3)).activation("relu"))
                .add(DepthwiseConv2D::new((3, 3)).depth_multiplier(2))
                .add(Conv2DTranspose::new(4, (3, 3)).strides(2))
                .add(UpSampling2D::new((2, 2)))
                .add(GlobalMaxPooling2D::new())
        }),
        ("sequences", &[12, 4], || {
            let first = SeparableConv1D::new(6, 3).activation("relu");
            Sequential::new()
                .add(first.input_shape([12, 4]))
                .add(Conv1DTranspose::new(4, 3).strides(2).activation("gelu"))
                .add(ZeroPadding1D::new(1))
                .add(UpSampling1D::new(2))
                .add(Softmax::new().axis(1))
                .add(GlobalAveragePooling1D::new())
        }),
        ("convnet", &[8, 8, 2], || {
            Sequential::new()
                .add(Conv2D::new(4, (3, 3)).input_shape([8, 8, 2]))
                .add(BatchNormalization::new())
                .add(ReLU::new())
                .add(MaxPooling2D::new((2, 2)))
                .add(GroupNormalization::new(2))
                .add(Flatten::new())
                .add(LayerNormalization::new())
        }),
        ("simple_rnn", &[6, 7], || {
            Sequential::new().add(SimpleRNN::new(8).input_shape([6, 7]))
        }),
        ("lstm", &[6, 7], || {
            Sequential::new()
                .add(LSTM::new(8).return_sequences(true).input_shape([6, 7]))
                .add(LSTM::new(8).dropout(0.2).go_backwards(true))
        }),
        ("gru", &[6, 7], || {
            Sequential::new()
                .add(
                    GRU::new(8)
                        .recurrent_dropout(0.2)
                        .return_sequences(true)
                        .input_shape([6, 7]),
                )
                .add(GRU::new(8).reset_after(false))
        }),
        ("bidirectional", &[6, 7], || {
            Sequential::new().add(Bidirectional::new(LSTM::new(8)).input_shape([6, 7]))
        }),
    ];
    let evaluated = RefCell::new(Vec::new());
    for (name, shape, make) in all {
        compare(name, || {
            set_seed(5);
            let x = Tensor::uniform([&[96], shape].concat(), -1.0, 1.0);
            let labels = x.reshape([96, -1]).slice((.., 0..5)).argmax(1);
            let y = to_categorical(&labels, 5);
            let mut model = make().add(Dense::new(5).activation("softmax"));
            model.compile(
                SGD::new().learning_rate(0.1).momentum(0.9),
                "categorical_crossentropy",
                ["accuracy"],
            )?;
            let fit = Fit::epochs(2).batch_size(24).validation_split(0.25);
            let history = model.fit(&x, &y, fit.verbose(0))?;
            evaluated.borrow_mut().push(last(&history, "val_loss"));
            Ok((model.get_weights(), history))
        })?;
        let losses = evaluated.take();
        if (losses[0] - losses[1]).abs() > 1e-4 {
            return Err(Error::Device(format!(
                "{name}: the device evaluates to {}, the CPU to {}",
                losses[0], losses[1]
            )));
        }
    }
    println!("{}", device::report());
    Ok(())
}

/// Fills the device until it says that it is full; then there is room again.
fn fill() -> Result<()> {
    let mut kept = Vec::new();
    let refused = loop {
        match Tensor::zeros([1 << 22]).to(default_device()) {
            Ok(_) if kept.len() > 100_000 => break Error::Device("it has no end".to_string()),
            Ok(tensor) => kept.push(tensor),
            Err(error) => break error,
        }
    };
    println!("{} tensors, then: {refused}", kept.len());
    drop(kept);
    let (weights, _) = trained(Box::new(Adam::new()) as Box<dyn Optimizer>)?;
    println!("then trained on {}", weights[0].device());
    Ok(())
}

/// A training that is too large for the device, and what is left of the model.
fn broken() -> Result<()> {
    let (x, y) = points();
    let mut model = perceptron();
    model.compile(Adam::new(), "categorical_crossentropy", ["accuracy"])?;
    let error = model.fit(&x, &y, Fit::epochs(50).batch_size(32).verbose(0));
    match error {
        Ok(_) => println!("nothing failed"),
        Err(error) => println!("{error}"),
    }
    let finite = |weight: &Tensor| weight.to_vec().iter().all(|w| w.is_finite());
    println!(
        "weights: {}",
        if model.get_weights().iter().all(finite) {
            "whole"
        } else {
            "damaged"
        }
    );
    saved_and_trained(&mut model, &x, &y)
}

/// The model is written, read again, and trained once more on the processor.
fn saved_and_trained(model: &mut Sequential, x: &Tensor, y: &Tensor) -> Result<()> {
    let name = format!("dlcore-device-check-{}.dl", std::process::id());
    let path = std::env::temp_dir().join(name);
    model.save(&path)?;
    let mut same = Sequential::load(&path)?;
    std::fs::remove_file(&path).map_err(|error| Error::Device(error.to_string()))?;
    set_default_device(Device::Cpu)?;
    let mut after = Vec::new();
    for model in [&mut *model, &mut same] {
        set_seed(3);
        model.fit(x, y, Fit::epochs(1).batch_size(32).verbose(0))?;
        let here = model.get_weights();
        after.push(here.iter().map(Tensor::to_vec).collect::<Vec<_>>());
    }
    println!(
        "the saved model trains on as this one: {}",
        after[0] == after[1]
    );
    println!("then trained on {}", model.get_weights()[0].device());
    Ok(())
}

/// A device that fails while a trained model predicts and is evaluated.
fn outlived() -> Result<()> {
    let (x, y) = points();
    let mut model = perceptron();
    model.compile(Adam::new(), "categorical_crossentropy", ["accuracy"])?;
    model.fit(&x, &y, Fit::epochs(1).batch_size(32).verbose(0))?;
    let trained: Vec<Vec<f32>> = model.get_weights().iter().map(Tensor::to_vec).collect();
    let used = || {
        model.predict(&x)?;
        model.evaluate(&x, &y)
    };
    match (0..100).try_for_each(|_| used().map(|_| ())) {
        Ok(()) => println!("nothing failed"),
        Err(error) => println!("{error}"),
    }
    model.predict(&x)?;
    let same = model.get_weights().iter().map(Tensor::to_vec).eq(trained);
    println!("weights: {}", if same { "whole" } else { "damaged" });
    saved_and_trained(&mut model, &x, &y)
}

/// A device that refuses one call: the batch is trained on again, and the weights are those of a training in which
/// nothing was refused.
fn refused() -> Result<()> {
    let (x, y) = points();
    let train = || -> Result<(usize, Vec<Vec<f32>>)> {
        set_seed(7);
        let mut model = perceptron();
        model.compile(Adam::new(), "categorical_crossentropy", Metrics::none())?;
        let mut refused = 0;
        for start in (0..192).step_by(64) {
            let (x, y) = (x.slice(start..start + 64), y.slice(start..start + 64));
            while let Err(error) = model.train_on_batch(&x, &y) {
                println!("{error}");
                refused += 1;
                if refused > 3 {
                    return Err(error);
                }
            }
        }
        let weights = model.get_weights();
        Ok((refused, weights.iter().map(Tensor::to_vec).collect()))
    };
    let ((refused, with), (_, without)) = (train()?, train()?);
    println!(
        "refused {refused} times, the same weights: {}",
        with == without
    );
    Ok(())
}

/// A device that is full when it is first asked for, and has room later.
fn full() -> Result<()> {
    for _ in 0..2 {
        match Device::cuda(0) {
            Ok(device) => println!("{device} is there"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// What a device says that cannot be used, and that everything else goes on.
fn fail() -> Result<()> {
    match Device::cuda(0) {
        Ok(device) => println!("{device} is there"),
        Err(error) => println!("{error}"),
    }
    let (weights, _) = trained(Box::new(Adam::new()) as Box<dyn Optimizer>)?;
    println!("trained on {}", weights[0].device());
    Ok(())
}

/// In a process that was forked from one that uses the device.
fn forked() -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let (device, numbers) = (default_device(), Tensor::from([1.0, 2.0]));
    let there = numbers.to(device)?;
    let child = move || {
        match there.try_add(&there).and_then(|sum| sum.to(Device::Cpu)) {
            Ok(sum) => println!("on the device: {:?}", sum.to_vec()),
            Err(error) => println!("on the device: {error}"),
        }
        println!("on the CPU: {:?}", (&numbers + &numbers).to_vec());
        Ok(())
    };
    let mut command = std::process::Command::new("true");
    // SAFETY: what runs in the forked process takes no lock that another thread may hold: there is none.
    unsafe { command.pre_exec(child) };
    let ended = command.status();
    ended
        .map(|_| ())
        .map_err(|error| Error::Device(error.to_string()))
}

/// A product whose last digits TF32 does not keep: without it, with it, and without it again.
fn tf32() -> Result<()> {
    let one_and_little = Tensor::from([[1.0 + 1.0 / 4096.0]]).to(default_device())?;
    let one = Tensor::ones([1, 1]).to(default_device())?;
    for allowed in [false, true, false] {
        device::set_tf32(allowed);
        println!("tf32 {allowed}: {}", one_and_little.dot(&one).item());
    }
    Ok(())
}

/// A convnet trained in mixed precision, beside the processor. Sums in another order are rounded to another number of
/// bfloat16 here and there, which makes more of a difference than in single precision.
fn mixed() -> Result<()> {
    let device = default_device();
    let (x, y) = points();
    let x = x.reshape([192, 4, 5, 1]);
    let train = |mixed: bool| -> Result<Vec<Tensor>> {
        set_seed(7);
        let mut model = Sequential::new()
            .add(
                Conv2D::new(4, (2, 2))
                    .activation("relu")
                    .input_shape([4, 5, 1]),
            )
            .add(Conv2DTranspose::new(4, (2, 2)).activation("tanh"))
            .add(SeparableConv2D::new(4, (2, 2)))
            .add(Flatten::new())
            .add(Dense::new(16).activation("tanh"))
            .add(Dense::new(5).activation("softmax"));
        model.compile(
            SGD::new().learning_rate(0.1),
            "categorical_crossentropy",
            ["accuracy"],
        )?;
        let settings = Fit::epochs(2).batch_size(32).verbose(0);
        model.fit(&x, &y, settings.mixed_precision(mixed))?;
        let weights = model.get_weights();
        println!("trained on {}", weights[0].device());
        weights
            .iter()
            .map(|weight| weight.to(Device::Cpu))
            .collect()
    };
    let apart = |one: &[Tensor], other: &[Tensor]| {
        let each = one
            .iter()
            .zip(other)
            .map(|(a, b)| (a - b).abs().max().item());
        each.fold(0.0, f64::max)
    };
    let (there, single) = (train(true)?, train(false)?);
    set_default_device(Device::Cpu)?;
    let here = train(true)?;
    let bits = there
        .iter()
        .flat_map(Tensor::to_vec)
        .map(|w| u64::from(w.to_bits()));
    println!(
        "weights {:x}",
        bits.fold(0, |sum: u64, bits| sum.wrapping_mul(31).wrapping_add(bits))
    );
    let (worst, usual) = (apart(&there, &here), apart(&there, &single));
    println!("from the processor's {worst:.1e}, from single precision's {usual:.1e}");
    if usual == 0.0 || worst > 2e-3 {
        return Err(Error::Device(format!(
            "{device} does not agree with the CPU in mixed precision"
        )));
    }
    Ok(())
}

/// Seconds an epoch of the book's networks.
fn train() -> Result<()> {
    set_seed(42);
    println!("{}", device::report());
    let samples: usize = std::env::args()
        .nth(2)
        .and_then(|count| count.parse().ok())
        .unwrap_or(60_000);
    let mnist = datasets::mnist::load()?;
    let images = mnist.train_images.slice(0..samples).cast(DType::F32) / 255.0;
    let labels = to_categorical(&mnist.train_labels.slice(0..samples), 10);
    let flat = images.reshape([samples, 28 * 28]);
    let mut dense = Sequential::new()
        .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
        .add(Dense::new(10).activation("softmax"));
    timed("MNIST, two dense layers", &mut dense, &flat, &labels, 128)?;
    let mut convnet = Sequential::new()
        .add(
            Conv2D::new(32, (3, 3))
                .activation("relu")
                .input_shape([28, 28, 1]),
        )
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation("relu"))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation("relu"))
        .add(Flatten::new())
        .add(Dense::new(64).activation("relu"))
        .add(Dense::new(10).activation("softmax"));
    let pictures = images.reshape([samples, 28, 28, 1]);
    timed(
        "MNIST, the convnet of 5.1",
        &mut convnet,
        &pictures,
        &labels,
        64,
    )?;
    let mut lstm = Sequential::new()
        .add(LSTM::new(32).input_shape([28, 28]))
        .add(Dense::new(10).activation("softmax"));
    timed("MNIST by rows, an LSTM", &mut lstm, &images, &labels, 128)?;
    println!("{}", device::report());
    Ok(())
}

fn timed(what: &str, model: &mut Sequential, x: &Tensor, y: &Tensor, batch: usize) -> Result<()> {
    set_seed(42);
    model.compile(RMSprop::new(), "categorical_crossentropy", ["accuracy"])?;
    let fit = || Fit::epochs(1).batch_size(batch).verbose(0);
    // The first steps find memory and compile kernels.
    let few = (4 * batch).min(x.shape()[0]);
    model.fit(&x.slice(0..few), &y.slice(0..few), fit())?;
    device::synchronize()?;
    let started = Instant::now();
    let history = model.fit(x, y, fit())?;
    device::synchronize()?;
    println!(
        "{what}: {:.2} s an epoch of {} samples on {}, loss {:.4}",
        started.elapsed().as_secs_f64(),
        x.shape()[0],
        default_device(),
        last(&history, "loss")
    );
    Ok(())
}
