//! Arrays of numbers with a shape known at run time.
//!
//! A [`Tensor`] is a handle: cloning it, slicing it and transposing it share its elements. Writing
//! (`+=`) copies them first if anything else looks at them, so a tensor never changes behind
//! another's back.

mod arithmetic;
mod convert;
mod create;
mod dtype;
mod einsum;
mod element;
mod logic;
mod methods;
mod operators;
mod order;
mod pick;
mod print;
mod rearrange;
mod reductions;
mod rows;
mod running;
mod shape;
mod slice;
mod sparse;
mod storage;
mod structure;

pub use dtype::{DType, Element, Real};
pub use operators::Operand;
pub use rows::Positions;
pub use shape::{Axes, NewShape, Shape};
pub use slice::{IntoSlice, SliceItem, SliceSpec};
pub use sparse::SparseRows;
pub use storage::{Array, Storage};

pub(crate) use convert::{row_major, with_slice};
pub(crate) use print::{EDGE, THRESHOLD};
pub(crate) use shape::{broadcast, reduced, resolve_axis, split_at};
pub(crate) use slice::Part;
pub(crate) use storage::{array_from_vec, dense, float, float2};

pub(crate) use structure::same_float;

use std::sync::Arc;

use crate::device::cpu::{buffers, threads};
use crate::device::cuda::DeviceArray;
use crate::device::{Device, cuda};
use crate::error::raise;
use crate::grad::Node;
use crate::{Error, Result};

/// An array of numbers with any number of axes.
///
/// ```
/// use dlcore::Tensor;
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!((&x * 2.0 + 1.0).to_vec(), [3.0, 5.0, 7.0, 9.0]);
/// assert_eq!(x.dot(&x).shape(), [2, 2]);
/// ```
///
/// Operators broadcast as in NumPy: axes are compared from the last one on, and one of length 1 or none is repeated. So
/// `[n, 1]`, as a model with one unit predicts, less labels `[n]` is `[n, n]`, each prediction less each label; give both
/// one shape first, by `labels.reshape([-1, 1])`.
#[derive(Clone)]
pub struct Tensor {
    storage: Storage,
    node: Option<Node>,
}

impl Tensor {
    /// A tensor from an array, a vector, a slice, a number, or anything else with a `From`.
    pub fn new(data: impl Into<Tensor>) -> Tensor {
        data.into()
    }

    pub(crate) fn from_storage(storage: Storage) -> Tensor {
        threads::ready();
        Tensor {
            storage,
            node: None,
        }
    }

    pub(crate) fn from_array<T: Element>(array: Array<T>) -> Tensor {
        Self::from_storage(T::wrap(array))
    }

    pub(crate) fn from_values<T: Element>(shape: &[usize], values: Vec<T>) -> Tensor {
        Self::from_array(array_from_vec(shape, values))
    }

    pub(crate) fn with_node(mut self, node: Option<Node>) -> Tensor {
        self.node = node;
        self
    }

    pub(crate) fn set_node(&mut self, node: Option<Node>) {
        self.node = node;
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// The elements in the processor's memory: where they are, or, of a tensor on a card, a copy.
    #[inline]
    pub(crate) fn storage(&self) -> &Storage {
        match &self.storage {
            Storage::Cuda(array) => array.here(),
            here => here,
        }
    }

    /// The storage in the processor's memory, for writing: the tensor leaves its tape, and its card.
    pub(crate) fn storage_mut(&mut self) -> &mut Storage {
        self.node = None;
        if let Storage::Cuda(array) = &self.storage {
            self.storage = array.here().clone();
        }
        &mut self.storage
    }

    pub(crate) fn from_card(array: Arc<DeviceArray>) -> Tensor {
        Self::from_storage(Storage::Cuda(array))
    }

    /// The elements on a card, where that is where they are.
    #[inline]
    pub(crate) fn on_card(&self) -> Option<&Arc<DeviceArray>> {
        match &self.storage {
            Storage::Cuda(array) => Some(array),
            _ => None,
        }
    }

    /// [`Tensor::on_card`], for writing: the tensor leaves its tape.
    pub(crate) fn on_card_mut(&mut self) -> Option<&mut Arc<DeviceArray>> {
        self.node = None;
        match &mut self.storage {
            Storage::Cuda(array) => Some(array),
            _ => None,
        }
    }

    /// The length of each axis; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        self.storage.shape()
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty tensor is a corner case, `len() == 0` says it"
    )]
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.storage.dtype()
    }

    /// What the elements take, in bytes.
    pub fn nbytes(&self) -> usize {
        if let Some(rows) = self.sparse() {
            return rows.bytes();
        }
        let element = match self.dtype() {
            DType::Bool | DType::U8 => 1,
            DType::I32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        };
        self.len() * element
    }

    /// The device the elements are on.
    pub fn device(&self) -> Device {
        match &self.storage {
            Storage::Cuda(array) => array.card().device(),
            _ => Device::Cpu,
        }
    }

    /// The same elements on another device. Cards compute in `F32`: tensors of other types stay where they are, and so
    /// do the places of a tensor on tapes.
    ///
    /// ```
    /// use dlcore::{Device, Tensor};
    /// let x = Tensor::from([1.0, 2.0]);
    /// // With a card: let x = x.to(Device::Cuda(0))?;
    /// assert_eq!(x.to(Device::Cpu)?.to_vec(), [1.0, 2.0]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Device`] when the device is not there, is full or fails.
    pub fn to(&self, device: Device) -> Result<Tensor> {
        let moved = cuda::moved(self, device.ready()?)?;
        Ok(moved.with_node(self.node.clone()))
    }

    /// Whether only the elements that differ from zero are kept, row by row.
    pub fn is_sparse(&self) -> bool {
        matches!(self.storage, Storage::Sparse(_))
    }

    /// The same tensor with every element stored.
    pub fn to_dense(&self) -> Tensor {
        match &self.storage {
            Storage::Sparse(rows) => Self::from_array(rows.to_dense()).with_node(self.node.clone()),
            _ => self.clone(),
        }
    }

    /// The sparse rows, where that is how the tensor is stored.
    pub(crate) fn sparse(&self) -> Option<&Arc<SparseRows>> {
        match &self.storage {
            Storage::Sparse(rows) => Some(rows),
            _ => None,
        }
    }

    /// The only element, whatever the shape.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> f64 {
        expect(self.try_item())
    }

    /// [`Tensor::item`], returning the error.
    pub fn try_item(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::Shape(format!(
                "item: expected one element, got shape {:?}; reduce it first, for instance with mean()",
                self.shape()
            )));
        }
        let dense = self.to_dense();
        Ok(dense!(dense.storage(), array => array.first().expect("one element").to_f64()))
    }

    /// The same numbers, cut off from the tape: gradients stop here.
    pub fn detach(&self) -> Tensor {
        Self::from_storage(self.storage.clone())
    }

    /// As [`Tensor::detach`], under the name it has in Keras.
    pub fn stop_gradient(&self) -> Tensor {
        self.detach()
    }
}

/// What a large tensor leaves behind is used for the next one.
impl Drop for Tensor {
    #[inline]
    fn drop(&mut self) {
        if let Storage::F32(array) = &mut self.storage
            && buffers::worth_keeping(array.len())
        {
            buffers::put_back_array(array);
        }
    }
}

/// Two tensors are equal when shapes and values are, whatever the types and storage.
impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        if self.shape() != other.shape() {
            return false;
        }
        let wide = self.dtype().promote(other.dtype());
        let (left, right) = (
            self.to_dense().storage().cast(wide),
            other.to_dense().storage().cast(wide),
        );
        dense!(&left, left => {
            let right = Element::array(&right).expect("cast to one type");
            row_major(left).as_slice() == row_major(right).as_slice()
        })
    }
}

/// The value, or a panic with the error's message at the caller's place.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => raise(&error),
    }
}

/// Defines a method that panics and its `try_` twin that returns the error, from one body.
macro_rules! fallible {
    ($(
        $(#[$doc:meta])*
        fn $name:ident / $try_name:ident (& $self:ident $(, $argument:ident : $type:ty)* $(,)?) -> $result:ty
        $body:block
    )*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// Where its `try_` twin returns an error.
        #[track_caller]
        pub fn $name(&$self $(, $argument: $type)*) -> $result {
            $crate::tensor::expect($self.$try_name($($argument),*))
        }

        #[doc = concat!("[`Tensor::", stringify!($name), "`], returning the error instead of panicking.")]
        pub fn $try_name(&$self $(, $argument: $type)*) -> $crate::Result<$result> {
            $body
        }
    )*};
}
pub(crate) use fallible;

#[cfg(test)]
mod api_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
