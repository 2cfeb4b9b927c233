//! The op table on a card: what is computed by which kernels.

use std::sync::Arc;

use super::array::DeviceArray;
use super::card::{Argument, Card};
use super::layout::{Layout, row_major};
use super::{card_of, countable, matrix, on_card, pointwise, window};
use crate::grad::ops::{Op, Products};
use crate::tensor::{Part, split_at};
use crate::{Result, Tensor};

/// The result of an operation of which an operand is on a card; none where it is to be computed on the processor:
/// there is no kernel for it, or none for operands of these types or of so many axes.
pub(crate) fn forward(op: &Op, inputs: &[&Tensor], shape: &[usize]) -> Option<Result<Tensor>> {
    let card = card_of(inputs.iter().copied())?;
    let shapes = inputs.iter().map(|input| input.shape());
    if !has_kernels(op) || !countable(shapes.chain([shape])) {
        return None;
    }
    let mut operands = Vec::with_capacity(inputs.len());
    for input in inputs {
        match on_card(card, input)? {
            Ok(operand) => operands.push(operand),
            Err(error) => return Some(Err(error)),
        }
    }
    let result = compute(card, op, &operands, shape)?;
    Some(result.map(|array| Tensor::from_card(Arc::new(array))))
}

/// Whether the operation is computed on cards at all.
pub(super) fn has_kernels(op: &Op) -> bool {
    pointwise::of(op).is_some()
        || matches!(
            op,
            Op::Add(_)
                | Op::Sub(_)
                | Op::Mul(_)
                | Op::Div(_)
                | Op::Power(_)
                | Op::Maximum(_)
                | Op::Minimum(_)
                | Op::SquaredDifference(_)
                | Op::Softmax(_)
                | Op::LogSoftmax(_)
                | Op::Sum(_)
                | Op::Mean(_)
                | Op::Extreme(_)
                | Op::Reshape(_)
                | Op::Permute(_)
                | Op::BroadcastTo(_)
                | Op::Slice(_)
                | Op::Unslice(_)
                | Op::Concat(_)
                | Op::Gather(_)
                | Op::ScatterRows(_)
                | Op::Matmul(_)
                | Op::Dense(_)
                | Op::Conv(_)
                | Op::Pool(_)
                | Op::SoftmaxCrossEntropy(_)
                | Op::SigmoidCrossEntropy(_)
        )
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
    let last = x.shape().len().checked_sub(1);
    Some(match op {
        Op::Softmax(op) if Some(op.axis) == last => rows(card, "softmax", x, shape),
        Op::LogSoftmax(op) if Some(op.axis) == last => rows(card, "log_softmax", x, shape),
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
            let bias = operands.get(2).map(|bias| &**bias);
            self::dense(x, &operands[1], bias, (dense.relu, dense.products), shape)
        }
        Op::Conv(conv) => {
            let bias = operands.get(2).map(|bias| &**bias);
            return window::conv(card, conv, x, &operands[1], bias, shape);
        }
        Op::Pool(pool) => return window::pool(card, pool, x, shape),
        Op::SoftmaxCrossEntropy(_) => losses(card, "softmax_cross_entropy", x, &operands[1], shape),
        Op::SigmoidCrossEntropy(_) => losses(card, "sigmoid_cross_entropy", x, &operands[1], shape),
        _ => return None,
    })
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

/// A kernel of rows of the last axis.
fn rows(
    card: &'static Card,
    kernel: &'static str,
    x: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let steps = x.shape().last().copied().unwrap_or(1);
    let count = x.len() / steps.max(1);
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(x.buffer()),
        Argument::Int(count as i32),
        Argument::Int(steps as i32),
    ];
    card.launch(kernel, count, &arguments)?;
    Ok(out)
}

/// A loss for each row.
fn losses(
    card: &'static Card,
    kernel: &'static str,
    logits: &DeviceArray,
    targets: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let steps = logits.shape().last().copied().unwrap_or(1);
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(logits.buffer()),
        Argument::Buffer(targets.buffer()),
        Argument::Int(out.len() as i32),
        Argument::Int(steps as i32),
    ];
    card.launch(kernel, out.len(), &arguments)?;
    Ok(out)
}

/// What a reduction makes of its numbers.
#[derive(Clone, Copy)]
pub(super) enum Fold {
    Sum,
    Max,
    Min,
}

impl Fold {
    fn kernels(self) -> (&'static str, &'static str) {
        match self {
            Fold::Sum => ("sum_rows", "sum_middle"),
            Fold::Max => ("max_rows", "max_middle"),
            Fold::Min => ("min_rows", "min_middle"),
        }
    }
}

/// Numbers that one block folds on its own, where all are folded into one.
const PIECE: usize = 1 << 12;

/// A reduction along an axis or over all.
pub(super) fn fold(
    card: &'static Card,
    which: Fold,
    x: &DeviceArray,
    axis: Option<usize>,
    shape: &[usize],
) -> Result<DeviceArray> {
    let (by_rows, by_middle) = which.kernels();
    let (outer, steps, inner) = match axis {
        Some(axis) => split_at(x.shape(), axis),
        None => (1, x.len(), 1),
    };
    if outer == 1 && inner == 1 && steps > 2 * PIECE {
        return fold_all(card, which, x, shape);
    }
    let out = DeviceArray::empty(card, shape)?;
    let (to, from) = (Argument::Buffer(out.buffer()), Argument::Buffer(x.buffer()));
    let steps = Argument::Int(steps as i32);
    if inner == 1 {
        card.launch(
            by_rows,
            outer,
            &[to, from, Argument::Int(outer as i32), steps],
        )?;
    } else {
        let results = Argument::Long(out.len() as i64);
        let inner = Argument::Int(inner as i32);
        card.each(by_middle, out.len(), &[to, from, results, steps, inner])?;
    }
    Ok(out)
}

/// Many numbers into one: by pieces first, then the pieces' results with what is left over.
fn fold_all(
    card: &'static Card,
    which: Fold,
    x: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let pieces = x.len() / PIECE;
    let rest = x.len() - pieces * PIECE;
    let whole = part(card, x, 0, &[pieces, PIECE])?;
    let mut folded = fold(card, which, &whole, Some(1), &[pieces])?;
    if rest > 0 {
        let left = part(card, x, pieces * PIECE, &[rest])?;
        let left = fold(card, which, &left, None, &[1])?;
        folded = join(card, &[&folded, &left], 0, &[pieces + 1])?;
    }
    fold(card, which, &folded, None, shape)
}

/// Numbers from `first` on; without a copy where they are all.
fn part(
    card: &'static Card,
    x: &DeviceArray,
    first: usize,
    shape: &[usize],
) -> Result<DeviceArray> {
    let count: usize = shape.iter().product();
    if first == 0 && count == x.len() {
        return Ok(x.reshaped(shape));
    }
    let layout = Layout::strided(&[count], &[1]).expect("one axis");
    copy_from(card, x, &layout, first, shape)
}

fn copy_from(
    card: &'static Card,
    x: &DeviceArray,
    layout: &Layout,
    first: usize,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    card.each(
        "copy_from",
        out.len(),
        &copy(&out, x, out.len(), layout, first),
    )?;
    Ok(out)
}

fn copy<'a>(
    to: &'a DeviceArray,
    from: &'a DeviceArray,
    count: usize,
    layout: &'a Layout,
    first: usize,
) -> [Argument<'a>; 5] {
    [
        Argument::Buffer(to.buffer()),
        Argument::Buffer(from.buffer()),
        Argument::Long(count as i64),
        Argument::Layout(layout),
        Argument::Long(first as i64),
    ]
}

/// Arrays one after another along an axis.
fn join(
    card: &'static Card,
    parts: &[&DeviceArray],
    axis: usize,
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let strides = row_major(shape);
    let mut start = 0;
    for part in parts {
        let layout = Layout::strided(part.shape(), &strides).expect("checked by the caller");
        let first = start * strides[axis] as usize;
        card.each(
            "copy_to",
            part.len(),
            &copy(&out, part, part.len(), &layout, first),
        )?;
        start += part.shape()[axis];
    }
    Ok(out)
}

/// Operations that move elements.
fn moved(
    card: &'static Card,
    op: &Op,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let x = &*operands[0];
    Some(match op {
        Op::Reshape(_) => Ok(x.reshaped(shape)),
        Op::Permute(permute) => {
            let own = row_major(x.shape());
            let strides: Vec<isize> = permute.axes.iter().map(|&axis| own[axis]).collect();
            copy_from(card, x, &Layout::strided(shape, &strides)?, 0, shape)
        }
        Op::BroadcastTo(_) => {
            let layout = Layout::broadcast(shape, x.shape(), &[])?;
            copy_from(card, x, &layout, 0, shape)
        }
        Op::Slice(slice) => {
            let (first, strides) = taken(&slice.parts, x.shape());
            copy_from(card, x, &Layout::strided(shape, &strides)?, first, shape)
        }
        Op::Unslice(unslice) => {
            let (first, strides) = taken(&unslice.parts, shape);
            let layout = Layout::strided(x.shape(), &strides)?;
            DeviceArray::zeros(card, shape).and_then(|out| {
                card.each("copy_to", x.len(), &copy(&out, x, x.len(), &layout, first))?;
                Ok(out)
            })
        }
        Op::Concat(concat) => {
            let parts: Vec<&DeviceArray> = operands.iter().map(|part| &**part).collect();
            Layout::strided(shape, &row_major(shape))?;
            join(card, &parts, concat.axis, shape)
        }
        Op::Gather(gather) => self::gather(card, x, &gather.rows, shape),
        Op::ScatterRows(scatter) => self::scatter(card, x, &scatter.rows, shape),
        _ => return None,
    })
}

/// The first element that a slice takes, and its strides.
fn taken(parts: &[Part], shape: &[usize]) -> (usize, Vec<isize>) {
    let own = row_major(shape);
    let (mut first, mut strides, mut axis) = (0, Vec::new(), 0);
    for part in parts {
        match *part {
            Part::New => strides.push(0),
            Part::Index(index) => {
                first += index * own[axis] as usize;
                axis += 1;
            }
            Part::Range { start, end, step } => {
                let from = if step < 0 {
                    end.saturating_sub(1)
                } else {
                    start
                };
                first += from * own[axis] as usize;
                strides.push(step * own[axis]);
                axis += 1;
            }
        }
    }
    (first, strides)
}

fn numbers(rows: impl IntoIterator<Item = usize>) -> Vec<i32> {
    rows.into_iter().map(|row| row as i32).collect()
}

fn gather(
    card: &'static Card,
    table: &DeviceArray,
    chosen: &[usize],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::empty(card, shape)?;
    let rows = card.upload(&numbers(chosen.iter().copied()))?;
    let width: usize = shape[1..].iter().product();
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(table.buffer()),
        Argument::Buffer(&rows),
        Argument::Long(out.len() as i64),
        Argument::Int(width as i32),
    ];
    card.each("gather_rows", out.len(), &arguments)?;
    Ok(out)
}

/// Rows that go to the same place are brought together here, so that each sum has one thread and a fixed order.
fn scatter(
    card: &'static Card,
    x: &DeviceArray,
    rows: &[usize],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::zeros(card, shape)?;
    let mut positions: Vec<usize> = (0..rows.len()).collect();
    positions.sort_by_key(|&position| rows[position]);
    let (mut starts, mut targets) = (Vec::new(), Vec::new());
    for (at, &position) in positions.iter().enumerate() {
        if targets.last() != Some(&rows[position]) {
            starts.push(at);
            targets.push(rows[position]);
        }
    }
    starts.push(positions.len());
    let width: usize = shape[1..].iter().product();
    let count = targets.len() * width;
    let positions = card.upload(&numbers(positions))?;
    let starts = card.upload(&numbers(starts))?;
    let targets = card.upload(&numbers(targets))?;
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(x.buffer()),
        Argument::Buffer(&positions),
        Argument::Buffer(&starts),
        Argument::Buffer(&targets),
        Argument::Long(count as i64),
        Argument::Int(width as i32),
    ];
    card.each("scatter_rows", count, &arguments)?;
    Ok(out)
}

/// The product over the last two axes; none where the axes before them differ in more than being there or not.
fn matmul(
    left: &DeviceArray,
    right: &DeviceArray,
    products: Products,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let [before @ .., rows, columns] = shape else {
        return None;
    };
    let batch = before.iter().product();
    let own = |array: &DeviceArray| array.shape()[..array.shape().len() - 2].to_vec();
    let repeated = |array: &DeviceArray| match own(array) {
        axes if axes == before => Some(false),
        axes if axes.iter().product::<usize>() == 1 => Some(true),
        _ => None,
    };
    let inner = left.shape()[left.shape().len() - 1];
    Some(matrix::batched(
        products,
        (left, false, repeated(left)?),
        (right, false, repeated(right)?),
        (batch, *rows, inner, *columns),
        shape,
    ))
}

/// `x · kernel + bias`, and its relu.
pub(super) fn dense(
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    (relu, products): (bool, Products),
    shape: &[usize],
) -> Result<DeviceArray> {
    let card = x.card();
    let (inner, units) = (kernel.shape()[0], kernel.shape()[1]);
    let rows = shape[..shape.len() - 1].iter().product();
    let sizes = (rows, inner, units);
    let out = matrix::product(products, (x, false), (kernel, false), sizes, shape)?;
    if bias.is_some() || relu {
        let arguments = [
            Argument::Buffer(out.buffer()),
            bias.map_or(Argument::Nothing, |bias| Argument::Buffer(bias.buffer())),
            Argument::Long(out.len() as i64),
            Argument::Int(units as i32),
            Argument::Int(i32::from(bias.is_some())),
            Argument::Int(i32::from(relu)),
        ];
        card.each("add_bias", out.len(), &arguments)?;
    }
    Ok(out)
}
