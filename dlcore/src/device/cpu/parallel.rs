//! Cutting work into pieces of a fixed size, and filling new buffers with them.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::simd::vectorised;
use crate::tensor::{Array, Element, array_from_vec};

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
pub(crate) fn build<R: Copy + Send + Sync>(
    length: usize,
    row: usize,
    cost: Cost,
    fill: impl Fn(usize, &mut [MaybeUninit<R>]) + Sync,
) -> Vec<R> {
    let mut buffer: Vec<R> = Vec::with_capacity(length);
    let room = &mut buffer.spare_capacity_mut()[..length];
    chunks(room, row, cost, |start, piece| {
        vectorised(
            #[inline(always)]
            || fill(start, piece),
        );
    });
    // SAFETY: the pieces cover the buffer and every fill writes all of its piece.
    unsafe { buffer.set_len(length) };
    buffer
}

/// Calls `work(start, piece)` for the pieces of `buffer`, in parallel where there are several.
pub(crate) fn chunks<R: Send>(
    buffer: &mut [R],
    row: usize,
    cost: Cost,
    work: impl Fn(usize, &mut [R]) + Sync,
) {
    let row = row.max(1);
    let piece = cost.piece().div_ceil(row) * row;
    if buffer.len() <= piece {
        if !buffer.is_empty() {
            work(0, buffer);
        }
        return;
    }
    in_parallel(buffer, piece, &work);
}

/// The parallel half of [`chunks`], compiled once for each type of element rather than once for
/// each operation: a piece is far longer than the call costs.
fn in_parallel<R: Send>(buffer: &mut [R], piece: usize, work: &(dyn Fn(usize, &mut [R]) + Sync)) {
    let pieces = buffer.par_chunks_mut(piece).enumerate();
    pieces.for_each(|(index, part)| work(index * piece, part));
}

/// `function` of each element of `array`, for functions that take long.
pub(crate) fn map_costly<T: Element, R: Element>(
    array: &Array<T>,
    function: impl Fn(T) -> R + Sync + Copy,
) -> Array<R> {
    let rows = array.as_standard_layout();
    let values = rows.as_slice().expect("standard layout");
    let result = build(values.len(), 1, Cost::Costly, |start, piece| {
        for (to, &from) in piece.iter_mut().zip(&values[start..]) {
            to.write(function(from));
        }
    });
    array_from_vec(array.shape(), result)
}
