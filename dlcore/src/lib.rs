//! Tensors, layers and training for deep learning in Rust.

#![deny(missing_docs)]

pub mod activations;
mod c_library;
pub mod callbacks;
#[doc(hidden)]
pub mod cell;
pub mod classical;
mod config;
pub mod constraints;
pub mod datasets;
pub mod device;
pub mod dim;
pub mod display;
pub mod distributed;
pub mod error;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod grad;
pub mod initializers;
pub mod input;
pub mod interrupt;
pub mod layers;
pub mod losses;
pub mod metrics;
pub mod models;
mod names;
pub mod optimizers;
pub mod plot;
pub mod prelude;
pub mod preprocessing;
pub mod random;
pub mod regularizers;
mod sorted;
pub mod tensor;

pub use device::Device;
pub use error::{Error, Result};
pub use grad::GradientTape;
pub use models::explain;
pub use random::set_seed;
pub use tensor::{DType, Shape, Tensor};

/// The arrays that tensors are made from and turned into, for programs that name their types.
pub use ndarray;
