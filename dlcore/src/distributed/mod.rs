//! Training one model by several ranks, each of which sees a share of every batch.
//!
//! The shares' gradients are brought together, weighted by their samples, in the order of the ranks: the weights
//! are the same on every rank, bit for bit. Up to rounding they are those that one rank has with the whole batch, where
//! the loss of the batch is the mean over its samples and each sample counts by itself:
//!
//! - Equal: losses with any weights of samples and classes, penalties on weights and on what layers return.
//! - Not equal: batch normalization takes the statistics of the share; a mean under a mask is one over what counts in the
//!   share; dropout and noise are drawn for each rank apart, by the same seed other numbers than one rank draws.
//! - Refused: `add_loss` of a model or a layer, which may be a sum over the batch, and stateful layers.
//!
//! All ranks must have the same optimizer in the same state, epochs, batches and `batch_size`, which `fit` compares first.
//! What it cannot compare are the data and callbacks. A rank whose `fit` ends by itself, interrupted, stopped by a callback
//! or with an error, leaves the others: theirs end with an error, and all must connect again. After an end that all
//! share, that of the last epoch or a loss that is not finite, the next `fit` may use the same connection.

mod communicator;
mod data_parallel;
mod sockets;

pub use communicator::Communicator;
pub use data_parallel::DataParallel;
pub(crate) use sockets::INTERRUPTED;
pub use sockets::Sockets;
