//! Sums, extremes and positions of extremes, over all elements or along one axis.

use super::parallel::{Cost, chunks, each_piece};
use super::simd::vectorised;
use crate::tensor::{Element, Real};

/// Elements that are summed at once, and how many times as many are worth a thread.
const BLOCK: usize = 1 << 12;
const BLOCKS: usize = 8;
/// Sums run side by side, so that the compiler vectorises them.
const LANES: usize = 32;
/// Elements each lane sums straight before partial sums are added pairwise: rounding errors then
/// grow with the logarithm of the length, as in NumPy.
const RUN: usize = 16;

/// The sum of all values.
pub(crate) fn sum_all<T: Real>(values: &[T]) -> T {
    if values.len() <= BLOCK {
        return if values.is_empty() {
            T::zero()
        } else {
            sum_block(values)
        };
    }
    let mut partial = vec![T::zero(); values.len().div_ceil(BLOCK)];
    let blocks = |sums: &mut [T], values: &[T]| {
        for (sum, block) in sums.iter_mut().zip(values.chunks(BLOCK)) {
            *sum = sum_block(block);
        }
    };
    if partial.len() <= BLOCKS {
        blocks(&mut partial, values);
    } else {
        each_piece(&mut partial, BLOCKS, &|index, sums| {
            blocks(sums, &values[index * BLOCKS * BLOCK..]);
        });
    }
    sum_pairwise(&partial)
}

fn sum_block<T: Real>(block: &[T]) -> T {
    vectorised(
        #[inline(always)]
        || {
            if let [value] = block {
                return *value;
            }
            let mut sums = [T::zero(); BLOCK / (LANES * RUN)];
            for (sum, values) in sums.iter_mut().zip(block.chunks(LANES * RUN)) {
                let mut lanes = [T::zero(); LANES];
                for row in values.chunks(LANES) {
                    for (lane, &value) in lanes.iter_mut().zip(row) {
                        *lane += value;
                    }
                }
                *sum = sum_pairs(lanes);
            }
            sum_pairs(sums)
        },
    )
}

/// As [`sum_pairwise`] for a power of two of values.
#[inline(always)]
fn sum_pairs<T: Real, const N: usize>(mut values: [T; N]) -> T {
    let mut count = N;
    while count > 1 {
        count /= 2;
        for index in 0..count {
            values[index] = values[2 * index] + values[2 * index + 1];
        }
    }
    values[0]
}

fn sum_pairwise<T: Real>(values: &[T]) -> T {
    match values {
        [] => T::zero(),
        [value] => *value,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            sum_pairwise(left) + sum_pairwise(right)
        }
    }
}

/// Sums along the middle axis of `[outer, steps, inner]`; returns `[outer, inner]`.
pub(crate) fn sum_axis<T: Real>(
    values: &[T],
    (outer, steps, inner): (usize, usize, usize),
) -> Vec<T> {
    let mut result = vec![T::zero(); outer * inner];
    sum_axis_into(values, (outer, steps, inner), &mut result);
    result
}

/// [`sum_axis`] into a result that is there already.
pub(crate) fn sum_axis_into<T: Real>(
    values: &[T],
    (outer, steps, inner): (usize, usize, usize),
    result: &mut [T],
) {
    if inner == 1 && steps > 0 {
        for (to, values) in result.iter_mut().zip(values.chunks_exact(steps)) {
            *to = sum_all(values);
        }
        return;
    }
    result.fill(T::zero());
    fold_into(values, (outer, steps, inner), result, |sum, value| {
        sum + value
    });
}

/// Folds along the middle axis of `[outer, steps, inner]`, starting from `start`.
pub(crate) fn fold_axis<T: Element, R: Element>(
    values: &[T],
    (outer, steps, inner): (usize, usize, usize),
    start: R,
    fold: impl Fn(R, T) -> R + Sync + Copy,
) -> Vec<R> {
    let mut result = vec![start; outer * inner];
    fold_into(values, (outer, steps, inner), &mut result, fold);
    result
}

/// Folds along the middle axis of `[outer, steps, inner]` into what `result` holds.
fn fold_into<T: Element, R: Element>(
    values: &[T],
    (_, steps, inner): (usize, usize, usize),
    result: &mut [R],
    fold: impl Fn(R, T) -> R + Sync + Copy,
) {
    let cost = if steps * inner >= BLOCK {
        Cost::Costly
    } else {
        Cost::Cheap
    };
    chunks(result, inner, cost, &|first, piece| {
        vectorised(
            #[inline(always)]
            || {
                for (index, to) in piece.chunks_mut(inner).enumerate() {
                    let block = (first / inner + index) * steps * inner;
                    for step in values[block..][..steps * inner].chunks_exact(inner) {
                        for (folded, &value) in to.iter_mut().zip(step) {
                            *folded = fold(*folded, value);
                        }
                    }
                }
            },
        );
    });
}

/// The position along the middle axis of `[outer, steps, inner]` of the first largest element;
/// NaN counts as largest, as in NumPy.
pub(crate) fn arg_max<T: Element>(values: &[T], extent: (usize, usize, usize)) -> Vec<i64> {
    arg_best(values, extent, |value, best| value > best)
}

/// The position along the middle axis of `[outer, steps, inner]` of the first smallest element;
/// NaN counts as smallest, as in NumPy.
pub(crate) fn arg_min<T: Element>(values: &[T], extent: (usize, usize, usize)) -> Vec<i64> {
    arg_best(values, extent, |value, best| value < best)
}

fn arg_best<T: Element>(
    values: &[T],
    (outer, steps, inner): (usize, usize, usize),
    better: impl Fn(T, T) -> bool,
) -> Vec<i64> {
    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
    let beats = |value: T, best: T| better(value, best) || (value != value && best == best);
    let mut positions = vec![0; outer * inner];
    for (index, position) in positions.iter_mut().enumerate() {
        let first = (index / inner) * steps * inner + index % inner;
        let mut best = values[first];
        for step in 1..steps {
            let value = values[first + step * inner];
            if beats(value, best) {
                best = value;
                *position = step as i64;
            }
        }
    }
    positions
}
