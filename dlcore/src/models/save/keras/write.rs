//! A model in Keras's words.

use serde_json::{Value, json};

use super::names::Counted;
use super::settings::{object, theirs};
use super::store::parts;
use super::{CONFIG, METADATA, WEIGHTS, compile_write};
use crate::config::Parsed;
use crate::files::hdf5::{self, Entry};
use crate::models::Model;
use crate::models::graph::{self, Graph};
use crate::models::layer_ref::LayerRef;
use crate::models::network::Network;
use crate::models::save::tensors::is_finite;

/// The version of Keras in whose words models are written.
const KERAS: &str = "3.0.0";

/// The members of the `.keras` file of a model.
pub(in crate::models::save) fn members(model: &Model) -> Parsed<Vec<(&'static str, Vec<u8>)>> {
    check_once(model)?;
    if model.handle.adds_losses() {
        return Err(
            "Keras's format has no place for a loss of add_loss; save under a name without .keras"
                .to_string(),
        );
    }
    let mut config = network(&model.handle)?;
    let mut root = weights(model)?;
    match compile_write::write(model)? {
        Some((compile, variables)) => {
            config["compile_config"] = compile;
            let vars = root.at("optimizer/vars");
            for (place, variable) in variables.into_iter().enumerate() {
                vars.insert(place.to_string(), Entry::Array(variable));
            }
        }
        None => config["compile_config"] = Value::Null,
    }
    let metadata = json!({
        "keras_version": KERAS,
        "written_by": concat!("dlcore ", env!("CARGO_PKG_VERSION")),
    });
    Ok(vec![
        (METADATA, metadata.to_string().into_bytes()),
        (CONFIG, config.to_string().into_bytes()),
        (WEIGHTS, hdf5::write(&root)),
    ])
}

/// The weights alone, as `model.weights.h5`.
pub(super) fn weights(model: &Model) -> Parsed<Entry> {
    let mut root = Entry::group();
    root.at("vars");
    for (leaf, path) in paths(model)? {
        let mut all = leaf.get_weights().into_iter();
        let config = leaf.leaf().and_then(|layer| layer.config());
        for part in parts(&leaf.kind(), &config.unwrap_or_default())? {
            let vars = root.at(&format!("{path}{}/vars", part.path));
            for (place, weight) in all.by_ref().take(part.weights).enumerate() {
                if !is_finite(&weight) {
                    return Err(format!(
                        "weight {place} of {} holds NaN or infinity, so nothing was saved",
                        leaf.describe()
                    ));
                }
                vars.insert(place.to_string(), Entry::Array(weight));
            }
        }
    }
    Ok(root)
}

/// The layers that have weights, each with the path at which Keras looks for them.
pub(super) fn paths(model: &Model) -> Parsed<Vec<(LayerRef, String)>> {
    let mut paths: Vec<(LayerRef, String)> = Vec::new();
    // A layer that is used in two models lies where it is met first.
    for (layer, path) in all_paths(model)? {
        if !paths.iter().any(|(known, _)| known.is_same(&layer)) {
            paths.push((layer, path));
        }
    }
    Ok(paths)
}

fn all_paths(model: &Model) -> Parsed<Vec<(LayerRef, String)>> {
    let mut paths = Vec::new();
    below(&model.handle, "", &mut paths)?;
    Ok(paths)
}

/// An error for a layer of two models: Keras 3 writes it, but cannot read it.
fn check_once(model: &Model) -> Parsed<()> {
    let paths = all_paths(model)?;
    for (place, (layer, path)) in paths.iter().enumerate() {
        let before = paths[..place]
            .iter()
            .find(|(known, _)| known.is_same(layer));
        if let Some((_, other)) = before {
            return Err(format!(
                "{} stands in two models that are layers ({other} and {path}), which Keras cannot read; save under a name \
                 without .keras",
                layer.describe()
            ));
        }
    }
    Ok(())
}

fn below(layer: &LayerRef, path: &str, paths: &mut Vec<(LayerRef, String)>) -> Parsed<()> {
    let Some(network) = layer.as_network() else {
        if layer.leaf().is_none() {
            return Err(own_layer(layer));
        }
        paths.push((layer.clone(), path.to_string()));
        return Ok(());
    };
    let mut counted = Counted::default();
    for entry in entries(&network) {
        match entry {
            graph::Entry::Input(_) => {
                counted.next("InputLayer");
            }
            graph::Entry::Layer(layer) => {
                let name = counted.next(class_name(&layer, &layer.kind()));
                below(&layer, &format!("{path}/layers/{name}"), paths)?;
            }
        }
    }
    Ok(())
}

/// What Keras calls a layer's class.
fn class_name<'a>(layer: &LayerRef, kind: &'a str) -> &'a str {
    match (layer.as_network().is_some(), kind) {
        (true, "Model") => "Functional",
        _ => kind,
    }
}

/// Inputs and layers in the order of Keras's list.
fn entries(network: &Network) -> Vec<graph::Entry> {
    match (&network.chain, &network.graph) {
        (None, Some(graph)) => graph.order().to_vec(),
        _ => network
            .layers()
            .into_iter()
            .map(graph::Entry::Layer)
            .collect(),
    }
}

fn own_layer(layer: &LayerRef) -> String {
    format!(
        "{} is a layer of your own, which Keras does not have; save_weights(path) keeps the weights, and \
         load_weights(path) puts them into a model that the program has built",
        layer.describe()
    )
}

/// A model, or a layer, as Keras serializes it.
fn serialized(layer: &LayerRef) -> Parsed<Value> {
    if layer.as_network().is_some() {
        return network(layer);
    }
    let config = layer.leaf().and_then(|layer| layer.config());
    let mut config = config.ok_or_else(|| own_layer(layer))?;
    config["trainable"] = json!(layer.trainable());
    let kind = layer.kind();
    let named = |error: String| format!("{}: {error}", layer.describe());
    let mut described = object(
        "keras.layers",
        &kind,
        theirs(&kind, &config).map_err(named)?,
    );
    if let Some([shape]) = layer.built_for().as_deref() {
        described["build_config"] = json!({"input_shape": batched(shape)});
    }
    Ok(described)
}

fn network(layer: &LayerRef) -> Parsed<Value> {
    let Some(network) = layer.as_network() else {
        return Err(own_layer(layer));
    };
    if let Some(chain) = &network.chain {
        return sequential(&network, chain);
    }
    match &network.graph {
        Some(graph) => functional(&network, graph),
        None => Err(format!("{} has no layers", layer.describe())),
    }
}

fn batched(shape: &[usize]) -> Value {
    let axes = shape.iter().map(|&axis| json!(axis));
    std::iter::once(Value::Null).chain(axes).collect()
}

fn input_layer(name: &str, shape: &[usize]) -> Value {
    let config = json!({
        "batch_shape": batched(shape), "dtype": "float32", "sparse": false, "name": name,
    });
    object("keras.layers", "InputLayer", config)
}

fn sequential(network: &Network, chain: &[LayerRef]) -> Parsed<Value> {
    for (place, layer) in chain.iter().enumerate() {
        if chain[..place].iter().any(|other| other.is_same(layer)) {
            return Err(format!(
                "{} stands in {} twice, which Keras's Sequential cannot have; make the model with Model::new",
                layer.describe(),
                network.name
            ));
        }
    }
    let mut layers = Vec::new();
    let mut config = json!({"name": network.name, "trainable": true});
    if let Some(graph) = &network.graph {
        let shape = graph.input_shapes().remove(0);
        config["build_input_shape"] = batched(&shape);
        // The name must be none of the layers'.
        let free = |name: &String| chain.iter().all(|layer| layer.name() != *name);
        let more = (1..).map(|number| format!("input_layer_{number}"));
        let mut names = std::iter::once("input_layer".to_string()).chain(more);
        layers.extend(names.find(free).map(|name| input_layer(&name, &shape)));
    }
    for layer in chain {
        layers.push(serialized(layer)?);
    }
    config["layers"] = Value::Array(layers);
    let mut described = object("keras", "Sequential", config);
    if let Some(graph) = &network.graph {
        described["build_config"] = json!({"input_shape": batched(&graph.input_shapes()[0])});
    }
    Ok(described)
}

fn functional(network: &Network, graph: &Graph) -> Parsed<Value> {
    let mut layers = Vec::new();
    for entry in graph.order() {
        let (mut described, name, nodes) = match entry {
            graph::Entry::Input(place) => {
                let input = &graph.inputs()[*place];
                (
                    input_layer(&input.name(), input.shape()),
                    input.name(),
                    Vec::new(),
                )
            }
            graph::Entry::Layer(layer) => {
                let own = |node: &&graph::Node| node.layer.is_same(layer);
                let nodes = graph.nodes().iter().filter(own);
                let nodes: Parsed<Vec<Value>> = nodes.map(|node| call(graph, node)).collect();
                (serialized(layer)?, layer.name(), nodes?)
            }
        };
        described["name"] = json!(name);
        described["inbound_nodes"] = Value::Array(nodes);
        layers.push(described);
    }
    let inputs: Vec<Value> = graph
        .inputs()
        .iter()
        .map(|input| json!([input.name(), 0, 0]))
        .collect();
    let outputs: Vec<Value> = graph
        .output_places()
        .iter()
        .map(|&place| output(graph, place))
        .collect();
    let config = json!({
        "name": network.name, "trainable": true, "layers": layers, "input_layers": inputs, "output_layers": outputs,
    });
    let mut described = object("keras.src.models.functional", "Functional", config);
    described["registered_name"] = json!("Functional");
    Ok(described)
}

/// A model's output; of a functional model, the call by which it was made counts here.
fn output(graph: &Graph, place: usize) -> Value {
    let (name, call, output) = graph.origin(place);
    let functional = graph
        .layers()
        .iter()
        .any(|layer| layer.name() == name && class_name(layer, &layer.kind()) == "Functional");
    json!([name, call + usize::from(functional), output])
}

/// A call's arguments.
fn call(graph: &Graph, node: &graph::Node) -> Parsed<Value> {
    let tensor = |&place: &usize| {
        let (name, call, output) = graph.origin(place);
        let shape = batched(graph.value(place).shape());
        json!({"class_name": "__keras_tensor__", "config": {
            "shape": shape, "dtype": "float32", "keras_history": [name, call, output],
        }})
    };
    let tensors: Vec<Value> = node.inputs.iter().map(tensor).collect();
    let recurrent = ["GRU", "LSTM", "SimpleRNN", "Bidirectional"].contains(&&*node.layer.kind());
    Ok(match &tensors[..] {
        [only] => json!({"args": [only], "kwargs": {}}),
        [_, _, ..] if recurrent && makes_masks(graph) => {
            return Err(format!(
                "{} is called with initial states in a model with a mask, which Keras 3 leaves out there; save under a \
                 name without .keras",
                node.layer.describe()
            ));
        }
        [first, states @ ..] if recurrent => {
            json!({"args": [first], "kwargs": {"initial_state": states}})
        }
        several => json!({"args": [several], "kwargs": {}}),
    })
}

/// Whether one of the layers makes a mask.
fn makes_masks(graph: &Graph) -> bool {
    graph.layers().iter().any(|layer| {
        let config = layer.leaf().and_then(|layer| layer.config());
        let zero = config.is_some_and(|config| config["mask_zero"] == json!(true));
        zero || layer.kind() == "Masking"
    })
}
