//! Recurrent layers step by step, each step made of tensor operations: for whatever activations, and for
//! dropout that differs from gate to gate.

use std::ops::Range;

use super::super::Base;
use super::{Core, Form};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{DType, Tensor};

/// By what inputs `[batch, features]` and hidden states `[batch, units]` are multiplied on their way to
/// the kernels, at every step alike: by nothing, by one tensor for all gates, or by one for each.
#[derive(Default)]
pub(super) struct Drops {
    pub(super) input: Vec<Tensor>,
    pub(super) recurrent: Vec<Tensor>,
}

/// A kernel in parts of one gate or several, each with its part of the bias.
struct Kernel {
    parts: Vec<(Tensor, Option<Tensor>)>,
    drops: Vec<Tensor>,
}

impl Kernel {
    /// A kernel `[…, gates · units]` whose parts are of so many gates each; where every gate has a tensor
    /// of its own in `drops`, of one.
    fn new(
        kernel: &Tensor,
        bias: Option<&Tensor>,
        units: usize,
        gates: &[usize],
        drops: Vec<Tensor>,
    ) -> Kernel {
        let each = vec![1; gates.iter().sum()];
        let gates = if drops.len() > 1 { &each } else { gates };
        let mut at = 0;
        let mut parts = Vec::with_capacity(gates.len());
        for &gates in gates {
            let columns = at..at + gates * units;
            at = columns.end;
            let bias = bias.map(|bias| bias.slice(columns.clone()));
            parts.push((kernel.slice((.., columns)), bias));
        }
        Kernel { parts, drops }
    }

    /// `x · kernel + bias` of some parts, side by side.
    fn product(&self, x: &Tensor, parts: Range<usize>) -> Tensor {
        let of_part = |part: usize| {
            let drop = self.drops.get(part).or(self.drops.first());
            let x = drop.map_or_else(|| x.clone(), |drop| x * drop);
            let (kernel, bias) = &self.parts[part];
            expect(ops::dense(&x, kernel, bias.as_ref()))
        };
        let products: Vec<Tensor> = parts.map(of_part).collect();
        match &products[..] {
            [only] => only.clone(),
            several => Tensor::concat(&several.iter().collect::<Vec<_>>(), -1),
        }
    }

    fn len(&self) -> usize {
        self.parts.len()
    }
}

/// A layer ready to take steps.
pub(super) struct Stepwise<'a> {
    core: &'a Core,
    form: Form,
    dtype: DType,
    input: Kernel,
    recurrent: Kernel,
}

impl<'a> Stepwise<'a> {
    pub(super) fn new(core: &'a Core, base: &Base, form: Form, drops: Drops) -> Stepwise<'a> {
        let kernel = core.kernel.built(base).as_float();
        let dtype = kernel.dtype();
        let recurrent = core.recurrent.built(base).cast(dtype);
        let bias = core.bias.value.as_ref().map(|bias| bias.cast(dtype));
        let (input_bias, recurrent_bias) = match bias {
            Some(bias) if bias.ndim() == 2 => (Some(bias.get(0)), Some(bias.get(1))),
            bias => (bias, None),
        };
        let (units, gates) = (core.units, form.gates());
        // Such a layer needs the gates of a step before the candidate's product.
        let parts = match form {
            Form::Gru { reset_after: false } => vec![2, 1],
            _ => vec![gates],
        };
        let cast = |drops: Vec<Tensor>| drops.into_iter().map(move |drop| drop.cast(dtype));
        let over_steps = cast(drops.input).map(|drop| drop.expand_dims(1)).collect();
        let seen = cast(drops.recurrent).collect();
        Stepwise {
            core,
            form,
            dtype,
            input: Kernel::new(&kernel, input_bias.as_ref(), units, &[gates], over_steps),
            recurrent: Kernel::new(&recurrent, recurrent_bias.as_ref(), units, &parts, seen),
        }
    }

    /// Output and final states of a batch `[batch, steps, features]`.
    pub(super) fn run(
        &self,
        x: &Tensor,
        initial: &[Tensor],
        mask: Option<&Tensor>,
    ) -> (Tensor, Vec<Tensor>) {
        let x = x.to_dense().cast(self.dtype);
        let (batch, steps) = (x.shape()[0], x.shape()[1]);
        let mut inputs = steps_of(&self.input.product(&x, 0..self.input.len()));
        let mut states: Vec<Tensor> = initial.iter().map(|s| s.cast(self.dtype)).collect();
        if states.is_empty() {
            let zeros = Tensor::zeros([batch, self.core.units]).cast(self.dtype);
            states = vec![zeros; self.form.states()];
        }
        if self.core.go_backwards {
            inputs.reverse();
        }
        let mut outputs = Vec::new();
        for (step, input) in inputs.iter().enumerate() {
            let time = match self.core.go_backwards {
                true => steps - 1 - step,
                false => step,
            };
            let counts = mask.map(|mask| mask.slice((.., time..time + 1)));
            let after = self.step(input, &states);
            states = match &counts {
                Some(counts) => {
                    let pairs = after.iter().zip(&states);
                    let chosen = pairs.map(|(after, before)| Tensor::where_(counts, after, before));
                    chosen.collect()
                }
                None => after,
            };
            if self.core.return_sequences {
                outputs.push(match &counts {
                    Some(counts) if self.core.zero_output_for_mask => {
                        Tensor::where_(counts, &states[0], states[0].zeros_like().detach())
                    }
                    _ => states[0].clone(),
                });
            }
        }
        let output = match self.core.return_sequences {
            true => Tensor::stack(&outputs.iter().collect::<Vec<_>>(), 1),
            false => states[0].clone(),
        };
        (output, states)
    }

    /// The states after a step, given `x·kernel + bias` and those before; see [`LSTM`](super::super::LSTM),
    /// [`GRU`](super::super::GRU) and [`SimpleRNN`](super::super::SimpleRNN) for the formulas.
    fn step(&self, input: &Tensor, states: &[Tensor]) -> Vec<Tensor> {
        let hidden = &states[0];
        let squash = |x: &Tensor| self.core.activation.apply(x);
        let gate = |x: &Tensor| self.core.recurrent_activation.apply(x);
        let units = self.core.units;
        let part = |x: &Tensor, index: usize| x.slice((.., index * units..(index + 1) * units));
        let parts = self.recurrent.len();
        match self.form {
            Form::Simple => vec![squash(&(input + self.recurrent.product(hidden, 0..parts)))],
            Form::Lstm => {
                let z = input + self.recurrent.product(hidden, 0..parts);
                let (i, f) = (gate(&part(&z, 0)), gate(&part(&z, 1)));
                let (g, o) = (squash(&part(&z, 2)), gate(&part(&z, 3)));
                let carry = f * &states[1] + i * g;
                vec![o * squash(&carry), carry]
            }
            Form::Gru { reset_after } => {
                let through = match reset_after {
                    true => self.recurrent.product(hidden, 0..parts),
                    false => self.recurrent.product(hidden, 0..parts - 1),
                };
                let z = gate(&(part(input, 0) + part(&through, 0)));
                let r = gate(&(part(input, 1) + part(&through, 1)));
                let inner = match reset_after {
                    true => r * part(&through, 2),
                    false => self.recurrent.product(&(r * hidden), parts - 1..parts),
                };
                let candidate = squash(&(part(input, 2) + inner));
                vec![&z * hidden + (1.0 - &z) * candidate]
            }
        }
    }
}

/// Each timestep of a batch of sequences. It is cut in half over and over, since the gradient of a cut
/// is as large as what is cut: cut off one by one they would cost the square of their number.
fn steps_of(sequences: &Tensor) -> Vec<Tensor> {
    match sequences.shape()[1] {
        1 => vec![sequences.squeeze(1)],
        steps => {
            let middle = steps / 2;
            let mut all = steps_of(&sequences.slice((.., ..middle)));
            all.extend(steps_of(&sequences.slice((.., middle..))));
            all
        }
    }
}
