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

use ndarray::ArrayView2;

use super::Nonlinearity;
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
    /// By what the input is multiplied at every step, `[batch, features]`.
    pub(crate) input_dropout: Option<&'a [T]>,
    /// By what the hidden state is multiplied on its way to the recurrent kernel, `[batch, units]`.
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
        let units = self.pass.units;
        &all[self.first * units..][..self.rows * units]
    }

    /// The input at `count` steps as the kernel sees it, time by time: `[count, rows, features]`.
    fn gather(&self, from: usize, count: usize, to: &mut [T]) {
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
        self.drop_input(to);
    }

    /// Multiplies inputs `[…, rows, features]` by the input's dropout.
    fn drop_input(&self, inputs: &mut [T]) {
        if let Some(dropout) = self.pass.input_dropout {
            let features = self.pass.features;
            scale_by(
                inputs,
                &dropout[self.first * features..][..self.rows * features],
            );
        }
    }

    /// Multiplies hidden states `[…, rows, units]` by the recurrent dropout.
    fn drop(&self, hidden: &mut [T]) {
        if let Some(dropout) = self.pass.dropout {
            scale_by(hidden, self.rows_of(dropout));
        }
    }
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
