//! `c' = f·c + i·g`, `h = o · activation(c')` with gates i, f and o through the recurrent activation and
//! g through the activation: Hochreiter and Schmidhuber, 1997; Keras 3, `layers/rnn/lstm.py`.

use super::backward::StepBack;
use super::forward::Step;
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::simd::widest;
use crate::tensor::Real;

/// The four gates of a row.
#[inline(always)]
fn quarters<T>(gates: &[T]) -> [&[T]; 4] {
    let (first, second) = gates.split_at(gates.len() / 2);
    let ((i, f), (g, o)) = (
        first.split_at(first.len() / 2),
        second.split_at(second.len() / 2),
    );
    [i, f, g, o]
}

#[inline(always)]
fn quarters_mut<T>(gates: &mut [T]) -> [&mut [T]; 4] {
    let (first, second) = gates.split_at_mut(gates.len() / 2);
    let middle = first.len() / 2;
    let ((i, f), (g, o)) = (first.split_at_mut(middle), second.split_at_mut(middle));
    [i, f, g, o]
}

/// `a · b`, element by element. Loops that write one slice each are vectorised; one that writes several is not.
#[inline(always)]
fn products<T: Real>(to: &mut [T], a: &[T], b: &[T]) {
    for ((to, &a), &b) in to.iter_mut().zip(a).zip(b) {
        *to = a * b;
    }
}

pub(super) fn forward<T: Real>(
    step: Step<'_, T>,
    activation: Nonlinearity,
    recurrent: Nonlinearity,
) {
    let units = step.pass.units;
    let columns = 4 * units;
    step.pass
        .recurrent_product(step.gates, step.seen, 0..4, true);
    widest::<T, _>(
        #[inline(always)]
        || {
            let states = step.carry_before.chunks_exact(units);
            let states = states.zip(step.carry_after.chunks_exact_mut(units));
            let extras = step.extra.chunks_exact_mut(units);
            let outputs = extras.zip(step.after.chunks_exact_mut(units));
            let rows = step.gates.chunks_exact_mut(columns);
            for ((row, (before, after)), (squashed, hidden)) in rows.zip(states).zip(outputs) {
                recurrent.apply(&mut row[..2 * units]);
                activation.apply(&mut row[2 * units..3 * units]);
                recurrent.apply(&mut row[3 * units..]);
                let [i, f, g, o] = quarters(row);
                products(after, f, before);
                let fresh = after.iter_mut().zip(i).zip(g);
                for ((after, &i), &g) in fresh {
                    *after += i * g;
                }
                squashed.copy_from_slice(after);
                activation.apply(squashed);
                products(hidden, o, squashed);
            }
        },
    );
}

/// With `s = activation(c')` and the gradients `∂h` and `∂c'`:
///
/// `∂c' += ∂h · o · s'`, `∂o = ∂h · s`, `∂i = ∂c' · g`, `∂f = ∂c' · c`, `∂g = ∂c' · i`, `∂c = ∂c' · f`,
/// those of the gates each times the slope of its activation.
pub(super) fn backward<T: Real>(
    mut step: StepBack<'_, T>,
    activation: Nonlinearity,
    recurrent: Nonlinearity,
) {
    let units = step.pass.units;
    widest::<T, _>(
        #[inline(always)]
        || {
            for row in 0..step.rows() {
                let range = row * units..(row + 1) * units;
                let wide = row * 4 * units..(row + 1) * 4 * units;
                if !step.counts(row) {
                    step.by_input[wide].fill(T::zero());
                    continue;
                }
                let (gates, result) = (&step.gates[wide.clone()], &mut step.by_input[wide]);
                let squashed = &step.extra[range.clone()];
                let before = &step.carry_before[range.clone()];
                let (hidden, carry) = (&mut step.hidden[range.clone()], &mut step.carry[range]);
                let [i, f, g, o] = quarters(gates);
                let [di, df, dg, d_o] = quarters_mut(result);
                products(d_o, hidden, o);
                activation.times_slope(d_o, squashed);
                for (carry, &through_output) in carry.iter_mut().zip(&*d_o) {
                    *carry += through_output;
                }
                products(d_o, hidden, squashed);
                products(di, carry, g);
                products(df, carry, before);
                products(dg, carry, i);
                for (carry, &f) in carry.iter_mut().zip(f) {
                    *carry *= f;
                }
                recurrent.times_slope(&mut result[..2 * units], &gates[..2 * units]);
                activation.times_slope(&mut result[2 * units..3 * units], g);
                recurrent.times_slope(&mut result[3 * units..], o);
                hidden.fill(T::zero());
            }
        },
    );
    step.pass_back();
}
