//! Models of every shape: branches, shared layers, several inputs and outputs.

mod added_losses;
mod chain;
mod data;
mod functional;
mod layers;
mod loss_scale;
mod mixed_precision;
mod open_axes;
mod optimizers;
mod parity;
mod penalties;
mod ranks;
mod save;
mod sharing;
mod weights;

use super::Model;
use crate::Tensor;

/// Gives the model weights that are the same at each call: the random stream belongs to the process, and
/// other tests draw from it at the same time.
fn settle(model: &Model) {
    let weights = model.get_weights();
    let settled = |(salt, weight): (usize, &Tensor)| {
        let flat = numbers([weight.len()], salt) * 0.7;
        flat.reshape(weight.shape().to_vec())
    };
    let settled: Vec<Tensor> = weights.iter().enumerate().map(settled).collect();
    model.set_weights(&settled).unwrap();
}

#[track_caller]
fn close(actual: &Tensor, expected: &Tensor) {
    assert_eq!(actual.shape(), expected.shape());
    let worst = (actual - expected).abs().max().item();
    assert!(worst < 1e-5, "{actual:?}\nis not\n{expected:?}");
}

/// Irregular numbers between -1 and 1, the same at each call.
fn numbers<const N: usize>(shape: [usize; N], salt: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 37 + salt * 11) % 41) as f32 / 20.0 - 1.0;
    Tensor::from_shape_vec(shape, (0..count).map(value).collect()).unwrap()
}
