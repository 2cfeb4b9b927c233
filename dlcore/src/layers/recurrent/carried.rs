//! The states that a stateful layer carries from batch to batch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Base;
use super::{Core, Form};
use crate::{Result, Tensor};

/// The states, which a call cannot change but through a lock.
#[derive(Debug, Default)]
pub(super) struct Carried(Mutex<States>);

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
    /// The initial states: those after the batch before, if the layer is stateful and there was one.
    pub(super) fn first_states(&self, base: &Base, batch: usize) -> Vec<Tensor> {
        let states = self.carried();
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

    /// Keeps the states after a batch for the next one.
    pub(super) fn keep_states(&self, states: &[Tensor], training: bool) {
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

    /// What the next batch begins with; empty for zeros.
    pub(in crate::layers) fn carried(&self) -> Vec<Tensor> {
        match self.stateful {
            true => self.carried.lock().next.clone(),
            false => Vec::new(),
        }
    }

    /// Takes over states of a file, as many as the layer has.
    pub(in crate::layers) fn carry(
        &mut self,
        base: &Base,
        form: Form,
        states: &mut dyn Iterator<Item = Tensor>,
    ) -> Result<()> {
        if !self.stateful {
            return Ok(());
        }
        let taken: Vec<Tensor> = states.take(form.states()).collect();
        let batch = taken
            .first()
            .and_then(|state| state.shape().first().copied());
        let batch = batch.unwrap_or(0);
        let fits = |state: &Tensor| state.shape() == [batch, self.units];
        if taken.len() != form.states() || !taken.iter().all(fits) {
            let shapes: Vec<&[usize]> = taken.iter().map(Tensor::shape).collect();
            return Err(base.shape_error(format!(
                "expected {} carried states [batch, {}], found {shapes:?}",
                form.states(),
                self.units
            )));
        }
        self.carried.lock().next = taken;
        Ok(())
    }

    pub(in crate::layers) fn commit(&mut self) {
        let mut carried = self.carried.lock();
        if let Some(noted) = carried.noted.take() {
            carried.next = noted;
        }
    }

    pub(in crate::layers) fn discard(&mut self) {
        self.carried.lock().noted = None;
    }

    pub(in crate::layers) fn reset(&mut self) {
        *self.carried.lock() = States::default();
    }
}
