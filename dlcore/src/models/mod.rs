//! Models: layers put together, trained, evaluated.

mod checks;
mod evaluate;
mod evaluation;
mod fit;
mod history;
mod identity;
pub(crate) mod save;
mod sequential;
mod settings;
mod step;
mod summary;

pub use evaluation::Evaluation;
pub use history::{History, PartialEpoch};
pub use sequential::Sequential;
pub use settings::Fit;
pub use summary::{Summary, SummaryRow};

pub(crate) use summary::grouped;

pub(crate) use history::{format_metric, greater_is_better};
