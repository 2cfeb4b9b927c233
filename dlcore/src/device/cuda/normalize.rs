//! Batch and layer normalization: one pass for the moments, one for the result, and as many on the way back.

use std::sync::Arc;

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use super::reduce::{Fold, Tiles, fold};
use super::rows::{self, sizes};
use super::{Shares, all_on_card, countable};
use crate::grad::ops::{BatchNorm, LayerNorm, Step};
use crate::{Result, Tensor};

/// The mean and the variance of each channel, the last axis, of a tensor on a card; none where the processor is to
/// compute them.
pub(crate) fn column_moments(x: &Tensor) -> Option<Result<[Tensor; 2]>> {
    let array = x.on_card()?;
    if array.is_empty() || !countable([x.shape()]) {
        return None;
    }
    let moments = moments_of_columns(array.card(), array);
    Some(moments.map(|moments| moments.map(|array| Tensor::from_card(Arc::new(array)))))
}

fn moments_of_columns(card: &'static Card, x: &DeviceArray) -> Result<[DeviceArray; 2]> {
    let (rows, width) = sizes(x);
    let tiles = Tiles::of(rows, width);
    let room = |shape: &[usize]| DeviceArray::empty(card, shape);
    let pieces = [tiles.pieces(), width];
    let (means, squares) = (room(&pieces)?, room(&pieces)?);
    tiles.launch(card, "piece_moments", &[&means, &squares, x], &[])?;
    let (mean, variance) = (room(&[width])?, room(&[width])?);
    let mut arguments = buffers(&[&mean, &variance, &means, &squares]);
    arguments.extend(tiles.arguments());
    card.launch("column_moments", tiles.tiles(), &arguments)?;
    Ok([mean, variance])
}

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, by the moments that the operation has.
pub(super) fn batch_norm(
    card: &'static Card,
    op: &BatchNorm,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let moments = all_on_card(card, op.moments())?;
    Some(moments.and_then(|moments| {
        let (x, gamma, beta) = (&operands[0], &operands[1], &operands[2]);
        let operands = buffers(&[x, &moments[0], &moments[1], gamma, beta]);
        let rest = [
            Argument::Int(sizes(x).1 as i32),
            Argument::Float(op.epsilon() as f32),
        ];
        computed(card, "batch_norm", &operands, &rest, shape)
    }))
}

/// For each column `Σ g` and `Σ g · x̂`, by moments of columns or of rows.
fn sums(
    card: &'static Card,
    [g, x, mean, variance]: [&DeviceArray; 4],
    by_row: bool,
    epsilon: f64,
) -> Result<[DeviceArray; 2]> {
    let (rows, width) = sizes(x);
    let tiles = Tiles::of(rows, width);
    let pieces = [tiles.pieces(), width];
    let plain = DeviceArray::empty(card, &pieces)?;
    let product = DeviceArray::empty(card, &pieces)?;
    let rest = [
        Argument::Int(i32::from(by_row)),
        Argument::Float(epsilon as f32),
    ];
    let arrays = [&plain, &product, g, x, mean, variance];
    tiles.launch(card, "normalized_sums", &arrays, &rest)?;
    let whole = |sums: &DeviceArray| fold(card, Fold::Sum, sums, Some(0), &[width]);
    Ok([whole(&plain)?, whole(&product)?])
}

/// The gradients of input, gamma and beta; `None` where there is nothing to be computed from.
pub(super) fn batch_norm_shares(
    card: &'static Card,
    op: &BatchNorm,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Shares {
    let known = [gradient, &step.inputs[0], &step.inputs[1]];
    let arrays = all_on_card(card, known.into_iter().chain(op.moments()))?;
    if step.inputs[0].len() == 0 {
        return None;
    }
    Some(arrays.and_then(|arrays| {
        let [g, x, gamma, mean, variance] = [0, 1, 2, 3, 4].map(|index| &*arrays[index]);
        let [plain, product] = sums(card, [g, x, mean, variance], false, op.epsilon())?;
        let mut by_x = None;
        if step.wanted[0] {
            let (rows, width) = sizes(x);
            let operands = buffers(&[g, x, mean, variance, gamma, &plain, &product]);
            let rest = [
                Argument::Int(rows as i32),
                Argument::Int(width as i32),
                Argument::Float(op.epsilon() as f32),
            ];
            let shape = x.shape();
            by_x = Some(computed(card, "batch_norm_back", &operands, &rest, shape)?);
        }
        Ok(wanted(step, [by_x, Some(product), Some(plain)]))
    }))
}

/// Those that are wanted.
fn wanted(step: &Step<'_>, shares: [Option<DeviceArray>; 3]) -> Vec<Option<DeviceArray>> {
    let shares = shares.into_iter().zip(step.wanted);
    shares
        .map(|(share, &wanted)| share.filter(|_| wanted))
        .collect()
}

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, by each row's own moments.
pub(super) fn layer_norm(
    card: &'static Card,
    op: &LayerNorm,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let (x, gamma, beta) = (&operands[0], &operands[1], &operands[2]);
    let epsilon = [Argument::Float(op.epsilon() as f32)];
    rows::launch(card, "layer_norm", &[&out, x, gamma, beta], x, &epsilon)?;
    Ok(out)
}

/// The gradients of input, gamma and beta.
pub(super) fn layer_norm_shares(
    card: &'static Card,
    op: &LayerNorm,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Shares {
    let known = [gradient, &step.inputs[0], &step.inputs[1]];
    let arrays = all_on_card(card, known)?;
    if step.inputs[0].len() == 0 {
        return None;
    }
    Some(arrays.and_then(|arrays| {
        let [g, x, gamma] = [0, 1, 2].map(|index| &*arrays[index]);
        let (rows, _) = sizes(x);
        let mean = DeviceArray::empty(card, &[rows])?;
        let variance = DeviceArray::empty(card, &[rows])?;
        rows::launch(card, "row_moments", &[&mean, &variance, x], x, &[])?;
        let (mut by_x, mut by_gamma, mut by_beta) = (None, None, None);
        if step.wanted[0] {
            let out = DeviceArray::empty(card, x.shape())?;
            let epsilon = [Argument::Float(op.epsilon() as f32)];
            let arrays = [&out, g, x, gamma, &mean, &variance];
            rows::launch(card, "layer_norm_back", &arrays, x, &epsilon)?;
            by_x = Some(out);
        }
        if step.wanted[1] || step.wanted[2] {
            let [plain, product] = sums(card, [g, x, &mean, &variance], true, op.epsilon())?;
            (by_gamma, by_beta) = (Some(product), Some(plain));
        }
        Ok(wanted(step, [by_x, by_gamma, by_beta]))
    }))
}
