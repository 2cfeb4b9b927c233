//! Where a tensor's elements are: one array per element type, or sparse rows.

use std::sync::Arc;

use ndarray::{ArcArray, IxDyn};

use super::convert::with_slice;
use super::dtype::{DType, Element};
use super::sparse::SparseRows;
use crate::device::cuda::DeviceArray;

/// The CPU array: views share its buffer, writing to a shared one copies first.
pub type Array<T> = ArcArray<T, IxDyn>;

/// A tensor's elements.
#[derive(Clone)]
pub enum Storage {
    /// Booleans.
    Bool(Array<bool>),
    /// Bytes.
    U8(Array<u8>),
    /// 32-bit integers.
    I32(Array<i32>),
    /// 64-bit integers.
    I64(Array<i64>),
    /// Single precision.
    F32(Array<f32>),
    /// Double precision.
    F64(Array<f64>),
    /// Single precision, of which only what differs from zero is kept.
    Sparse(Arc<SparseRows>),
    /// Single precision, on an NVIDIA card.
    Cuda(Arc<DeviceArray>),
}

/// Runs `$body` with `$array` bound to the typed array of a dense storage, whatever its type.
macro_rules! dense {
    ($storage:expr, $array:ident => $body:expr) => {
        match $storage {
            $crate::tensor::Storage::Bool($array) => $body,
            $crate::tensor::Storage::U8($array) => $body,
            $crate::tensor::Storage::I32($array) => $body,
            $crate::tensor::Storage::I64($array) => $body,
            $crate::tensor::Storage::F32($array) => $body,
            $crate::tensor::Storage::F64($array) => $body,
            $crate::tensor::Storage::Sparse(_) => {
                unreachable!("sparse rows are made dense before this")
            }
            $crate::tensor::Storage::Cuda(_) => {
                unreachable!("what is on a card is looked at by a copy")
            }
        }
    };
}
pub(crate) use dense;

/// Runs `$body` with `$array` bound to the array of a float tensor, f32 or f64.
macro_rules! float {
    ($tensor:expr, $array:ident => $body:expr) => {
        match $tensor.storage() {
            $crate::tensor::Storage::F32($array) => $body,
            $crate::tensor::Storage::F64($array) => $body,
            _ => unreachable!("operands were made float before this"),
        }
    };
}
pub(crate) use float;

/// As [`float!`] for two tensors of the same type.
macro_rules! float2 {
    ($left:expr, $right:expr, ($a:ident, $b:ident) => $body:expr) => {
        match ($left.storage(), $right.storage()) {
            ($crate::tensor::Storage::F32($a), $crate::tensor::Storage::F32($b)) => $body,
            ($crate::tensor::Storage::F64($a), $crate::tensor::Storage::F64($b)) => $body,
            _ => unreachable!("operands were made float, of one type, before this"),
        }
    };
}
pub(crate) use float2;

impl Storage {
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Storage::Sparse(rows) => rows.shape(),
            Storage::Cuda(array) => array.shape(),
            other => dense!(other, array => array.shape()),
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        fn of<T: Element>(_: &Array<T>) -> DType {
            T::DTYPE
        }
        match self {
            Storage::Sparse(_) | Storage::Cuda(_) => DType::F32,
            other => dense!(other, array => of(array)),
        }
    }

    pub(crate) fn cast(&self, dtype: DType) -> Storage {
        fn to<S: Element, T: Element>(array: &Array<S>) -> Storage {
            let values = with_slice(array, |values| {
                values.iter().map(|&v| T::cast_from(v)).collect()
            });
            T::wrap(array_from_vec(array.shape(), values))
        }
        if self.dtype() == dtype {
            return self.clone();
        }
        if let Storage::Sparse(rows) = self {
            return Storage::F32(rows.to_dense()).cast(dtype);
        }
        dense!(self, array => match dtype {
            DType::Bool => to::<_, bool>(array),
            DType::U8 => to::<_, u8>(array),
            DType::I32 => to::<_, i32>(array),
            DType::I64 => to::<_, i64>(array),
            DType::F32 => to::<_, f32>(array),
            DType::F64 => to::<_, f64>(array),
        })
    }
}

/// Wraps a buffer in row-major order.
///
/// # Panics
/// If the buffer's length is not the shape's number of elements.
pub(crate) fn array_from_vec<T>(shape: &[usize], values: Vec<T>) -> Array<T> {
    ArcArray::from_shape_vec(IxDyn(shape), values).expect("a buffer as long as its shape says")
}
