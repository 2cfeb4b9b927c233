//! Models: layers put together, trained, evaluated.

mod evaluation;
mod history;
mod summary;

pub use evaluation::Evaluation;
pub use history::{History, PartialEpoch};
pub use summary::{Summary, SummaryRow};

pub(crate) use history::format_metric;
