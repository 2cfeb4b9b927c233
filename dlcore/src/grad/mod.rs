//! Reverse-mode differentiation: a tape records what is computed with the tensors it watches, and
//! is then read backwards.

mod check;
pub mod ops;
mod tape;

pub use check::check_gradients;
pub use tape::GradientTape;
pub(crate) use tape::{Node, record};
