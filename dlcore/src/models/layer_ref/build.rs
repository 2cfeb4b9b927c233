//! Shapes: what a layer is built for, and what it makes of them.

use std::sync::PoisonError;

use super::{Content, LayerRef, read, unknown, write};
use crate::layers::Layer;
use crate::models::guard::guarded_layer;
use crate::tensor::Shape;
use crate::{Error, Result, dim};

impl LayerRef {
    /// Whether the weights are made.
    pub fn is_built(&self) -> bool {
        match &self.0.content {
            Content::Layer(layer) => read(layer).is_built(),
            Content::Network(network) => read(network).is_built(),
            Content::Block(_) => self.layers().iter().all(LayerRef::is_built),
        }
    }

    /// The shape of one sample of the output, for the input the layer was built for; of the first
    /// output where there are several; [`dim::ANY`] for an axis of any length. `None` until it is built.
    pub fn output_shape(&self) -> Option<Vec<usize>> {
        let shapes = self.built_for()?;
        self.output_shapes(&shapes).ok()?.into_iter().next()
    }

    pub(in crate::models) fn built_for(&self) -> Option<Vec<Vec<usize>>> {
        let built_for = &self.0.built_for;
        let known = built_for.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone().or_else(|| Some(self.graph()?.input_shapes()))
    }

    /// Whether it, or a model within it, adds to the loss what its layers compute.
    pub(in crate::models) fn adds_losses(&self) -> bool {
        let own = self.graph().is_some_and(|graph| !graph.losses().is_empty());
        own || self.layers().iter().any(LayerRef::adds_losses)
    }

    /// Whether somebody has said of which shape the samples are, rather than the first data.
    pub(in crate::models) fn declares_input(&self) -> bool {
        match &self.0.content {
            Content::Layer(layer) => read(layer).input_shape().is_some(),
            Content::Network(network) => match &read(network).chain {
                Some(chain) => chain.first().is_some_and(LayerRef::declares_input),
                None => true,
            },
            Content::Block(_) => false,
        }
    }

    /// The shape of one sample where it is known before the layer is called.
    pub(in crate::models) fn declared_input(&self) -> Option<Vec<usize>> {
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

    pub(in crate::models) fn build_for(&self, shapes: &[Vec<usize>]) -> Result<()> {
        if self.is_built() {
            if self.built_for().is_none() {
                self.note_built(shapes);
            }
            return Ok(());
        }
        let known = shapes.iter().all(|shape| dim::known(shape));
        match self.0.content {
            // A network's layers see to it one by one.
            Content::Layer(_) | Content::Block(_) if !known => {
                unknown::build(self, shapes, LayerRef::build_known)?;
            }
            _ => self.build_known(shapes)?,
        }
        self.note_built(shapes);
        Ok(())
    }

    fn build_known(&self, shapes: &[Vec<usize>]) -> Result<()> {
        match &self.0.content {
            Content::Layer(layer) => {
                self.touch();
                // A layer of the user's own may panic.
                guarded_layer(|| self.describe(), || write(layer).build_many(shapes))
            }
            Content::Network(network) => match shapes {
                [shape] => write(network).build(shape),
                _ => Err(self.wrong_count(1, shapes.len())),
            },
            Content::Block(block) => block.build(shapes),
        }
    }

    pub(in crate::models) fn note_built(&self, shapes: &[Vec<usize>]) {
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

    pub(in crate::models) fn output_shapes(
        &self,
        inputs: &[Vec<usize>],
    ) -> Result<Vec<Vec<usize>>> {
        match &self.0.content {
            Content::Layer(layer) => {
                let shapes = |inputs: &[Vec<usize>]| read(layer).output_shapes(inputs);
                guarded_layer(
                    || self.describe(),
                    || unknown::output_shapes(inputs, shapes),
                )
            }
            Content::Block(block) => {
                unknown::output_shapes(inputs, |inputs| block.output_shapes(inputs))
            }
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

    /// What must be put back to undo a build: nothing of what is built already.
    pub(in crate::models) fn before_build(&self) -> Vec<Unbuilt> {
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
pub(in crate::models) struct Unbuilt {
    layer: LayerRef,
    content: Option<Box<dyn Layer>>,
}

impl Unbuilt {
    pub(in crate::models) fn put_back(self) {
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
