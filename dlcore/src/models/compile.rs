//! What a model is trained for, and by which optimizer.

use std::sync::Arc;

use super::chain::KeptChain;
use super::checks;
use super::graph::Graph;
use super::layer_ref::LayerRef;
use super::model::Model;
use super::objective::{Compiled, Losses, OutputMetrics, objectives};
use super::step;
use super::symbol::Symbol;
use crate::optimizers::OptimizerChoice;
use crate::{Error, Result};

impl Model {
    /// Chooses how the model is trained. Compiling again keeps the weights and starts the
    /// optimizer anew.
    ///
    /// Of several outputs each has a loss; [`Losses`] says which and how much it counts. With
    /// [`Losses::none`], or `()`, the losses of [`Model::add_loss`] are all there is.
    ///
    /// # Errors
    /// [`Error::Value`] for an unknown name, with the nearest known one, or a setting out of range;
    /// [`Error::Model`] for a model without layers, a last layer that does not fit the loss, or an
    /// optimizer whose steps were for other weights.
    pub fn compile(
        &mut self,
        optimizer: impl Into<OptimizerChoice>,
        loss: impl Into<Losses>,
        metrics: impl Into<OutputMetrics>,
    ) -> Result<()> {
        self.compile_with(optimizer.into(), loss.into(), metrics.into())
    }

    fn compile_with(
        &mut self,
        optimizer: OptimizerChoice,
        losses: Losses,
        metrics: OutputMetrics,
    ) -> Result<()> {
        self.check_layers("compile")?;
        checks::activations(&self.leaves())?;
        let named = |error: Error| match error {
            Error::Value(text) if !text.starts_with("compile:") => {
                Error::Value(format!("compile: {text}"))
            }
            other => other,
        };
        let objectives = objectives(&self.output_names(), losses, metrics).map_err(named)?;
        for objective in &objectives {
            if let Some(last) = self.last_layer(objective.output) {
                checks::last_layer(&last, &objective.loss)?;
            }
        }
        if objectives.is_empty() && !self.handle.adds_losses() {
            return Err(Error::Model(format!(
                "compile: {} has no loss: name one, as in .compile(\"rmsprop\", \"mse\", ())?, or add what its layers \
                 compute by add_loss first",
                self.name()
            )));
        }
        let mut optimizer = optimizer.resolve().map_err(named)?;
        if self.is_built() {
            let trained = self.leaves().into_iter().filter(LayerRef::trainable);
            let trained: Vec<LayerRef> = trained.collect();
            step::build_for(&mut *optimizer, &trained, "compile")?;
        }
        self.compiled = Some(Compiled {
            optimizer,
            objectives,
            trained: self.leaves().iter().map(LayerRef::trainable).collect(),
            chain: KeptChain::default(),
        });
        self.not_compiled = None;
        self.identity.touch();
        Ok(())
    }

    /// Adds to the loss what layers compute: the mean of this symbol's numbers, over a batch, in `fit`,
    /// `evaluate` and wherever else losses are. The symbol is of this model's graph: it is computed from its
    /// inputs, and may take layers that no output needs. Compile the model afterwards.
    ///
    /// The loss of a variational autoencoder, of which every sample's reconstruction and divergence are
    /// computed from tensors within the graph; no labels are left:
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let input = Input::new([8]);
    /// let hidden = Dense::new(4).activation("relu").on(&input);
    /// let z_mean = Dense::new(2).on(&hidden);
    /// let z_log_var = Dense::new(2).on(&hidden);
    /// let z = Lambda::of_many(|z| {
    ///     let noise = Tensor::normal(z[0].shape(), 0.0, 1.0);
    ///     &z[0] + (&z[1] * 0.5).exp() * noise
    /// });
    /// let output = Dense::new(8).activation("sigmoid").on(&z.on([&z_mean, &z_log_var]));
    /// let mut vae = Model::new(&input, &output)?;
    /// let divergence = Lambda::of_many(|z| {
    ///     let terms = &z[1] + 1.0 - z[0].square() - z[1].exp();
    ///     terms.mean_axis(-1) * -5e-4
    /// });
    /// vae.add_loss(&divergence.on([&z_mean, &z_log_var]))?;
    /// vae.compile("rmsprop", "binary_crossentropy", ())?;
    /// let x = Tensor::uniform([32, 8], 0.0, 1.0);
    /// let history = vae.fit(&x, &x, Fit::epochs(2).verbose(0))?;
    /// assert_eq!(history.metrics(), ["loss"]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`] if the symbol depends on other inputs, or on this model called as a layer, or if the
    /// model is a `Sequential`.
    pub fn add_loss(&mut self, loss: &Symbol) -> Result<()> {
        let Some(graph) = self.handle.graph().filter(|_| !self.is_sequential()) else {
            return Err(Error::Model(format!(
                "add_loss: {} is a Sequential; a loss within the graph needs a model that is made of symbols, \
                 Model::new(&input, &output)",
                self.name()
            )));
        };
        let losses = [graph.losses(), vec![loss.clone()]].concat();
        let graph = Graph::with_losses(graph.inputs().to_vec(), &graph.outputs(), &losses);
        let graph = graph.map_err(|error| {
            let text = error
                .to_string()
                .replace("Model::new: an output", "the loss");
            Error::Model(format!("add_loss: {}", text.replace("Model::new: ", "")))
        })?;
        if graph
            .layers()
            .iter()
            .any(|layer| layer.contains(&self.handle))
        {
            return Err(Error::Model(format!(
                "add_loss: the loss {:?} depends on {} called as a layer; compute it from the symbols that the model \
                 itself is made of",
                loss.name(),
                self.name()
            )));
        }
        if let Some(mut network) = self.handle.as_network_mut() {
            network.graph = Some(Arc::new(graph));
        }
        self.compiled = None;
        self.identity.touch();
        Ok(())
    }

    /// The layer whose activation comes last before an output.
    pub(super) fn last_layer(&self, output: usize) -> Option<LayerRef> {
        match self.handle.graph() {
            Some(graph) => graph.last_layer(output),
            None => self.leaves().pop(),
        }
    }

    /// The leaves that training changes.
    pub(super) fn trained(&self) -> Vec<LayerRef> {
        let leaves = self.leaves();
        match &self.compiled {
            Some(compiled) => {
                let chosen = leaves.into_iter().zip(&compiled.trained);
                let chosen = chosen.filter_map(|(leaf, trained)| trained.then_some(leaf));
                chosen.collect()
            }
            None => leaves.into_iter().filter(LayerRef::trainable).collect(),
        }
    }
}
