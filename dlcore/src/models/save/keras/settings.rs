//! A layer's settings in Keras's words and in ours.

use serde_json::{Map, Value, json};

use super::class;
use super::read::Keras;
use crate::config::{Fields, Parsed};
use crate::layers::{self, Layer};
use crate::sorted;

/// Settings that say nothing of what a layer computes.
const SILENT: [&str; 14] = [
    "name",
    "trainable",
    "dtype",
    "autocast",
    "seed",
    "batch_input_shape",
    "batch_shape",
    "build_input_shape",
    "input_shape",
    "input_length",
    "implementation",
    "unroll",
    "renorm_momentum",
    "shared_object_id",
];

/// Types that variables of models have which compute in `F32`.
const TYPES: [&str; 4] = ["float32", "mixed_float16", "mixed_bfloat16", "float64"];

/// A layer that Keras described, not built yet.
pub(super) fn layer(kind: &str, config: &Value, keras: Keras) -> Parsed<Box<dyn Layer>> {
    let settings = ours(kind, config, keras)?;
    let layer = layers::from_config(kind, &Value::Object(settings.clone()))
        .map_err(|error| error.replace("holds a layer of kind", "is a layer of kind"))?;
    check_known(&*layer, &settings)?;
    Ok(layer)
}

/// An error for a setting that the layer does not have and that is not off.
fn check_known(layer: &dyn Layer, settings: &Map<String, Value>) -> Parsed<()> {
    let own = layer.config().unwrap_or(Value::Null);
    for (key, value) in settings {
        let off = matches!(value, Value::Null | Value::Bool(false));
        // Of weights that the layer does not have, and channels in one group.
        let idle = key.ends_with("_initializer") || (key == "groups" && *value == json!(1));
        if own.get(key).is_none() && !off && !idle && !SILENT.contains(&key.as_str()) {
            return Err(format!(
                "has {key} = {value}, a setting that this version of dlcore does not know"
            ));
        }
    }
    Ok(())
}

/// The settings in the words of our layers.
fn ours(kind: &str, config: &Value, keras: Keras) -> Parsed<Map<String, Value>> {
    let Value::Object(config) = config else {
        return Err("has no settings".to_string());
    };
    let mut settings = Map::new();
    for (key, value) in config {
        if key == "dtype" {
            check_type(value)?;
            continue;
        }
        let translated = setting(kind, key, value, keras);
        let value = translated.map_err(|error| format!("{key}: {error}"))?;
        // Ours are those of a sample.
        if key != "input_shape" {
            settings.insert(key.clone(), value);
        }
    }
    if keras == Keras::Two {
        older(kind, &mut settings);
    }
    Ok(settings)
}

/// What the settings of Keras 2 were called, and what they were by default.
fn older(kind: &str, settings: &mut Map<String, Value>) {
    if kind == "LeakyReLU"
        && let Some(alpha) = settings.remove("alpha")
    {
        settings.insert("negative_slope".to_string(), alpha);
    }
    if kind == "ReLU" {
        for key in ["negative_slope", "threshold"] {
            settings.entry(key).or_insert(json!(0.0));
        }
    }
    if kind == "GRU" {
        settings.entry("reset_after").or_insert(json!(false));
    }
}

fn check_type(dtype: &Value) -> Parsed<()> {
    let policy = dtype.get("config").and_then(|config| config.get("name"));
    let name = policy.unwrap_or(dtype).as_str();
    match name.is_none_or(|name| TYPES.contains(&name)) {
        true => Ok(()),
        false => Err(format!(
            "dtype: expected a layer that computes in float32, found {dtype}"
        )),
    }
}

fn setting(kind: &str, key: &str, value: &Value, keras: Keras) -> Parsed<Value> {
    if key.ends_with("initializer") {
        return initializer(value);
    }
    if key.ends_with("_regularizer") {
        return regularizer(value);
    }
    if key.ends_with("_constraint") {
        return constraint(value);
    }
    match key {
        "activation" | "recurrent_activation" => activation(kind, value, keras),
        "layer" | "backward_layer" if value.is_object() => {
            let (kind, config) = class(value, key)?;
            let settings = ours(kind, config, keras)?;
            // What is not known is found now: the wrapper does not look.
            layer(kind, config, keras).map_err(|error| format!("{kind} {error}"))?;
            Ok(json!({"kind": kind, "config": settings}))
        }
        _ => Ok(value.clone()),
    }
}

fn activation(kind: &str, value: &Value, keras: Keras) -> Parsed<Value> {
    let name = match value {
        Value::Object(_) => match class(value, "activation")? {
            ("function", Value::String(name)) => name.as_str(),
            (other, _) => {
                return Err(format!("expected a known function, found {other:?}"));
            }
        },
        Value::String(name) => name,
        other => return Ok(other.clone()),
    };
    if name != "hard_sigmoid" || keras == Keras::Three {
        return Ok(json!(name));
    }
    // Keras 2's is 0.2·x + 0.5, Keras 3's x/6 + 0.5.
    match ["GRU", "LSTM", "SimpleRNN"].contains(&kind) {
        true => Ok(json!("hard_sigmoid_2017")),
        false => Err(
            "is Keras 2's hard_sigmoid, 0.2·x + 0.5, which only recurrent layers have here"
                .to_string(),
        ),
    }
}

fn initializer(value: &Value) -> Parsed<Value> {
    if !value.is_object() {
        return Ok(value.clone());
    }
    let (kind, config) = class(value, "initializer")?;
    let fields = match config {
        Value::Object(_) => Fields::of(config, kind)?,
        _ => return Ok(json!(super::names::snake(kind))),
    };
    let numbers = |keys: &[&str]| -> Parsed<Value> {
        let mut own = Map::new();
        for key in keys {
            fields.float(key)?;
            own.insert((*key).to_string(), config[*key].clone());
        }
        Ok(Value::Object(own))
    };
    Ok(match kind {
        "RandomNormal" => json!({"random_normal": numbers(&["mean", "stddev"])?}),
        "TruncatedNormal" => json!({"truncated_normal": numbers(&["mean", "stddev"])?}),
        "RandomUniform" => json!({"random_uniform": numbers(&["minval", "maxval"])?}),
        "VarianceScaling" => json!({"variance_scaling": {
            "scale": config["scale"], "mode": config["mode"], "distribution": config["distribution"],
        }}),
        "Constant" => json!({"constant": config["value"]}),
        "Identity" | "IdentityInitializer" => json!({"identity": numbers(&["gain"])?}),
        "Orthogonal" | "OrthogonalInitializer" => json!({"orthogonal": config["gain"]}),
        other => json!(super::names::snake(other)),
    })
}

fn regularizer(value: &Value) -> Parsed<Value> {
    const DEFAULT: f64 = 0.01;
    let strengths = |l1: &Value, l2: &Value| {
        let strength = |value: &Value| value.as_f64().unwrap_or(0.0);
        json!({"l1": strength(l1), "l2": strength(l2)})
    };
    match value {
        Value::String(name) => match name.as_str() {
            "l1" | "L1" => Ok(json!({"l1": DEFAULT, "l2": 0.0})),
            "l2" | "L2" => Ok(json!({"l1": 0.0, "l2": DEFAULT})),
            "l1_l2" | "L1L2" => Ok(json!({"l1": DEFAULT, "l2": DEFAULT})),
            other => Err(format!("expected L1, L2 or L1L2, found {other:?}")),
        },
        Value::Object(_) => match class(value, "regularizer")? {
            ("L1" | "L2" | "L1L2", config) => Ok(strengths(&config["l1"], &config["l2"])),
            (other, _) => Err(format!("expected L1, L2 or L1L2, found {other:?}")),
        },
        other => Ok(other.clone()),
    }
}

/// The constraints that there are, in our words and Keras's.
const CONSTRAINTS: [(&str, &str); 4] = [
    ("max_norm", "MaxNorm"),
    ("min_max_norm", "MinMaxNorm"),
    ("non_neg", "NonNeg"),
    ("unit_norm", "UnitNorm"),
];

fn constraint(value: &Value) -> Parsed<Value> {
    if !value.is_object() {
        return Ok(value.clone());
    }
    let (kind, config) = class(value, "constraint")?;
    let known = CONSTRAINTS.iter().find(|(_, theirs)| *theirs == kind);
    match known {
        Some((ours, _)) => Ok(json!({*ours: config})),
        None => Err(format!(
            "expected MaxNorm, MinMaxNorm, NonNeg or UnitNorm, found {kind:?}"
        )),
    }
}

fn written_constraint(value: &Value) -> Parsed<Value> {
    let (name, own) = match value {
        Value::Object(fields) => match fields.iter().next() {
            Some((name, own)) => (name, plain(own)),
            None => return Err("a constraint without a name".to_string()),
        },
        other => return Ok(other.clone()),
    };
    let known = CONSTRAINTS.iter().find(|(ours, _)| ours == name);
    let (_, theirs) = known.ok_or_else(|| format!("Keras has no constraint {name:?}"))?;
    Ok(object("keras.constraints", theirs, own))
}

/// Settings of which Keras takes one number where we have a list of one.
const SINGLE: [(&str, &str); 2] = [("Dot", "axes"), ("Softmax", "axis")];

/// The settings of one of our layers in Keras's words.
pub(super) fn theirs(kind: &str, config: &Value) -> Parsed<Value> {
    let Value::Object(config) = config else {
        return Err("has no settings".to_string());
    };
    let mut settings = Map::new();
    // Keras's spatial dropout takes no other settings, and has no weights to be trained.
    let spatial = kind.starts_with("SpatialDropout");
    for (key, value) in config {
        let left_out = match key.as_str() {
            "input_shape" => true,
            "trainable" => spatial,
            // These have channels last and no setting for it.
            "data_format" => ["SpatialDropout1D", "Cropping1D"].contains(&kind),
            _ => false,
        };
        if left_out {
            continue;
        }
        let written = written(kind, key, value);
        let value = written.map_err(|error| format!("{key}: {error}"))?;
        settings.insert(key.clone(), value);
    }
    Ok(Value::Object(settings))
}

fn written(kind: &str, key: &str, value: &Value) -> Parsed<Value> {
    if key.ends_with("initializer") {
        return written_initializer(value);
    }
    if key.ends_with("regularizer") && value.is_object() {
        let strengths = json!({"l1": plain(&value["l1"]), "l2": plain(&value["l2"])});
        return Ok(object("keras.regularizers", "L1L2", strengths));
    }
    if key.ends_with("_constraint") {
        return written_constraint(value);
    }
    match (key, value) {
        ("name", name) => Ok(name.clone()),
        ("activation" | "recurrent_activation", Value::Object(settings)) => Err(format!(
            "Keras's format has no place for the settings of {}; another activation, or saving under a name without \
             .keras, works",
            settings.keys().next().map_or("this one", String::as_str)
        )),
        ("activation" | "recurrent_activation", Value::String(name)) => match name.as_str() {
            "gelu_approximate" | "hard_sigmoid_2017" => Err(format!(
                "Keras 3 has no function {name:?}; another activation, or saving under a name without .keras, works"
            )),
            _ => Ok(value.clone()),
        },
        ("merge_mode", Value::String(mode)) if mode == "none" => Ok(Value::Null),
        ("layer" | "backward_layer", Value::Object(_)) => {
            let kind = value["kind"].as_str().unwrap_or_default();
            let config = theirs(kind, &value["config"])?;
            Ok(object("keras.layers", kind, config))
        }
        (_, Value::Array(list)) if list.len() == 1 && SINGLE.contains(&(kind, key)) => {
            Ok(list[0].clone())
        }
        _ => Ok(plain(value)),
    }
}

fn written_initializer(value: &Value) -> Parsed<Value> {
    let (name, own) = match value {
        Value::String(name) => (name.as_str(), json!({})),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, own)) => (name.as_str(), own.clone()),
            None => return Err("an initializer without a name".to_string()),
        },
        other => return Ok(other.clone()),
    };
    let config = match (name, &own) {
        ("constant", value) => json!({"value": plain(value)}),
        ("orthogonal", Value::Object(_)) => json!({"gain": 1.0}),
        ("orthogonal", gain) => json!({"gain": plain(gain)}),
        _ => plain(&own),
    };
    Ok(object(
        "keras.initializers",
        &super::names::class_of(name),
        config,
    ))
}

/// A number that was written as text, so that we read it exactly, as a number; Python reads it exactly.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => value.clone(),
        },
        Value::Array(list) => list.iter().map(plain).collect(),
        Value::Object(fields) => {
            let pairs = fields
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)));
            Value::Object(sorted::gathered(pairs))
        }
        other => other.clone(),
    }
}

/// An object as Keras serializes it.
pub(super) fn object(module: &str, class: &str, config: Value) -> Value {
    json!({"module": module, "class_name": class, "config": config, "registered_name": null})
}
