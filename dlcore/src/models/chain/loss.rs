//! The losses used most, straight from a chain's output to its gradient.
//!
//! Each computes what the operations of `losses` and their gradients compute, in the same order and under
//! the same treatment of denormals, so that the numbers are the same to the last bit.

use super::anything;
use crate::Tensor;
use crate::device::cpu::{self, Cost, vectorised};
use crate::grad::ops;
use crate::layers::plan::{single_mut, single_of};
use crate::losses::Kind;
use crate::models::objective::Objective;
use crate::tensor::Storage;

/// A loss of predictions, or of the logits that the last layer leaves to it.
#[derive(Clone, Copy)]
enum Formula {
    Squared,
    Absolute,
    /// The binary cross-entropy of logits.
    Sigmoid,
    /// The categorical cross-entropy of logits, of labels that are distributions or the numbers of classes.
    Softmax,
}

/// A loss, and what it writes to.
pub(super) struct OwnLoss {
    formula: Formula,
    /// The loss of each output, or of each sample.
    terms: Vec<f32>,
    predictions: Tensor,
    /// The numbers of classes as distributions; empty for labels that are these already.
    one_hot: Vec<f32>,
}

impl OwnLoss {
    /// The objective's loss, if it is one of these and its labels need no preparation.
    pub(super) fn of(
        objective: &Objective,
        logits: bool,
        y: &Tensor,
        output: &Tensor,
    ) -> Option<OwnLoss> {
        let formula = match (&objective.loss.kind, logits) {
            (Kind::MeanSquaredError, false) => Formula::Squared,
            (Kind::MeanAbsoluteError, false) => Formula::Absolute,
            (Kind::BinaryCrossentropy, true) => Formula::Sigmoid,
            (Kind::CategoricalCrossentropy, true) => Formula::Softmax,
            (Kind::SparseCategoricalCrossentropy, true) => Formula::Softmax,
            _ => return None,
        };
        let plain = objective.weight == 1.0 && objective.loss.takes_labels_as_they_are();
        let (labels, outputs) = (&y.shape()[1..], &output.shape()[1..]);
        let numbers = objective.loss.takes_class_numbers();
        let alike = match outputs {
            [before @ .., _] if numbers => labels == before,
            [before @ .., 1] => labels == outputs || labels == before,
            _ => labels == outputs,
        };
        let known = match y.storage() {
            Storage::F32(_) => !numbers,
            Storage::I64(_) => numbers,
            _ => false,
        };
        let (row, count) = (*outputs.last()?, output.len());
        if !plain || !alike || count == 0 || !known {
            return None;
        }
        let (terms, predictions) = match formula {
            Formula::Squared | Formula::Absolute => (count, &[0][..]),
            Formula::Sigmoid | Formula::Softmax => (count / row, output.shape()),
        };
        Some(OwnLoss {
            formula,
            terms: vec![0.0; terms],
            predictions: anything(predictions),
            one_hot: vec![0.0; if numbers { count } else { 0 }],
        })
    }

    /// The mean loss.
    pub(super) fn value(&mut self, y: &Tensor, output: &Tensor) -> f64 {
        let row = output.len() / self.terms.len();
        if let Storage::I64(classes) = y.storage() {
            self.one_hot.fill(0.0);
            // That there are such classes was seen before training.
            for (to, &class) in self.one_hot.chunks_exact_mut(row).zip(classes) {
                to[class as usize] = 1.0;
            }
        }
        let (p, t) = both(output, y, &self.one_hot);
        match self.formula {
            Formula::Squared => each(
                &mut self.terms,
                (p, t),
                #[inline(always)]
                |p, t| (p - t) * (p - t),
            ),
            Formula::Absolute => each(
                &mut self.terms,
                (p, t),
                #[inline(always)]
                |p, t| (p - t).abs(),
            ),
            Formula::Sigmoid => ops::sigmoid_losses(p, t, row, &mut self.terms),
            Formula::Softmax => ops::softmax_losses(p, t, row, &mut self.terms),
        }
        f64::from(cpu::sum_all(&self.terms) / self.terms.len() as f32)
    }

    /// What the metrics are told.
    pub(super) fn predictions<'a>(&'a mut self, output: &'a Tensor) -> &'a Tensor {
        let values = single_of(output).expect("in row-major order");
        let row = values.len() / self.terms.len();
        match self.formula {
            Formula::Squared | Formula::Absolute => return output,
            Formula::Sigmoid => {
                let to = single_mut(&mut self.predictions);
                cpu::chunks(to, 1, Cost::Costly, &|start, piece| {
                    vectorised(
                        #[inline(always)]
                        || {
                            for (to, &z) in piece.iter_mut().zip(&values[start..]) {
                                *to = ops::sigmoid(z);
                            }
                        },
                    );
                });
            }
            Formula::Softmax => {
                let to = single_mut(&mut self.predictions);
                cpu::chunks(to, row, Cost::Costly, &|start, piece| {
                    vectorised(
                        #[inline(always)]
                        || {
                            for (index, to) in piece.chunks_exact_mut(row).enumerate() {
                                ops::softmax(&values[start + index * row..][..row], to);
                            }
                        },
                    );
                });
            }
        }
        &self.predictions
    }

    /// The gradient of the mean loss with respect to the output.
    pub(super) fn gradient(&self, y: &Tensor, output: &Tensor, gradient: &mut [f32]) {
        let (p, t) = both(output, y, &self.one_hot);
        let row = p.len() / self.terms.len();
        // Each term's share of the mean.
        let share = 1.0 / self.terms.len() as f32;
        match self.formula {
            Formula::Squared => each(
                gradient,
                (p, t),
                #[inline(always)]
                move |p, t| share * ((p - t) + (p - t)),
            ),
            Formula::Absolute => each(
                gradient,
                (p, t),
                #[inline(always)]
                move |p, t| share * ops::sign(p - t),
            ),
            Formula::Sigmoid => {
                let share = share / row as f32;
                cpu::chunks(gradient, 1, Cost::Costly, &|start, piece| {
                    vectorised(
                        #[inline(always)]
                        || {
                            let pairs = p[start..].iter().zip(&t[start..]);
                            for (to, (&z, &t)) in piece.iter_mut().zip(pairs) {
                                *to = (ops::sigmoid(z) - t) * share;
                            }
                        },
                    );
                });
            }
            Formula::Softmax => ops::softmax_logit_gradient(p, t, row, |_| share, gradient),
        }
    }
}

/// Outputs and labels.
fn both<'a>(output: &'a Tensor, y: &'a Tensor, one_hot: &'a [f32]) -> (&'a [f32], &'a [f32]) {
    let labels = match one_hot {
        [] => single_of(y),
        one_hot => Some(one_hot),
    };
    let values = single_of(output).zip(labels);
    values.expect("in row-major order")
}

/// `function` of each pair.
#[inline]
fn each(
    to: &mut [f32],
    (p, t): (&[f32], &[f32]),
    function: impl Fn(f32, f32) -> f32 + Sync + Copy,
) {
    cpu::chunks(to, 1, Cost::Cheap, &|start, piece| {
        vectorised(
            #[inline(always)]
            || {
                let own = function;
                let pairs = p[start..].iter().zip(&t[start..]);
                for (to, (&p, &t)) in piece.iter_mut().zip(pairs) {
                    *to = own(p, t);
                }
            },
        );
    });
}
