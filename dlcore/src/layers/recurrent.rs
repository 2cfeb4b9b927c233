//! What the recurrent layers have in common.

mod carried;
mod macros;
mod pass;
mod stepwise;

pub(super) use macros::{recurrent_methods, recurrent_settings};

use serde_json::{Map, Value, json};

use super::Base;
use super::weight::Weight;
use crate::activations::Activation;
use crate::config::{Fields, Parsed, number};
use crate::device::cpu::Nonlinearity;
use crate::device::cpu::recurrent::Cell;
use crate::{Result, Tensor};
use carried::Carried;

/// Which recurrent layer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Simple,
    Lstm,
    Gru { reset_after: bool },
}

impl Form {
    /// The cell of the fused kernels with these functions.
    fn cell(self, activation: Nonlinearity, recurrent: Nonlinearity) -> Cell {
        match self {
            Form::Simple => Cell::Simple { activation },
            Form::Lstm => Cell::Lstm {
                activation,
                recurrent,
            },
            Form::Gru { reset_after } => Cell::Gru {
                activation,
                recurrent,
                reset_after,
            },
        }
    }

    /// The cell, for what does not depend on its functions.
    fn shaped(self) -> Cell {
        self.cell(Nonlinearity::Linear, Nonlinearity::Linear)
    }

    /// Columns of the kernels for each unit.
    fn gates(self) -> usize {
        self.shaped().gates()
    }

    /// States that go from step to step.
    fn states(self) -> usize {
        self.shaped().states()
    }
}

/// Settings, weights and states of a recurrent layer; what is its own is its [`Form`].
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) units: usize,
    pub(super) activation: Activation,
    /// The gates' activation; a layer without gates has no use for it.
    pub(super) recurrent_activation: Activation,
    pub(super) use_bias: bool,
    pub(super) kernel: Weight,
    pub(super) recurrent: Weight,
    pub(super) bias: Weight,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) return_sequences: bool,
    pub(super) return_state: bool,
    pub(super) go_backwards: bool,
    pub(super) stateful: bool,
    pub(super) zero_output_for_mask: bool,
    carried: Carried,
}

impl Core {
    /// Keras's defaults.
    pub(super) fn new(units: usize) -> Core {
        Core {
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            kernel: Weight::new("kernel", "glorot_uniform"),
            recurrent: Weight::new("recurrent", "orthogonal"),
            bias: Weight::new("bias", "zeros"),
            dropout: 0.0,
            recurrent_dropout: 0.0,
            return_sequences: false,
            return_state: false,
            go_backwards: false,
            stateful: false,
            zero_output_for_mask: false,
            carried: Carried::default(),
        }
    }

    /// What [`Core::config`] wrote; what is missing is as by default.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Core> {
        let mut core = Core::new(fields.size("units")?);
        for (key, own) in [
            ("activation", &mut core.activation),
            ("recurrent_activation", &mut core.recurrent_activation),
        ] {
            if fields.get(key).is_some() {
                *own = Activation::from_field(fields, key)?;
            }
        }
        core.kernel = core.kernel.with_config(fields)?;
        core.recurrent = core.recurrent.with_config(fields)?;
        core.bias = core.bias.with_config(fields)?;
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

    /// The settings, to which a layer adds its own; none with an activation that no file can hold.
    pub(super) fn config(&self) -> Option<Map<String, Value>> {
        let mut config = Map::new();
        for (key, value) in [
            ("units", json!(self.units)),
            ("activation", self.activation.config()?),
            ("recurrent_activation", self.recurrent_activation.config()?),
            ("use_bias", json!(self.use_bias)),
            ("dropout", number(self.dropout)),
            ("recurrent_dropout", number(self.recurrent_dropout)),
            ("return_sequences", json!(self.return_sequences)),
            ("return_state", json!(self.return_state)),
            ("go_backwards", json!(self.go_backwards)),
            ("stateful", json!(self.stateful)),
            ("zero_output_for_mask", json!(self.zero_output_for_mask)),
        ] {
            config.insert(key.to_string(), value);
        }
        for weight in [&self.kernel, &self.recurrent, &self.bias] {
            weight.write(&mut config);
        }
        Some(config)
    }

    pub(super) fn check(&self, base: &Base) -> Result<()> {
        for (setting, activation) in [
            ("activation", &self.activation),
            ("recurrent_activation", &self.recurrent_activation),
        ] {
            let known = activation.clone().known();
            known.map_err(|error| base.value_error(format!("{setting}: {error}")))?;
            if *activation == Activation::Glu {
                return Err(base.value_error(format!(
                    "{setting}: glu returns half of what it gets, so that states would change their length"
                )));
            }
        }
        for weight in [&self.kernel, &self.recurrent, &self.bias] {
            weight.check(base)?;
        }
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
        form: Form,
        shapes: &[Vec<usize>],
        bias: fn(&Tensor) -> Tensor,
    ) -> Result<()> {
        self.check(base)?;
        self.output_shapes(base, form, shapes)?;
        let (features, columns) = (shapes[0][1], form.gates() * self.units);
        let kernel = self.kernel.make(base, &[features, columns])?;
        let shape = [self.units, columns];
        let recurrent = self
            .recurrent
            .make_from(base, "recurrent_kernel", &shape, &|| {
                self.recurrent.initializer.create(&shape)
            })?;
        let shape = form.shaped().bias_shape(self.units);
        self.bias.value = match self.use_bias {
            true => Some(self.bias.make_from(base, "bias", &shape, &|| {
                Ok(bias(&self.bias.initializer.create(&shape)?))
            })?),
            false => None,
        };
        base.finish()?;
        (self.kernel.value, self.recurrent.value) = (Some(kernel), Some(recurrent));
        Ok(())
    }

    /// The shapes of the outputs (one sample) for those of the sequences and of initial states, if any.
    pub(super) fn output_shapes(
        &self,
        base: &Base,
        form: Form,
        shapes: &[Vec<usize>],
    ) -> Result<Vec<Vec<usize>>> {
        let sequence = shapes.first().map_or(&[][..], Vec::as_slice);
        let &[steps, features] = sequence else {
            let hint = match sequence {
                [steps] => format!(
                    "; a recurrent layer before it hands sequences on by return_sequences(true), and data of one number a \
                     timestep are x.reshape([-1, {steps}, 1])"
                ),
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
        if let Some(kernel) = &self.kernel.value
            && kernel.shape()[0] != features
        {
            return Err(base.shape_error(format!(
                "expected {} features, as when it was built, got samples of shape {sequence:?}",
                kernel.shape()[0]
            )));
        }
        let states = vec![vec![self.units]; form.states()];
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
            true => form.states(),
            false => 0,
        });
        Ok(std::iter::once(output).chain(states).collect())
    }
}

#[cfg(test)]
mod tests;
