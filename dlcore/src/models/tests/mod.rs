//! Models of every shape: branches, shared layers, several inputs and outputs.

mod data;
mod functional;
mod layers;
mod parity;
mod save;
mod sharing;
mod weights;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Tensor, set_seed};

/// The random stream belongs to the process: tests that compare runs take turns.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    set_seed(5);
    guard
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
