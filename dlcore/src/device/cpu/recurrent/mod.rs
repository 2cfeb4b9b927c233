//! Recurrent layers: all timesteps forwards, and back through time.
//!
//! The batch is cut into chunks of samples, by its size only. A chunk goes through all timesteps by
//! itself, so that no thread waits for another within a sequence. Inside a chunk everything lies time
//! by time, `[steps, rows, …]`: what a step touches lies together. Steps are taken in blocks: what does
//! not need the step before (the product of the input with the kernel, the gradients of the weights)
//! is one matrix product for a block, over numbers that the processor's cache still holds.

mod backward;
mod forward;
mod gru;
mod lstm;
mod simple;

pub(crate) use backward::{Gradients, backward};
pub(crate) use forward::{Kept, forward};

use std::ops::Range;

use ndarray::{ArrayView2, s};

use super::{Nonlinearity, product_into};
use crate::tensor::Real;

/// What a recurrent layer computes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// `h = activation(x·W + h·U + b)`
    Simple { activation: Nonlinearity },
    /// Gates in the order input, forget, cell, output; see [`lstm`].
    Lstm {
        activation: Nonlinearity,
        recurrent: Nonlinearity,
    },
    /// Gates in the order update, reset, candidate; see [`gru`].
    Gru {
        activation: Nonlinearity,
        recurrent: Nonlinearity,
        reset_after: bool,
    },
}

impl Cell {
    /// Columns of the kernels for each unit.
    pub(crate) fn gates(self) -> usize {
        match self {
            Cell::Simple { .. } => 1,
            Cell::Lstm { .. } => 4,
            Cell::Gru { .. } => 3,
        }
    }

    /// States that go from step to step: the hidden one, which is the output, and LSTM's carry.
    pub(crate) fn states(self) -> usize {
        match self {
            Cell::Lstm { .. } => 2,
            _ => 1,
        }
    }

    /// The shape of the bias.
    pub(crate) fn bias_shape(self, units: usize) -> Vec<usize> {
        match self {
            Cell::Gru {
                reset_after: true, ..
            } => vec![2, 3 * units],
            _ => vec![self.gates() * units],
        }
    }

    /// Numbers for each unit that a step keeps for the way back, beside its gates.
    fn extra(self) -> usize {
        match self {
            Cell::Lstm { .. } => 1,
            Cell::Gru { reset_after, .. } => usize::from(reset_after),
            Cell::Simple { .. } => 0,
        }
    }

    /// Whether the input and the recurrent product have biases, and so gradients, of their own.
    fn is_split(self) -> bool {
        matches!(
            self,
            Cell::Gru {
                reset_after: true,
                ..
            }
        )
    }
}

/// The settings, sizes and operands of a layer's pass over a batch; all operands are row-major.
pub(crate) struct Pass<'a, T> {
    pub(crate) cell: Cell,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    pub(crate) features: usize,
    pub(crate) units: usize,
    /// Whether the last timestep comes first.
    pub(crate) backwards: bool,
    /// Whether the output has every step (in the order they are taken), or the last one only.
    pub(crate) sequences: bool,
    /// Whether the output ends with the final states.
    pub(crate) states: bool,
    /// Whether the output is 0 at steps that do not count, rather than the state carried on.
    pub(crate) zero_masked: bool,
    /// Which timesteps count, `[batch, steps]`; at the others the states are carried on.
    pub(crate) mask: Option<&'a [bool]>,
    /// By what the input is multiplied at every step, `[batch, features]`; by something else on its way to each gate
    /// where it is `[gates, batch, features]`.
    pub(crate) input_dropout: Option<&'a [T]>,
    /// By what the hidden state is multiplied on its way to the recurrent kernel, `[batch, units]` or
    /// `[gates, batch, units]`.
    pub(crate) dropout: Option<&'a [T]>,
    /// `[batch, steps, features]`
    pub(crate) x: &'a [T],
    /// `[features, gates · units]`
    pub(crate) kernel: &'a [T],
    /// `[units, gates · units]`
    pub(crate) recurrent_kernel: &'a [T],
    /// See [`Cell::bias_shape`].
    pub(crate) bias: Option<&'a [T]>,
    /// Each `[batch, units]`; zeros where there are none.
    pub(crate) initial: Vec<&'a [T]>,
}

/// Rows of a block's matrix products, about: enough to make them worthwhile, few enough that gates
/// of some dozens of units stay in a core's cache.
const BLOCK_ROWS: usize = 512;
/// Samples of a chunk, at most and at least.
const CHUNK_ROWS: (usize, usize) = (32, 8);

impl<T: Real> Pass<'_, T> {
    /// Elements of the output for each sample.
    pub(crate) fn width(&self) -> usize {
        self.sequence_width() + self.state_width()
    }

    /// Of these, the ones of the output proper. Where only the last output is wanted and the states
    /// too, the hidden state is both.
    fn sequence_width(&self) -> usize {
        match (self.sequences, self.states) {
            (true, _) => self.steps * self.units,
            (false, true) => 0,
            (false, false) => self.units,
        }
    }

    fn state_width(&self) -> usize {
        match self.states {
            true => self.cell.states() * self.units,
            false => 0,
        }
    }

    /// Elements of all weights.
    fn weights(&self) -> usize {
        self.kernel.len() + self.recurrent_kernel.len() + self.bias.map_or(0, <[T]>::len)
    }

    /// Samples of a chunk: a quarter of the batch, within bounds.
    fn chunk_rows(&self) -> usize {
        let (most, least) = CHUNK_ROWS;
        self.batch
            .div_ceil(4)
            .next_multiple_of(least)
            .clamp(least, most)
    }

    fn chunks(&self) -> usize {
        self.batch.div_ceil(self.chunk_rows())
    }

    fn chunk(&self, index: usize) -> Chunk<'_, T> {
        let first = index * self.chunk_rows();
        let rows = self.chunk_rows().min(self.batch - first);
        Chunk {
            pass: self,
            first,
            rows,
            block: (BLOCK_ROWS / rows).clamp(1, self.steps),
        }
    }

    /// Columns of the kernels.
    fn columns(&self) -> usize {
        self.cell.gates() * self.units
    }

    /// By how many tensors inputs, and hidden states, are multiplied: by one for all gates, or one for each.
    fn input_masks(&self) -> usize {
        self.masks_in(self.input_dropout, self.features)
    }

    fn masks(&self) -> usize {
        self.masks_in(self.dropout, self.units)
    }

    fn masks_in(&self, dropout: Option<&[T]>, width: usize) -> usize {
        let masks = dropout.map_or(1, |all| all.len() / (self.batch * width).max(1));
        masks.max(1)
    }

    /// Writes, or adds, the product of hidden states with these gates' columns of the recurrent kernel; `seen` is
    /// how the gates see them, `[masks, rows, units]`.
    fn recurrent_product(&self, to: &mut [T], seen: &[T], gates: Range<usize>, add: bool) {
        let (units, columns) = (self.units, self.columns());
        let kernel = matrix(self.recurrent_kernel, columns);
        let size = seen.len() / self.masks();
        for (mask, own) in parts(self.masks(), gates) {
            let seen = matrix(&seen[mask * size..][..size], units);
            let own = own.start * units..own.end * units;
            let to_columns = (columns, own.start);
            product_into(to, to_columns, seen, kernel.slice(s![.., own]), add);
        }
    }

    /// The bias of the input's product, and that of the recurrent one if it has its own.
    fn biases(&self) -> (Option<&[T]>, Option<&[T]>) {
        match self.bias {
            Some(both) if self.cell.is_split() => {
                let (input, recurrent) = both.split_at(self.columns());
                (Some(input), Some(recurrent))
            }
            bias => (bias, None),
        }
    }
}

/// Samples `first .. first + rows`.
struct Chunk<'a, T> {
    pass: &'a Pass<'a, T>,
    first: usize,
    rows: usize,
    /// Steps of a block.
    block: usize,
}

impl<T: Real> Chunk<'_, T> {
    /// The timestep that is taken at this step.
    fn time(&self, step: usize) -> usize {
        match self.pass.backwards {
            true => self.pass.steps - 1 - step,
            false => step,
        }
    }

    /// Whether the timestep counts for this row.
    fn counts(&self, row: usize, step: usize) -> bool {
        let at = (self.first + row) * self.pass.steps + self.time(step);
        self.pass.mask.is_none_or(|mask| mask[at])
    }

    /// This chunk's part of a `[batch, units]` operand.
    fn rows_of<'b>(&self, all: &'b [T]) -> &'b [T] {
        self.rows_of_mask(all, 0, self.pass.units)
    }

    /// This chunk's part of one mask of `[masks, batch, width]`.
    fn rows_of_mask<'b>(&self, all: &'b [T], mask: usize, width: usize) -> &'b [T] {
        let start = (mask * self.pass.batch + self.first) * width;
        &all[start..][..self.rows * width]
    }

    /// The input at `count` steps as the gates of this mask see it, time by time: `[count, rows, features]`.
    fn gather(&self, mask: usize, from: usize, count: usize, to: &mut [T]) {
        let (features, steps) = (self.pass.features, self.pass.steps);
        // Sample by sample, since what is read comes from memory and what is written stays in the cache.
        for row in 0..self.rows {
            let sample = &self.pass.x[(self.first + row) * steps * features..][..steps * features];
            for step in 0..count {
                let at = self.time(from + step) * features;
                let to = &mut to[(step * self.rows + row) * features..][..features];
                to.copy_from_slice(&sample[at..][..features]);
            }
        }
        self.drop_input(mask, to);
    }

    /// Multiplies inputs `[…, rows, features]` by the input's dropout.
    fn drop_input(&self, mask: usize, inputs: &mut [T]) {
        if let Some(dropout) = self.pass.input_dropout {
            scale_by(inputs, self.rows_of_mask(dropout, mask, self.pass.features));
        }
    }

    /// Multiplies hidden states `[…, rows, units]` by the recurrent dropout.
    fn drop(&self, mask: usize, hidden: &mut [T]) {
        if let Some(dropout) = self.pass.dropout {
            scale_by(hidden, self.rows_of_mask(dropout, mask, self.pass.units));
        }
    }
}

/// The gates that are computed at once, with the mask that they have: all of them, or each by itself.
fn parts(masks: usize, gates: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let whole = (masks == 1).then(|| (0, gates.clone()));
    let each = gates.filter(move |_| masks > 1);
    whole
        .into_iter()
        .chain(each.map(|gate| (gate, gate..gate + 1)))
}

/// Multiplies each of the blocks that `values` consists of by `factors`.
fn scale_by<T: Real>(values: &mut [T], factors: &[T]) {
    for block in values.chunks_exact_mut(factors.len()) {
        for (value, &factor) in block.iter_mut().zip(factors) {
            *value *= factor;
        }
    }
}

/// A row-major buffer as a matrix.
fn matrix<T>(values: &[T], columns: usize) -> ArrayView2<'_, T> {
    let rows = values.len() / columns;
    ArrayView2::from_shape((rows, columns), values).expect("whole rows")
}
