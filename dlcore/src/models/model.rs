//! What all models have in common, and models that are a graph of layers.

use super::graph::{DrawnCall, Graph};
use super::history::History;
use super::identity::Identity;
use super::layer_ref::{LayerRef, find, set_weights};
use super::network::{Copies, Network};
use super::objective::Compiled;
use super::summary::Summary;
use super::symbol::{Symbol, Symbols};
use crate::optimizers::BuiltFor;
use crate::{Error, Result, Tensor, names};

/// Layers connected in any way that has no cycle: several inputs, several outputs, branches, shared
/// layers, other models as layers.
///
/// [`Sequential`](super::Sequential) is a model too and has all of these methods.
///
/// ```
/// use dlcore::prelude::*;
/// let input = Input::new([8]);
/// let hidden = Dense::new(16).activation("relu").on(&input);
/// let age = Dense::new(1).name("age").on(&hidden);
/// let gender = Dense::new(1).activation("sigmoid").name("gender").on(&hidden);
/// let mut model = Model::new(&input, [&age, &gender])?;
/// let losses = Losses::named([("age", "mse"), ("gender", "binary_crossentropy")]);
/// model.compile("rmsprop", losses.weights([0.25, 10.0]), Metrics::none())?;
/// let (x, ages, genders) = (Tensor::ones([4, 8]), Tensor::ones([4, 1]), Tensor::zeros([4, 1]));
/// let history = model.fit(&x, [&ages, &genders], Fit::epochs(2).verbose(0))?;
/// assert_eq!(history.metrics(), ["loss", "age_loss", "gender_loss"]);
/// # Ok::<(), Error>(())
/// ```
///
/// A model that is called, or added to another, shares its weights with it; so do models that are made
/// of the same [`LayerRef`]s or symbols. A clone is independent: its weights are its own as soon as one
/// of the two is trained.
pub struct Model {
    name: String,
    pub(super) handle: LayerRef,
    /// What was wrong with a layer when it was added; told by whatever can return an error next.
    pub(super) problem: Option<String>,
    pub(super) compiled: Option<Compiled>,
    pub(super) history: Option<History>,
    /// Why a model that came from a file is not compiled, though it was when it was saved.
    pub(super) not_compiled: Option<String>,
    pub(crate) identity: Identity,
}

impl Model {
    /// The model that computes `outputs` from `inputs`. Symbols may come from other models: what
    /// is between the two is shared with these.
    ///
    /// # Errors
    /// [`Error::Model`] where the outputs depend on other inputs, an input is not used, or two
    /// layers have one name.
    pub fn new(inputs: impl Into<Symbols>, outputs: impl Into<Symbols>) -> Result<Model> {
        let (inputs, outputs) = (inputs.into().into_vec(), outputs.into().into_vec());
        let graph = Graph::new(inputs, &outputs)?;
        let network = Network::functional(names::next("functional"), graph);
        Ok(Self::of(LayerRef::network(network)))
    }

    /// The model behind a handle.
    pub(super) fn of(handle: LayerRef) -> Model {
        Model {
            name: handle.name(),
            handle,
            problem: None,
            compiled: None,
            history: None,
            not_compiled: None,
            identity: Identity::new(),
        }
    }

    /// The model under another name.
    pub fn named(mut self, name: &str) -> Model {
        self.rename(name);
        self
    }

    pub(super) fn note(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    pub(super) fn rename(&mut self, name: &str) {
        self.name = name.to_string();
        if let Some(mut network) = self.handle.as_network_mut() {
            network.name = name.to_string();
        }
    }

    /// The model's name: `functional`, `sequential_1`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layers, each once, from inputs to outputs.
    pub fn layers(&self) -> Vec<LayerRef> {
        self.handle.layers()
    }

    /// The layer of this name.
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name there is.
    pub fn layer(&self, name: &str) -> Result<LayerRef> {
        find(&self.layers(), name, &self.name)
    }

    /// The model as a layer, as `add` and [`Model::on`] take it.
    pub fn as_layer(&self) -> LayerRef {
        self.handle.clone()
    }

    pub(super) fn leaves(&self) -> Vec<LayerRef> {
        self.handle.leaves()
    }

    pub(crate) fn is_sequential(&self) -> bool {
        let network = self.handle.as_network();
        network.is_some_and(|network| network.chain.is_some())
    }

    pub(super) fn graph(&self, operation: &str) -> Result<std::sync::Arc<Graph>> {
        self.handle.graph().ok_or_else(|| self.unbuilt(operation))
    }

    /// The symbols that the model begins with.
    ///
    /// # Errors
    /// [`Error::Model`] for a `Sequential` that is not built.
    pub fn inputs(&self) -> Result<Vec<Symbol>> {
        Ok(self.graph("inputs")?.inputs().to_vec())
    }

    /// The symbols that the model ends in.
    ///
    /// # Errors
    /// [`Error::Model`] for a `Sequential` that is not built.
    pub fn outputs(&self) -> Result<Vec<Symbol>> {
        Ok(self.graph("outputs")?.outputs())
    }

    /// What a layer returns within this model, where it is first called: to make a model that ends
    /// there.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let model = Sequential::new()
    ///     .add(Dense::new(4).name("first").input_shape([3]))
    ///     .add(Dense::new(1));
    /// let until_first = Model::new(model.inputs()?, &model.layer_output("first")?)?;
    /// assert_eq!(until_first.predict(&Tensor::ones([2, 3]))?.shape(), [2, 4]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] with the nearest name; [`Error::Model`] for a `Sequential` that is not built.
    pub fn layer_output(&self, name: &str) -> Result<Symbol> {
        let layer = self.layer(name)?;
        let graph = self.graph("layer_output")?;
        let output = graph.output_of(&layer);
        output.ok_or_else(|| self.unbuilt("layer_output"))
    }

    /// The model called as a layer of another: with its weights.
    ///
    /// # Panics
    /// As [`LayerRef::on`].
    #[track_caller]
    pub fn on(&self, inputs: impl Into<Symbols>) -> Symbol {
        self.handle.on(inputs)
    }

    /// [`Model::on`], returning the error instead of panicking.
    ///
    /// # Errors
    /// As [`LayerRef::try_on`].
    pub fn try_on(&self, inputs: impl Into<Symbols>) -> Result<Symbol> {
        self.handle.try_on(inputs)
    }

    /// [`Model::on`] for a model with several outputs.
    ///
    /// # Panics
    /// As [`LayerRef::on_many`].
    #[track_caller]
    pub fn on_many(&self, inputs: impl Into<Symbols>) -> Vec<Symbol> {
        self.handle.on_many(inputs)
    }

    /// Whether training changes any of the weights.
    pub fn trainable(&self) -> bool {
        self.handle.trainable()
    }

    /// Freezes or unfreezes all layers. To be seen by a model that is compiled already, that model is
    /// compiled again; until then it trains what it trained before. (So a discriminator that was
    /// compiled before it was frozen within a larger model still trains by itself.)
    pub fn set_trainable(&self, trainable: bool) {
        self.handle.set_trainable(trainable);
    }

    /// Makes the weights of the layers that have none yet, for samples of this shape (without the
    /// batch axis), whose axes may be [`dim::ANY`](crate::dim::ANY). `fit` does it by itself.
    ///
    /// # Errors
    /// What is wrong with a layer, by its name; layers that had no weights have none then.
    pub fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.identity.touch();
        let before = self.handle.before_build();
        let built = match self.handle.as_network_mut() {
            Some(mut network) => network.build(input_shape),
            None => Ok(()),
        };
        if built.is_err() {
            // A shape that was refused must not stay with the layers before the one that refused it.
            before.into_iter().for_each(|part| part.put_back());
        }
        built?;
        self.handle.note_built(&[input_shape.to_vec()]);
        Ok(())
    }

    pub(crate) fn is_built(&self) -> bool {
        self.handle.is_built()
    }

    /// An error if a layer could not be added, or there is none.
    pub(super) fn check_layers(&self, operation: &str) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(Error::Model(format!("{operation}: {problem}")));
        }
        if self.layers().is_empty() {
            return Err(Error::Model(format!(
                "{operation}: {} has no layers yet; add some first, for instance .add(Dense::new(10))",
                self.name
            )));
        }
        Ok(())
    }

    pub(super) fn unbuilt(&self, operation: &str) -> Error {
        Error::Model(format!(
            "{operation}: {} has no weights yet; fit it first, or give its first layer an input_shape",
            self.name
        ))
    }

    /// The names by which data for the inputs can be given.
    pub(super) fn input_names(&self) -> Vec<String> {
        match self.handle.graph() {
            Some(graph) => graph.inputs().iter().map(Symbol::name).collect(),
            None => vec!["input".to_string()],
        }
    }

    /// The names of the outputs: those of the layers they come from, numbered where they repeat.
    pub(super) fn output_names(&self) -> Vec<String> {
        let Some(graph) = self.handle.graph() else {
            let last = self.layers().last().map(LayerRef::name);
            return vec![last.unwrap_or_default()];
        };
        let mut names: Vec<String> = Vec::new();
        for output in graph.outputs() {
            let name = output.name();
            let again = (1..).map(|number| format!("{name}_{number}"));
            let mut free = [name.clone()].into_iter().chain(again);
            let free = free.find(|name| !names.contains(name));
            names.extend(free);
        }
        names
    }

    /// The history of the last `fit`, also of one that ended with an error.
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// A copy as of now, with what an unfinished `fit` has recorded so far.
    pub(crate) fn with_history(&self, history: &History) -> Model {
        let mut model = self.clone();
        model.history = Some(history.clone());
        model
    }

    /// Why a model that came from a file has to be compiled again.
    pub(crate) fn not_compiled(&self) -> Option<&str> {
        self.not_compiled.as_deref()
    }

    /// What must differ where two models, or one at two times, do not hold the same.
    pub(crate) fn version(&self) -> Vec<u64> {
        let mut versions = vec![self.identity.version(), self.handle.version()];
        versions.extend(self.leaves().iter().map(LayerRef::version));
        versions
    }

    /// Another model of the same layers, with an optimizer and a history of its own.
    pub(crate) fn beside(&self) -> Model {
        Model {
            handle: self.handle.beside(),
            ..self.clone()
        }
    }

    /// What weights and optimizer take in memory.
    pub(crate) fn bytes(&self) -> usize {
        // What cannot be read any more is not written either.
        let compiled = self.compiled.iter();
        let state = compiled.flat_map(|c| c.optimizer.state().unwrap_or_default());
        let slots: usize = state
            .flat_map(|(_, slots)| slots)
            .map(|slot| slot.len())
            .sum();
        4 * (self.count_params() + slots)
    }

    /// How many numbers the weights hold; 0 until the model is built.
    pub fn count_params(&self) -> usize {
        self.handle.count_params()
    }

    /// The layers with their output shapes, parameter counts and, where they are no plain row, what
    /// they are connected to; prints as a table.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// The calls of layers as they are drawn, each after those it takes its inputs from.
    pub(crate) fn drawn(&self) -> Vec<DrawnCall> {
        match self.handle.graph() {
            Some(graph) => graph.drawn(),
            None => {
                let row = |(index, layer): (usize, LayerRef)| DrawnCall {
                    name: layer.name(),
                    kind: layer.kind(),
                    shapes: Vec::new(),
                    inputs: index.checked_sub(1).into_iter().collect(),
                };
                self.layers().into_iter().enumerate().map(row).collect()
            }
        }
    }

    /// The weights of all layers, in order: kernel and bias of the first, of the second, …; after a
    /// layer's weights what it keeps beside them, such as running means. Shared layers come once.
    pub fn get_weights(&self) -> Vec<Tensor> {
        self.handle.get_weights()
    }

    /// Puts weights in place, in the order of [`Model::get_weights`], for every model that has these
    /// layers.
    ///
    /// # Errors
    /// [`Error::Shape`] if number or shapes differ, [`Error::Model`] if the model is not built;
    /// nothing is changed then.
    pub fn set_weights(&self, weights: &[Tensor]) -> Result<()> {
        set_weights(&self.leaves(), weights, &self.name, self.is_built())
    }

    /// Begins anew what stateful layers carry from batch to batch.
    pub fn reset_states(&self) {
        self.handle.reset_states();
    }
}

/// An independent model with the same content. Layers that were shared within the original are
/// shared within the copy.
impl Clone for Model {
    fn clone(&self) -> Model {
        let mut compiled = self.compiled.clone();
        if let Some(compiled) = &mut compiled {
            // Its weights are others now, and its state is theirs.
            compiled.optimizer.built_for().map(BuiltFor::forget);
        }
        Model {
            name: self.name.clone(),
            handle: self.handle.deep_copy(&mut Copies::new()),
            problem: self.problem.clone(),
            compiled,
            history: self.history.clone(),
            not_compiled: self.not_compiled.clone(),
            identity: self.identity.clone(),
        }
    }
}

impl From<&Model> for LayerRef {
    fn from(model: &Model) -> LayerRef {
        model.as_layer()
    }
}

impl From<Model> for LayerRef {
    fn from(model: Model) -> LayerRef {
        model.handle
    }
}

/// The summary.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.summary(), f)
    }
}
