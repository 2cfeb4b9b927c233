//! Kernels of rows: softmax and the losses computed with it.

use super::array::{DeviceArray, buffers};
use super::card::{Argument, Card};
use super::moving::permuted;
use crate::Result;

/// A kernel of rows along an axis, which is brought last and back where it is another; none for more axes than kernels
/// know.
pub(super) fn rows(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    axis: usize,
) -> Option<Result<DeviceArray>> {
    let last = x.shape().len().checked_sub(1)?;
    if axis == last {
        return Some(each_row(card, kernel, &[x], x.shape()));
    }
    let mut axes: Vec<usize> = (0..=last).collect();
    axes.swap(axis, last);
    let along = permuted(card, x, &axes)?.and_then(|x| each_row(card, kernel, &[&x], x.shape()));
    match along {
        Ok(along) => permuted(card, &along, &axes),
        Err(error) => Some(Err(error)),
    }
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

/// [`launch`] of a kernel that makes an array of operands of one shape.
fn each_row(
    card: &'static Card,
    kernel: &'static str,
    operands: &[&DeviceArray],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let arrays = [&[&out], operands].concat();
    launch(card, kernel, &arrays, operands[0], &[])?;
    Ok(out)
}

/// Begins a kernel with a block for each row of `x`.
pub(super) fn launch(
    card: &'static Card,
    kernel: &'static str,
    arrays: &[&DeviceArray],
    x: &DeviceArray,
    rest: &[Argument<'_>],
) -> Result<()> {
    let (rows, width) = sizes(x);
    let mut arguments = buffers(arrays);
    arguments.extend([rows, width].map(|size| Argument::Int(size as i32)));
    arguments.extend(rest);
    card.launch(kernel, rows, &arguments)
}

/// Rows and columns.
pub(super) fn sizes(x: &DeviceArray) -> (usize, usize) {
    match x.shape() {
        [before @ .., width] => (before.iter().product(), *width),
        [] => (1, 1),
    }
}
