//! Handles to layers, by which models share them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::Block;
use super::graph::{Flow, Graph};
use super::identity::fresh;
use super::network::{Copies, Network};
use super::symbol::{Symbol, Symbols};
use crate::activations::Activation;
use crate::layers::{self, Call, Layer};
use crate::tensor::{Shape, expect};
use crate::{Error, Result, Tensor, names};

/// A layer, or a whole model as a layer, that any number of models and variables share.
///
/// Cloning the handle does not copy the layer: who calls it twice uses the same weights twice, and
/// what is changed through one handle is changed for all.
///
/// ```
/// use dlcore::prelude::*;
/// let shared = LayerRef::new(Dense::new(8).activation("relu"));
/// let (left, right) = (Input::new([4]), Input::new([4]));
/// let (a, b) = (shared.on(&left), shared.on(&right));
/// let model = Model::new([&left, &right], [&a, &b])?;
/// assert_eq!(model.count_params(), 4 * 8 + 8);
/// model.layer(&shared.name())?.set_trainable(false);
/// assert!(!shared.trainable());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct LayerRef(Arc<Held>);

struct Held {
    content: Content,
    /// Two handles of one version hold the same.
    version: AtomicU64,
    /// Frozen here, whatever the layer itself knows of freezing.
    frozen: AtomicBool,
    /// The samples' shapes it was built for.
    built_for: Mutex<Option<Vec<Vec<usize>>>>,
}

enum Content {
    Layer(RwLock<Box<dyn Layer>>),
    Network(RwLock<Network>),
    Block(Box<dyn Block>),
}

/// Locks without asking whether a panic has left it: what is held is whole after every step.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl LayerRef {
    /// A handle to `layer`.
    pub fn new(layer: impl Layer + 'static) -> LayerRef {
        Self::of(Content::Layer(RwLock::new(Box::new(layer))))
    }

    pub(super) fn boxed(layer: Box<dyn Layer>) -> LayerRef {
        Self::of(Content::Layer(RwLock::new(layer)))
    }

    pub(super) fn network(network: Network) -> LayerRef {
        Self::of(Content::Network(RwLock::new(network)))
    }

    /// A handle to layers put together by a program of one's own; see [`Block`].
    pub fn block(block: impl Block + 'static) -> LayerRef {
        Self::of(Content::Block(Box::new(block)))
    }

    fn of(content: Content) -> LayerRef {
        LayerRef(Arc::new(Held {
            content,
            version: AtomicU64::new(fresh()),
            frozen: AtomicBool::new(false),
            built_for: Mutex::new(None),
        }))
    }

    /// Tells layers apart: the same for all handles to one layer.
    pub(super) fn key(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Whether both are handles to one layer.
    pub fn is_same(&self, other: &LayerRef) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Reads the layer; `None` for a model.
    pub(super) fn leaf(&self) -> Option<RwLockReadGuard<'_, Box<dyn Layer>>> {
        match &self.0.content {
            Content::Layer(layer) => Some(read(layer)),
            Content::Network(_) | Content::Block(_) => None,
        }
    }

    /// Opens the layer to be changed; `None` for a model.
    pub(super) fn leaf_mut(&self) -> Option<RwLockWriteGuard<'_, Box<dyn Layer>>> {
        match &self.0.content {
            Content::Layer(layer) => {
                self.touch();
                Some(write(layer))
            }
            Content::Network(_) | Content::Block(_) => None,
        }
    }

    /// The model that this is a handle to.
    pub(super) fn as_network(&self) -> Option<RwLockReadGuard<'_, Network>> {
        match &self.0.content {
            Content::Network(network) => Some(read(network)),
            Content::Layer(_) | Content::Block(_) => None,
        }
    }

    pub(super) fn as_network_mut(&self) -> Option<RwLockWriteGuard<'_, Network>> {
        match &self.0.content {
            Content::Network(network) => {
                self.touch();
                Some(write(network))
            }
            Content::Layer(_) | Content::Block(_) => None,
        }
    }

    pub(super) fn graph(&self) -> Option<Arc<Graph>> {
        self.as_network().and_then(|network| network.graph.clone())
    }

    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    pub(super) fn touch(&self) {
        self.0.version.store(fresh(), Ordering::Relaxed);
    }

    /// The layer's name: `dense_1`.
    pub fn name(&self) -> String {
        match &self.0.content {
            Content::Layer(layer) => read(layer).name().to_string(),
            Content::Network(network) => read(network).name.clone(),
            Content::Block(block) => block.name().to_string(),
        }
    }

    /// The name of its type: `Dense`, or `Sequential` or `Model` for a model.
    pub fn kind(&self) -> String {
        match &self.0.content {
            Content::Layer(layer) => read(layer).kind().to_string(),
            Content::Network(network) => read(network).kind().to_string(),
            Content::Block(block) => block.kind().to_string(),
        }
    }

    /// How a message names the layer: `dense_1 (Dense)`.
    pub(super) fn describe(&self) -> String {
        match self.leaf() {
            Some(layer) => layers::describe(&**layer),
            None => format!("{} ({})", self.name(), self.kind()),
        }
    }

    /// The layers of a model; none for a layer that is no model.
    pub fn layers(&self) -> Vec<LayerRef> {
        match &self.0.content {
            Content::Layer(_) => Vec::new(),
            Content::Network(network) => read(network).layers(),
            Content::Block(block) => block.layers().into_iter().cloned().collect(),
        }
    }

    /// The layer of this name in the model.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name there is.
    pub fn layer(&self, name: &str) -> Result<LayerRef> {
        find(&self.layers(), name, &self.name())
    }

    /// Whether `other` is this model, or somewhere in it.
    pub(super) fn contains(&self, other: &LayerRef) -> bool {
        self.is_same(other) || self.layers().iter().any(|inner| inner.contains(other))
    }

    /// The layers that hold weights themselves: this one, or those of the model, each once.
    pub(super) fn leaves(&self) -> Vec<LayerRef> {
        let mut leaves = Vec::new();
        collect_leaves(self, &mut leaves, &mut std::collections::BTreeSet::new());
        leaves
    }

    /// Weights, then state (running means, for instance), layer by layer.
    pub fn get_weights(&self) -> Vec<Tensor> {
        let of_leaf = |leaf: &LayerRef| -> Vec<Tensor> {
            let layer = leaf.leaf().expect("leaves are layers");
            let all = layer.weights().into_iter().chain(layer.state());
            all.map(Tensor::detach).collect()
        };
        self.leaves().iter().flat_map(of_leaf).collect()
    }

    /// Puts weights in place, in the order of [`LayerRef::get_weights`], for every model that has
    /// the layer.
    ///
    /// # Errors
    /// [`Error::Shape`] if number or shapes differ, [`Error::Model`] if the layer is not built;
    /// nothing is changed then.
    pub fn set_weights(&self, weights: &[Tensor]) -> Result<()> {
        set_weights(&self.leaves(), weights, &self.name(), self.is_built())
    }

    /// How many numbers weights and state hold; 0 until the layer is built.
    pub fn count_params(&self) -> usize {
        let of_leaf = |leaf: &LayerRef| leaf.leaf().map(|layer| layers::count_params(&**layer));
        self.leaves().iter().filter_map(of_leaf).sum()
    }

    /// Whether training changes the weights; for a model, those of any of its layers.
    pub fn trainable(&self) -> bool {
        match &self.0.content {
            Content::Layer(layer) => {
                !self.0.frozen.load(Ordering::Relaxed) && read(layer).trainable()
            }
            _ => self.leaves().iter().any(LayerRef::trainable),
        }
    }

    /// Freezes or unfreezes the layer, or all layers of the model. A model that is compiled already
    /// trains as it did when it was compiled; compile it again for it to see the change.
    pub fn set_trainable(&self, trainable: bool) {
        for leaf in self.leaves() {
            leaf.0.frozen.store(!trainable, Ordering::Relaxed);
            if let Some(mut layer) = leaf.leaf_mut() {
                layer.set_trainable(trainable);
            }
        }
    }

    /// Its activation, for a layer that has one.
    pub fn activation(&self) -> Option<Activation> {
        self.leaf().and_then(|layer| layer.activation().cloned())
    }

    /// Whether the weights are made.
    pub fn is_built(&self) -> bool {
        match &self.0.content {
            Content::Layer(layer) => read(layer).is_built(),
            Content::Network(network) => read(network).is_built(),
            Content::Block(_) => self.layers().iter().all(LayerRef::is_built),
        }
    }

    /// The shape of one sample of the output, for the input the layer was built for; of the first
    /// output where there are several. `None` until it is built.
    pub fn output_shape(&self) -> Option<Vec<usize>> {
        let shapes = self.built_for()?;
        self.output_shapes(&shapes).ok()?.into_iter().next()
    }

    pub(super) fn built_for(&self) -> Option<Vec<Vec<usize>>> {
        let built_for = &self.0.built_for;
        let known = built_for.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().or_else(|| Some(self.graph()?.input_shapes()))
    }

    /// The shape of one sample where it is known before the layer is called.
    pub(super) fn declared_input(&self) -> Option<Vec<usize>> {
        let own = self
            .leaf()
            .and_then(|layer| layer.input_shape().map(<[usize]>::to_vec));
        own.or_else(|| match self.built_for()?.as_slice() {
            [only] if self.is_built() => Some(only.clone()),
            _ => None,
        })
    }

    /// Makes the weights for samples of this shape, unless they are made.
    ///
    /// # Errors
    /// What is wrong with the shape or the layer's settings.
    pub fn build(&self, input_shape: impl Into<Shape>) -> Result<()> {
        self.build_for(&[input_shape.into().into_vec()])
    }

    pub(super) fn build_for(&self, shapes: &[Vec<usize>]) -> Result<()> {
        if self.is_built() {
            if self.built_for().is_none() {
                self.note_built(shapes);
            }
            return Ok(());
        }
        match &self.0.content {
            Content::Layer(layer) => {
                self.touch();
                write(layer).build_many(shapes)?;
            }
            Content::Network(network) => match shapes {
                [shape] => write(network).build(shape)?,
                _ => return Err(self.wrong_count(1, shapes.len())),
            },
            Content::Block(block) => block.build(shapes)?,
        }
        self.note_built(shapes);
        Ok(())
    }

    pub(super) fn note_built(&self, shapes: &[Vec<usize>]) {
        let built_for = &self.0.built_for;
        *built_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(shapes.to_vec());
        self.touch();
    }

    fn wrong_count(&self, expected: usize, got: usize) -> Error {
        Error::Shape(format!(
            "{}: takes {expected} input{}, got {got}",
            self.describe(),
            if expected == 1 { "" } else { "s" }
        ))
    }

    pub(super) fn output_shapes(&self, inputs: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        match &self.0.content {
            Content::Layer(layer) => read(layer).output_shapes(inputs),
            Content::Block(block) => block.output_shapes(inputs),
            Content::Network(_) => match self.graph() {
                Some(graph) if graph.inputs().len() != inputs.len() => {
                    Err(self.wrong_count(graph.inputs().len(), inputs.len()))
                }
                Some(graph) => graph.output_shapes(inputs),
                None => Err(Error::Model(format!(
                    "{} has no layers, or is not built yet",
                    self.describe()
                ))),
            },
        }
    }

    /// The layer called in a functional model.
    ///
    /// # Panics
    /// If the layer cannot take these inputs, or returns several tensors: [`LayerRef::on_many`].
    #[track_caller]
    pub fn on(&self, inputs: impl Into<Symbols>) -> Symbol {
        expect(only(self, self.call_on(inputs.into().into_vec())))
    }

    /// [`LayerRef::on`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`], naming the layer, for inputs it cannot take; [`Error::Value`] for settings
    /// that make no sense.
    pub fn try_on(&self, inputs: impl Into<Symbols>) -> Result<Symbol> {
        only(self, self.call_on(inputs.into().into_vec()))
    }

    /// [`LayerRef::on`] for a layer with several outputs.
    ///
    /// # Panics
    /// If the layer cannot take these inputs.
    #[track_caller]
    pub fn on_many(&self, inputs: impl Into<Symbols>) -> Vec<Symbol> {
        expect(self.call_on(inputs.into().into_vec()))
    }

    /// [`LayerRef::on_many`], returning the error instead of panicking.
    ///
    /// # Errors
    /// As [`LayerRef::try_on`].
    pub fn try_on_many(&self, inputs: impl Into<Symbols>) -> Result<Vec<Symbol>> {
        self.call_on(inputs.into().into_vec())
    }

    pub(super) fn call_on(&self, inputs: Vec<Symbol>) -> Result<Vec<Symbol>> {
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape().to_vec()).collect();
        self.build_for(&shapes)?;
        let outputs = self.output_shapes(&shapes)?;
        Ok(Symbol::of_call(self.clone(), inputs, outputs))
    }

    /// The output for a batch, recorded on the tape that watches the input or the weights.
    ///
    /// # Panics
    /// If the layer is not built, or `x` does not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        let call = if training {
            Call::training()
        } else {
            Call::inference()
        };
        self.call(std::slice::from_ref(x), &call).swap_remove(0)
    }

    /// The outputs for a batch; see [`Layer::call`].
    ///
    /// # Panics
    /// As [`LayerRef::forward`].
    #[track_caller]
    pub fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        self.pass(inputs, call, &[]).tensors
    }

    /// Tensors and masks for a batch; an output for which `logits` is true without its last activation.
    pub(super) fn pass(&self, inputs: &[Tensor], call: &Call, logits: &[bool]) -> Flow {
        let (tensors, mask) = match &self.0.content {
            Content::Network(_) => match self.graph() {
                Some(graph) => return graph.run(inputs, call, logits),
                None => panic!("{} is not built yet: call build first", self.describe()),
            },
            Content::Block(block) => (
                block.call(inputs, call),
                block.output_mask(inputs, &call.masks),
            ),
            Content::Layer(layer) => {
                let layer = read(layer);
                let tensors = match logits.first() {
                    Some(true) => vec![layer.forward_logits(&inputs[0], call.training)],
                    _ => layer.call(inputs, call),
                };
                match (logits.first(), layer.activation()) {
                    (Some(true), Some(last)) if layer.activity_regularizer().is_some() => {
                        layers::note_activity(&**layer, &[last.apply(&tensors[0])]);
                    }
                    _ => layers::note_activity(&**layer, &tensors),
                }
                (tensors, layer.output_mask(inputs, &call.masks))
            }
        };
        let mut masks = vec![None; tensors.len()];
        if let Some(first) = masks.first_mut() {
            *first = mask;
        }
        Flow { tensors, masks }
    }

    /// Begins anew what stateful layers carry from batch to batch.
    pub fn reset_states(&self) {
        for leaf in self.leaves() {
            if let Some(mut layer) = leaf.leaf_mut() {
                layer.reset_states();
            }
        }
    }

    /// A layer of its own with the same content; layers that were copied before are taken from `copies`.
    pub(super) fn deep_copy(&self, copies: &mut Copies) -> LayerRef {
        if let Some(copy) = copies.get(&self.key()) {
            return copy.clone();
        }
        let content = match &self.0.content {
            Content::Layer(layer) => Content::Layer(RwLock::new(read(layer).clone())),
            Content::Network(network) => {
                let copy = read(network).deep_copy(copies);
                Content::Network(RwLock::new(copy))
            }
            Content::Block(block) => {
                let mut block = block.clone_box();
                for layer in block.layers_mut() {
                    *layer = layer.deep_copy(copies);
                }
                Content::Block(block)
            }
        };
        let copy = self.with_content(content);
        copies.insert(self.key(), copy.clone());
        copy
    }

    /// Another model of the same layers; for a layer the layer itself.
    pub(super) fn beside(&self) -> LayerRef {
        match &self.0.content {
            Content::Layer(_) | Content::Block(_) => self.clone(),
            Content::Network(network) => {
                let network = read(network).clone();
                self.with_content(Content::Network(RwLock::new(network)))
            }
        }
    }

    fn with_content(&self, content: Content) -> LayerRef {
        let built_for = self
            .0
            .built_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        LayerRef(Arc::new(Held {
            content,
            version: AtomicU64::new(self.version()),
            frozen: AtomicBool::new(self.0.frozen.load(Ordering::Relaxed)),
            built_for: Mutex::new(built_for.clone()),
        }))
    }

    /// What must be put back to undo a build: nothing of what is built already.
    pub(super) fn before_build(&self) -> Vec<Unbuilt> {
        let mut parts = Vec::new();
        if self.is_built() {
            return parts;
        }
        parts.push(Unbuilt {
            layer: self.clone(),
            content: self.leaf().map(|layer| layer.clone()),
        });
        for layer in self.layers() {
            parts.extend(layer.before_build());
        }
        parts
    }
}

/// A layer as it was before it was built.
pub(super) struct Unbuilt {
    layer: LayerRef,
    content: Option<Box<dyn Layer>>,
}

impl Unbuilt {
    pub(super) fn put_back(self) {
        let held = &self.layer.0;
        *held
            .built_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        match (&held.content, self.content) {
            (Content::Layer(layer), Some(content)) => *write(layer) = content,
            (Content::Network(network), _) => write(network).graph = None,
            (Content::Layer(_) | Content::Block(_), _) => {}
        }
    }
}

fn only(layer: &LayerRef, outputs: Result<Vec<Symbol>>) -> Result<Symbol> {
    let mut outputs = outputs?;
    match outputs.len() {
        1 => Ok(outputs.swap_remove(0)),
        count => Err(Error::Shape(format!(
            "{}: returns {count} tensors; call it with on_many, which returns them all",
            layer.describe()
        ))),
    }
}

fn collect_leaves(
    layer: &LayerRef,
    leaves: &mut Vec<LayerRef>,
    seen: &mut std::collections::BTreeSet<usize>,
) {
    if !seen.insert(layer.key()) {
        return;
    }
    if matches!(layer.0.content, Content::Layer(_)) {
        leaves.push(layer.clone());
    }
    for inner in layer.layers() {
        collect_leaves(&inner, leaves, seen);
    }
}

/// The layer of this name among those of `model`.
pub(super) fn find(layers: &[LayerRef], name: &str, model: &str) -> Result<LayerRef> {
    if let Some(layer) = layers.iter().find(|layer| layer.name() == name) {
        return Ok(layer.clone());
    }
    let known: Vec<String> = layers.iter().map(LayerRef::name).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(Error::Value(names::unknown(
        &format!("layer of {model}"),
        name,
        &known,
    )))
}

/// Puts weights and state into layers, all or none of them.
pub(super) fn set_weights(
    leaves: &[LayerRef],
    weights: &[Tensor],
    name: &str,
    built: bool,
) -> Result<()> {
    if !built {
        return Err(Error::Model(format!(
            "set_weights: {name} has no weights yet; give its first layer an input_shape, or call build"
        )));
    }
    let mut current: Vec<(String, Vec<usize>)> = Vec::new();
    for leaf in leaves {
        let what = leaf.describe();
        let shapes = leaf.get_weights();
        current.extend(shapes.iter().map(|w| (what.clone(), w.shape().to_vec())));
    }
    if current.len() != weights.len() {
        return Err(Error::Shape(format!(
            "set_weights: {name} has {} weights, got {}",
            current.len(),
            weights.len()
        )));
    }
    for (index, ((layer, shape), weight)) in current.iter().zip(weights).enumerate() {
        if weight.shape() != shape.as_slice() {
            return Err(Error::Shape(format!(
                "set_weights: weight {index}, of {layer}, has shape {shape:?}, got {:?}",
                weight.shape()
            )));
        }
    }
    let mut next = weights.iter();
    let mut put = |place: &mut Tensor| {
        if let Some(weight) = next.next() {
            *place = weight.detach().cast(place.dtype());
        }
    };
    for leaf in leaves {
        if let Some(mut layer) = leaf.leaf_mut() {
            layer.weights_mut().into_iter().for_each(&mut put);
            layer.state_mut().into_iter().for_each(&mut put);
        }
    }
    Ok(())
}

impl<T: Layer + 'static> From<T> for LayerRef {
    fn from(layer: T) -> LayerRef {
        LayerRef::new(layer)
    }
}

impl From<Box<dyn Layer>> for LayerRef {
    fn from(layer: Box<dyn Layer>) -> LayerRef {
        LayerRef::boxed(layer)
    }
}

impl From<&LayerRef> for LayerRef {
    fn from(layer: &LayerRef) -> LayerRef {
        layer.clone()
    }
}

/// `dense_1 (Dense), 330 parameters, frozen`
impl fmt::Debug for LayerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = super::grouped(self.count_params());
        write!(f, "{}, {params} parameters", self.describe())?;
        if !self.trainable() {
            f.write_str(", frozen")?;
        }
        Ok(())
    }
}
