//! Tensors, layers and training for deep learning in Rust.

#![deny(missing_docs)]

pub mod callbacks;
pub mod device;
#[doc(hidden)]
pub mod cell;
pub mod display;
pub mod error;
pub mod grad;
pub mod interrupt;
pub mod models;
mod names;
pub mod plot;
pub mod prelude;
pub mod random;
pub mod tensor;

pub use device::Device;
pub use error::{Error, Result};
pub use grad::GradientTape;
pub use random::set_seed;
pub use tensor::{DType, Shape, Tensor};
