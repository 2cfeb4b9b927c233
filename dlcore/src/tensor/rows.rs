//! A tensor in a `for` loop.

use super::Tensor;
use crate::Error;
use crate::error::raise;

/// What lies at each position of a tensor's first axis, one after the other.
#[derive(Clone, Debug)]
pub struct Positions<'a> {
    tensor: &'a Tensor,
    left: std::ops::Range<usize>,
}

impl Iterator for Positions<'_> {
    type Item = Tensor;

    fn next(&mut self) -> Option<Tensor> {
        self.left.next().map(|index| self.tensor.get(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for Positions<'_> {}

impl DoubleEndedIterator for Positions<'_> {
    fn next_back(&mut self) -> Option<Tensor> {
        self.left.next_back().map(|index| self.tensor.get(index))
    }
}

/// What lies at each position of the first axis, as NumPy has it: of a matrix its rows.
///
/// ```
/// use dlcore::Tensor;
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// let sums: Vec<f64> = (&x).into_iter().map(|row| row.sum().item()).collect();
/// assert_eq!(sums, [3.0, 7.0]);
/// for row in &x {
///     assert_eq!(row.shape(), [2]);
/// }
/// ```
///
/// # Panics
/// For a single number, which has no axis.
impl<'a> IntoIterator for &'a Tensor {
    type Item = Tensor;
    type IntoIter = Positions<'a>;

    #[track_caller]
    fn into_iter(self) -> Positions<'a> {
        match self.shape().first() {
            Some(&length) => Positions {
                tensor: self,
                left: 0..length,
            },
            None => raise(&Error::Shape(
                "a tensor of shape [] has no axis to go along; its number is x.item()".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_goes_along_the_first_axis() {
        let x = Tensor::arange(0.0, 12.0, 1.0).reshape([2, 3, 2]);
        let parts: Vec<Tensor> = (&x).into_iter().collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1], x.slice(1));
        let index: usize = 1;
        assert_eq!(parts[1], x.get(index));
        assert_eq!(x.get(..1), x.slice(..1));
        assert!(x.try_get(2_u8 as i32).is_err());
        let last = (&x).into_iter().next_back();
        assert_eq!(last, Some(x.slice(1)));
        assert_eq!((&Tensor::zeros([0, 3])).into_iter().count(), 0);
        let rows = Tensor::from_sparse_rows(4, &[vec![1], vec![0, 3]]).unwrap();
        let sums: Vec<f64> = (&rows).into_iter().map(|row| row.sum().item()).collect();
        assert_eq!(sums, [1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "its number is x.item()")]
    fn a_number_is_no_list() {
        for _ in &Tensor::from(1.0) {}
    }
}
