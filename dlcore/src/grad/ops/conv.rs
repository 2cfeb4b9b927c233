//! Convolutions of images `[batch, height, width, channels]`: plain, transposed, channel by channel.
//! A sequence is an image of height 1.

use super::matrix::relu_gradient;
use super::{Products, Rule, Step, apply};
use crate::device::cpu::buffers::written;
use crate::device::cpu::{self, Convolution, Depthwise, Slide, Window};
use crate::tensor::{float, with_slice};
use crate::{Error, Result, Tensor};

/// The operands as dense floats of the kernel's type.
fn floats(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Vec<Tensor> {
    let kernel = kernel.as_float();
    let alike = |tensor: &Tensor| tensor.to_dense().cast(kernel.dtype());
    let mut all = vec![alike(x)];
    let bias = bias.map(alike);
    all.push(kernel);
    all.extend(bias);
    all
}

fn apply_to(op: impl Into<super::Op>, operands: &[Tensor]) -> Result<Tensor> {
    apply(op, &operands.iter().collect::<Vec<_>>())
}

/// `x` convolved with a kernel, as networks mean it: the kernel is not mirrored.
///
/// # Shapes
/// `x` `[batch, height, width, channels]`, `kernel` `[…window, channels / groups, filters]`, `bias`
/// `[filters]`; returns `[batch, …positions, filters]`.
pub(crate) fn conv(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, op: Conv) -> Result<Tensor> {
    // One pixel at a time, it is a dense layer, and needs no patches.
    if op.is_dense(x.shape()) {
        let matrix = kernel.try_reshape([kernel.shape()[2], kernel.shape()[3]])?;
        return match op.relu {
            true => super::dense_relu(x, &matrix, bias),
            false => super::dense(x, &matrix, bias),
        };
    }
    apply_to(op, &floats(x, kernel, bias))
}

/// What [`conv`] does in the other direction: each pixel of `x`, times the kernel, is a patch of the
/// result; patches that overlap are added.
///
/// # Shapes
/// `x` `[batch, …positions, channels]`, `kernel` `[…window, filters, channels]`, `bias` `[filters]`;
/// returns `[batch, height, width, filters]`.
pub(crate) fn conv_transpose(
    x: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
    op: ConvTranspose,
) -> Result<Tensor> {
    apply_to(op, &floats(x, kernel, bias))
}

/// Each channel convolved by itself, with `multiplier` kernels.
///
/// # Shapes
/// `x` `[batch, height, width, channels]`, `kernel` `[…window, channels, multiplier]`, `bias`
/// `[channels · multiplier]`; returns `[batch, …positions, channels · multiplier]`.
pub(crate) fn depthwise_conv(
    x: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
    op: DepthwiseConv,
) -> Result<Tensor> {
    apply_to(op, &floats(x, kernel, bias))
}

/// The lengths of four axes, for an operand that has them and whose first two, for a kernel, are the
/// window's.
fn four(shape: &[usize]) -> Option<[usize; 4]> {
    shape.try_into().ok()
}

fn unfit(name: &str, inputs: &[&[usize]], window: &Window, expected: &str) -> Error {
    let bias = inputs.get(2).map(|bias| format!(" and bias {bias:?}"));
    Error::Shape(format!(
        "{name}: input {:?}, kernel {:?}{} do not fit a window of {:?}: expected {expected}",
        inputs[0],
        inputs[1],
        bias.unwrap_or_default(),
        window.size
    ))
}

/// Whether the kernel has the window's extent and the bias, if there is one, `filters` elements.
fn fits(inputs: &[&[usize]], window: &Window, filters: usize) -> bool {
    inputs[1].starts_with(&window.size) && inputs.get(2).is_none_or(|bias| *bias == [filters])
}

fn slide(window: Window, positions: [usize; 2], images: &[usize]) -> Slide {
    Slide {
        window,
        batch: images[0],
        images: [images[1], images[2]],
        positions,
    }
}

/// The result's gradient as it goes into the products of the first two sides; a bias sums it as it is.
fn of_side<'a>(side: usize, gradient: &'a Tensor, rounded: &'a Tensor) -> &'a Tensor {
    match side {
        0 | 1 => rounded,
        _ => gradient,
    }
}

/// See [`conv`]: the operands are `x`, the kernel and, if there is one, the bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    pub(crate) window: Window,
    /// Positions of the window along each axis.
    pub(crate) positions: [usize; 2],
    pub(crate) groups: usize,
    /// Whether negative results become 0.
    pub(crate) relu: bool,
    pub(crate) products: Products,
}

impl Conv {
    /// Whether it takes one pixel at a time, of images of this shape.
    pub(crate) fn is_dense(&self, x: &[usize]) -> bool {
        let plain = Window {
            size: [1, 1],
            strides: [1, 1],
            dilation: self.window.dilation,
            before: [0, 0],
        };
        self.groups == 1 && self.window == plain && x.len() == 4 && x[1..3] == self.positions
    }

    pub(crate) fn of(&self, x: &[usize], filters: usize) -> Convolution {
        Convolution {
            slide: slide(self.window, self.positions, x),
            channels: x[3],
            filters,
            groups: self.groups,
        }
    }
}

impl Rule for Conv {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let expected = "[batch, height, width, channels], […window, channels / groups, filters] \
                        and [filters]";
        let wrong = || unfit("conv", inputs, &self.window, expected);
        let [batch, _, _, channels] = four(inputs[0]).ok_or_else(wrong)?;
        let [_, _, own, filters] = four(inputs[1]).ok_or_else(wrong)?;
        let grouped = own * self.groups == channels && filters.is_multiple_of(self.groups);
        if !grouped || !fits(inputs, &self.window, filters) {
            return Err(wrong());
        }
        Ok(vec![batch, self.positions[0], self.positions[1], filters])
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let c = self.of(inputs[0].shape(), shape[3]);
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(inputs[side]));
        float!(kernel, kernel => {
            let bias = inputs.get(2).map(|bias| bias.to_vec_of());
            let x = x.to_array();
            let values = with_slice(&x, |x| with_slice(kernel, |kernel| {
                let length = shape.iter().product();
                written(length, |to| cpu::conv(&c, x, kernel, bias.as_deref(), self.relu, to))
            }));
            Tensor::from_values(shape, values)
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(&step.inputs[side]));
        let masked = self.relu.then(|| relu_gradient(step, gradient));
        let gradient = masked.as_ref().unwrap_or(gradient);
        let rounded = self.products.rounded(gradient);
        let filters = gradient.shape()[3];
        let c = self.of(x.shape(), filters);
        step.each(|side| float!(of_side(side, gradient, &rounded), g => with_slice(g, |g| match side {
            0 => {
                let kernel = kernel.to_array();
                let values = with_slice(&kernel, |kernel| {
                    written(x.len(), |to| cpu::conv_transpose(&c, g, kernel, None, to))
                });
                Tensor::from_values(x.shape(), values)
            }
            1 => {
                let x = x.to_array();
                let values = with_slice(&x, |x| {
                    written(kernel.len(), |to| cpu::conv_kernel(&c, x, g, to))
                });
                Tensor::from_values(kernel.shape(), values)
            }
            _ => Tensor::from_values(&[filters], written(filters, |to| cpu::column_sums(g, to))),
        })))
    }
}

/// See [`conv_transpose`]: the operands are `x`, the kernel and, if there is one, the bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvTranspose {
    /// Of the convolution that goes from the result to `x`.
    pub(crate) window: Window,
    /// Height and width of the result.
    pub(crate) images: [usize; 2],
    pub(crate) products: Products,
}

impl ConvTranspose {
    /// The convolution from the result to `x`.
    fn of(&self, x: &[usize], result: &[usize]) -> Convolution {
        Convolution {
            slide: slide(self.window, [x[1], x[2]], result),
            channels: result[3],
            filters: x[3],
            groups: 1,
        }
    }
}

impl Rule for ConvTranspose {
    fn name(&self) -> &'static str {
        "conv_transpose"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let expected =
            "[batch, height, width, channels], […window, filters, channels] and [filters]";
        let wrong = || unfit("conv_transpose", inputs, &self.window, expected);
        let [batch, _, _, channels] = four(inputs[0]).ok_or_else(wrong)?;
        let [_, _, filters, own] = four(inputs[1]).ok_or_else(wrong)?;
        if own != channels || !fits(inputs, &self.window, filters) {
            return Err(wrong());
        }
        Ok(vec![batch, self.images[0], self.images[1], filters])
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let c = self.of(inputs[0].shape(), shape);
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(inputs[side]));
        float!(kernel, kernel => {
            let bias = inputs.get(2).map(|bias| bias.to_vec_of());
            let x = x.to_array();
            let values = with_slice(&x, |x| with_slice(kernel, |kernel| {
                let length = shape.iter().product();
                written(length, |to| cpu::conv_transpose(&c, x, kernel, bias.as_deref(), to))
            }));
            Tensor::from_values(shape, values)
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(&step.inputs[side]));
        let rounded = self.products.rounded(gradient);
        let filters = gradient.shape()[3];
        let c = self.of(x.shape(), gradient.shape());
        step.each(|side| {
            float!(of_side(side, gradient, &rounded), g => with_slice(g, |g| match side {
                0 => {
                    let kernel = kernel.to_array();
                    let values = with_slice(&kernel, |kernel| {
                        written(x.len(), |to| cpu::conv(&c, g, kernel, None, false, to))
                    });
                    Tensor::from_values(x.shape(), values)
                }
                1 => {
                    let x = x.to_array();
                    let values = with_slice(&x, |x| {
                        written(kernel.len(), |to| cpu::conv_kernel(&c, g, x, to))
                    });
                    Tensor::from_values(kernel.shape(), values)
                }
                _ => Tensor::from_values(&[filters], written(filters, |to| cpu::column_sums(g, to))),
            }))
        })
    }
}

/// See [`depthwise_conv`]: the operands are `x`, the kernel and, if there is one, the bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DepthwiseConv {
    pub(crate) window: Window,
    /// Positions of the window along each axis.
    pub(crate) positions: [usize; 2],
    pub(crate) products: Products,
}

impl DepthwiseConv {
    fn of(&self, x: &[usize], kernel: &[usize]) -> Depthwise {
        Depthwise {
            slide: slide(self.window, self.positions, x),
            channels: x[3],
            multiplier: kernel[3],
        }
    }
}

impl Rule for DepthwiseConv {
    fn name(&self) -> &'static str {
        "depthwise_conv"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let expected = "[batch, height, width, channels], […window, channels, multiplier] and \
                        [channels · multiplier]";
        let wrong = || unfit("depthwise_conv", inputs, &self.window, expected);
        let [batch, _, _, channels] = four(inputs[0]).ok_or_else(wrong)?;
        let [_, _, own, multiplier] = four(inputs[1]).ok_or_else(wrong)?;
        if own != channels || !fits(inputs, &self.window, channels * multiplier) {
            return Err(wrong());
        }
        let [height, width] = self.positions;
        Ok(vec![batch, height, width, channels * multiplier])
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let d = self.of(inputs[0].shape(), inputs[1].shape());
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(inputs[side]));
        float!(kernel, kernel => {
            let bias = inputs.get(2).map(|bias| bias.to_vec_of());
            let x = x.to_array();
            let values = with_slice(&x, |x| with_slice(kernel, |kernel| {
                cpu::depthwise(&d, x, kernel, bias.as_deref())
            }));
            Tensor::from_values(shape, values)
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(&step.inputs[side]));
        let rounded = self.products.rounded(gradient);
        let outputs = gradient.shape()[3];
        let d = self.of(x.shape(), kernel.shape());
        step.each(|side| {
            float!(of_side(side, gradient, &rounded), g => with_slice(g, |g| match side {
                0 => {
                    let kernel = kernel.to_array();
                    let values = with_slice(&kernel, |kernel| cpu::depthwise_input(&d, g, kernel));
                    Tensor::from_values(x.shape(), values)
                }
                1 => {
                    let x = x.to_array();
                    let values = with_slice(&x, |x| cpu::depthwise_kernel(&d, x, g));
                    Tensor::from_values(kernel.shape(), values)
                }
                _ => Tensor::from_values(&[outputs], written(outputs, |to| cpu::column_sums(g, to))),
            }))
        })
    }
}
