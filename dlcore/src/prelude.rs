//! What a notebook sees without an import: concrete names only.

pub use crate::callbacks::Logs;
pub use crate::display::{
    DisplayHandle, MimeBundle, Rich, clear_output, display, display_updatable,
};
pub use crate::error::{Error, Result};
pub use crate::models::{Evaluation, History, Summary};
