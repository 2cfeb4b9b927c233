//! What `compile` chose as JSON, and back.

use serde_json::{Value, json};

use super::tensors::{self, Tensors};
use crate::Tensor;
use crate::config::{Fields, Parsed, number};
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::models::chain::KeptChain;
use crate::models::layer_ref::LayerRef;
use crate::models::model::Model;
use crate::models::objective::{Compiled, Objective};
use crate::optimizers::{self, State};

/// All but what the optimizer keeps.
pub(super) fn describe(compiled: &Compiled) -> Value {
    let optimizer = &compiled.optimizer;
    let optimizer = match optimizer.config() {
        Some(config) => json!({"name": optimizer.name(), "config": config}),
        None => json!({"custom": optimizer.name()}),
    };
    let objective = |objective: &Objective| {
        let configs = |metrics: &[Metric]| metrics.iter().map(Metric::config).collect::<Value>();
        let mut description = json!({
            "output": objective.output,
            "loss": objective.loss.config(),
            "weight": number(objective.weight),
            "metrics": configs(&objective.metrics),
        });
        if !objective.weighted.is_empty() {
            description["weighted_metrics"] = configs(&objective.weighted);
        }
        description
    };
    let objectives: Vec<Value> = compiled.objectives.iter().map(objective).collect();
    json!({"optimizer": optimizer, "objectives": objectives, "trained": compiled.trained})
}

/// What the optimizer keeps, as safetensors.
pub(super) fn optimizer_state(model: &Model) -> Parsed<Option<Vec<u8>>> {
    let mut state = Tensors::new();
    let saved = |compiled: &&Compiled| compiled.optimizer.config().is_some();
    if let Some(compiled) = model.compiled.as_ref().filter(saved) {
        for (name, slots) in compiled.optimizer.state().map_err(|e| e.to_string())? {
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

/// Compiles the model as it was described, unless it takes functions that no file can hold.
pub(super) fn read(model: &mut Model, compile: &Value, state: Tensors) -> Parsed<()> {
    let fields = Fields::of(compile, "compile")?;
    let optimizer = fields.get("optimizer").unwrap_or(&Value::Null);
    // Version 1 had one output, and its loss and metrics here.
    let described = match fields.get("objectives") {
        Some(_) => fields.list("objectives")?,
        None => std::slice::from_ref(compile),
    };
    let mut parts = vec![("optimizer", optimizer)];
    for objective in described {
        let fields = Fields::of(objective, "objective")?;
        parts.push(("loss", fields.get("loss").unwrap_or(&Value::Null)));
        parts.extend(fields.list("metrics")?.iter().map(|m| ("metric", m)));
        parts.extend(weighted(&fields)?.iter().map(|m| ("metric", m)));
    }
    if let Some(reason) = own_functions(&parts) {
        model.not_compiled = Some(reason);
        return Ok(());
    }
    let trained = read_trained(model, &fields)?;
    let objectives: Parsed<Vec<Objective>> = described
        .iter()
        .map(|value| read_objective(model, value))
        .collect();
    let optimizer = Fields::of(optimizer, "optimizer")?;
    let settings = optimizer.get("config").unwrap_or(&Value::Null);
    let state = read_state(model, &trained, state)?;
    model.compiled = Some(Compiled {
        optimizer: optimizers::from_config(optimizer.text("name")?, settings, state)?,
        objectives: objectives?,
        trained,
        chain: KeptChain::default(),
    });
    Ok(())
}

/// Why a model cannot be compiled from a file, where that is so.
fn own_functions(parts: &[(&str, &Value)]) -> Option<String> {
    let own: Vec<String> = parts
        .iter()
        .filter_map(|(what, value)| {
            let name = value.get("custom").and_then(Value::as_str)?;
            Some(format!("{what} {name:?}"))
        })
        .collect();
    (!own.is_empty()).then(|| {
        format!(
            "{} {} your own, which no file can hold: call compile(…) again before fit or evaluate",
            own.join(" and "),
            if own.len() == 1 { "is" } else { "are" },
        )
    })
}

fn read_objective(model: &Model, value: &Value) -> Parsed<Objective> {
    let fields = Fields::of(value, "objective")?;
    let output = match fields.get("output") {
        Some(_) => fields.size("output")?,
        None => 0,
    };
    let Some(name) = model.output_names().into_iter().nth(output) else {
        return Err(format!(
            "has a loss for output {output}, which the model does not have"
        ));
    };
    let metrics = |described: &[Value]| -> Parsed<Vec<Metric>> {
        described.iter().map(Metric::from_config).collect()
    };
    Ok(Objective {
        output,
        name,
        loss: Loss::from_config(fields.get("loss").unwrap_or(&Value::Null))?,
        weight: match fields.get("weight") {
            Some(_) => fields.float("weight")?,
            None => 1.0,
        },
        metrics: metrics(fields.list("metrics")?)?,
        weighted: metrics(weighted(&fields)?)?,
    })
}

/// The metrics in which samples count by their weights; files may have none.
fn weighted<'a>(objective: &Fields<'a>) -> Parsed<&'a [Value]> {
    match objective.get("weighted_metrics") {
        Some(_) => objective.list("weighted_metrics"),
        None => Ok(&[]),
    }
}

/// Which leaves are trained; what is trainable where the file does not say.
fn read_trained(model: &Model, fields: &Fields<'_>) -> Parsed<Vec<bool>> {
    let leaves = model.leaves();
    if fields.get("trained").is_none() {
        return Ok(leaves.iter().map(LayerRef::trainable).collect());
    }
    let flags = fields.list("trained")?.iter().map(Value::as_bool);
    let flags: Option<Vec<bool>> = flags.collect();
    flags
        .filter(|flags| flags.len() == leaves.len())
        .ok_or_else(|| "does not say of each layer whether it is trained".to_owned())
}

/// What the optimizer keeps, each slot as long as its weight.
fn read_state(model: &Model, trained: &[bool], state: Tensors) -> Parsed<State> {
    let mut lengths: Vec<usize> = vec![];
    for (leaf, _) in model.leaves().iter().zip(trained).filter(|(_, t)| **t) {
        if let Some(layer) = leaf.leaf() {
            lengths.extend(layer.weights().iter().map(|weight| weight.len()));
        }
    }
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
