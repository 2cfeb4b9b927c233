//! Labels as networks take them.

use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Class numbers as one-hot rows.
///
/// # Shapes
/// `[n]` or `[n, 1]` → `[n, num_classes]`, `F32`; axes before the last are kept. With 0 classes there
/// are as many as the largest label says, as in Keras.
///
/// ```
/// use dlcore::{Tensor, preprocessing::to_categorical};
/// let rows = to_categorical(&Tensor::from([0_u8, 2]), 3);
/// assert_eq!(rows.to_vec(), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
/// ```
///
/// # Panics
/// If a label is not a whole number from 0 to `num_classes − 1`; [`try_to_categorical`] returns the
/// error instead.
#[track_caller]
pub fn to_categorical(labels: &Tensor, num_classes: usize) -> Tensor {
    expect(try_to_categorical(labels, num_classes))
}

/// [`to_categorical`], returning the error.
///
/// # Errors
/// [`Error::Value`] for a label that is not a whole number from 0 to `num_classes − 1`, saying where
/// it is.
pub fn try_to_categorical(labels: &Tensor, num_classes: usize) -> Result<Tensor> {
    let labels = match labels.shape() {
        [_, .., 1] => labels.try_squeeze(-1)?,
        _ => labels.clone(),
    };
    let num_classes = match num_classes {
        0 => {
            let largest = labels.to_vec_of::<f64>().into_iter().fold(-1.0, f64::max);
            // What is no class number is refused below; what is far too large, by `try_one_hot`.
            (largest + 1.0) as usize
        }
        given => given,
    };
    check_class_numbers("to_categorical", &labels, num_classes)?;
    labels.try_one_hot(num_classes)
}

/// An error unless every label is a whole number from 0 to `classes − 1`.
pub(crate) fn check_class_numbers(operation: &str, labels: &Tensor, classes: usize) -> Result<()> {
    let wrong = |&(_, &label): &(usize, &f64)| {
        !(label >= 0.0 && label < classes as f64 && label.fract() == 0.0)
    };
    let values = labels.to_vec_of::<f64>();
    let Some((position, label)) = values.iter().enumerate().find(wrong) else {
        return Ok(());
    };
    let (least, greatest) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
    let hint = if label.fract() != 0.0 {
        "class numbers are whole".to_string()
    } else if least == 1.0 && greatest == classes as f64 {
        "the labels count from 1: subtract 1 from them".to_string()
    } else {
        format!(
            "the labels go from {least} to {greatest}: check them, or raise the number of classes"
        )
    };
    Err(Error::Value(format!(
        "{operation}: expected labels from 0 to {} ({classes} classes), got {label} at position {position}; {hint}",
        classes.saturating_sub(1)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_and_a_column_give_the_same_rows() {
        let expected = Tensor::from([[0.0, 1.0], [1.0, 0.0]]);
        assert_eq!(to_categorical(&Tensor::from([1_i64, 0]), 2), expected);
        assert_eq!(to_categorical(&Tensor::from([[1_u8], [0]]), 2), expected);
        assert_eq!(to_categorical(&Tensor::from([1.0, 0.0]), 2), expected);
    }

    #[test]
    fn without_a_number_of_classes_the_largest_label_decides() {
        let expected = Tensor::from([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(to_categorical(&Tensor::from([1_u8, 2]), 0), expected);
        let error = try_to_categorical(&Tensor::from([f32::NAN]), 0).unwrap_err();
        assert!(
            error.to_string().contains("got NaN at position 0"),
            "{error}"
        );
    }

    #[test]
    fn labels_out_of_range_are_refused_with_their_place() {
        let text = |labels: Tensor| try_to_categorical(&labels, 3).unwrap_err().to_string();
        let error = text(Tensor::from([0_i64, 1, 7]));
        assert!(
            error.contains("expected labels from 0 to 2 (3 classes), got 7 at position 2"),
            "{error}"
        );
        assert!(text(Tensor::from([1_i64, 2, 3])).contains("subtract 1"));
        assert!(
            text(Tensor::from([0.0, 0.5]))
                .contains("got 0.5 at position 1; class numbers are whole")
        );
        assert!(text(Tensor::from([0_i64, -1])).contains("got -1"));
    }
}
