//! The NVIDIA cards.
//!
//! What is needed of NVIDIA is looked for at run time: the driver, by which everything goes; NVRTC, which compiles
//! the kernels of `kernels/` for the card that is there; cuBLAS for matrix products. A program built here runs
//! where none of it is.
//!
//! A tensor on a card holds a [`DeviceArray`]. An operation of the op table with an operand on a card is asked for in
//! `forward` (and its gradient in `gradient`); where there is no kernel for it, or for operands as they are,
//! it is computed on the processor from a copy, which `fallback` counts.

mod array;
mod blas;
mod card;
mod compiler;
mod driver;
pub(crate) mod fallback;
mod forward;
mod gradient;
mod layout;
mod library;
mod matrix;
mod memory;
mod optimizers;
mod pointwise;
mod window;

pub use array::DeviceArray;
pub(crate) use card::Card;
pub(crate) use forward::forward;
pub(crate) use gradient::gradient;
pub(crate) use memory::OUT_OF_MEMORY;
pub(crate) use optimizers::{
    Part as OptimizerPart, Rule as OptimizerRule, slot as optimizer_slot, step as optimizer_step,
    zeros as optimizer_zeros,
};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Device, DeviceInfo};
use crate::{Error, Result, Tensor};

/// The cards that were opened, or why one could not be. A card is never closed.
static CARDS: Mutex<BTreeMap<usize, Result<&'static Card, String>>> = Mutex::new(BTreeMap::new());

/// Whether any card is in use, so that who has none does not pay for it.
static IN_USE: AtomicBool = AtomicBool::new(false);

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
    let opened = cards.entry(number).or_insert_with(|| {
        let card = Card::open(number)?;
        IN_USE.store(true, Ordering::Relaxed);
        Ok(Box::leak(Box::new(card)))
    });
    opened.clone().map_err(|problem| {
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
    let crate::tensor::Storage::F32(array) = dense.storage() else {
        return None;
    };
    Some(DeviceArray::upload(card, array).map(Arc::new))
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
