//! A model from Keras's description of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::{Calls, MASKS, inputs, masked};
use super::names::Counted;
use super::store::{Place, Store};
use super::{class, settings};
use crate::config::{Fields, Parsed};
use crate::models::Model;
use crate::models::graph::Graph;
use crate::models::layer_ref::LayerRef;
use crate::models::network::Network;
use crate::names;

/// Which Keras wrote a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keras {
    Two,
    Three,
}

impl Keras {
    pub(super) fn of(version: &str) -> Parsed<Keras> {
        match version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
        {
            Some(0..=2) => Ok(Keras::Two),
            Some(3) => Ok(Keras::Three),
            Some(other) => Err(format!(
                "was written by Keras {other}; files of Keras 1 to 3 are read"
            )),
            None => Err(format!(
                "was written by Keras {version:?}, which is no version"
            )),
        }
    }
}

/// Lengths that are tried for an axis of any length, for which a model here is built all the same.
const LENGTHS: [usize; 5] = [1, 16, 64, 256, 1024];
/// Models within models within …: no file goes deeper.
const DEEPEST: usize = 16;
/// No model has more layers.
const MOST_LAYERS: usize = 10_000;

/// Makes models.
pub(super) struct Reader<'a> {
    keras: Keras,
    store: Store<'a>,
    /// Layers by their names, for those that stand in the file more than once.
    known: RefCell<BTreeMap<String, LayerRef>>,
    /// The length of an axis of any length, and whether there was one.
    length: Cell<usize>,
    any_length: Cell<bool>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(keras: Keras, store: Store<'a>) -> Reader<'a> {
        Reader {
            keras,
            store,
            known: RefCell::default(),
            length: Cell::new(LENGTHS[0]),
            any_length: Cell::new(false),
        }
    }

    /// The outermost model.
    pub(super) fn model(&self, described: &Value) -> Parsed<Model> {
        let mut problem = String::new();
        for length in LENGTHS {
            self.length.set(length);
            self.known.borrow_mut().clear();
            let (kind, config) = class(described, "model")?;
            match self.network(kind, config, &self.store.root(), &[], 0) {
                Ok(layer) => return Ok(Model::of(layer)),
                Err(error) if !self.any_length.get() => return Err(error),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn network(
        &self,
        kind: &str,
        config: &Value,
        place: &Place<'a>,
        others: &[String],
        depth: usize,
    ) -> Parsed<LayerRef> {
        if depth > DEEPEST {
            return Err(format!("holds models that lie {depth} deep in one another"));
        }
        let network = match kind {
            "Sequential" => self.sequential(config, place, others, depth)?,
            "Functional" | "Model" if config.get("layers").is_some() => {
                self.functional(config, place, others, depth)?
            }
            other => {
                return Err(format!(
                    "holds a model of class {other:?}; a Sequential or a functional Model can be read. Make it in the \
                     program, and put its weights into it with load_weights"
                ));
            }
        };
        let layer = LayerRef::network(network);
        if config.get("trainable") == Some(&Value::Bool(false)) {
            layer.set_trainable(false);
        }
        Ok(layer)
    }

    fn sequential(
        &self,
        config: &Value,
        place: &Place<'a>,
        others: &[String],
        depth: usize,
    ) -> Parsed<Network> {
        // The first versions of Keras 2 wrote the list alone.
        let (name, layers) = match config {
            Value::Array(layers) => ("sequential", layers.as_slice()),
            _ => {
                let fields = Fields::of(config, "Sequential")?;
                let name = fields.text("name").unwrap_or("sequential");
                (name, fields.list("layers")?)
            }
        };
        names::seen("sequential", name);
        let mut network = Network::sequential(name.to_string());
        let others = self.others(place, others, layers);
        let mut counted = Counted::default();
        let mut chain = Vec::new();
        let mut shape = None;
        for described in layers {
            let (kind, config) = class(described, "layer")?;
            if chain.is_empty() && shape.is_none() {
                shape = self.declared(config)?;
            }
            if kind != "InputLayer" {
                let path = counted.next(kind);
                chain.push(self.layer(described, &path, place, &others, depth)?);
            }
        }
        if shape.is_none() {
            shape = self.shape(&config["build_input_shape"])?;
        }
        network.chain = Some(chain);
        if let Some(shape) = shape {
            network.build(&shape).map_err(|error| error.to_string())?;
        }
        Ok(network)
    }

    /// The names of all layers among whose weights those of these layers lie.
    fn others(&self, place: &Place<'_>, others: &[String], layers: &[Value]) -> Vec<String> {
        if !matches!(place, Place::Within(_)) || !others.is_empty() {
            return others.to_vec();
        }
        let mut names = Vec::new();
        leaves(layers, &mut names, 0);
        names
    }

    /// A layer of a model whose weights lie at `place`.
    fn layer(
        &self,
        described: &Value,
        path: &str,
        place: &Place<'a>,
        others: &[String],
        depth: usize,
    ) -> Parsed<LayerRef> {
        let (kind, config) = class(described, "layer")?;
        let name = config.get("name").or(described.get("name"));
        let name = name.and_then(Value::as_str).unwrap_or(kind);
        // A layer of two models has this where it is met again, and its weights where it was met first.
        if described.get("shared_object_id").is_some()
            && let Some(known) = self.known.borrow().get(name)
        {
            return Ok(known.clone());
        }
        let own = self.store.of_layer(place, path, name)?;
        let layer = match kind {
            "Sequential" | "Functional" | "Model" => {
                self.network(kind, config, &own, others, depth + 1)?
            }
            _ => {
                let named = |error: String| format!("{name} ({kind}): {error}");
                let mut layer = settings::layer(kind, config, self.keras).map_err(named)?;
                let weights = self.store.weights(&own, kind, config, name, others);
                // They wait for the call that says for which shapes, and are all that the layer gets: what is
                // said of shapes must not decide how much is allocated.
                layer.give_weights(weights.map_err(named)?);
                LayerRef::boxed(layer)
            }
        };
        let known = (name.to_string(), layer.clone());
        self.known.borrow_mut().extend([known]);
        Ok(layer)
    }

    /// The shape of a sample that a layer's settings name.
    fn declared(&self, config: &Value) -> Parsed<Option<Vec<usize>>> {
        let keys = ["batch_shape", "batch_input_shape"];
        let given = keys
            .iter()
            .find_map(|key| config.get(key).filter(|v| !v.is_null()));
        given.map_or(Ok(None), |given| self.shape(given))
    }

    /// A shape without the batch axis.
    fn shape(&self, value: &Value) -> Parsed<Option<Vec<usize>>> {
        let Value::Array(axes) = value else {
            return Ok(None);
        };
        let axis = |axis: &Value| match axis {
            Value::Null => {
                self.any_length.set(true);
                Some(Value::from(self.length.get()))
            }
            other => Some(other.clone()),
        };
        let axes: Option<Vec<Value>> = axes.iter().skip(1).map(axis).collect();
        let shape = serde_json::json!({"shape": axes});
        Fields::of(&shape, "input")?.shape("shape")
    }

    fn functional(
        &self,
        config: &Value,
        place: &Place<'a>,
        others: &[String],
        depth: usize,
    ) -> Parsed<Network> {
        let fields = Fields::of(config, "Functional")?;
        let name = fields.text("name").unwrap_or("functional");
        names::seen("functional", name);
        let described = fields.list("layers")?;
        if described.len() > MOST_LAYERS {
            return Err(format!("holds a model of {} layers", described.len()));
        }
        let others = self.others(place, others, described);
        let mut counted = Counted::default();
        let mut calls = Calls::default();
        let masked = masked(described);
        for layer in described {
            let (kind, config) = class(layer, "layer")?;
            let fields = Fields::of(layer, "layer")?;
            let name = fields.get("name").or(config.get("name"));
            let name = name
                .and_then(Value::as_str)
                .ok_or("holds a layer without a name")?;
            if MASKS.contains(&kind) {
                continue;
            }
            let path = counted.next(kind);
            if kind == "InputLayer" {
                let shape = self.declared(config)?;
                let shape = shape.ok_or_else(|| format!("{name}: an input without a shape"))?;
                names::seen("input_layer", name);
                calls.input(name, shape);
                continue;
            }
            let named = |error: String| format!("{name} ({kind}): {error}");
            let mut nodes = Vec::new();
            for node in fields.list("inbound_nodes")? {
                nodes.push(inputs(node, &masked).map_err(named)?);
            }
            let layer = self.layer(layer, &path, place, &others, depth)?;
            let inner = ["Sequential", "Functional", "Model"].contains(&kind);
            calls.layer(name, kind, inner, layer, nodes);
        }
        calls.run(self.keras)?;
        let ends = |key: &str| calls.ends(fields.get(key).unwrap_or(&Value::Null), self.keras);
        let graph = Graph::new(ends("input_layers")?, &ends("output_layers")?);
        let graph = graph.map_err(|error| error.to_string())?;
        Ok(Network::functional(name.to_string(), graph))
    }
}

/// The names of layers that have weights themselves.
fn leaves(layers: &[Value], names: &mut Vec<String>, depth: usize) {
    for layer in layers {
        let config = &layer["config"];
        let inner = config.get("layers").unwrap_or(config).as_array();
        match inner {
            Some(inner) if depth <= DEEPEST => leaves(inner, names, depth + 1),
            _ => names.extend(config["name"].as_str().map(str::to_string)),
        }
    }
}
