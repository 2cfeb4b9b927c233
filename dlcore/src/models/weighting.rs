//! Losses of samples that do not count alike: by weights of samples or classes, by masks.
//!
//! As Keras 3 has it (`losses/loss.py`): each sample's loss times its weight, summed and divided by the
//! number of samples, not by the sum of the weights. A mask counts as weights that average 1.

use crate::losses::{EPSILON, Loss};
use crate::{DType, Error, Result, Tensor};

/// The loss of a batch, one number.
///
/// # Shapes
/// `weights` `[batch]` or `[batch, timesteps]`; `mask` `[batch, timesteps]`, which counts where the loss
/// has timesteps.
pub(super) fn loss(
    loss: &Loss,
    y: &Tensor,
    output: &Tensor,
    weights: Option<&Tensor>,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let plain = weights.is_none() && mask.is_none();
    if plain {
        return loss.call(y, output);
    }
    let losses = loss.per_position(y, output)?;
    let mask = mask.filter(|mask| mask.shape() == losses.shape());
    let weights = weights
        .map(|weights| aligned(weights, losses.shape(), loss))
        .transpose()?;
    let factors = match (weights, mask.map(averaging_one)) {
        (Some(weights), Some(mask)) => weights * mask,
        (Some(factors), None) | (None, Some(factors)) => factors,
        (None, None) => return Ok(losses.mean()),
    };
    Ok((losses * factors).mean())
}

/// The mask as numbers: valid timesteps get all/valid, so that the mean over all is that over them.
fn averaging_one(mask: &Tensor) -> Tensor {
    let mask = mask.cast(DType::F32);
    let valid = mask.sum().item();
    &mask * (mask.len() as f64 / (valid + EPSILON))
}

/// Weights with an axis for each of the losses': `[batch]` becomes `[batch, 1]` for losses of timesteps.
fn aligned(weights: &Tensor, losses: &[usize], loss: &Loss) -> Result<Tensor> {
    let weights = weights.to_dense().cast(DType::F32).detach();
    let mut shape = weights.shape().to_vec();
    if shape.len() == losses.len() + 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    let fits = !losses.is_empty() && losses.starts_with(&shape);
    if !fits || shape.is_empty() {
        return Err(Error::Shape(format!(
            "{}: expected sample weights of shape {:?}, one for each of its losses, got {:?}",
            loss.name(),
            losses,
            weights.shape()
        )));
    }
    shape.resize(losses.len(), 1);
    weights.try_reshape(shape)
}

/// A weight for each sample by the class it has: 1 for classes that are not named.
///
/// # Shapes
/// `y` class numbers `[batch]` or `[batch, 1]`, or one-hot rows `[batch, classes]`; returns `[batch]`.
pub(super) fn of_classes(classes: &[(i64, f64)], y: &Tensor) -> Tensor {
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
    Tensor::from(weights)
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
    fn weights_of_one_change_no_loss() {
        let p = Tensor::from([[0.2, 0.5, 0.3], [0.6, 0.15, 0.25]]);
        let hot = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
        for name in [
            "mse",
            "mae",
            "binary_crossentropy",
            "categorical_crossentropy",
        ] {
            for from_logits in [false, true] {
                let by = Loss::from(name).from_logits(from_logits);
                let weighted = loss(&by, &hot, &p, Some(&Tensor::ones([2])), None).unwrap();
                let plain = by.call(&hot, &p).unwrap();
                let difference = (weighted.item() - plain.item()).abs();
                assert!(difference < 1e-6, "{name}: {difference}");
            }
        }
    }

    #[test]
    fn a_sample_counts_as_often_as_its_weight_says() {
        let (y, p) = (
            Tensor::from([[0.0], [0.0], [0.0]]),
            Tensor::from([[1.0], [2.0], [3.0]]),
        );
        let weights = Tensor::from([2.0, 0.0, 1.0]);
        let value = loss(&"mse".into(), &y, &p, Some(&weights), None).unwrap();
        assert!((value.item() - (2.0 * 1.0 + 9.0) / 3.0).abs() < 1e-6);
    }

    #[test]
    fn a_mask_leaves_timesteps_out_of_the_mean() {
        let (y, p) = (
            Tensor::zeros([2, 2, 1]),
            Tensor::from([[[1.0], [2.0]], [[3.0], [100.0]]]),
        );
        let mask = Tensor::from([[1_i64, 1], [1, 0]]).cast(DType::Bool);
        let value = loss(&"mse".into(), &y, &p, None, Some(&mask)).unwrap();
        assert!((value.item() - 14.0 / 3.0).abs() < 1e-5);
        let weights = Tensor::from([3.0, 0.0]);
        let value = loss(&"mse".into(), &y, &p, Some(&weights), Some(&mask)).unwrap();
        assert!((value.item() - 15.0 / 3.0).abs() < 1e-5);
    }

    #[test]
    fn classes_weigh_by_number_and_by_one_hot_row() {
        let classes = [(1, 5.0), (2, 0.5)];
        let numbers = Tensor::from([0_i64, 1, 2]);
        assert_eq!(of_classes(&classes, &numbers).to_vec(), [1.0, 5.0, 0.5]);
        let hot = numbers.one_hot(3);
        assert_eq!(of_classes(&classes, &hot).to_vec(), [1.0, 5.0, 0.5]);
    }

    #[test]
    fn weights_that_do_not_fit_and_losses_that_cannot_be_weighted_are_refused() {
        let (y, p) = (Tensor::zeros([3, 1]), Tensor::ones([3, 1]));
        let error = loss(&"mse".into(), &y, &p, Some(&Tensor::ones([2])), None).unwrap_err();
        assert!(error.to_string().contains("sample weights of shape [3]"));
        let mean = Loss::custom("own", |y, p| (y - p).square().mean());
        let error = loss(&mean, &y, &p, Some(&Tensor::ones([3])), None).unwrap_err();
        assert!(
            error.to_string().contains("a number for each of them"),
            "{error}"
        );
    }
}
