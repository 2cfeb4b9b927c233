//! Batch and layer normalization, each one operation: composed of others they would read and write
//! the whole tensor a dozen times.

use std::sync::Arc;

use super::{Rule, Step, apply};
use crate::device::cpu::buffers::{self, written};
use crate::device::{cpu, cuda};
use crate::tensor::{Real, float, with_slice};
use crate::{Error, Result, Tensor};

/// What [`batch_norm`] gives.
pub struct BatchNormalized {
    /// The normalized tensor, of the operand's shape.
    pub output: Tensor,
    /// The mean of each channel, `[channels]`; not recorded.
    pub mean: Tensor,
    /// The variance of each channel, `[channels]`; not recorded.
    pub variance: Tensor,
}

/// Each channel normalized by the batch's own mean and variance:
/// `gamma · (x - mean) / √(variance + epsilon) + beta`.
///
/// # Shapes
/// `x` `[…, channels]`, `gamma` and `beta` `[channels]`.
///
/// # Errors
/// [`Error::Shape`] if these do not fit.
///
/// Source: Ioffe and Szegedy, 2015.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
) -> Result<BatchNormalized> {
    let (x, gamma, beta) = operands(x, gamma, beta);
    per_column("batch_norm", &[x.shape(), gamma.shape(), beta.shape()])?;
    let width = gamma.len();
    let [mean, variance] = match cuda::column_moments(&x) {
        Some(moments) => moments?,
        None => float!(&x, array => with_slice(array, |values| {
            let (mut mean, mut variance) = (buffers::any(width), buffers::any(width));
            cpu::column_moments(values, &mut mean, &mut variance);
            [Tensor::from_values(&[width], mean), Tensor::from_values(&[width], variance)]
        })),
    };
    let op = BatchNorm {
        moments: Arc::new([mean.clone(), variance.clone()]),
        epsilon,
    };
    Ok(BatchNormalized {
        output: apply(op, &[&x, &gamma, &beta])?,
        mean,
        variance,
    })
}

/// Each row of the last axis normalized by its own mean and variance:
/// `gamma · (x - mean) / √(variance + epsilon) + beta`.
///
/// # Shapes
/// `x` `[…, features]`, `gamma` and `beta` `[features]`.
///
/// # Errors
/// [`Error::Shape`] if these do not fit.
///
/// Source: Ba, Kiros and Hinton, 2016.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f64) -> Result<Tensor> {
    let (x, gamma, beta) = operands(x, gamma, beta);
    apply(LayerNorm { epsilon }, &[&x, &gamma, &beta])
}

/// All of the type of `x`.
fn operands(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> (Tensor, Tensor, Tensor) {
    let x = x.as_float();
    let (gamma, beta) = (gamma.to_dense(), beta.to_dense());
    let dtype = x.dtype();
    (x, gamma.cast(dtype), beta.cast(dtype))
}

fn per_column(name: &str, inputs: &[&[usize]]) -> Result<Vec<usize>> {
    let (x, gamma, beta) = (inputs[0], inputs[1], inputs[2]);
    match (x, gamma, beta) {
        ([.., width], [g], [b]) if width == g && width == b => Ok(x.to_vec()),
        _ => Err(Error::Shape(format!(
            "{name}: input {x:?}, gamma {gamma:?} and beta {beta:?} do not fit: expected […, n], \
             [n] and [n]"
        ))),
    }
}

/// See [`batch_norm`].
#[derive(Clone, Debug)]
pub(crate) struct BatchNorm {
    /// Mean and variance of the operand, through which its gradient flows, too.
    moments: Arc<[Tensor; 2]>,
    epsilon: f64,
}

impl BatchNorm {
    /// Mean and variance of each channel.
    pub(crate) fn moments(&self) -> &[Tensor; 2] {
        &self.moments
    }

    /// What is added to the variance.
    pub(crate) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    fn channels<T: Real>(&self) -> Channels<T> {
        let [mean, variance] = &*self.moments;
        let mut channels = Channels::new(mean.to_vec_of(), variance.to_vec_of());
        channels.invert(self.epsilon);
        channels
    }
}

/// What a batch normalization knows of each channel.
pub(crate) struct Channels<T> {
    pub(crate) mean: Vec<T>,
    pub(crate) variance: Vec<T>,
    /// `1 / √(variance + epsilon)`
    inverse: Vec<T>,
    /// What elements are multiplied by and what is added, on either way.
    factors: [Vec<T>; 3],
    /// `Σ g`, then `Σ g·x̂`.
    pub(crate) sums: Vec<T>,
}

impl<T: Real> Channels<T> {
    pub(crate) fn new(mean: Vec<T>, variance: Vec<T>) -> Channels<T> {
        let zeros = |length| vec![T::zero(); length];
        let count = mean.len();
        Channels {
            mean,
            variance,
            inverse: zeros(count),
            factors: std::array::from_fn(|_| zeros(count)),
            sums: zeros(2 * count),
        }
    }

    /// Takes the inverses from the variances.
    pub(crate) fn invert(&mut self, epsilon: f64) {
        for (inverse, &variance) in self.inverse.iter_mut().zip(&self.variance) {
            *inverse = T::one() / (variance + T::from_f64(epsilon)).sqrt();
        }
    }

    /// `gamma · (x - mean) · inverse + beta`
    pub(crate) fn normalize(&mut self, x: &[T], gamma: &[T], beta: &[T], to: &mut [T]) {
        let [scale, shift, _] = &mut self.factors;
        for channel in 0..self.mean.len() {
            scale[channel] = gamma[channel] * self.inverse[channel];
            shift[channel] = beta[channel] - self.mean[channel] * scale[channel];
        }
        cpu::scale_columns(x, scale, shift, to);
    }

    /// `∂beta = Σ g` and `∂gamma = Σ g·x̂` into the sums, and into `by_x`, if it is wanted,
    /// `∂x = gamma · inverse · (g - (Σ g + x̂ · Σ g·x̂) / rows)`, which is `g·a + x·b + c` for each channel.
    pub(crate) fn gradients(&mut self, g: &[T], x: &[T], gamma: &[T], by_x: Option<&mut [T]>) {
        let (mean, inverse) = (&self.mean, &self.inverse);
        cpu::column_gradient_sums(g, x, mean, inverse, &mut self.sums);
        let Some(by_x) = by_x else { return };
        let (plain, product) = self.sums.split_at(mean.len());
        let rows = T::from_f64((x.len() / mean.len().max(1)) as f64);
        let [a, b, c] = &mut self.factors;
        for n in 0..mean.len() {
            a[n] = gamma[n] * inverse[n];
            b[n] = -a[n] * inverse[n] * product[n] / rows;
            c[n] = -a[n] * plain[n] / rows - b[n] * mean[n];
        }
        cpu::combine_columns(g, x, [a, b, c], by_x);
    }
}

/// Runs `$body` with slices of three float tensors of one type.
macro_rules! slices {
    ($a:expr, $b:expr, $c:expr, ($x:ident, $y:ident, $z:ident) => $body:expr) => {
        float!($a, a => {
            let (b, c) = ($b.to_array(), $c.to_array());
            with_slice(a, |$x| with_slice(&b, |$y| with_slice(&c, |$z| $body)))
        })
    };
}

/// A gradient for each operand, where it is wanted, from values in the operands' order.
fn shaped<T: Real>(step: &Step<'_>, values: [Vec<T>; 3]) -> Vec<Option<Tensor>> {
    let each = step.inputs.iter().zip(values).zip(step.wanted);
    each.map(|((input, values), &wanted)| {
        wanted.then(|| Tensor::from_values(input.shape(), values))
    })
    .collect()
}

impl Rule for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        per_column(self.name(), inputs)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        slices!(inputs[0], inputs[1], inputs[2], (x, gamma, beta) => {
            let values = written(x.len(), |to| {
                self.channels().normalize(x, gamma, beta, to);
            });
            Tensor::from_values(shape, values)
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        slices!(gradient, step.inputs[0], step.inputs[1], (g, x, gamma) => {
            let mut channels = self.channels();
            let mut by_x = buffers::any(if step.wanted[0] { x.len() } else { 0 });
            let wanted = step.wanted[0].then_some(by_x.as_mut_slice());
            channels.gradients(g, x, gamma, wanted);
            let by_gamma = channels.sums.split_off(gamma.len());
            shaped(step, [by_x, by_gamma, channels.sums])
        })
    }
}

/// See [`layer_norm`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm {
    epsilon: f64,
}

impl LayerNorm {
    /// What is added to the variance.
    pub(crate) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    fn run<T: Real>(&self, x: &[T], gamma: &[T], beta: &[T]) -> Vec<T> {
        let moments = cpu::row_moments(x, gamma.len(), T::from_f64(self.epsilon));
        cpu::scale_rows(x, &moments, gamma, beta)
    }

    /// `∂beta = Σ g`, `∂gamma = Σ g·x̂`, and of each row
    /// `∂x = inverse · (g·gamma - mean(g·gamma) - x̂ · mean(g·gamma·x̂))`.
    fn gradients<T: Real>(&self, g: &[T], x: &[T], gamma: &[T], wanted: &[bool]) -> [Vec<T>; 3] {
        let moments = cpu::row_moments(x, gamma.len(), T::from_f64(self.epsilon));
        let by_x = match wanted[0] {
            true => cpu::row_gradient(g, x, &moments, gamma),
            false => Vec::new(),
        };
        let (plain, product) = match wanted[1] || wanted[2] {
            true => cpu::row_gradient_sums(g, x, &moments, gamma.len()),
            false => (Vec::new(), Vec::new()),
        };
        [by_x, product, plain]
    }
}

impl Rule for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        per_column(self.name(), inputs)
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        slices!(inputs[0], inputs[1], inputs[2], (x, gamma, beta) => {
            Tensor::from_values(shape, self.run(x, gamma, beta))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        slices!(gradient, step.inputs[0], step.inputs[1], (g, x, gamma) => {
            shaped(step, self.gradients(g, x, gamma, step.wanted))
        })
    }
}
