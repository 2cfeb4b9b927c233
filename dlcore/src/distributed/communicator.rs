//! What ranks say to each other.

use crate::Result;

/// One rank among several, which all call the same methods in the same order with as many numbers.
///
/// NCCL or MPI take the place of [`Sockets`](super::Sockets) by this trait:
/// [`DataParallel::new`](super::DataParallel::new) takes any.
pub trait Communicator: Send + Sync {
    /// Which one this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Puts the sum of all ranks' numbers in the place of each rank's. It is taken in the order of the ranks and is
    /// the same on each, bit for bit.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if a rank has left or does something else.
    fn all_reduce(&self, values: &mut [f32]) -> Result<()>;

    /// Puts the numbers of the rank `from` in the place of each rank's.
    ///
    /// # Errors
    /// As [`Communicator::all_reduce`].
    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()>;

    /// Takes no part any more: who waits for this rank gets an error instead. A `fit` that ends on this rank alone
    /// calls it.
    fn leave(&self) {}
}
