//! Weights of a file that fit some layers of a model: by their places or by their names.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use serde_json::Value;

use super::names::Counted;
use super::store::{Named, Place, Store};
use super::weights::divided;
use super::write::paths;
use super::{CONFIG, WEIGHTS, class, parse};
use crate::Tensor;
use crate::config::Parsed;
use crate::files::archive::Archive;
use crate::files::hdf5::{File, Node};
use crate::models::Model;
use crate::models::layer_ref::LayerRef;

/// The layers for which a file has something, each with what it has, of whatever shapes.
pub(in crate::models::save) type Found = Vec<(LayerRef, Vec<Tensor>)>;

/// Models within models within …: no file goes deeper.
const DEEPEST: usize = 16;

/// [`find`] in a `.keras` file of `size` bytes.
pub(in crate::models::save) fn find_in_archive(
    model: &Model,
    from: impl Read + Seek,
    size: u64,
    by_name: bool,
) -> Parsed<Found> {
    let mut archive = Archive::open(from, size, "a model as Keras 3 saves it (.keras)")?;
    let bytes = archive.read(WEIGHTS)?;
    let mut names = BTreeMap::new();
    if by_name {
        let config = parse(CONFIG, &archive.read(CONFIG)?)?;
        described(&class(&config, "model")?.1["layers"], "", &mut names, 0);
    }
    let failed = |error: String| format!("{WEIGHTS}: {error}");
    let file = File::open(&bytes).map_err(failed)?;
    in_paths(model, &file, by_name, names).map_err(failed)
}

/// What an HDF5 file has for the layers of a model: for those at the same places, or for those of the same
/// names.
pub(in crate::models::save) fn find(model: &Model, bytes: &[u8], by_name: bool) -> Parsed<Found> {
    let file = File::open(bytes)?;
    let root = file.root();
    let groups = match root.get("model_weights") {
        Some(groups) => Some(groups),
        None => root.texts("layer_names").map(|_| root),
    };
    match groups {
        Some(groups) => in_groups(model, &Store::names(&file, groups), by_name),
        None => in_paths(model, &file, by_name, BTreeMap::new()),
    }
}

/// In a file of Keras 3, in which weights lie at the paths of layers.
fn in_paths<'a>(
    model: &Model,
    file: &'a File<'a>,
    by_name: bool,
    mut names: BTreeMap<String, String>,
) -> Parsed<Found> {
    if by_name && names.is_empty() {
        named(file.root(), "", &mut names, 0);
    }
    if by_name && names.is_empty() {
        return Err(
            "holds weights without the names of their layers; load them in order, or save the whole model as .keras"
                .to_string(),
        );
    }
    let store = Store::paths(file);
    let mut found = Vec::new();
    for (leaf, own) in paths(model)? {
        let path = match by_name {
            true => names.get(&leaf.name()).cloned(),
            false => Some(own),
        };
        let Some(path) = path else {
            continue;
        };
        let config = leaf.leaf().and_then(|layer| layer.config());
        let config = config.unwrap_or_default();
        let weights = store.weights(&Place::Path(path), &leaf.kind(), &config, "", &[])?;
        found.push((leaf, weights));
    }
    Ok(found)
}

/// The paths of layers by the names that Keras notes beside their weights.
fn named(node: &Node<'_>, path: &str, names: &mut BTreeMap<String, String>, depth: usize) {
    if let Some(name) = node.get("vars").and_then(|vars| vars.text("name"))
        && !path.is_empty()
    {
        names.entry(name.to_string()).or_insert(path.to_string());
    }
    let members = node.get("layers").and_then(Node::members);
    for (name, layer) in members.into_iter().flatten() {
        if depth <= DEEPEST {
            named(layer, &format!("{path}/layers/{name}"), names, depth + 1);
        }
    }
}

/// The paths of layers by their names in a model's description.
fn described(layers: &Value, path: &str, names: &mut BTreeMap<String, String>, depth: usize) {
    let mut counted = Counted::default();
    for layer in layers.as_array().into_iter().flatten() {
        let Ok((kind, config)) = class(layer, "layer") else {
            continue;
        };
        let path = format!("{path}/layers/{}", counted.next(kind));
        let name = config.get("name").or(layer.get("name"));
        if let Some(name) = name.and_then(Value::as_str) {
            names.entry(name.to_string()).or_insert(path.clone());
        }
        if depth <= DEEPEST {
            described(&config["layers"], &path, names, depth + 1);
        }
    }
}

/// In a file of Keras 2, or a whole `.h5`, with a group for each layer of the outermost model.
fn in_groups(model: &Model, store: &Store<'_>, by_name: bool) -> Parsed<Found> {
    let mut groups = Vec::new();
    for name in store.layer_names() {
        let group = store.group(&name)?;
        if !group.is_empty() {
            groups.push((name, group));
        }
    }
    let layers = model.layers().into_iter();
    let layers: Vec<LayerRef> = layers.filter(|l| !l.get_weights().is_empty()).collect();
    let mut found = Vec::new();
    for (place, layer) in layers.into_iter().enumerate() {
        let group = match by_name {
            true => groups.iter().find(|(name, _)| *name == layer.name()),
            false => groups.get(place),
        };
        let Some((name, group)) = group else {
            continue;
        };
        let read = |weight: &Named<'_>| store.read(weight);
        let all: Parsed<Vec<Tensor>> = group.iter().map(read).collect();
        let all = all?;
        found.extend(match divided(&layer, name, all.clone()) {
            Ok(parts) => parts,
            // As many as it has fit nowhere in it.
            Err(_) => layer
                .leaves()
                .into_iter()
                .map(|leaf| (leaf, all.clone()))
                .collect(),
        });
    }
    Ok(found)
}
