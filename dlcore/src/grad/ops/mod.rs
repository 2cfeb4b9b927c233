//! The operations: for each, in one place, the shape it gives, how it is computed, and its
//! gradient. Everything a tensor does that can be differentiated is one of these or made of them.

mod binary;
mod losses;
mod matrix;
mod moving;
mod normalize;
mod picking;
mod pointwise;
mod products;
mod recurrent;
mod reduce;
mod softmax;

use crate::device::cuda;
use crate::tensor::expect;
use crate::{Result, Tensor};

mod conv;
mod extend;
mod pool;

pub(crate) use conv::{Conv, ConvTranspose, DepthwiseConv, conv, conv_transpose, depthwise_conv};
pub(crate) use extend::{Repeat, crop, pad, padding, repeat};
pub(crate) use pool::{Pool, pool};

pub use losses::{sigmoid_cross_entropy, softmax_cross_entropy};
pub(crate) use matrix::dense_relu;
pub use matrix::{dense, dropout};
pub use normalize::{batch_norm, layer_norm};

pub(crate) use super::custom::Custom;
pub(crate) use binary::{
    Add, Div, Maximum, Minimum, Mul, Power, SquaredDifference, Sub, larger, smaller,
};
pub(crate) use losses::{SigmoidCrossEntropy, SoftmaxCrossEntropy};
pub(crate) use losses::{sigmoid_losses, softmax_logit_gradient, softmax_losses};
pub(crate) use matrix::{Dense, Matmul, indicator};
pub(crate) use moving::{BroadcastTo, Cast, Concat, Permute, Reshape};
pub(crate) use normalize::{BatchNorm, Channels, LayerNorm};
pub(crate) use picking::{Gather, ScatterRows, Slice, Unslice, Where, narrow};
pub(crate) use pointwise::{
    Abs, AddScalar, Ceil, Clip, Cos, DivScalar, Erf, Exp, Expm1, Floor, Log, Log1p, MulScalar, Neg,
    Pow, Reciprocal, Relu, Round, Rsqrt, Sigmoid, Sign, Sin, Softplus, Sqrt, Square, Tanh,
};
pub(crate) use pointwise::{Elu, Gelu, GeluTanh, LeakyRelu, Silu};
pub(crate) use pointwise::{sigmoid, sign};
pub(crate) use products::Products;
pub(crate) use recurrent::{Memory, Recurrent, Sides, recurrent};
pub(crate) use reduce::{CumSum, Extreme, Mean, Sum};
pub(crate) use softmax::{LogSoftmax, Softmax, softmax};

/// What an operation is. Float operands arrive dense and of one type; only [`Dense`] takes sparse
/// rows.
pub(crate) trait Rule {
    /// Its name in error messages.
    fn name(&self) -> &str;

    /// The shape of the result, or why the operands do not fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>>;

    /// The result, whose shape `shape` came from the rule above.
    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor;

    /// The gradient of each input that is wanted, given the result's.
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>>;

    /// Whether the gradient differentiates in turn: it is made of operations, at least where
    /// [`Step::recorded`] says that a tape watches. Where it is not, a tape that watches is told so.
    fn differentiable_twice(&self) -> bool {
        false
    }
}

/// A computation to be differentiated.
pub(crate) struct Step<'a> {
    pub(crate) inputs: &'a [Tensor],
    pub(crate) output: &'a Tensor,
    /// Which inputs need a gradient.
    pub(crate) wanted: &'a [bool],
}

impl Step<'_> {
    /// A gradient for each input, computed only where it is wanted.
    pub(crate) fn each(&self, gradient: impl Fn(usize) -> Tensor) -> Vec<Option<Tensor>> {
        fn each(wanted: &[bool], gradient: &dyn Fn(usize) -> Tensor) -> Vec<Option<Tensor>> {
            let wanted = wanted.iter().enumerate();
            wanted
                .map(|(index, &wanted)| wanted.then(|| gradient(index)))
                .collect()
        }
        each(self.wanted, &gradient)
    }

    /// Whether a tape watches the way back, for gradients of gradients.
    pub(crate) fn recorded(&self, gradient: &Tensor) -> bool {
        let mut tensors = self.inputs.iter().chain([self.output, gradient]);
        tensors.any(|tensor| tensor.node().is_some())
    }
}

macro_rules! op_table {
    ($($op:ident),* $(,)?) => {
        /// Every operation. One that is not listed here cannot be applied, and the gradient test
        /// fails for one that it has no check for.
        #[derive(Clone, Debug)]
        pub(crate) enum Op {
            $($op($op)),*
        }

        impl Op {
            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($op)),*];

            pub(crate) fn table_name(&self) -> &'static str {
                match self {
                    $(Op::$op(_) => stringify!($op)),*
                }
            }

            pub(crate) fn rule(&self) -> &dyn Rule {
                match self {
                    $(Op::$op(op) => op),*
                }
            }
        }

        $(impl From<$op> for Op {
            fn from(op: $op) -> Op {
                Op::$op(op)
            }
        })*
    };
}

op_table! {
    Add, Sub, Mul, Div, Maximum, Minimum,
    AddScalar, MulScalar, DivScalar, Neg, Abs, Sign, Square, Sqrt, Exp, Log, Pow, Clip,
    Relu, Sigmoid, Tanh, Softmax, LogSoftmax,
    Sum, Extreme,
    Reshape, Permute, Concat, Slice, Gather, Cast,
    Matmul, Dense, SoftmaxCrossEntropy, SigmoidCrossEntropy,
    Sin, Cos, Expm1, Log1p, Rsqrt, Reciprocal, Softplus, Erf, Floor, Ceil, Round, CumSum,
    BroadcastTo, Unslice, ScatterRows, Where, Custom, Power,
    LeakyRelu, Elu, Silu, Gelu, GeluTanh, BatchNorm, LayerNorm,
    Conv, ConvTranspose, DepthwiseConv, Pool, Repeat,
    Recurrent, Mean, SquaredDifference,
}

/// Applies an operation, recording it if an input is on a tape.
pub(crate) fn apply(op: impl Into<Op>, inputs: &[&Tensor]) -> Result<Tensor> {
    apply_op(op.into(), inputs)
}

/// [`apply`] for operations that fit any shape.
#[track_caller]
pub(crate) fn apply_any(op: impl Into<Op>, inputs: &[&Tensor]) -> Tensor {
    expect(apply_op(op.into(), inputs))
}

fn apply_op(op: Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let shape = with_each(
        inputs,
        |input| input.shape(),
        |shapes| op.rule().shape(shapes),
    )?;
    let output = match inputs.iter().any(|input| input.on_card().is_some()) {
        false => op.rule().forward(inputs, &shape),
        true => match cuda::forward(&op, inputs, &shape) {
            Some(output) => output?,
            None => cuda::fallback::during(op.table_name(), || op.rule().forward(inputs, &shape)),
        },
    };
    debug_assert_eq!(
        output.shape(),
        shape,
        "{}: shape rule and result differ",
        op.rule().name()
    );
    if inputs.iter().all(|input| input.node().is_none()) {
        return Ok(output);
    }
    Ok(super::record(op, inputs, output))
}

/// The gradient of each input that is wanted: on the card that what it is computed from is on, or else by the rule.
pub(crate) fn gradient(op: &Op, step: &Step<'_>, gradient: &Tensor) -> Result<Vec<Option<Tensor>>> {
    let mut known = step.inputs.iter().chain([step.output, gradient]);
    if !known.any(|tensor| tensor.on_card().is_some()) {
        return Ok(op.rule().gradient(step, gradient));
    }
    match cuda::gradient(op, step, gradient) {
        Some(shares) => shares,
        None => Ok(cuda::fallback::during(op.table_name(), || {
            op.rule().gradient(step, gradient)
        })),
    }
}

/// Calls `then` with what `of` says of each, on the stack where there are few, as nearly always.
pub(super) fn with_each<'a, I, T: Copy + Default, R>(
    items: &'a [I],
    of: impl Fn(&'a I) -> T,
    then: impl FnOnce(&[T]) -> R,
) -> R {
    let mut few = [T::default(); 4];
    match few.get_mut(..items.len()) {
        Some(few) => {
            for (place, item) in few.iter_mut().zip(items) {
                *place = of(item);
            }
            then(few)
        }
        None => then(&items.iter().map(of).collect::<Vec<T>>()),
    }
}

/// Sums a gradient over the axes along which an operand of shape `shape` was repeated.
pub(crate) fn unbroadcast(gradient: Tensor, shape: &[usize]) -> Tensor {
    if gradient.shape() == shape {
        return gradient;
    }
    let mut gradient = gradient;
    let added = gradient.ndim() - shape.len();
    if added > 0 {
        let kept = gradient.shape()[added..].to_vec();
        let rows: usize = gradient.shape()[..added].iter().product();
        gradient = gradient.reshape([&[rows], &kept[..]].concat()).sum_axis(0);
    }
    for (axis, &length) in shape.iter().enumerate() {
        if length == 1 && gradient.shape()[axis] != 1 {
            gradient = gradient.sum_axis_keep(axis as isize);
        }
    }
    gradient
}

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod tests;
