//! A step that several ranks make together.

use super::layer_ref::LayerRef;
use super::step::Prepared;
use crate::distributed::DataParallel;
use crate::tensor::DType;
use crate::{Result, Tensor};

/// The loss and the gradients of a batch from those of this process's shares, which `differentiate` computes, and of
/// the other ranks'. The gradients are missing where there is nothing to train.
pub(super) fn together(
    ranks: &DataParallel,
    trained: &[LayerRef],
    batch: &Prepared,
    mut differentiate: impl FnMut(&Prepared) -> Result<(f64, Option<Vec<Tensor>>)>,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let shapes = shapes(trained);
    let lengths: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
    // The loss goes with the gradients, so that all ranks see what is not finite.
    let mut sums = vec![0.0; 1 + lengths.iter().sum::<usize>()];
    for share in ranks.shares(batch.samples()) {
        if share.is_empty() {
            continue;
        }
        let weight = share.len() as f32 / batch.samples() as f32;
        let (loss, gradients) = differentiate(&batch.batch(None, share))?;
        sums[0] += weight * loss as f32;
        let mut rest = &mut sums[1..];
        for gradient in gradients.iter().flatten() {
            let (own, next) = rest.split_at_mut(gradient.len());
            for (sum, value) in own.iter_mut().zip(gradient.to_vec()) {
                *sum += weight * value;
            }
            rest = next;
        }
    }
    ranks.sum(&mut sums)?;
    let loss = f64::from(sums[0]);
    if shapes.is_empty() || !loss.is_finite() {
        return Ok((loss, None));
    }
    let mut rest = &sums[1..];
    let mut gradients = Vec::with_capacity(shapes.len());
    for (shape, length) in shapes.iter().zip(lengths) {
        let (own, next) = rest.split_at(length);
        gradients.push(Tensor::from_values(shape, own.to_vec()));
        rest = next;
    }
    Ok((loss, Some(gradients)))
}

fn shapes(trained: &[LayerRef]) -> Vec<Vec<usize>> {
    let layers = trained.iter().filter_map(LayerRef::leaf);
    let of = |layer: &dyn crate::layers::Layer| -> Vec<Vec<usize>> {
        let weights = layer.weights().into_iter();
        weights.map(|weight| weight.shape().to_vec()).collect()
    };
    layers.flat_map(|layer| of(&**layer)).collect()
}

/// Gives every rank the weights and the state of the first.
pub(super) fn begin(ranks: &DataParallel, leaves: &[LayerRef]) -> Result<()> {
    each(leaves, true, |values| ranks.of_first(values))
}

/// Gives every rank the state of the last: running means, which each has of its own shares.
pub(super) fn settle(ranks: &DataParallel, leaves: &[LayerRef]) -> Result<()> {
    each(leaves, false, |values| ranks.of_last(values))
}

fn each(
    leaves: &[LayerRef],
    weights: bool,
    exchange: impl Fn(&mut [f32]) -> Result<()>,
) -> Result<()> {
    for mut layer in leaves.iter().filter_map(LayerRef::leaf_mut) {
        let mut put = |tensor: &mut Tensor| {
            let mut values = tensor.to_vec();
            exchange(&mut values)?;
            let dtype: DType = tensor.dtype();
            if values != tensor.to_vec() {
                *tensor = Tensor::from_values(tensor.shape(), values).cast(dtype);
            }
            Ok(())
        };
        if weights {
            layer.weights_mut().into_iter().try_for_each(&mut put)?;
        }
        layer.state_mut().into_iter().try_for_each(&mut put)?;
    }
    Ok(())
}
