//! The gradients of the op table that have kernels of their own. The others are made of operations, which have.

use std::sync::Arc;

use super::array::{DeviceArray, buffers};
use super::card::{Argument, Card};
use super::pointwise::{self, From, zip};
use super::reduce::{Fold, fold};
use super::window::{ConvStep, conv_shares, pool_share};
use super::{card_of, countable, matrix, normalize, on_card, recurrent};
use crate::grad::ops::{Dense, Op, Step};
use crate::{Result, Tensor};

type Shares = Result<Vec<Option<Tensor>>>;

/// The gradients of an operation's inputs, where any of what they are computed from is on a card; none where they are
/// made of operations, or computed on the processor.
pub(crate) fn gradient(op: &Op, step: &Step<'_>, gradient: &Tensor) -> Option<Shares> {
    let known = || step.inputs.iter().chain([step.output, gradient]);
    let card = card_of(known())?;
    if step.recorded(gradient) || !countable(known().map(Tensor::shape)) {
        return None;
    }
    let lift = |tensor: &Tensor| on_card(card, tensor);
    if let Some(kernels) = pointwise::of(op) {
        let source = match kernels.from {
            From::Input => &step.inputs[0],
            From::Output => step.output,
        };
        let (gradient, source) = (lift(gradient)?, lift(source)?);
        return Some(slope(card, &kernels, gradient, source).map(|share| vec![Some(share)]));
    }
    match op {
        Op::Dense(dense) => {
            let (g, y) = (lift(gradient)?, lift(step.output)?);
            let (x, kernel) = (lift(&step.inputs[0])?, lift(&step.inputs[1])?);
            Some(dense_shares(card, step, *dense, [g, y, x, kernel]))
        }
        Op::SoftmaxCrossEntropy(_) | Op::SigmoidCrossEntropy(_) if !step.wanted[1] => {
            let (z, t) = (lift(&step.inputs[0])?, lift(&step.inputs[1])?);
            let softmax = matches!(op, Op::SoftmaxCrossEntropy(_));
            let share = logits(card, softmax, [z, t, lift(gradient)?]);
            Some(share.map(|share| vec![Some(share), None]))
        }
        Op::Conv(conv) if conv.groups == 1 => {
            let (g, y) = (lift(gradient)?, lift(step.output)?);
            let (x, kernel) = (lift(&step.inputs[0])?, lift(&step.inputs[1])?);
            let known = || {
                Ok(ConvStep {
                    gradient: g?,
                    output: y?,
                    x: x?,
                    kernel: kernel?,
                    wanted: step.wanted,
                })
            };
            let shares = match known() {
                Ok(known) => conv_shares(card, conv, &known)?,
                Err(error) => Err(error),
            };
            Some(shares.map(tensors))
        }
        Op::Pool(pool) => {
            let (x, y) = (lift(&step.inputs[0])?, lift(step.output)?);
            let share = match (x, y, lift(gradient)?) {
                (Ok(x), Ok(y), Ok(g)) => pool_share(card, pool, &x, &y, &g)?,
                (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
            };
            Some(share.map(|share| vec![Some(tensor(share))]))
        }
        Op::BatchNorm(norm) => {
            let shares = normalize::batch_norm_shares(card, norm, step, gradient)?;
            Some(shares.map(tensors))
        }
        Op::LayerNorm(norm) => {
            let shares = normalize::layer_norm_shares(card, norm, step, gradient)?;
            Some(shares.map(tensors))
        }
        Op::Recurrent(pass) => {
            let shares = recurrent::shares(card, pass, step, gradient)?;
            Some(shares.map(tensors))
        }
        Op::Mean(_) => {
            let shape = step.inputs[0].shape();
            let share = spread(card, lift(gradient)?, shape);
            Some(share.map(|share| vec![Some(share)]))
        }
        _ => None,
    }
}

fn tensor(array: DeviceArray) -> Tensor {
    Tensor::from_card(Arc::new(array))
}

fn tensors(shares: Vec<Option<DeviceArray>>) -> Vec<Option<Tensor>> {
    let shares = shares.into_iter();
    shares.map(|share| share.map(tensor)).collect()
}

fn slope(
    card: &'static Card,
    kernels: &pointwise::Kernels,
    gradient: Result<Arc<DeviceArray>>,
    source: Result<Arc<DeviceArray>>,
) -> Result<Tensor> {
    let (gradient, source) = (gradient?, source?);
    let out = DeviceArray::empty(card, source.shape())?;
    let [a, b, c] = kernels.settings;
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(gradient.buffer()),
        Argument::Buffer(source.buffer()),
        Argument::Long(out.len() as i64),
        Argument::Float(a),
        Argument::Float(b),
        Argument::Float(c),
    ];
    card.each(kernels.slope, out.len(), &arguments)?;
    Ok(tensor(out))
}

/// `∂x = g · kernelᵀ`, `∂kernel = xᵀ · g`, `∂bias = Σ g`, `g` without what a relu cut off.
fn dense_shares(
    card: &'static Card,
    step: &Step<'_>,
    dense: Dense,
    [g, y, x, kernel]: [Result<Arc<DeviceArray>>; 4],
) -> Shares {
    let (mut g, y, x, kernel) = (g?, y?, x?, kernel?);
    if dense.relu {
        let shape = y.shape();
        let masked = zip(card, "relu_gradient", &g, &y, shape).expect("one shape has one axis");
        g = Arc::new(masked?);
    }
    let (inner, units) = (kernel.shape()[0], kernel.shape()[1]);
    let rows = g.len() / units.max(1);
    let mut shares = Vec::with_capacity(step.inputs.len());
    for (side, (input, &wanted)) in step.inputs.iter().zip(step.wanted).enumerate() {
        let shape = input.shape();
        shares.push(match (wanted, side) {
            (false, _) => None,
            (true, 0) => Some(matrix::product(
                dense.products,
                (&g, false),
                (&kernel, true),
                (rows, units, inner),
                shape,
            )?),
            (true, 1) => Some(matrix::product(
                dense.products,
                (&x, true),
                (&g, false),
                (inner, rows, units),
                shape,
            )?),
            (true, _) => Some(fold(
                card,
                Fold::Sum,
                &g.reshaped(&[rows, units]),
                Some(0),
                shape,
            )?),
        });
    }
    Ok(tensors(shares))
}

fn logits(
    card: &'static Card,
    softmax: bool,
    [z, t, g]: [Result<Arc<DeviceArray>>; 3],
) -> Result<Tensor> {
    let (z, t, g) = (z?, t?, g?);
    let out = DeviceArray::empty(card, z.shape())?;
    let steps = z.shape().last().copied().unwrap_or(1);
    let mut arguments = buffers(&[&out, &z, &t, &g]);
    let steps = Argument::Int(steps as i32);
    if softmax {
        arguments.extend([Argument::Int(g.len() as i32), steps]);
        card.launch("softmax_cross_entropy_slope", g.len(), &arguments)?;
    } else {
        arguments.extend([Argument::Long(out.len() as i64), steps]);
        card.each("sigmoid_cross_entropy_slope", out.len(), &arguments)?;
    }
    Ok(tensor(out))
}

/// The gradient of a mean: the same share for each.
fn spread(
    card: &'static Card,
    gradient: Result<Arc<DeviceArray>>,
    shape: &[usize],
) -> Result<Tensor> {
    let gradient = gradient?;
    let out = DeviceArray::empty(card, shape)?;
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(gradient.buffer()),
        Argument::Long(out.len() as i64),
        Argument::Float((1.0 / out.len() as f64) as f32),
    ];
    card.each("fill_from", out.len(), &arguments)?;
    Ok(tensor(out))
}
