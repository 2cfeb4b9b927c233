//! The tape: what was computed, in order, and the walk back through it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::ops::{Op, Step};
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Records operations on the tensors it watches, to differentiate a number with respect to them.
///
/// ```
/// use dlcore::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let w = tape.watch(&Tensor::from([1.0, 2.0]));
/// let loss = w.square().sum();
/// assert_eq!(tape.gradient(&loss, &[&w])[0], Tensor::from([2.0, 4.0]));
/// ```
///
/// Taking the gradient uses the recording up, each step being freed as soon as it was passed;
/// [`GradientTape::persistent`] keeps it. Dropping the tape ends the recording: tensors that were
/// on it are then as any other.
pub struct GradientTape {
    shared: Arc<Mutex<Recording>>,
}

/// A tensor's place on a tape.
#[derive(Clone)]
pub(crate) struct Node {
    tape: Weak<Mutex<Recording>>,
    index: usize,
}

struct Recording {
    entries: Vec<Entry>,
    persistent: bool,
    used_up: bool,
}

#[expect(clippy::large_enum_variant, reason = "nearly all entries are steps")]
enum Entry {
    /// A tensor being watched.
    Source,
    /// An operation; `places` says where on the tape its inputs are, if they are on it.
    Step {
        op: Op,
        inputs: Vec<Tensor>,
        places: Vec<Option<usize>>,
        output: Tensor,
    },
}

fn lock(recording: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    // A panic elsewhere cannot leave an entry half written, so a poisoned recording is whole.
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    fn push(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len() - 1
    }
}

impl Default for GradientTape {
    fn default() -> Self {
        Self::new()
    }
}

impl GradientTape {
    /// A tape for one gradient.
    pub fn new() -> GradientTape {
        Self::with(false)
    }

    /// A tape that gradients can be taken from more than once, at the cost of keeping every
    /// intermediate tensor until it is dropped.
    pub fn persistent() -> GradientTape {
        Self::with(true)
    }

    fn with(persistent: bool) -> GradientTape {
        let recording = Recording {
            entries: Vec::new(),
            persistent,
            used_up: false,
        };
        GradientTape {
            shared: Arc::new(Mutex::new(recording)),
        }
    }

    /// The same tensor, recording from now on: what is computed with the result goes on this tape.
    ///
    /// # Panics
    /// If the tensor is not of a float type, or the tape's gradient was already taken.
    #[track_caller]
    pub fn watch(&self, tensor: &Tensor) -> Tensor {
        expect(self.try_watch(tensor))
    }

    /// [`GradientTape::watch`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Value`] if the tensor is not of a float type, or the tape is used up.
    pub fn try_watch(&self, tensor: &Tensor) -> Result<Tensor> {
        if !tensor.dtype().is_float() {
            return Err(Error::Value(format!(
                "watch: gradients exist for f32 and f64, this tensor is {}; cast it first",
                tensor.dtype()
            )));
        }
        let mut recording = lock(&self.shared);
        if recording.used_up {
            return Err(used_up("watch"));
        }
        let plain = tensor.to_dense().detach();
        let index = recording.push(Entry::Source);
        Ok(plain.with_node(Some(Node {
            tape: Arc::downgrade(&self.shared),
            index,
        })))
    }

    /// The derivative of `loss`, a single number, with respect to each source: tensors of the
    /// sources' shapes and types; zeros where the loss does not depend on a source.
    ///
    /// # Panics
    /// Where [`GradientTape::try_gradient`] returns an error.
    #[track_caller]
    pub fn gradient(&self, loss: &Tensor, sources: &[&Tensor]) -> Vec<Tensor> {
        expect(self.try_gradient(loss, sources))
    }

    /// [`GradientTape::gradient`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if `loss` is not a single number; [`Error::Value`] if it or a source is not
    /// on this tape, or the tape is used up.
    pub fn try_gradient(&self, loss: &Tensor, sources: &[&Tensor]) -> Result<Vec<Tensor>> {
        if loss.len() != 1 {
            return Err(Error::Shape(format!(
                "gradient: the loss must be a single number, got shape {:?}; reduce it with mean() or sum()",
                loss.shape()
            )));
        }
        if lock(&self.shared).used_up {
            return Err(used_up("gradient"));
        }
        let from = self.place(loss).ok_or_else(|| {
            Error::Value(
                "gradient: the loss is not on this tape: compute it, while the tape lives, from \
                 tensors that tape.watch() returned"
                    .into(),
            )
        })?;
        let mut places = Vec::with_capacity(sources.len());
        for (position, source) in sources.iter().enumerate() {
            places.push(self.place(source).ok_or_else(|| {
                Error::Value(format!(
                    "gradient: source {position}, of shape {:?}, is not on this tape: pass the \
                     tensor that tape.watch() returned",
                    source.shape()
                ))
            })?);
        }
        let gradients = self.backward(from, loss.detach().ones_like(), &places);
        let filled = gradients.into_iter().zip(sources);
        Ok(filled
            .map(|(g, source)| g.unwrap_or_else(|| source.detach().zeros_like()))
            .collect())
    }

    /// The operations recorded so far, as the table names them.
    #[cfg(test)]
    pub(crate) fn recorded(&self) -> Vec<&'static str> {
        let name = |entry: &Entry| match entry {
            Entry::Source => None,
            Entry::Step { op, .. } => Some(op.table_name()),
        };
        lock(&self.shared).entries.iter().filter_map(name).collect()
    }

    fn place(&self, tensor: &Tensor) -> Option<usize> {
        let node = tensor.node()?;
        std::ptr::eq(node.tape.as_ptr(), Arc::as_ptr(&self.shared)).then_some(node.index)
    }

    fn backward(&self, from: usize, seed: Tensor, sources: &[usize]) -> Vec<Option<Tensor>> {
        let mut recording = lock(&self.shared);
        let mut gradients: Vec<Option<Tensor>> = vec![None; recording.entries.len()];
        gradients[from] = Some(seed);
        if recording.persistent {
            for index in (0..=from).rev() {
                pass(&recording.entries[index], index, &mut gradients, sources);
            }
        } else {
            recording.used_up = true;
            let mut entries = std::mem::take(&mut recording.entries);
            drop(recording);
            while let Some(entry) = entries.pop() {
                let index = entries.len();
                pass(&entry, index, &mut gradients, sources);
            }
        }
        sources
            .iter()
            .map(|&source| gradients[source].clone())
            .collect()
    }
}

/// Passes an entry's gradient on to its inputs.
fn pass(entry: &Entry, index: usize, gradients: &mut [Option<Tensor>], sources: &[usize]) {
    let Entry::Step {
        op,
        inputs,
        places,
        output,
    } = entry
    else {
        return;
    };
    let gradient = match &gradients[index] {
        None => return,
        Some(gradient) if sources.contains(&index) => gradient.clone(),
        Some(_) => gradients[index].take().expect("just seen"),
    };
    let wanted: Vec<bool> = places.iter().map(Option::is_some).collect();
    let step = Step {
        inputs,
        output,
        wanted: &wanted,
    };
    let shares = op.rule().gradient(&step, &gradient);
    drop(gradient);
    for (share, place) in shares.into_iter().zip(places) {
        let (Some(share), Some(place)) = (share, *place) else {
            continue;
        };
        match &mut gradients[place] {
            // In place, unless a sibling shares the buffer.
            Some(sum) => *sum += share,
            empty => *empty = Some(share),
        }
    }
}

fn used_up(operation: &str) -> Error {
    Error::Value(format!(
        "{operation}: this tape's gradient was already taken, which used the recording up; make a \
         new GradientTape for each step, or GradientTape::persistent() to take several"
    ))
}

/// Puts `output`, just computed by `op`, on the tape of its inputs, if one of them is on one.
pub(crate) fn record(op: Op, inputs: &[&Tensor], output: Tensor) -> Result<Tensor> {
    let mut shared: Option<Arc<Mutex<Recording>>> = None;
    for node in inputs.iter().filter_map(|input| input.node()) {
        let Some(tape) = node.tape.upgrade() else {
            continue;
        };
        match &shared {
            Some(first) if !Arc::ptr_eq(first, &tape) => {
                return Err(Error::Value(format!(
                    "{}: the operands are on two different tapes; detach() one of them",
                    op.rule().name()
                )));
            }
            _ => shared = Some(tape),
        }
    }
    let Some(shared) = shared else {
        return Ok(output);
    };
    let mut recording = lock(&shared);
    if recording.used_up {
        return Ok(output);
    }
    let tape = Arc::downgrade(&shared);
    let place = |input: &&Tensor| {
        input
            .node()
            .filter(|node| Weak::ptr_eq(&node.tape, &tape))
            .map(|node| node.index)
    };
    let entry = Entry::Step {
        places: inputs.iter().map(place).collect(),
        inputs: inputs.iter().map(|input| input.detach()).collect(),
        output: output.clone(),
        op,
    };
    let index = recording.push(entry);
    Ok(output.with_node(Some(Node { tape, index })))
}

#[cfg(test)]
#[path = "tape_tests.rs"]
mod tests;
