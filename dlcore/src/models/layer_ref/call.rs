//! Layers called: on symbols, and on tensors.

use super::{Content, LayerRef, read};
use crate::layers::{self, Call};
use crate::models::graph::Flow;
use crate::models::symbol::{Symbol, Symbols};
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

impl LayerRef {
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

    pub(in crate::models) fn call_on(&self, inputs: Vec<Symbol>) -> Result<Vec<Symbol>> {
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

    /// The outputs for a batch; see [`Layer::call`](crate::layers::Layer::call).
    ///
    /// # Panics
    /// As [`LayerRef::forward`].
    #[track_caller]
    pub fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        self.pass(inputs, call, &[]).tensors
    }

    /// Tensors and masks for a batch; an output for which `logits` is true without its last activation.
    pub(in crate::models) fn pass(&self, inputs: &[Tensor], call: &Call, logits: &[bool]) -> Flow {
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
        Flow {
            tensors,
            masks,
            losses: Vec::new(),
        }
    }

    /// Begins anew what stateful layers carry from batch to batch.
    pub fn reset_states(&self) {
        for leaf in self.leaves() {
            if let Some(mut layer) = leaf.leaf_mut() {
                layer.reset_states();
            }
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
