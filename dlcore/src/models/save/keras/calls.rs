//! The calls by which the layers of a functional model are connected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::Keras;
use crate::config::Parsed;
use crate::models::Symbols;
use crate::models::layer_ref::LayerRef;
use crate::models::symbol::Symbol;
use crate::sorted;

/// What an operation on masks is called: masks go their own way here.
pub(super) const MASKS: [&str; 2] = ["NotEqual", "Any"];

/// The inputs of a call.
pub(super) fn inputs(node: &Value, masked: &BTreeSet<String>) -> Parsed<Vec<Point>> {
    let mut inputs = Vec::new();
    match node {
        // Keras 3: arguments, in which tensors stand for themselves.
        Value::Object(_) => {
            collect(&node["args"], &mut inputs)?;
            if let Value::Object(more) = &node["kwargs"] {
                for (key, value) in more {
                    match key.as_str() {
                        "initial_state" | "inputs" => collect(value, &mut inputs)?,
                        _ => check_argument(key, value, masked)?,
                    }
                }
            }
            // Keras 3 leaves the mask out where a recurrent layer is given its states.
            let kwargs = &node["kwargs"];
            let states = kwargs.get("initial_state").is_some_and(|s| !s.is_null());
            if states && !masked.is_empty() && kwargs["mask"].is_null() {
                return Err(
                    "is called with initial states and without the mask of the model, which Keras 3 leaves out and \
                     this library does not"
                        .to_string(),
                );
            }
        }
        // Keras 2: [layer, call, output, arguments] for each.
        Value::Array(all) => {
            for input in all {
                inputs.push(Point::of(input)?);
                if let Some(Value::Object(more)) = input.get(3) {
                    for (key, value) in more {
                        check_argument(key, value, masked)?;
                    }
                }
            }
        }
        other => return Err(format!("is called with {other}")),
    }
    Ok(inputs)
}

/// Which of a layer's calls, which of its outputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    layer: String,
    call: usize,
    output: usize,
}

impl Point {
    fn of(value: &Value) -> Parsed<Point> {
        let number = |place: usize| {
            let number = value.get(place).and_then(Value::as_u64);
            number.and_then(|number| usize::try_from(number).ok())
        };
        let layer = value.get(0).and_then(Value::as_str);
        match (layer, number(1), number(2)) {
            (Some(layer), Some(call), Some(output)) => Ok(Point {
                layer: layer.to_string(),
                call,
                output,
            }),
            _ => Err(format!("expected [layer, call, output], found {value}")),
        }
    }
}

/// A tensor among arguments.
fn tensor(value: &Value) -> Option<&Value> {
    let is = value.get("class_name").and_then(Value::as_str) == Some("__keras_tensor__");
    is.then(|| &value["config"]["keras_history"])
}

fn collect(value: &Value, inputs: &mut Vec<Point>) -> Parsed<()> {
    if let Some(history) = tensor(value) {
        inputs.push(Point::of(history)?);
        return Ok(());
    }
    match value {
        Value::Array(all) => all.iter().try_for_each(|value| collect(value, inputs)),
        Value::Object(tuple) if tuple.get("class_name") == Some(&"__tuple__".into()) => {
            collect(&tuple["config"], inputs)?;
            collect(tuple.get("items").unwrap_or(&Value::Null), inputs)
        }
        Value::Null => Ok(()),
        other => Err(format!(
            "is called with {other}, where tensors are expected"
        )),
    }
}

/// Arguments beside the inputs: a mask that comes from a layer, and that this is no training.
fn check_argument(key: &str, value: &Value, masked: &BTreeSet<String>) -> Parsed<()> {
    if matches!(value, Value::Null | Value::Bool(false)) {
        return Ok(());
    }
    let from = tensor(value).map_or(Ok(None), |history| Point::of(history).map(Some))?;
    match (key, from) {
        ("mask", Some(from)) if masked.contains(&from.layer) => Ok(()),
        _ => Err(format!(
            "is called with {key} = {value}, which no layer here takes"
        )),
    }
}

/// The operations that compute the mask of a layer which makes one: here the layer hands it on itself.
pub(super) fn masked(layers: &[Value]) -> BTreeSet<String> {
    let inputs_of = |layer: &Value| {
        let mut inputs = Vec::new();
        for node in layer["inbound_nodes"].as_array().into_iter().flatten() {
            let arguments = node["args"].as_array().into_iter().flatten();
            inputs.extend(arguments.filter_map(|a| Point::of(tensor(a)?).ok()));
        }
        inputs
    };
    let kind = |layer: &Value| layer["class_name"].as_str().unwrap_or_default().to_string();
    let name = |layer: &Value| layer["name"].as_str().unwrap_or_default().to_string();
    let makes = |layer: &&Value| {
        kind(layer) == "Masking" || layer["config"]["mask_zero"] == Value::Bool(true)
    };
    let sources: BTreeSet<Point> =
        sorted::gathered(layers.iter().filter(makes).flat_map(inputs_of));
    let mut masked = BTreeSet::new();
    for operation in MASKS {
        for layer in layers.iter().filter(|layer| kind(layer) == operation) {
            let known = |from: &Point| sources.contains(from) || masked.contains(&from.layer);
            let inputs = inputs_of(layer);
            if !inputs.is_empty() && inputs.iter().all(known) {
                masked.insert(name(layer));
            }
        }
    }
    masked
}

/// The calls of a functional model, made as soon as their inputs are there.
#[derive(Default)]
pub(super) struct Calls {
    values: BTreeMap<Point, Symbol>,
    layers: Vec<Called>,
}

struct Called {
    name: String,
    kind: String,
    /// Whether it is a model: those of Keras 2 count a call of their own first.
    inner: bool,
    layer: LayerRef,
    nodes: Vec<Vec<Point>>,
    done: usize,
}

impl Calls {
    pub(super) fn input(&mut self, name: &str, shape: Vec<usize>) {
        let place = Point {
            layer: name.to_string(),
            call: 0,
            output: 0,
        };
        self.values
            .insert(place, Symbol::input(name.to_string(), shape));
    }

    pub(super) fn layer(
        &mut self,
        name: &str,
        kind: &str,
        inner: bool,
        layer: LayerRef,
        nodes: Vec<Vec<Point>>,
    ) {
        self.layers.push(Called {
            name: name.to_string(),
            kind: kind.to_string(),
            inner,
            layer,
            nodes,
            done: 0,
        });
    }

    /// The place that is meant, counted from a layer's first call within the model.
    fn counted(&self, place: &Point, keras: Keras) -> Point {
        let inner = self
            .layers
            .iter()
            .any(|called| called.inner && called.name == place.layer);
        let mut place = place.clone();
        if inner && keras == Keras::Two {
            place.call = place.call.saturating_sub(1);
        }
        place
    }

    pub(super) fn run(&mut self, keras: Keras) -> Parsed<()> {
        loop {
            let mut progress = false;
            let mut waiting = None;
            for index in 0..self.layers.len() {
                while let Some(inputs) = self.layers[index].nodes.get(self.layers[index].done) {
                    let places: Vec<Point> = inputs
                        .iter()
                        .map(|input| self.counted(input, keras))
                        .collect();
                    let found = places.iter().map(|place| self.values.get(place).cloned());
                    let Some(symbols) = found.collect::<Option<Vec<Symbol>>>() else {
                        waiting = Some(index);
                        break;
                    };
                    self.call(index, symbols)?;
                    progress = true;
                }
            }
            match waiting {
                None => return Ok(()),
                Some(index) if !progress => {
                    let called = &self.layers[index];
                    return Err(format!(
                        "{} ({}): takes its input from {:?}, which is not there",
                        called.name, called.kind, called.nodes[called.done]
                    ));
                }
                Some(_) => {}
            }
        }
    }

    fn call(&mut self, index: usize, inputs: Vec<Symbol>) -> Parsed<()> {
        let called = &mut self.layers[index];
        if inputs.is_empty() {
            return Err(format!(
                "{} ({}): is called without inputs",
                called.name, called.kind
            ));
        }
        let outputs = called.layer.try_on_many(Symbols::from(inputs));
        let outputs = outputs.map_err(|error| error.to_string())?;
        for (output, symbol) in outputs.into_iter().enumerate() {
            let place = Point {
                layer: called.name.clone(),
                call: called.done,
                output,
            };
            self.values.insert(place, symbol);
        }
        called.done += 1;
        Ok(())
    }

    /// The inputs or outputs of the model: one, a list of them, or some by name.
    pub(super) fn ends(&self, value: &Value, keras: Keras) -> Parsed<Vec<Symbol>> {
        match value {
            Value::Array(all) if !all.first().is_some_and(Value::is_string) => {
                let ends: Parsed<Vec<Vec<Symbol>>> =
                    all.iter().map(|value| self.ends(value, keras)).collect();
                Ok(ends?.concat())
            }
            Value::Object(named) => {
                let ends: Parsed<Vec<Vec<Symbol>>> = named
                    .values()
                    .map(|value| self.ends(value, keras))
                    .collect();
                Ok(ends?.concat())
            }
            _ => {
                let mut place = self.counted(&Point::of(value)?, keras);
                let of_function = |called: &&Called| called.name == place.layer;
                let called = self.layers.iter().find(of_function);
                // Here Keras 3 counts the call by which a functional model was made.
                if keras == Keras::Three && called.is_some_and(|c| c.kind == "Functional") {
                    place.call = place.call.saturating_sub(1);
                }
                let symbol = self.values.get(&place).cloned();
                symbol
                    .map(|symbol| vec![symbol])
                    .ok_or_else(|| format!("begins or ends at {value}, which is not there"))
            }
        }
    }
}
