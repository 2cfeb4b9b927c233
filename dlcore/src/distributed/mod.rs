//! Training one model by several ranks, each of which sees a share of every batch.
//!
//! The shares' gradients are brought together, weighted by their samples, in the order of the ranks: the weights
//! are those that one rank has with the whole batch, up to rounding, and the same on every rank, bit for bit.

mod communicator;
mod data_parallel;
mod sockets;

pub use communicator::Communicator;
pub use data_parallel::DataParallel;
pub use sockets::Sockets;
