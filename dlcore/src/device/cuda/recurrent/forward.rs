//! All timesteps, forwards.

use std::sync::Arc;

use super::super::array::DeviceArray;
use super::super::card::{Argument, Card};
use super::super::matrix;
use super::{Kept, Pass, Sequence, address, resets_first};
use crate::Result;
use crate::device::cpu::recurrent::Cell;
use crate::grad::ops::{Products, Recurrent};

/// The output; with `keep` the operation remembers what the way back needs.
pub(in super::super) fn forward(
    card: &'static Card,
    op: &Recurrent,
    operands: &[Arc<DeviceArray>],
    keep: bool,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let pass = Pass::new(card, op, operands)?;
    Some(pass.and_then(|pass| {
        let (out, kept) = pass.forward(shape)?;
        if keep {
            op.memory.keep(kept);
        }
        Ok(out)
    }))
}

impl Pass<'_> {
    pub(super) fn forward(&self, shape: &[usize]) -> Result<(DeviceArray, Kept)> {
        let (out, seen, kept) = (self.room(shape)?, self.seen()?, self.input_product()?);
        let through = self.room(&[self.seeing(), self.batch, self.units])?;
        let (inner, product) = match resets_first(self.cell) {
            true => (Some(self.states()?), Some(self.states()?)),
            false => (None, None),
        };
        let kernel = self.laid(self.recurrent_kernel)?;
        let last = inner
            .as_ref()
            .map(|_| self.last_gate(&kernel))
            .transpose()?;
        let mut sequence = Sequence {
            seen: address(&seen),
            through: address(&through),
            inner: address(inner.as_ref()),
            out: address(&out),
            ..self.sequence
        };
        kept.place(&mut sequence);
        let state = |index: usize| match self.initial.get(index) {
            Some(state) => Argument::Buffer(state.buffer()),
            None => Argument::Nothing,
        };
        self.each("sequence_begin", &sequence, &[state(0), state(1)])?;
        let (products, columns) = self.products(self.seeing());
        for step in 0..self.steps {
            let at = Argument::Int(step as i32);
            matrix::write(
                Products::Single,
                (&seen, false, self.drops <= 1),
                (&kernel, false, false),
                (products, self.batch, self.units, columns),
                &through,
            )?;
            let (Some(inner), Some(product), Some(last)) = (&inner, &product, &last) else {
                self.each(self.step_kernel(), &sequence, &[at])?;
                continue;
            };
            self.each("gru_gates", &sequence, &[at])?;
            let sizes = (1, self.batch, self.units, self.units);
            matrix::write(
                Products::Single,
                (inner, false, false),
                (last, false, false),
                sizes,
                product,
            )?;
            let product = Argument::Buffer(product.buffer());
            self.each("gru_candidate", &sequence, &[at, product])?;
        }
        Ok((out, kept))
    }

    fn step_kernel(&self) -> &'static str {
        match self.cell {
            Cell::Simple { .. } => "simple_step",
            Cell::Lstm { .. } => "lstm_step",
            Cell::Gru { .. } => "gru_step",
        }
    }

    /// Room for the hidden state as the gates see it.
    fn seen(&self) -> Result<DeviceArray> {
        self.room(&[self.drops.max(1), self.batch, self.units])
    }

    /// The input's product with the kernel, which become the gates, and room for the states.
    fn input_product(&self) -> Result<Kept> {
        let (inputs, kernel) = (self.inputs()?, self.laid(self.kernel)?);
        let gates = self.room(&[self.rows(), self.columns()])?;
        let (products, columns) = self.products(self.cell.gates());
        matrix::write(
            Products::Single,
            (&inputs, false, self.input_drops <= 1),
            (&kernel, false, false),
            (products, self.rows(), self.features, columns),
            &gates,
        )?;
        let (batch, units) = (self.batch, self.units);
        let states = || self.room(&[self.steps + 1, batch, units]);
        let lstm = matches!(self.cell, Cell::Lstm { .. });
        let extra = lstm || matches!(self.cell, Cell::Gru { reset_after, .. } if reset_after);
        Ok(Kept {
            gates,
            extra: extra
                .then(|| self.room(&[self.steps, batch, units]))
                .transpose()?,
            hidden: states()?,
            carry: lstm.then(states).transpose()?,
        })
    }
}
