//! The formulas of the losses, from labels and predictions of the same shape.
//!
//! Each gives numbers whose first axis is the batch's and whose mean is the loss. Where Keras takes
//! the mean over the last axis, that axis is still there: the mean over all is the same.

use super::EPSILON;
use crate::Tensor;

/// `100 · |t − p| / max(|t|, epsilon)`
pub(super) fn mean_absolute_percentage_error(t: &Tensor, p: &Tensor) -> Tensor {
    ((t - p) / t.abs().clip(EPSILON, f64::INFINITY)).abs() * 100.0
}

/// `(ln(max(t, epsilon) + 1) − ln(max(p, epsilon) + 1))²`
pub(super) fn mean_squared_logarithmic_error(t: &Tensor, p: &Tensor) -> Tensor {
    let log = |x: &Tensor| (x.clip(EPSILON, f64::INFINITY) + 1.0).log();
    (log(p) - log(t)).square()
}

/// `e² / 2` where the error `e` is at most `delta`, `delta · |e| − delta² / 2` beyond.
pub(super) fn huber(t: &Tensor, p: &Tensor, delta: f64) -> Tensor {
    let error = (p - t).abs();
    // The part of the error that counts squared; beyond it nothing flows back through it.
    let small = error.clip(0.0, delta);
    small.square() * 0.5 + (&error - &small) * delta
}

/// `ln cosh e`, as `|e| + ln(1 + e⁻²ᵉ) − ln 2`, which does not overflow.
pub(super) fn log_cosh(t: &Tensor, p: &Tensor) -> Tensor {
    let error = (p - t).abs();
    &error + ((&error * -2.0).exp() + 1.0).log() - std::f64::consts::LN_2
}

/// `max(1 − t · p, 0)`; labels of 0 and 1 are taken for −1 and 1.
pub(super) fn hinge(t: &Tensor, p: &Tensor) -> Tensor {
    let binary = t.to_vec().iter().all(|&label| label == 0.0 || label == 1.0);
    let t = if binary { t * 2.0 - 1.0 } else { t.clone() };
    (1.0 - t * p).relu()
}

/// `max(largest wrong − right + 1, 0)` over the classes on the last axis.
pub(super) fn categorical_hinge(t: &Tensor, p: &Tensor) -> Tensor {
    let right = (t * p).sum_axis(-1);
    let wrong = ((1.0 - t) * p).max_axis(-1);
    (wrong - right + 1.0).relu()
}

/// `Σ t · ln(t / p)` over the last axis, both kept within `epsilon` and 1.
pub(super) fn kl_divergence(t: &Tensor, p: &Tensor) -> Tensor {
    let (t, p) = (t.clip(EPSILON, 1.0), p.clip(EPSILON, 1.0));
    (&t * (&t / &p).log()).sum_axis(-1)
}

/// `p − t · ln(p + epsilon)`
pub(super) fn poisson(t: &Tensor, p: &Tensor) -> Tensor {
    p - t * (p + EPSILON).log()
}

/// The cosine of the angle between labels and predictions along the last axis; 0 if either is 0.
pub(super) fn cosine(t: &Tensor, p: &Tensor) -> Tensor {
    let unit = |x: &Tensor| {
        let squares = x.square().sum_axis_keep(-1);
        x / squares.clip(EPSILON * EPSILON, f64::INFINITY).sqrt()
    };
    (unit(t) * unit(p)).sum_axis(-1)
}

/// `−t · ln p − (1 − t) · ln(1 − p)`
pub(super) fn binary_crossentropy(t: &Tensor, p: &Tensor) -> Tensor {
    let p = p.clip(EPSILON, 1.0 - EPSILON);
    -(t * p.log() + (1.0 - t) * (1.0 - &p).log())
}

/// The binary cross-entropy, of which easy answers count less: times `(1 − pₜ) ^ gamma`, where `pₜ`
/// is what was given to the right answer; and times `alpha` for labels of 1 and `1 − alpha` for those
/// of 0, if there is an `alpha`.
pub(super) fn binary_focal_crossentropy(
    t: &Tensor,
    p: &Tensor,
    gamma: f64,
    alpha: Option<f64>,
) -> Tensor {
    let right = t * p + (1.0 - t) * (1.0 - p);
    let loss = (1.0 - right).pow(gamma) * binary_crossentropy(t, p);
    match alpha {
        None => loss,
        Some(alpha) => (t * alpha + (1.0 - t) * (1.0 - alpha)) * loss,
    }
}

/// `−Σ t · ln p` over the last axis; the probabilities are made to sum to 1 first, as Keras does.
pub(super) fn categorical_crossentropy(t: &Tensor, p: &Tensor) -> Tensor {
    let p = (p / p.sum_axis_keep(-1)).clip(EPSILON, 1.0 - EPSILON);
    -(t * p.log()).sum_axis(-1)
}
