//! Models: layers put together, trained, evaluated.

mod batch_sequence;
mod block;
mod chain;
mod checks;
mod compile;
mod data;
mod evaluate;
mod evaluation;
mod explain;
mod fit;
mod forward;
mod graph;
mod guard;
mod history;
mod identity;
mod layer_ref;
mod model;
mod network;
mod objective;
mod placement;
mod run;
pub(crate) mod save;
mod sequential;
mod settings;
mod shares;
mod step;
mod summary;
mod symbol;
mod tally;
mod trainable;
mod training;
mod weighting;

#[cfg(test)]
mod tests;

pub use batch_sequence::BatchSequence;
pub use block::{Block, BlockClone};
pub use data::{Batch, Data};
pub use evaluate::Evaluate;
pub use evaluation::Evaluation;
pub use explain::{ExplainedStep, Explanation, explain};
pub use history::{History, PartialEpoch};
pub use layer_ref::LayerRef;
pub use model::Model;
pub use objective::{Losses, OutputMetrics};
pub use save::LoadWeights;
pub use sequential::Sequential;
pub use settings::Fit;
pub use summary::{Summary, SummaryRow};
pub use symbol::{Input, LayerCall, Symbol, Symbols};

pub(crate) use graph::DrawnCall;
pub(crate) use summary::{grouped, shape_text};

pub(crate) use history::{LEARNING_RATE, format_metric, greater_is_better};
