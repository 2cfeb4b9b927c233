//! How the numbers of a weight are drawn.

use crate::random::{normal, truncated_normal, uniform};
use crate::{DType, Error, Result, Tensor};

/// What the cut at two standard deviations leaves of a normal distribution's standard deviation.
pub(super) const TRUNCATED: f64 = 0.879_625_661_034_239_8;

/// `gain` where row and column have the same number.
pub(super) fn diagonal(shape: &[usize], gain: f64) -> Result<Tensor> {
    let [rows, columns] = *shape else {
        return Err(Error::Shape(format!(
            "the identity is a matrix, and this weight has shape {shape:?}; expected two axes"
        )));
    };
    let mut values = vec![0.0_f32; rows * columns];
    for place in 0..rows.min(columns) {
        values[place * columns + place] = gain as f32;
    }
    Tensor::from_shape_vec(shape, values)
}

pub(super) fn uniform_of_variance(shape: &[usize], variance: f64) -> Tensor {
    let limit = (3.0 * variance).sqrt();
    uniform(shape, -limit, limit)
}

pub(super) fn normal_of_variance(shape: &[usize], variance: f64) -> Tensor {
    truncated_normal(shape, 0.0, variance.sqrt() / TRUNCATED)
}

/// The axes but the last make rows; the shorter side's vectors are normal draws made orthonormal one after
/// the other (Gram–Schmidt), which is the QR decomposition with a positive diagonal.
pub(super) fn orthogonal(shape: &[usize], gain: f64) -> Result<Tensor> {
    let [before @ .., columns] = shape else {
        return Err(orthogonal_needs_axes(shape));
    };
    if before.is_empty() {
        return Err(orthogonal_needs_axes(shape));
    }
    let rows: usize = before.iter().product();
    let (vectors, length) = (rows.min(*columns), rows.max(*columns));
    let mut values = normal([vectors, length], 0.0, 1.0).to_vec_of::<f64>();
    for index in 0..vectors {
        let (done, vector) = values.split_at_mut(index * length);
        let vector = &mut vector[..length];
        // Twice, since the first time leaves rounding errors of nearly parallel vectors.
        for _ in 0..2 {
            for other in done.chunks_exact(length) {
                let along: f64 = vector.iter().zip(other).map(|(v, o)| v * o).sum();
                vector
                    .iter_mut()
                    .zip(other)
                    .for_each(|(v, o)| *v -= along * o);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
    let vectors = Tensor::from_values(&[vectors, length], values) * gain;
    let matrix = if rows < *columns {
        vectors
    } else {
        vectors.transpose()
    };
    Ok(matrix.contiguous().reshape(shape).cast(DType::F32))
}

fn orthogonal_needs_axes(shape: &[usize]) -> Error {
    Error::Shape(format!(
        "orthogonal: expected a weight with at least two axes, got shape {shape:?}; for a bias there is \"zeros\""
    ))
}

/// Inputs and outputs of a weight as Keras counts them: the last two axes, times what is before
/// them (a kernel's extent).
pub(super) fn fans(shape: &[usize]) -> (f64, f64) {
    let (fan_in, fan_out) = match shape {
        [] => (1, 1),
        [n] => (*n, *n),
        [kernel @ .., inputs, outputs] => {
            let field: usize = kernel.iter().product();
            (inputs * field, outputs * field)
        }
    };
    (fan_in.max(1) as f64, fan_out.max(1) as f64)
}
