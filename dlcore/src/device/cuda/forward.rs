//! The op table on a card: what is computed by which kernels.

use std::sync::Arc;

use super::array::DeviceArray;
use super::card::Card;
use super::conv::{conv, conv_transpose, depthwise};
use super::matrix::{dense, matmul};
use super::moving::moved;
use super::pointwise::{self, map, zip};
use super::reduce::{Fold, fold, sums_so_far};
use super::rows::{losses, rows};
use super::{all_on_card, card_of, countable, normalize, recurrent, window};
use crate::grad::ops::Op;
use crate::{Result, Tensor};

/// The result of an operation of which an operand is on a card; none where it is to be computed on the processor:
/// there is no kernel for it, or none for operands of these types or of so many axes.
pub(crate) fn forward(op: &Op, inputs: &[&Tensor], shape: &[usize]) -> Option<Result<Tensor>> {
    let card = card_of(inputs.iter().copied())?;
    let shapes = inputs.iter().map(|input| input.shape());
    if is_left_to_processor(op) || !countable(shapes.chain([shape])) {
        return None;
    }
    let operands = match all_on_card(card, inputs.iter().copied())? {
        Ok(operands) => operands,
        Err(error) => return Some(Err(error)),
    };
    let result = match op {
        Op::Recurrent(pass) => {
            let keep = inputs.iter().any(|input| input.node().is_some());
            recurrent::forward(card, pass, &operands, keep, shape)?
        }
        _ => compute(card, op, &operands, shape)?,
    };
    Some(result.map(|array| Tensor::from_card(Arc::new(array))))
}

/// Operations that have no kernels: the processor computes them, and `fallback` counts what that copies. So it does
/// with operands in double precision, with gradients that a tape watches, and with what is no operation: comparisons,
/// sorting.
fn is_left_to_processor(op: &Op) -> bool {
    matches!(op, Op::Cast(_) | Op::Custom(_))
}

fn compute(
    card: &'static Card,
    op: &Op,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let x = &*operands[0];
    if let Some(kernels) = pointwise::of(op) {
        return Some(map(card, kernels.value, x, kernels.settings));
    }
    let name = match op {
        Op::Add(_) => "add",
        Op::Sub(_) => "sub",
        Op::Mul(_) => "mul",
        Op::Div(_) => "divide",
        Op::Power(_) => "power",
        Op::Maximum(_) => "maximum",
        Op::Minimum(_) => "minimum",
        Op::SquaredDifference(_) => "squared_difference",
        _ => {
            return moved(card, op, operands, shape).or_else(|| reduced(card, op, operands, shape));
        }
    };
    zip(card, name, x, &operands[1], shape)
}

/// Sums, rows, products.
fn reduced(
    card: &'static Card,
    op: &Op,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let x = &*operands[0];
    let bias = || operands.get(2).map(|bias| &**bias);
    Some(match op {
        Op::Softmax(op) => return rows(card, "softmax", x, op.axis),
        Op::LogSoftmax(op) => return rows(card, "log_softmax", x, op.axis),
        Op::CumSum(op) => sums_so_far(card, x, op.axis, op.reverse),
        Op::Sum(sum) => fold(card, Fold::Sum, x, sum.axis, shape),
        Op::Mean(_) if !x.is_empty() => fold(card, Fold::Sum, x, None, shape)
            .and_then(|sum| map(card, "div_scalar_value", &sum, [x.len() as f32, 0.0, 0.0])),
        Op::Extreme(extreme) => {
            let which = if extreme.largest {
                Fold::Max
            } else {
                Fold::Min
            };
            fold(card, which, x, extreme.axis, shape)
        }
        Op::Matmul(matmul) => return self::matmul(x, &operands[1], matmul.products, shape),
        Op::Dense(dense) => {
            let how = (dense.relu, dense.products);
            self::dense(x, &operands[1], bias(), how, shape)
        }
        Op::Conv(op) => return conv(card, op, x, &operands[1], bias(), shape),
        Op::ConvTranspose(op) => return conv_transpose(card, op, x, &operands[1], bias(), shape),
        Op::DepthwiseConv(op) => return depthwise(card, op, x, &operands[1], bias(), shape),
        Op::Pool(pool) => return window::pool(card, pool, x, shape),
        Op::BatchNorm(norm) => return normalize::batch_norm(card, norm, operands, shape),
        Op::LayerNorm(norm) => normalize::layer_norm(card, norm, operands, shape),
        Op::SoftmaxCrossEntropy(_) => losses(card, "softmax_cross_entropy", x, &operands[1], shape),
        Op::SigmoidCrossEntropy(_) => losses(card, "sigmoid_cross_entropy", x, &operands[1], shape),
        _ => return None,
    })
}
