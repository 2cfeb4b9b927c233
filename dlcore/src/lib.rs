//! Tensors, layers and training for deep learning in Rust.

#![deny(missing_docs)]

pub mod callbacks;
pub mod display;
pub mod error;
pub mod interrupt;
pub mod models;
mod names;
pub mod prelude;

pub use error::{Error, Result};
