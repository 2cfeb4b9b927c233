//! Sorting, and what follows from it.

use std::cmp::Ordering;

use super::{Element, Tensor, dense, fallible, resolve_axis, split_at, with_slice};
use crate::{Error, Result};

impl Tensor {
    fallible! {
        /// The elements along an axis in ascending order; NaN comes last.
        fn sort / try_sort(&self, axis: isize) -> Tensor {
            let order = argsort("sort", self, axis, false)?;
            self.try_take_along_axis(&order, axis)
        }

        /// The positions, `I64`, that put the elements along an axis in ascending order; equal ones
        /// stay in theirs, NaN comes last.
        fn argsort / try_argsort(&self, axis: isize) -> Tensor {
            argsort("argsort", self, axis, false)
        }
    }

    /// The `k` largest elements along the last axis, the largest first, and their positions, `I64`.
    /// Of equal ones the first comes first; NaN counts as largest.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let (values, positions) = Tensor::from([0.1, 0.7, 0.2]).top_k(2);
    /// assert_eq!((values.to_vec(), positions.to_vec_of()), (vec![0.7, 0.2], vec![1_i64, 2]));
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_top_k`] returns an error.
    #[track_caller]
    pub fn top_k(&self, k: usize) -> (Tensor, Tensor) {
        super::expect(self.try_top_k(k))
    }

    /// [`Tensor::top_k`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no last axis or it has fewer than `k` elements.
    pub fn try_top_k(&self, k: usize) -> Result<(Tensor, Tensor)> {
        let length = self.shape().last().copied().unwrap_or(0);
        if k > length {
            return Err(Error::Shape(format!(
                "top_k: expected at least {k} elements along the last axis, got shape {:?}",
                self.shape()
            )));
        }
        let order = argsort("top_k", self, -1, true)?;
        let order = order.part_of_axis(self.ndim() - 1, 0..k);
        Ok((self.try_take_along_axis(&order, -1)?, order))
    }

    /// The different elements in ascending order, one axis; NaN comes last, once.
    pub fn unique(&self) -> Tensor {
        self.unique_counts().0
    }

    /// The different elements in ascending order, one axis, and how often each occurs, `I64`.
    pub fn unique_counts(&self) -> (Tensor, Tensor) {
        fn run<T: Element>(values: &[T]) -> (Tensor, Tensor) {
            let mut sorted = values.to_vec();
            sorted.sort_by(|&a, &b| compare(a, b));
            let mut unique: Vec<T> = Vec::new();
            let mut counts: Vec<i64> = Vec::new();
            for value in sorted {
                match (unique.last(), counts.last_mut()) {
                    (Some(&last), Some(count)) if compare(last, value).is_eq() => *count += 1,
                    _ => {
                        unique.push(value);
                        counts.push(1);
                    }
                }
            }
            let length = [unique.len()];
            (
                Tensor::from_values(&length, unique),
                Tensor::from_values(&length, counts),
            )
        }
        let dense = self.to_dense();
        dense!(dense.storage(), array => with_slice(array, run))
    }
}

/// Ascending, NaN after everything and equal to itself.
fn compare<T: Element>(a: T, b: T) -> Ordering {
    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
    let by_nan = || (a != a).cmp(&(b != b));
    a.partial_cmp(&b).unwrap_or_else(by_nan)
}

fn argsort(operation: &str, tensor: &Tensor, axis: isize, descending: bool) -> Result<Tensor> {
    fn run<T: Element>(
        values: &[T],
        (outer, steps, inner): (usize, usize, usize),
        descending: bool,
    ) -> Vec<i64> {
        let mut positions = vec![0; values.len()];
        let mut lane: Vec<(T, usize)> = Vec::with_capacity(steps);
        for first in (0..outer).flat_map(|block| (0..inner).map(move |i| block * steps * inner + i))
        {
            lane.clear();
            lane.extend((0..steps).map(|step| (values[first + step * inner], step)));
            match descending {
                false => lane.sort_by(|a, b| compare(a.0, b.0)),
                true => lane.sort_by(|a, b| compare(b.0, a.0)),
            }
            for (step, &(_, position)) in lane.iter().enumerate() {
                positions[first + step * inner] = position as i64;
            }
        }
        positions
    }
    let axis = resolve_axis(operation, axis, tensor.shape())?;
    let extent = split_at(tensor.shape(), axis);
    let dense = tensor.to_dense();
    let positions = dense!(dense.storage(), array => {
        with_slice(array, |values| run(values, extent, descending))
    });
    Ok(Tensor::from_values(tensor.shape(), positions))
}
