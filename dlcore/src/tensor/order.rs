//! Sorting, and what follows from it.

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
            let mut lane: Vec<Keyed> = values.iter().map(|&v| key(v)).zip(0..).collect();
            lane.sort_unstable();
            let mut unique: Vec<T> = Vec::new();
            let mut counts: Vec<i64> = Vec::new();
            for equal in lane.chunk_by(|a, b| a.0 == b.0) {
                unique.push(values[equal[0].1]);
                counts.push(equal.len() as i64);
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

/// An element's [`key`] and its position, which keeps equal ones in order. All types are sorted as these.
type Keyed = (u64, usize);

/// A number that is less where the element is less; NaN comes after everything and equals itself, as -0 equals 0.
fn key<T: Element>(value: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    if !T::DTYPE.is_float() {
        return i64::cast_from(value) as u64 ^ SIGN;
    }
    // Every number of single precision is one of double.
    let value = Element::to_f64(value) + 0.0;
    match value.to_bits() {
        _ if value.is_nan() => u64::MAX,
        bits if bits & SIGN != 0 => !bits,
        bits => bits | SIGN,
    }
}

fn argsort(operation: &str, tensor: &Tensor, axis: isize, descending: bool) -> Result<Tensor> {
    fn run<T: Element>(
        values: &[T],
        (outer, steps, inner): (usize, usize, usize),
        descending: bool,
    ) -> Vec<i64> {
        let mut positions = vec![0; values.len()];
        let mut lane: Vec<Keyed> = Vec::with_capacity(steps);
        let turned = if descending { u64::MAX } else { 0 };
        for first in (0..outer).flat_map(|block| (0..inner).map(move |i| block * steps * inner + i))
        {
            lane.clear();
            lane.extend((0..steps).map(|step| (key(values[first + step * inner]) ^ turned, step)));
            lane.sort_unstable();
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
