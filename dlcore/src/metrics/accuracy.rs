//! Shares of right answers: for each answer, 1 if it is right and 0 if not.

use super::unfit;
use crate::{Result, Tensor};

fn right(answer: bool) -> f32 {
    f32::from(u8::from(answer))
}

pub(super) fn binary(y_true: &Tensor, y_pred: &Tensor, threshold: f64) -> Result<Vec<f32>> {
    if y_true.len() != y_pred.len() {
        return Err(unfit("binary_accuracy", y_true, y_pred));
    }
    let threshold = threshold as f32;
    let pairs = y_true.to_vec().into_iter().zip(y_pred.to_vec());
    Ok(pairs
        .map(|(label, p)| right(label == right(p > threshold)))
        .collect())
}

pub(super) fn categorical(y_true: &Tensor, y_pred: &Tensor) -> Result<Vec<f32>> {
    if y_true.shape() != y_pred.shape() {
        return Err(unfit("categorical_accuracy", y_true, y_pred));
    }
    let pairs = largest(y_true).into_iter().zip(largest(y_pred));
    Ok(pairs
        .map(|(label, answer)| right(label == answer))
        .collect())
}

pub(super) fn sparse(y_true: &Tensor, y_pred: &Tensor) -> Result<Vec<f32>> {
    let answers = largest(y_pred);
    if y_true.len() != answers.len() {
        return Err(unfit("sparse_categorical_accuracy", y_true, y_pred));
    }
    let pairs = y_true.to_vec_of::<i64>().into_iter().zip(answers);
    Ok(pairs
        .map(|(label, answer)| right(label == answer as i64))
        .collect())
}

/// Whether fewer than `k` predictions are above the right one's; labels one-hot.
pub(super) fn top_k(y_true: &Tensor, y_pred: &Tensor, k: usize) -> Result<Vec<f32>> {
    if y_true.shape() != y_pred.shape() {
        return Err(unfit("top_k_categorical_accuracy", y_true, y_pred));
    }
    Ok(in_top(&largest(y_true), y_pred, k))
}

/// [`top_k`] where labels are the classes' numbers.
pub(super) fn sparse_top_k(y_true: &Tensor, y_pred: &Tensor, k: usize) -> Result<Vec<f32>> {
    let classes = row_length(y_pred);
    let labels = y_true.to_vec_of::<i64>();
    let known = |label: &i64| usize::try_from(*label).is_ok_and(|label| label < classes);
    if labels.len() * classes != y_pred.len() || !labels.iter().all(known) {
        return Err(unfit("sparse_top_k_categorical_accuracy", y_true, y_pred));
    }
    let labels: Vec<usize> = labels.into_iter().map(|label| label as usize).collect();
    Ok(in_top(&labels, y_pred, k))
}

fn in_top(labels: &[usize], y_pred: &Tensor, k: usize) -> Vec<f32> {
    let values = y_pred.to_vec();
    let rows = values.chunks(row_length(y_pred)).zip(labels);
    rows.map(|(row, &label)| {
        let own = if row[label].is_nan() {
            f32::NEG_INFINITY
        } else {
            row[label]
        };
        right(row.iter().filter(|&&p| p > own).count() < k)
    })
    .collect()
}

fn row_length(tensor: &Tensor) -> usize {
    tensor.shape().last().copied().unwrap_or(1).max(1)
}

/// The place of the largest element of each row of the last axis, the first where they tie.
pub(super) fn largest(tensor: &Tensor) -> Vec<usize> {
    let place = |values: &[f32]| {
        let mut best = 0;
        for (index, value) in values.iter().enumerate() {
            if *value > values[best] {
                best = index;
            }
        }
        best
    };
    tensor
        .to_vec()
        .chunks(row_length(tensor))
        .map(place)
        .collect()
}
