//! `h = activation(x·W + h·U + b)`: Elman, 1990; Keras 3, `layers/rnn/simple_rnn.py`.

use super::backward::StepBack;
use super::forward::Step;
use super::matrix;
use crate::device::cpu::simd::widest;
use crate::device::cpu::{Nonlinearity, product_into};
use crate::tensor::Real;

pub(super) fn forward<T: Real>(step: Step<'_, T>, activation: Nonlinearity) {
    let units = step.pass.units;
    let (seen, kernel) = (
        matrix(step.seen, units),
        matrix(step.pass.recurrent_kernel, units),
    );
    product_into(step.gates, (units, 0), seen, kernel, true);
    widest(
        #[inline(always)]
        || {
            activation.apply(step.gates);
            step.after.copy_from_slice(step.gates);
        },
    );
}

pub(super) fn backward<T: Real>(mut step: StepBack<'_, T>, activation: Nonlinearity) {
    step.by_input.copy_from_slice(step.hidden);
    widest(
        #[inline(always)]
        || activation.times_slope(step.by_input, step.gates),
    );
    for row in 0..step.rows() {
        let range = row * step.pass.units..(row + 1) * step.pass.units;
        match step.counts(row) {
            true => step.hidden[range].fill(T::zero()),
            false => step.by_input[range].fill(T::zero()),
        }
    }
    step.pass_back();
}
