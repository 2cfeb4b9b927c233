//! Recurrent layers: the input's product for all timesteps at once, then a product and a kernel for each.
//!
//! Everything lies time by time. The gates of a sample lie side by side, as the columns of the kernels, so that
//! one product has them all. Where gates see different things (each with a dropout of its own, or the candidate after
//! its reset) those of one kind lie together instead, so that a batch of products has them all.

mod backward;
mod forward;

pub(super) use backward::shares;
pub(super) use forward::forward;

use std::sync::Arc;

use super::array::DeviceArray;
use super::card::{Argument, Buffer, Card};
use super::layout::Layout;
use super::moving::copy_from;
use super::on_card;
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::recurrent::Cell;
use crate::grad::ops::Recurrent;
use crate::{Result, Tensor};

/// The kernels' own `Sequence`, where each field is described.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Sequence {
    batch: i32,
    steps: i32,
    features: i32,
    units: i32,
    gates: i32,
    split: i32,
    backwards: i32,
    sequences: i32,
    zero_masked: i32,
    width: i32,
    states: i32,
    activation: i32,
    recurrent: i32,
    drops: i32,
    input_drops: i32,
    parts: i32,
    mask: u64,
    drop: u64,
    input_drop: u64,
    bias: u64,
    gates_of: u64,
    extra: u64,
    hidden: u64,
    carry: u64,
    seen: u64,
    through: u64,
    inner: u64,
    out: u64,
    gradient: u64,
    rest: u64,
    carry_rest: u64,
    back: u64,
    by_input: u64,
    by_recurrent: u64,
    now: u64,
}

/// Where an array lies, for a [`Sequence`]; nowhere if there is none.
fn address<'a>(array: impl Into<Option<&'a DeviceArray>>) -> u64 {
    array.into().map_or(0, |array| array.buffer().address())
}

/// What the way forwards leaves for the way back.
struct Kept {
    gates: DeviceArray,
    extra: Option<DeviceArray>,
    hidden: DeviceArray,
    carry: Option<DeviceArray>,
}

impl Kept {
    /// Tells the kernels where it is.
    fn place(&self, sequence: &mut Sequence) {
        sequence.gates_of = address(&self.gates);
        sequence.extra = address(self.extra.as_ref());
        sequence.hidden = address(&self.hidden);
        sequence.carry = address(self.carry.as_ref());
    }
}

/// A layer's operands and sizes.
struct Pass<'a> {
    card: &'static Card,
    cell: Cell,
    batch: usize,
    steps: usize,
    features: usize,
    units: usize,
    /// Whether gates of one kind lie together.
    split: bool,
    drops: usize,
    input_drops: usize,
    x: &'a DeviceArray,
    kernel: &'a DeviceArray,
    recurrent_kernel: &'a DeviceArray,
    bias: Option<&'a DeviceArray>,
    initial: &'a [Arc<DeviceArray>],
    mask: Option<Buffer>,
    drop: Option<Arc<DeviceArray>>,
    input_drop: Option<Arc<DeviceArray>>,
    sequence: Sequence,
}

impl<'a> Pass<'a> {
    /// None for what cards do not compute with: no samples, or other numbers than of single precision.
    fn new(
        card: &'static Card,
        op: &Recurrent,
        operands: &'a [Arc<DeviceArray>],
    ) -> Option<Result<Pass<'a>>> {
        let &[batch, steps, features] = operands[0].shape() else {
            return None;
        };
        if batch == 0 {
            return None;
        }
        let drop = lifted(card, &op.sides.dropout)?;
        let input_drop = lifted(card, &op.sides.input_dropout)?;
        let mask = op.sides.mask.as_ref().map(|mask| counts(card, mask));
        let sides = || Ok((drop?, input_drop?, mask.transpose()?));
        Some(sides().map(|(drop, input_drop, mask)| {
            let masks = |side: &Option<Arc<DeviceArray>>| match side {
                None => 0,
                Some(side) if side.shape().len() == 3 => side.shape()[0],
                Some(_) => 1,
            };
            let (drops, input_drops) = (masks(&drop), masks(&input_drop));
            let mut pass = Pass {
                card,
                cell: op.cell,
                batch,
                steps,
                features,
                units: operands[2].shape()[0],
                split: drops > 1 || input_drops > 1 || resets_first(op.cell),
                drops,
                input_drops,
                x: &operands[0],
                kernel: &operands[1],
                recurrent_kernel: &operands[2],
                bias: op.bias.then(|| &*operands[3]),
                initial: &operands[3 + usize::from(op.bias)..],
                mask,
                drop,
                input_drop,
                sequence: Sequence::default(),
            };
            pass.sequence = pass.described(op);
            pass
        }))
    }

    /// Settings, sizes and operands, as kernels are told of them.
    fn described(&self, op: &Recurrent) -> Sequence {
        let flag = i32::from;
        let outputs = if op.sequences { self.steps } else { 0 } * self.units;
        let width = match op.states {
            true => outputs + self.cell.states() * self.units,
            false => outputs.max(self.units),
        };
        let (activation, recurrent) = functions(self.cell);
        Sequence {
            batch: self.batch as i32,
            steps: self.steps as i32,
            features: self.features as i32,
            units: self.units as i32,
            gates: self.cell.gates() as i32,
            split: flag(self.split),
            backwards: flag(op.backwards),
            sequences: flag(op.sequences),
            zero_masked: flag(op.zero_masked),
            width: width as i32,
            states: if op.states { outputs as i32 } else { -1 },
            activation: activation as i32,
            recurrent: recurrent as i32,
            drops: self.drops as i32,
            input_drops: self.input_drops as i32,
            parts: match self.split {
                true => self.seeing() as i32,
                false => 1,
            },
            mask: self.mask.as_ref().map_or(0, Buffer::address),
            drop: address(self.drop.as_deref()),
            input_drop: address(self.input_drop.as_deref()),
            bias: address(self.bias),
            ..Sequence::default()
        }
    }

    /// Samples at all timesteps.
    fn rows(&self) -> usize {
        self.steps * self.batch
    }

    /// Columns of the kernels.
    fn columns(&self) -> usize {
        self.cell.gates() * self.units
    }

    /// Gates that see the hidden state as it was before the step, without a reset.
    fn seeing(&self) -> usize {
        self.cell.gates() - usize::from(resets_first(self.cell))
    }

    fn room(&self, shape: &[usize]) -> Result<DeviceArray> {
        DeviceArray::empty(self.card, shape)
    }

    /// Room for a number for each unit of each sample.
    fn states(&self) -> Result<DeviceArray> {
        self.room(&[self.batch, self.units])
    }

    /// How many products of how many columns this many gates are.
    fn products(&self, gates: usize) -> (usize, usize) {
        match self.split {
            true => (gates, self.units),
            false => (1, gates * self.units),
        }
    }

    /// Begins a kernel with a thread for each unit of each sample.
    fn each(&self, kernel: &'static str, sequence: &Sequence, rest: &[Argument<'_>]) -> Result<()> {
        let mut arguments = vec![Argument::Sequence(sequence)];
        arguments.extend(rest);
        self.card.each(kernel, self.batch * self.units, &arguments)
    }

    /// A kernel `[rows, gates · units]` as the products take it: with a matrix for each gate where they lie apart.
    fn laid(&self, kernel: &DeviceArray) -> Result<DeviceArray> {
        let (rows, units, columns) = (kernel.shape()[0], self.units, self.columns());
        if !self.split {
            return Ok(kernel.reshaped(kernel.shape()));
        }
        let shape = [self.cell.gates(), rows, units];
        let strides = [units as isize, columns as isize, 1];
        let layout = Layout::strided(&shape, &strides).expect("three axes");
        copy_from(self.card, kernel, &layout, 0, &shape)
    }

    /// The other way.
    fn unlaid(&self, kernel: DeviceArray, rows: usize) -> Result<DeviceArray> {
        let (gates, units, shape) = (self.cell.gates(), self.units, [rows, self.columns()]);
        if !self.split {
            return Ok(kernel.reshaped(&shape));
        }
        let strides = [units as isize, (rows * units) as isize, 1];
        let layout = Layout::strided(&[rows, gates, units], &strides).expect("three axes");
        copy_from(self.card, &kernel, &layout, 0, &shape)
    }

    /// The inputs as the gates see them, time by time: for all of them or for each.
    fn inputs(&self) -> Result<DeviceArray> {
        let out = self.room(&[self.input_drops.max(1), self.rows(), self.features])?;
        let arguments = [
            Argument::Sequence(&self.sequence),
            Argument::Buffer(out.buffer()),
            Argument::Buffer(self.x.buffer()),
            Argument::Long(out.len() as i64),
        ];
        self.card.each("sequence_inputs", out.len(), &arguments)?;
        Ok(out)
    }

    /// The part of the recurrent kernel that a GRU's candidate has, by itself.
    fn last_gate(&self, laid: &DeviceArray) -> Result<DeviceArray> {
        let (units, shape) = (self.units, [self.units, self.units]);
        let layout = Layout::strided(&shape, &[units as isize, 1]).expect("two axes");
        copy_from(
            self.card,
            laid,
            &layout,
            self.seeing() * units * units,
            &shape,
        )
    }
}

/// Whether it is a GRU whose reset comes before the candidate's product.
fn resets_first(cell: Cell) -> bool {
    matches!(
        cell,
        Cell::Gru {
            reset_after: false,
            ..
        }
    )
}

/// Activation and recurrent activation.
fn functions(cell: Cell) -> (Nonlinearity, Nonlinearity) {
    match cell {
        Cell::Simple { activation } => (activation, Nonlinearity::Linear),
        Cell::Lstm {
            activation,
            recurrent,
        }
        | Cell::Gru {
            activation,
            recurrent,
            ..
        } => (activation, recurrent),
    }
}

/// By what something is multiplied, on the card, if there is anything.
fn lifted(card: &'static Card, side: &Option<Tensor>) -> Option<Result<Option<Arc<DeviceArray>>>> {
    match side {
        Some(side) => Some(on_card(card, side)?.map(Some)),
        None => Some(Ok(None)),
    }
}

/// Which timesteps count, as bytes on the card.
fn counts(card: &'static Card, mask: &Tensor) -> Result<Buffer> {
    let counts = mask.to_array::<bool>();
    let bytes: Vec<u8> = counts.iter().map(|&counts| u8::from(counts)).collect();
    card.upload(&bytes)
}
