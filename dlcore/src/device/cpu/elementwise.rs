//! Functions of one and two arrays, element by element, with broadcasting.
//!
//! Each loop has a copy of its function: behind a reference, the numbers that it computes with would be read
//! again for every element, and nothing would be vectorised.

use std::mem::MaybeUninit;

use super::buffers;
use super::parallel::{Cost, build, chunks};
use super::simd::vectorised;
use crate::tensor::{Array, Element, Real, array_from_vec, row_major, with_slice};

/// Loops that write a piece of a result, of one operand, of two, and of two row by row, with the piece's start.
type Loops<'a, T, R> = dyn Fn(&[T], &mut [MaybeUninit<R>]) + Sync + 'a;
type Loops2<'a, A, B, R> = dyn Fn(&[A], &[B], &mut [MaybeUninit<R>]) + Sync + 'a;
type RowLoops<'a, A, B, R> = dyn Fn(&Rows<'_, A, B>, usize, &mut [MaybeUninit<R>]) + Sync + 'a;

/// `function` of each element.
pub(crate) fn map<T: Element, R: Element>(
    array: &Array<T>,
    cost: Cost,
    function: impl Fn(T) -> R + Sync + Copy,
) -> Array<R> {
    fn by<T: Element, R: Element>(
        array: &Array<T>,
        cost: Cost,
        loops: &Loops<'_, T, R>,
    ) -> Array<R> {
        with_slice(array, |values| {
            let result = build(values.len(), 1, cost, &|start, piece| {
                loops(&values[start..], piece);
            });
            array_from_vec(array.shape(), result)
        })
    }
    by(array, cost, &|values, piece| {
        vectorised(
            #[inline(always)]
            || {
                let own = function;
                for (to, &from) in piece.iter_mut().zip(values) {
                    to.write(own(from));
                }
            },
        );
    })
}

/// `function` of each pair of elements of two arrays of one shape.
pub(crate) fn zip_same<A: Element, B: Element, R: Element>(
    a: &Array<A>,
    b: &Array<B>,
    function: impl Fn(A, B) -> R + Sync + Copy,
) -> Array<R> {
    fn by<A: Element, B: Element, R: Element>(
        a: &Array<A>,
        b: &Array<B>,
        loops: &Loops2<'_, A, B, R>,
    ) -> Array<R> {
        assert_eq!(a.shape(), b.shape(), "operands of one shape");
        with_slice(a, |x| {
            with_slice(b, |y| {
                let result = build(x.len(), 1, Cost::Cheap, &|start, piece| {
                    loops(&x[start..], &y[start..], piece);
                });
                array_from_vec(a.shape(), result)
            })
        })
    }
    by(a, b, &|x, y, piece| {
        vectorised(
            #[inline(always)]
            || {
                let own = function;
                for ((to, &u), &v) in piece.iter_mut().zip(x).zip(y) {
                    to.write(own(u, v));
                }
            },
        );
    })
}

/// How a row-major operand is read for a row-major result that is seen as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It has an element for each of the result.
    Same,
    /// It is one row, used again for each.
    OneRow,
    /// It has one element for each row.
    Column,
    /// It is a single element.
    Scalar,
}

impl Reading {
    /// How `operand` is read if rows have `row` elements; none if it must be repeated first.
    fn of(operand: &[usize], result: &[usize], row: usize) -> Option<Reading> {
        let ones = |dims: &mut dyn Iterator<Item = &usize>| dims.take_while(|&&d| d == 1).count();
        let leading = ones(&mut operand.iter());
        let core = operand.len() - ones(&mut operand.iter().rev());
        if operand == result {
            Some(Reading::Same)
        } else if leading == operand.len() {
            Some(Reading::Scalar)
        } else if result.ends_with(&operand[leading..]) {
            (operand.iter().product::<usize>() == row).then_some(Reading::OneRow)
        } else if operand.len() == result.len() && operand[..core] == result[..core] {
            (result[core..].iter().product::<usize>() == row).then_some(Reading::Column)
        } else {
            None
        }
    }

    /// The elements for the row of `length` that begins at element `offset` of the result: as
    /// many, or one for all of them.
    #[inline(always)]
    fn row<T>(self, values: &[T], offset: usize, length: usize) -> &[T] {
        match self {
            Reading::Same => &values[offset..][..length],
            Reading::OneRow => values,
            Reading::Column => &values[offset / length..][..1],
            Reading::Scalar => &values[..1],
        }
    }
}

/// The length of the rows that let the smaller operand be one row, or one element a row.
fn row_length(a: &[usize], b: &[usize], result: &[usize]) -> usize {
    let smaller = if a == result { b } else { a };
    if result.ends_with(smaller) {
        return smaller.iter().product();
    }
    let trailing = smaller.iter().rev().take_while(|&&d| d == 1).count();
    let row = match trailing {
        0 => &smaller[smaller.iter().take_while(|&&d| d == 1).count()..],
        _ => &result[result.len() - trailing..],
    };
    row.iter().product()
}

/// `array` repeated to `shape`, in row-major order.
pub(crate) fn repeated<T: Element>(array: &Array<T>, shape: &[usize]) -> Array<T> {
    if array.shape() == shape {
        return row_major(array);
    }
    let mut lengths = vec![1; shape.len() - array.ndim()];
    lengths.extend(array.shape());
    let mut result = buffers::empty(shape.iter().product());
    with_slice(array, |values| {
        repeat_into(&mut result, values, &lengths, shape);
    });
    array_from_vec(shape, result)
}

/// Appends a block of so many elements along each axis, repeated to `shape`: what is there once is copied whole.
fn repeat_into<T: Element>(result: &mut Vec<T>, values: &[T], lengths: &[usize], shape: &[usize]) {
    if lengths == shape {
        result.extend_from_slice(values);
        return;
    }
    let start = result.len();
    let block = lengths[1..].iter().product::<usize>().max(1);
    for values in values.chunks(block) {
        repeat_into(result, values, &lengths[1..], &shape[1..]);
    }
    if lengths[0] != shape[0] {
        let once = start..result.len();
        match once.len() {
            1 => result.resize(start + shape[0], result[start]),
            _ => (1..shape[0]).for_each(|_| result.extend_from_within(once.clone())),
        }
        result.truncate(start + once.len() * shape[0]);
    }
}

/// Two operands whose elements are paired row by row.
struct Rows<'a, A, B> {
    x: &'a [A],
    y: &'a [B],
    read: (Reading, Reading),
    /// The length of a row.
    length: usize,
}

impl<A, B> Rows<'_, A, B> {
    /// The operands of the row that begins at element `offset` of the result.
    #[inline(always)]
    fn at(&self, offset: usize) -> (&[A], &[B]) {
        (
            self.read.0.row(self.x, offset, self.length),
            self.read.1.row(self.y, offset, self.length),
        )
    }
}

/// `function` of each pair of elements of `a` and `b`, both broadcast to `shape`.
pub(crate) fn zip<A: Element, B: Element, R: Element>(
    a: &Array<A>,
    b: &Array<B>,
    shape: &[usize],
    function: impl Fn(A, B) -> R + Sync + Copy,
) -> Array<R> {
    zip_rows(a, b, shape, &|rows, start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let own = function;
                for (index, to) in piece.chunks_exact_mut(rows.length).enumerate() {
                    let (u, v) = rows.at(start + index * rows.length);
                    zip_row(to, u, v, own);
                }
            },
        );
    })
}

/// Has `loops(rows, start, piece)` write the rows of each piece of the result, which begins at element `start`.
fn zip_rows<A: Element, B: Element, R: Element>(
    a: &Array<A>,
    b: &Array<B>,
    shape: &[usize],
    loops: &RowLoops<'_, A, B, R>,
) -> Array<R> {
    let row = row_length(a.shape(), b.shape(), shape);
    let plan = |operand: &[usize]| Reading::of(operand, shape, row);
    let (plan_a, plan_b) = (plan(a.shape()), plan(b.shape()));
    let wide_a = plan_a.is_none().then(|| repeated(a, shape));
    let wide_b = plan_b.is_none().then(|| repeated(b, shape));
    let read = (
        plan_a.unwrap_or(Reading::Same),
        plan_b.unwrap_or(Reading::Same),
    );
    // Where no operand minds the rows, each piece is a single long one.
    let seamless = [read.0, read.1]
        .iter()
        .all(|r| matches!(r, Reading::Same | Reading::Scalar));
    let row = if seamless { 1 } else { row };
    with_slice(wide_a.as_ref().unwrap_or(a), |x| {
        with_slice(wide_b.as_ref().unwrap_or(b), |y| {
            let result = build(shape.iter().product(), row, Cost::Cheap, &|start, piece| {
                let length = if seamless { piece.len() } else { row };
                loops(&Rows { x, y, read, length }, start, piece);
            });
            array_from_vec(shape, result)
        })
    })
}

/// One row of [`zip`]; an operand has as many elements, or one.
#[inline(always)]
fn zip_row<A: Element, B: Element, R>(
    to: &mut [MaybeUninit<R>],
    x: &[A],
    y: &[B],
    function: impl Fn(A, B) -> R,
) {
    // Each branch writes the whole row, or panics: none may be left as it was allocated.
    let length = to.len();
    if x.len() == y.len() && x.len() == length {
        for ((to, &u), &v) in to.iter_mut().zip(x).zip(y) {
            to.write(function(u, v));
        }
    } else if let ([v], true) = (y, x.len() == length) {
        for (to, &u) in to.iter_mut().zip(x) {
            to.write(function(u, *v));
        }
    } else if let ([u], true) = (x, y.len() == length) {
        for (to, &v) in to.iter_mut().zip(y) {
            to.write(function(*u, v));
        }
    } else {
        // Both are repeated, to a shape that is wider than either.
        let ([u], [v]) = (x, y) else {
            unreachable!("an operand has as many elements as the row, or one");
        };
        to.fill_with(|| MaybeUninit::new(function(*u, *v)));
    }
}

/// Writes `function(a, b)` over each element of `a`, `b` being broadcast to `a`'s shape.
/// A buffer that nothing else shares is written in place.
pub(crate) fn zip_assign<A: Element, B: Element>(
    a: &mut Array<A>,
    b: &Array<B>,
    function: impl Fn(A, B) -> A + Sync + Copy,
) {
    fn by<A: Element, B: Element>(
        a: &mut Array<A>,
        b: &Array<B>,
        loops: &(dyn Fn(&mut [A], &[B]) + Sync),
    ) {
        with_slice(b, |y| {
            let x = a.as_slice_mut().expect("standard layout");
            chunks(x, 1, Cost::Cheap, &|start, piece| {
                loops(piece, &y[start..]);
            });
        });
    }
    if a.shape() != b.shape() || !a.is_standard_layout() {
        let shape = a.shape().to_vec();
        *a = zip(a, b, &shape, function);
        return;
    }
    by(a, b, &|x, y| {
        vectorised(
            #[inline(always)]
            || {
                let own = function;
                for (u, &v) in x.iter_mut().zip(y) {
                    *u = own(*u, v);
                }
            },
        );
    });
}

/// Makes negative values 0, in place.
pub(crate) fn relu<T: Real>(values: &mut [T]) {
    chunks(values, 1, Cost::Cheap, &|_, piece| relu_here(piece));
}

/// As [`relu`], in this thread.
pub(crate) fn relu_here<T: Real>(values: &mut [T]) {
    vectorised(
        #[inline(always)]
        || {
            for value in values {
                *value = if *value < T::zero() {
                    T::zero()
                } else {
                    *value
                };
            }
        },
    );
}

/// Adds `values` to `sum`, in this thread.
#[inline]
pub(crate) fn add_to<T: Real>(sum: &mut [T], values: &[T]) {
    vectorised(
        #[inline(always)]
        || {
            for (sum, &value) in sum.iter_mut().zip(values) {
                *sum += value;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_repeated_as_ndarray_broadcasts_them() {
        let cases: [(&[usize], &[usize]); 17] = [
            (&[], &[]),
            (&[], &[3]),
            (&[], &[2, 0, 3]),
            (&[1], &[4]),
            (&[3], &[2, 3]),
            (&[1, 3], &[2, 3]),
            (&[2, 1], &[2, 3]),
            (&[2, 1, 3], &[2, 4, 3]),
            (&[1, 2, 1], &[3, 2, 4]),
            (&[2, 1, 3, 1], &[2, 5, 3, 4]),
            (&[1, 1, 1], &[2, 3, 4]),
            (&[2, 1, 1, 3], &[2, 3, 2, 3]),
            (&[1, 3], &[0, 3]),
            (&[2, 1], &[2, 0]),
            (&[1, 0], &[3, 0]),
            (&[0, 1], &[0, 3]),
            (&[2, 1, 0], &[2, 3, 0]),
        ];
        for (from, to) in cases {
            let values: Vec<f32> = (0..from.iter().product()).map(|i| i as f32).collect();
            let array = array_from_vec(from, values);
            let expected = array.broadcast(to).unwrap().to_owned();
            assert_eq!(repeated(&array, to), expected, "{from:?} to {to:?}");
        }
    }
}
