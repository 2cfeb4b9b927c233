//! What a notebook sees without an import: concrete names only.

pub use crate::callbacks::Logs;
pub use crate::device::Device;
pub use crate::display::{
    DisplayHandle, MimeBundle, Rich, clear_output, display, display_updatable,
};
pub use crate::error::{Error, Result};
pub use crate::grad::GradientTape;
pub use crate::models::{Evaluation, History, Summary};
pub use crate::plot::{self, Plot};
pub use crate::random::set_seed;
pub use crate::tensor::{DType, SliceItem, Tensor};
