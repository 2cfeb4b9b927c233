//! Softmax and the losses computed with it.

use super::array::{DeviceArray, buffers};
use super::card::{Argument, Card};
use crate::Result;

/// A kernel of rows of the last axis.
pub(super) fn rows(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    each_row(card, kernel, &[x], shape)
}

/// A loss for each row.
pub(super) fn losses(
    card: &'static Card,
    kernel: &'static str,
    logits: &DeviceArray,
    targets: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    each_row(card, kernel, &[logits, targets], shape)
}

/// A kernel with a block for each row of its operands, which have one shape.
fn each_row(
    card: &'static Card,
    kernel: &'static str,
    operands: &[&DeviceArray],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let (count, steps) = match operands[0].shape() {
        [before @ .., steps] => (before.iter().product(), *steps),
        [] => (1, 1),
    };
    let mut arguments = buffers(&[&out]);
    arguments.extend(buffers(operands));
    arguments.extend([count, steps].map(|size| Argument::Int(size as i32)));
    card.launch(kernel, count, &arguments)?;
    Ok(out)
}
