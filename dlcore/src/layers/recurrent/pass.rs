//! A batch's way through a recurrent layer: in one fused operation where its kernels know the functions,
//! else step by step.

use super::super::plan::{self, Input, Plan};
use super::super::weight::are_free;
use super::super::{Base, Call};
use super::stepwise::{Drops, Stepwise};
use super::{Core, Form};
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::recurrent::Cell;
use crate::grad::ops::{self, Products};
use crate::random::{dropout_mask, next_seed};
use crate::tensor::expect;
use crate::{DType, Tensor};

impl Core {
    /// The outputs: of the last step, or of all; then the states, if they are returned.
    pub(in crate::layers) fn call(
        &self,
        base: &Base,
        form: Form,
        inputs: &[Tensor],
        call: &Call,
    ) -> Vec<Tensor> {
        self.kernel.built(base);
        let samples = |input: &Tensor| input.shape().iter().skip(1).copied().collect();
        let shapes: Vec<Vec<usize>> = inputs.iter().map(samples).collect();
        expect(self.output_shapes(base, form, &shapes));
        let (x, batch) = (&inputs[0], inputs[0].shape()[0]);
        let initial = match &inputs[1..] {
            [] => self.first_states(base, batch),
            given => given.to_vec(),
        };
        let mask = call.mask(0).map(|mask| fitting_mask(base, mask, x));
        let fused = self.fused(form);
        let drops = match call.training {
            true => self.drops(form.gates(), batch, shapes[0][1]),
            false => Drops::default(),
        };
        let (output, states) = match fused {
            Some(cell) => self.at_once(cell, x, &initial, mask, drops),
            // In single precision, as at once.
            None => Products::Single
                .during(|| Stepwise::new(self, base, form, drops).run(x, &initial, mask.as_ref())),
        };
        self.keep_states(&states, call.training);
        let returned = states.into_iter().take(match self.return_state {
            true => form.states(),
            false => 0,
        });
        std::iter::once(output).chain(returned).collect()
    }

    /// The way of a batch like `x` without a tape: of plain sequences, of which nothing is left out or carried on.
    pub(in crate::layers) fn plan(
        &self,
        base: &Base,
        form: Form,
        x: &Input<'_>,
    ) -> Option<Box<dyn Plan>> {
        let free = are_free(&[&self.kernel, &self.recurrent, &self.bias]) && base.is_plain();
        let plain = self.dropout == 0.0 && self.recurrent_dropout == 0.0;
        if !(free && plain) || self.stateful || self.return_state {
            return None;
        }
        let order = (self.go_backwards, self.return_sequences);
        let plan = plan::Recurrent::new(x, self.fused(form)?, self.units, order)?;
        Some(Box::new(plan))
    }

    /// The cell of the fused kernels, if they know both functions.
    pub(super) fn fused(&self, form: Form) -> Option<Cell> {
        let activation = Nonlinearity::named(self.activation.name())?;
        let recurrent = match form {
            Form::Simple => Nonlinearity::Linear,
            _ => Nonlinearity::named(self.recurrent_activation.name())?,
        };
        Some(form.cell(activation, recurrent))
    }

    /// What is left out of a batch: with recurrent dropout by so many gates each something else, of the
    /// input too, as in Keras 3; without it by all gates the same.
    pub(super) fn drops(&self, gates: usize, batch: usize, features: usize) -> Drops {
        let masks = match self.recurrent_dropout > 0.0 {
            true => gates,
            false => 1,
        };
        let drawn = |rate: f64, width: usize| {
            let count = if rate > 0.0 { masks } else { 0 };
            let draw = |_| dropout_mask(&[batch, width], rate, next_seed());
            (0..count).map(draw).collect()
        };
        Drops {
            input: drawn(self.dropout, features),
            recurrent: drawn(self.recurrent_dropout, self.units),
        }
    }

    /// Output and final states by the fused operation.
    pub(super) fn at_once(
        &self,
        cell: Cell,
        x: &Tensor,
        initial: &[Tensor],
        mask: Option<Tensor>,
        drops: Drops,
    ) -> (Tensor, Vec<Tensor>) {
        // Where only the last output is wanted, it is itself the state of a cell with one.
        let packed =
            (self.return_state || self.stateful) && (self.return_sequences || cell.states() > 1);
        let pass = ops::Recurrent {
            cell,
            bias: self.bias.value.is_some(),
            backwards: self.go_backwards,
            sequences: self.return_sequences,
            states: packed,
            zero_masked: self.zero_output_for_mask,
            sides: Box::new(ops::Sides {
                mask,
                input_dropout: stacked(drops.input),
                dropout: stacked(drops.recurrent),
            }),
            memory: ops::Memory::default(),
        };
        let weights = [&self.kernel, &self.recurrent, &self.bias];
        let weights = weights
            .into_iter()
            .filter_map(|weight| weight.value.as_ref());
        let operands: Vec<&Tensor> = std::iter::once(x).chain(weights).chain(initial).collect();
        let result = expect(ops::recurrent(pass, &operands));
        match packed {
            true => self.unpack(cell, x.shape()[1], &result),
            false => (result.clone(), vec![result]),
        }
    }

    fn unpack(&self, cell: Cell, steps: usize, packed: &Tensor) -> (Tensor, Vec<Tensor>) {
        let (batch, units) = (packed.shape()[0], self.units);
        let start = if self.return_sequences {
            steps * units
        } else {
            0
        };
        let state = |index: usize| {
            let at = start + index * units;
            packed.slice((.., at..at + units))
        };
        let states: Vec<Tensor> = (0..cell.states()).map(state).collect();
        let output = match self.return_sequences {
            true => packed.slice((.., ..start)).reshape([batch, steps, units]),
            false => states[0].clone(),
        };
        (output, states)
    }
}

/// One tensor for all gates as it is, those of the gates as one.
fn stacked(mut drops: Vec<Tensor>) -> Option<Tensor> {
    match drops.len() {
        0 | 1 => drops.pop(),
        _ => Some(Tensor::stack(&drops.iter().collect::<Vec<_>>(), 0)),
    }
}

fn fitting_mask(base: &Base, mask: &Tensor, x: &Tensor) -> Tensor {
    if mask.shape() != &x.shape()[..2] {
        panic!(
            "{}",
            base.shape_error(format!(
                "expected a mask [batch, timesteps], {:?}, got shape {:?}",
                &x.shape()[..2],
                mask.shape()
            ))
        );
    }
    mask.cast(DType::Bool)
}
