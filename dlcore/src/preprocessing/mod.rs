//! Raw data made ready for a network.

pub(crate) mod labels;

pub use labels::{to_categorical, try_to_categorical};
