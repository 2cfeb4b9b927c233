//! What ranks say to each other.

use crate::device::Device;
use crate::{Error, Result, Tensor};

/// What the error says where a wait for others was interrupted.
pub(crate) const INTERRUPTED: &str = "interrupted while it waited for other ranks";

/// One rank among several, which all call the same methods in the same order with as many numbers.
///
/// [`Sockets`](super::Sockets) is one, [`Nccl`](super::Nccl) another, `Mpi` (with the feature `mpi`) a third;
/// [`DataParallel::new`](super::DataParallel::new) takes any.
pub trait Communicator: Send + Sync {
    /// Which one this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Puts the sum of all ranks' numbers in the place of each rank's. It is the same on each, bit for bit.
    ///
    /// # Errors
    /// [`Error::Device`] if a rank has left or does something else.
    fn all_reduce(&self, values: &mut [f32]) -> Result<()>;

    /// Puts the numbers of the rank `from` in the place of each rank's.
    ///
    /// # Errors
    /// As [`Communicator::all_reduce`].
    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()>;

    /// An error if another rank is known to have left; it does not wait.
    ///
    /// # Errors
    /// [`Error::Device`] with the rank and its reason.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Takes no part any more: who waits for this rank, now or later, gets an error with the reason instead. A `fit` that
    /// ends on this rank alone calls it.
    fn leave(&self, _reason: &str) {}

    /// The card whose tensors [`Communicator::all_reduce_on_card`] sums; none where numbers go through the processor.
    fn card(&self) -> Option<Device> {
        None
    }

    /// [`Communicator::all_reduce`] of tensors on [`Communicator::card`], which stay there.
    ///
    /// # Errors
    /// As [`Communicator::all_reduce`]; or if the card fails.
    fn all_reduce_on_card(&self, _tensors: &mut [Tensor]) -> Result<()> {
        Err(Error::Device(
            "these ranks do not sum what is on a card".to_string(),
        ))
    }
}

/// What is told of a rank that has left, to the rank `own` of `size`.
pub(super) fn left(rank: usize, reason: &str, own: usize, size: usize) -> Error {
    Error::Device(format!(
        "rank {rank} has left: {reason} (this one is rank {own} of {size})"
    ))
}

/// What is told once ranks have parted.
pub(super) fn parted(why: &str, own: usize, size: usize) -> Error {
    Error::Device(format!(
        "rank {own} of {size} has parted from the others ({why}); connect all ranks again"
    ))
}

pub(super) fn interrupted(own: usize) -> Error {
    Error::Device(format!("rank {own} was {INTERRUPTED}"))
}

/// What a rank that was interrupted tells the others: not in the words by which it knows its own interrupt.
pub(super) const WAS_INTERRUPTED: &str = "it was interrupted";

/// What is told of a rank that has ended its connection without a reason.
pub(super) const HAS_DROPPED: &str = "it has dropped its connection; its program may have ended";

/// What the others are told of this error.
pub(crate) fn reason_of(error: &Error) -> String {
    let text = error.to_string();
    match text.contains(INTERRUPTED) {
        true => WAS_INTERRUPTED.to_string(),
        false => text,
    }
}

/// An error for a rank that is not below the size.
pub(super) fn check_rank(rank: usize, size: usize) -> Result<()> {
    if rank < size {
        return Ok(());
    }
    Err(Error::Value(format!(
        "ranks are counted from 0: of {size} there is none with number {rank}"
    )))
}
