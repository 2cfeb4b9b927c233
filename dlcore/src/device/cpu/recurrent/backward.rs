//! Back through time.

use ndarray::s;

use super::forward::Kept;
use super::{Cell, Chunk, Pass, gru, lstm, matrix, parts, simple};
use crate::device::cpu::buffers::Scratch;
use crate::device::cpu::simd::prefetch;
use crate::device::cpu::{add_to, each_pair, each_piece, product_into, vectorised};
use crate::tensor::Real;

/// Where the gradients of a pass's operands go, each of its operand's length.
pub(crate) struct Gradients<'a, T> {
    /// Empty where it is not wanted.
    pub(crate) x: &'a mut [T],
    pub(crate) kernel: &'a mut [T],
    pub(crate) recurrent_kernel: &'a mut [T],
    /// Empty where there is no bias.
    pub(crate) bias: &'a mut [T],
    /// `[states, batch, units]`, or empty where they are not wanted.
    pub(crate) initial: &'a mut [T],
}

/// The gradients, given that of the output and what the way forwards kept.
pub(crate) fn backward<T: Real>(
    pass: &Pass<'_, T>,
    kept: &[Kept<T>],
    gradient: &[T],
    to: Gradients<'_, T>,
) {
    let of_states = pass.cell.states() * pass.chunk_rows() * pass.units;
    let size = pass.weights() + of_states;
    let mut parts = Scratch::new(pass.chunks() * size);
    let run = |index: usize, part: &mut [T], x: &mut [T]| {
        pass.chunk(index).backward(&kept[index], gradient, x, part);
    };
    match to.x.is_empty() {
        true => each_piece(&mut parts.0, size, &|index, part| {
            run(index, part, &mut []);
        }),
        false => {
            let length = pass.chunk_rows() * pass.steps * pass.features;
            each_pair((&mut parts.0, size), (to.x, length), &run);
        }
    }
    let weights = [to.kernel, to.recurrent_kernel, to.bias];
    let mut at = 0;
    for sum in weights {
        sum.fill(T::zero());
        for part in parts.0.chunks_exact(size) {
            add_to(sum, &part[at..][..sum.len()]);
        }
        at += sum.len();
    }
    let of_state = pass.batch * pass.units;
    for (state, to) in to.initial.chunks_exact_mut(of_state.max(1)).enumerate() {
        let chunks = to.chunks_mut(pass.chunk_rows() * pass.units);
        for (to, part) in chunks.zip(parts.0.chunks_exact(size)) {
            to.copy_from_slice(&part[at + state * to.len()..][..to.len()]);
        }
    }
}

/// The sums over a chunk.
struct Sums<'a, T> {
    kernel: &'a mut [T],
    recurrent_kernel: &'a mut [T],
    bias: &'a mut [T],
}

/// One step of a chunk, on the way back. Rows whose step does not count have gradients 0 of the
/// products, and pass on those of the states as they are.
pub(super) struct StepBack<'a, T> {
    pub(super) pass: &'a Pass<'a, T>,
    pub(super) chunk: &'a Chunk<'a, T>,
    pub(super) step: usize,
    /// What the way forwards kept, see [`Kept`].
    pub(super) gates: &'a [T],
    pub(super) extra: &'a [T],
    pub(super) before: &'a [T],
    pub(super) carry_before: &'a [T],
    /// The hidden state as the last gate sees it.
    pub(super) seen: &'a [T],
    /// The gradient of the hidden state after the step, at last of that before it.
    pub(super) hidden: &'a mut [T],
    pub(super) carry: &'a mut [T],
    /// `[rows, gates · units]`: the gradient of the input's product, to be written.
    pub(super) by_input: &'a mut [T],
    /// That of the recurrent product, where it is another; else empty.
    pub(super) by_recurrent: &'a mut [T],
    /// `[rows, units]`
    pub(super) scratch: &'a mut [T],
    /// The recurrent kernel turned, `[gates · units, units]`: a product at each step reads it row by row.
    pub(super) turned: &'a [T],
}

impl<T: Real> StepBack<'_, T> {
    pub(super) fn rows(&self) -> usize {
        self.chunk.rows
    }

    pub(super) fn counts(&self, row: usize) -> bool {
        self.chunk.counts(row, self.step)
    }

    /// Adds to the hidden state's gradient what comes through the recurrent kernel.
    pub(super) fn pass_back(&mut self) {
        let (units, columns) = (self.pass.units, self.pass.columns());
        for (mask, own) in parts(self.pass.masks(), 0..self.pass.cell.gates()) {
            let gradient = match self.by_recurrent.is_empty() {
                true => matrix(self.by_input, columns),
                false => matrix(self.by_recurrent, columns),
            };
            let own = own.start * units..own.end * units;
            let back = matrix(&self.turned[own.start * units..own.end * units], units);
            let gradient = gradient.slice(s![.., own]);
            if self.pass.dropout.is_none() {
                product_into(self.hidden, (units, 0), gradient, back, true);
            } else {
                product_into(self.scratch, (units, 0), gradient, back, false);
                self.add_scratch(mask);
            }
        }
    }

    /// Adds the gradient of the hidden state as the gates of this mask see it.
    pub(super) fn add_scratch(&mut self, mask: usize) {
        self.chunk.drop(mask, self.scratch);
        add_to(self.hidden, self.scratch);
    }
}

/// What is reused from block to block.
struct Buffers<T: 'static> {
    /// `[block, rows, gates · units]`
    by_input: Scratch<T>,
    by_recurrent: Scratch<T>,
    /// `[block, rows, features]`
    inputs: Scratch<T>,
    /// `[masks, block, rows, units]`
    seen: Scratch<T>,
    /// `[rows, units]`
    scratch: Scratch<T>,
    /// `[gates · units, units]`
    turned: Scratch<T>,
}

impl<T: Real> Chunk<'_, T> {
    /// The sums over this chunk into `part`, then the gradients of its initial states, and the input's gradient into
    /// `x`, if there is room for it.
    fn backward(&self, kept: &Kept<T>, gradient: &[T], x: &mut [T], part: &mut [T]) {
        let pass = self.pass;
        let size = self.rows * pass.units;
        let gradient = &gradient[self.first * pass.width()..][..self.rows * pass.width()];
        part.fill(T::zero());
        let (kernel, rest) = part.split_at_mut(pass.kernel.len());
        let (recurrent_kernel, rest) = rest.split_at_mut(pass.recurrent_kernel.len());
        let (bias, states) = rest.split_at_mut(pass.bias.map_or(0, <[T]>::len));
        let mut sums = Sums {
            kernel,
            recurrent_kernel,
            bias,
        };
        let states = &mut states[..pass.cell.states() * size];
        self.final_gradients(gradient, states);
        let zeros = |length| {
            let mut zeros = Scratch::new(length);
            zeros.0.fill(T::zero());
            zeros
        };
        let wide = self.block * size * pass.cell.gates();
        let mut buffers = Buffers {
            by_input: zeros(wide),
            by_recurrent: zeros(if pass.cell.is_split() { wide } else { 0 }),
            inputs: zeros(self.block * self.rows * pass.features),
            seen: zeros(if self.sees_others() {
                pass.masks() * self.block * size
            } else {
                0
            }),
            scratch: zeros(size),
            turned: self.turned_kernel(),
        };
        let blocks = pass.steps.div_ceil(self.block);
        for from in (0..blocks).rev().map(|block| block * self.block) {
            let count = self.block.min(pass.steps - from);
            // Without others to see there is nothing to copy.
            let masks = if self.sees_others() { pass.masks() } else { 0 };
            for mask in 0..masks {
                let seen = &mut buffers.seen.0[mask * self.block * size..][..count * size];
                seen.copy_from_slice(&kept.hidden[from * size..][..count * size]);
                self.drop(mask, seen);
            }
            for step in (0..count).rev() {
                self.add_output(&mut states[..size], gradient, from + step);
                self.step_back(kept, &mut buffers, states, (from, step));
            }
            self.weights_back(kept, &mut buffers, &mut sums, from, count);
            if !x.is_empty() {
                self.input_back(&mut buffers, x, from, count);
            }
        }
    }

    /// Whether the recurrent kernel sees other hidden states than those that were kept: some dropped, or,
    /// before it, reset.
    fn sees_others(&self) -> bool {
        let resets = matches!(
            self.pass.cell,
            Cell::Gru {
                reset_after: false,
                ..
            }
        );
        self.pass.dropout.is_some() || resets
    }

    /// Asks for what the way forwards kept of a step: it lies before what was read last, and far away.
    fn prefetch(&self, kept: &Kept<T>, place: usize) {
        let size = self.rows * self.pass.units;
        let gates = size * self.pass.cell.gates();
        let extra = size * self.pass.cell.extra();
        prefetch(&kept.gates[place * gates..][..gates]);
        prefetch(&kept.extra[place * extra..][..extra]);
        prefetch(&kept.hidden[place * size..][..size]);
        if !kept.carry.is_empty() {
            prefetch(&kept.carry[place * size..][..size]);
        }
    }

    /// The recurrent kernel, columns first.
    fn turned_kernel(&self) -> Scratch<T> {
        let kernel = matrix(self.pass.recurrent_kernel, self.pass.columns());
        let mut turned = Scratch::new(kernel.len());
        for (to, &weight) in turned.0.iter_mut().zip(kernel.t()) {
            *to = weight;
        }
        turned
    }

    /// The gradients of the final states, as far as the output holds these; the others are 0 already.
    fn final_gradients(&self, gradient: &[T], states: &mut [T]) {
        let pass = self.pass;
        if !pass.states {
            return;
        }
        let states = states.chunks_exact_mut(self.rows * pass.units);
        for (state, result) in states.enumerate() {
            let at = pass.sequence_width() + state * pass.units;
            let rows = gradient.chunks_exact(pass.width());
            for (to, from) in result.chunks_exact_mut(pass.units).zip(rows) {
                to.copy_from_slice(&from[at..][..pass.units]);
            }
        }
    }

    /// Adds the gradient of the output at a step.
    fn add_output(&self, hidden: &mut [T], gradient: &[T], step: usize) {
        let pass = self.pass;
        let at = match (pass.sequences, pass.states) {
            (true, _) => step * pass.units,
            (false, false) if step + 1 == pass.steps => 0,
            _ => return,
        };
        let rows = gradient.chunks_exact(pass.width());
        let rows = hidden.chunks_exact_mut(pass.units).zip(rows);
        for (row, (to, from)) in rows.enumerate() {
            if !(pass.sequences && pass.zero_masked) || self.counts(row, step) {
                add_to(to, &from[at..][..pass.units]);
            }
        }
    }

    fn step_back(
        &self,
        kept: &Kept<T>,
        buffers: &mut Buffers<T>,
        states: &mut [T],
        (from, step): (usize, usize),
    ) {
        let pass = self.pass;
        let size = self.rows * pass.units;
        let (gates, extra) = (size * pass.cell.gates(), size * pass.cell.extra());
        let place = from + step;
        if place > 0 {
            self.prefetch(kept, place - 1);
        }
        let (hidden, carry) = states.split_at_mut(size);
        let by_recurrent = match pass.cell.is_split() {
            true => &mut buffers.by_recurrent.0[step * gates..][..gates],
            false => &mut [],
        };
        let back = StepBack {
            pass,
            chunk: self,
            step: place,
            gates: &kept.gates[place * gates..][..gates],
            extra: &kept.extra[place * extra..][..extra],
            before: &kept.hidden[place * size..][..size],
            carry_before: kept.carry.get(place * size..).unwrap_or_default(),
            seen: match self.sees_others() {
                true => &buffers.seen.0[((pass.masks() - 1) * self.block + step) * size..][..size],
                false => &kept.hidden[place * size..][..size],
            },
            hidden,
            carry,
            by_input: &mut buffers.by_input.0[step * gates..][..gates],
            by_recurrent,
            scratch: &mut buffers.scratch.0,
            turned: &buffers.turned.0,
        };
        match pass.cell {
            Cell::Simple { activation } => simple::backward(back, activation),
            Cell::Lstm {
                activation,
                recurrent,
            } => lstm::backward(back, activation, recurrent),
            Cell::Gru {
                activation,
                recurrent,
                reset_after,
            } => gru::backward(back, activation, recurrent, reset_after),
        }
    }

    /// Adds a block's part of the weights' gradients.
    fn weights_back(
        &self,
        kept: &Kept<T>,
        buffers: &mut Buffers<T>,
        sums: &mut Sums<'_, T>,
        from: usize,
        count: usize,
    ) {
        let (pass, units) = (self.pass, self.pass.units);
        let (rows, columns) = (count * self.rows, pass.columns());
        let inputs = &mut buffers.inputs.0[..rows * pass.features];
        let by_input = &buffers.by_input.0[..rows * columns];
        let by_recurrent = match pass.cell.is_split() {
            true => &buffers.by_recurrent.0[..rows * columns],
            false => by_input,
        };
        for (mask, own) in parts(pass.input_masks(), 0..pass.cell.gates()) {
            self.gather(mask, from, count, inputs);
            let inputs = matrix(inputs, pass.features);
            let own = own.start * units..own.end * units;
            let (to, gradient) = ((columns, own.start), matrix(by_input, columns));
            let gradient = gradient.slice(s![.., own]);
            product_into(sums.kernel, to, inputs.t(), gradient, true);
        }
        if !sums.bias.is_empty() {
            let (input, recurrent) = sums.bias.split_at_mut(columns);
            add_rows(input, by_input);
            if !recurrent.is_empty() {
                add_rows(recurrent, by_recurrent);
            }
        }
        let gradient = matrix(by_recurrent, columns);
        if !self.sees_others() {
            let hidden = &kept.hidden[from * self.rows * units..][..rows * units];
            let (to, seen) = ((columns, 0), matrix(hidden, units));
            product_into(sums.recurrent_kernel, to, seen.t(), gradient, true);
            return;
        }
        let resets_first = matches!(
            pass.cell,
            Cell::Gru {
                reset_after: false,
                ..
            }
        );
        let (masks, of_mask) = (pass.masks(), self.block * self.rows * units);
        // The candidate of such a cell sees the state after its reset.
        let plain = pass.cell.gates() - usize::from(resets_first);
        for (mask, own) in parts(masks, 0..plain) {
            let seen = matrix(&buffers.seen.0[mask * of_mask..][..rows * units], units);
            let own = own.start * units..own.end * units;
            let to = (columns, own.start);
            let gradient = gradient.slice(s![.., own]);
            product_into(sums.recurrent_kernel, to, seen.t(), gradient, true);
        }
        if !resets_first {
            return;
        }
        let seen = &mut buffers.seen.0[(masks - 1) * of_mask..][..rows * units];
        let gates = kept.gates[from * self.rows * columns..].chunks_exact(columns);
        for (seen, gates) in seen.chunks_exact_mut(units).zip(gates) {
            for (value, &reset) in seen.iter_mut().zip(&gates[units..2 * units]) {
                *value *= reset;
            }
        }
        let (resets, to) = (matrix(seen, units), (columns, 2 * units));
        let last = gradient.slice(s![.., 2 * units..]);
        product_into(sums.recurrent_kernel, to, resets.t(), last, true);
    }

    /// Writes a block's part of the input's gradient.
    fn input_back(&self, buffers: &mut Buffers<T>, x: &mut [T], from: usize, count: usize) {
        let pass = self.pass;
        let (features, columns) = (pass.features, pass.columns());
        let rows = count * self.rows;
        let inputs = &mut buffers.inputs.0[..rows * features];
        for (mask, own) in parts(pass.input_masks(), 0..pass.cell.gates()) {
            let first = own.start == 0;
            let own = s![.., own.start * pass.units..own.end * pass.units];
            let gradient = matrix(&buffers.by_input.0[..rows * columns], columns);
            let kernel = matrix(pass.kernel, columns);
            let (gradient, kernel) = (gradient.slice(own), kernel.slice(own));
            product_into(inputs, (features, 0), gradient, kernel.t(), false);
            self.drop_input(mask, inputs);
            for (row, sample) in x.chunks_exact_mut(pass.steps * features).enumerate() {
                for step in 0..count {
                    let own = &inputs[(step * self.rows + row) * features..][..features];
                    let at = self.time(from + step) * features;
                    match first {
                        true => sample[at..][..features].copy_from_slice(own),
                        false => add_to(&mut sample[at..][..features], own),
                    }
                }
            }
        }
    }
}

/// Adds every row to `sum`.
fn add_rows<T: Real>(sum: &mut [T], rows: &[T]) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(sum.len()) {
                for (sum, &value) in sum.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        },
    );
}
