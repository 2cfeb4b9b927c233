//! A model as JSON, and back.
//!
//! Layers stand in one list, each once, a model after the layers that it is made of; everything else
//! names them by their place in it. So no file can describe a model that holds itself.

use serde_json::{Value, json};

use super::compiled;
use super::tensors::{self, Tensors};
use crate::config::{self, Fields, Parsed};
use crate::layers;
use crate::models::graph::Graph;
use crate::models::layer_ref::LayerRef;
use crate::models::model::Model;
use crate::models::network::Network;
use crate::models::symbol::Symbol;
use crate::models::{History, Symbols};
use crate::{Tensor, names};

const FORMAT: &str = "dlcore model";
/// Version 3 is 2 with losses within graphs, which must not be overlooked.
const VERSION: usize = 3;
/// Models within models within …: no file goes deeper.
const DEEPEST: usize = 16;

/// The name of a weight: which layer, which of its weights.
pub(super) fn weight_name(layer: usize, place: usize) -> String {
    format!("layers.{layer}.{place}")
}

/// The name of a state that a stateful layer carries from batch to batch.
pub(super) fn carried_name(layer: usize, place: usize) -> String {
    format!("layers.{layer}.carried.{place}")
}

/// The carried states of a layer.
pub(super) fn take_carried(tensors: &mut Tensors, layer: usize) -> Parsed<Vec<Tensor>> {
    let names = (0..).map(|place| carried_name(layer, place));
    let states = names.map_while(|name| Some((tensors.remove(&name)?, name)));
    states
        .map(|(state, name)| {
            if !state.dtype().is_float() {
                return Err(format!(
                    "{name} holds {}, expected f32 or f64",
                    state.dtype()
                ));
            }
            match tensors::is_finite(&state) {
                true => Ok(state),
                false => Err(format!("{name} holds NaN or infinity")),
            }
        })
        .collect()
}

/// All layers of a model, each once, those of a model within it before that.
pub(super) fn table(model: &Model) -> Vec<LayerRef> {
    fn list(layer: LayerRef, table: &mut Vec<LayerRef>) {
        if table.iter().any(|known| known.is_same(&layer)) {
            return;
        }
        for inner in layer.layers() {
            list(inner, table);
        }
        table.push(layer);
    }
    let mut table = Vec::new();
    for layer in model.layers() {
        list(layer, &mut table);
    }
    table
}

/// How many weights and states stand in the file for a layer: those of a model stand with its layers.
pub(super) fn weight_count(layer: &LayerRef) -> usize {
    layer
        .leaf()
        .map_or(0, |layer| layer.weights().len() + layer.state().len())
}

/// An error for models that lie deeper in one another than is read again.
pub(super) fn check_depth(model: &Model) -> Parsed<()> {
    let mut level: Vec<LayerRef> = model.layers();
    for _ in 0..=DEEPEST {
        level = level.iter().flat_map(LayerRef::layers).collect();
    }
    match level.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "models lie more than {DEEPEST} deep in one another, which no file holds; add their layers to one model, or \
             keep the weights with save_weights"
        )),
    }
}

/// All but the numbers in weights and optimizer.
pub(super) fn model(model: &Model) -> Parsed<Value> {
    let table = table(model);
    if !model.is_built()
        && let Some(built) = table.iter().find(|layer| weight_count(layer) > 0)
    {
        return Err(format!(
            "{} has weights, but {} is not built; call build first",
            built.describe(),
            model.name()
        ));
    }
    let layers: Parsed<Vec<Value>> = table.iter().map(|layer| describe(layer, &table)).collect();
    let Some(network) = model.handle.as_network() else {
        return Err("is no model".to_owned());
    };
    let mut description = json!({
        "format": FORMAT,
        "version": if model.handle.adds_losses() { VERSION } else { VERSION - 1 },
        "written_by": concat!("dlcore ", env!("CARGO_PKG_VERSION")),
        "name": model.name(),
        "kind": network.kind(),
        "layers": layers?,
        "compile": model.compiled.as_ref().map(compiled::describe),
        "history": model.history().map(History::config),
    });
    extend(&mut description, structure(&network, &table));
    Ok(description)
}

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (object, more) {
        fields.extend(more);
    }
}

/// How the layers of a model are connected.
fn structure(network: &Network, table: &[LayerRef]) -> Value {
    let place = |layer: &LayerRef| table.iter().position(|known| known.is_same(layer));
    if let Some(chain) = &network.chain {
        let shape = network.graph.as_ref().map(|graph| graph.input_shapes());
        let shape = shape.as_ref().map(|shapes| shapes[0].as_slice());
        let order: Vec<Option<usize>> = chain.iter().map(place).collect();
        return json!({"input_shape": config::shape(shape), "order": order});
    }
    let Some(graph) = &network.graph else {
        return json!({});
    };
    let input =
        |input: &Symbol| json!({"name": input.name(), "shape": config::shape(Some(input.shape()))});
    let node = |node: &crate::models::graph::Node| json!({"layer": place(&node.layer), "inputs": node.inputs});
    let mut structure = json!({
        "inputs": graph.inputs().iter().map(input).collect::<Vec<_>>(),
        "nodes": graph.nodes().iter().map(node).collect::<Vec<_>>(),
        "outputs": graph.output_places(),
    });
    if !graph.loss_places().is_empty() {
        structure["losses"] = json!(graph.loss_places());
    }
    structure
}

fn describe(layer: &LayerRef, table: &[LayerRef]) -> Parsed<Value> {
    if let Some(network) = layer.as_network() {
        let mut config = json!({"name": network.name});
        extend(&mut config, structure(&network, table));
        return Ok(json!({"kind": network.kind(), "weights": 0, "config": config}));
    }
    let config = layer.leaf().and_then(|layer| layer.config());
    let Some(config) = config else {
        return Err(format!(
            "{} is a layer of your own, which cannot be made from a file; save_weights(path) keeps the weights, \
             and load_weights(path) puts them into a model that the program has built",
            layer.describe()
        ));
    };
    Ok(json!({"kind": layer.kind(), "weights": weight_count(layer), "config": config}))
}

/// The model that was described.
pub(super) fn restore(description: &Value, mut weights: Tensors, state: Tensors) -> Parsed<Model> {
    let fields = Fields::of(description, "model.json")?;
    if fields.text("format") != Ok(FORMAT) {
        return Err("is no saved model of dlcore: model.json does not name that format".to_owned());
    }
    let version = fields.size("version")?;
    if !(1..=VERSION).contains(&version) {
        return Err(format!(
            "is in version {version} of the format, this dlcore reads up to version {VERSION}; use the dlcore that wrote \
             it{}",
            fields
                .text("written_by")
                .map_or_else(|_| String::new(), |by| format!(" ({by})")),
        ));
    }
    let kind = match version {
        1 => "Sequential",
        _ => fields.text("kind")?,
    };
    if !["Sequential", "Model"].contains(&kind) {
        return Err(format!(
            "holds a model of kind {kind:?}, which this version of dlcore does not know"
        ));
    }
    if fields.list("layers")?.is_empty() {
        return Err("holds a model without layers".to_owned());
    }
    let builds = kind == "Model" || fields.get("input_shape").is_some();
    let table = Table::read(fields.list("layers")?, builds, &mut weights)?;
    if let Some((name, _)) = weights.first_key_value() {
        return Err(format!("has weights that belong to no layer: {name}"));
    }
    let network = table.network(kind, &fields, true)?;
    let mut model = Model::of(LayerRef::network(network));
    check_whole(&model, &table)?;
    if let Some(history) = fields.get("history") {
        model.history = Some(History::from_config(history)?);
    }
    if let Some(compile) = fields.get("compile") {
        compiled::read(&mut model, compile, state)?;
    }
    Ok(model)
}

/// The layers in the file, and how deep models lie in one another.
struct Table {
    layers: Vec<LayerRef>,
    depths: Vec<usize>,
}

impl Table {
    fn read(described: &[Value], builds: bool, weights: &mut Tensors) -> Parsed<Table> {
        let mut counts = vec![];
        for layer in described {
            let count = Fields::of(layer, "layer")?.size("weights")?;
            counts.push(count.min(weights.len() + 1));
        }
        let taken = take_layers(weights, &counts)?;
        let mut table = Table {
            layers: vec![],
            depths: vec![],
        };
        for (index, (layer, taken)) in described.iter().zip(taken).enumerate() {
            let carried = take_carried(weights, index)?;
            let fields = Fields::of(layer, "layer")?;
            let (kind, config) = (
                fields.text("kind")?,
                fields.get("config").unwrap_or(&Value::Null),
            );
            let (layer, depth) = match kind {
                "Sequential" | "Model" => {
                    let network = table.network(kind, &Fields::of(config, kind)?, false)?;
                    let depth = table.depth_of(&network) + 1;
                    (LayerRef::network(network), depth)
                }
                _ => {
                    let mut layer = layers::from_config(kind, config)?;
                    // They wait for the call that says for which shapes. A layer takes its weights from
                    // the file also where that has none: what is said of shapes must not decide how much
                    // is allocated.
                    match builds {
                        true => layer.give_weights(taken),
                        false if taken.is_empty() => {}
                        false => {
                            return Err(
                                "has weights, but does not say for which input_shape".to_owned()
                            );
                        }
                    }
                    if !carried.is_empty() {
                        let carried = &mut carried.into_iter();
                        layer.carry(carried).map_err(|error| error.to_string())?;
                        if carried.next().is_some() {
                            return Err(format!("has more carried states than layer {index} has"));
                        }
                    }
                    (LayerRef::boxed(layer), 0)
                }
            };
            if depth > DEEPEST {
                return Err(format!("holds models that lie {depth} deep in one another"));
            }
            table.layers.push(layer);
            table.depths.push(depth);
        }
        Ok(table)
    }

    fn depth_of(&self, network: &Network) -> usize {
        let layers = network.layers();
        let known = self.layers.iter().zip(&self.depths);
        let depths = known.filter(|(layer, _)| layers.iter().any(|inner| inner.is_same(layer)));
        depths.map(|(_, &depth)| depth).max().unwrap_or(0)
    }

    fn layer(&self, place: &Value) -> Parsed<&LayerRef> {
        let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
        place
            .and_then(|place| self.layers.get(place))
            .ok_or_else(|| "names a layer that is not in its list, or comes later".to_owned())
    }

    /// A model of layers of the list so far.
    fn network(&self, kind: &str, fields: &Fields<'_>, whole: bool) -> Parsed<Network> {
        let name = fields.text("name")?;
        let text = |error: crate::Error| error.to_string();
        if kind == "Model" {
            names::seen("functional", name);
            let graph = self.graph(fields)?;
            return Ok(Network::functional(name.to_string(), graph));
        }
        names::seen("sequential", name);
        let mut network = Network::sequential(name.to_string());
        // Version 1 had nothing but the list.
        let chain = match fields.get("order") {
            None if whole => self.layers.clone(),
            _ => {
                let order = fields.list("order")?.iter();
                let layers: Parsed<Vec<&LayerRef>> = order.map(|place| self.layer(place)).collect();
                layers?.into_iter().cloned().collect()
            }
        };
        check_names(&chain)?;
        let shape = fields.shape("input_shape")?;
        network.chain = Some(chain);
        if let Some(shape) = shape {
            network.build(&shape).map_err(text)?;
        }
        Ok(network)
    }

    fn graph(&self, fields: &Fields<'_>) -> Parsed<Graph> {
        let mut values: Vec<Symbol> = vec![];
        for input in fields.list("inputs")? {
            let input = Fields::of(input, "input")?;
            let name = input.text("name")?.to_string();
            names::seen("input_layer", &name);
            let shape = input.shape("shape")?.unwrap_or_default();
            values.push(Symbol::input(name, shape));
        }
        let inputs = values.clone();
        for node in fields.list("nodes")? {
            let node = Fields::of(node, "node")?;
            let layer = self.layer(node.get("layer").unwrap_or(&Value::Null))?;
            let from = take_values(&values, node.list("inputs")?)?;
            let outputs = layer.try_on_many(Symbols::from(from));
            values.extend(outputs.map_err(|error| error.to_string())?);
        }
        let outputs = take_values(&values, fields.list("outputs")?)?;
        let losses = match fields.get("losses") {
            Some(_) => take_values(&values, fields.list("losses")?)?,
            None => Vec::new(),
        };
        Graph::with_losses(inputs, &outputs, &losses).map_err(|error| error.to_string())
    }
}

fn take_values(values: &[Symbol], places: &[Value]) -> Parsed<Vec<Symbol>> {
    let take = |place: &Value| {
        let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
        let value = place.and_then(|place| values.get(place));
        value.cloned().ok_or_else(|| {
            "connects layers in an order in which they cannot be computed".to_owned()
        })
    };
    let taken: Parsed<Vec<Symbol>> = places.iter().map(take).collect();
    taken.and_then(|taken| match taken.is_empty() {
        true => Err("has a layer without inputs, or a model without outputs".to_owned()),
        false => Ok(taken),
    })
}

fn check_names(chain: &[LayerRef]) -> Parsed<()> {
    for (index, layer) in chain.iter().enumerate() {
        let same_name = |other: &&LayerRef| other.name() == layer.name() && !other.is_same(layer);
        if chain[..index].iter().any(|other| same_name(&other)) {
            return Err(format!("has two layers named {:?}", layer.name()));
        }
    }
    Ok(())
}

/// Every layer of the list is a part of the model, and none has weights that it could not take.
fn check_whole(model: &Model, table: &Table) -> Parsed<()> {
    for layer in &table.layers {
        if !model.handle.contains(layer) {
            return Err(format!(
                "holds {}, which is no part of the model",
                layer.describe()
            ));
        }
    }
    Ok(())
}

/// The weights of each layer, of which there are to be so many; all finite.
pub(super) fn take_layers(weights: &mut Tensors, counts: &[usize]) -> Parsed<Vec<Vec<Tensor>>> {
    let mut taken = vec![];
    for (index, &count) in counts.iter().enumerate() {
        let mut of_layer = vec![];
        for place in 0..count {
            let name = weight_name(index, place);
            let Some(weight) = weights.remove(&name) else {
                return Err(format!(
                    "has no weight {name}, where layer {index} needs {count}"
                ));
            };
            if !tensors::is_finite(&weight) {
                return Err(format!("weight {name} holds NaN or infinity"));
            }
            of_layer.push(weight);
        }
        taken.push(of_layer);
    }
    Ok(taken)
}
