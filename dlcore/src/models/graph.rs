//! Layers connected to a directed graph without cycles, and a batch's way through it.

use std::collections::{BTreeMap, BTreeSet};

use super::layer_ref::LayerRef;
use super::network::Copies;
use super::symbol::{Origin, Symbol};
use crate::layers::Call;
use crate::{Error, Result, Tensor};

/// Calls of layers in the order in which they are computed.
///
/// The tensors between them are numbered: the inputs first, then what each call returns.
pub(super) struct Graph {
    values: Vec<Symbol>,
    inputs: usize,
    outputs: Vec<usize>,
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
}

impl Graph {
    /// The graph between these symbols.
    ///
    /// # Errors
    /// [`Error::Model`] where the outputs need other inputs, or an input is not used; where two layers
    /// have one name.
    pub(super) fn new(inputs: Vec<Symbol>, outputs: &[Symbol]) -> Result<Graph> {
        check_ends(&inputs, outputs)?;
        let walk = Walk::new(&inputs, outputs)?;
        let graph = Graph::assemble(inputs, outputs, walk);
        graph.check_inputs_used()?;
        graph.check_names()?;
        Ok(graph)
    }

    /// The graph of a `Sequential`, which says itself what is wrong with names.
    pub(super) fn chain(input: Symbol, output: Symbol) -> Result<Graph> {
        let (inputs, outputs) = (vec![input], [output]);
        let walk = Walk::new(&inputs, &outputs)?;
        Ok(Graph::assemble(inputs, &outputs, walk))
    }

    fn assemble(inputs: Vec<Symbol>, outputs: &[Symbol], walk: Walk) -> Graph {
        let count = inputs.len();
        let mut values = inputs;
        let mut places: BTreeMap<(usize, usize), usize> = values
            .iter()
            .enumerate()
            .map(|(place, value)| (value.key(), place))
            .collect();
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
        let outputs = outputs.iter().map(|value| places[&value.key()]).collect();
        let mut graph = Graph {
            values,
            inputs: count,
            outputs,
            nodes,
            order,
        };
        graph.find_last_uses();
        graph
    }

    fn find_last_uses(&mut self) {
        let mut needed: BTreeSet<usize> = self.outputs.iter().copied().collect();
        for node in self.nodes.iter_mut().rev() {
            let own: Vec<usize> = node.outputs.clone().collect();
            for &value in node.inputs.iter().chain(&own) {
                if needed.insert(value) {
                    node.done.push(value);
                }
            }
        }
    }

    fn check_inputs_used(&self) -> Result<()> {
        let used: BTreeSet<usize> = self.nodes.iter().flat_map(|n| n.inputs.clone()).collect();
        for (place, input) in self.inputs().iter().enumerate() {
            if !used.contains(&place) && !self.outputs.contains(&place) {
                return Err(Error::Model(format!(
                    "Model::new: no output depends on the input {:?} of shape {:?}; leave it out, or use it",
                    input.name(),
                    input.shape()
                )));
            }
        }
        Ok(())
    }

    /// Names are how layers are found, shown and saved.
    fn check_names(&self) -> Result<()> {
        let layers = self.layers();
        let mut names: Vec<String> = layers.iter().map(LayerRef::name).collect();
        names.extend(self.inputs().iter().map(Symbol::name));
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(Error::Model(format!(
                "Model::new: two layers are named {:?}; each layer of a model needs its own name",
                pair[0]
            ))),
        }
    }

    pub(super) fn inputs(&self) -> &[Symbol] {
        &self.values[..self.inputs]
    }

    pub(super) fn outputs(&self) -> Vec<Symbol> {
        let of = |&place: &usize| self.values[place].clone();
        self.outputs.iter().map(of).collect()
    }

    pub(super) fn output_places(&self) -> &[usize] {
        &self.outputs
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

    /// Whether every layer takes samples of this shape at one of the inputs: the shape the graph was made
    /// for, or one of as many axes that fits as well.
    pub(super) fn takes(&self, place: usize, sample: &[usize]) -> bool {
        let mut shapes: Vec<Vec<usize>> = self
            .inputs()
            .iter()
            .map(|input| input.shape().to_vec())
            .collect();
        if shapes[place] == sample {
            return true;
        }
        let as_many = shapes[place].len() == sample.len();
        shapes[place] = sample.to_vec();
        // Two inputs of other lengths may fit one another only together.
        let alone = self.inputs().len() == 1;
        as_many && (!alone || self.output_shapes(&shapes).is_ok())
    }

    /// The layer whose activation comes last before an output, if nothing else needs its result.
    pub(super) fn last_layer(&self, output: usize) -> Option<LayerRef> {
        let place = *self.outputs.get(output)?;
        let node = self.nodes.iter().find(|n| n.outputs.contains(&place))?;
        let taken = self.nodes.iter().any(|node| node.inputs.contains(&place));
        let twice = self.outputs.iter().filter(|&&other| other == place).count() > 1;
        if taken || twice {
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
        for (place, input) in inputs.iter().enumerate() {
            tensors[place] = Some(input.clone());
            masks[place] = call.masks.get(place).cloned().flatten();
        }
        for node in &self.nodes {
            let taken = |place: &usize| tensors[*place].clone().expect("computed before");
            let from: Vec<Tensor> = node.inputs.iter().map(taken).collect();
            let call = Call {
                training: call.training,
                masks: node.inputs.iter().map(|&i| masks[i].clone()).collect(),
            };
            let logits = self.logits_of(node, logits);
            let flow = node.layer.pass(&from, &call, &logits);
            let results = flow.tensors.into_iter().zip(flow.masks);
            for (place, (tensor, mask)) in node.outputs.clone().zip(results) {
                (tensors[place], masks[place]) = (Some(tensor), mask);
            }
            for &place in &node.done {
                (tensors[place], masks[place]) = (None, None);
            }
        }
        let of = |place: &usize| tensors[*place].clone().expect("computed above");
        Flow {
            tensors: self.outputs.iter().map(of).collect(),
            masks: self.outputs.iter().map(|&i| masks[i].clone()).collect(),
        }
    }

    /// Which outputs of a call are wanted without their activation.
    fn logits_of(&self, node: &Node, wanted: &[bool]) -> Vec<bool> {
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
        let outputs: Vec<Symbol> = self.outputs.iter().map(|&i| values[i].clone()).collect();
        let walk = Walk::new(&inputs, &outputs).expect("the original was connected");
        Graph::assemble(inputs, &outputs, walk)
    }
}

fn check_ends(inputs: &[Symbol], outputs: &[Symbol]) -> Result<()> {
    if inputs.is_empty() || outputs.is_empty() {
        return Err(Error::Model(
            "Model::new: expected at least one input and one output".to_string(),
        ));
    }
    let mut seen = BTreeSet::new();
    match inputs.iter().find(|input| !seen.insert(input.key())) {
        None => Ok(()),
        Some(twice) => Err(Error::Model(format!(
            "Model::new: the input {:?} is given twice",
            twice.name()
        ))),
    }
}

/// The calls between inputs and outputs, found by walking back from the outputs. Symbols are made
/// before they are used and never change, so there are no cycles to find.
struct Walk {
    /// One symbol of each call, every call after those it needs.
    calls: Vec<Symbol>,
    /// When each layer, and each input, was first met, by its key.
    first_met: BTreeMap<usize, usize>,
}

/// What tells a layer, or the source of an input, apart.
fn owner(symbol: &Symbol) -> usize {
    match &symbol.source().origin {
        Origin::Input(_) => symbol.source_key(),
        Origin::Call(layer, _) => layer.key(),
    }
}

impl Walk {
    fn new(inputs: &[Symbol], outputs: &[Symbol]) -> Result<Walk> {
        let given: BTreeSet<(usize, usize)> = inputs.iter().map(Symbol::key).collect();
        let mut walk = Walk {
            calls: Vec::new(),
            first_met: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        for output in outputs {
            let mut path: Vec<(Symbol, usize)> = vec![(output.clone(), 0)];
            while let Some((symbol, next)) = path.pop() {
                if next == 0 {
                    let met = walk.first_met.len();
                    let is_given = given.contains(&symbol.key());
                    let known = is_given || !seen.insert(symbol.source_key());
                    walk.first_met.entry(owner(&symbol)).or_insert(met);
                    if known {
                        continue;
                    }
                }
                match &symbol.source().origin {
                    Origin::Input(_) => return Err(disconnected(&symbol, path.last())),
                    Origin::Call(_, from) => match from.get(next) {
                        Some(input) => {
                            let input = input.clone();
                            path.push((symbol, next + 1));
                            path.push((input, 0));
                        }
                        None => walk.calls.push(symbol),
                    },
                }
            }
        }
        Ok(walk)
    }

    /// Keras's order: by the distance from the outputs, then as they are met on the way back.
    fn order(&self, inputs: &[Symbol]) -> Vec<Entry> {
        let mut of_source: BTreeMap<usize, usize> = BTreeMap::new();
        let mut of_owner: BTreeMap<usize, usize> = BTreeMap::new();
        for call in self.calls.iter().rev() {
            let known = of_owner.get(&owner(call)).copied().unwrap_or(0);
            let depth = known.max(*of_source.get(&call.source_key()).unwrap_or(&0));
            of_owner.insert(owner(call), depth);
            if let Origin::Call(_, from) = &call.source().origin {
                for input in from {
                    let before = of_source.entry(input.source_key()).or_insert(0);
                    *before = (*before).max(depth + 1);
                }
            }
        }
        let mut rows: Vec<(usize, usize, Entry)> = Vec::new();
        let met = |key: usize| self.first_met.get(&key).copied().unwrap_or(0);
        for (place, input) in inputs.iter().enumerate() {
            let depth = of_source.get(&input.source_key()).copied().unwrap_or(0);
            rows.push((depth, met(owner(input)), Entry::Input(place)));
        }
        let mut listed = BTreeSet::new();
        for call in &self.calls {
            if let Origin::Call(layer, _) = &call.source().origin
                && listed.insert(layer.key())
            {
                let depth = of_owner[&layer.key()];
                rows.push((depth, met(layer.key()), Entry::Layer(layer.clone())));
            }
        }
        rows.sort_by_key(|(depth, met, _)| (usize::MAX - depth, *met));
        rows.into_iter().map(|(_, _, entry)| entry).collect()
    }
}

fn disconnected(input: &Symbol, taker: Option<&(Symbol, usize)>) -> Error {
    let taker = taker.map_or_else(
        || "an output".to_string(),
        |(symbol, _)| format!("{:?}", symbol.name()),
    );
    Error::Model(format!(
        "Model::new: {taker} depends on the input {:?} of shape {:?}, which is not among the model's inputs; add it to \
         them",
        input.name(),
        input.shape()
    ))
}
