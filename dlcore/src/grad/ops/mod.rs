//! The operations: for each, in one place, the shape it gives, how it is computed, and its
//! gradient. Everything a tensor does that can be differentiated is one of these or made of them.

mod binary;
mod losses;
mod matrix;
mod moving;
mod pointwise;
mod recurrent;
mod reduce;
mod softmax;

use crate::tensor::expect;
use crate::{Result, Tensor};

pub use losses::{sigmoid_cross_entropy, softmax_cross_entropy};
pub use matrix::{dense, dropout};

pub(crate) use binary::{Add, Div, Maximum, Minimum, Mul, Sub, larger, smaller};
pub(crate) use losses::{SigmoidCrossEntropy, SoftmaxCrossEntropy};
pub(crate) use matrix::{Dense, Matmul};
pub(crate) use moving::{Cast, Concat, Gather, Permute, Reshape, Slice};
pub(crate) use pointwise::{
    Abs, AddScalar, Clip, DivScalar, Exp, Log, MulScalar, Neg, Pow, Relu, Sigmoid, Sign, Sqrt,
    Square, Tanh,
};
pub(crate) use recurrent::{Memory, Recurrent, Sides, recurrent};
pub(crate) use reduce::{Extreme, Sum};
pub(crate) use softmax::{LogSoftmax, Softmax};

/// What an operation is. Float operands arrive dense and of one type; only [`Dense`] takes sparse
/// rows.
pub(crate) trait Rule {
    /// Its name in error messages.
    fn name(&self) -> &'static str;

    /// The shape of the result, or why the operands do not fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>>;

    /// The result, whose shape `shape` came from the rule above.
    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor;

    /// The gradient of each input that is wanted, given the result's.
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>>;
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
        let wanted = self.wanted.iter().enumerate();
        wanted
            .map(|(index, &wanted)| wanted.then(|| gradient(index)))
            .collect()
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

            #[cfg(test)]
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
    Recurrent,
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
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape()).collect();
    let shape = op.rule().shape(&shapes)?;
    let output = op.rule().forward(inputs, &shape);
    debug_assert_eq!(
        output.shape(),
        shape,
        "{}: shape rule and result differ",
        op.rule().name()
    );
    if inputs.iter().all(|input| input.node().is_none()) {
        return Ok(output);
    }
    super::record(op, inputs, output)
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
mod tests;
