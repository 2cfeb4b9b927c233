//! Cutting work into pieces of a fixed size, and filling new buffers with them.
//!
//! The work is passed as `&dyn Fn`, called once a piece: the machinery of threads is then compiled
//! once instead of once for each operation.

use std::marker::PhantomData;
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
    each_piece(buffer, piece, &|index, part| work(index * piece, part));
}

/// Calls `work` with each number below `count`, on all threads.
pub(crate) fn each(count: usize, work: &(dyn Fn(usize) + Sync)) {
    // Numbers are drawn, and files read, before there is a tensor of them.
    threads::ready();
    // One at a time: what is worth a thread at all takes longer than to ask for the next.
    (0..count).into_par_iter().with_max_len(1).for_each(work);
}

/// What `work` makes of each number below `count`, in order, on all threads.
pub(crate) fn collect<R: Send>(count: usize, work: &(dyn Fn(usize) -> R + Sync)) -> Vec<R> {
    // Of what takes no room, pieces of one.
    collect_by_piece(&mut vec![(); count], 1, &|index, _| work(index))
}

/// What `work(index, piece)` makes of each piece of `size` elements of `buffer`, in order, on all threads.
pub(crate) fn collect_by_piece<T: Send, R: Send>(
    buffer: &mut [T],
    size: usize,
    work: &(dyn Fn(usize, &mut [T]) -> R + Sync),
) -> Vec<R> {
    let count = buffer.len().div_ceil(size.max(1));
    let mut results = Vec::with_capacity(count);
    let slots = &mut results.spare_capacity_mut()[..count];
    each_pair((buffer, size), (slots, 1), &|index, piece, slot| {
        slot[0].write(work(index, piece));
    });
    // SAFETY: each of the slots was written. Had a piece panicked, this would not be reached.
    unsafe { results.set_len(count) };
    results
}

/// What is done with pieces of two buffers: their number and themselves.
type OfPair<'a, A, B> = dyn Fn(usize, &mut [A], &mut [B]) + Sync + 'a;

/// Calls `work(index, piece, other)` for the pieces of two buffers, each with its piece's size, on all threads, as
/// long as there is one of both.
pub(crate) fn each_pair<A: Send, B: Send>(
    (one, one_size): (&mut [A], usize),
    (other, other_size): (&mut [B], usize),
    work: &OfPair<'_, A, B>,
) {
    let (one_size, other_size) = (one_size.max(1), other_size.max(1));
    let (one_length, other_length) = (one.len(), other.len());
    let count = one_length.div_ceil(one_size);
    let count = count.min(other_length.div_ceil(other_size));
    let (one, other) = (Apart::new(one), Apart::new(other));
    each(count, &|index| {
        let (at, from) = (index * one_size, index * other_size);
        // SAFETY: both lie within their buffers, and no two indices have an element in common.
        let one = unsafe { one.piece(at, one_length.min(at + one_size)) };
        // SAFETY: as above.
        let other = unsafe { other.piece(from, other_length.min(from + other_size)) };
        work(index, one, other);
    });
}

/// Calls `work(index, piece)` for each piece of `size` elements of `buffer`, on all threads.
pub(crate) fn each_piece<T: Send>(
    buffer: &mut [T],
    size: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    each_piece_of([buffer], size, &|index, [piece]| work(index, piece));
}

/// As [`each_piece`], for the pieces that lie at one place of several buffers of one length.
pub(crate) fn each_piece_of<T: Send, const N: usize>(
    buffers: [&mut [T]; N],
    size: usize,
    work: &(dyn Fn(usize, [&mut [T]; N]) + Sync),
) {
    let length = buffers[0].len();
    let buffers = buffers.map(|buffer| {
        assert_eq!(buffer.len(), length, "buffers of one length");
        Apart::new(buffer)
    });
    let size = size.max(1);
    each(length.div_ceil(size), &|index| {
        let start = index * size;
        let end = length.min(start + size);
        // SAFETY: within the buffers, and no two indices have an element in common.
        work(
            index,
            buffers.each_ref().map(|b| unsafe { b.piece(start, end) }),
        );
    });
}

/// A buffer of which each thread has another piece.
struct Apart<'a, T> {
    start: *mut T,
    buffer: PhantomData<&'a mut [T]>,
}

// SAFETY: the threads' pieces have no element in common, by the promise of `piece`.
unsafe impl<T: Send> Sync for Apart<'_, T> {}

impl<'a, T> Apart<'a, T> {
    fn new(buffer: &'a mut [T]) -> Self {
        Apart {
            start: buffer.as_mut_ptr(),
            buffer: PhantomData,
        }
    }

    /// # Safety
    /// The piece lies within the buffer, and nobody else has one that overlaps it.
    #[allow(clippy::mut_from_ref)]
    unsafe fn piece(&self, start: usize, end: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), end - start) }
    }
}

#[cfg(test)]
mod tests {
    use super::{collect, each_pair, each_piece_of};

    #[test]
    fn every_element_is_given_out_once() {
        for length in [0, 1, 6, 7, 8, 100] {
            let (mut a, mut b) = (vec![0; length], vec![0; length]);
            each_piece_of([&mut a, &mut b], 7, &|index, [a, b]| {
                assert_eq!(a.len(), b.len());
                for (place, (a, b)) in a.iter_mut().zip(b).enumerate() {
                    *a += index * 7 + place;
                    *b += 1;
                }
            });
            assert!(a.iter().copied().eq(0..length), "{a:?}");
            assert!(b.iter().all(|&times| times == 1), "{b:?}");
        }
    }

    #[test]
    fn pieces_of_two_sizes_belong_together_by_their_number() {
        let (mut rows, mut sums) = ([1, 2, 3, 4, 5, 6, 7], [0; 5]);
        // Three pieces of one and five of the other.
        each_pair((&mut rows, 3), (&mut sums, 1), &|index, row, sum| {
            sum[0] = row.iter().sum::<i32>() + 100 * index as i32;
            row.fill(0);
        });
        assert_eq!((rows, sums), ([0; 7], [6, 115, 207, 0, 0]));
    }

    #[test]
    fn results_are_in_order_and_dropped_once() {
        let whole = std::sync::Arc::new(());
        let results = collect(100, &|index| (index, whole.clone()));
        assert!(results.iter().map(|(index, _)| *index).eq(0..100));
        drop(results);
        assert_eq!(std::sync::Arc::strong_count(&whole), 1);
    }

    #[test]
    fn a_panic_in_a_piece_comes_out() {
        let caught = std::panic::catch_unwind(|| {
            collect(10, &|index| assert_ne!(index, 7, "on purpose"));
        });
        assert!(caught.is_err());
    }
}
