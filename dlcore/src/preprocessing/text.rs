//! Texts made ready for a network.

use crate::datasets::Sequences;
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Which words each sequence holds: 1 in the column of each number that occurs in it, 0 elsewhere.
///
/// # Shapes
/// `sequences.len()` lists of numbers below `dimension` → `[sequences.len(), dimension]`, f32, of which
/// only the ones are stored.
///
/// # Panics
/// If a number is not below `dimension`; [`try_multi_hot`] returns the error instead.
#[track_caller]
pub fn multi_hot(sequences: &Sequences, dimension: usize) -> Tensor {
    expect(try_multi_hot(sequences, dimension))
}

/// [`multi_hot`], returning the error.
///
/// # Errors
/// [`Error::Value`] if a number is not below `dimension`.
pub fn try_multi_hot(sequences: &Sequences, dimension: usize) -> Result<Tensor> {
    for (index, sequence) in sequences.iter().enumerate() {
        if let Some(number) = sequence
            .iter()
            .find(|number| **number as usize >= dimension)
        {
            return Err(Error::Value(format!(
                "multi_hot: expected numbers below {dimension}, found {number} in sequence {index}; load the data \
                 with num_words {dimension}, or ask for more columns"
            )));
        }
    }
    Tensor::from_sparse_rows(dimension, sequences.rows())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_that_occurs_is_a_one() {
        let sequences = Sequences::new(vec![vec![3, 1, 3], vec![], vec![0]]);
        let hot = multi_hot(&sequences, 4);
        assert!(hot.is_sparse());
        assert_eq!(hot.shape(), [3, 4]);
        assert_eq!(
            hot.to_dense().to_vec(),
            [0., 1., 0., 1., 0., 0., 0., 0., 1., 0., 0., 0.]
        );
    }

    #[test]
    fn a_number_without_a_column_names_its_sequence() {
        let sequences = Sequences::new(vec![vec![1], vec![2, 4]]);
        let error = try_multi_hot(&sequences, 4).unwrap_err().to_string();
        assert!(
            error.contains("expected numbers below 4, found 4 in sequence 1"),
            "{error}"
        );
    }
}
