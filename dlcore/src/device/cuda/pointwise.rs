//! Functions of one number, and which kernels they have; functions of two.

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use super::layout::Layout;
use crate::Result;
use crate::grad::ops::AddScalar;
use crate::grad::ops::{Clip, DivScalar, Elu, LeakyRelu, MulScalar, Op, Pow};

/// What a slope is computed from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    Input,
    Output,
}

/// The kernels of a function of one number: for its value and its slope, and its settings.
pub(super) struct Kernels {
    pub(super) value: &'static str,
    pub(super) slope: &'static str,
    pub(super) from: From,
    pub(super) settings: [f32; 3],
}

macro_rules! kernels {
    ($name:literal, $from:ident, [$($setting:expr),*]) => {{
        let mut settings = [0.0; 3];
        let given: &[f64] = &[$($setting),*];
        for (to, &setting) in settings.iter_mut().zip(given) {
            *to = setting as f32;
        }
        Some(Kernels {
            value: concat!($name, "_value"),
            slope: concat!($name, "_slope"),
            from: From::$from,
            settings,
        })
    }};
}

/// The kernels of an operation, if it is a function of one number.
pub(super) fn of(op: &Op) -> Option<Kernels> {
    match *op {
        Op::AddScalar(AddScalar { value }) => kernels!("add_scalar", Input, [value]),
        Op::MulScalar(MulScalar { value }) => kernels!("mul_scalar", Input, [value]),
        Op::DivScalar(DivScalar { value }) => kernels!("div_scalar", Input, [value]),
        Op::Neg(_) => kernels!("neg", Input, []),
        Op::Abs(_) => kernels!("abs", Input, []),
        Op::Sign(_) => kernels!("sign", Input, []),
        Op::Square(_) => kernels!("square", Input, []),
        Op::Sqrt(_) => kernels!("sqrt", Output, []),
        Op::Exp(_) => kernels!("exp", Output, []),
        Op::Log(_) => kernels!("log", Input, []),
        Op::Pow(Pow { exponent }) => kernels!("pow", Input, [exponent]),
        Op::Clip(Clip { low, high }) => kernels!("clip", Input, [low, high]),
        Op::Relu(_) => kernels!("relu", Output, []),
        Op::Sigmoid(_) => kernels!("sigmoid", Output, []),
        Op::Tanh(_) => kernels!("tanh", Output, []),
        Op::Sin(_) => kernels!("sin", Input, []),
        Op::Cos(_) => kernels!("cos", Input, []),
        Op::Expm1(_) => kernels!("expm1", Output, []),
        Op::Log1p(_) => kernels!("log1p", Input, []),
        Op::Rsqrt(_) => kernels!("rsqrt", Output, []),
        Op::Reciprocal(_) => kernels!("reciprocal", Output, []),
        Op::Softplus(_) => kernels!("softplus", Input, []),
        Op::Erf(_) => kernels!("erf", Input, []),
        Op::Floor(_) => kernels!("floor", Input, []),
        Op::Ceil(_) => kernels!("ceil", Input, []),
        Op::Round(_) => kernels!("round", Input, []),
        Op::LeakyRelu(LeakyRelu {
            slope,
            threshold,
            limit,
        }) => kernels!("leaky_relu", Input, [slope, threshold, limit]),
        Op::Elu(Elu { alpha, scale, rate }) => kernels!("elu", Input, [alpha, scale, rate]),
        Op::Silu(_) => kernels!("silu", Input, []),
        Op::Gelu(_) => kernels!("gelu", Input, []),
        Op::GeluTanh(_) => kernels!("gelu_tanh", Input, []),
        _ => None,
    }
}

/// The kernels for the slopes of an operation with respect to its two operands, and whether these are exchanged for it;
/// none for others, and for those whose gradients are made of operations.
pub(super) fn slopes_of_two(op: &Op) -> Option<[(&'static str, bool); 2]> {
    Some(match op {
        Op::Maximum(_) => [("greater_equal", false), ("less", false)],
        Op::Minimum(_) => [("less_equal", false), ("greater", false)],
        Op::Power(_) => [("power_by_base", false), ("power_by_exponent", false)],
        Op::SquaredDifference(_) => [("twice_difference", false), ("twice_difference", true)],
        _ => return None,
    })
}

/// A function of one number.
pub(super) fn map(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    settings: [f32; 3],
) -> Result<DeviceArray> {
    let settings = settings.map(Argument::Float);
    computed(card, kernel, &buffers(&[x]), &settings, x.shape())
}

/// A function of two numbers, broadcast; none for more axes than kernels know.
pub(super) fn zip(
    card: &'static Card,
    kernel: &'static str,
    left: &DeviceArray,
    right: &DeviceArray,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let layout = Layout::broadcast(shape, left.shape(), right.shape())?;
    let operands = buffers(&[left, right]);
    Some(computed(
        card,
        kernel,
        &operands,
        &[Argument::Layout(&layout)],
        shape,
    ))
}
