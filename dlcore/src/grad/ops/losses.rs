//! Cross-entropies computed from logits: stable, and with a gradient in one pass.

use super::pointwise::sigmoid;
use super::softmax::{log_sum_exp, softmax};
use super::{Rule, Step, apply};
use crate::device::cpu::{Cost, buffers, chunks, vectorised, zip_same};
use crate::tensor::{Real, float2, same_float, with_slice};
use crate::{Error, Result, Tensor};

/// The cross-entropy `-Σ t·log_softmax(z)` of each sample, from logits (what softmax would be
/// applied to).
///
/// # Shapes
/// `logits` `[…, classes]`; `targets` either probabilities (one-hot, say) of the same shape, or the
/// numbers of the classes, `[…]`. Returns `[…]`: one loss a sample.
///
/// # Errors
/// [`Error::Shape`] for targets of another shape, [`Error::Value`] for numbers that are not classes.
pub fn softmax_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let classes = *logits.shape().last().ok_or_else(|| {
        Error::Shape(
            "softmax_cross_entropy: logits need a last axis of classes, got shape []".into(),
        )
    })?;
    let numbers = targets.shape() == &logits.shape()[..logits.ndim() - 1];
    let targets = if numbers {
        targets.try_one_hot(classes)?
    } else {
        targets.clone()
    };
    let (logits, targets) = same_float(logits, &targets);
    apply(SoftmaxCrossEntropy, &[&logits, &targets])
}

/// The binary cross-entropy of each sample, the mean over the last axis, from logits (what the
/// sigmoid would be applied to): `max(z, 0) - z·t + ln(1 + e^-|z|)`.
///
/// # Shapes
/// `logits` and `targets` `[…, outputs]`, alike; returns `[…]`: one loss a sample.
///
/// # Errors
/// [`Error::Shape`] for targets of another shape.
pub fn sigmoid_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let (logits, targets) = same_float(logits, targets);
    apply(SigmoidCrossEntropy, &[&logits, &targets])
}

fn per_sample(name: &str, inputs: &[&[usize]]) -> Result<Vec<usize>> {
    match inputs {
        [logits, targets] if logits == targets && !logits.is_empty() => {
            Ok(logits[..logits.len() - 1].to_vec())
        }
        _ => Err(Error::Shape(format!(
            "{name}: logits of shape {:?} need targets of the same shape, with at least one axis, \
             got {:?}",
            inputs[0], inputs[1]
        ))),
    }
}

/// One number for each pair of rows of the last axis, by a closure that is `#[inline(always)]`.
#[inline(always)]
fn by_samples<T: Real>(
    z: &[T],
    t: &[T],
    row: usize,
    losses: &mut [T],
    loss: impl Fn(&[T], &[T]) -> T + Sync,
) {
    chunks(losses, 1, Cost::Costly, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                for (index, to) in piece.iter_mut().enumerate() {
                    let at = (start + index) * row;
                    *to = loss(&z[at..at + row], &t[at..at + row]);
                }
            },
        );
    });
}

/// [`softmax_cross_entropy`] of rows of so many logits, into one loss for each.
pub(crate) fn softmax_losses<T: Real>(z: &[T], t: &[T], row: usize, losses: &mut [T]) {
    // By its name it would be called through a shim, which has no wider instructions.
    by_samples(
        z,
        t,
        row,
        losses,
        #[inline(always)]
        |z, t| softmax_loss(z, t),
    );
}

/// [`sigmoid_cross_entropy`] of rows of so many logits, into one loss for each.
pub(crate) fn sigmoid_losses<T: Real>(z: &[T], t: &[T], row: usize, losses: &mut [T]) {
    by_samples(
        z,
        t,
        row,
        losses,
        #[inline(always)]
        |z, t| mean_of(z, t),
    );
}

/// See [`softmax_cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftmaxCrossEntropy;

impl Rule for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        per_sample(self.name(), inputs)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let row = inputs[0].shape()[shape.len()];
        let samples = shape.iter().product();
        float2!(inputs[0], inputs[1], (z, t) => with_slice(z, |z| with_slice(t, |t| {
            let mut losses = buffers::any(samples);
            softmax_losses(z, t, row, &mut losses);
            Tensor::from_values(shape, losses)
        })))
    }

    /// `∂z = g · (softmax(z)·Σt - t)`, `∂t = -g · log_softmax(z)`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let (z, t) = (&step.inputs[0], &step.inputs[1]);
        let to_logits = |g: &Tensor| {
            float2!(z, t, (zs, ts) => {
                let g = g.to_array();
                with_slice(zs, |zs| with_slice(ts, |ts| with_slice(&g, |g| {
                    Tensor::from_values(z.shape(), logit_gradient(zs, ts, g))
                })))
            })
        };
        step.each(|side| match side {
            0 if step.recorded(gradient) => {
                (z.softmax(-1) * t.sum_axis_keep(-1) - t) * gradient.expand_dims(-1)
            }
            0 => to_logits(gradient),
            _ => -(gradient.expand_dims(-1) * z.log_softmax(-1)),
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

#[inline(always)]
fn softmax_loss<T: Real>(z: &[T], t: &[T]) -> T {
    let (largest, rest) = log_sum_exp(z);
    // A target of 0 contributes nothing, also where the logit is -∞.
    let present = z.iter().zip(t).filter(|(_, t)| !t.is_zero());
    present.map(|(&z, &t)| t * ((largest - z) + rest)).sum()
}

fn logit_gradient<T: Real>(z: &[T], t: &[T], g: &[T]) -> Vec<T> {
    let row = (z.len() / g.len().max(1)).max(1);
    let mut result = buffers::any(z.len());
    softmax_logit_gradient(z, t, row, |sample| g[sample], &mut result);
    result
}

/// The gradient of [`softmax_losses`] with respect to the logits, given that of each loss.
pub(crate) fn softmax_logit_gradient<T: Real>(
    z: &[T],
    t: &[T],
    row: usize,
    g: impl Fn(usize) -> T + Sync,
    result: &mut [T],
) {
    chunks(result, row, Cost::Costly, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                for (index, to) in piece.chunks_exact_mut(row).enumerate() {
                    let at = start + index * row;
                    softmax(&z[at..at + row], to);
                    let t = &t[at..at + row];
                    let total: T = t.iter().copied().sum();
                    for (to, &t) in to.iter_mut().zip(t) {
                        *to = g(at / row) * (*to * total - t);
                    }
                }
            },
        );
    });
}

/// See [`sigmoid_cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SigmoidCrossEntropy;

impl Rule for SigmoidCrossEntropy {
    fn name(&self) -> &'static str {
        "sigmoid_cross_entropy"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        per_sample(self.name(), inputs)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let row = inputs[0].shape()[shape.len()];
        let samples = shape.iter().product();
        float2!(inputs[0], inputs[1], (z, t) => with_slice(z, |z| with_slice(t, |t| {
            let mut losses = buffers::any(samples);
            sigmoid_losses(z, t, row, &mut losses);
            Tensor::from_values(shape, losses)
        })))
    }

    /// `∂z = g · (sigmoid(z) - t) / n`, `∂t = -g · z / n`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let (z, t) = (&step.inputs[0], &step.inputs[1]);
        let outputs = z.shape()[z.ndim() - 1].max(1) as f64;
        let g = gradient.expand_dims(-1) / outputs;
        step.each(|side| match side {
            0 if step.recorded(gradient) => (z.sigmoid() - t) * &g,
            0 => {
                let difference = float2!(z, t, (z, t) => {
                    Tensor::from_array(zip_same(z, t, #[inline(always)] |z, t| sigmoid(z) - t))
                });
                difference * &g
            }
            _ => -(z * &g),
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

#[inline(always)]
fn sigmoid_loss<T: Real>(z: T, t: T) -> T {
    z.max(T::zero()) - z * t + (-z.abs()).exp().ln_1p()
}

/// The mean of the losses of a row.
#[inline(always)]
fn mean_of<T: Real>(z: &[T], t: &[T]) -> T {
    let loss = |(&z, &t)| sigmoid_loss(z, t);
    let sum: T = z.iter().zip(t).map(loss).sum();
    sum / T::from_f64(z.len() as f64)
}
