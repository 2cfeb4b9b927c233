//! A model as JSON, and back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::tensors::{self, Tensors};
use crate::config::{self, Fields, Parsed};
use crate::layers::{self, Layer};
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::models::sequential::Compiled;
use crate::models::{History, Sequential};
use crate::optimizers::{self, State};
use crate::{Tensor, names};

const FORMAT: &str = "dlcore model";
const VERSION: usize = 1;

/// The name of a weight: which layer, which of its weights.
pub(super) fn weight_name(layer: usize, place: usize) -> String {
    format!("layers.{layer}.{place}")
}

/// All but the numbers in weights and optimizer.
pub(super) fn model(model: &Sequential) -> Parsed<Value> {
    let layers: Parsed<Vec<Value>> = model
        .layers()
        .iter()
        .map(|layer| describe(&**layer))
        .collect();
    Ok(json!({
        "format": FORMAT,
        "version": VERSION,
        "written_by": concat!("dlcore ", env!("CARGO_PKG_VERSION")),
        "name": model.name(),
        "input_shape": config::shape(model.input_shape.as_deref()),
        "layers": layers?,
        "compile": model.compiled.as_ref().map(compiled),
        "history": model.history().map(History::config),
    }))
}

fn describe(layer: &dyn Layer) -> Parsed<Value> {
    let Some(config) = layer.config() else {
        return Err(format!(
            "{} is a layer of your own, which cannot be made from a file; save_weights(path) keeps the weights, \
             and load_weights(path) puts them into a model that the program has built",
            layers::describe(layer)
        ));
    };
    Ok(json!({"kind": layer.kind(), "weights": layer.weights().len(), "config": config}))
}

fn compiled(compiled: &Compiled) -> Value {
    let optimizer = &compiled.optimizer;
    let optimizer = match optimizer.config() {
        Some(config) => json!({"name": optimizer.name(), "config": config}),
        None => json!({"custom": optimizer.name()}),
    };
    let metrics: Vec<Value> = compiled.metrics.iter().map(Metric::config).collect();
    json!({"optimizer": optimizer, "loss": compiled.loss.config(), "metrics": metrics})
}

/// What the optimizer keeps, as safetensors.
pub(super) fn optimizer_state(model: &Sequential) -> Parsed<Option<Vec<u8>>> {
    let mut state = Tensors::new();
    let saved = |compiled: &&Compiled| compiled.optimizer.config().is_some();
    if let Some(compiled) = model.compiled.as_ref().filter(saved) {
        for (name, slots) in compiled.optimizer.state() {
            for (index, slot) in slots
                .iter()
                .enumerate()
                .filter(|(_, slot)| !slot.is_empty())
            {
                let slot = Tensor::from(slot.as_slice());
                state.insert(format!("{name}.{index}"), slot);
            }
        }
    }
    (!state.is_empty())
        .then(|| tensors::write(&state))
        .transpose()
}

/// The model that was described.
pub(super) fn restore(
    description: &Value,
    mut weights: Tensors,
    state: Tensors,
) -> Parsed<Sequential> {
    let fields = Fields::of(description, "model.json")?;
    if fields.text("format") != Ok(FORMAT) {
        return Err("is no saved model of dlcore: model.json does not name that format".to_owned());
    }
    let version = fields.size("version")?;
    if version != VERSION {
        return Err(format!(
            "is in version {version} of the format, this dlcore reads version {VERSION}; use the dlcore that wrote it{}",
            fields
                .text("written_by")
                .map_or_else(|_| String::new(), |by| format!(" ({by})")),
        ));
    }
    let mut model = Sequential::new();
    fields.text("name")?.clone_into(&mut model.name);
    names::seen("sequential", &model.name);
    model.input_shape = fields.shape("input_shape")?;
    model.layers = read_layers(
        fields.list("layers")?,
        model.input_shape.as_deref(),
        &mut weights,
    )?;
    if let Some((name, _)) = weights.first_key_value() {
        return Err(format!("has weights that belong to no layer: {name}"));
    }
    if let Some(history) = fields.get("history") {
        model.history = Some(History::from_config(history)?);
    }
    if let Some(compile) = fields.get("compile") {
        read_compiled(&mut model, compile, state)?;
    }
    Ok(model)
}

fn read_layers(
    described: &[Value],
    input_shape: Option<&[usize]>,
    weights: &mut Tensors,
) -> Parsed<Vec<Box<dyn Layer>>> {
    let mut counts = vec![];
    for layer in described {
        let count = Fields::of(layer, "layer")?.size("weights")?;
        counts.push(count.min(weights.len() + 1));
    }
    let weights = take_layers(weights, &counts)?;
    let mut layers: Vec<Box<dyn Layer>> = vec![];
    let mut seen = BTreeSet::new();
    let mut shape = input_shape.map(<[usize]>::to_vec);
    for (layer, weights) in described.iter().zip(weights) {
        let fields = Fields::of(layer, "layer")?;
        let config = fields.get("config").unwrap_or(&Value::Null);
        let mut layer = layers::from_config(fields.text("kind")?, config)?;
        if !seen.insert(layer.name().to_string()) {
            return Err(format!("has two layers named {:?}", layer.name()));
        }
        shape = match shape {
            None if weights.is_empty() => None,
            None => {
                return Err("has weights, but does not say for which input_shape".to_owned());
            }
            Some(shape) => {
                layers::build_with(&mut *layer, std::slice::from_ref(&shape), weights)?;
                let output = layer.output_shape(&shape);
                Some(output.map_err(|error| error.to_string())?)
            }
        };
        layers.push(layer);
    }
    match layers.is_empty() {
        true => Err("holds a model without layers".to_owned()),
        false => Ok(layers),
    }
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

fn read_compiled(model: &mut Sequential, compile: &Value, state: Tensors) -> Parsed<()> {
    let fields = Fields::of(compile, "compile")?;
    let part = |key| fields.get(key).unwrap_or(&Value::Null);
    let (optimizer, loss, metrics) = (part("optimizer"), part("loss"), fields.list("metrics")?);
    let mut own: Vec<String> = vec![];
    for (what, value) in [("optimizer", optimizer), ("loss", loss)]
        .into_iter()
        .chain(metrics.iter().map(|metric| ("metric", metric)))
    {
        if let Some(name) = value.get("custom").and_then(Value::as_str) {
            own.push(format!("{what} {name:?}"));
        }
    }
    if !own.is_empty() {
        model.not_compiled = Some(format!(
            "{} {} your own, which no file can hold: call compile(…) again before fit or evaluate",
            own.join(" and "),
            if own.len() == 1 { "is" } else { "are" },
        ));
        return Ok(());
    }
    let optimizer = Fields::of(optimizer, "optimizer")?;
    let settings = optimizer.get("config").unwrap_or(&Value::Null);
    let state = read_state(model, state)?;
    let metrics: Parsed<Vec<Metric>> = metrics.iter().map(Metric::from_config).collect();
    model.compiled = Some(Compiled {
        optimizer: optimizers::from_config(optimizer.text("name")?, settings, state)?,
        loss: Loss::from_config(loss)?,
        metrics: metrics?,
    });
    Ok(())
}

/// What the optimizer keeps, each slot as long as its weight.
fn read_state(model: &Sequential, state: Tensors) -> Parsed<State> {
    let lengths: Vec<usize> = model.get_weights().iter().map(Tensor::len).collect();
    let mut slots = State::new();
    for (name, values) in state {
        let place = name.rsplit_once('.').and_then(|(kind, index)| {
            let index: usize = index.parse().ok()?;
            (lengths.get(index) == Some(&values.len())).then_some((kind, index))
        });
        let Some((kind, index)) = place else {
            return Err(format!(
                "the optimizer's {name} has shape {:?}, which fits no weight",
                values.shape()
            ));
        };
        if !tensors::is_finite(&values) {
            return Err(format!("the optimizer's {name} holds NaN or infinity"));
        }
        let of_kind = slots.entry(kind.to_owned()).or_default();
        of_kind.resize(of_kind.len().max(index + 1), Vec::new());
        of_kind[index] = values.to_vec();
    }
    Ok(slots)
}
