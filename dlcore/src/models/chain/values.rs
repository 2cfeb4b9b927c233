//! The elements of a chain's tensors, all of which are dense, of single precision and in row-major order.

use ndarray::ArrayView2;

use crate::device::cpu::buffers;
use crate::tensor::{Array, Storage, row_major};
use crate::{DType, Tensor};

/// The same numbers, in row-major order if they are of single precision.
pub(super) fn in_a_row(tensor: Tensor) -> Tensor {
    match tensor.storage() {
        Storage::F32(values) if !values.is_standard_layout() => {
            Tensor::from_array(row_major(values))
        }
        _ => tensor,
    }
}

pub(super) fn zeros(shape: &[usize]) -> Tensor {
    Tensor::from_values(shape, buffers::zeros::<f32>(shape.iter().product()))
}

/// Whether a tensor is of single precision and on no tape.
pub(super) fn is_single(tensor: &Tensor) -> bool {
    tensor.dtype() == DType::F32 && tensor.node().is_none()
}

pub(super) fn f32_of(tensor: &Tensor) -> &Array<f32> {
    match tensor.storage() {
        Storage::F32(values) => values,
        _ => unreachable!("all that a chain computes is dense and of single precision"),
    }
}

pub(super) fn f32_mut(tensor: &mut Tensor) -> &mut Array<f32> {
    match tensor.storage_mut() {
        Storage::F32(values) => values,
        _ => unreachable!("all that a chain computes is dense and of single precision"),
    }
}

pub(super) fn single_of(tensor: &Tensor) -> Option<&[f32]> {
    f32_of(tensor).as_slice()
}

/// The elements, to be written: of a copy, if somebody else holds the tensor, too.
pub(super) fn single_mut(tensor: &mut Tensor) -> &mut [f32] {
    let values = f32_mut(tensor).as_slice_mut();
    values.expect("what a chain makes is in row-major order")
}

pub(super) fn matrix(tensor: &Tensor) -> ArrayView2<'_, f32> {
    let view = f32_of(tensor).view();
    view.into_dimensionality().expect("a kernel has two axes")
}

/// All axes but the last made one.
pub(super) fn rows_of(tensor: &Tensor) -> ArrayView2<'_, f32> {
    let columns = tensor.shape().last().copied().unwrap_or(1);
    let values = single_of(tensor).expect("in row-major order");
    let rows = values.len() / columns.max(1);
    ArrayView2::from_shape((rows, columns), values).expect("whole rows")
}
