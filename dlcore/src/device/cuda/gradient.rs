//! The gradients of the op table that have kernels of their own. The others are made of operations, which have.

use std::sync::Arc;

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use super::conv::{conv_shares, conv_transpose_shares, depthwise_shares};
use super::pointwise::{self, From, zip};
use super::reduce::{Fold, fold};
use super::window::pool_share;
use super::{all_on_card, card_of, countable, matrix, normalize, on_card, recurrent};
use crate::grad::ops::{Dense, Extreme, Op, Step, unbroadcast};
use crate::tensor::split_at;
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
    if let Some(kernels) = pointwise::slopes_of_two(op) {
        return slopes_of_two(card, kernels, step, gradient);
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
        Op::Conv(op) => Some(conv_shares(card, op, step, gradient)?.map(tensors)),
        Op::ConvTranspose(op) => {
            let shares = conv_transpose_shares(card, op, step, gradient)?;
            Some(shares.map(tensors))
        }
        Op::DepthwiseConv(op) => Some(depthwise_shares(card, op, step, gradient)?.map(tensors)),
        Op::Extreme(extreme) => {
            let known = all_on_card(card, [&step.inputs[0], step.output, gradient])?;
            let share = known.and_then(|known| extreme_share(card, *extreme, &known));
            Some(share.map(|share| vec![Some(tensor(share))]))
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
    let operands = buffers(&[&gradient, &source]);
    let settings = kernels.settings.map(Argument::Float);
    computed(card, kernels.slope, &operands, &settings, source.shape()).map(tensor)
}

/// The gradient times the slope with respect to each side, summed over the axes along which that was repeated; none for
/// more axes than kernels know.
fn slopes_of_two(
    card: &'static Card,
    kernels: [(&'static str, bool); 2],
    step: &Step<'_>,
    gradient: &Tensor,
) -> Option<Shares> {
    let known = match all_on_card(card, step.inputs)? {
        Ok(known) => known,
        Err(error) => return Some(Err(error)),
    };
    let mut shares = Vec::with_capacity(2);
    for (side, (kernel, exchanged)) in kernels.into_iter().enumerate() {
        let [left, right] = match exchanged {
            false => [&known[0], &known[1]],
            true => [&known[1], &known[0]],
        };
        let share = match step.wanted[side] {
            false => Ok(None),
            true => zip(card, kernel, left, right, gradient.shape())?.map(|slope| {
                let share = gradient * tensor(slope);
                Some(unbroadcast(share, step.inputs[side].shape()))
            }),
        };
        match share {
            Ok(share) => shares.push(share),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(shares))
}

/// The gradient shared by the elements that are the extreme one.
fn extreme_share(
    card: &'static Card,
    extreme: Extreme,
    known: &[Arc<DeviceArray>],
) -> Result<DeviceArray> {
    let [x, y, g] = known else {
        unreachable!("three are known");
    };
    let (outer, steps, inner) = match extreme.axis {
        Some(axis) => split_at(x.shape(), axis),
        None => (1, x.len(), 1),
    };
    let (whole, one) = ([outer, steps, inner], [outer, 1, inner]);
    let zip = |kernel, left: &DeviceArray, right: &DeviceArray, shape: &[usize]| {
        zip(card, kernel, left, right, shape).expect("three axes")
    };
    let chosen = zip("equal", &x.reshaped(&whole), &y.reshaped(&one), &whole)?;
    let count = fold(card, Fold::Sum, &chosen, Some(1), &one)?;
    let each = zip("divide", &g.reshaped(&one), &count, &one)?;
    Ok(zip("mul", &chosen, &each, &whole)?.reshaped(x.shape()))
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
    let steps = Argument::Int(z.shape().last().copied().unwrap_or(1) as i32);
    if !softmax {
        let operands = buffers(&[&z, &t, &g]);
        let kernel = "sigmoid_cross_entropy_slope";
        return computed(card, kernel, &operands, &[steps], z.shape()).map(tensor);
    }
    let out = DeviceArray::empty(card, z.shape())?;
    let mut arguments = buffers(&[&out, &z, &t, &g]);
    arguments.extend([Argument::Int(g.len() as i32), steps]);
    card.launch("softmax_cross_entropy_slope", g.len(), &arguments)?;
    Ok(tensor(out))
}

/// The gradient of a mean: the same share for each.
fn spread(
    card: &'static Card,
    gradient: Result<Arc<DeviceArray>>,
    shape: &[usize],
) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let factor = [Argument::Float((1.0 / count as f64) as f32)];
    let gradient = gradient?;
    computed(card, "fill_from", &buffers(&[&gradient]), &factor, shape).map(tensor)
}
