//! Convolutions: plain and transposed ones as products with the patches under the window, those of each channel by
//! itself by kernels of their own.

use std::sync::Arc;

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use super::matrix::{self, add_bias, rounded_floats};
use super::moving::permuted;
use super::pointwise::zip;
use super::reduce::{Fold, Tiles, fold};
use super::window::Slide;
use super::{Shares, all_on_card};
use crate::device::cpu::Window;
use crate::grad::ops::{Conv, ConvTranspose, DepthwiseConv, Step};
use crate::{Result, Tensor};

/// Images and the patches under a window over them, `[groups, rows, width]`.
struct Patches<'a> {
    card: &'static Card,
    slide: Slide,
    images: &'a [usize],
    groups: usize,
    /// Positions over all images.
    rows: usize,
    /// Numbers of a group under the window.
    width: usize,
}

impl<'a> Patches<'a> {
    /// None where there are more numbers than kernels count.
    fn of(
        card: &'static Card,
        window: &Window,
        positions: [usize; 2],
        images: &'a [usize],
        groups: usize,
    ) -> Option<Patches<'a>> {
        let rows = images[0] * positions[0] * positions[1];
        let width = window.places() * images[3] / groups;
        if groups * rows * width > i32::MAX as usize {
            return None;
        }
        Some(Patches {
            card,
            slide: Slide::grouped(window, positions, images, groups)?,
            images,
            groups,
            rows,
            width,
        })
    }

    /// The patches of images.
    fn taken(&self, images: &DeviceArray) -> Result<DeviceArray> {
        let shape = [self.groups, self.rows, self.width];
        self.computed("patches", images, &shape)
    }

    /// The images of patches, those that overlap added.
    fn put_back(&self, patches: &DeviceArray) -> Result<DeviceArray> {
        self.computed("patches_back", patches, self.images)
    }

    fn computed(
        &self,
        kernel: &'static str,
        from: &DeviceArray,
        shape: &[usize],
    ) -> Result<DeviceArray> {
        let window = Argument::Slide(&self.slide);
        computed(self.card, kernel, &buffers(&[from]), &[window], shape)
    }
}

/// The first two of three axes exchanged; without a copy where one of them is no more than one long.
fn exchanged(
    card: &'static Card,
    x: &DeviceArray,
    [first, second, third]: [usize; 3],
) -> Result<DeviceArray> {
    if first <= 1 || second <= 1 {
        return Ok(x.reshaped(&[second, first, third]));
    }
    let x = x.reshaped(&[first, second, third]);
    permuted(card, &x, &[1, 0, 2]).expect("three axes")
}

/// The sums over all but the last axis.
fn column_sums(card: &'static Card, g: &DeviceArray, shape: &[usize]) -> Result<DeviceArray> {
    let columns = g.shape()[g.shape().len() - 1];
    let rows = g.len() / columns.max(1);
    fold(
        card,
        Fold::Sum,
        &g.reshaped(&[rows, columns]),
        Some(0),
        shape,
    )
}

/// A gradient for each operand that is wanted.
fn each_wanted(
    step: &Step<'_>,
    share: impl Fn(usize) -> Result<DeviceArray>,
) -> Result<Vec<Option<DeviceArray>>> {
    let wanted = step.wanted.iter().enumerate();
    wanted
        .map(|(side, &wanted)| wanted.then(|| share(side)).transpose())
        .collect()
}

/// The gradient, the images and the kernel of a step.
fn known(
    card: &'static Card,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Option<Result<[Arc<DeviceArray>; 3]>> {
    let known = all_on_card(card, [gradient, &step.inputs[0], &step.inputs[1]])?;
    Some(known.map(|known| known.try_into().expect("three")))
}

/// The convolution, of each group by itself.
pub(super) fn conv(
    card: &'static Card,
    op: &Conv,
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let patches = Patches::of(card, &op.window, op.positions, x.shape(), op.groups)?;
    let (groups, rows, width) = (patches.groups, patches.rows, patches.width);
    let own = shape[3] / groups;
    let compute = || {
        let out = matrix::batched(
            op.products,
            (&patches.taken(x)?, false, false),
            (
                &exchanged(card, kernel, [width, groups, own])?,
                false,
                false,
            ),
            (groups, rows, width, own),
            &[groups, rows, own],
        )?;
        let out = exchanged(card, &out, [groups, rows, own])?.reshaped(shape);
        add_bias(card, &out, bias, op.relu)?;
        Ok(out)
    };
    Some(compute())
}

/// The gradients of the images, the kernel and the bias.
pub(super) fn conv_shares(
    card: &'static Card,
    op: &Conv,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Shares {
    let output = all_on_card(card, [step.output])?;
    let known = known(card, step, gradient)?;
    let images = step.inputs[0].shape();
    let patches = Patches::of(card, &op.window, op.positions, images, op.groups)?;
    let (groups, rows, width) = (patches.groups, patches.rows, patches.width);
    let compute = || {
        let [mut g, x, kernel] = known?;
        let own = kernel.shape()[3] / groups;
        if op.relu {
            let shape = g.shape();
            let masked = zip(card, "relu_gradient", &g, &output?[0], shape).expect("one shape");
            g = Arc::new(masked?);
        }
        let by_group = exchanged(card, &g, [rows, groups, own])?;
        each_wanted(step, |side| match side {
            0 => {
                let kernel = exchanged(card, &kernel, [width, groups, own])?;
                let back = matrix::batched(
                    op.products,
                    (&by_group, false, false),
                    (&kernel, true, false),
                    (groups, rows, own, width),
                    &[groups, rows, width],
                )?;
                patches.put_back(&back)
            }
            1 => {
                let back = matrix::batched(
                    op.products,
                    (&patches.taken(&x)?, true, false),
                    (&by_group, false, false),
                    (groups, width, rows, own),
                    &[groups, width, own],
                )?;
                let back = exchanged(card, &back, [groups, width, own])?;
                Ok(back.reshaped(kernel.shape()))
            }
            _ => column_sums(card, &g, step.inputs[side].shape()),
        })
    };
    Some(compute())
}

/// The convolution's way back as a layer: each pixel times the kernel is a patch of the result.
pub(super) fn conv_transpose(
    card: &'static Card,
    op: &ConvTranspose,
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let [_, height, width, channels] = *x.shape() else {
        return None;
    };
    let patches = Patches::of(card, &op.window, [height, width], shape, 1)?;
    let sizes = (patches.rows, channels, patches.width);
    let compute = || {
        let room = [patches.rows, patches.width];
        let all = matrix::product(op.products, (x, false), (kernel, true), sizes, &room)?;
        let out = patches.put_back(&all)?;
        add_bias(card, &out, bias, false)?;
        Ok(out)
    };
    Some(compute())
}

/// The gradients of the images, the kernel and the bias.
pub(super) fn conv_transpose_shares(
    card: &'static Card,
    op: &ConvTranspose,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Shares {
    let known = known(card, step, gradient)?;
    let [_, height, width, channels] = *step.inputs[0].shape() else {
        return None;
    };
    let patches = Patches::of(card, &op.window, [height, width], gradient.shape(), 1)?;
    let (rows, width) = (patches.rows, patches.width);
    let compute = || {
        let [g, x, kernel] = known?;
        let taken = match step.wanted[0] || step.wanted[1] {
            true => Some(patches.taken(&g)?),
            false => None,
        };
        let taken = || taken.as_ref().expect("wanted");
        each_wanted(step, |side| match side {
            0 => {
                let sizes = (rows, width, channels);
                let (left, right) = ((taken(), false), (&*kernel, false));
                matrix::product(op.products, left, right, sizes, x.shape())
            }
            1 => {
                let sizes = (width, rows, channels);
                let (left, right) = ((taken(), true), (&*x, false));
                matrix::product(op.products, left, right, sizes, kernel.shape())
            }
            _ => column_sums(card, &g, step.inputs[side].shape()),
        })
    };
    Some(compute())
}

/// The convolution of each channel by itself.
pub(super) fn depthwise(
    card: &'static Card,
    op: &DepthwiseConv,
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let window = Slide::of(&op.window, op.positions, x.shape())?;
    let compute = || {
        let (x, kernel) = (
            rounded_floats(op.products, x)?,
            rounded_floats(op.products, kernel)?,
        );
        let mut operands = buffers(&[&x, &kernel]);
        operands.push(bias.map_or(Argument::Nothing, |bias| Argument::Buffer(bias.buffer())));
        let rest = [
            Argument::Slide(&window),
            Argument::Int(kernel.shape()[3] as i32),
            Argument::Int(i32::from(bias.is_some())),
        ];
        computed(card, "depthwise", &operands, &rest, shape)
    };
    Some(compute())
}

/// The gradients of the images, the kernel and the bias.
pub(super) fn depthwise_shares(
    card: &'static Card,
    op: &DepthwiseConv,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Shares {
    let known = known(card, step, gradient)?;
    let window = Slide::of(&op.window, op.positions, step.inputs[0].shape())?;
    let compute = || {
        let known = known?;
        let [g, x, kernel] = [0, 1, 2].map(|index| rounded_floats(op.products, &known[index]));
        let (g, x, kernel) = (g?, x?, kernel?);
        let (outputs, many) = (g.shape()[3], kernel.shape()[3]);
        let rest = [Argument::Slide(&window), Argument::Int(many as i32)];
        each_wanted(step, |side| match side {
            0 => {
                let operands = buffers(&[&g, &kernel]);
                computed(card, "depthwise_back", &operands, &rest, x.shape())
            }
            1 => {
                let (rows, width) = (g.len() / outputs.max(1), kernel.len());
                let tiles = Tiles::of(rows, width);
                let sums = DeviceArray::empty(card, &[tiles.pieces(), width])?;
                tiles.launch(card, "depthwise_kernel_back", &[&sums, &x, &g], &rest)?;
                fold(card, Fold::Sum, &sums, Some(0), kernel.shape())
            }
            _ => column_sums(card, &known[0], step.inputs[side].shape()),
        })
    };
    Some(compute())
}
