//! Shares of right answers: for each answer, 1 if it is right and 0 if not.

use super::unfit;
use crate::tensor::{Storage, with_slice};
use crate::{Result, Tensor};

/// Calls `work` with the elements in single precision, which are copied only if they are something else.
fn with_values<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> R) -> R {
    match tensor.storage() {
        Storage::F32(values) => with_slice(values, work),
        _ => work(&tensor.to_vec()),
    }
}

fn right(answer: bool) -> f32 {
    f32::from(u8::from(answer))
}

pub(super) fn binary(
    y_true: &Tensor,
    y_pred: &Tensor,
    threshold: f64,
    answers: &mut Vec<f32>,
) -> Result<()> {
    if y_true.len() != y_pred.len() {
        return Err(unfit("binary_accuracy", y_true, y_pred));
    }
    let threshold = threshold as f32;
    with_values(y_true, |labels| {
        with_values(y_pred, |p| {
            let pairs = labels.iter().zip(p);
            answers.extend(pairs.map(|(&label, &p)| right(label == right(p > threshold))));
        });
    });
    Ok(())
}

pub(super) fn categorical(y_true: &Tensor, y_pred: &Tensor, answers: &mut Vec<f32>) -> Result<()> {
    if y_true.shape() != y_pred.shape() {
        return Err(unfit("categorical_accuracy", y_true, y_pred));
    }
    let row = row_length(y_pred);
    with_values(y_true, |labels| {
        with_values(y_pred, |p| {
            let rows = labels.chunks(row).zip(p.chunks(row));
            answers.extend(rows.map(|(label, p)| right(place(label) == place(p))));
        });
    });
    Ok(())
}

pub(super) fn sparse(y_true: &Tensor, y_pred: &Tensor, answers: &mut Vec<f32>) -> Result<()> {
    let row = row_length(y_pred);
    if y_true.len() != y_pred.len().div_ceil(row) {
        return Err(unfit("sparse_categorical_accuracy", y_true, y_pred));
    }
    let labels = y_true.to_array::<i64>();
    with_values(y_pred, |p| {
        let pairs = labels.iter().zip(p.chunks(row));
        answers.extend(pairs.map(|(&label, p)| right(label == place(p) as i64)));
    });
    Ok(())
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

/// The place of the largest element, the first where they tie.
fn place(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// The place of the largest element of each row of the last axis.
pub(super) fn largest(tensor: &Tensor) -> Vec<usize> {
    tensor
        .to_vec()
        .chunks(row_length(tensor))
        .map(place)
        .collect()
}
