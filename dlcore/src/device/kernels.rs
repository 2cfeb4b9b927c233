//! The seam between the operations and a device.

use ndarray::ArrayView2;

use crate::tensor::{Real, SparseRows};

/// What a device computes itself because its speed decides: matrix products.
///
/// Everything else (element-wise operations, reductions, moving elements) is written once over
/// [`cpu`](super::cpu)'s generic loops. A second device implements this trait and gets a variant of
/// [`Storage`](crate::tensor::Storage); the operations in `grad::ops` call nothing else.
pub trait Kernels<T: Real> {
    /// `left · right + bias` for `left` `[m, k]`, `right` `[k, n]`, and `bias` of length n, added
    /// to every row. Returns `[m, n]` in row-major order. Operands may have any strides: a
    /// transposed view is as good as a copy.
    fn gemm(left: ArrayView2<'_, T>, right: ArrayView2<'_, T>, bias: Option<&[T]>) -> Vec<T>;

    /// [`Kernels::gemm`] into a result that is there already, of `m · n` elements.
    fn gemm_into(
        left: ArrayView2<'_, T>,
        right: ArrayView2<'_, T>,
        bias: Option<&[T]>,
        result: &mut [T],
    );

    /// `left · right + bias` for sparse rows `[m, k]`. Returns `[m, n]` in row-major order.
    fn sparse_gemm(left: &SparseRows, right: ArrayView2<'_, T>, bias: Option<&[T]>) -> Vec<T>;

    /// `leftᵀ · right` for sparse rows `left` `[m, k]` and `right` `[m, n]`: the gradient of
    /// [`Kernels::sparse_gemm`] with respect to its dense side. Returns `[k, n]`.
    fn sparse_transposed_gemm(left: &SparseRows, right: ArrayView2<'_, T>) -> Vec<T>;
}
