//! A matrix product, as the library is asked for it.

use super::array::DeviceArray;
use super::card::{Argument, Buffer, Card};
use crate::Result;
use crate::grad::ops::Products;

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
    /// Whether the operands are of bfloat16, not of single precision as the result is.
    pub(super) bfloat16: bool,
}

/// `[rows, inner] · [inner, columns]`, each of which may lie transposed; the result has `shape`.
pub(super) fn product(
    products: Products,
    (left, left_transposed): (&DeviceArray, bool),
    (right, right_transposed): (&DeviceArray, bool),
    (rows, inner, columns): (usize, usize, usize),
    shape: &[usize],
) -> Result<DeviceArray> {
    batched(
        products,
        (left, left_transposed, false),
        (right, right_transposed, false),
        (1, rows, inner, columns),
        shape,
    )
}

/// [`product`] for each of a batch; an operand may be one matrix for all.
pub(super) fn batched(
    products: Products,
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
    if out.is_empty() {
        return Ok(out);
    }
    let rounded = match products {
        Products::Single => None,
        Products::Bfloat16 => Some([rounded(card, left)?, rounded(card, right)?]),
    };
    let [left, right] = match &rounded {
        None => [left.buffer(), right.buffer()],
        Some([left, right]) => [left, right],
    };
    card.gemm(&Product {
        left: Operand {
            buffer: left,
            transposed: left_transposed,
            repeated: left_repeated,
        },
        right: Operand {
            buffer: right,
            transposed: right_transposed,
            repeated: right_repeated,
        },
        out: out.buffer(),
        rows,
        inner,
        columns,
        batch,
        bfloat16: rounded.is_some() && card.multiplies_bfloat16(),
    })?;
    Ok(out)
}

/// The numbers in bfloat16, or rounded to it where the card multiplies only floats.
fn rounded(card: &'static Card, array: &DeviceArray) -> Result<Buffer> {
    let (kernel, size) = match card.multiplies_bfloat16() {
        true => ("to_bfloat16", size_of::<u16>()),
        false => ("round_to_bfloat16", size_of::<f32>()),
    };
    let out = card.allocate(array.len() * size)?;
    let arguments = [
        Argument::Buffer(&out),
        Argument::Buffer(array.buffer()),
        Argument::Long(array.len() as i64),
    ];
    card.each(kernel, array.len(), &arguments)?;
    Ok(out)
}
