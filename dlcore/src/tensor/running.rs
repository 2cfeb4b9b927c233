//! Running sums and products along an axis.

use super::{DType, Tensor, fallible, resolve_axis};
use crate::Result;
use crate::grad::ops::{self, CumSum};

impl Tensor {
    fallible! {
        /// The sums of the elements up to and with each one along an axis; of integers as `I64`.
        fn cumsum / try_cumsum(&self, axis: isize) -> Tensor {
            let axis = resolve_axis("cumsum", axis, self.shape())?;
            if !self.dtype().is_float() {
                return scan(&self.cast(DType::I64), axis, |before, after| before + after);
            }
            ops::apply(CumSum { axis, reverse: false }, &[&self.to_dense()])
        }

        /// The products of the elements up to and with each one along an axis; of integers as `I64`.
        fn cumprod / try_cumprod(&self, axis: isize) -> Tensor {
            let axis = resolve_axis("cumprod", axis, self.shape())?;
            let wide = match self.dtype().is_float() {
                true => self.to_dense(),
                false => self.cast(DType::I64),
            };
            scan(&wide, axis, |before, after| before * after)
        }
    }
}

/// After round r each element combines the last 2ʳ: operations on whole parts, which differentiate
/// by themselves, a zero among the factors or not (Hillis and Steele, 1986).
fn scan(tensor: &Tensor, axis: usize, combine: fn(Tensor, Tensor) -> Tensor) -> Result<Tensor> {
    let length = tensor.shape()[axis];
    let mut running = tensor.clone();
    let mut reach = 1;
    while reach < length {
        let first = running.part_of_axis(axis, 0..reach);
        let combined = combine(
            running.part_of_axis(axis, 0..length - reach),
            running.part_of_axis(axis, reach..length),
        );
        running = Tensor::try_concat(&[&first, &combined], axis as isize)?;
        reach *= 2;
    }
    Ok(running)
}
