//! One of several ranks, as the environment says: does it get the weights of one rank with the whole batch, and which way do
//! sums take?
//!
//!     DLCORE_DEVICE=cuda:0 DLCORE_RANK=0 DLCORE_RANKS=2 cargo run --release --example rank_check
//!     DLCORE_DEVICE=cuda:1 DLCORE_RANK=1 DLCORE_RANKS=2 cargo run --release --example rank_check

use std::hash::{DefaultHasher, Hash, Hasher};

use dlcore::callbacks::{Control, LambdaCallback};
use dlcore::device::{default_device, set_default_device};
use dlcore::prelude::*;

fn main() {
    if let Err(error) = check() {
        println!("{error}");
        std::process::exit(1);
    }
}

fn check() -> Result<()> {
    let (ranks, device) = (DataParallel::from_env()?, default_device());
    let there = train(Some(&ranks))?;
    set_default_device(Device::Cpu)?;
    let here = train(None)?;
    let off = there.iter().zip(&here).map(|(a, b)| (a - b).abs());
    let mut digest = DefaultHasher::new();
    let bits: Vec<u32> = there.iter().map(|w| w.to_bits()).collect();
    bits.hash(&mut digest);
    println!(
        "rank {} on {device}: sums on the {}, largest difference {:.1e} to one rank, digest {:x}",
        ranks.rank(),
        if ranks.sums_on(device) {
            "card"
        } else {
            "processor"
        },
        off.fold(0.0, f32::max),
        digest.finish()
    );
    Ok(())
}

/// Weights after two epochs; the last batch of each is smaller.
fn train(ranks: Option<&DataParallel>) -> Result<Vec<f32>> {
    set_seed(5);
    let x = Tensor::uniform([100, 20], -1.0, 1.0);
    let y = to_categorical(&x.slice((.., 0..5)).argmax(1), 5);
    let mut model = Sequential::new()
        .add(Dense::new(32).activation("relu").input_shape([20]))
        .add(Dense::new(5).activation("softmax"));
    let optimizer = SGD::new().learning_rate(0.1).momentum(0.9);
    model.compile(optimizer, "categorical_crossentropy", ["accuracy"])?;
    let mut settings = Fit::epochs(2).batch_size(32).verbose(0);
    if let Some(ranks) = ranks {
        let dies = std::env::var("DIES_AFTER").ok();
        let dies: Option<usize> = dies.and_then(|batches| batches.parse().ok());
        let die = LambdaCallback::new().on_batch_end(move |batch, _| match dies {
            Some(last) if batch == last => std::process::abort(),
            _ => Control::Continue,
        });
        settings = settings.distribution(ranks).callback(die);
    }
    model.fit(&x, &y, settings)?;
    let weights = model.get_weights();
    Ok(weights.iter().flat_map(Tensor::to_vec).collect())
}
