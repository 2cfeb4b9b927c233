//! Convolution, as a product with the patches under the window, and pooling.

use std::sync::Arc;

use super::array::{DeviceArray, buffers};
use super::card::{Argument, Card};
use super::matrix::{self, dense};
use super::pointwise::zip;
use super::reduce::{Fold, fold};
use crate::Result;
use crate::device::cpu::Window;
use crate::grad::ops::{Conv, Pool};

/// The kernels' own `Slide`.
#[repr(C)]
pub(super) struct Slide {
    images: [i32; 4],
    positions: [i32; 2],
    size: [i32; 2],
    strides: [i32; 2],
    dilation: [i32; 2],
    before: [i32; 2],
}

impl Slide {
    /// None for lengths that kernels cannot count.
    pub(super) fn of(window: &Window, positions: [usize; 2], images: &[usize]) -> Option<Slide> {
        let two =
            |pair: [usize; 2]| Some([i32::try_from(pair[0]).ok()?, i32::try_from(pair[1]).ok()?]);
        let [batch, height, width, channels] = *images else {
            return None;
        };
        let ([batch, height], [width, channels]) = (two([batch, height])?, two([width, channels])?);
        Some(Slide {
            images: [batch, height, width, channels],
            positions: two(positions)?,
            size: two(window.size)?,
            strides: two(window.strides)?,
            dilation: two(window.dilation)?,
            before: two(window.before)?,
        })
    }
}

/// A kernel that is given arrays, the number of results, and the window.
fn slide(
    card: &'static Card,
    kernel: &'static str,
    operands: &[&DeviceArray],
    slide: &Slide,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let mut arguments = buffers(&[&out]);
    arguments.extend(buffers(operands));
    arguments.extend([Argument::Long(out.len() as i64), Argument::Slide(slide)]);
    card.each(kernel, out.len(), &arguments)?;
    Ok(out)
}

/// The patches under the window, `[rows, …window · channels]`.
fn patches(card: &'static Card, op: &Conv, x: &DeviceArray) -> Option<Result<DeviceArray>> {
    let window = Slide::of(&op.window, op.positions, x.shape())?;
    let rows = x.shape()[0] * op.positions[0] * op.positions[1];
    let width = op.window.places() * x.shape()[3];
    if rows * width > i32::MAX as usize {
        return None;
    }
    Some(slide(card, "patches", &[x], &window, &[rows, width]))
}

/// The convolution; none for groups, which the processor takes.
pub(super) fn conv(
    card: &'static Card,
    op: &Conv,
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    if op.groups != 1 {
        return None;
    }
    let patches = patches(card, op, x)?;
    Some(patches.and_then(|patches| {
        let matrix = kernel.reshaped(&[patches.shape()[1], shape[3]]);
        dense(&patches, &matrix, bias, (op.relu, op.products), shape)
    }))
}

/// What [`conv_shares`] needs.
pub(super) struct ConvStep<'a> {
    pub(super) gradient: Arc<DeviceArray>,
    pub(super) output: Arc<DeviceArray>,
    pub(super) x: Arc<DeviceArray>,
    pub(super) kernel: Arc<DeviceArray>,
    pub(super) wanted: &'a [bool],
}

/// The gradients of the images, the kernel and the bias.
pub(super) fn conv_shares(
    card: &'static Card,
    op: &Conv,
    step: &ConvStep<'_>,
) -> Option<Result<Vec<Option<DeviceArray>>>> {
    let window = Slide::of(&op.window, op.positions, step.x.shape())?;
    let patches = patches(card, op, &step.x)?;
    Some(patches.and_then(|patches| {
        let (rows, width) = (patches.shape()[0], patches.shape()[1]);
        let filters = step.kernel.shape()[3];
        let mut g = step.gradient.reshaped(&[rows, filters]);
        if op.relu {
            let y = step.output.reshaped(&[rows, filters]);
            g = zip(card, "relu_gradient", &g, &y, &[rows, filters]).expect("two axes")?;
        }
        let mut shares = Vec::with_capacity(step.wanted.len());
        for (side, &wanted) in step.wanted.iter().enumerate() {
            let sizes = (width, rows, filters);
            shares.push(match (wanted, side) {
                (false, _) => None,
                (true, 0) => {
                    let matrix = step.kernel.reshaped(&[width, filters]);
                    let (sizes, shape) = ((rows, filters, width), [rows, width]);
                    let (left, right) = ((&g, false), (&matrix, true));
                    let back = matrix::product(op.products, left, right, sizes, &shape)?;
                    Some(slide(
                        card,
                        "patches_back",
                        &[&back],
                        &window,
                        step.x.shape(),
                    )?)
                }
                (true, 1) => {
                    let shape = step.kernel.shape();
                    Some(matrix::product(
                        op.products,
                        (&patches, true),
                        (&g, false),
                        sizes,
                        shape,
                    )?)
                }
                (true, _) => Some(fold(card, Fold::Sum, &g, Some(0), &[filters])?),
            });
        }
        Ok(shares)
    }))
}

pub(super) fn pool(
    card: &'static Card,
    op: &Pool,
    x: &DeviceArray,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let window = Slide::of(&op.window, op.positions, x.shape())?;
    let kernel = if op.largest {
        "max_pool"
    } else {
        "average_pool"
    };
    Some(slide(card, kernel, &[x], &window, shape))
}

/// The gradient of what was pooled.
pub(super) fn pool_share(
    card: &'static Card,
    op: &Pool,
    x: &DeviceArray,
    y: &DeviceArray,
    gradient: &DeviceArray,
) -> Option<Result<DeviceArray>> {
    let window = Slide::of(&op.window, op.positions, x.shape())?;
    Some(match op.largest {
        true => slide(card, "max_pool_back", &[x, y, gradient], &window, x.shape()),
        false => slide(card, "average_pool_back", &[gradient], &window, x.shape()),
    })
}
