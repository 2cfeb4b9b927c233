//! Handles to layers, by which models share them.

mod build;
mod call;
mod copy;
mod unknown;
mod weights;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::Block;
use super::graph::Graph;
use super::identity::fresh;
use super::network::{Copies, Network};
use crate::activations::Activation;
use crate::layers::{self, Layer};
use crate::{Error, Result, names};

pub(super) use weights::set_weights;

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
    /// No other layer has, or had, this number.
    number: u64,
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
            number: fresh(),
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

    /// Which layer it is, for as long as the program runs.
    pub(super) fn number(&self) -> u64 {
        self.0.number
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

    /// Its activation, for a layer that has one.
    pub fn activation(&self) -> Option<Activation> {
        self.leaf().and_then(|layer| layer.activation().cloned())
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
