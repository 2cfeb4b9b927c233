//! Optimizers in Keras's words, and what they keep.

use serde_json::{Map, Value, json};

use super::class;
use super::read::Keras;
use super::settings::{object, plain};
use super::store::Store;
use crate::Tensor;
use crate::config::{Fields, Parsed};
use crate::models::Model;
use crate::models::save::tensors::Tensors;

/// Settings that say nothing of a step.
const SILENT: [&str; 9] = [
    "name",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "jit_compile",
    "is_legacy_optimizer",
    "schedule_decay",
];

/// The settings of each optimizer, beside those that all have.
fn own(name: &str) -> Parsed<&'static [&'static str]> {
    Ok(match name {
        "sgd" => &["momentum", "nesterov"],
        "rmsprop" => &["rho", "momentum", "epsilon", "centered"],
        "adam" | "adamw" => &["beta_1", "beta_2", "epsilon", "amsgrad"],
        "adamax" | "nadam" => &["beta_1", "beta_2", "epsilon"],
        "adagrad" => &["initial_accumulator_value", "epsilon"],
        "adadelta" => &["rho", "epsilon"],
        other => return Err(format!("its optimizer is {other}")),
    })
}

const COMMON: [&str; 5] = [
    "decay",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
];

/// What is around another optimizer, in our words, and how many variables are its own: a count and a rate that say
/// nothing, steps since the scale changed, the scale.
const AROUND: &str = "loss_scale_optimizer";
const OWN_VARIABLES: usize = 4;

/// The name and the settings of an optimizer, in our words.
pub(super) fn read(value: &Value) -> Parsed<(String, Value)> {
    let (kind, config) = match value {
        Value::String(name) => (name.as_str(), &json!({})),
        _ => class(value, "optimizer")?,
    };
    if kind == "LossScaleOptimizer" {
        return Ok((AROUND.to_string(), read_around(config)?));
    }
    let name = kind.to_lowercase();
    let known = own(&name)?;
    let fields = Fields::of(config, kind)?;
    let failed = |key: &str, value: &Value| format!("its optimizer {kind} has {key} = {value}");
    for key in ["use_ema", "gradient_accumulation_steps"] {
        if let Some(value) = fields.get(key).filter(|value| **value != json!(false)) {
            return Err(failed(key, value));
        }
    }
    let mut settings = Map::new();
    let Value::Object(config) = config else {
        return Err(format!("its optimizer {kind} has no settings"));
    };
    for (key, value) in config.iter().filter(|(_, value)| !value.is_null()) {
        let key = match key.as_str() {
            "lr" => "learning_rate",
            other => other,
        };
        match key {
            "learning_rate" => settings.insert(key.to_string(), rate(value)?),
            // Keras 2 wrote that there is none in this way.
            "weight_decay" if *value == json!(false) || *value == json!(0.0) => None,
            _ if known.contains(&key) || COMMON.contains(&key) => {
                settings.insert(key.to_string(), value.clone())
            }
            _ if SILENT.contains(&key) => None,
            _ => return Err(failed(key, value)),
        };
    }
    if let Some(missing) = known.iter().find(|key| !settings.contains_key(**key)) {
        match *missing {
            "centered" | "amsgrad" => {}
            "epsilon" => {
                settings.insert("epsilon".to_string(), json!(1e-7));
            }
            _ => return Err(format!("its optimizer {kind} does not say its {missing}")),
        }
    }
    if name == "nadam" {
        settings.insert("product".to_string(), json!(1.0));
    }
    Ok((name, Value::Object(settings)))
}

fn read_around(config: &Value) -> Parsed<Value> {
    let fields = Fields::of(config, AROUND)?;
    let (name, inner) = read(fields.get("inner_optimizer").unwrap_or(&Value::Null))?;
    let scale = fields.float("initial_scale")?;
    Ok(json!({
        "inner_optimizer": {"name": name, "config": inner},
        "initial_scale": scale,
        "dynamic_growth_steps": fields.size("dynamic_growth_steps")?,
        "dynamic_scale": scale,
        "step_counter": 0,
    }))
}

/// A learning rate: a number, or a schedule.
fn rate(value: &Value) -> Parsed<Value> {
    if value.is_number() {
        return Ok(value.clone());
    }
    let (kind, config) = class(value, "learning_rate")?;
    let mut schedule = config.clone();
    match &mut schedule {
        Value::Object(fields) => {
            fields.remove("name");
            fields.insert("schedule".to_string(), json!(kind));
            Ok(schedule)
        }
        _ => Err(format!("its learning rate is {kind}")),
    }
}

/// The lengths of the weights that are trained.
pub(super) fn trained(model: &Model) -> Vec<usize> {
    let mut lengths = Vec::new();
    for leaf in model.trained() {
        if let Some(layer) = leaf.leaf() {
            lengths.extend(layer.weights().iter().map(|weight| weight.len()));
        }
    }
    lengths
}

/// How an optimizer's vectors follow one another: groups, in each of which every weight has one of each.
fn groups(name: &str, config: &Value) -> Vec<&'static [&'static str]> {
    let on = |key: &str| config[key] == json!(true);
    let momentum = config["momentum"].as_f64().unwrap_or(0.0) != 0.0;
    let mut groups: Vec<&'static [&'static str]> = match name {
        "adam" | "adamw" | "nadam" => vec![&["moments", "velocities"]],
        "adamax" => vec![&["moments", "norms"]],
        "adagrad" => vec![&["accumulators"]],
        "adadelta" => vec![&["gradients", "steps"]],
        "rmsprop" => vec![&["velocities"]],
        _ => vec![],
    };
    if on("amsgrad") {
        groups.push(&["largest"]);
    }
    if momentum {
        groups.push(&["moments"]);
    }
    if on("centered") {
        groups.push(&["averages"]);
    }
    groups
}

/// What the optimizer kept, for the weights of these lengths; its count of steps becomes a setting.
pub(super) fn state(
    optimizer: &mut Value,
    keras: Keras,
    store: &Store<'_>,
    trained: &[usize],
) -> Parsed<Tensors> {
    let mut kept = store.optimizer()?.into_iter();
    if optimizer["name"] != AROUND || kept.len() == 0 {
        return state_of(optimizer, keras, kept, trained);
    }
    let config = &mut optimizer["config"];
    let own: Vec<Tensor> = kept.by_ref().take(OWN_VARIABLES).collect();
    match own.as_slice() {
        [_, _, steps, scale] if steps.len() == 1 && scale.len() == 1 => {
            config["step_counter"] = json!(steps.item() as u64);
            config["dynamic_scale"] = json!(scale.item());
        }
        _ => return Err("it does not say its scale".to_string()),
    }
    state_of(&mut config["inner_optimizer"], keras, kept, trained)
}

fn state_of(
    optimizer: &mut Value,
    keras: Keras,
    mut kept: std::vec::IntoIter<Tensor>,
    trained: &[usize],
) -> Parsed<Tensors> {
    let name = optimizer["name"].as_str().unwrap_or_default().to_string();
    let config = &mut optimizer["config"];
    let Some(steps) = kept.next() else {
        return Ok(Tensors::new());
    };
    if keras == Keras::Two {
        return Err("Keras 2 kept it in another way".to_string());
    }
    if steps.len() != 1 || !(0.0..9e15).contains(&steps.item()) {
        return Err("it does not begin with the count of its steps".to_string());
    }
    // A number that is no schedule is kept beside.
    if config["learning_rate"].is_number() {
        kept.next();
    }
    let mut state = Tensors::new();
    for group in groups(&name, config) {
        for (index, &length) in trained.iter().enumerate() {
            for slot in group {
                match kept.next() {
                    Some(vector) if vector.len() == length => {
                        let vector = Tensor::from(vector.to_vec().as_slice());
                        state.insert(format!("{slot}.{index}"), vector);
                    }
                    _ => return Err("it does not fit the weights".to_string()),
                }
            }
        }
    }
    if name == "nadam" {
        let product = kept.next().filter(|product| product.len() == 1);
        config["product"] = json!(product.ok_or("it does not fit the weights")?.item());
    }
    if kept.next().is_some() {
        return Err("it does not fit the weights".to_string());
    }
    config["steps"] = json!(steps.item() as u64);
    Ok(state)
}

/// An optimizer of ours in Keras's words, and its variables in Keras's order.
pub(super) fn write(
    model: &Model,
    name: &str,
    config: &Value,
    state: &Tensors,
) -> Parsed<(Value, Vec<Tensor>)> {
    let config = plain(config);
    if name == AROUND {
        return write_around(model, &config, state);
    }
    let mut settings = Map::new();
    settings.insert("name".to_string(), json!(name));
    let rate = written_rate(&config);
    let known = own(name)?.iter().chain(&COMMON[1..]);
    for key in known {
        settings.insert((*key).to_string(), config[*key].clone());
    }
    let scheduled = rate.is_object();
    let mut variables = vec![Tensor::from_values(
        &[],
        vec![config["steps"].as_i64().unwrap_or(0)],
    )];
    if !scheduled {
        let rate = rate.as_f64().unwrap_or(0.0) as f32;
        variables.push(Tensor::from_values(&[], vec![rate]));
    }
    settings.insert("learning_rate".to_string(), rate);
    let first = config["initial_accumulator_value"].as_f64().unwrap_or(0.0);
    let mut shapes = Vec::new();
    for leaf in model.trained() {
        if let Some(layer) = leaf.leaf() {
            shapes.extend(layer.weights().iter().map(|w| w.shape().to_vec()));
        }
    }
    for group in groups(name, &config) {
        for (index, shape) in shapes.iter().enumerate() {
            for slot in group {
                variables.push(match state.get(&format!("{slot}.{index}")) {
                    Some(vector) => vector.reshape(shape),
                    None => Tensor::full(shape, first),
                });
            }
        }
    }
    if name == "nadam" {
        let product = config["product"].as_f64().unwrap_or(1.0) as f32;
        variables.push(Tensor::from_values(&[], vec![product]));
    }
    let class = super::names::class_of(name);
    let described = object("keras.optimizers", &class, Value::Object(settings));
    Ok((described, variables))
}

fn write_around(model: &Model, config: &Value, state: &Tensors) -> Parsed<(Value, Vec<Tensor>)> {
    let inner = &config["inner_optimizer"];
    let name = inner["name"].as_str().unwrap_or_default();
    let (inner, kept) = write(model, name, &inner["config"], state)?;
    let steps = config["step_counter"].as_i64().unwrap_or(0);
    let scale = config["dynamic_scale"].as_f64().unwrap_or(1.0) as f32;
    let mut variables = vec![
        Tensor::from_values(&[], vec![0_i64]),
        Tensor::from_values(&[], vec![0.0_f32]),
        Tensor::from_values(&[], vec![steps]),
        Tensor::from_values(&[], vec![scale]),
    ];
    variables.extend(kept);
    let settings = json!({
        "name": AROUND,
        "inner_optimizer": inner,
        "initial_scale": config["initial_scale"],
        "dynamic_growth_steps": config["dynamic_growth_steps"],
    });
    let class = super::names::class_of(AROUND);
    Ok((object("keras.optimizers", &class, settings), variables))
}

/// A learning rate in Keras's words; the divisor of 2017 is a schedule there.
fn written_rate(config: &Value) -> Value {
    let mut rate = config["learning_rate"].clone();
    let decay = config["decay"].as_f64().unwrap_or(0.0);
    if decay != 0.0 {
        rate = json!({
            "schedule": "InverseTimeDecay", "initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay,
            "staircase": false,
        });
    }
    let Value::Object(fields) = &mut rate else {
        return rate;
    };
    let kind = fields.remove("schedule");
    let kind = kind
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_string();
    object("keras.optimizers.schedules", &kind, rate)
}
