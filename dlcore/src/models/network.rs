//! What a model is made of: layers in a row, or a graph of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::Graph;
use super::layer_ref::LayerRef;
use super::symbol::Symbol;
use crate::Result;

/// Layers that were copied already, by the key of the original: what was shared is shared in the copy.
pub(super) type Copies = BTreeMap<usize, LayerRef>;

/// The layers of a model and how they are connected.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) name: String,
    /// The layers of a `Sequential`, one after the other.
    pub(super) chain: Option<Vec<LayerRef>>,
    /// Missing only while the shape of a `Sequential`'s input is not known.
    pub(super) graph: Option<Arc<Graph>>,
}

impl Network {
    pub(super) fn sequential(name: String) -> Network {
        Network {
            name,
            chain: Some(Vec::new()),
            graph: None,
        }
    }

    pub(super) fn functional(name: String, graph: Graph) -> Network {
        Network {
            name,
            chain: None,
            graph: Some(Arc::new(graph)),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.chain {
            Some(_) => "Sequential",
            None => "Model",
        }
    }

    /// Each layer once, from input to output.
    pub(super) fn layers(&self) -> Vec<LayerRef> {
        match (&self.chain, &self.graph) {
            (Some(chain), _) => {
                let mut layers: Vec<LayerRef> = Vec::with_capacity(chain.len());
                for layer in chain {
                    if !layers.iter().any(|known| known.is_same(layer)) {
                        layers.push(layer.clone());
                    }
                }
                layers
            }
            (None, Some(graph)) => graph.layers(),
            (None, None) => Vec::new(),
        }
    }

    pub(super) fn is_built(&self) -> bool {
        let empty = self.chain.as_ref().is_some_and(Vec::is_empty);
        self.graph.is_some() && !empty
    }

    /// Connects the layers of a `Sequential` for samples of this shape, and builds them.
    pub(super) fn build(&mut self, shape: &[usize]) -> Result<()> {
        let Some(chain) = &self.chain else {
            return Ok(());
        };
        let input = Symbol::input("input".to_string(), shape.to_vec());
        let mut end = input.clone();
        for layer in chain {
            end = layer.try_on(&end)?;
        }
        self.graph = Some(Arc::new(Graph::chain(input, end)?));
        Ok(())
    }

    /// Adds a layer at the end of a `Sequential`; connects it where the input's shape is known.
    pub(super) fn push(&mut self, layer: LayerRef) -> Result<()> {
        let Some(chain) = &mut self.chain else {
            return Ok(());
        };
        let declared = match chain.is_empty() {
            true => layer.declared_input(),
            false => None,
        };
        chain.push(layer.clone());
        if let Some(shape) = declared {
            return self.build(&shape);
        }
        let Some(graph) = self.graph.take() else {
            return Ok(());
        };
        let (input, end) = (&graph.inputs()[0], &graph.outputs()[0]);
        let end = layer.try_on(end)?;
        self.graph = Some(Arc::new(Graph::chain(input.clone(), end)?));
        Ok(())
    }

    pub(super) fn deep_copy(&self, copies: &mut Copies) -> Network {
        let chain = self.chain.as_ref();
        Network {
            name: self.name.clone(),
            chain: chain.map(|chain| chain.iter().map(|layer| layer.deep_copy(copies)).collect()),
            graph: self
                .graph
                .as_ref()
                .map(|graph| Arc::new(graph.deep_copy(copies))),
        }
    }
}
