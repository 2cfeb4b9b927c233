//! Changing the shape, moving axes, joining tensors, and products built from these.

use super::{Axes, DType, NewShape, Tensor, fallible, resolve_axis};
use crate::grad::ops::{self, Concat, Matmul, Permute, Reshape};
use crate::{Error, Result};

impl Tensor {
    /// The same elements in row-major order under another shape; one axis may be -1 and is
    /// inferred. Shares the elements where their order in memory allows.
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<NewShape>) -> Tensor {
        super::expect(reshape(self, &shape.into()))
    }

    /// [`Tensor::reshape`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`], naming both shapes.
    pub fn try_reshape(&self, shape: impl Into<NewShape>) -> Result<Tensor> {
        reshape(self, &shape.into())
    }

    /// All elements in row-major order, as one axis.
    pub fn flatten(&self) -> Tensor {
        super::expect(reshape(self, &[self.len()].into()))
    }

    /// The axes in reverse order, sharing the elements.
    pub fn transpose(&self) -> Tensor {
        let axes = (0..self.ndim()).rev().collect();
        ops::apply_any(Permute { axes }, &[&self.to_dense()])
    }

    fallible! {
        /// The axes in another order, sharing the elements: axis i of the result is axis
        /// `axes[i]` of this tensor. Negative axes count from the end.
        ///
        /// ```
        /// use dlcore::Tensor;
        /// let channels_last = Tensor::zeros([8, 28, 20, 3]);
        /// assert_eq!(channels_last.permute([0, 3, 1, 2]).shape(), [8, 3, 28, 20]);
        /// ```
        fn permute / try_permute(&self, axes: impl Into<Axes>) -> Tensor {
            permute(self, &axes.into())
        }

        /// An axis of length 1 put in at a position; negative positions count from the end of the
        /// result.
        fn expand_dims / try_expand_dims(&self, axis: isize) -> Tensor {
            let mut shape = self.shape().to_vec();
            let axis = resolve_axis("expand_dims", axis, &[&shape[..], &[1]].concat())?;
            shape.insert(axis, 1);
            reshape(self, &shape.into())
        }

        /// An axis of length 1 taken out.
        fn squeeze / try_squeeze(&self, axis: isize) -> Tensor {
            let mut shape = self.shape().to_vec();
            let axis = resolve_axis("squeeze", axis, &shape)?;
            if shape[axis] != 1 {
                return Err(Error::Shape(format!(
                    "squeeze: axis {axis} of shape {shape:?} has length {}, expected 1",
                    shape[axis]
                )));
            }
            shape.remove(axis);
            reshape(self, &shape.into())
        }
    }

    /// Tensors joined along an axis; the other axes must agree.
    ///
    /// # Panics
    /// Where [`Tensor::try_concat`] returns an error.
    #[track_caller]
    pub fn concat(tensors: &[&Tensor], axis: isize) -> Tensor {
        super::expect(Self::try_concat(tensors, axis))
    }

    /// [`Tensor::concat`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no tensors, or their shapes differ elsewhere.
    pub fn try_concat(tensors: &[&Tensor], axis: isize) -> Result<Tensor> {
        let Some(first) = tensors.first() else {
            return Err(Error::Shape(
                "concat: expected at least one tensor, got none".into(),
            ));
        };
        let axis = resolve_axis("concat", axis, first.shape())?;
        let widest = tensors
            .iter()
            .map(|t| t.dtype())
            .max()
            .expect("at least one");
        let cast: Vec<Tensor> = tensors.iter().map(|t| t.to_dense().cast(widest)).collect();
        ops::apply(Concat { axis }, &cast.iter().collect::<Vec<_>>())
    }

    /// Tensors of one shape along a new axis.
    ///
    /// # Panics
    /// Where [`Tensor::try_stack`] returns an error.
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], axis: isize) -> Tensor {
        super::expect(Self::try_stack(tensors, axis))
    }

    /// [`Tensor::stack`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no tensors, or their shapes differ.
    pub fn try_stack(tensors: &[&Tensor], axis: isize) -> Result<Tensor> {
        let Some(first) = tensors.first() else {
            return Err(Error::Shape(
                "stack: expected at least one tensor, got none".into(),
            ));
        };
        resolve_axis("stack", axis, &[first.shape(), &[1]].concat())?;
        if let Some(place) = tensors.iter().position(|t| t.shape() != first.shape()) {
            return Err(Error::Shape(format!(
                "stack: tensor {place} has shape {:?}, which must equal the first one's, {:?}",
                tensors[place].shape(),
                first.shape()
            )));
        }
        let expanded: Result<Vec<Tensor>> =
            tensors.iter().map(|t| t.try_expand_dims(axis)).collect();
        Self::try_concat(&expanded?.iter().collect::<Vec<_>>(), axis)
    }
}

fn permute(tensor: &Tensor, axes: &Axes) -> Result<Tensor> {
    let axes = axes.in_order("permute", tensor.shape())?;
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..tensor.ndim()) {
        return Err(Error::Shape(format!(
            "permute: {axes:?} is not an order of the {} axes of shape {:?}: expected each of 0 to {} once",
            tensor.ndim(),
            tensor.shape(),
            tensor.ndim() as i64 - 1
        )));
    }
    ops::apply(Permute { axes }, &[&tensor.to_dense()])
}

fn reshape(tensor: &Tensor, shape: &NewShape) -> Result<Tensor> {
    let shape = shape.resolve(tensor.shape())?;
    if shape == tensor.shape() {
        return Ok(tensor.clone());
    }
    ops::apply(Reshape { shape }, &[&tensor.to_dense()])
}

/// Both as dense floats of one type.
pub(crate) fn same_float(left: &Tensor, right: &Tensor) -> (Tensor, Tensor) {
    let wide = left.dtype().promote(right.dtype());
    let dtype = if wide.is_float() { wide } else { DType::F32 };
    (left.to_dense().cast(dtype), right.to_dense().cast(dtype))
}

/// See [`Tensor::dot`]: every case becomes a product of two matrices.
pub(crate) fn dot(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (a, b) = (left.shape(), right.shape());
    if a.is_empty() || b.is_empty() {
        return left.try_mul(right);
    }
    let summed = b.len().saturating_sub(2);
    if a[a.len() - 1] != b[summed] {
        return Err(Error::Shape(format!(
            "dot: shapes {a:?} and {b:?} do not fit: the last axis of the left, {}, must equal {} \
             of the right, {}",
            a[a.len() - 1],
            if b.len() == 1 {
                "the only axis"
            } else {
                "the last axis but one"
            },
            b[summed]
        )));
    }
    if left.is_sparse() && b.len() == 2 {
        return ops::dense(left, right, None);
    }
    let k = b[summed];
    let shape = [
        &a[..a.len() - 1],
        &b[..summed],
        &b[(summed + 1).min(b.len())..],
    ]
    .concat();
    let (left, right) = same_float(left, right);
    let rows: usize = a[..a.len() - 1].iter().product();
    let left = left.try_reshape([rows, k])?;
    let right = match b.len() {
        1 => right.try_reshape([k, 1])?,
        2 => right.clone(),
        rank => {
            let axes: Vec<usize> = std::iter::once(summed)
                .chain(0..summed)
                .chain(std::iter::once(rank - 1))
                .collect();
            let columns: usize = b[..summed].iter().product::<usize>() * b[rank - 1];
            right.try_permute(&axes)?.try_reshape([k, columns])?
        }
    };
    ops::apply(Matmul::now(), &[&left, &right])?.try_reshape(shape)
}
