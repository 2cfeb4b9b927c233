//! Cutting work into pieces of a fixed size, and filling new buffers with them.
//!
//! The work is passed as `&dyn Fn`, called once a piece: the machinery of threads is then compiled
//! once for each element type instead of once for each operation.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{buffers, threads};

/// What one element costs, which decides how many make a piece worth a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// A few instructions: bound by memory.
    Cheap,
    /// An exponential, a logarithm, a random number.
    Costly,
}

impl Cost {
    /// Elements a piece. Waking a thread takes some microseconds; a piece should take longer.
    fn piece(self) -> usize {
        match self {
            Cost::Cheap => 1 << 16,
            Cost::Costly => 1 << 12,
        }
    }
}

/// A new buffer of `length` elements; `fill(start, piece)` must write every element of the piece
/// that begins at element `start`. Pieces are whole multiples of `row` elements.
pub(crate) fn build<R: Copy + Send + Sync + 'static>(
    length: usize,
    row: usize,
    cost: Cost,
    fill: &(dyn Fn(usize, &mut [MaybeUninit<R>]) + Sync),
) -> Vec<R> {
    let mut buffer: Vec<R> = buffers::empty(length);
    chunks(&mut buffer.spare_capacity_mut()[..length], row, cost, fill);
    // SAFETY: the pieces cover the buffer and every fill writes all of its piece.
    unsafe { buffer.set_len(length) };
    buffer
}

/// Calls `work(start, piece)` for the pieces of `buffer`, in parallel where there are several.
pub(crate) fn chunks<R: Send>(
    buffer: &mut [R],
    row: usize,
    cost: Cost,
    work: &(dyn Fn(usize, &mut [R]) + Sync),
) {
    let row = row.max(1);
    let piece = cost.piece().div_ceil(row) * row;
    if buffer.len() <= piece {
        if !buffer.is_empty() {
            work(0, buffer);
        }
        return;
    }
    // Numbers are drawn, and files read, before there is a tensor of them.
    threads::ready();
    let pieces = buffer.par_chunks_mut(piece).enumerate();
    pieces.for_each(|(index, part)| work(index * piece, part));
}
