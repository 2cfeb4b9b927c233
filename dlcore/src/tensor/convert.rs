//! Out of tensors: ndarray, vectors, other element types.

use ndarray::ArrayD;

use super::{Array, DType, Element, Tensor, array_from_vec, dense};
use crate::grad::ops::{self, Cast};

impl Tensor {
    /// The elements as an ndarray of `f32`, converted where they are of another type.
    pub fn to_ndarray(&self) -> ArrayD<f32> {
        self.to_array::<f32>().into_owned()
    }

    /// The elements in row-major order as `f32`, converted where they are of another type.
    pub fn to_vec(&self) -> Vec<f32> {
        self.to_vec_of::<f32>()
    }

    /// The elements as an array of `T`, converted where they are of another type. Shares the
    /// buffer where nothing has to change.
    pub fn to_array<T: Element>(&self) -> Array<T> {
        let storage = self.storage().cast(T::DTYPE);
        let dense = Tensor::from_storage(storage).to_dense();
        T::array(dense.storage())
            .expect("the type was just cast to")
            .clone()
    }

    /// The elements in row-major order as `T`, converted where they are of another type.
    pub fn to_vec_of<T: Element>(&self) -> Vec<T> {
        let array = self.to_array::<T>();
        match array.as_slice() {
            Some(values) => values.to_vec(),
            None => array.iter().copied().collect(),
        }
    }

    /// The elements converted to another type, to integers towards zero, wrapping around where the
    /// type is too narrow, as NumPy's `astype` does (300 as `U8` is 44). Between `F32` and `F64` gradients flow through.
    pub fn cast(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype {
            return self.clone();
        }
        if self.dtype().is_float() && dtype.is_float() {
            return ops::apply_any(Cast { dtype }, &[self]);
        }
        Tensor::from_storage(self.storage().cast(dtype))
    }

    /// Dense and of a float type: integers and booleans become `F32`.
    pub(crate) fn as_float(&self) -> Tensor {
        if self.dtype().is_float() {
            self.to_dense()
        } else {
            self.cast(DType::F32)
        }
    }

    /// The same elements in row-major order without gaps; no copy where they already are.
    pub(crate) fn contiguous(&self) -> Tensor {
        if self.on_card().is_some() {
            return self.clone();
        }
        let dense = self.to_dense();
        let storage = dense!(dense.storage(), array => Element::wrap(row_major(array)));
        Tensor::from_storage(storage).with_node(dense.node().cloned())
    }
}

/// The same elements in row-major order without gaps; shared where they lie so already.
pub(crate) fn row_major<T: Element>(array: &Array<T>) -> Array<T> {
    if array.is_standard_layout() {
        return array.clone();
    }
    array_from_vec(array.shape(), array.iter().copied().collect())
}

/// The elements in row-major order, copied only where they lie otherwise.
pub(crate) fn with_slice<T: Element, R>(array: &Array<T>, work: impl FnOnce(&[T]) -> R) -> R {
    let rows;
    // One call of `work`, which is inlined: two would compile every kernel twice.
    let values = match array.as_slice() {
        Some(values) => values,
        None => {
            rows = row_major(array);
            rows.as_slice().expect("just put in row-major order")
        }
    };
    work(values)
}
