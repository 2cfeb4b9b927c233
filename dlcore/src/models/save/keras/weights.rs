//! Weights alone, put into a model that the program has made.

use super::store::{Named, Store};
use super::write::{paths, weights};
use crate::Tensor;
use crate::config::Parsed;
use crate::files::hdf5::{self, File};
use crate::models::Model;
use crate::models::layer_ref::LayerRef;

/// Writes the weights as Keras 3's `.weights.h5`.
pub(in crate::models::save) fn save_weights(model: &Model) -> Parsed<Vec<u8>> {
    weights(model).map(|root| hdf5::write(&root))
}

/// The weights in an HDF5 file, in the model's order.
pub(in crate::models::save) fn load_weights(model: &Model, bytes: &[u8]) -> Parsed<Vec<Tensor>> {
    let file = File::open(bytes)?;
    let root = file.root();
    if root.texts("layer_names").is_some() {
        return by_name(model, &Store::names(&file, root));
    }
    if let Some(groups) = root.get("model_weights") {
        return by_name(model, &Store::names(&file, groups));
    }
    by_path(model, &Store::paths(&file))
}

fn by_path(model: &Model, store: &Store<'_>) -> Parsed<Vec<Tensor>> {
    let mut found = Vec::new();
    for (leaf, path) in paths(model)? {
        let config = leaf.leaf().and_then(|layer| layer.config());
        let config = config.unwrap_or_default();
        let place = super::store::Place::Path(path);
        found.push((
            leaf.clone(),
            store.weights(&place, &leaf.kind(), &config, "", &[])?,
        ));
    }
    in_order(model, &found)
}

/// Layer by layer, those without weights left out, whatever their names: as Keras does.
fn by_name(model: &Model, store: &Store<'_>) -> Parsed<Vec<Tensor>> {
    let mut groups = Vec::new();
    for name in store.layer_names() {
        let group = store.group(&name)?;
        if !group.is_empty() {
            groups.push((name, group));
        }
    }
    let layers = model.layers();
    let layers: Vec<&LayerRef> = layers
        .iter()
        .filter(|l| !l.get_weights().is_empty())
        .collect();
    if layers.len() != groups.len() {
        return Err(format!(
            "holds weights of {} layers, where {} has {}",
            groups.len(),
            model.name(),
            layers.len()
        ));
    }
    let mut found = Vec::new();
    for (layer, (name, group)) in layers.into_iter().zip(&groups) {
        let read = |weight: &Named<'_>| store.read(weight);
        let all: Parsed<Vec<Tensor>> = group.iter().map(read).collect();
        found.extend(divided(layer, name, all?)?);
    }
    in_order(model, &found)
}

/// The weights of a model that is a layer: first all that are trained, then the rest; or layer by layer, where
/// it was frozen as a whole.
pub(super) fn divided(
    layer: &LayerRef,
    name: &str,
    all: Vec<Tensor>,
) -> Parsed<Vec<(LayerRef, Vec<Tensor>)>> {
    let leaves = layer.leaves();
    let counts = |leaf: &LayerRef| {
        let layer = leaf.leaf();
        layer.map_or((0, 0), |layer| (layer.weights().len(), layer.state().len()))
    };
    let total: usize = leaves
        .iter()
        .map(|leaf| counts(leaf).0 + counts(leaf).1)
        .sum();
    if total != all.len() {
        return Err(format!(
            "holds {} weights of {name}, where {} has {total}",
            all.len(),
            layer.describe()
        ));
    }
    let orders: [fn(&LayerRef) -> bool; 3] = [LayerRef::trainable, |_| true, |_| false];
    let mut last = Vec::new();
    for trained in orders {
        let mut found: Vec<(LayerRef, Vec<Tensor>)> = leaves
            .iter()
            .map(|leaf| (leaf.clone(), Vec::new()))
            .collect();
        let mut next = all.iter().cloned();
        for pass in [true, false] {
            for (leaf, own) in &mut found {
                let (weights, state) = counts(leaf);
                let count = match (pass, trained(leaf)) {
                    (true, true) => weights,
                    (true, false) => 0,
                    (false, true) => state,
                    (false, false) => weights + state,
                };
                own.extend(next.by_ref().take(count));
            }
        }
        let fits = found.iter().all(|(leaf, own)| {
            let shapes = leaf.get_weights();
            shapes
                .iter()
                .map(Tensor::shape)
                .eq(own.iter().map(Tensor::shape))
        });
        if fits {
            return Ok(found);
        }
        last = found;
    }
    Ok(last)
}

/// What was found for each layer in the order of the model's weights.
fn in_order(model: &Model, found: &[(LayerRef, Vec<Tensor>)]) -> Parsed<Vec<Tensor>> {
    let mut weights = Vec::new();
    for leaf in model.leaves() {
        let own = found.iter().find(|(layer, _)| layer.is_same(&leaf));
        let own = own.map_or(&[][..], |(_, own)| own.as_slice());
        let expected = leaf.get_weights();
        let fits = expected
            .iter()
            .map(Tensor::shape)
            .eq(own.iter().map(Tensor::shape));
        if !fits {
            let shapes =
                |all: &[Tensor]| all.iter().map(|w| w.shape().to_vec()).collect::<Vec<_>>();
            return Err(format!(
                "{}: expected weights of shapes {:?}, found {:?}",
                leaf.describe(),
                shapes(&expected),
                shapes(own)
            ));
        }
        weights.extend(own.iter().cloned());
    }
    Ok(weights)
}
