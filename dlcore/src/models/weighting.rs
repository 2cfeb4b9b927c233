//! How much samples count by the classes they have.

use crate::losses::Loss;
use crate::{Error, Result, Tensor};

/// A weight for each sample by the class it has: 1 for classes that are not named.
///
/// # Shapes
/// `y` class numbers `[batch]` or `[batch, 1]`, or one-hot rows `[batch, classes]`; returns `[batch]`.
///
/// # Errors
/// [`Error::Shape`] for labels of timesteps, which have no one class a sample.
pub(super) fn of_classes(classes: &[(i64, f64)], y: &Tensor, loss: &Loss) -> Result<Tensor> {
    let fits = match y.shape() {
        [_] | [_, 1] => true,
        [_, _] => !loss.takes_class_numbers(),
        _ => false,
    };
    if !fits {
        return Err(Error::Shape(format!(
            "fit: class_weight needs one class a sample, got labels of shape {:?}; say by sample_weight, of shape {:?}, how \
             much each timestep counts",
            y.shape(),
            &y.shape()[..2]
        )));
    }
    let samples = y.shape()[0];
    let row = y.len() / samples.max(1);
    let values = y.to_vec();
    let weight = |labels: &[f32]| {
        let class = match labels {
            [number] => number.round() as i64,
            hot => largest(hot) as i64,
        };
        let known = classes.iter().find(|(named, _)| *named == class);
        known.map_or(1.0, |&(_, weight)| weight as f32)
    };
    let weights: Vec<f32> = values.chunks(row.max(1)).map(weight).collect();
    Ok(Tensor::from(weights))
}

fn largest(labels: &[f32]) -> usize {
    let mut best = 0;
    for (index, label) in labels.iter().enumerate() {
        if *label > labels[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_weigh_by_number_and_by_one_hot_row() {
        let classes = [(1, 5.0), (2, 0.5)];
        let numbers = Tensor::from([0_i64, 1, 2]);
        let weights = |y: &Tensor, loss: &str| of_classes(&classes, y, &loss.into());
        let sparse = "sparse_categorical_crossentropy";
        assert_eq!(weights(&numbers, sparse).unwrap().to_vec(), [1.0, 5.0, 0.5]);
        let hot = numbers.one_hot(3);
        let by_row = weights(&hot, "categorical_crossentropy").unwrap();
        assert_eq!(by_row.to_vec(), [1.0, 5.0, 0.5]);
        for y in [Tensor::zeros([2, 5, 3]), Tensor::zeros([2, 5])] {
            let error = weights(&y, sparse).unwrap_err().to_string();
            assert!(error.contains("one class a sample"), "{error}");
        }
    }
}
