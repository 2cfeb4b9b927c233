//! What `compile` chose, in Keras's words.

use serde_json::{Map, Value, json};

use super::names::name_of;
use super::read::Keras;
use super::store::Store;
use super::{Loaded, class, optimizer};
use crate::config::{Fields, Parsed};
use crate::models::Model;
use crate::models::save::compiled;

/// The model compiled as Keras's was. Where that cannot be, the model says so when it is trained.
pub(super) fn read(
    mut model: Model,
    compile: &Value,
    optimizer_key: &str,
    keras: Keras,
    store: &Store<'_>,
) -> Parsed<Loaded> {
    let described = compile.as_object().filter(|fields| !fields.is_empty());
    let Some(described) = described.filter(|fields| fields.get("optimizer") != Some(&Value::Null))
    else {
        return Ok((model, None));
    };
    let mut note = None;
    let compiled = translated(&model, described, optimizer_key).and_then(|mut compile| {
        let trained: Vec<usize> = optimizer::trained(&model);
        let kept = optimizer::state(&mut compile["optimizer"], keras, store, &trained);
        let state = kept.unwrap_or_else(|reason| {
            note = Some(format!(
                "what the optimizer kept is not read ({reason}); it begins anew"
            ));
            Default::default()
        });
        compiled::read(&mut model, &compile, state)
    });
    if let Err(reason) = compiled {
        note = None;
        model.compiled = None;
        model.not_compiled = Some(format!(
            "how it was compiled cannot be read ({reason}): call compile(…) again before fit or evaluate"
        ));
    }
    Ok((model, note))
}

fn translated(model: &Model, described: &Map<String, Value>, optimizer_key: &str) -> Parsed<Value> {
    let get = |key: &str| described.get(key).unwrap_or(&Value::Null);
    let outputs = model.output_names();
    let losses = spread(get("loss"), &outputs, "loss")?;
    let weights = spread(get("loss_weights"), &outputs, "loss weight")?;
    let plain = metrics(get("metrics"), &outputs)?;
    let weighted = metrics(get("weighted_metrics"), &outputs)?;
    let described = |metrics: &[&Value]| -> Parsed<Vec<Value>> {
        metrics.iter().map(|one| metric(one)).collect()
    };
    let mut objectives = Vec::new();
    for output in 0..outputs.len() {
        let Some(value) = losses[output].filter(|loss| !loss.is_null()) else {
            continue;
        };
        objectives.push(json!({
            "output": output,
            "loss": loss(value)?,
            "weight": weights[output].filter(|weight| !weight.is_null()).unwrap_or(&json!(1.0)),
            "metrics": described(&plain[output])?,
            "weighted_metrics": described(&weighted[output])?,
        }));
    }
    if objectives.is_empty() {
        return Err("it has no loss".to_string());
    }
    let (name, config) = optimizer::read(get(optimizer_key))?;
    Ok(json!({
        "optimizer": {"name": name, "config": config},
        "objectives": objectives,
    }))
}

/// What each output was given: one for all, a list, or some by name.
fn spread<'a>(value: &'a Value, outputs: &[String], what: &str) -> Parsed<Vec<Option<&'a Value>>> {
    match value {
        Value::Array(all) if all.len() == outputs.len() => Ok(all.iter().map(Some).collect()),
        Value::Object(named) if !named.contains_key("class_name") => {
            match named.keys().find(|name| !outputs.contains(name)) {
                None => Ok(outputs.iter().map(|name| named.get(name)).collect()),
                Some(name) => Err(format!("it has a {what} for {name:?}, which is no output")),
            }
        }
        Value::Array(all) => Err(format!(
            "it has {} of {what} for {} outputs",
            all.len(),
            outputs.len()
        )),
        one => Ok(vec![Some(one); outputs.len()]),
    }
}

/// The metrics of each output.
fn metrics<'a>(value: &'a Value, outputs: &[String]) -> Parsed<Vec<Vec<&'a Value>>> {
    let list = |value: &'a Value| -> Vec<&'a Value> {
        match value {
            Value::Null => Vec::new(),
            Value::Array(all) => all.iter().filter(|metric| !metric.is_null()).collect(),
            one => vec![one],
        }
    };
    let nested = |all: &[Value]| all.iter().all(|one| one.is_array() || one.is_null());
    match value {
        Value::Array(all) if all.is_empty() => Ok(vec![Vec::new(); outputs.len()]),
        Value::Array(all) if nested(all) || outputs.len() > 1 => {
            let each = spread(value, outputs, "metrics")?;
            Ok(each
                .into_iter()
                .map(|one| one.map_or(Vec::new(), list))
                .collect())
        }
        Value::Object(named) if !named.contains_key("class_name") => {
            let each = spread(value, outputs, "metrics")?;
            Ok(each
                .into_iter()
                .map(|one| one.map_or(Vec::new(), list))
                .collect())
        }
        one => Ok(vec![list(one); outputs.len()]),
    }
}

/// The name of a function or of a class, and its settings.
fn named(value: &Value, what: &str) -> Parsed<(String, Value)> {
    if let Value::String(name) = value {
        return Ok((name.clone(), Value::Null));
    }
    match class(value, what)? {
        ("function", Value::String(name)) => Ok((name.clone(), Value::Null)),
        // Functions that Keras wraps.
        ("LossFunctionWrapper" | "MeanMetricWrapper", config) => {
            let (name, _) = named(&config["fn"], what)?;
            Ok((name, config.clone()))
        }
        (other, config) => Ok((name_of(other), config.clone())),
    }
}

/// Settings that are these, or are not set.
fn only(fields: &Fields<'_>, key: &str, allowed: &[Value]) -> Parsed<()> {
    match fields.get(key) {
        Some(value) if !allowed.contains(value) => Err(format!("{key} = {value}")),
        _ => Ok(()),
    }
}

fn loss(value: &Value) -> Parsed<Value> {
    let (name, config) = named(value, "loss")?;
    let mut loss = json!({"name": name, "from_logits": false});
    if config.is_null() {
        return Ok(loss);
    }
    let failed = |error: String| format!("its loss {name} has {error}");
    let fields = Fields::of(&config, "loss")?;
    let usual = ["sum_over_batch_size", "auto", "mean"].map(Value::from);
    only(&fields, "reduction", &usual).map_err(failed)?;
    only(&fields, "axis", &[json!(-1)]).map_err(failed)?;
    let known = [
        "from_logits",
        "label_smoothing",
        "delta",
        "gamma",
        "alpha",
        "apply_class_balancing",
    ];
    for key in known {
        if let Some(setting) = fields.get(key) {
            let off = key == "label_smoothing" && setting.as_f64() == Some(0.0);
            if !off {
                loss[key] = setting.clone();
            }
        }
    }
    Ok(loss)
}

fn metric(value: &Value) -> Parsed<Value> {
    let (kind, config) = named(value, "metric")?;
    let fields = match &config {
        Value::Null => return Ok(json!({"name": kind, "metric": kind})),
        config => Fields::of(config, "metric")?,
    };
    let failed = |error: String| format!("its metric {kind} has {error}");
    let name = fields.text("name").unwrap_or(&kind);
    let mut metric = json!({"name": name, "metric": kind});
    for key in [
        "class_id",
        "top_k",
        "label_weights",
        "beta_weights",
        "class_aggregation",
    ] {
        let allowed = [json!("uniform_average")];
        only(&fields, key, &allowed).map_err(failed)?;
    }
    let off = [json!(false)];
    for key in ["multi_label", "from_logits"] {
        only(&fields, key, &off).map_err(failed)?;
    }
    only(&fields, "summation_method", &[json!("interpolation")]).map_err(failed)?;
    only(&fields, "beta", &[json!(1.0)]).map_err(failed)?;
    for key in [
        "threshold",
        "k",
        "num_classes",
        "num_thresholds",
        "curve",
        "average",
    ] {
        if let Some(setting) = fields.get(key) {
            metric[key] = setting.clone();
        }
    }
    match fields.get("thresholds") {
        None => {}
        Some(Value::Array(one)) if one.len() == 1 => metric["threshold"] = one[0].clone(),
        Some(Value::Number(one)) => metric["threshold"] = json!(one),
        Some(other) => return Err(failed(format!("thresholds = {other}"))),
    }
    if kind == "f1_score" && metric.get("average").is_none() {
        return Err(failed("no average".to_string()));
    }
    Ok(metric)
}
