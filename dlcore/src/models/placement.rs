//! Weights and batches on the device that was chosen.

use super::layer_ref::LayerRef;
use super::step::Prepared;
use crate::device::{Device, cuda, default_device};
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

/// Whether any of these weights is on a card that cannot be read any more.
pub(super) fn lost(leaves: &[LayerRef]) -> bool {
    let unreadable = |weight: Tensor| {
        let there = weight.on_card();
        there.is_some_and(|array| array.try_here().is_err())
    };
    let weights = leaves.iter().flat_map(LayerRef::get_weights);
    weights.into_iter().any(unreadable)
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
            false => cuda::moved(tensor, device),
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
