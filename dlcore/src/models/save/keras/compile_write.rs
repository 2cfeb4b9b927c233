//! What `compile` chose of ours, in Keras's words.

use serde_json::{Value, json};

use super::names::class_of;
use super::optimizer;
use super::settings::{object, plain};
use crate::Tensor;
use crate::config::Parsed;
use crate::models::Model;
use crate::models::objective::Compiled;
use crate::models::save::{compiled, tensors};
use crate::sorted;

/// Keras's description of how the model was compiled, and the optimizer's variables; nothing for a model that
/// is not compiled, or whose functions are its user's own.
pub(super) fn write(model: &Model) -> Parsed<Option<(Value, Vec<Tensor>)>> {
    let Some(compiled) = &model.compiled else {
        return Ok(None);
    };
    let described = compiled::describe(compiled);
    let objectives = described["objectives"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let own = described["optimizer"].get("custom").is_some()
        || objectives.iter().any(|objective| {
            let metrics = listed(objective, "metrics").chain(listed(objective, "weighted_metrics"));
            let mut all = metrics.chain([&objective["loss"]]);
            all.any(|function| function.get("custom").is_some())
        });
    if own {
        return Ok(None);
    }
    let state = match compiled::optimizer_state(model)? {
        Some(bytes) => tensors::read(&bytes)?,
        None => tensors::Tensors::new(),
    };
    let name = described["optimizer"]["name"].as_str().unwrap_or_default();
    let (optimizer, variables) =
        optimizer::write(model, name, &described["optimizer"]["config"], &state)?;
    let names = model.output_names();
    let alone = names.len() == 1 && objectives.len() == 1;
    let by_output = |of: &dyn Fn(&Value) -> Value| match alone {
        true => of(&objectives[0]),
        false => by_name(&names, compiled, &objectives, of),
    };
    let metrics = |objective: &Value| listed(objective, "metrics").map(metric).collect();
    let weighted = |objective: &Value| listed(objective, "weighted_metrics").map(metric).collect();
    let has_weighted = objectives
        .iter()
        .any(|objective| listed(objective, "weighted_metrics").next().is_some());
    Ok(Some((
        json!({
            "optimizer": optimizer,
            "loss": by_output(&|objective| loss(&objective["loss"])),
            "loss_weights": if alone { Value::Null } else { by_output(&|o| plain(&o["weight"])) },
            "metrics": by_output(&metrics),
            "weighted_metrics": if has_weighted { by_output(&weighted) } else { Value::Null },
            "run_eagerly": false,
            "steps_per_execution": 1,
            "jit_compile": "auto",
        }),
        variables,
    )))
}

/// The metrics of an output, where it has some.
fn listed<'a>(objective: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    objective[key].as_array().into_iter().flatten()
}

/// An entry for each output; Keras wants one, `null`, also where an output has no loss.
fn by_name(
    outputs: &[String],
    compiled: &Compiled,
    objectives: &[Value],
    of: &dyn Fn(&Value) -> Value,
) -> Value {
    let entry = |name: &String| {
        let place = compiled.objectives.iter().position(|o| o.name == *name);
        let value = place.map_or(Value::Null, |place| of(&objectives[place]));
        (name.clone(), value)
    };
    Value::Object(sorted::gathered(outputs.iter().map(entry)))
}

fn loss(config: &Value) -> Value {
    let name = config["name"].as_str().unwrap_or_default();
    let mut settings = plain(config);
    let Value::Object(fields) = &mut settings else {
        return json!(name);
    };
    if fields.get("from_logits") == Some(&json!(false)) {
        fields.remove("from_logits");
    }
    // Without settings of its own a name is enough, short ones too.
    match fields.len() {
        1 => json!(name),
        _ => object("keras.losses", &class_of(name), settings),
    }
}

fn metric(config: &Value) -> Value {
    let name = config["name"].as_str().unwrap_or_default();
    let kind = config["metric"].as_str().unwrap_or(name);
    if name == kind && ["accuracy", "acc"].contains(&kind) {
        return json!(name);
    }
    let mut settings = plain(config);
    let Value::Object(fields) = &mut settings else {
        return json!(name);
    };
    fields.remove("metric");
    fields.remove("loss");
    if ["precision", "recall"].contains(&kind)
        && let Some(threshold) = fields.remove("threshold")
    {
        fields.insert("thresholds".to_string(), threshold);
    }
    match kind {
        // Which kind of accuracy is told by the shapes: Keras has no class for that.
        "accuracy" => json!("accuracy"),
        "log_cosh" => object("keras.metrics", "LogCoshError", settings),
        _ => object("keras.metrics", &class_of(kind), settings),
    }
}
