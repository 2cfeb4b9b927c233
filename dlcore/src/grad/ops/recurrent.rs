//! A recurrent layer over whole sequences, as one operation.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Rule, Step, apply};
use crate::device::cpu::buffers::{self, written};
use crate::device::cpu::recurrent::{Cell, Gradients, Kept, Pass, backward, forward};
use crate::tensor::{Array, Real, float, row_major};
use crate::{DType, Error, Result, Tensor};

/// A recurrent layer's pass over a batch of sequences. The operands are the input
/// `[batch, steps, features]`, kernel, recurrent kernel, bias (where `bias` says so) and the initial
/// states `[batch, units]` (all, or none for zeros).
///
/// The result is `[batch, steps, units]` with `sequences`, else `[batch, units]`, the last output. With
/// `states` it is `[batch, …]`: for each sample the outputs (with `sequences`, else none, since the last
/// one is the hidden state), then its final states.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent {
    pub(crate) cell: Cell,
    pub(crate) bias: bool,
    pub(crate) backwards: bool,
    pub(crate) sequences: bool,
    pub(crate) states: bool,
    pub(crate) zero_masked: bool,
    pub(crate) sides: Box<Sides>,
    pub(crate) memory: Memory,
}

/// What comes beside the operands and has no gradient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    /// Which timesteps count, `[batch, steps]` of `Bool`.
    pub(crate) mask: Option<Tensor>,
    /// By what the input is multiplied at every step, `[batch, features]`, or for each gate `[gates, batch, features]`.
    pub(crate) input_dropout: Option<Tensor>,
    /// By what hidden states are multiplied on their way to the recurrent kernel, `[batch, units]`, or for each gate
    /// `[gates, batch, units]`.
    pub(crate) dropout: Option<Tensor>,
}

/// Gates and states that the way forwards has left for the way back.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    pub(crate) fn keep<K: Any + Send + Sync>(&self, kept: K) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(kept));
    }

    /// What was kept last, if it is of this type: each device has its own.
    pub(crate) fn kept<K: Any + Send + Sync>(&self) -> Option<Arc<K>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()?.downcast().ok()
    }
}

/// Applies a pass to operands, cast to the kernel's type.
pub(crate) fn recurrent(pass: Recurrent, operands: &[&Tensor]) -> Result<Tensor> {
    let dtype = operands[1].as_float().dtype();
    let cast = operands.iter().map(|o| o.to_dense().cast(dtype));
    let cast: Vec<Tensor> = cast.collect();
    let sides = *pass.sides;
    let pass = Recurrent {
        sides: Box::new(Sides {
            mask: sides.mask.map(|mask| mask.cast(DType::Bool)),
            input_dropout: sides.input_dropout.map(|dropout| dropout.cast(dtype)),
            dropout: sides.dropout.map(|dropout| dropout.cast(dtype)),
        }),
        ..pass
    };
    apply(pass, &cast.iter().collect::<Vec<_>>())
}

/// The operands as row-major arrays.
struct Operands<T: Real> {
    arrays: Vec<Array<T>>,
    mask: Option<Array<bool>>,
    input_dropout: Option<Array<T>>,
    dropout: Option<Array<T>>,
}

fn values<T>(array: &Array<T>) -> &[T] {
    array.as_slice().expect("row-major")
}

impl Recurrent {
    fn operands<'t, T: Real>(&self, inputs: impl Iterator<Item = &'t Tensor>) -> Operands<T> {
        let row_major = |tensor: &Tensor| row_major(&tensor.to_array::<T>());
        Operands {
            arrays: inputs.map(row_major).collect(),
            mask: self.sides.mask.as_ref().map(|mask| {
                let mask = mask.to_array::<bool>();
                crate::tensor::row_major(&mask)
            }),
            input_dropout: self.sides.input_dropout.as_ref().map(row_major),
            dropout: self.sides.dropout.as_ref().map(row_major),
        }
    }

    fn pass<'a, T: Real>(&self, operands: &'a Operands<T>) -> Pass<'a, T> {
        let arrays = &operands.arrays;
        let first_state = 3 + usize::from(self.bias);
        let shape = arrays[0].shape();
        Pass {
            cell: self.cell,
            batch: shape[0],
            steps: shape[1],
            features: shape[2],
            units: arrays[2].shape()[0],
            backwards: self.backwards,
            sequences: self.sequences,
            states: self.states,
            zero_masked: self.zero_masked,
            mask: operands.mask.as_ref().map(values),
            input_dropout: operands.input_dropout.as_ref().map(values),
            dropout: operands.dropout.as_ref().map(values),
            x: values(&arrays[0]),
            kernel: values(&arrays[1]),
            recurrent_kernel: values(&arrays[2]),
            bias: self.bias.then(|| values(&arrays[3])),
            initial: arrays[first_state..].iter().map(values).collect(),
        }
    }

    fn run<T: Real>(&self, _: &Array<T>, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let operands = self.operands::<T>(inputs.iter().copied());
        let keep = inputs.iter().any(|input| input.node().is_some());
        let mut kept = Vec::new();
        let output = written(shape.iter().product(), |output| {
            forward(&self.pass(&operands), keep, &mut kept, output);
        });
        if keep {
            self.memory.keep(kept);
        }
        Tensor::from_values(shape, output)
    }

    fn run_back<T: Real>(&self, gradient: &Array<T>, step: &Step<'_>) -> Vec<Option<Tensor>> {
        let operands = self.operands::<T>(step.inputs.iter());
        let pass = self.pass(&operands);
        let kept = match self.memory.kept::<Vec<Kept<T>>>() {
            Some(kept) => kept,
            None => {
                let mut kept = Vec::new();
                forward(
                    &pass,
                    true,
                    &mut kept,
                    &mut vec![T::zero(); step.output.len()],
                );
                Arc::new(kept)
            }
        };
        let gradient = row_major(gradient);
        let (before, states) = step.inputs.split_at(3 + usize::from(self.bias));
        let room = |(index, input): (usize, &Tensor)| match index > 0 || step.wanted[0] {
            true => buffers::any(input.len()),
            false => Vec::new(),
        };
        let mut all: Vec<Vec<T>> = before.iter().enumerate().map(room).collect();
        let mut initial = vec![T::zero(); states.iter().map(Tensor::len).sum()];
        let [x, kernel, recurrent_kernel, bias @ ..] = all.as_mut_slice() else {
            unreachable!("the shape rule wants three operands");
        };
        let to = Gradients {
            x,
            kernel,
            recurrent_kernel,
            bias: bias.first_mut().map_or(&mut [], Vec::as_mut_slice),
            initial: &mut initial,
        };
        backward(&pass, &kept, values(&gradient), to);
        let mut initial = initial.as_slice();
        for state in states {
            let (own, rest) = initial.split_at(state.len());
            all.push(own.to_vec());
            initial = rest;
        }
        let tensors = all.into_iter().zip(step.inputs).zip(step.wanted);
        tensors
            .map(|((values, input), &wanted)| {
                wanted.then(|| Tensor::from_values(input.shape(), values))
            })
            .collect()
    }
}

impl Rule for Recurrent {
    fn name(&self) -> &'static str {
        match self.cell {
            Cell::Simple { .. } => "simple_rnn",
            Cell::Lstm { .. } => "lstm",
            Cell::Gru { .. } => "gru",
        }
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let &[batch, steps, features] = inputs[0] else {
            return Err(self.misfit(inputs));
        };
        let units = inputs[2].first().copied().unwrap_or(0);
        let columns = self.cell.gates() * units;
        let mut expected = vec![vec![features, columns], vec![units, columns]];
        if self.bias {
            expected.push(self.cell.bias_shape(units));
        }
        let weights = expected.len();
        expected.extend(vec![vec![batch, units]; self.cell.states()]);
        let given = &inputs[1..];
        let fits = given.iter().zip(&expected).all(|(g, e)| g == e);
        let whole = given.len() == weights || given.len() == expected.len();
        let side = |side: &Option<Tensor>, width| {
            side.as_ref().is_none_or(|tensor| {
                tensor.shape() == [batch, width]
                    || tensor.shape() == [self.cell.gates(), batch, width]
            })
        };
        let mask = self.sides.mask.as_ref();
        let sides = mask.is_none_or(|mask| mask.shape() == [batch, steps])
            && side(&self.sides.input_dropout, features)
            && side(&self.sides.dropout, units);
        if !(fits && whole && sides) || steps * features * units == 0 {
            return Err(self.misfit(inputs));
        }
        let all_states = self.cell.states() * units;
        Ok(match (self.sequences, self.states) {
            (true, false) => vec![batch, steps, units],
            (false, false) => vec![batch, units],
            (true, true) => vec![batch, steps * units + all_states],
            (false, true) => vec![batch, all_states],
        })
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        float!(inputs[1], kernel => self.run(kernel, inputs, shape))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        float!(gradient, g => self.run_back(g, step))
    }
}

impl Recurrent {
    fn misfit(&self, inputs: &[&[usize]]) -> Error {
        let side = |side: &Option<Tensor>, name: &str| {
            let shape = side.as_ref().map(|tensor| tensor.shape().to_vec());
            shape.map_or(String::new(), |shape| format!(", {name} {shape:?}"))
        };
        let columns = match self.cell.gates() {
            1 => "units".to_string(),
            gates => format!("{gates} · units"),
        };
        Error::Shape(format!(
            "{}: operands {inputs:?}{}{}{} do not fit: expected [batch, timesteps, features], \
             [features, {columns}], [units, {columns}], then a bias and states [batch, units] where there \
             are any, a mask [batch, timesteps], and no axis of length 0 but the batch",
            self.name(),
            side(&self.sides.mask, "mask"),
            side(&self.sides.input_dropout, "input dropout"),
            side(&self.sides.dropout, "recurrent dropout"),
        ))
    }
}

#[cfg(test)]
pub(super) mod tests;
