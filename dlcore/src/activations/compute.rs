//! What the functions compute, and which shapes they make.

use super::{Activation, unknown};
use crate::grad::ops::{self, Elu, Gelu, GeluTanh, LeakyRelu, Silu};
use crate::tensor::{SliceItem, expect};
use crate::{Error, Result, Tensor};

/// The slope of `leaky_relu` below 0.
const LEAK: f64 = 0.2;
/// What `hard_shrink` and `soft_shrink` take for small.
const SMALL: f64 = 0.5;
/// SELU's constants, by which a standard normal input gives a standard normal output.
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Activation {
    /// The activation of `x`.
    ///
    /// # Shapes
    /// any → the same; [`Activation::Glu`]: `[…, 2·n]` → `[…, n]`
    ///
    /// # Panics
    /// If the name is not known, or `x` has no shape that the function takes.
    #[track_caller]
    pub fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            Activation::Linear => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
            Activation::Elu | Activation::Celu => elu(x, 1.0),
            Activation::Selu => {
                let (alpha, scale) = (SELU_ALPHA, SELU_SCALE);
                pointwise(
                    Elu {
                        alpha,
                        scale,
                        rate: 1.0,
                    },
                    x,
                )
            }
            Activation::Sparsemax => sparsemax(&x.as_float()),
            Activation::Glu => glu(&x.as_float()),
            Activation::Gelu => pointwise(Gelu, x),
            Activation::GeluApproximate => pointwise(GeluTanh, x),
            Activation::Silu => pointwise(Silu, x),
            Activation::Mish => x * x.softplus().tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x / (x.abs() + 1.0),
            Activation::Exponential => x.exp(),
            Activation::HardSigmoid => hard_sigmoid(x),
            Activation::HardSigmoid2017 => (x * 0.2 + 0.5).clip(0.0, 1.0),
            Activation::HardSilu => x * hard_sigmoid(x),
            Activation::HardTanh => x.clip(-1.0, 1.0),
            Activation::HardShrink => {
                let x = x.as_float();
                let large = x.abs().greater(Tensor::from(SMALL as f32));
                &x * large.cast(x.dtype())
            }
            Activation::SoftShrink => x - x.clip(-SMALL, SMALL),
            Activation::TanhShrink => x - x.tanh(),
            Activation::LeakyRelu => leaky_relu(x, LEAK),
            Activation::Relu6 => x.clip(0.0, 6.0),
            Activation::LogSigmoid => -(-x.as_float()).softplus(),
            Activation::SparsePlus => (x + 1.0).clip(0.0, 2.0).square() / 4.0 + (x - 1.0).relu(),
            Activation::SparseSigmoid => (x + 1.0).clip(0.0, 2.0) / 2.0,
            Activation::Squareplus => (x + (x.as_float().square() + 4.0).sqrt()) / 2.0,
            Activation::Threshold {
                threshold,
                default_value,
            } => {
                let x = x.as_float();
                let default = x.detach().zeros_like() + *default_value;
                Tensor::where_(&x.greater(*threshold), &x, default)
            }
            Activation::Custom(own) => (own.function)(x),
            Activation::Unknown(name) => panic!("{}", unknown(name)),
        }
    }

    /// The shape that it makes of this one.
    ///
    /// # Errors
    /// [`Error::Shape`] for a shape that it does not take.
    pub(crate) fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        match (self, shape) {
            (Activation::Glu, [before @ .., both]) if *both > 0 && both % 2 == 0 => {
                Ok([before, &[both / 2]].concat())
            }
            (Activation::Glu, _) => Err(Error::Shape(format!(
                "glu: expected a last axis of two halves, so of an even length, got shape {shape:?}"
            ))),
            (Activation::Sparsemax | Activation::Softmax | Activation::LogSoftmax, []) => {
                let name = self.name();
                Err(Error::Shape(format!(
                    "{name}: expected at least one axis, got a single number"
                )))
            }
            _ => Ok(shape.to_vec()),
        }
    }
}

/// The first half of the last axis times the sigmoid of the second.
#[track_caller]
fn glu(x: &Tensor) -> Tensor {
    expect(Activation::Glu.output_shape(x.shape()));
    let middle = x.shape()[x.ndim() - 1] / 2;
    let values = x.slice((SliceItem::Ellipsis, ..middle));
    values * x.slice((SliceItem::Ellipsis, middle..)).sigmoid()
}

/// The elements above τ, less τ, where τ makes their sum 1. Which ones they are is seen from the sorted
/// row: the k largest for the last k for which `1 + k · x_k` is above the sum of the first k.
#[track_caller]
fn sparsemax(x: &Tensor) -> Tensor {
    expect(Activation::Sparsemax.output_shape(x.shape()));
    let sorted = x.detach().sort(-1).flip(-1);
    let sums = sorted.cumsum(-1);
    let length = sorted.shape()[sorted.ndim() - 1];
    let ranks = Tensor::arange(1.0, length as f64 + 1.0, 1.0).cast(x.dtype());
    let largest = (&sorted * ranks + 1.0).greater(&sums).cast(x.dtype());
    let threshold = |among: &Tensor, x: &Tensor| {
        ((x * among).sum_axis_keep(-1) - 1.0) / among.sum_axis_keep(-1)
    };
    let kept = x
        .detach()
        .greater(threshold(&largest, &sorted))
        .cast(x.dtype());
    (x - threshold(&kept, x)).relu()
}

#[track_caller]
fn pointwise(op: impl Into<ops::Op>, x: &Tensor) -> Tensor {
    ops::apply_any(op, &[&x.as_float()])
}

/// `x` above 0, `alpha · (exp(x) - 1)` below.
#[track_caller]
pub(crate) fn elu(x: &Tensor, alpha: f64) -> Tensor {
    let op = Elu {
        alpha,
        scale: 1.0,
        rate: 1.0,
    };
    pointwise(op, x)
}

/// `x` above 0, `slope · x` below.
#[track_caller]
pub(crate) fn leaky_relu(x: &Tensor, slope: f64) -> Tensor {
    let op = LeakyRelu {
        slope,
        threshold: 0.0,
        limit: f64::INFINITY,
    };
    pointwise(op, x)
}

#[track_caller]
fn hard_sigmoid(x: &Tensor) -> Tensor {
    (x + 3.0).clip(0.0, 6.0) / 6.0
}
