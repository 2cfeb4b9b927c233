//! Weights and batches on the device that was chosen.

use std::borrow::Cow;

use super::layer_ref::LayerRef;
use super::model::Model;
use super::step::Prepared;
use crate::device::cuda::Card;
use crate::device::{Device, cuda, default_device};
use crate::optimizers::Optimizer;
use crate::{DType, Result, Tensor};

/// Whether no tensor is on a card, and none is to be put there.
pub(super) fn all_here() -> bool {
    default_device() == Device::Cpu && !cuda::in_use()
}

/// Puts the weights and the state of these layers on the default device, where they are not there already.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) if the device is full or fails; the weights are then where they were, or
/// there.
pub(super) fn place(leaves: &[LayerRef]) -> Result<()> {
    if all_here() {
        return Ok(());
    }
    let device = default_device();
    for mut layer in leaves.iter().filter_map(LayerRef::leaf_mut) {
        for weight in layer.weights_mut() {
            put(weight, device)?;
        }
        for state in layer.state_mut() {
            put(state, device)?;
        }
    }
    Ok(())
}

/// Takes weights and state from cards that have failed, where a copy was kept since they last changed. Whether that
/// was so for all of them.
pub(super) fn leave_lost(leaves: &[LayerRef]) -> bool {
    let mut all = true;
    for mut layer in leaves.iter().filter_map(LayerRef::leaf_mut) {
        for weight in layer.weights_mut() {
            all &= leave(weight);
        }
        for state in layer.state_mut() {
            all &= leave(state);
        }
    }
    all
}

fn leave(tensor: &mut Tensor) -> bool {
    let card = tensor.on_card().map(|array| array.card());
    if !card.is_some_and(Card::is_lost) {
        return true;
    }
    match cuda::moved(tensor, Device::Cpu) {
        Ok(here) => {
            *tensor = here;
            true
        }
        Err(_) => false,
    }
}

/// An optimizer of which something was on a card that has failed begins anew. Whether it does.
pub(super) fn renew(optimizer: &mut dyn Optimizer) -> bool {
    let lost = cuda::any_lost() && optimizer.state().is_err();
    if lost {
        optimizer.reset();
    }
    lost
}

/// The model as it can be written: without what its optimizer had on a card that has failed.
pub(super) fn readable(model: &Model) -> Cow<'_, Model> {
    let compiled = model.compiled.as_ref().filter(|_| cuda::in_use());
    if compiled.is_none_or(|compiled| compiled.optimizer.state().is_ok()) {
        return Cow::Borrowed(model);
    }
    let mut copy = model.clone();
    if let Some(compiled) = &mut copy.compiled {
        compiled.optimizer.reset();
    }
    Cow::Owned(copy)
}

fn put(tensor: &mut Tensor, device: Device) -> Result<()> {
    if tensor.dtype() == DType::F32 && tensor.device() != device {
        *tensor = cuda::moved(tensor, device)?;
    }
    Ok(())
}

impl Prepared {
    /// The batch on the default device: each part is copied once, however often it is used. Sparse rows stay sparse.
    pub(super) fn placed(&self) -> Result<Prepared> {
        let device = default_device();
        let put = |tensor: &Tensor| match tensor.is_sparse() {
            true => Ok(tensor.clone()),
            false => cuda::staged(tensor, device),
        };
        let weights = self.weights.iter();
        Ok(Prepared {
            x: self.x.iter().map(put).collect::<Result<_>>()?,
            y: self.y.iter().map(put).collect::<Result<_>>()?,
            weights: weights
                .map(|weight| weight.as_ref().map(put).transpose())
                .collect::<Result<_>>()?,
        })
    }
}
