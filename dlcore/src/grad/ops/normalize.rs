//! Batch and layer normalization, each one operation: composed of others they would read and write
//! the whole tensor a dozen times.

use std::sync::Arc;

use super::{Rule, Step, apply};
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
            let (mean, variance) = cpu::column_moments(values, width);
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

    /// Mean and `1 / √(variance + epsilon)` of each channel.
    fn statistics<T: Real>(&self) -> (Vec<T>, Vec<T>) {
        let inverse = |v: T| T::one() / (v + T::from_f64(self.epsilon)).sqrt();
        let [mean, variance] = &*self.moments;
        let variance = variance.to_vec_of::<T>();
        let inverses = variance.into_iter().map(inverse).collect();
        (mean.to_vec_of(), inverses)
    }

    fn run<T: Real>(&self, x: &[T], gamma: &[T], beta: &[T]) -> Vec<T> {
        let (mean, inverse) = self.statistics::<T>();
        let scale: Vec<T> = gamma.iter().zip(inverse).map(|(&g, i)| g * i).collect();
        let shift = beta.iter().zip(&mean).zip(&scale);
        let shift: Vec<T> = shift.map(|((&b, &m), &s)| b - m * s).collect();
        cpu::scale_columns(x, &scale, &shift)
    }

    /// `∂beta = Σ g`, `∂gamma = Σ g·x̂`, `∂x = gamma · inverse · (g - (Σ g + x̂ · Σ g·x̂) / rows)`,
    /// of which the last is `g·a + x·b + c` for each channel.
    fn gradients<T: Real>(&self, g: &[T], x: &[T], gamma: &[T], wanted: &[bool]) -> [Vec<T>; 3] {
        let (mean, inverse) = self.statistics::<T>();
        let (plain, product) = cpu::column_gradient_sums(g, x, &mean, &inverse);
        if !wanted[0] {
            return [Vec::new(), product, plain];
        }
        let rows = T::from_f64((x.len() / mean.len().max(1)) as f64);
        let channels = 0..mean.len();
        let a: Vec<T> = channels.clone().map(|c| gamma[c] * inverse[c]).collect();
        let b = channels
            .clone()
            .map(|c| -a[c] * inverse[c] * product[c] / rows);
        let b: Vec<T> = b.collect();
        let c: Vec<T> = channels
            .map(|c| -a[c] * plain[c] / rows - b[c] * mean[c])
            .collect();
        [cpu::combine_columns(g, x, [&a, &b, &c]), product, plain]
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
            Tensor::from_values(shape, self.run(x, gamma, beta))
        })
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        slices!(gradient, step.inputs[0], step.inputs[1], (g, x, gamma) => {
            shaped(step, self.gradients(g, x, gamma, step.wanted))
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
