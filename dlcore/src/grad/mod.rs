//! Reverse-mode differentiation: a tape records what is computed with the tensors it watches, and
//! is then read backwards.

mod check;
mod custom;
pub mod ops;
mod tape;
mod value;

pub use check::check_gradients;
pub use custom::{custom, try_custom};
pub use tape::GradientTape;
pub(crate) use tape::{Node, record};
pub use value::{Value, ValueGraph};
