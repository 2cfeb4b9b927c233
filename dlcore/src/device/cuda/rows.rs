//! Softmax and the losses computed with it.

use super::array::DeviceArray;
use super::card::{Argument, Card};
use crate::Result;

/// A kernel of rows of the last axis.
pub(super) fn rows(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let steps = x.shape().last().copied().unwrap_or(1);
    let count = x.len() / steps.max(1);
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(x.buffer()),
        Argument::Int(count as i32),
        Argument::Int(steps as i32),
    ];
    card.launch(kernel, count, &arguments)?;
    Ok(out)
}

/// A loss for each row.
pub(super) fn losses(
    card: &'static Card,
    kernel: &'static str,
    logits: &DeviceArray,
    targets: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let steps = logits.shape().last().copied().unwrap_or(1);
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(logits.buffer()),
        Argument::Buffer(targets.buffer()),
        Argument::Int(out.len() as i32),
        Argument::Int(steps as i32),
    ];
    card.launch(kernel, out.len(), &arguments)?;
    Ok(out)
}
