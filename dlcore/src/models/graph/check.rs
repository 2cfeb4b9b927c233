//! What cannot be a graph.

use std::collections::BTreeSet;

use super::Graph;
use crate::models::layer_ref::LayerRef;
use crate::models::symbol::Symbol;
use crate::sorted;
use crate::{Error, Result, dim};

impl Graph {
    pub(super) fn check_inputs_used(&self) -> Result<()> {
        let used: BTreeSet<usize> =
            sorted::gathered(self.nodes.iter().flat_map(|n| n.inputs.clone()));
        let ends = [&self.outputs[..], &self.losses].concat();
        for (place, input) in self.inputs().iter().enumerate() {
            if !used.contains(&place) && !ends.contains(&place) {
                return Err(Error::Model(format!(
                    "Model::new: no output depends on the input {:?} of shape {}; leave it out, or use it",
                    input.name(),
                    dim::text(input.shape())
                )));
            }
        }
        Ok(())
    }

    /// Names are how layers are found, shown and saved.
    pub(super) fn check_names(&self) -> Result<()> {
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
}

pub(super) fn check_ends(inputs: &[Symbol], outputs: &[Symbol]) -> Result<()> {
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
