//! Operations that move elements.

use std::sync::Arc;

use super::array::{DeviceArray, buffers, computed};
use super::card::{Argument, Card};
use super::layout::{Layout, row_major};
use crate::Result;
use crate::grad::ops::Op;
use crate::sorted;
use crate::tensor::{Array, Part, split_at};

/// Operations that move elements; none for others, and for more axes than kernels know.
pub(super) fn moved(
    card: &'static Card,
    op: &Op,
    operands: &[Arc<DeviceArray>],
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let x = &*operands[0];
    Some(match op {
        Op::Reshape(_) => Ok(x.reshaped(shape)),
        Op::Permute(permute) => return permuted(card, x, &permute.axes),
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
                copy_to(card, x, &out, &layout, first)?;
                Ok(out)
            })
        }
        Op::Repeat(repeat) => {
            let (outer, steps, inner) = split_at(x.shape(), repeat.axis);
            let repeated = [outer, steps, repeat.times, inner];
            let strides = [steps * inner, inner, 0, 1].map(|stride| stride as isize);
            copy_from(card, x, &Layout::strided(&repeated, &strides)?, 0, shape)
        }
        Op::Where(choice) => {
            let right = &operands[1];
            let layout = Layout::broadcast(shape, x.shape(), right.shape())?;
            choose(card, &choice.condition, [x, right], &layout, shape)
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

/// The axes in this order; none for more of them than kernels know.
pub(super) fn permuted(
    card: &'static Card,
    x: &DeviceArray,
    axes: &[usize],
) -> Option<Result<DeviceArray>> {
    let own = row_major(x.shape());
    let shape: Vec<usize> = axes.iter().map(|&axis| x.shape()[axis]).collect();
    let strides: Vec<isize> = axes.iter().map(|&axis| own[axis]).collect();
    let layout = Layout::strided(&shape, &strides)?;
    Some(copy_from(card, x, &layout, 0, &shape))
}

/// Numbers from `first` on; without a copy where they are all.
pub(super) fn part(
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

/// The numbers at the places of the layout, from `first` on.
pub(super) fn copy_from(
    card: &'static Card,
    x: &DeviceArray,
    layout: &Layout,
    first: usize,
    shape: &[usize],
) -> Result<DeviceArray> {
    let places = [Argument::Layout(layout), Argument::Long(first as i64)];
    computed(card, "copy_from", &buffers(&[x]), &places, shape)
}

/// The other way: the numbers go to the places of the layout, from `first` on.
fn copy_to(
    card: &'static Card,
    x: &DeviceArray,
    out: &DeviceArray,
    layout: &Layout,
    first: usize,
) -> Result<()> {
    let mut arguments = buffers(&[out, x]);
    arguments.extend([
        Argument::Long(x.len() as i64),
        Argument::Layout(layout),
        Argument::Long(first as i64),
    ]);
    card.each("copy_to", x.len(), &arguments)
}

/// Arrays one after another along an axis.
pub(super) fn join(
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
        copy_to(card, part, &out, &layout, first)?;
        start += part.shape()[axis];
    }
    Ok(out)
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

/// The left one's numbers where the condition holds, the right one's elsewhere.
fn choose(
    card: &'static Card,
    condition: &Array<bool>,
    sides: [&DeviceArray; 2],
    layout: &Layout,
    shape: &[usize],
) -> Result<DeviceArray> {
    let condition = condition.broadcast(shape).expect("the shape rule holds");
    let condition: Vec<u8> = condition.iter().map(|&holds| u8::from(holds)).collect();
    let condition = card.upload(&condition)?;
    let mut operands = vec![Argument::Buffer(&condition)];
    operands.extend(buffers(&sides));
    computed(
        card,
        "choose",
        &operands,
        &[Argument::Layout(layout)],
        shape,
    )
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
    let rows = card.upload(&numbers(chosen.iter().copied()))?;
    let operands = [Argument::Buffer(table.buffer()), Argument::Buffer(&rows)];
    let width: usize = shape[1..].iter().product();
    computed(
        card,
        "gather_rows",
        &operands,
        &[Argument::Int(width as i32)],
        shape,
    )
}

/// Rows that go to the same place are brought together here, so that each sum has one thread and a fixed order.
fn scatter(
    card: &'static Card,
    x: &DeviceArray,
    rows: &[usize],
    shape: &[usize],
) -> Result<DeviceArray> {
    let out = DeviceArray::zeros(card, shape)?;
    let positions = sorted::order(rows.len(), &|a, b| rows[a].cmp(&rows[b]));
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
