//! A step that several ranks make together.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use super::layer_ref::LayerRef;
use super::model::Model;
use super::step::Prepared;
use crate::device::{Device, default_device};
use crate::distributed::{Communicator, DataParallel, exact};
use crate::layers::own_losses;
use crate::optimizers::Optimizer;
use crate::tensor::DType;
use crate::{Error, Result, Tensor, random};

/// The loss and the gradients of a batch from those of this process's shares, which `differentiate` computes, and of
/// the other ranks'. The gradients are missing where there is nothing to train.
pub(super) fn together(
    ranks: &DataParallel,
    trained: &[LayerRef],
    batch: &Prepared,
    mut differentiate: impl FnMut(&Prepared) -> Result<(f64, Option<Vec<Tensor>>)>,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let shapes = shapes(trained);
    if let Some(cards) = ranks.on_card() {
        return on_card(ranks, &*cards, &shapes, batch, differentiate);
    }
    let lengths: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
    // The loss goes with the gradients, so that all ranks see what is not finite.
    let mut sums = vec![0.0; 1 + lengths.iter().sum::<usize>()];
    for share in ranks.shares(batch.samples()) {
        if share.is_empty() {
            continue;
        }
        let weight = share.len() as f32 / batch.samples() as f32;
        let (loss, gradients) = of_share(ranks, batch, share, &mut differentiate)?;
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

/// [`together`] where the weights are on a card: the gradients stay there, and the loss is among them.
fn on_card(
    ranks: &DataParallel,
    cards: &dyn Communicator,
    shapes: &[Vec<usize>],
    batch: &Prepared,
    mut differentiate: impl FnMut(&Prepared) -> Result<(f64, Option<Vec<Tensor>>)>,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let share = ranks.shares(batch.samples()).remove(0);
    let weight = share.len() as f32 / batch.samples() as f32;
    let (loss, gradients) = match share.is_empty() {
        true => (0.0, None),
        false => of_share(ranks, batch, share, &mut differentiate)?,
    };
    let device = default_device();
    let mut sums = vec![Tensor::from_values(&[1], vec![weight * loss as f32]).to(device)?];
    for (at, shape) in shapes.iter().enumerate() {
        let own = match &gradients {
            Some(gradients) => &gradients[at] * weight,
            None => Tensor::from_values(shape, vec![0.0; shape.iter().product()]),
        };
        sums.push(own.to(device)?);
    }
    cards.all_reduce_on_card(&mut sums)?;
    let gradients = sums.split_off(1);
    let loss = sums[0].to(Device::Cpu)?.item();
    let trains = !shapes.is_empty() && loss.is_finite();
    Ok((loss, trains.then_some(gradients)))
}

/// The loss and the gradients of one share.
fn of_share(
    ranks: &DataParallel,
    batch: &Prepared,
    share: Range<usize>,
    differentiate: &mut impl FnMut(&Prepared) -> Result<(f64, Option<Vec<Tensor>>)>,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let before = own_losses();
    let share = batch.batch(None, share);
    let of_share = random::as_rank(ranks.rank(), || differentiate(&share))?;
    if own_losses() > before && ranks.size() > 1 {
        return Err(not_shared(
            "a layer of the model adds a loss of its own (add_loss)",
        ));
    }
    Ok(of_share)
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
///
/// # Errors
/// [`Error::Model`] for what does not come out as with one rank, or if ranks are to do different things: `plan` says how
/// many epochs, batches and so on.
pub(super) fn begin(ranks: &DataParallel, model: &Model, plan: &[usize]) -> Result<()> {
    if ranks.size() > 1 {
        if adds_loss(&model.handle) {
            return Err(not_shared("the model has a loss by add_loss"));
        }
        let stateful = |layer: &&LayerRef| layer.leaf().is_some_and(|layer| layer.is_stateful());
        if let Some(layer) = model.leaves().iter().find(stateful) {
            let problem = format!("{} is stateful", layer.describe());
            return Err(not_shared(&problem));
        }
    }
    agree(ranks, model, plan)?;
    ranks.ready_cards()?;
    each(&model.leaves(), true, |values| ranks.of_first(values))
}

fn not_shared(problem: &str) -> Error {
    Error::Model(format!(
        "fit: {problem}, which a share of each batch does not compute as the whole batch does; leave out distribution"
    ))
}

/// Whether a graph adds to the loss: this model's or one that is a layer of it.
fn adds_loss(model: &LayerRef) -> bool {
    let own = model.graph().is_some_and(|g| !g.loss_places().is_empty());
    own || model.layers().iter().any(adds_loss)
}

/// An error on all ranks if one of them has other settings, or another state of the optimizer, than the first.
fn agree(ranks: &DataParallel, model: &Model, plan: &[usize]) -> Result<()> {
    if ranks.are_here() {
        return Ok(());
    }
    let own = [digest(plan), optimizer_digest(model)?];
    let mut first: Vec<f32> = own.iter().copied().flat_map(exact).collect();
    ranks.of_first(&mut first)?;
    let other = |(own, first): (&u64, &[f32])| exact(*own) != *first;
    let others = own.iter().zip(first.chunks_exact(4)).map(other);
    let mut others: Vec<f32> = others.map(|other| f32::from(u8::from(other))).collect();
    ranks.sum(&mut others)?;
    let problem = match others[..] {
        [0.0, 0.0] => return Ok(()),
        [0.0, _] => {
            "the same optimizer in the same state: compile the model anew on all ranks, or load it from one file on all"
        }
        _ => "the same epochs, batches in an epoch, batch_size and mixed_precision",
    };
    Err(Error::Model(format!(
        "fit: ranks differ; all {} must have {problem}",
        ranks.size()
    )))
}

fn optimizer_digest(model: &Model) -> Result<u64> {
    let compiled = model.compiled.as_ref();
    let of = |optimizer: &dyn Optimizer| {
        let state = optimizer.state()?.into_iter().map(|(name, vectors)| {
            let bits = |vector: &Arc<Vec<f32>>| vector.iter().map(|v| v.to_bits()).collect();
            let bits: Vec<Vec<u32>> = vectors.iter().map(bits).collect();
            (name, bits)
        });
        let settings = optimizer.config().map(|config| config.to_string());
        let rate = optimizer.learning_rate().to_bits();
        let state: Vec<_> = state.collect();
        Ok(digest((optimizer.name(), settings, rate, state)))
    };
    compiled.map_or(Ok(0), |compiled| of(&*compiled.optimizer))
}

/// The same number on all ranks, which run the same program.
fn digest(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
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
