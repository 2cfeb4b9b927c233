//! What a notebook sees without an import: concrete names only.

pub use crate::error::{Error, Result};
