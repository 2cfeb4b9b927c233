//! What the recurrent layers have in common.

mod macros;

pub(super) use macros::{recurrent_methods, recurrent_settings};

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Base, Call};
use crate::activations::Activation;
use crate::config::{Fields, Parsed, number};
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::recurrent::Cell;
use crate::grad::ops;
use crate::initializers::Initializer;
use crate::random::{dropout_mask, next_seed};
use crate::regularizers::Regularizer;
use crate::tensor::expect;
use crate::{DType, Result, Tensor, names};

/// Settings, weights and states of a recurrent layer; what is its own is its [`Cell`].
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) units: usize,
    pub(super) activation: Activation,
    /// The gates' activation; a layer without gates has no use for it.
    pub(super) recurrent_activation: Activation,
    pub(super) use_bias: bool,
    pub(super) kernel_initializer: Initializer,
    pub(super) recurrent_initializer: Initializer,
    pub(super) bias_initializer: Initializer,
    pub(super) kernel_regularizer: Option<Regularizer>,
    pub(super) recurrent_regularizer: Option<Regularizer>,
    pub(super) bias_regularizer: Option<Regularizer>,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) return_sequences: bool,
    pub(super) return_state: bool,
    pub(super) go_backwards: bool,
    pub(super) stateful: bool,
    pub(super) zero_output_for_mask: bool,
    pub(super) kernel: Option<Tensor>,
    pub(super) recurrent_kernel: Option<Tensor>,
    pub(super) bias: Option<Tensor>,
    carried: Carried,
}

/// The states of a stateful layer, which a call cannot change but through a lock.
#[derive(Debug, Default)]
struct Carried(Mutex<States>);

#[derive(Clone, Debug, Default)]
struct States {
    /// What the next batch begins with; empty for zeros.
    next: Vec<Tensor>,
    /// What it shall begin with once a training batch is committed.
    noted: Option<Vec<Tensor>>,
}

impl Carried {
    fn lock(&self) -> MutexGuard<'_, States> {
        // A panic elsewhere cannot leave the states half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Carried {
    fn clone(&self) -> Self {
        Carried(Mutex::new(self.lock().clone()))
    }
}

impl Core {
    /// Keras's defaults.
    pub(super) fn new(units: usize) -> Core {
        Core {
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            recurrent_initializer: Initializer::Orthogonal(1.0),
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            recurrent_regularizer: None,
            bias_regularizer: None,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            return_sequences: false,
            return_state: false,
            go_backwards: false,
            stateful: false,
            zero_output_for_mask: false,
            kernel: None,
            recurrent_kernel: None,
            bias: None,
            carried: Carried::default(),
        }
    }

    /// What [`Core::config`] wrote; what is missing is as by default.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Core> {
        let mut core = Core::new(fields.size("units")?);
        let name = |key, own: &mut Activation| -> Parsed<()> {
            if fields.get(key).is_some() {
                *own = fields.text(key)?.into();
            }
            Ok(())
        };
        name("activation", &mut core.activation)?;
        name("recurrent_activation", &mut core.recurrent_activation)?;
        for (key, own) in [
            ("kernel_initializer", &mut core.kernel_initializer),
            ("recurrent_initializer", &mut core.recurrent_initializer),
            ("bias_initializer", &mut core.bias_initializer),
        ] {
            if fields.get(key).is_some() {
                *own = Initializer::from_field(fields, key)?;
            }
        }
        for (key, own) in [
            ("kernel_regularizer", &mut core.kernel_regularizer),
            ("recurrent_regularizer", &mut core.recurrent_regularizer),
            ("bias_regularizer", &mut core.bias_regularizer),
        ] {
            *own = Regularizer::from_config(fields, key)?;
        }
        for (key, own) in [
            ("dropout", &mut core.dropout),
            ("recurrent_dropout", &mut core.recurrent_dropout),
        ] {
            if fields.get(key).is_some() {
                *own = fields.float(key)?;
            }
        }
        for (key, own) in [
            ("use_bias", &mut core.use_bias),
            ("return_sequences", &mut core.return_sequences),
            ("return_state", &mut core.return_state),
            ("go_backwards", &mut core.go_backwards),
            ("stateful", &mut core.stateful),
            ("zero_output_for_mask", &mut core.zero_output_for_mask),
        ] {
            *own = fields.flag_or(key, *own)?;
        }
        Ok(core)
    }

    /// The settings, to which a layer adds its own.
    pub(super) fn config(&self) -> Value {
        json!({
            "units": self.units,
            "activation": self.activation.name(),
            "recurrent_activation": self.recurrent_activation.name(),
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer.config(),
            "recurrent_initializer": self.recurrent_initializer.config(),
            "bias_initializer": self.bias_initializer.config(),
            "kernel_regularizer": Regularizer::config(self.kernel_regularizer.as_ref()),
            "recurrent_regularizer": Regularizer::config(self.recurrent_regularizer.as_ref()),
            "bias_regularizer": Regularizer::config(self.bias_regularizer.as_ref()),
            "dropout": number(self.dropout),
            "recurrent_dropout": number(self.recurrent_dropout),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
        })
    }

    /// The activation and the recurrent one.
    pub(super) fn functions(&self, base: &Base) -> Result<(Nonlinearity, Nonlinearity)> {
        let function = |setting: &str, activation: &Activation| {
            Nonlinearity::named(activation.name()).ok_or_else(|| {
                let known = &Nonlinearity::NAMES;
                let text =
                    names::unknown("activation of a recurrent layer", activation.name(), known);
                base.value_error(format!("{setting}: {text}"))
            })
        };
        Ok((
            function("activation", &self.activation)?,
            function("recurrent_activation", &self.recurrent_activation)?,
        ))
    }

    pub(super) fn check(&self, base: &Base) -> Result<()> {
        self.functions(base)?;
        base.check_regularizer("kernel_regularizer", self.kernel_regularizer.as_ref())?;
        base.check_regularizer("recurrent_regularizer", self.recurrent_regularizer.as_ref())?;
        base.check_regularizer("bias_regularizer", self.bias_regularizer.as_ref())?;
        if self.units == 0 {
            return Err(base.value_error("units must be at least 1, got 0"));
        }
        base.check_rate("dropout", self.dropout)?;
        base.check_rate("recurrent_dropout", self.recurrent_dropout)
    }

    /// Makes the weights; a bias that a file does not hold is made by `bias` out of the initial one.
    pub(super) fn build(
        &mut self,
        base: &mut Base,
        cell: Cell,
        shapes: &[Vec<usize>],
        bias: fn(&Tensor) -> Tensor,
    ) -> Result<()> {
        self.check(base)?;
        self.output_shapes(base, cell, shapes)?;
        let (features, columns) = (shapes[0][1], cell.gates() * self.units);
        let kernel = base.weight("kernel", &[features, columns], &self.kernel_initializer)?;
        let recurrent = &self.recurrent_initializer;
        let recurrent = base.weight("recurrent_kernel", &[self.units, columns], recurrent)?;
        let shape = cell.bias_shape(self.units);
        self.bias = match self.use_bias {
            true => Some(base.weight_from("bias", &shape, &|| {
                Ok(bias(&self.bias_initializer.create(&shape)?))
            })?),
            false => None,
        };
        base.finish()?;
        (self.kernel, self.recurrent_kernel) = (Some(kernel), Some(recurrent));
        Ok(())
    }

    /// The shapes of the outputs (one sample) for those of the sequences and of initial states, if any.
    pub(super) fn output_shapes(
        &self,
        base: &Base,
        cell: Cell,
        shapes: &[Vec<usize>],
    ) -> Result<Vec<Vec<usize>>> {
        let sequence = shapes.first().map_or(&[][..], Vec::as_slice);
        let &[steps, features] = sequence else {
            let hint = match sequence {
                [steps] => format!("; one number a timestep is x.reshape([-1, {steps}, 1])"),
                _ => String::new(),
            };
            return Err(base.shape_error(format!(
                "expected sequences [timesteps, features], got samples of shape {sequence:?}{hint}"
            )));
        };
        if steps == 0 || features == 0 {
            return Err(base.shape_error(format!(
                "expected at least one timestep and one feature, got samples of shape {sequence:?}"
            )));
        }
        if let Some(kernel) = &self.kernel
            && kernel.shape()[0] != features
        {
            return Err(base.shape_error(format!(
                "expected {} features, as when it was built, got samples of shape {sequence:?}",
                kernel.shape()[0]
            )));
        }
        let states = vec![vec![self.units]; cell.states()];
        let initial = &shapes[1..];
        if !initial.is_empty() && initial != states {
            return Err(base.shape_error(format!(
                "expected {} initial states of shape {:?} after the sequences, or none, got {initial:?}",
                states.len(),
                states[0]
            )));
        }
        let output = match self.return_sequences {
            true => vec![steps, self.units],
            false => vec![self.units],
        };
        let states = states.into_iter().take(match self.return_state {
            true => cell.states(),
            false => 0,
        });
        Ok(std::iter::once(output).chain(states).collect())
    }

    /// The outputs: of the last step, or of all; then the states, if they are returned.
    pub(super) fn call(
        &self,
        base: &Base,
        cell: Cell,
        inputs: &[Tensor],
        call: &Call,
    ) -> Vec<Tensor> {
        let (Some(kernel), Some(recurrent)) = (&self.kernel, &self.recurrent_kernel) else {
            panic!("{}", base.unbuilt());
        };
        let samples = |input: &Tensor| input.shape().iter().skip(1).copied().collect();
        let shapes: Vec<Vec<usize>> = inputs.iter().map(samples).collect();
        expect(self.output_shapes(base, cell, &shapes));
        let (x, batch) = (&inputs[0], inputs[0].shape()[0]);
        let initial = match &inputs[1..] {
            [] => self.carried(base, batch),
            given => given.to_vec(),
        };
        // Where only the last output is wanted, it is itself the state of a cell with one.
        let packed =
            (self.return_state || self.stateful) && (self.return_sequences || cell.states() > 1);
        let dropout = |rate: f64, width: usize| {
            (call.training && rate > 0.0).then(|| dropout_mask(&[batch, width], rate, next_seed()))
        };
        let pass = ops::Recurrent {
            cell,
            bias: self.bias.is_some(),
            backwards: self.go_backwards,
            sequences: self.return_sequences,
            states: packed,
            zero_masked: self.zero_output_for_mask,
            sides: Box::new(ops::Sides {
                mask: call.mask(0).map(|mask| fitting_mask(base, mask, x)),
                input_dropout: dropout(self.dropout, shapes[0][1]),
                dropout: dropout(self.recurrent_dropout, self.units),
            }),
            memory: ops::Memory::default(),
        };
        let weights = [x, kernel, recurrent].into_iter().chain(&self.bias);
        let operands: Vec<&Tensor> = weights.chain(&initial).collect();
        let result = expect(ops::recurrent(pass, &operands));
        let (output, states) = match packed {
            true => self.unpack(cell, shapes[0][0], &result),
            false => (result.clone(), vec![result]),
        };
        self.carry(&states, call.training);
        let returned = states.into_iter().take(match self.return_state {
            true => cell.states(),
            false => 0,
        });
        std::iter::once(output).chain(returned).collect()
    }

    fn unpack(&self, cell: Cell, steps: usize, packed: &Tensor) -> (Tensor, Vec<Tensor>) {
        let (batch, units) = (packed.shape()[0], self.units);
        let start = if self.return_sequences {
            steps * units
        } else {
            0
        };
        let state = |index: usize| {
            let at = start + index * units;
            packed.slice((.., at..at + units))
        };
        let states: Vec<Tensor> = (0..cell.states()).map(state).collect();
        let output = match self.return_sequences {
            true => packed.slice((.., ..start)).reshape([batch, steps, units]),
            false => states[0].clone(),
        };
        (output, states)
    }

    /// The initial states: those after the batch before, if the layer is stateful and there was one.
    fn carried(&self, base: &Base, batch: usize) -> Vec<Tensor> {
        if !self.stateful {
            return Vec::new();
        }
        let states = self.carried.lock().next.clone();
        if let Some(state) = states.first()
            && state.shape()[0] != batch
        {
            panic!(
                "{}",
                base.shape_error(format!(
                    "stateful: expected a batch of {}, as the one before, got {batch}; keep the batch size, or \
                     call reset_states() first",
                    state.shape()[0]
                ))
            );
        }
        states
    }

    fn carry(&self, states: &[Tensor], training: bool) {
        if !self.stateful {
            return;
        }
        let states = states.iter().map(|state| state.detach().contiguous());
        let mut carried = self.carried.lock();
        match training {
            true => carried.noted = Some(states.collect()),
            false => carried.next = states.collect(),
        }
    }

    pub(super) fn commit(&mut self) {
        let mut carried = self.carried.lock();
        if let Some(noted) = carried.noted.take() {
            carried.next = noted;
        }
    }

    pub(super) fn discard(&mut self) {
        self.carried.lock().noted = None;
    }

    pub(super) fn reset(&mut self) {
        *self.carried.lock() = States::default();
    }

    pub(super) fn penalty(&self) -> Option<Tensor> {
        super::penalties([
            (self.kernel.as_ref(), self.kernel_regularizer.as_ref()),
            (
                self.recurrent_kernel.as_ref(),
                self.recurrent_regularizer.as_ref(),
            ),
            (self.bias.as_ref(), self.bias_regularizer.as_ref()),
        ])
    }
}

fn fitting_mask(base: &Base, mask: &Tensor, x: &Tensor) -> Tensor {
    if mask.shape() != &x.shape()[..2] {
        panic!(
            "{}",
            base.shape_error(format!(
                "expected a mask [batch, timesteps], {:?}, got shape {:?}",
                &x.shape()[..2],
                mask.shape()
            ))
        );
    }
    mask.cast(DType::Bool)
}

#[cfg(test)]
mod tests;
