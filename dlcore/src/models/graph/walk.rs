//! The way back from a graph's outputs to its inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use crate::models::symbol::{Origin, Symbol};
use crate::sorted;
use crate::{Error, Result, dim};

/// The calls between inputs and outputs, found by walking back from the outputs. Symbols are made
/// before they are used and never change, so there are no cycles to find.
pub(super) struct Walk {
    /// One symbol of each call, every call after those it needs.
    pub(super) calls: Vec<Symbol>,
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
    pub(super) fn new(inputs: &[Symbol], outputs: &[Symbol]) -> Result<Walk> {
        let given: BTreeSet<(usize, usize)> = sorted::gathered(inputs.iter().map(Symbol::key));
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
    pub(super) fn order(&self, inputs: &[Symbol]) -> Vec<Entry> {
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
        let rows = sorted::by(rows, |a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        rows.into_iter().map(|(_, _, entry)| entry).collect()
    }
}

fn disconnected(input: &Symbol, taker: Option<&(Symbol, usize)>) -> Error {
    let taker = taker.map_or_else(
        || "an output".to_string(),
        |(symbol, _)| format!("{:?}", symbol.name()),
    );
    Error::Model(format!(
        "Model::new: {taker} depends on the input {:?} of shape {}, which is not among the model's inputs; add it to \
         them",
        input.name(),
        dim::text(input.shape())
    ))
}
