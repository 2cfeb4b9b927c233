//! Functions of one number, and which kernels they have; functions of two.

use super::array::DeviceArray;
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

/// A function of one number.
pub(super) fn map(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    [a, b, c]: [f32; 3],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, x.shape())?;
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(x.buffer()),
        Argument::Long(x.len() as i64),
        Argument::Float(a),
        Argument::Float(b),
        Argument::Float(c),
    ];
    card.each(kernel, x.len(), &arguments)?;
    Ok(out)
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
    Some(DeviceArray::empty(card, shape).and_then(|out| {
        let arguments = [
            Argument::Buffer(out.buffer()),
            Argument::Buffer(left.buffer()),
            Argument::Buffer(right.buffer()),
            Argument::Long(out.len() as i64),
            Argument::Layout(&layout),
        ];
        card.each(kernel, out.len(), &arguments)?;
        Ok(out)
    }))
}
