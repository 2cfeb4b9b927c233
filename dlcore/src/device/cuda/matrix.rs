//! A matrix product, as the library is asked for it.

use super::array::DeviceArray;
use super::card::Buffer;
use crate::Result;

/// A matrix, or several, that lies as said or transposed.
pub(super) struct Operand<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) transposed: bool,
    /// Whether the one matrix is for all of the batch.
    pub(super) repeated: bool,
}

/// `out = left · right`, `[rows, inner] · [inner, columns]`, for each of a batch.
pub(super) struct Product<'a> {
    pub(super) left: Operand<'a>,
    pub(super) right: Operand<'a>,
    pub(super) out: &'a Buffer,
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) batch: usize,
}

/// `[rows, inner] · [inner, columns]`, each of which may lie transposed; the result has `shape`.
pub(super) fn product(
    (left, left_transposed): (&DeviceArray, bool),
    (right, right_transposed): (&DeviceArray, bool),
    (rows, inner, columns): (usize, usize, usize),
    shape: &[usize],
) -> Result<DeviceArray> {
    batched(
        (left, left_transposed, false),
        (right, right_transposed, false),
        (1, rows, inner, columns),
        shape,
    )
}

/// [`product`] for each of a batch; an operand may be one matrix for all.
pub(super) fn batched(
    (left, left_transposed, left_repeated): (&DeviceArray, bool, bool),
    (right, right_transposed, right_repeated): (&DeviceArray, bool, bool),
    (batch, rows, inner, columns): (usize, usize, usize, usize),
    shape: &[usize],
) -> Result<DeviceArray> {
    let times = |repeated: bool| if repeated { 1 } else { batch };
    assert_eq!(left.len(), times(left_repeated) * rows * inner, "left");
    assert_eq!(
        right.len(),
        times(right_repeated) * inner * columns,
        "right"
    );
    let card = left.card();
    if inner == 0 {
        return DeviceArray::zeros(card, shape);
    }
    let out = DeviceArray::empty(card, shape)?;
    assert_eq!(out.len(), batch * rows * columns, "result");
    if !out.is_empty() {
        card.gemm(&Product {
            left: Operand {
                buffer: left.buffer(),
                transposed: left_transposed,
                repeated: left_repeated,
            },
            right: Operand {
                buffer: right.buffer(),
                transposed: right_transposed,
                repeated: right_repeated,
            },
            out: out.buffer(),
            rows,
            inner,
            columns,
            batch,
        })?;
    }
    Ok(out)
}
