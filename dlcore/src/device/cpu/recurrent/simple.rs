//! `h = activation(x·W + h·U + b)`: Elman, 1990; Keras 3, `layers/rnn/simple_rnn.py`.

use super::backward::StepBack;
use super::forward::Step;
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::simd::widest;
use crate::tensor::Real;

pub(super) fn forward<T: Real>(step: Step<'_, T>, activation: Nonlinearity) {
    step.pass
        .recurrent_product(step.gates, step.seen, 0..1, true);
    widest::<T, _>(
        #[inline(always)]
        || {
            activation.apply(step.gates);
            step.after.copy_from_slice(step.gates);
        },
    );
}

pub(super) fn backward<T: Real>(mut step: StepBack<'_, T>, activation: Nonlinearity) {
    step.by_input.copy_from_slice(step.hidden);
    widest::<T, _>(
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
