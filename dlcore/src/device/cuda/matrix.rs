//! A matrix product, as the library is asked for it.

use super::array::DeviceArray;
use super::card::{Argument, Buffer, Card};
use super::layout::Layout;
use super::moving::copy_from;
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
    left: (&DeviceArray, bool, bool),
    right: (&DeviceArray, bool, bool),
    sizes: (usize, usize, usize, usize),
    shape: &[usize],
) -> Result<DeviceArray> {
    let (card, inner) = (left.0.card(), sizes.2);
    if inner == 0 {
        return DeviceArray::zeros(card, shape);
    }
    let out = DeviceArray::empty(card, shape)?;
    write(products, left, right, sizes, &out)?;
    Ok(out)
}

/// [`batched`] into room that is there already. An operand may be longer than what is read of it, its beginning.
pub(super) fn write(
    products: Products,
    (left, left_transposed, left_repeated): (&DeviceArray, bool, bool),
    (right, right_transposed, right_repeated): (&DeviceArray, bool, bool),
    (batch, rows, inner, columns): (usize, usize, usize, usize),
    out: &DeviceArray,
) -> Result<()> {
    let times = |repeated: bool| if repeated { 1 } else { batch };
    assert!(left.len() >= times(left_repeated) * rows * inner, "left");
    assert!(
        right.len() >= times(right_repeated) * inner * columns,
        "right"
    );
    assert_eq!(out.len(), batch * rows * columns, "result");
    if out.is_empty() {
        return Ok(());
    }
    let card = left.card();
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
    })
}

/// The numbers in bfloat16, or rounded to it where the card multiplies only floats.
fn rounded(card: &'static Card, array: &DeviceArray) -> Result<Buffer> {
    let (kernel, size) = match card.multiplies_bfloat16() {
        true => ("to_bfloat16", size_of::<u16>()),
        false => ("round_to_bfloat16", size_of::<f32>()),
    };
    let out = card.allocate(array.len() * size)?;
    convert(card, kernel, array, &out)?;
    Ok(out)
}

/// The numbers as they go into products that are no matrix products: rounded, but floats.
pub(super) fn rounded_floats(products: Products, array: &DeviceArray) -> Result<DeviceArray> {
    match products {
        Products::Single => Ok(array.reshaped(array.shape())),
        Products::Bfloat16 => {
            let out = DeviceArray::empty(array.card(), array.shape())?;
            convert(array.card(), "round_to_bfloat16", array, out.buffer())?;
            Ok(out)
        }
    }
}

fn convert(
    card: &'static Card,
    kernel: &'static str,
    array: &DeviceArray,
    out: &Buffer,
) -> Result<()> {
    let arguments = [
        Argument::Buffer(out),
        Argument::Buffer(array.buffer()),
        Argument::Long(array.len() as i64),
    ];
    card.each(kernel, array.len(), &arguments)
}

/// The product over the last two axes. An operand whose batch is broadcast along some axes only is copied out; none
/// where these are more than kernels know.
pub(super) fn matmul(
    left: &DeviceArray,
    right: &DeviceArray,
    products: Products,
    shape: &[usize],
) -> Option<Result<DeviceArray>> {
    let [before @ .., rows, columns] = shape else {
        return None;
    };
    let batch = before.iter().product();
    let inner = left.shape()[left.shape().len() - 1];
    let side = |array: &DeviceArray| {
        let [own @ .., m, n] = array.shape() else {
            return None;
        };
        let repeated = own != before && own.iter().product::<usize>() == 1;
        if own == before || repeated {
            return Some(Ok((array.reshaped(array.shape()), repeated)));
        }
        let whole = [before, &[*m, *n]].concat();
        let layout = Layout::broadcast(&whole, array.shape(), &[])?;
        let copied = copy_from(array.card(), array, &layout, 0, &whole);
        Some(copied.map(|copied| (copied, false)))
    };
    let (left, right) = (side(left)?, side(right)?);
    let compute = || {
        let ((left, left_repeated), (right, right_repeated)) = (left?, right?);
        batched(
            products,
            (&left, false, left_repeated),
            (&right, false, right_repeated),
            (batch, *rows, inner, *columns),
            shape,
        )
    };
    Some(compute())
}

/// `x · kernel + bias`, and its relu.
pub(super) fn dense(
    x: &DeviceArray,
    kernel: &DeviceArray,
    bias: Option<&DeviceArray>,
    (relu, products): (bool, Products),
    shape: &[usize],
) -> Result<DeviceArray> {
    let card = x.card();
    let (inner, units) = (kernel.shape()[0], kernel.shape()[1]);
    let rows = shape[..shape.len() - 1].iter().product();
    let sizes = (rows, inner, units);
    let out = product(products, (x, false), (kernel, false), sizes, shape)?;
    add_bias(card, &out, bias, relu)?;
    Ok(out)
}

/// Adds a bias to what was just computed, a number for each place of its last axis, and makes negative results 0.
pub(super) fn add_bias(
    card: &'static Card,
    out: &DeviceArray,
    bias: Option<&DeviceArray>,
    relu: bool,
) -> Result<()> {
    if bias.is_none() && !relu {
        return Ok(());
    }
    let units = out.shape().last().copied().unwrap_or(1);
    let arguments = [
        Argument::Buffer(out.buffer()),
        bias.map_or(Argument::Nothing, |bias| Argument::Buffer(bias.buffer())),
        Argument::Long(out.len() as i64),
        Argument::Int(units as i32),
        Argument::Int(i32::from(bias.is_some())),
        Argument::Int(i32::from(relu)),
    ];
    card.each("add_bias", out.len(), &arguments)
}
