//! Reading single elements, and writing parts in place.

use super::operators::{Operand, Right};
use super::slice::{IntoSlice, Part, SliceSpec};
use super::{Array, Element, Storage, Tensor, broadcast, dense, expect};
use crate::grad::ops::{self, Slice, Unslice, narrow};
use crate::{Error, Result};

impl Tensor {
    /// One element: NumPy's `x[i, j]`. Negative positions count from the end. A loop over elements
    /// is slow in any library that has whole-tensor operations, but shows what these do.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.at([1, 0]), 3.0);
    /// assert_eq!(x.at([-1, -1]), 4.0);
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_at`] returns an error.
    #[track_caller]
    pub fn at(&self, position: impl IntoSlice) -> f64 {
        expect(at(self, &position.into_slice()))
    }

    /// [`Tensor::at`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not a position for each axis, or one lies outside.
    pub fn try_at(&self, position: impl IntoSlice) -> Result<f64> {
        at(self, &position.into_slice())
    }

    /// Writes a number or a tensor, broadcast, over a part of this one: NumPy's `x[i, 2:] = value`.
    /// The value takes this tensor's type. Whatever else shares the elements keeps them as they were.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let mut x = Tensor::zeros([2, 3]);
    /// x.set((.., 1..), 1.0);
    /// x.set([0, 0], 5.0);
    /// assert_eq!(x, Tensor::from([[5.0, 1.0, 1.0], [0.0, 1.0, 1.0]]));
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_set`] returns an error.
    #[track_caller]
    pub fn set(&mut self, part: impl IntoSlice, value: impl Operand) {
        expect(set(self, &part.into_slice(), value.operand()));
    }

    /// [`Tensor::set`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if the part lies outside, or the value does not broadcast to it.
    pub fn try_set(&mut self, part: impl IntoSlice, value: impl Operand) -> Result<()> {
        set(self, &part.into_slice(), value.operand())
    }
}

fn at(tensor: &Tensor, position: &SliceSpec) -> Result<f64> {
    let parts = position.resolve("at", tensor.shape())?;
    let mut index = Vec::with_capacity(parts.len());
    for part in &parts {
        let Part::Index(position_on_axis) = *part else {
            return Err(Error::Shape(format!(
                "at: {position} of shape {:?}: expected one position for each axis; for more than an \
                 element there is slice",
                tensor.shape()
            )));
        };
        index.push(position_on_axis);
    }
    Ok(match tensor.storage() {
        Storage::Sparse(rows) => f64::from(rows.get(index[0], index[1])),
        other => dense!(other, array => array[&index[..]].to_f64()),
    })
}

fn set(target: &mut Tensor, spec: &SliceSpec, value: Right<'_>) -> Result<()> {
    let parts = spec.resolve("set", target.shape())?;
    let kept = parts.iter().filter(|part| !matches!(part, Part::Index(_)));
    let shape: Vec<usize> = kept.map(Part::len).collect();
    let dtype = target.dtype();
    let value = value.meeting(dtype)?.to_dense().cast(dtype);
    if broadcast("set", value.shape(), &shape).ok().as_ref() != Some(&shape) {
        return Err(Error::Shape(format!(
            "set: a value of shape {:?} does not broadcast to {spec} of shape {:?}, which has shape \
             {shape:?}",
            value.shape(),
            target.shape()
        )));
    }
    if target.node().is_some() || value.node().is_some() {
        *target = replaced(target, parts, &value.try_broadcast_to(&shape)?)?;
        return Ok(());
    }
    if target.is_sparse() {
        *target = target.to_dense();
    }
    fn write<T: Element>(target: &mut Array<T>, parts: &[Part], value: &Storage) {
        let value = T::array(value).expect("of the target's type");
        narrow(parts, target.view_mut()).assign(value);
    }
    dense!(target.storage_mut(), array => write(array, &parts, value.storage()));
    Ok(())
}

/// The tensor with `value` where `parts` lie, by operations that a tape records.
fn replaced(tensor: &Tensor, parts: Vec<Part>, value: &Tensor) -> Result<Tensor> {
    let shape = tensor.shape().to_vec();
    let inside = Tensor::from(true).try_broadcast_to(tensor.shape())?;
    let taken = Slice {
        parts: parts.clone(),
    };
    let inside = ops::apply(taken, &[&inside])?;
    let put = Unslice { parts, shape };
    let mask = ops::apply(put.clone(), &[&inside])?;
    Tensor::try_where_(&mask, ops::apply(put, &[value])?, tensor)
}
