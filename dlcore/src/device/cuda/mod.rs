//! The NVIDIA cards.
//!
//! What is needed of NVIDIA is looked for at run time: the driver, by which everything goes; NVRTC, which compiles
//! the kernels of `kernels/` for the card that is there; cuBLAS for matrix products. A program built here runs
//! where none of it is. `library` finds them; `driver_library` and `blas_library` say what functions they have.
//!
//! A tensor on a card holds a [`DeviceArray`]. An operation of the op table with an operand on a card is asked for in
//! `forward` (and its gradient in `gradient`); where there is no kernel for it, or for operands as they are,
//! it is computed on the processor from a copy, which `fallback` counts; `forward` lists what that concerns. Batches come
//! to the card by `staging`, while it computes.

mod array;
mod blas;
mod blas_library;
mod card;
mod compiler;
mod conv;
mod driver;
mod driver_library;
pub(crate) mod fallback;
mod forward;
mod gradient;
mod layout;
mod library;
mod matrix;
mod memory;
mod moving;
pub(crate) mod nccl;
mod normalize;
mod optimizers;
mod pointwise;
mod recurrent;
mod reduce;
mod rows;
mod staging;
mod stream;
mod window;

pub use array::DeviceArray;
pub(crate) use card::Card;
pub(crate) use forward::forward;
pub(crate) use gradient::gradient;
pub(crate) use memory::OUT_OF_MEMORY;
pub(crate) use normalize::column_moments;
pub(crate) use optimizers::{
    Part as OptimizerPart, Rule as OptimizerRule, slot as optimizer_slot, step as optimizer_step,
    zeros as optimizer_zeros,
};
pub(crate) use staging::Staging;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Device, DeviceInfo};
use crate::tensor::Storage;
use crate::{Error, Result, Tensor};

/// The gradients of an operation's inputs, of those that are wanted; none where the processor is to compute them.
type Shares = Option<Result<Vec<Option<DeviceArray>>>>;

/// The cards that were opened, or why one could not be. A card is never closed.
static CARDS: Mutex<BTreeMap<usize, Result<&'static Card, String>>> = Mutex::new(BTreeMap::new());

/// Whether any card is in use, so that who has none does not pay for it.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// Whether any card was in use and failed.
static ANY_LOST: AtomicBool = AtomicBool::new(false);

/// Whether a card has failed, so that something may be on it that cannot be read.
pub(crate) fn any_lost() -> bool {
    ANY_LOST.load(Ordering::Relaxed)
}

/// Whether kernels can count the elements of all of these.
fn countable<'a>(shapes: impl IntoIterator<Item = &'a [usize]>) -> bool {
    let most = i32::MAX as usize;
    let mut counts = shapes
        .into_iter()
        .map(|shape| shape.iter().product::<usize>());
    counts.all(|count| count <= most)
}

/// Whether tensors may be on a card.
pub(crate) fn in_use() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// The card of this number, ready.
///
/// # Errors
/// [`Error::Device`]: what was looked for and where, or what the driver or the compiler said.
pub(crate) fn card(number: usize) -> Result<&'static Card> {
    let mut cards = CARDS.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = cards.get(&number).cloned().unwrap_or_else(|| {
        let opened = Card::open(number).map(|card| &*Box::leak(Box::new(card)));
        IN_USE.fetch_or(opened.is_ok(), Ordering::Relaxed);
        // A card that is full, as of another process, may have room the next time.
        if !opened
            .as_ref()
            .is_err_and(|problem| is_about_memory(problem))
        {
            cards.insert(number, opened.clone());
        }
        opened
    });
    opened.map_err(|problem| {
        Error::Device(format!(
            "cuda:{number} is not available: {problem}; Device::Cpu is there, and everything works on it"
        ))
    })
}

/// The card of this number, if it was opened before.
fn opened(number: usize) -> Option<&'static Card> {
    let cards = CARDS.lock().unwrap_or_else(PoisonError::into_inner);
    cards
        .get(&number)
        .and_then(|card| card.as_ref().ok().copied())
}

/// What the driver knows of the cards; none of them is opened.
pub(super) fn cards() -> Result<Vec<DeviceInfo>, String> {
    let started = driver::start()?;
    if started.process != std::process::id() {
        return Err("this process was forked from one that uses the card".to_string());
    }
    (0..started.cards).map(card::info).collect()
}

/// Gives the memory that is kept for the next tensors back to the driver: at the end of training.
pub(crate) fn release() {
    if in_use() {
        let cards = CARDS.lock().unwrap_or_else(PoisonError::into_inner);
        cards.values().flatten().for_each(|card| card.release());
    }
}

/// Waits until everything is done, so that time can be taken.
///
/// # Errors
/// [`Error::Device`] if the card fails.
pub fn synchronize() -> Result<()> {
    let cards = CARDS.lock().unwrap_or_else(PoisonError::into_inner);
    cards
        .values()
        .flatten()
        .try_for_each(|card| card.synchronize())
}

/// By which [`Card::open`]'s words are known to be about memory: the driver's name for it has underscores.
fn is_about_memory(problem: &str) -> bool {
    problem.contains("CUDA_ERROR_OUT_OF_MEMORY") || problem.contains(OUT_OF_MEMORY)
}

/// The tensor's numbers on the card: those that are there, or a copy. None for what cards do not compute with:
/// other types than `F32`.
fn on_card(card: &'static Card, tensor: &Tensor) -> Option<Result<Arc<DeviceArray>>> {
    if let Some(array) = tensor.on_card()
        && std::ptr::eq(array.card(), card)
    {
        return Some(Ok(array.clone()));
    }
    if tensor.dtype() != crate::DType::F32 {
        return None;
    }
    let dense = tensor.to_dense();
    let Storage::F32(array) = dense.storage() else {
        return None;
    };
    Some(DeviceArray::upload(card, array).map(Arc::new))
}

/// [`on_card`] for each of several.
fn all_on_card<'a>(
    card: &'static Card,
    tensors: impl IntoIterator<Item = &'a Tensor>,
) -> Option<Result<Vec<Arc<DeviceArray>>>> {
    let arrays = tensors.into_iter().map(|tensor| on_card(card, tensor));
    let arrays: Option<Vec<_>> = arrays.collect();
    arrays.map(|arrays| arrays.into_iter().collect())
}

/// The card that any of these are on.
fn card_of<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Option<&'static Card> {
    let mut arrays = tensors.into_iter().filter_map(Tensor::on_card);
    arrays.next().map(|array| array.card())
}

/// The tensor on `device`; as it is where it is there, or where it is of a type that cards do not compute with.
///
/// # Errors
/// [`Error::Device`] if the device is not there, is full or fails.
pub(crate) fn moved(tensor: &Tensor, device: Device) -> Result<Tensor> {
    if tensor.device() == device {
        return Ok(tensor.clone());
    }
    match device {
        Device::Cpu => match tensor.on_card() {
            Some(array) => Ok(Tensor::from_storage(array.try_here()?.clone())),
            None => Ok(tensor.clone()),
        },
        Device::Cuda(number) => {
            let card = card(number)?;
            match on_card(card, tensor) {
                Some(array) => Ok(Tensor::from_card(array?)),
                None => Ok(tensor.clone()),
            }
        }
    }
}

/// [`moved`] for a batch: during `fit` it goes to a card while that computes.
///
/// # Errors
/// As [`moved`].
pub(crate) fn staged(tensor: &Tensor, device: Device) -> Result<Tensor> {
    if let Device::Cuda(number) = device
        && staging::is_wanted()
        && tensor.on_card().is_none()
        && let Storage::F32(array) = tensor.storage()
        && !array.is_empty()
        && let Some(array) = DeviceArray::stage(card(number)?, array)
    {
        return Ok(Tensor::from_card(Arc::new(array?)));
    }
    moved(tensor, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_elements_than_kernels_count_are_left_to_the_processor() {
        let most = i32::MAX as usize;
        assert!(countable([&[most][..], &[2, 3]]));
        assert!(!countable([&[2, 3][..], &[most + 1]]));
        assert!(!countable([&[1 << 16, 1 << 15][..]]));
    }

    #[test]
    fn a_card_that_was_full_is_told_from_one_that_cannot_be_used() {
        for full in [
            "CUDA_ERROR_OUT_OF_MEMORY, out of memory",
            "cuBLAS cannot start: out of memory, CUBLAS_STATUS_ALLOC_FAILED",
        ] {
            assert!(is_about_memory(full));
        }
        assert!(!is_about_memory("the driver sees no card"));
    }
}
