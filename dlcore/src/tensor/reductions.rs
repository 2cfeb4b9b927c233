//! Sums, means, extremes, over everything or along one axis.

use super::convert::with_slice;
use super::{Array, DType, Element, Tensor, dense, fallible, reduced, resolve_axis, split_at};
use crate::device::cpu;
use crate::grad::ops::{self, Extreme, Sum};
use crate::{Error, Result};

impl Tensor {
    /// The sum of all elements; of integers as `I64`.
    pub fn sum(&self) -> Tensor {
        if !self.dtype().is_float() {
            return integer_sum(self, None, false);
        }
        ops::apply_any(
            Sum {
                axis: None,
                keep: false,
            },
            &[&self.to_dense()],
        )
    }

    /// The mean of all elements; of integers as `F32`. NaN for an empty tensor.
    pub fn mean(&self) -> Tensor {
        if !self.dtype().is_float() {
            let mean = self.sum().item() / self.len() as f64;
            return Tensor::from(mean as f32);
        }
        self.sum() / self.len() as f64
    }

    fallible! {
        /// The largest of all elements; NaN if any is.
        fn max / try_max(&self) -> Tensor {
            extreme(self, "max", None, false, true)
        }

        /// The smallest of all elements; NaN if any is.
        fn min / try_min(&self) -> Tensor {
            extreme(self, "min", None, false, false)
        }

        /// The sums along an axis, which goes away; negative axes count from the end.
        fn sum_axis / try_sum_axis(&self, axis: isize) -> Tensor {
            sum_along(self, "sum_axis", axis, false)
        }

        /// The sums along an axis, which stays with length 1.
        fn sum_axis_keep / try_sum_axis_keep(&self, axis: isize) -> Tensor {
            sum_along(self, "sum_axis_keep", axis, true)
        }

        /// The means along an axis, which goes away; negative axes count from the end.
        fn mean_axis / try_mean_axis(&self, axis: isize) -> Tensor {
            mean_along(self, "mean_axis", axis, false)
        }

        /// The means along an axis, which stays with length 1.
        fn mean_axis_keep / try_mean_axis_keep(&self, axis: isize) -> Tensor {
            mean_along(self, "mean_axis_keep", axis, true)
        }

        /// The largest elements along an axis, which goes away; NaN where any is.
        fn max_axis / try_max_axis(&self, axis: isize) -> Tensor {
            extreme(self, "max_axis", Some(axis), false, true)
        }

        /// The largest elements along an axis, which stays with length 1.
        fn max_axis_keep / try_max_axis_keep(&self, axis: isize) -> Tensor {
            extreme(self, "max_axis_keep", Some(axis), true, true)
        }

        /// The smallest elements along an axis, which goes away; NaN where any is.
        fn min_axis / try_min_axis(&self, axis: isize) -> Tensor {
            extreme(self, "min_axis", Some(axis), false, false)
        }

        /// The smallest elements along an axis, which stays with length 1.
        fn min_axis_keep / try_min_axis_keep(&self, axis: isize) -> Tensor {
            extreme(self, "min_axis_keep", Some(axis), true, false)
        }

        /// The position of the first largest element along an axis, which goes away; `I64`.
        fn argmax / try_argmax(&self, axis: isize) -> Tensor {
            let axis = resolve_axis("argmax", axis, self.shape())?;
            not_empty("argmax", self, Some(axis))?;
            let extent = split_at(self.shape(), axis);
            let dense = self.to_dense();
            let positions = dense!(dense.storage(), array => {
                with_slice(array, |values| cpu::arg_max(values, extent))
            });
            Ok(Tensor::from_values(&reduced(self.shape(), axis, false), positions))
        }
    }
}

fn sum_along(tensor: &Tensor, operation: &str, axis: isize, keep: bool) -> Result<Tensor> {
    let axis = resolve_axis(operation, axis, tensor.shape())?;
    if !tensor.dtype().is_float() {
        return Ok(integer_sum(tensor, Some(axis), keep));
    }
    ops::apply(
        Sum {
            axis: Some(axis),
            keep,
        },
        &[&tensor.to_dense()],
    )
}

fn mean_along(tensor: &Tensor, operation: &str, axis: isize, keep: bool) -> Result<Tensor> {
    let sum = sum_along(tensor, operation, axis, keep)?;
    let count = tensor.shape()[resolve_axis(operation, axis, tensor.shape())?];
    Ok(sum / count as f64)
}

fn integer_sum(tensor: &Tensor, axis: Option<usize>, keep: bool) -> Tensor {
    fn run<T: Element>(array: &Array<T>, extent: (usize, usize, usize)) -> Vec<i64> {
        with_slice(array, |values| {
            cpu::fold_axis(values, extent, 0_i64, |sum, v| sum.wrapping_add(v.to_i64()))
        })
    }
    let (extent, shape) = match axis {
        None => ((1, tensor.len(), 1), Vec::new()),
        Some(axis) => (
            split_at(tensor.shape(), axis),
            reduced(tensor.shape(), axis, keep),
        ),
    };
    let sums = dense!(tensor.storage(), array => run(array, extent));
    Tensor::from_values(&shape, sums)
}

fn extreme(
    tensor: &Tensor,
    operation: &str,
    axis: Option<isize>,
    keep: bool,
    largest: bool,
) -> Result<Tensor> {
    let axis = axis
        .map(|axis| resolve_axis(operation, axis, tensor.shape()))
        .transpose()?;
    not_empty(operation, tensor, axis)?;
    let op = Extreme {
        axis,
        keep,
        largest,
    };
    match tensor.dtype() {
        dtype if dtype.is_float() => ops::apply(op, &[&tensor.to_dense()]),
        // Exact for every integer up to 2⁵³, beyond any label, index or pixel.
        dtype => Ok(ops::apply(op, &[&tensor.cast(DType::F64)])?.cast(dtype)),
    }
}

fn not_empty(operation: &str, tensor: &Tensor, axis: Option<usize>) -> Result<()> {
    let empty = match axis {
        Some(axis) => tensor.shape()[axis] == 0,
        None => tensor.len() == 0,
    };
    if !empty {
        return Ok(());
    }
    Err(Error::Shape(format!(
        "{operation}: shape {:?} has no elements to choose from",
        tensor.shape()
    )))
}
