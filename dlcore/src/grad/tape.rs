//! The tape: what was computed, in order, and the walk back through it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use smallvec::SmallVec;

use super::ops::{self, Op, Step, with_each};
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
///
/// Gradients of gradients come from a tape within a tape: what the inner one computes backwards is
/// recorded by the outer one, if that watches the same tensors.
///
/// ```
/// use dlcore::{GradientTape, Tensor};
/// let outer = GradientTape::new();
/// let time = outer.watch(&Tensor::from(3.0));
/// let inner = GradientTape::new();
/// let t = inner.watch(&time);
/// let position = t.pow(3.0);
/// let speed = inner.gradient(&position, &[&t]).remove(0); // 3t²
/// let acceleration = outer.gradient(&speed, &[&time]).remove(0); // 6t
/// assert_eq!((speed.item(), acceleration.item()), (27.0, 18.0));
/// ```
pub struct GradientTape {
    shared: Arc<Mutex<Recording>>,
}

/// A tensor's places, one on each tape that it is on. Nearly always that is one.
#[derive(Clone)]
pub(crate) enum Node {
    One(Place),
    Several(Arc<[Place]>),
}

#[derive(Clone)]
pub(crate) struct Place {
    tape: Weak<Mutex<Recording>>,
    index: usize,
}

impl Place {
    fn is_on(&self, tape: &Arc<Mutex<Recording>>) -> bool {
        std::ptr::eq(self.tape.as_ptr(), Arc::as_ptr(tape))
    }

    /// The tape, if it still records.
    fn recording(&self) -> Option<Arc<Mutex<Recording>>> {
        self.tape.upgrade().filter(|tape| !lock(tape).used_up)
    }
}

impl Node {
    /// None for no place.
    fn of(mut places: Vec<Place>) -> Option<Node> {
        match places.len() {
            0 => None,
            1 => places.pop().map(Node::One),
            _ => Some(Node::Several(places.into())),
        }
    }

    fn places(&self) -> &[Place] {
        match self {
            Node::One(place) => std::slice::from_ref(place),
            Node::Several(places) => places,
        }
    }

    /// Where the tensor is on `tape`.
    fn on(&self, tape: &Arc<Mutex<Recording>>) -> Option<usize> {
        let place = self.places().iter().find(|place| place.is_on(tape));
        place.map(|place| place.index)
    }
}

struct Recording {
    /// What was recorded; none for a tensor being watched.
    entries: Vec<Option<Arc<Entry>>>,
    persistent: bool,
    used_up: bool,
}

/// Inputs of nearly all operations.
const FEW: usize = 3;

/// An operation; `places` says where on the tape its inputs are, if they are on it. Inputs and
/// output keep their places on other tapes, so that these record the way back.
struct Entry {
    op: Op,
    inputs: SmallVec<[Tensor; FEW]>,
    places: SmallVec<[Option<usize>; FEW]>,
    output: Tensor,
}

fn lock(recording: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    // A panic elsewhere cannot leave an entry half written, so a poisoned recording is whole.
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    fn push(&mut self, entry: Option<Arc<Entry>>) -> usize {
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

    /// The same tensor, recording from now on: what is computed with the result goes on this tape,
    /// and on the others that the tensor is on already.
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
        let mut watched = tensor.clone();
        self.watch_here(&mut watched)?;
        Ok(watched)
    }

    /// [`GradientTape::try_watch`] of a tensor where it is.
    pub(crate) fn watch_here(&self, tensor: &mut Tensor) -> Result<()> {
        if !tensor.dtype().is_float() {
            return Err(Error::Value(format!(
                "watch: gradients exist for f32 and f64, this tensor is {}; cast it first",
                tensor.dtype()
            )));
        }
        if tensor.is_sparse() {
            *tensor = tensor.to_dense();
        }
        let others = tensor.node().map_or(&[][..], Node::places);
        let mut places: Vec<Place> = others
            .iter()
            .filter(|place| !place.is_on(&self.shared) && place.recording().is_some())
            .cloned()
            .collect();
        let mut recording = lock(&self.shared);
        if recording.used_up {
            return Err(used_up("watch"));
        }
        places.push(Place {
            tape: Arc::downgrade(&self.shared),
            index: recording.push(None),
        });
        drop(recording);
        tensor.set_node(Node::of(places));
        Ok(())
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
    /// on this tape, the tape is used up, or another tape watches a step that cannot be
    /// differentiated twice.
    pub fn try_gradient(&self, loss: &Tensor, sources: &[&Tensor]) -> Result<Vec<Tensor>> {
        if loss.len() != 1 {
            return Err(Error::Shape(format!(
                "gradient: the loss must be a single number, got shape {:?}; reduce it with mean() or \
                 sum(), or say with gradient_with() what weighs each number",
                loss.shape()
            )));
        }
        self.with_seeds("gradient", &[(loss, loss.detach().ones_like())], sources)
    }

    /// The derivative of `Σ outputs · cotangents`, summed over all outputs and elements, with
    /// respect to each source: the product of vectors with the Jacobian.
    ///
    /// # Panics
    /// Where [`GradientTape::try_gradient_with`] returns an error.
    #[track_caller]
    pub fn gradient_with(
        &self,
        outputs: &[&Tensor],
        cotangents: &[&Tensor],
        sources: &[&Tensor],
    ) -> Vec<Tensor> {
        expect(self.try_gradient_with(outputs, cotangents, sources))
    }

    /// [`GradientTape::gradient_with`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if the cotangents are not as many as the outputs and of their shapes;
    /// otherwise as [`GradientTape::try_gradient`].
    pub fn try_gradient_with(
        &self,
        outputs: &[&Tensor],
        cotangents: &[&Tensor],
        sources: &[&Tensor],
    ) -> Result<Vec<Tensor>> {
        if outputs.len() != cotangents.len() {
            return Err(Error::Shape(format!(
                "gradient_with: expected a cotangent for each output, got {} for {}",
                cotangents.len(),
                outputs.len()
            )));
        }
        let mut seeds = Vec::with_capacity(outputs.len());
        for (position, (&output, cotangent)) in outputs.iter().zip(cotangents).enumerate() {
            if output.shape() != cotangent.shape() {
                return Err(Error::Shape(format!(
                    "gradient_with: output {position} has shape {:?}, its cotangent {:?}; they must \
                     be equal",
                    output.shape(),
                    cotangent.shape()
                )));
            }
            seeds.push((output, cotangent.to_dense().cast(output.dtype())));
        }
        self.with_seeds("gradient_with", &seeds, sources)
    }

    /// The derivative of each element of `output` with respect to each element of `source`, one
    /// backward pass for each element of `output`.
    ///
    /// # Shapes
    /// `[output's axes …, source's axes …]`
    ///
    /// # Panics
    /// Where [`GradientTape::try_jacobian`] returns an error.
    #[track_caller]
    pub fn jacobian(&self, output: &Tensor, source: &Tensor) -> Tensor {
        expect(self.try_jacobian(output, source))
    }

    /// [`GradientTape::jacobian`], returning the error instead of panicking.
    ///
    /// # Errors
    /// As [`GradientTape::try_gradient`], but for `output`'s shape, which may be any.
    pub fn try_jacobian(&self, output: &Tensor, source: &Tensor) -> Result<Tensor> {
        let places = self.places("jacobian", &[source])?;
        let from = self.place("jacobian", output)?;
        let entries = self.take_entries("jacobian")?;
        let shape = [output.shape(), source.shape()].concat();
        let zeros = source.detach().zeros_like();
        let mut rows = Vec::with_capacity(output.len());
        for position in 0..output.len() {
            let mut seed = vec![0.0; output.len()];
            seed[position] = 1.0;
            let seed = Tensor::from_values(output.shape(), seed).cast(output.dtype());
            let row = walk(entries.clone(), vec![(from, seed)], &places)?.remove(0);
            rows.push(row.unwrap_or_else(|| zeros.clone()));
        }
        if rows.is_empty() {
            return Ok(Tensor::zeros(shape).cast(source.dtype()));
        }
        Tensor::try_stack(&rows.iter().collect::<Vec<_>>(), 0)?.try_reshape(shape)
    }

    fn with_seeds(
        &self,
        operation: &str,
        seeds: &[(&Tensor, Tensor)],
        sources: &[&Tensor],
    ) -> Result<Vec<Tensor>> {
        if lock(&self.shared).used_up {
            return Err(used_up(operation));
        }
        let mut placed = Vec::with_capacity(seeds.len());
        for (output, seed) in seeds {
            placed.push((self.place(operation, output)?, seed.clone()));
        }
        let places = self.places(operation, sources)?;
        let gradients = walk(self.take_entries(operation)?, placed, &places)?;
        let filled = gradients.into_iter().zip(sources);
        Ok(filled
            .map(|(g, source)| g.unwrap_or_else(|| source.detach().zeros_like()))
            .collect())
    }

    /// The operations recorded so far, as the table names them.
    #[cfg(test)]
    pub(crate) fn recorded(&self) -> Vec<&'static str> {
        let recording = lock(&self.shared);
        let entries = recording.entries.iter().flatten();
        entries.map(|entry| entry.op.table_name()).collect()
    }

    /// Where on this tape the result that is differentiated is.
    fn place(&self, operation: &str, output: &Tensor) -> Result<usize> {
        let place = output.node().and_then(|node| node.on(&self.shared));
        place.ok_or_else(|| {
            Error::Value(format!(
                "{operation}: the loss is not on this tape: compute it, while the tape lives, from \
                 tensors that tape.watch() returned"
            ))
        })
    }

    fn places(&self, operation: &str, sources: &[&Tensor]) -> Result<Vec<usize>> {
        let mut places = Vec::with_capacity(sources.len());
        for (position, source) in sources.iter().enumerate() {
            let place = source.node().and_then(|node| node.on(&self.shared));
            places.push(place.ok_or_else(|| {
                Error::Value(format!(
                    "{operation}: source {position}, of shape {:?}, is not on this tape: pass the \
                     tensor that tape.watch() returned",
                    source.shape()
                ))
            })?);
        }
        Ok(places)
    }

    /// What was recorded; the tape keeps it only if it is persistent.
    fn take_entries(&self, operation: &str) -> Result<Vec<Option<Arc<Entry>>>> {
        let mut recording = lock(&self.shared);
        if recording.used_up {
            return Err(used_up(operation));
        }
        if recording.persistent {
            return Ok(recording.entries.clone());
        }
        recording.used_up = true;
        Ok(std::mem::take(&mut recording.entries))
    }
}

/// The way back from the seeds: the gradients of the sources, where there are any. No tape is
/// locked meanwhile, since the gradients' own operations may be recorded.
fn walk(
    mut entries: Vec<Option<Arc<Entry>>>,
    seeds: Vec<(usize, Tensor)>,
    sources: &[usize],
) -> Result<Vec<Option<Tensor>>> {
    let mut gradients: Vec<Option<Tensor>> = vec![None; entries.len()];
    for (place, seed) in seeds {
        add_to(&mut gradients[place], seed);
    }
    while let Some(entry) = entries.pop() {
        if let Some(entry) = entry {
            pass(&entry, entries.len(), &mut gradients, sources)?;
        }
    }
    Ok(sources
        .iter()
        .map(|&source| gradients[source].clone())
        .collect())
}

fn add_to(sum: &mut Option<Tensor>, share: Tensor) {
    match sum {
        // In place, unless a sibling shares the buffer.
        Some(sum) => *sum += share,
        empty => *empty = Some(share),
    }
}

/// Passes an entry's gradient on to its inputs.
fn pass(
    entry: &Entry,
    index: usize,
    gradients: &mut [Option<Tensor>],
    sources: &[usize],
) -> Result<()> {
    let gradient = match &gradients[index] {
        None => return Ok(()),
        Some(gradient) if sources.contains(&index) => gradient.clone(),
        Some(_) => gradients[index].take().expect("just seen"),
    };
    let shares = with_each(&entry.places, Option::is_some, |wanted| {
        let step = Step {
            inputs: &entry.inputs,
            output: &entry.output,
            wanted,
        };
        let rule = entry.op.rule();
        if step.recorded(&gradient) && !rule.differentiable_twice() {
            return Err(Error::Value(format!(
                "gradient: {} cannot be differentiated twice, but another tape watches its operands; \
                 detach() them from that tape",
                rule.name()
            )));
        }
        ops::gradient(&entry.op, &step, &gradient)
    })?;
    drop(gradient);
    check_shares(entry, &shares)?;
    for (share, place) in shares.into_iter().zip(&entry.places) {
        if let (Some(share), Some(place)) = (share, *place) {
            add_to(&mut gradients[place], share);
        }
    }
    Ok(())
}

/// A gradient has the shape of what it is the gradient of: a slip in a custom operation would
/// otherwise go on as a broadcast.
fn check_shares(entry: &Entry, shares: &[Option<Tensor>]) -> Result<()> {
    let name = entry.op.rule().name();
    if shares.len() != entry.inputs.len() {
        return Err(Error::Value(format!(
            "{name}: its gradient gave {} tensors for {} inputs; expected one for each",
            shares.len(),
            entry.inputs.len()
        )));
    }
    for (position, (share, input)) in shares.iter().zip(&entry.inputs).enumerate() {
        let Some(share) = share.as_ref().filter(|_| entry.places[position].is_some()) else {
            continue;
        };
        if share.shape() != input.shape() {
            return Err(Error::Shape(format!(
                "{name}: its gradient gave shape {:?} for input {position}, whose shape is {:?}; \
                 they must be equal",
                share.shape(),
                input.shape()
            )));
        }
    }
    Ok(())
}

fn used_up(operation: &str) -> Error {
    Error::Value(format!(
        "{operation}: this tape's gradient was already taken, which used the recording up; make a \
         new GradientTape for each step, or GradientTape::persistent() to take several"
    ))
}

/// The tapes that still record and that one of the inputs is on, each once.
fn tapes_of(inputs: &[&Tensor]) -> Vec<Arc<Mutex<Recording>>> {
    let mut tapes: Vec<Arc<Mutex<Recording>>> = Vec::new();
    for place in inputs
        .iter()
        .filter_map(|input| input.node())
        .flat_map(Node::places)
    {
        if !tapes.iter().any(|tape| place.is_on(tape)) {
            tapes.extend(place.recording());
        }
    }
    tapes
}

/// The tensor as `tape` keeps it: on the other tapes only.
fn kept(tensor: &Tensor, tape: &Arc<Mutex<Recording>>) -> Tensor {
    let places = tensor.node().map_or(&[][..], Node::places);
    let others = places.iter().filter(|place| !place.is_on(tape));
    tensor
        .detach()
        .with_node(Node::of(others.cloned().collect()))
}

/// Puts `output`, just computed by `op`, on the tapes of its inputs.
pub(crate) fn record(op: Op, inputs: &[&Tensor], output: Tensor) -> Tensor {
    match only_tape(inputs) {
        Some(tape) => record_on(&tape, op, inputs, output),
        None => record_on_each(op, inputs, output),
    }
}

/// The tape that the inputs are on, if it is one.
fn only_tape(inputs: &[&Tensor]) -> Option<Arc<Mutex<Recording>>> {
    let mut only: Option<&Place> = None;
    for node in inputs.iter().filter_map(|input| input.node()) {
        let Node::One(place) = node else { return None };
        if only.is_some_and(|only| !Weak::ptr_eq(&only.tape, &place.tape)) {
            return None;
        }
        only = Some(place);
    }
    only?.tape.upgrade()
}

/// What [`record_on_each`] does where there is one tape: each step of a training is recorded so.
fn record_on(tape: &Arc<Mutex<Recording>>, op: Op, inputs: &[&Tensor], output: Tensor) -> Tensor {
    let place = |input: &&Tensor| match input.node() {
        Some(Node::One(place)) => Some(place.index),
        _ => None,
    };
    let entry = Entry {
        op,
        places: inputs.iter().map(place).collect(),
        inputs: inputs.iter().map(|input| input.detach()).collect(),
        output: output.detach(),
    };
    let mut recording = lock(tape);
    if recording.used_up {
        return output;
    }
    let place = Place {
        tape: Arc::downgrade(tape),
        index: recording.push(Some(Arc::new(entry))),
    };
    output.with_node(Some(Node::One(place)))
}

fn record_on_each(op: Op, inputs: &[&Tensor], output: Tensor) -> Tensor {
    let tapes = tapes_of(inputs);
    if tapes.is_empty() {
        return output;
    }
    // The places come first: what one tape keeps of the output knows its place on the others.
    let places: Vec<Place> = tapes
        .iter()
        .map(|tape| Place {
            tape: Arc::downgrade(tape),
            index: lock(tape).push(None),
        })
        .collect();
    let output = output.with_node(Node::of(places.clone()));
    let ops = std::iter::repeat_n(op, tapes.len());
    for ((tape, place), op) in tapes.iter().zip(&places).zip(ops) {
        let on_tape = |input: &&Tensor| input.node().and_then(|node| node.on(tape));
        let entry = Entry {
            op,
            places: inputs.iter().map(on_tape).collect(),
            inputs: inputs.iter().map(|input| kept(input, tape)).collect(),
            output: kept(&output, tape),
        };
        // Another thread may have taken the gradient, and with it the place.
        if let Some(slot) = lock(tape).entries.get_mut(place.index) {
            *slot = Some(Arc::new(entry));
        }
    }
    output
}

#[cfg(test)]
#[path = "tape_tests.rs"]
mod tests;
