//! `h' = z·h + (1 − z)·g` with gates z (update) and r (reset) through the recurrent activation and the
//! candidate g through the activation: Cho et al., 2014; Keras 3, `layers/rnn/gru.py`.
//!
//! `reset_after`: `g = activation(x·W + r · (h·U + b'))`, which one matrix product a step suffices for;
//! otherwise, as in the paper and in Keras of 2017, `g = activation(x·W + (r·h)·U)`.

use ndarray::s;

use super::backward::StepBack;
use super::forward::{Step, fill_rows};
use super::matrix;
use crate::device::cpu::simd::widest;
use crate::device::cpu::{Nonlinearity, product_into};
use crate::tensor::Real;

pub(super) fn forward<T: Real>(
    step: Step<'_, T>,
    activation: Nonlinearity,
    recurrent: Nonlinearity,
    reset_after: bool,
) {
    match reset_after {
        true => forward_after(step, activation, recurrent),
        false => forward_before(step, activation, recurrent),
    }
}

fn forward_after<T: Real>(step: Step<'_, T>, activation: Nonlinearity, recurrent: Nonlinearity) {
    let (units, columns) = (step.pass.units, 3 * step.pass.units);
    let inner = step.scratch;
    let biased = fill_rows(inner, step.pass.biases().1);
    step.pass.recurrent_product(inner, step.seen, 0..3, biased);
    widest::<T, _>(
        #[inline(always)]
        || {
            let rows = step.gates.chunks_exact_mut(columns);
            let rows = rows.zip(inner.chunks_exact(columns));
            let states = step.before.chunks_exact(units);
            let states = states.zip(step.after.chunks_exact_mut(units));
            let extras = step.extra.chunks_exact_mut(units);
            for (((row, inner), (before, after)), extra) in rows.zip(states).zip(extras) {
                let (gates, candidate) = row.split_at_mut(2 * units);
                for (gate, &inner) in gates.iter_mut().zip(inner) {
                    *gate += inner;
                }
                recurrent.apply(gates);
                extra.copy_from_slice(&inner[2 * units..]);
                let (update, reset) = gates.split_at(units);
                for unit in 0..units {
                    candidate[unit] += reset[unit] * extra[unit];
                }
                activation.apply(candidate);
                mix(after, before, update, candidate);
            }
        },
    );
}

fn forward_before<T: Real>(step: Step<'_, T>, activation: Nonlinearity, recurrent: Nonlinearity) {
    let (units, columns) = (step.pass.units, 3 * step.pass.units);
    let kernel = matrix(step.pass.recurrent_kernel, columns);
    let last = s![.., 2 * units..];
    step.pass
        .recurrent_product(step.gates, step.seen, 0..2, true);
    // As the candidate's gate sees it, which is the last.
    let seen = &step.seen[step.seen.len() - step.before.len()..];
    let resets = &mut step.scratch[..seen.len()];
    widest::<T, _>(
        #[inline(always)]
        || {
            let rows = step.gates.chunks_exact_mut(columns);
            let seen = seen.chunks_exact(units);
            for ((row, seen), to) in rows.zip(seen).zip(resets.chunks_exact_mut(units)) {
                recurrent.apply(&mut row[..2 * units]);
                let reset = &row[units..2 * units];
                for unit in 0..units {
                    to[unit] = reset[unit] * seen[unit];
                }
            }
        },
    );
    let resets = matrix(resets, units);
    product_into(
        step.gates,
        (columns, 2 * units),
        resets,
        kernel.slice(last),
        true,
    );
    widest::<T, _>(
        #[inline(always)]
        || {
            let rows = step.gates.chunks_exact_mut(columns);
            let states = step.before.chunks_exact(units);
            let states = states.zip(step.after.chunks_exact_mut(units));
            for (row, (before, after)) in rows.zip(states) {
                let (gates, candidate) = row.split_at_mut(2 * units);
                activation.apply(candidate);
                mix(after, before, &gates[..units], candidate);
            }
        },
    );
}

#[inline(always)]
fn mix<T: Real>(after: &mut [T], before: &[T], update: &[T], candidate: &[T]) {
    for unit in 0..after.len() {
        let z = update[unit];
        after[unit] = z * before[unit] + (T::one() - z) * candidate[unit];
    }
}

/// With the gradient `∂h'`: `∂z = ∂h' · (h − g)`, `∂g = ∂h' · (1 − z)`, each times the slope of its
/// activation, and directly `∂h = ∂h' · z`; then `∂r` by how the reset gate came in.
pub(super) fn backward<T: Real>(
    mut step: StepBack<'_, T>,
    activation: Nonlinearity,
    recurrent: Nonlinearity,
    reset_after: bool,
) {
    widest::<T, _>(
        #[inline(always)]
        || {
            for row in 0..step.rows() {
                backward_row(&mut step, row, activation, recurrent, reset_after);
            }
        },
    );
    match reset_after {
        true => step.pass_back(),
        false => backward_before(step, recurrent),
    }
}

#[inline(always)]
fn backward_row<T: Real>(
    step: &mut StepBack<'_, T>,
    row: usize,
    activation: Nonlinearity,
    recurrent: Nonlinearity,
    reset_after: bool,
) {
    let units = step.pass.units;
    let (range, wide) = (
        row * units..(row + 1) * units,
        row * 3 * units..(row + 1) * 3 * units,
    );
    let result = &mut step.by_input[wide.clone()];
    if !step.chunk.counts(row, step.step) {
        result.fill(T::zero());
        if reset_after {
            step.by_recurrent[wide].fill(T::zero());
        }
        return;
    }
    let gates = &step.gates[wide.clone()];
    let (update, reset, candidate) = (
        &gates[..units],
        &gates[units..2 * units],
        &gates[2 * units..],
    );
    let (before, hidden) = (&step.before[range.clone()], &mut step.hidden[range.clone()]);
    let (by_gates, by_candidate) = result.split_at_mut(2 * units);
    let (by_update, by_reset) = by_gates.split_at_mut(units);
    for unit in 0..units {
        let gradient = hidden[unit];
        by_update[unit] = gradient * (before[unit] - candidate[unit]);
        by_candidate[unit] = gradient * (T::one() - update[unit]);
        hidden[unit] = gradient * update[unit];
    }
    recurrent.times_slope(by_update, update);
    activation.times_slope(by_candidate, candidate);
    if reset_after {
        let (inner, by_recurrent) = (&step.extra[range], &mut step.by_recurrent[wide]);
        for unit in 0..units {
            by_reset[unit] = by_candidate[unit] * inner[unit];
            by_recurrent[2 * units + unit] = by_candidate[unit] * reset[unit];
        }
        recurrent.times_slope(by_reset, reset);
        by_recurrent[..2 * units].copy_from_slice(by_gates);
    }
}

/// `∂(r·h) = ∂g·Uᵀ`, of which come `∂r` and a part of `∂h`.
fn backward_before<T: Real>(mut step: StepBack<'_, T>, recurrent: Nonlinearity) {
    let (units, columns) = (step.pass.units, 3 * step.pass.units);
    let kernel = matrix(step.pass.recurrent_kernel, columns);
    let (both, last) = (s![.., ..2 * units], s![.., 2 * units..]);
    let by_candidate = matrix(step.by_input, columns);
    let (by_candidate, back) = (by_candidate.slice(last), kernel.slice(last));
    product_into(step.scratch, (units, 0), by_candidate, back.t(), false);
    widest::<T, _>(
        #[inline(always)]
        || {
            let rows = step.by_input.chunks_exact_mut(columns);
            let rows = rows.zip(step.gates.chunks_exact(columns));
            let seen = step.seen.chunks_exact(units);
            let products = step.scratch.chunks_exact_mut(units);
            for (((result, gates), seen), product) in rows.zip(seen).zip(products) {
                let (by_reset, reset) = (&mut result[units..2 * units], &gates[units..2 * units]);
                for unit in 0..units {
                    by_reset[unit] = product[unit] * seen[unit];
                    product[unit] *= reset[unit];
                }
                recurrent.times_slope(by_reset, reset);
            }
        },
    );
    if step.pass.masks() == 1 {
        let by_gates = matrix(step.by_input, columns);
        let (by_gates, back) = (by_gates.slice(both), kernel.slice(both));
        product_into(step.scratch, (units, 0), by_gates, back.t(), true);
        step.add_scratch(0);
        return;
    }
    step.add_scratch(2);
    for gate in 0..2 {
        let own = s![.., gate * units..(gate + 1) * units];
        let by_gate = matrix(step.by_input, columns);
        let (by_gate, back) = (by_gate.slice(own), kernel.slice(own));
        product_into(step.scratch, (units, 0), by_gate, back.t(), false);
        step.add_scratch(gate);
    }
}
