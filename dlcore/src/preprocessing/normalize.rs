//! Rows of length 1.

use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Each row divided by its length, so that its squares sum to 1, as `keras.utils.normalize`; a row of
/// zeros stays.
///
/// # Shapes
/// `[…]` → the same; the last axis is the one along which lengths are taken.
///
/// ```
/// use dlcore::{Tensor, preprocessing::normalize};
/// assert_eq!(normalize(&Tensor::from([3.0, 4.0])).to_vec(), [0.6, 0.8]);
/// ```
///
/// # Panics
/// If there is no axis; [`try_normalize`] returns the error instead.
#[track_caller]
pub fn normalize(x: &Tensor) -> Tensor {
    expect(try_normalize(x, -1, 2.0))
}

/// [`normalize`] along any axis, with the norm of any order: 2 is the usual length, 1 the sum of
/// absolute values, infinity the largest of them.
///
/// # Errors
/// [`Error::Shape`] for an axis that is not there, [`Error::Value`] for an order that is not positive.
pub fn try_normalize(x: &Tensor, axis: isize, order: f64) -> Result<Tensor> {
    if order.is_nan() || order <= 0.0 {
        return Err(Error::Value(format!(
            "normalize: expected an order above 0 (2 for the usual length), got {order}"
        )));
    }
    let x = x.as_float();
    let norm = match order {
        f64::INFINITY => x.abs().try_max_axis_keep(axis)?,
        1.0 => x.abs().try_sum_axis_keep(axis)?,
        2.0 => x.square().try_sum_axis_keep(axis)?.sqrt(),
        order => x.abs().pow(order).try_sum_axis_keep(axis)?.pow(1.0 / order),
    };
    let norm = Tensor::where_(&norm.equal(0.0), Tensor::ones_like(&norm), &norm);
    Ok(&x / &norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_or_order_that_cannot_be_is_refused() {
        let x = Tensor::from([[3.0, 4.0], [0.0, 0.0]]);
        assert_eq!(normalize(&x).to_vec(), [0.6, 0.8, 0.0, 0.0]);
        assert!(try_normalize(&x, 2, 2.0).is_err());
        for order in [0.0, -1.0, f64::NAN] {
            let error = try_normalize(&x, 0, order).unwrap_err().to_string();
            assert!(error.contains("above 0"), "{error}");
        }
    }
}
