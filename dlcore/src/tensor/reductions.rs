//! Sums, means, extremes and their kind, over everything or along axes.
//!
//! Along one axis, `x.sum_axis(0)`; along several, `x.sum_axis([0, -1])`; with the axes kept at length
//! 1, so that the result broadcasts against what it came from, `x.sum_axis_keep(-1)`.

use super::convert::with_slice;
use super::{
    Array, Axes, DType, Element, Tensor, dense, fallible, reduced, resolve_axis, split_at,
};
use crate::device::cpu;
use crate::grad::ops::{self, Extreme, Mean, Sum};
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
        ops::apply_any(Mean, &[&self.to_dense()])
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

        /// The product of all elements; of integers as `I64`.
        fn prod / try_prod(&self) -> Tensor {
            prod(&self.try_flatten()?, "prod", 0, false)
        }

        /// The mean of the squares of the distances from the mean, over all elements.
        fn var / try_var(&self) -> Tensor {
            var(&self.try_flatten()?, "var", 0, false)
        }

        /// The standard deviation over all elements, the square root of [`Tensor::var`].
        fn std / try_std(&self) -> Tensor {
            std(&self.try_flatten()?, "std", 0, false)
        }

        /// The square root of the sum of all squares: the Euclidean length. Its gradient at 0 is NaN.
        fn norm / try_norm(&self) -> Tensor {
            norm(&self.try_flatten()?, "norm", 0, false)
        }

        /// `ln Σeˣ` over all elements, without overflow.
        fn logsumexp / try_logsumexp(&self) -> Tensor {
            log_sum_exp(&self.try_flatten()?, "logsumexp", 0, false)
        }

        /// Whether any element differs from zero; a single `Bool`.
        fn any / try_any(&self) -> Tensor {
            any(&self.try_flatten()?, "any", 0, false)
        }

        /// Whether every element differs from zero; a single `Bool`.
        fn all / try_all(&self) -> Tensor {
            all(&self.try_flatten()?, "all", 0, false)
        }

        /// The position of the first largest element along an axis, which goes away; `I64`.
        fn argmax / try_argmax(&self, axis: isize) -> Tensor {
            arg_extreme(self, "argmax", axis, true)
        }

        /// The position of the first smallest element along an axis, which goes away; `I64`.
        fn argmin / try_argmin(&self, axis: isize) -> Tensor {
            arg_extreme(self, "argmin", axis, false)
        }
    }

    fn try_flatten(&self) -> Result<Tensor> {
        self.to_dense().try_reshape([self.len()])
    }
}

/// Defines both forms of each reduction along axes, and their `try_` twins.
macro_rules! along_axes {
    ($($what:literal $name:ident / $try_name:ident, $keep:ident / $try_keep:ident = $reduce:expr;)*) => {
        impl Tensor {
            fallible! {$(
                #[doc = concat!($what, " along one axis or several (`0`, `-1`, `[1, 2]`), which go away.")]
                fn $name / $try_name(&self, axes: impl Into<Axes>) -> Tensor {
                    along(self, stringify!($name), &axes.into(), false, $reduce)
                }

                #[doc = concat!($what, " along one axis or several (`0`, `-1`, `[1, 2]`), which stay with length 1.")]
                fn $keep / $try_keep(&self, axes: impl Into<Axes>) -> Tensor {
                    along(self, stringify!($keep), &axes.into(), true, $reduce)
                }
            )*}
        }
    };
}

along_axes! {
    "The sums" sum_axis / try_sum_axis, sum_axis_keep / try_sum_axis_keep = sum;
    "The means" mean_axis / try_mean_axis, mean_axis_keep / try_mean_axis_keep = mean;
    "The largest elements, NaN where any is," max_axis / try_max_axis, max_axis_keep / try_max_axis_keep
        = |t, operation, axis, keep| extreme(t, operation, Some(axis), keep, true);
    "The smallest elements, NaN where any is," min_axis / try_min_axis, min_axis_keep / try_min_axis_keep
        = |t, operation, axis, keep| extreme(t, operation, Some(axis), keep, false);
    "The products" prod_axis / try_prod_axis, prod_axis_keep / try_prod_axis_keep = prod;
    "The means of the squares of the distances from the mean"
        var_axis / try_var_axis, var_axis_keep / try_var_axis_keep = var;
    "The standard deviations" std_axis / try_std_axis, std_axis_keep / try_std_axis_keep = std;
    "The Euclidean lengths" norm_axis / try_norm_axis, norm_axis_keep / try_norm_axis_keep = norm;
    "`ln Σeˣ`, without overflow," logsumexp_axis / try_logsumexp_axis,
        logsumexp_axis_keep / try_logsumexp_axis_keep = log_sum_exp;
    "Whether any element differs from zero" any_axis / try_any_axis, any_axis_keep / try_any_axis_keep = any;
    "Whether every element differs from zero" all_axis / try_all_axis, all_axis_keep / try_all_axis_keep = all;
}

/// A reduction along one axis: of a dense tensor, under the operation's name, along an axis that is
/// there, which stays or goes away.
type Reduce = fn(&Tensor, &str, usize, bool) -> Result<Tensor>;

/// Several axes are first made one.
fn along(
    tensor: &Tensor,
    operation: &str,
    axes: &Axes,
    keep: bool,
    reduce: Reduce,
) -> Result<Tensor> {
    let axes = axes.resolve(operation, tensor.shape())?;
    if let [axis] = axes[..] {
        return reduce(&tensor.to_dense(), operation, axis, keep);
    }
    let (merged, axis) = merged(&tensor.to_dense(), &axes)?;
    let reduced = reduce(&merged, operation, axis, false)?;
    let all = tensor.shape().iter().enumerate();
    let shape: Vec<usize> = match keep {
        true => all
            .map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n })
            .collect(),
        false => all
            .filter(|(axis, _)| !axes.contains(axis))
            .map(|(_, &n)| n)
            .collect(),
    };
    reduced.try_reshape(shape)
}

/// The tensor with some axes, given in ascending order, made one, and where that is. Neighbours stay
/// where they are; others are brought to the end first.
fn merged(tensor: &Tensor, axes: &[usize]) -> Result<(Tensor, usize)> {
    let shape = tensor.shape();
    let length: usize = axes.iter().map(|&axis| shape[axis]).product();
    if let (Some(&first), Some(&last)) = (axes.first(), axes.last())
        && last - first + 1 == axes.len()
    {
        let shape = [&shape[..first], &[length], &shape[last + 1..]].concat();
        return Ok((tensor.try_reshape(shape)?, first));
    }
    let rest: Vec<usize> = (0..shape.len())
        .filter(|axis| !axes.contains(axis))
        .collect();
    let moved = tensor.try_permute([&rest[..], axes].concat())?;
    let mut shape: Vec<usize> = rest.iter().map(|&axis| shape[axis]).collect();
    shape.push(length);
    Ok((moved.try_reshape(shape)?, rest.len()))
}

fn arg_extreme(tensor: &Tensor, operation: &str, axis: isize, largest: bool) -> Result<Tensor> {
    let axis = resolve_axis(operation, axis, tensor.shape())?;
    not_empty(operation, tensor, Some(axis))?;
    let extent = split_at(tensor.shape(), axis);
    let dense = tensor.to_dense();
    let positions = dense!(dense.storage(), array => {
        with_slice(array, |values| match largest {
            true => cpu::arg_max(values, extent),
            false => cpu::arg_min(values, extent),
        })
    });
    Ok(Tensor::from_values(
        &reduced(tensor.shape(), axis, false),
        positions,
    ))
}

fn sum(tensor: &Tensor, _: &str, axis: usize, keep: bool) -> Result<Tensor> {
    if !tensor.dtype().is_float() {
        return Ok(integer_sum(tensor, Some(axis), keep));
    }
    let axis = Some(axis);
    ops::apply(Sum { axis, keep }, &[tensor])
}

fn mean(tensor: &Tensor, operation: &str, axis: usize, keep: bool) -> Result<Tensor> {
    Ok(sum(tensor, operation, axis, keep)? / tensor.shape()[axis] as f64)
}

/// By halves, the second times the first, so that a zero spoils no gradient: filled up with ones
/// to a power of two.
fn prod(tensor: &Tensor, _: &str, axis: usize, keep: bool) -> Result<Tensor> {
    let mut product = match tensor.dtype().is_float() {
        true => tensor.clone(),
        false => tensor.cast(DType::I64),
    };
    let mut length = tensor.shape()[axis].next_power_of_two();
    let mut widths = vec![(0, 0); tensor.ndim()];
    widths[axis] = (0, length - tensor.shape()[axis]);
    product = product.try_pad(&widths, 1.0)?;
    while length > 1 {
        length /= 2;
        let (first, second) = (
            product.part_of_axis(axis, 0..length),
            product.part_of_axis(axis, length..2 * length),
        );
        product = first * second;
    }
    match keep {
        true => Ok(product),
        false => product.try_squeeze(axis as isize),
    }
}

fn var(tensor: &Tensor, operation: &str, axis: usize, keep: bool) -> Result<Tensor> {
    let tensor = tensor.as_float();
    let distance = &tensor - mean(&tensor, operation, axis, true)?;
    mean(&distance.square(), operation, axis, keep)
}

fn std(tensor: &Tensor, operation: &str, axis: usize, keep: bool) -> Result<Tensor> {
    Ok(var(tensor, operation, axis, keep)?.sqrt())
}

fn norm(tensor: &Tensor, operation: &str, axis: usize, keep: bool) -> Result<Tensor> {
    Ok(sum(&tensor.square(), operation, axis, keep)?.sqrt())
}

fn log_sum_exp(tensor: &Tensor, operation: &str, axis: usize, keep: bool) -> Result<Tensor> {
    let tensor = tensor.as_float();
    let largest = extreme(&tensor.detach(), operation, Some(axis), true, true)?;
    // Infinities are left to the exponential: ∞ - ∞ would be NaN.
    let largest = Tensor::try_where_(&largest.is_finite(), &largest, 0.0)?;
    let sum = sum(&(&tensor - &largest).exp(), operation, axis, true)?;
    let result = sum.log() + largest;
    match keep {
        true => Ok(result),
        false => result.try_squeeze(axis as isize),
    }
}

fn any(tensor: &Tensor, _: &str, axis: usize, keep: bool) -> Result<Tensor> {
    Ok(fold_booleans(tensor, axis, keep, false, |any, one| {
        any | one
    }))
}

fn all(tensor: &Tensor, _: &str, axis: usize, keep: bool) -> Result<Tensor> {
    Ok(fold_booleans(tensor, axis, keep, true, |all, one| {
        all & one
    }))
}

fn fold_booleans(
    tensor: &Tensor,
    axis: usize,
    keep: bool,
    start: bool,
    fold: fn(bool, bool) -> bool,
) -> Tensor {
    let extent = split_at(tensor.shape(), axis);
    let folded = with_slice(&tensor.to_array::<bool>(), |values| {
        cpu::fold_axis(values, extent, start, fold)
    });
    Tensor::from_values(&reduced(tensor.shape(), axis, keep), folded)
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
    axis: Option<usize>,
    keep: bool,
    largest: bool,
) -> Result<Tensor> {
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
