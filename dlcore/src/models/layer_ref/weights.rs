//! The weights behind a handle: read, put in place, counted, frozen.

use std::sync::atomic::Ordering;

use super::{Content, LayerRef, read};
use crate::layers;
use crate::{Error, Result, Tensor};

impl LayerRef {
    /// The layers that hold weights themselves: this one, or those of the model, each once.
    pub(in crate::models) fn leaves(&self) -> Vec<LayerRef> {
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
    let within = layer.layers();
    leaves.reserve(within.len());
    for inner in within {
        collect_leaves(&inner, leaves, seen);
    }
}

/// Puts weights and state into layers, all or none of them.
pub(in crate::models) fn set_weights(
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
