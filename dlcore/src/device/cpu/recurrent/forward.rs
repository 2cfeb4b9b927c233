//! All timesteps, forwards.

use ndarray::s;

use super::{Cell, Chunk, Pass, gru, lstm, matrix, parts, simple};
use crate::device::cpu::buffers::{self, Scratch};
use crate::device::cpu::{each_pair, product_into};
use crate::tensor::Real;

/// What a chunk keeps of its steps for the way back.
#[derive(Default)]
pub(crate) struct Kept<T: 'static> {
    /// `[steps, rows, gates · units]`, after their activations.
    pub(super) gates: Vec<T>,
    /// `[steps, rows, units]`: `activation(c)` of an LSTM, `h·U + b` of a GRU's candidate.
    pub(super) extra: Vec<T>,
    /// `[steps + 1, rows, units]`, the first being the initial state.
    pub(super) hidden: Vec<T>,
    /// The same of an LSTM's carry.
    pub(super) carry: Vec<T>,
}

/// The output, [`Pass::width`] elements for each sample, and, if they are to be kept, the steps of
/// each chunk, in what an earlier pass has kept, if there was one.
pub(crate) fn forward<T: Real>(
    pass: &Pass<'_, T>,
    keep: bool,
    kept: &mut Vec<Kept<T>>,
    output: &mut [T],
) {
    output.fill(T::zero());
    kept.resize_with(pass.chunks(), Kept::default);
    let length = pass.chunk_rows() * pass.width();
    each_pair((output, length), (kept, 1), &|index, output, kept| {
        pass.chunk(index).forward(output, keep, &mut kept[0]);
    });
}

impl<T: 'static> Kept<T> {
    pub(crate) fn elements(&self) -> usize {
        self.gates.len() + self.extra.len() + self.hidden.len() + self.carry.len()
    }
}

/// One step of a chunk. Where the layer does not drop, `seen` is `before`.
pub(super) struct Step<'a, T> {
    pub(super) pass: &'a Pass<'a, T>,
    /// `[rows, gates · units]`: `x·kernel + bias` at first, the gates at last.
    pub(super) gates: &'a mut [T],
    /// `[rows, units]` for cells that keep more.
    pub(super) extra: &'a mut [T],
    /// The hidden state before the step, and as the gates see it, `[masks, rows, units]`.
    pub(super) before: &'a [T],
    pub(super) seen: &'a [T],
    pub(super) after: &'a mut [T],
    pub(super) carry_before: &'a [T],
    pub(super) carry_after: &'a mut [T],
    /// `[rows, gates · units]`, for whatever the cell likes.
    pub(super) scratch: &'a mut [T],
}

impl<T: 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        for buffer in [
            &mut self.gates,
            &mut self.extra,
            &mut self.hidden,
            &mut self.carry,
        ] {
            buffers::put_back(std::mem::take(buffer));
        }
    }
}

impl<T: Real> Kept<T> {
    /// Makes room for `steps` steps, and the initial states the first ones.
    fn begin(&mut self, chunk: &Chunk<'_, T>, steps: usize) {
        let pass = chunk.pass;
        let size = chunk.rows * pass.units;
        let fit = |buffer: &mut Vec<T>, length: usize| {
            if buffer.len() != length {
                buffers::put_back(std::mem::replace(buffer, buffers::any(length)));
            }
        };
        fit(&mut self.gates, steps * size * pass.cell.gates());
        fit(&mut self.extra, steps * size * pass.cell.extra());
        fit(&mut self.hidden, (steps + 1) * size);
        fit(
            &mut self.carry,
            (steps + 1) * size * (pass.cell.states() - 1),
        );
        let states = [&mut self.hidden, &mut self.carry];
        for (index, state) in states.into_iter().take(pass.cell.states()).enumerate() {
            match pass.initial.get(index) {
                Some(initial) => state[..size].copy_from_slice(chunk.rows_of(initial)),
                None => state[..size].fill(T::zero()),
            }
        }
    }

    /// Makes the states after `steps` steps the first ones.
    fn restart(&mut self, steps: usize, size: usize) {
        for state in [&mut self.hidden, &mut self.carry] {
            if !state.is_empty() {
                state.copy_within(steps * size..(steps + 1) * size, 0);
            }
        }
    }
}

/// The states before and after the step at this place.
fn around<T>(states: &mut [T], place: usize, size: usize) -> (&[T], &mut [T]) {
    if states.is_empty() {
        return (&[], &mut []);
    }
    let (before, after) = states.split_at_mut((place + 1) * size);
    (&before[place * size..], &mut after[..size])
}

impl<T: Real> Chunk<'_, T> {
    fn forward(&self, output: &mut [T], keep: bool, kept: &mut Kept<T>) {
        let pass = self.pass;
        let size = self.rows * pass.units;
        let columns = pass.columns();
        kept.begin(self, if keep { pass.steps } else { self.block });
        let mut inputs = Scratch::new(self.block * self.rows * pass.features);
        let mut scratch = Scratch::new(self.rows * columns);
        let mut seen = Scratch::new(pass.dropout.map_or(0, |_| pass.masks() * size));
        let mut last = 0;
        for from in (0..pass.steps).step_by(self.block) {
            let count = self.block.min(pass.steps - from);
            if !keep && from > 0 {
                kept.restart(self.block, size);
            }
            let place = if keep { from } else { 0 };
            let inputs = &mut inputs.0[..count * self.rows * pass.features];
            let gates =
                &mut kept.gates[place * self.rows * columns..][..count * self.rows * columns];
            let biased = fill_rows(gates, pass.biases().0);
            for (mask, own) in parts(pass.input_masks(), 0..pass.cell.gates()) {
                self.gather(mask, from, count, inputs);
                let own = own.start * pass.units..own.end * pass.units;
                let (to, kernel) = ((columns, own.start), matrix(pass.kernel, columns));
                let (inputs, kernel) = (matrix(inputs, pass.features), kernel.slice(s![.., own]));
                product_into(gates, to, inputs, kernel, biased);
            }
            for step in 0..count {
                self.step(kept, place + step, &mut seen.0, &mut scratch.0);
                self.carry_on(kept, place + step, from + step);
                let after = &kept.hidden[(place + step + 1) * size..][..size];
                self.write(output, from + step, after);
            }
            last = place + count;
        }
        self.write_states(output, kept, last);
    }

    fn step(&self, kept: &mut Kept<T>, place: usize, seen: &mut [T], scratch: &mut [T]) {
        let pass = self.pass;
        let size = self.rows * pass.units;
        let (gates, extra) = (size * pass.cell.gates(), size * pass.cell.extra());
        let (before, after) = around(&mut kept.hidden, place, size);
        let (carry_before, carry_after) = around(&mut kept.carry, place, size);
        let seen = match pass.dropout {
            Some(_) => {
                for (mask, seen) in seen.chunks_exact_mut(size).enumerate() {
                    seen.copy_from_slice(before);
                    self.drop(mask, seen);
                }
                &*seen
            }
            None => before,
        };
        let step = Step {
            pass,
            gates: &mut kept.gates[place * gates..][..gates],
            extra: &mut kept.extra[place * extra..][..extra],
            before,
            seen,
            after,
            carry_before,
            carry_after,
            scratch,
        };
        match pass.cell {
            Cell::Simple { activation } => simple::forward(step, activation),
            Cell::Lstm {
                activation,
                recurrent,
            } => lstm::forward(step, activation, recurrent),
            Cell::Gru {
                activation,
                recurrent,
                reset_after,
            } => gru::forward(step, activation, recurrent, reset_after),
        }
    }

    /// Gives samples whose step does not count the states they had.
    fn carry_on(&self, kept: &mut Kept<T>, place: usize, step: usize) {
        if self.pass.mask.is_none() {
            return;
        }
        let (units, size) = (self.pass.units, self.rows * self.pass.units);
        for states in [&mut kept.hidden, &mut kept.carry] {
            let (before, after) = around(states, place, size);
            for (row, (before, after)) in before
                .chunks_exact(units)
                .zip(after.chunks_exact_mut(units))
                .enumerate()
            {
                if !self.counts(row, step) {
                    after.copy_from_slice(before);
                }
            }
        }
    }

    fn write(&self, output: &mut [T], step: usize, after: &[T]) {
        let pass = self.pass;
        let at = match (pass.sequences, pass.states) {
            (true, _) => step * pass.units,
            (false, false) if step + 1 == pass.steps => 0,
            _ => return,
        };
        let rows = output.chunks_exact_mut(pass.width());
        for (row, (to, from)) in rows.zip(after.chunks_exact(pass.units)).enumerate() {
            if !(pass.sequences && pass.zero_masked) || self.counts(row, step) {
                to[at..][..pass.units].copy_from_slice(from);
            }
        }
    }

    fn write_states(&self, output: &mut [T], kept: &Kept<T>, place: usize) {
        let pass = self.pass;
        if !pass.states {
            return;
        }
        let size = self.rows * pass.units;
        let states = [&kept.hidden, &kept.carry];
        for (index, states) in states.into_iter().take(pass.cell.states()).enumerate() {
            let at = pass.sequence_width() + index * pass.units;
            let rows = output.chunks_exact_mut(pass.width());
            for (to, from) in rows.zip(states[place * size..].chunks_exact(pass.units)) {
                to[at..][..pass.units].copy_from_slice(from);
            }
        }
    }
}

/// Writes a bias to every row and says whether there is one.
pub(super) fn fill_rows<T: Real>(rows: &mut [T], bias: Option<&[T]>) -> bool {
    if let Some(bias) = bias {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.copy_from_slice(bias);
        }
    }
    bias.is_some()
}
