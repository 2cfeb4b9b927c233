//! Functions of one and two arrays, element by element, with broadcasting.

use ndarray::IxDyn;

use super::parallel::{Cost, build, chunks};
use super::simd::vectorised;
use crate::tensor::{Array, Element, array_from_vec};

/// `function` of each element. Contiguous arrays become one loop the compiler vectorises.
pub(crate) fn map<T: Element, R: Element>(
    array: &Array<T>,
    function: impl Fn(T) -> R + Sync + Copy,
) -> Array<R> {
    let rows = rows_of(array, array.shape());
    let values = rows.as_slice().expect("standard layout");
    let result = build(
        values.len(),
        1,
        Cost::Cheap,
        #[inline(always)]
        |start, piece| {
            for (to, &from) in piece.iter_mut().zip(&values[start..]) {
                to.write(function(from));
            }
        },
    );
    array_from_vec(array.shape(), result)
}

/// How a contiguous operand meets a contiguous result of a given shape.
enum Meeting {
    /// Element by element.
    Same,
    /// One element against all.
    Scalar,
    /// The operand is one row of this length, used again for each row of the result.
    Row(usize),
    /// The operand has one element for each row of this length.
    Column(usize),
}

fn meeting(operand: &[usize], result: &[usize]) -> Option<Meeting> {
    if operand == result {
        return Some(Meeting::Same);
    }
    if operand.iter().all(|&d| d == 1) {
        return Some(Meeting::Scalar);
    }
    let rank = result.len();
    let ones = operand.iter().take_while(|&&d| d == 1).count();
    let core = &operand[ones..];
    if result.ends_with(core) {
        return Some(Meeting::Row(core.iter().product()));
    }
    let core = operand.len() - operand.iter().rev().take_while(|&&d| d == 1).count();
    if operand.len() == rank && operand[..core] == result[..core] {
        return Some(Meeting::Column(result[core..].iter().product()));
    }
    None
}

/// `function` of each pair of elements of `a` and `b`, both broadcast to `shape`.
pub(crate) fn zip<A: Element, B: Element, R: Element>(
    a: &Array<A>,
    b: &Array<B>,
    shape: &[usize],
    function: impl Fn(A, B) -> R + Sync + Copy,
) -> Array<R> {
    // `a` is brought to the result's shape first: one set of loops then serves both operands, and
    // the library is compiled in half the time.
    let a = rows_of(a, shape);
    let x = a.as_slice().expect("standard layout");
    let b = match meeting(b.shape(), shape) {
        Some(_) => rows_of(b, b.shape()),
        None => rows_of(b, shape),
    };
    let y = b.as_slice().expect("standard layout");
    let how = meeting(b.shape(), shape).unwrap_or(Meeting::Same);
    array_from_vec(shape, zip_slices(x, y, how, function))
}

/// `array` broadcast to `shape`, its elements in row order; as it is where it is so already.
fn rows_of<T: Element>(array: &Array<T>, shape: &[usize]) -> Array<T> {
    if array.shape() == shape && array.is_standard_layout() {
        return array.clone();
    }
    let wide = array
        .broadcast(IxDyn(shape))
        .expect("an operand that broadcasts to the result's shape");
    array_from_vec(shape, wide.iter().copied().collect())
}

fn zip_slices<A: Element, B: Element, R: Element>(
    x: &[A],
    y: &[B],
    how: Meeting,
    function: impl Fn(A, B) -> R + Sync + Copy,
) -> Vec<R> {
    let length = x.len();
    match how {
        Meeting::Same => build(
            length,
            1,
            Cost::Cheap,
            #[inline(always)]
            |start, piece| {
                for ((to, &u), &v) in piece.iter_mut().zip(&x[start..]).zip(&y[start..]) {
                    to.write(function(u, v));
                }
            },
        ),
        Meeting::Scalar if length == 0 => Vec::new(),
        Meeting::Scalar => {
            let v = y[0];
            build(
                length,
                1,
                Cost::Cheap,
                #[inline(always)]
                |start, piece| {
                    for (to, &u) in piece.iter_mut().zip(&x[start..]) {
                        to.write(function(u, v));
                    }
                },
            )
        }
        Meeting::Row(row) => zip_rows(x, row, |_| y, function),
        Meeting::Column(row) => zip_rows(x, row, |index| &y[index..=index], function),
    }
}

/// `function` of each element of `x` and one of its row's partner: the partner of row i is
/// `partner(i)`, as long as the row, or a single element for all of it.
pub(crate) fn zip_rows<'y, A: Element, B: Element, R: Element>(
    x: &[A],
    row: usize,
    partner: impl Fn(usize) -> &'y [B] + Sync,
    function: impl Fn(A, B) -> R + Sync + Copy,
) -> Vec<R> {
    build(
        x.len(),
        row,
        Cost::Cheap,
        #[inline(always)]
        |start, piece| {
            let first = start / row;
            for (index, to) in piece.chunks_mut(row).enumerate() {
                let from = &x[start + index * row..][..to.len()];
                let with = partner(first + index);
                if let [v] = *with {
                    for (to, &u) in to.iter_mut().zip(from) {
                        to.write(function(u, v));
                    }
                } else {
                    for ((to, &u), &v) in to.iter_mut().zip(from).zip(with) {
                        to.write(function(u, v));
                    }
                }
            }
        },
    )
}

/// Writes `function(a, b)` over each element of `a`, `b` being broadcast to `a`'s shape.
/// A buffer that nothing else shares is written in place.
pub(crate) fn zip_assign<A: Element, B: Element>(
    a: &mut Array<A>,
    b: &Array<B>,
    function: impl Fn(A, B) -> A + Sync + Copy,
) {
    let same = a.shape() == b.shape();
    if let (true, Some(y), true) = (same, b.as_slice(), a.is_standard_layout()) {
        let x = a.as_slice_mut().expect("standard layout");
        return chunks(x, 1, Cost::Cheap, |start, piece| {
            vectorised(
                #[inline(always)]
                || {
                    for (u, &v) in piece.iter_mut().zip(&y[start..]) {
                        *u = function(*u, v);
                    }
                },
            );
        });
    }
    let b = rows_of(b, a.shape());
    for (u, &v) in a.iter_mut().zip(b.iter()) {
        *u = function(*u, v);
    }
}
