//! Taking elements by position lists and by conditions.

use super::{DType, Tensor, expect, fallible, resolve_axis, split_at};
use crate::grad::ops::{self, Gather};
use crate::{Error, Result};

impl Tensor {
    /// The given positions along an axis, in the given order, as often as given; negative positions
    /// count from the end. The axes of `indices`, a tensor or array of whole numbers, take the
    /// axis's place.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.take([2, 0], 1), Tensor::from([[3.0, 1.0], [6.0, 4.0]]));
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_take`] returns an error.
    #[track_caller]
    pub fn take(&self, indices: impl Into<Tensor>, axis: isize) -> Tensor {
        expect(take(self, &indices.into(), axis))
    }

    /// [`Tensor::take`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] for an axis that is not there, [`Error::Value`] for a position that is not.
    pub fn try_take(&self, indices: impl Into<Tensor>, axis: isize) -> Result<Tensor> {
        take(self, &indices.into(), axis)
    }

    fallible! {
        /// For each place of `indices`, the element at that position along the axis and at the same
        /// place along all others: what [`Tensor::argsort`] gives, this sorts by. Negative positions
        /// count from the end.
        ///
        /// # Shapes
        /// `indices` has this tensor's shape, but for the axis's length, which is the result's.
        fn take_along_axis / try_take_along_axis(&self, indices: &Tensor, axis: isize) -> Tensor {
            take_along_axis(self, indices, axis)
        }

        /// What lies where the mask differs from zero: NumPy's `x[mask]`.
        ///
        /// # Shapes
        /// The mask has the shape of this tensor's first axes; `[count, the other axes …]`.
        fn boolean_mask / try_boolean_mask(&self, mask: &Tensor) -> Tensor {
            boolean_mask(self, mask)
        }
    }

    /// The positions of the elements that differ from zero, `[count, axes]`, `I64`, in row-major
    /// order.
    pub fn argwhere(&self) -> Tensor {
        let shape = self.shape();
        let truth = self.to_vec_of::<bool>();
        let mut positions = Vec::new();
        let mut count = 0;
        for (place, _) in truth.iter().enumerate().filter(|(_, truth)| **truth) {
            let mut rest = place;
            let first = positions.len();
            positions.resize(first + shape.len(), 0);
            for axis in (0..shape.len()).rev() {
                positions[first + axis] = (rest % shape[axis]) as i64;
                rest /= shape[axis];
            }
            count += 1;
        }
        Tensor::from_values(&[count, shape.len()], positions)
    }
}

/// Positions below `length`, negative ones counted from the end.
fn positions(operation: &str, indices: &Tensor, length: usize) -> Result<Vec<usize>> {
    if indices.dtype().is_float() || indices.dtype() == DType::Bool {
        return Err(Error::Value(format!(
            "{operation}: positions are whole numbers, got a tensor of {}; {}",
            indices.dtype(),
            match indices.dtype() {
                DType::Bool => "for a mask there is boolean_mask",
                _ => "cast it to DType::I64",
            }
        )));
    }
    let inside = |&index: &i64| {
        let from_start = if index < 0 {
            index + length as i64
        } else {
            index
        };
        let position = usize::try_from(from_start).ok().filter(|&p| p < length);
        position.ok_or_else(|| {
            Error::Value(format!(
                "{operation}: position {index} on an axis of length {length}: {}",
                match length {
                    0 => "it has none".to_string(),
                    _ => format!("expected 0 to {} or -{length} to -1", length - 1),
                }
            ))
        })
    };
    indices.to_vec_of::<i64>().iter().map(inside).collect()
}

fn take(tensor: &Tensor, indices: &Tensor, axis: isize) -> Result<Tensor> {
    let axis = resolve_axis("take", axis, tensor.shape())?;
    let rows = positions("take", indices, tensor.shape()[axis])?;
    let (before, after) = (&tensor.shape()[..axis], &tensor.shape()[axis + 1..]);
    let shape = [before, indices.shape(), after].concat();
    let taken = match axis {
        0 => tensor.try_rows(&rows)?,
        _ => {
            let mut axes: Vec<usize> = (0..tensor.ndim()).collect();
            axes.swap(0, axis);
            tensor
                .try_permute(&axes)?
                .try_rows(&rows)?
                .try_permute(&axes)?
        }
    };
    taken.try_reshape(shape)
}

fn take_along_axis(tensor: &Tensor, indices: &Tensor, axis: isize) -> Result<Tensor> {
    let shape = tensor.shape();
    let axis = resolve_axis("take_along_axis", axis, shape)?;
    let fits = indices.ndim() == shape.len()
        && (0..shape.len()).all(|other| other == axis || indices.shape()[other] == shape[other]);
    if !fits {
        return Err(Error::Shape(format!(
            "take_along_axis: indices of shape {:?} for a tensor of shape {shape:?}: expected the \
             same shape, but for the length of axis {axis}",
            indices.shape()
        )));
    }
    let (_, steps, inner) = split_at(shape, axis);
    let taken = indices.shape()[axis];
    let mut places = positions("take_along_axis", indices, steps)?;
    for (place, position) in places.iter_mut().enumerate() {
        let block = place / (taken * inner).max(1);
        *position = (block * steps + *position) * inner + place % inner.max(1);
    }
    let flat = tensor.to_dense().flatten();
    let taken = ops::apply(Gather { rows: places }, &[&flat])?;
    taken.try_reshape(indices.shape())
}

fn boolean_mask(tensor: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let shape = tensor.shape();
    if !shape.starts_with(mask.shape()) {
        return Err(Error::Shape(format!(
            "boolean_mask: a mask of shape {:?} for a tensor of shape {shape:?}: expected the shape \
             of its first axes, such as {:?}",
            mask.shape(),
            &shape[..mask.ndim().clamp(shape.len().min(1), shape.len())]
        )));
    }
    let truth = mask.to_vec_of::<bool>();
    let chosen = truth.iter().enumerate().filter(|(_, truth)| **truth);
    let rows: Vec<usize> = chosen.map(|(row, _)| row).collect();
    if tensor.is_sparse() && mask.ndim() == 1 {
        return tensor.try_rows(&rows);
    }
    let flat = [&[mask.len()], &shape[mask.ndim()..]].concat();
    tensor.try_reshape(flat)?.try_rows(&rows)
}
