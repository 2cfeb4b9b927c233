//! Gradients against finite differences.

use super::GradientTape;
use crate::{DType, Error, Result, Tensor};

/// Compares the gradient of `sum(weights · f(inputs))` with central differences, in double
/// precision, for fixed uneven weights, and returns the largest relative error
/// `|a - n| / max(1, |a|, |n|)`. A right gradient of a smooth function stays below 1e-6.
///
/// `f` must compute in the type of its inputs and be smooth around them.
///
/// # Errors
/// [`Error::Value`] if `f` does not depend on its inputs through recorded operations.
pub fn check_gradients(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Result<f64> {
    check(&f, inputs)
}

fn check(f: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Result<f64> {
    const STEP: f64 = 1e-5;
    let inputs: Vec<Tensor> = inputs.iter().map(|t| t.detach().cast(DType::F64)).collect();
    let loss = |inputs: &[Tensor]| {
        let output = f(inputs);
        let weights: Vec<f64> = (0..output.len())
            .map(|i| (i as f64 * 0.7 + 0.3).sin() + 1.5)
            .collect();
        let weights = Tensor::from_values(output.shape(), weights);
        (output * weights).sum()
    };
    let tape = GradientTape::new();
    let watched: Vec<Tensor> = inputs.iter().map(|t| tape.watch(t)).collect();
    let gradients = tape.try_gradient(&loss(&watched), &watched.iter().collect::<Vec<_>>())?;
    let mut worst: f64 = 0.0;
    for (which, gradient) in gradients.iter().enumerate() {
        if gradient.shape() != inputs[which].shape() {
            return Err(Error::Shape(format!(
                "check_gradients: the gradient of input {which} has shape {:?}, the input {:?}",
                gradient.shape(),
                inputs[which].shape()
            )));
        }
        for (position, &analytic) in gradient.to_vec_of::<f64>().iter().enumerate() {
            let moved = |by: f64| {
                let mut values = inputs[which].to_vec_of::<f64>();
                values[position] += by;
                let mut inputs = inputs.clone();
                inputs[which] = Tensor::from_values(inputs[which].shape(), values);
                loss(&inputs).item()
            };
            let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let scale = analytic.abs().max(numeric.abs()).max(1.0);
            let error = (analytic - numeric).abs() / scale;
            // A NaN must not pass for a small error.
            worst = if error.is_nan() {
                f64::INFINITY
            } else {
                worst.max(error)
            };
        }
    }
    Ok(worst)
}
