//! Layers connected to a directed graph without cycles, and a batch's way through it.

mod check;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use self::check::check_ends;
use self::walk::Walk;
use super::layer_ref::LayerRef;
use super::network::Copies;
use super::symbol::{Origin, Symbol};
use crate::layers::Call;
use crate::sorted;
use crate::{Result, Tensor, dim};

/// Calls of layers in the order in which they are computed.
///
/// The tensors between them are numbered: the inputs first, then what each call returns.
pub(super) struct Graph {
    values: Vec<Symbol>,
    inputs: usize,
    outputs: Vec<usize>,
    /// Values whose means are added to the loss.
    losses: Vec<usize>,
    nodes: Vec<Node>,
    order: Vec<Entry>,
}

/// One call of a layer.
pub(super) struct Node {
    pub(super) layer: LayerRef,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: std::ops::Range<usize>,
    /// Values that nobody needs after this call.
    done: Vec<usize>,
}

/// A row of the summary.
#[derive(Clone)]
pub(super) enum Entry {
    Input(usize),
    Layer(LayerRef),
}

/// A call of a layer, or an input, in a drawing.
pub(crate) struct DrawnCall {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Of one sample of each output.
    pub(crate) shapes: Vec<Vec<usize>>,
    /// Where its inputs come from, by their places among the calls.
    pub(crate) inputs: Vec<usize>,
}

/// Tensors on their way, with what masks say of their timesteps.
pub(super) struct Flow {
    pub(super) tensors: Vec<Tensor>,
    pub(super) masks: Vec<Option<Tensor>>,
    /// What is added to the loss, besides the outputs' own.
    pub(super) losses: Vec<Tensor>,
}

impl Graph {
    /// The graph between these symbols.
    ///
    /// # Errors
    /// [`Error::Model`] where the outputs need other inputs, or an input is not used; where two layers
    /// have one name.
    pub(super) fn new(inputs: Vec<Symbol>, outputs: &[Symbol]) -> Result<Graph> {
        Self::with_losses(inputs, outputs, &[])
    }

    /// [`Graph::new`] with symbols whose means are added to the loss.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub(super) fn with_losses(
        inputs: Vec<Symbol>,
        outputs: &[Symbol],
        losses: &[Symbol],
    ) -> Result<Graph> {
        check_ends(&inputs, outputs)?;
        let graph = Self::between(inputs, outputs, losses)?;
        graph.check_inputs_used()?;
        graph.check_names()?;
        Ok(graph)
    }

    /// The graph of a `Sequential`, which says itself what is wrong with names.
    pub(super) fn chain(input: Symbol, output: Symbol) -> Result<Graph> {
        Self::between(vec![input], &[output], &[])
    }

    fn between(inputs: Vec<Symbol>, outputs: &[Symbol], losses: &[Symbol]) -> Result<Graph> {
        let walk = Walk::new(&inputs, &[outputs, losses].concat())?;
        Ok(Graph::assemble(inputs, outputs, losses, walk))
    }

    fn assemble(inputs: Vec<Symbol>, outputs: &[Symbol], losses: &[Symbol], walk: Walk) -> Graph {
        let count = inputs.len();
        let mut values = inputs;
        let known = values
            .iter()
            .zip(0..)
            .map(|(value, place)| (value.key(), place));
        let mut places: BTreeMap<(usize, usize), usize> = sorted::gathered(known);
        let order = walk.order(&values);
        let mut nodes = Vec::with_capacity(walk.calls.len());
        for call in &walk.calls {
            let Origin::Call(layer, from) = &call.source().origin else {
                continue;
            };
            let start = values.len();
            for value in call.siblings() {
                // A value that was given as an input stays one.
                places.entry(value.key()).or_insert(values.len());
                values.push(value);
            }
            nodes.push(Node {
                layer: layer.clone(),
                inputs: from.iter().map(|value| places[&value.key()]).collect(),
                outputs: start..values.len(),
                done: Vec::new(),
            });
        }
        let place = |value: &Symbol| places[&value.key()];
        let mut graph = Graph {
            outputs: outputs.iter().map(place).collect(),
            losses: losses.iter().map(place).collect(),
            values,
            inputs: count,
            nodes,
            order,
        };
        graph.find_last_uses();
        graph
    }

    fn find_last_uses(&mut self) {
        let ends = self.outputs.iter().chain(&self.losses);
        let mut needed: BTreeSet<usize> = sorted::gathered(ends.copied());
        for node in self.nodes.iter_mut().rev() {
            let own: Vec<usize> = node.outputs.clone().collect();
            for &value in node.inputs.iter().chain(&own) {
                if needed.insert(value) {
                    node.done.push(value);
                }
            }
        }
    }

    pub(super) fn inputs(&self) -> &[Symbol] {
        &self.values[..self.inputs]
    }

    pub(super) fn outputs(&self) -> Vec<Symbol> {
        let of = |&place: &usize| self.values[place].clone();
        self.outputs.iter().map(of).collect()
    }

    /// Whether something within it counts as a loss.
    pub(super) fn has_losses(&self) -> bool {
        !self.losses.is_empty()
    }

    pub(super) fn output_places(&self) -> &[usize] {
        &self.outputs
    }

    /// What is added to the loss here, not in models that are layers of this one.
    pub(super) fn losses(&self) -> Vec<Symbol> {
        let of = |&place: &usize| self.values[place].clone();
        self.losses.iter().map(of).collect()
    }

    pub(super) fn loss_places(&self) -> &[usize] {
        &self.losses
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn value(&self, place: usize) -> &Symbol {
        &self.values[place]
    }

    pub(super) fn input_shapes(&self) -> Vec<Vec<usize>> {
        let shape = |input: &Symbol| input.shape().to_vec();
        self.inputs().iter().map(shape).collect()
    }

    /// Inputs and layers as the summary lists them: by their distance from the outputs.
    pub(super) fn order(&self) -> &[Entry] {
        &self.order
    }

    /// Each layer once, in the order of the summary.
    pub(super) fn layers(&self) -> Vec<LayerRef> {
        let layer = |entry: &Entry| match entry {
            Entry::Layer(layer) => Some(layer.clone()),
            Entry::Input(_) => None,
        };
        self.order.iter().filter_map(layer).collect()
    }

    /// Where a value comes from: which call of its layer in this graph, which of its outputs.
    pub(super) fn origin(&self, place: usize) -> (String, usize, usize) {
        let value = &self.values[place];
        if place < self.inputs {
            return (value.name(), 0, value.output());
        }
        let Some(at) = self.nodes.iter().position(|n| n.outputs.contains(&place)) else {
            return (value.name(), 0, value.output());
        };
        let same = |node: &&Node| node.layer.is_same(&self.nodes[at].layer);
        let call = self.nodes[..at].iter().filter(same).count();
        (value.name(), call, value.output())
    }

    /// Inputs, then calls, each after those it needs.
    pub(super) fn drawn(&self) -> Vec<DrawnCall> {
        let input = |input: &Symbol| DrawnCall {
            name: input.name(),
            kind: "InputLayer".to_string(),
            shapes: vec![input.shape().to_vec()],
            inputs: Vec::new(),
        };
        let mut drawn: Vec<DrawnCall> = self.inputs().iter().map(input).collect();
        let source = |place: &usize| match *place < self.inputs {
            true => Some(*place),
            false => {
                let node = self.nodes.iter().position(|n| n.outputs.contains(place));
                node.map(|node| self.inputs + node)
            }
        };
        for node in &self.nodes {
            drawn.push(DrawnCall {
                name: node.layer.name(),
                kind: node.layer.kind(),
                shapes: node
                    .outputs
                    .clone()
                    .map(|place| self.values[place].shape().to_vec())
                    .collect(),
                inputs: node.inputs.iter().filter_map(source).collect(),
            });
        }
        drawn
    }

    /// What a layer returns where it is first called; its first output.
    pub(super) fn output_of(&self, layer: &LayerRef) -> Option<Symbol> {
        let node = self.nodes.iter().find(|node| node.layer.is_same(layer))?;
        Some(self.values[node.outputs.start].clone())
    }

    /// What an input is called in messages: the layer that takes it.
    pub(super) fn taker(&self, input: usize) -> String {
        let node = self.nodes.iter().find(|node| node.inputs.contains(&input));
        node.map_or_else(String::new, |node| node.layer.describe())
    }

    /// Whether all inputs have the shapes that it was built for.
    pub(super) fn is_as_built(&self, x: &[Tensor]) -> bool {
        let known = self.inputs().iter().map(Symbol::shape);
        known.eq(x.iter().map(|x| &x.shape()[1..]))
    }

    /// The shapes of the outputs, for inputs that may have other shapes than those it was built for.
    pub(super) fn output_shapes(&self, inputs: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        let known = self.inputs().iter().map(Symbol::shape);
        if known.eq(inputs.iter().map(Vec::as_slice)) {
            let shape = |&place: &usize| self.values[place].shape().to_vec();
            return Ok(self.outputs.iter().map(shape).collect());
        }
        let mut shapes = inputs.to_vec();
        for node in &self.nodes {
            let taken: Vec<Vec<usize>> = node.inputs.iter().map(|&i| shapes[i].clone()).collect();
            shapes.extend(node.layer.output_shapes(&taken)?);
        }
        Ok(self.outputs.iter().map(|&i| shapes[i].clone()).collect())
    }

    /// Whether samples of this shape are those that an input is for. One that was `declared` is for the
    /// lengths it says, one that the first data decided also for others that all layers take.
    pub(super) fn takes(&self, place: usize, sample: &[usize], declared: bool) -> bool {
        let shape = self.inputs()[place].shape();
        if dim::fits(sample, shape) {
            return true;
        }
        let as_many = shape.len() == sample.len();
        !declared && as_many && self.output_shapes(&[sample.to_vec()]).is_ok()
    }

    /// The layer whose activation comes last before an output, if nothing else needs its result.
    pub(super) fn last_layer(&self, output: usize) -> Option<LayerRef> {
        let place = *self.outputs.get(output)?;
        let node = self.nodes.iter().find(|n| n.outputs.contains(&place))?;
        let taken = self.nodes.iter().any(|node| node.inputs.contains(&place));
        let twice = self.outputs.iter().filter(|&&other| other == place).count() > 1;
        if taken || twice || self.losses.contains(&place) {
            return None;
        }
        match node.layer.graph() {
            Some(inner) => inner.last_layer(place - node.outputs.start),
            None => {
                let plain = node.outputs.len() == 1 && node.inputs.len() == 1;
                (plain && node.layer.leaf().is_some()).then(|| node.layer.clone())
            }
        }
    }

    /// The way of a batch from the inputs to the outputs.
    pub(super) fn run(&self, inputs: &[Tensor], call: &Call, logits: &[bool]) -> Flow {
        let mut tensors: Vec<Option<Tensor>> = vec![None; self.values.len()];
        let mut masks = tensors.clone();
        let mut losses = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            tensors[place] = Some(input.clone());
            masks[place] = call.masks.get(place).cloned().flatten();
        }
        for node in &self.nodes {
            let taken = |place: &usize| tensors[*place].clone().expect("computed before");
            let from: SmallVec<[Tensor; 2]> = node.inputs.iter().map(taken).collect();
            let call = Call {
                training: call.training,
                masks: node.inputs.iter().map(|&i| masks[i].clone()).collect(),
            };
            let logits = self.logits_of(node, logits);
            let flow = node.layer.pass(&from, &call, &logits);
            losses.extend(flow.losses);
            let results = flow.tensors.into_iter().zip(flow.masks);
            for (place, (tensor, mask)) in node.outputs.clone().zip(results) {
                (tensors[place], masks[place]) = (Some(tensor), mask);
            }
            for &place in &node.done {
                (tensors[place], masks[place]) = (None, None);
            }
        }
        let of = |place: &usize| tensors[*place].clone().expect("computed above");
        losses.extend(self.losses.iter().map(of));
        Flow {
            tensors: self.outputs.iter().map(of).collect(),
            masks: self.outputs.iter().map(|&i| masks[i].clone()).collect(),
            losses,
        }
    }

    /// Which outputs of a call are wanted without their activation.
    fn logits_of(&self, node: &Node, wanted: &[bool]) -> SmallVec<[bool; 8]> {
        let of = |place: usize| {
            let output = self.outputs.iter().position(|&other| other == place);
            output.is_some_and(|output| wanted.get(output) == Some(&true))
        };
        node.outputs.clone().map(of).collect()
    }

    pub(super) fn deep_copy(&self, copies: &mut Copies) -> Graph {
        let copied = |input: &Symbol| Symbol::input(input.name(), input.shape().to_vec());
        let mut values: Vec<Symbol> = self.inputs().iter().map(copied).collect();
        let inputs = values.clone();
        for node in &self.nodes {
            let from = node.inputs.iter().map(|&i| values[i].clone()).collect();
            let shapes = node.outputs.clone();
            let shapes = shapes.map(|i| self.values[i].shape().to_vec()).collect();
            values.extend(Symbol::of_call(node.layer.deep_copy(copies), from, shapes));
        }
        let at = |places: &[usize]| -> Vec<Symbol> {
            places.iter().map(|&place| values[place].clone()).collect()
        };
        let (outputs, losses) = (at(&self.outputs), at(&self.losses));
        Self::between(inputs, &outputs, &losses).expect("the original was connected")
    }
}
