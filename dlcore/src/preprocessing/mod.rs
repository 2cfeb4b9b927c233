//! Raw data made ready for a network.

pub(crate) mod labels;
mod text;

pub use labels::{to_categorical, try_to_categorical};
pub use text::{multi_hot, try_multi_hot};
