//! A window that slides over images, and pooling.

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use crate::Result;
use crate::device::cpu::Window;
use crate::grad::ops::Pool;

/// The kernels' own `Slide`.
#[repr(C)]
pub(super) struct Slide {
    images: [i32; 4],
    positions: [i32; 2],
    size: [i32; 2],
    strides: [i32; 2],
    dilation: [i32; 2],
    before: [i32; 2],
    groups: i32,
}

impl Slide {
    /// None for lengths that kernels cannot count.
    pub(super) fn of(window: &Window, positions: [usize; 2], images: &[usize]) -> Option<Slide> {
        Self::grouped(window, positions, images, 1)
    }

    /// [`Slide::of`] over channels in groups.
    pub(super) fn grouped(
        window: &Window,
        positions: [usize; 2],
        images: &[usize],
        groups: usize,
    ) -> Option<Slide> {
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
            groups: i32::try_from(groups).ok()?,
        })
    }
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
    let operands = buffers(&[x]);
    Some(computed(
        card,
        kernel,
        &operands,
        &[Argument::Slide(&window)],
        shape,
    ))
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
    let (kernel, operands) = match op.largest {
        true => ("max_pool_back", buffers(&[x, y, gradient])),
        false => ("average_pool_back", buffers(&[gradient])),
    };
    Some(computed(
        card,
        kernel,
        &operands,
        &[Argument::Slide(&window)],
        x.shape(),
    ))
}
