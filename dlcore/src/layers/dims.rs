//! Whole numbers as a layer's setting: axes, or lengths.

use serde_json::Value;

use super::Base;
use crate::config::{Fields, Parsed};
use crate::{Error, Result, Tensor};

/// One whole number or several, given as a number, an array, a tuple, a slice or a `Vec`: axes, where
/// those below 0 count from the end, or the lengths of a shape, of which one may be -1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dims(Vec<isize>);

impl Dims {
    /// The numbers.
    pub fn as_slice(&self) -> &[isize] {
        &self.0
    }

    /// What [`Dims::config`] wrote, or a single number; none where there is no such field.
    pub(crate) fn from_field(fields: &Fields<'_>, key: &str) -> Parsed<Option<Dims>> {
        let Some(value) = fields.get(key) else {
            return Ok(None);
        };
        let number = |value: &Value| {
            value
                .as_i64()
                .and_then(|number| isize::try_from(number).ok())
        };
        let numbers: Option<Vec<isize>> = match value {
            Value::Array(values) if values.len() <= 16 => values.iter().map(number).collect(),
            single => number(single).map(|number| vec![number]),
        };
        match numbers {
            Some(numbers) => Ok(Some(Dims(numbers))),
            None => Err(format!("{key}: expected whole numbers, found {value}")),
        }
    }

    /// A single whole number; `default` where there is no such field.
    pub(super) fn single(fields: &Fields<'_>, key: &str, default: isize) -> Parsed<isize> {
        match Dims::from_field(fields, key)?.as_ref().map(Dims::as_slice) {
            None => Ok(default),
            Some(&[single]) => Ok(single),
            Some(several) => Err(format!("{key}: expected one number, found {several:?}")),
        }
    }

    pub(crate) fn config(&self) -> Value {
        Value::from(self.0.iter().map(|&n| n as i64).collect::<Vec<_>>())
    }
}

macro_rules! dims_from {
    ($($number:ty),*) => {$(
        impl From<$number> for Dims {
            fn from(number: $number) -> Self {
                Dims(vec![number as isize])
            }
        }
        impl<const N: usize> From<[$number; N]> for Dims {
            fn from(numbers: [$number; N]) -> Self {
                Self::from(&numbers[..])
            }
        }
        impl From<&[$number]> for Dims {
            fn from(numbers: &[$number]) -> Self {
                Dims(numbers.iter().map(|&n| n as isize).collect())
            }
        }
        impl From<Vec<$number>> for Dims {
            fn from(numbers: Vec<$number>) -> Self {
                Self::from(&numbers[..])
            }
        }
        impl From<($number, $number)> for Dims {
            fn from((a, b): ($number, $number)) -> Self {
                Self::from([a, b])
            }
        }
        impl From<($number, $number, $number)> for Dims {
            fn from((a, b, c): ($number, $number, $number)) -> Self {
                Self::from([a, b, c])
            }
        }
    )*};
}
dims_from!(i32, i64, isize, usize);

impl Base {
    /// The axis of a batch that `axis` means, which counts the batch axis as 0, or from the end; it may
    /// not be the batch axis. `sample` is the shape without it.
    pub(super) fn axis(&self, axis: isize, sample: &[usize]) -> Result<usize> {
        let rank = sample.len() as isize + 1;
        let resolved = if axis < 0 { axis + rank } else { axis };
        if (1..rank).contains(&resolved) {
            return Ok(resolved as usize);
        }
        Err(self.shape_error(match rank {
            1 => "expected samples with at least one axis, got single numbers; a column of them is \
                  x.reshape([-1, 1])"
                .to_string(),
            _ => format!(
                "axis {axis} is out of range for samples of shape {sample:?}: expected 1 to {} (0 is the \
                 batch axis), or {} to -1",
                rank - 1,
                1 - rank
            ),
        }))
    }

    /// [`Base::axis`] for several, in ascending order.
    pub(super) fn axes(&self, axes: &Dims, sample: &[usize]) -> Result<Vec<usize>> {
        let resolved: Result<Vec<usize>> = axes.0.iter().map(|&a| self.axis(a, sample)).collect();
        let mut resolved = resolved?;
        resolved.sort_unstable();
        let before = resolved.len();
        resolved.dedup();
        if resolved.is_empty() || resolved.len() < before {
            return Err(self.value_error(format!(
                "expected one axis or several different ones, got {:?}",
                axes.0
            )));
        }
        Ok(resolved)
    }

    /// Refuses samples of another number of axes; `axes` names them: `"timesteps, features"`.
    pub(super) fn expect_rank(&self, sample: &[usize], rank: usize, axes: &str) -> Result<()> {
        if sample.len() == rank {
            return Ok(());
        }
        Err(self.shape_error(format!(
            "expected samples of shape [{axes}], got shape {sample:?} (without the batch axis)"
        )))
    }

    /// The shape of a sample of the batch `x`.
    ///
    /// # Panics
    /// If `x` is a single number.
    #[track_caller]
    pub(super) fn sample<'a>(&self, x: &'a Tensor) -> &'a [usize] {
        match x.shape().split_first() {
            Some((_, sample)) => sample,
            None => panic!("{}", self.no_batch()),
        }
    }

    fn no_batch(&self) -> Error {
        self.shape_error(
            "expected a batch, whose first axis counts the samples, got a single number",
        )
    }
}

/// Runs `along` with `axes`, which are in ascending order, put last and made one, and puts them back.
pub(super) fn with_axes_last(
    x: &Tensor,
    axes: &[usize],
    along: impl FnOnce(&Tensor) -> Tensor,
) -> Tensor {
    let rank = x.ndim();
    let mut order: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let kept = order.len();
    order.extend(axes);
    let in_place = order.iter().copied().eq(0..rank);
    let moved = if in_place {
        x.clone()
    } else {
        x.permute(&order)
    };
    let length: usize = moved.shape()[kept..].iter().product();
    let flat = moved.reshape([&moved.shape()[..kept], &[length]].concat());
    let result = along(&flat).reshape(moved.shape());
    if in_place {
        return result;
    }
    let mut back = vec![0; rank];
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    result.permute(&back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_count_the_batch_axis_and_from_the_end() {
        let base = Base::new("Test", "dims_axes");
        assert_eq!(base.axis(-1, &[4, 5]).unwrap(), 2);
        assert_eq!(base.axis(1, &[4, 5]).unwrap(), 1);
        assert_eq!(base.axes(&Dims::from([-1, 1]), &[4, 5]).unwrap(), [1, 2]);
        for axis in [0, 3, -3] {
            let error = base.axis(axis, &[4, 5]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("dims_axes (Test): axis {axis} is out of range")),
                "{error}"
            );
        }
        let twice = base.axes(&Dims::from([2, -1]), &[4, 5]).unwrap_err();
        assert!(twice.to_string().contains("different ones, got [2, -1]"));
    }

    #[test]
    fn axes_are_put_last_and_back() {
        let x = Tensor::arange(0.0, 24.0, 1.0).reshape([2, 3, 4]);
        let sums = |x: &Tensor| x - x.sum_axis_keep(-1);
        for (axes, expected) in [
            (vec![2], &x - x.sum_axis_keep(2)),
            (vec![1], &x - x.sum_axis_keep(1)),
            (vec![1, 2], &x - x.sum_axis_keep(1).sum_axis_keep(2)),
            (vec![0, 2], &x - x.sum_axis_keep(0).sum_axis_keep(2)),
        ] {
            assert_eq!(with_axes_last(&x, &axes, sums), expected, "{axes:?}");
        }
    }
}
