//! Back through time.

use std::sync::Arc;

use super::super::all_on_card;
use super::super::array::DeviceArray;
use super::super::card::{Argument, Card};
use super::super::matrix;
use super::super::moving::join;
use super::super::reduce::{Fold, fold};
use super::{Kept, Pass, Sequence, address, resets_first};
use crate::device::cpu::recurrent::Cell;
use crate::grad::ops::{Products, Recurrent, Step};
use crate::{Result, Tensor};

type Shares = Result<Vec<Option<DeviceArray>>>;

/// The gradients of the operands.
pub(in super::super) fn shares(
    card: &'static Card,
    op: &Recurrent,
    step: &Step<'_>,
    gradient: &Tensor,
) -> Option<Shares> {
    let operands = match all_on_card(card, step.inputs.iter().chain([gradient]))? {
        Ok(operands) => operands,
        Err(error) => return Some(Err(error)),
    };
    let (gradient, operands) = operands.split_last()?;
    let pass = Pass::new(card, op, operands)?;
    Some(pass.and_then(|pass| {
        let here = |kept: &Arc<Kept>| std::ptr::eq(kept.hidden.card(), card);
        let kept = match op.memory.kept::<Kept>().filter(here) {
            Some(kept) => kept,
            None => Arc::new(pass.forward(gradient.shape())?.1),
        };
        pass.backward(&kept, gradient, step)
    }))
}

/// What the way back through all steps leaves.
struct Back {
    /// Of the input's product, in the gates' order.
    by_input: DeviceArray,
    /// Of the recurrent product, where it is another.
    by_recurrent: Option<DeviceArray>,
    /// Of the initial states, where they are wanted.
    initial: Vec<DeviceArray>,
}

impl Back {
    fn by_recurrent(&self) -> &DeviceArray {
        self.by_recurrent.as_ref().unwrap_or(&self.by_input)
    }
}

impl Pass<'_> {
    fn backward(&self, kept: &Kept, gradient: &DeviceArray, step: &Step<'_>) -> Shares {
        let weights = 3 + usize::from(self.bias.is_some());
        let wants_initial = step.wanted[weights..].contains(&true);
        let back = self.through_time(kept, gradient, wants_initial)?;
        let mut initial = back.initial.iter();
        let mut shares = Vec::with_capacity(step.wanted.len());
        for (place, &wanted) in step.wanted.iter().enumerate() {
            let state = if place >= weights {
                initial.next()
            } else {
                None
            };
            shares.push(match place {
                _ if !wanted => None,
                0 => Some(self.by_x(&back)?),
                1 => Some(self.by_kernel(&back)?),
                2 => Some(self.by_recurrent_kernel(kept, &back)?),
                _ if place < weights => Some(self.by_bias(&back)?),
                _ => state.map(|state| state.reshaped(state.shape())),
            });
        }
        Ok(shares)
    }

    /// All steps, the last one first.
    fn through_time(
        &self,
        kept: &Kept,
        gradient: &DeviceArray,
        wants_initial: bool,
    ) -> Result<Back> {
        let gates = [self.rows(), self.columns()];
        let (by_input, rest) = (self.room(&gates)?, self.states()?);
        let apart = matches!(self.cell, Cell::Gru { reset_after, .. } if reset_after);
        let by_recurrent = apart.then(|| self.room(&gates)).transpose()?;
        let carry_rest = kept.carry.as_ref().map(|_| self.states()).transpose()?;
        let (products, inner) = self.products(self.seeing());
        let now = self.room(&[self.seeing(), self.batch, self.units])?;
        let back = self.room(&[products, self.batch, self.units])?;
        let kernel = self.laid(self.recurrent_kernel)?;
        let candidate = match resets_first(self.cell) {
            true => Some((self.states()?, self.states()?, self.last_gate(&kernel)?)),
            false => None,
        };
        let mut sequence = Sequence {
            gradient: address(gradient),
            rest: address(&rest),
            carry_rest: address(carry_rest.as_ref()),
            back: address(&back),
            by_input: address(&by_input),
            by_recurrent: address(by_recurrent.as_ref()),
            now: address(&now),
            inner: address(candidate.as_ref().map(|(share, ..)| share)),
            ..self.sequence
        };
        kept.place(&mut sequence);
        for step in (0..self.steps).rev() {
            let at = Argument::Int(step as i32);
            self.each(self.back_kernel(), &sequence, &[at])?;
            if let Some((share, product, last)) = &candidate {
                let sizes = (1, self.batch, self.units, self.units);
                matrix::write(
                    Products::Single,
                    (share, false, false),
                    (last, true, false),
                    sizes,
                    product,
                )?;
                let product = Argument::Buffer(product.buffer());
                self.each("gru_gates_back", &sequence, &[at, product])?;
            }
            if step > 0 || wants_initial {
                let sizes = (products, self.batch, inner, self.units);
                matrix::write(
                    Products::Single,
                    (&now, false, false),
                    (&kernel, true, false),
                    sizes,
                    &back,
                )?;
            }
        }
        let mut initial = Vec::new();
        if wants_initial {
            let hidden = self.states()?;
            let to = Argument::Buffer(hidden.buffer());
            self.each("sequence_initial", &sequence, &[to])?;
            initial.push(hidden);
            initial.extend(carry_rest);
        }
        Ok(Back {
            by_input,
            by_recurrent,
            initial,
        })
    }

    fn back_kernel(&self) -> &'static str {
        match self.cell {
            Cell::Simple { .. } => "simple_back",
            Cell::Lstm { .. } => "lstm_back",
            Cell::Gru { reset_after, .. } if reset_after => "gru_back",
            Cell::Gru { .. } => "gru_candidate_back",
        }
    }

    /// `Σ ∂gates · kernelᵀ`, each as dropped on its way to them, sample by sample.
    fn by_x(&self, back: &Back) -> Result<DeviceArray> {
        let (products, inner) = self.products(self.cell.gates());
        let kernel = self.laid(self.kernel)?;
        let seen = matrix::batched(
            Products::Single,
            (&back.by_input, false, false),
            (&kernel, true, false),
            (products, self.rows(), inner, self.features),
            &[products, self.rows(), self.features],
        )?;
        let out = self.room(self.x.shape())?;
        let arguments = [
            Argument::Sequence(&self.sequence),
            Argument::Buffer(out.buffer()),
            Argument::Buffer(seen.buffer()),
            Argument::Long(out.len() as i64),
        ];
        self.card
            .each("sequence_inputs_back", out.len(), &arguments)?;
        Ok(out)
    }

    /// `inputsᵀ · ∂gates`
    fn by_kernel(&self, back: &Back) -> Result<DeviceArray> {
        let (products, columns) = self.products(self.cell.gates());
        let inputs = self.inputs()?;
        let share = matrix::batched(
            Products::Single,
            (&inputs, true, self.input_drops <= 1),
            (&back.by_input, false, false),
            (products, self.features, self.rows(), columns),
            &[products, self.features, columns],
        )?;
        self.unlaid(share, self.features)
    }

    /// `seenᵀ · ∂gates`
    fn by_recurrent_kernel(&self, kept: &Kept, back: &Back) -> Result<DeviceArray> {
        let (products, columns) = self.products(self.cell.gates());
        let resets = resets_first(self.cell);
        let views = if resets { products } else { self.drops.max(1) };
        let plain = self.drops == 0 && !resets;
        let seen = match plain {
            true => None,
            false => Some(self.seen_by_gates(kept, views)?),
        };
        let share = matrix::batched(
            Products::Single,
            (seen.as_ref().unwrap_or(&kept.hidden), true, views == 1),
            (back.by_recurrent(), false, false),
            (products, self.units, self.rows(), columns),
            &[products, self.units, columns],
        )?;
        self.unlaid(share, self.units)
    }

    /// The hidden states before all steps, as the gates saw them.
    fn seen_by_gates(&self, kept: &Kept, views: usize) -> Result<DeviceArray> {
        let out = self.room(&[views, self.rows(), self.units])?;
        let mut sequence = self.sequence;
        kept.place(&mut sequence);
        let arguments = [
            Argument::Sequence(&sequence),
            Argument::Buffer(out.buffer()),
            Argument::Long(out.len() as i64),
            Argument::Int(i32::from(resets_first(self.cell))),
        ];
        self.card.each("sequence_seen", out.len(), &arguments)?;
        Ok(out)
    }

    /// `Σ ∂gates`, of the recurrent product too where it has a bias of its own.
    fn by_bias(&self, back: &Back) -> Result<DeviceArray> {
        let columns = self.columns();
        let sum = |gates: &DeviceArray| match self.split {
            true => {
                let shape = [self.cell.gates(), self.rows(), self.units];
                fold(
                    self.card,
                    Fold::Sum,
                    &gates.reshaped(&shape),
                    Some(1),
                    &[columns],
                )
            }
            false => fold(self.card, Fold::Sum, gates, Some(0), &[columns]),
        };
        let input = sum(&back.by_input)?;
        match &back.by_recurrent {
            Some(by_recurrent) => {
                let recurrent = sum(by_recurrent)?;
                let both = [&input, &recurrent].map(|part| part.reshaped(&[1, columns]));
                join(self.card, &[&both[0], &both[1]], 0, &[2, columns])
            }
            None => Ok(input),
        }
    }
}
