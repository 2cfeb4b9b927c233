//! What a layer does in a training step that no tape records: its part of `models/chain.rs`.
//!
//! A plan is made for batches of one size. All that it writes to is handed to it or was made with it, so that a
//! step asks for no memory. It calls the kernels that the layer's operations call, in the same order, so that
//! the numbers are the tape's.

mod conv;
mod dense;
mod dropout;
mod embedding;
mod flatten;
mod normalize;
mod pool;
mod recurrent;

use ndarray::ArrayView2;

pub(in crate::layers) use self::conv::Conv;
pub(in crate::layers) use self::dense::Dense;
pub(in crate::layers) use self::dropout::Dropout;
pub(in crate::layers) use self::embedding::Embedding;
pub(in crate::layers) use self::flatten::Flatten;
pub(in crate::layers) use self::normalize::Normalize;
pub(in crate::layers) use self::pool::Pool;
pub(in crate::layers) use self::recurrent::Recurrent;
use super::Layer;
use crate::Tensor;
use crate::device::cpu::{self, Cost, vectorised};
use crate::grad::ops;
use crate::tensor::Storage;

/// What a plan is made for: a batch of single precision.
pub struct Input<'a> {
    /// The batch first.
    pub(crate) shape: &'a [usize],
    pub(crate) is_sparse: bool,
}

impl Input<'_> {
    /// Elements of the batch.
    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The shape of a sample.
    pub(crate) fn sample(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or_default()
    }
}

/// A layer's part of a step.
pub trait Plan: Send + Sync {
    /// The shape of its output, the batch first.
    fn shape(&self) -> &[usize];

    /// Whether the layer still does what was planned; its weights are looked at apart.
    fn holds(&self, layer: &dyn Layer) -> bool {
        let _ = layer;
        true
    }

    /// Writes the output; false where the layer does not take this input.
    fn forward(&mut self, step: Forward<'_>) -> bool;

    /// Writes the gradients.
    fn backward(&mut self, step: Backward<'_>);

    /// Elements of all that it keeps from step to step.
    fn elements(&self) -> usize {
        0
    }

    /// Whether all of it is loops that count denormals as zero.
    fn flushes(&self) -> bool {
        false
    }

    /// Whether the output is the input in another shape.
    fn only_reshapes(&self) -> bool {
        false
    }

    /// Whether the layer is told something on the way forwards that it takes over once the step is made.
    fn notes(&self) -> bool {
        false
    }
}

/// The way forwards. All is dense, of single precision and in row-major order, but that `x` of the first layer may be
/// sparse rows.
pub struct Forward<'a> {
    pub(crate) x: &'a Tensor,
    pub(crate) weights: &'a [&'a [f32]],
    pub(crate) y: &'a mut [f32],
}

/// The way back.
pub struct Backward<'a> {
    pub(crate) x: &'a Tensor,
    pub(crate) weights: &'a [&'a [f32]],
    pub(crate) y: &'a [f32],
    /// That of the output, which may be changed.
    pub(crate) gradient: &'a mut [f32],
    /// None where nobody needs it.
    pub(crate) by_x: Option<&'a mut [f32]>,
    pub(crate) by_weights: &'a mut [Tensor],
}

impl Backward<'_> {
    /// Makes the output's gradient that of what went into a relu.
    fn through_relu(&mut self) {
        let y = self.y;
        cpu::chunks(self.gradient, 1, Cost::Cheap, &|start, piece| {
            vectorised(
                #[inline(always)]
                || {
                    for (g, &y) in piece.iter_mut().zip(&y[start..]) {
                        *g *= ops::indicator(y);
                    }
                },
            );
        });
    }
}

/// The elements of a tensor that is dense, of single precision, in row-major order and on no tape.
pub(crate) fn plain_of(tensor: &Tensor) -> Option<&[f32]> {
    single_of(tensor).filter(|_| tensor.node().is_none())
}

/// The elements of a tensor of single precision in row-major order.
pub(crate) fn single_of(tensor: &Tensor) -> Option<&[f32]> {
    // What is on a card stays there.
    match tensor.on_card().is_none().then(|| tensor.storage()) {
        Some(Storage::F32(values)) => values.as_slice(),
        _ => None,
    }
}

/// The elements, to be written: of a copy, if somebody else holds the tensor, too.
pub(crate) fn single_mut(tensor: &mut Tensor) -> &mut [f32] {
    let Storage::F32(values) = tensor.storage_mut() else {
        unreachable!("all that a chain makes is dense and of single precision");
    };
    let values = values.as_slice_mut();
    values.expect("what a chain makes is in row-major order")
}

/// What a step of a chain can count on.
fn values(tensor: &Tensor) -> &[f32] {
    single_of(tensor).expect("a chain has seen that it is plain")
}

/// A buffer in row-major order as a matrix of so many columns.
fn matrix(values: &[f32], columns: usize) -> ArrayView2<'_, f32> {
    let rows = values.len() / columns.max(1);
    ArrayView2::from_shape((rows, columns), values).expect("whole rows")
}
