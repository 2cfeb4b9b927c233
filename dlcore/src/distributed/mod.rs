//! Training one model by several ranks, each of which sees a share of every batch.
//!
//! # Two ranks on this machine
//!
//! In a notebook, or two: the same cells run in both, with another rank in each.
//!
//! ```
//! use dlcore::prelude::*;
//! # let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
//! # let address = &address;
//! # let train = |rank: usize| -> Result<Vec<Tensor>> {
//! let (x, y) = (Tensor::ones([8, 3]), Tensor::ones([8, 1]));
//! let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
//! model.compile("sgd", "mse", Metrics::none())?;
//! // 0 in the one notebook and 1 in the other; it waits until both are there.
//! let ranks = DataParallel::connect(rank, 2, address)?; // "127.0.0.1:29500"
//! model.fit(&x, &y, Fit::epochs(2).batch_size(8).distribution(&ranks).verbose(0))?;
//! # Ok(model.get_weights())
//! # };
//! # let weights = std::thread::scope(|scope| {
//! #     let other = scope.spawn(|| train(1));
//! #     [train(0).unwrap(), other.join().unwrap().unwrap()]
//! # });
//! # assert_eq!(weights[0], weights[1]);
//! # Ok::<(), Error>(())
//! ```
//!
//! One process can be all of them, one after another: [`DataParallel::ranks`].
//!
//! # A cluster
//!
//! [`DataParallel::from_env`] reads what `mpirun` and `srun` say, so the program is the same for one process and for many,
//! and each rank takes a card of its machine where there are cards:
//!
//! ```no_run
//! use dlcore::device::{self, Device};
//! use dlcore::prelude::*;
//! # fn data() -> (Tensor, Tensor) { (Tensor::ones([8, 3]), Tensor::ones([8, 1])) }
//! fn main() -> Result<()> {
//!     let ranks = DataParallel::from_env()?;
//!     if Device::cuda(ranks.local_rank()).is_ok() {
//!         device::set_default_device(Device::Cuda(ranks.local_rank()))?;
//!     }
//!     let (x, y) = data();
//!     let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
//!     model.compile("adam", "mse", Metrics::none())?;
//!     model.fit(&x, &y, Fit::epochs(5).batch_size(256).distribution(&ranks))?; // rank 0 shows progress
//!     if ranks.rank() == 0 {
//!         model.save("model.dl")?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! ```sh
//! mpirun -n 4 ./train                      # one machine
//! srun --nodes 2 --ntasks-per-node 4 ./train
//! ```
//!
//! Ranks talk by TCP ([`Sockets`]), or by MPI if the library was built with the feature `mpi`; where each has a card of its
//! own and NVIDIA's NCCL is found, gradients go from card to card ([`Nccl`]).
//!
//! # What is computed
//!
//! The shares' gradients are brought together, weighted by their samples: the weights are the same on every rank, bit for
//! bit. Up to rounding they are those that one rank has with the whole batch, where the loss of the batch is the mean over
//! its samples and each sample counts by itself:
//!
//! - Equal: losses with any weights of samples and classes, penalties on weights and on what layers return.
//! - Not equal: batch normalization takes the statistics of the share; a mean under a mask is one over what counts in the
//!   share; dropout and noise are drawn for each rank apart, by the same seed other numbers than one rank draws.
//! - Refused: `add_loss` of a model or a layer, which may be a sum over the batch, and stateful layers.
//!
//! All ranks must have the same optimizer in the same state, epochs, batches and `batch_size`, which `fit` compares first.
//! What it cannot compare are the data and callbacks. A rank whose `fit` ends by itself, interrupted, stopped by a callback
//! or with an error, leaves the others, and so does one whose process ends: theirs end with an error that says which rank
//! it was and why, and all must connect again. After an end that all share, that of the last epoch or a loss that is not
//! finite, the next `fit` may use the same connection.

mod communicator;
mod data_parallel;
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod nccl;
mod sockets;

pub use communicator::Communicator;
pub(crate) use communicator::{INTERRUPTED, reason_of};
pub use data_parallel::DataParallel;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use nccl::Nccl;
pub use sockets::Sockets;

/// A number in parts that single precision holds exactly.
pub(crate) fn exact(number: u64) -> [f32; 4] {
    [0, 16, 32, 48].map(|shift| f32::from((number >> shift) as u16))
}
