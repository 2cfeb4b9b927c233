//! Names that are not there: what they are called here, or what they may have been meant to be.

use strsim::osa_distance;

use super::{by_name, python};
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::habits;

/// What Keras calls something, without case and underscores, and how it is said here.
const SAID_HERE: &[(&[&str], &str)] = &[
    (
        &["relu", "sigmoid", "tanh", "softmax", "linear"],
        "activations are chosen by name: `.activation(\"relu\")`",
    ),
    (
        &[
            "meansquarederror",
            "mse",
            "meanabsoluteerror",
            "mae",
            "binarycrossentropy",
            "categoricalcrossentropy",
            "sparsecategoricalcrossentropy",
        ],
        "losses are chosen by name: `\"categorical_crossentropy\"`, or built: `Loss::categorical_crossentropy()`",
    ),
    (
        &["accuracy", "acc"],
        "metrics are chosen by name: `[\"accuracy\"]`",
    ),
    (&["rmsprop"], "it is written `RMSprop`"),
    (&["sgd"], "it is written `SGD`"),
    (&["adam"], "it is written `Adam`"),
    (&["conv1d"], "it is written `Conv1D`"),
    (&["conv2d"], "it is written `Conv2D`"),
    (&["maxpooling2d"], "it is written `MaxPooling2D`"),
    (&["lstm"], "it is written `LSTM`"),
    (&["gru"], "it is written `GRU`"),
    (&["simplernn"], "it is written `SimpleRNN`"),
    (
        &["inputlayer"],
        "a model begins with `Input::new([784])`, or with a layer's `.input_shape([784])`",
    ),
    (
        &[
            "attention",
            "multiheadattention",
            "conv3d",
            "maxpooling3d",
            "convlstm2d",
            "textvectorization",
        ],
        "this layer is not here; a layer of your own is a type that implements `Layer`",
    ),
    (
        &["true_", "none", "null", "self_"],
        "in Rust it is `true`, `false`, `None`",
    ),
];

/// The same of what only a type is called so.
const TYPES_SAID_HERE: &[(&[&str], &str)] = &[
    (
        &["huber", "huberloss"],
        "losses are chosen by name: `\"huber\"`, or built: `Loss::huber()`",
    ),
    (
        &[
            "hinge",
            "squaredhinge",
            "logcosh",
            "poisson",
            "kldivergence",
        ],
        "losses are chosen by name, as `\"hinge\"`, or built, as `Loss::hinge()`; `:doc Loss` lists them",
    ),
    (
        &[
            "auc",
            "precision",
            "recall",
            "f1score",
            "binaryaccuracy",
            "topkcategoricalaccuracy",
        ],
        "metrics are chosen by name, as `[\"auc\"]`, or built, as `[Metric::auc()]`; `:doc Metric` lists them",
    ),
    (
        &[
            "randomflip",
            "randomrotation",
            "randomzoom",
            "randomtranslation",
            "randombrightness",
            "randomcontrast",
            "randomcrop",
        ],
        "pictures are varied before they come to the model, by `ImageDataGenerator::new().horizontal_flip(true).rotation_range(20.0)`, \
         whose `flow` makes batches for `fit_sequence`",
    ),
    (
        &["linearregression", "ridge", "lasso", "sgdregressor"],
        "a line through points is a model of one unit, `Sequential::new().add(Dense::new(1).input_shape([3]))`, compiled with \
         the loss `\"mse\"`",
    ),
];

/// Settings that are methods here and arguments in Python.
const ARGUMENTS: [&str; 14] = [
    "axis",
    "keepdims",
    "epochs",
    "batch_size",
    "validation_split",
    "validation_data",
    "verbose",
    "callbacks",
    "shuffle",
    "activation",
    "input_shape",
    "optimizer",
    "loss",
    "metrics",
];

pub(super) fn unknown_name(
    text: &str,
    sources: &Sources<'_>,
    error: &Diagnostic,
) -> Option<String> {
    let after = error.primary_in_cell(sources).and_then(|(cell, at)| {
        let rest = sources.cells.get(cell)?.1.get(at.end..)?.trim_start();
        Some(rest.starts_with('=') && !rest.starts_with("=="))
    });
    if is_named_argument(error, sources)
        && let Some((call, function)) = by_name::call_around(error, sources)
        && python::is_library(function.split(['.', ':']).next().unwrap_or_default())
    {
        return python::said_here(call);
    }
    if let Some(said) = along_axis(text, sources, error) {
        return Some(said);
    }
    let assigned = ARGUMENTS.contains(&text) && after == Some(true) && in_call(sources, error);
    if assigned || is_named_argument(error, sources) {
        return Some(match by_name::without_names(error, sources) {
            Some(written) => format!("arguments have no names in Rust, settings are methods: `{written}`"),
            None => "arguments have no names in Rust: write the value alone, as in `Dense::new(3)`; settings are methods, as in \
                     `Fit::epochs(5).batch_size(128)`"
                .into(),
        });
    }
    if let Some(said) = sources.gone.get(text) {
        return Some(said.clone());
    }
    if sources.names.iter().any(|name| name == text) {
        return Some(format!(
            "a `fn` sees no variables of cells: hand `{text}` over, as in `fn f({text}: &Tensor)`, or write a closure, which sees them"
        ));
    }
    if let Some(said) = sources.place_of(error).and_then(python::said_here) {
        return Some(said);
    }
    if python::is_library(text) {
        let said = "this is Rust: tensors, layers and plots are there without an import (`:help`)";
        return Some(said.into());
    }
    let line = sources.line_of(error).unwrap_or_default().trim();
    if line.starts_with('!') {
        return python::line(line);
    }
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let wanted = plain(text);
    let bound = binding(text, sources, error);
    let of_types = match text.starts_with(char::is_uppercase) {
        true => TYPES_SAID_HERE,
        false => &[],
    };
    for (names, said) in SAID_HERE.iter().chain(of_types).filter(|_| bound.is_none()) {
        let close = |name: &&str| osa_distance(&wanted, name) <= wanted.len() / 6;
        if names.iter().any(close) && !sources.names.iter().any(|name| name == text) {
            return Some((*said).to_owned());
        }
    }
    let near = sources
        .names
        .iter()
        .filter(|name| *name != text)
        .map(|name| (osa_distance(text, name), name))
        .filter(|(edits, name)| *edits <= 1 + name.len().min(text.len()) / 4 && *edits < text.len())
        .min();
    if let Some(bound) = bound {
        return Some(match near {
            Some((_, name)) => {
                format!("did you mean `{name}`? A new variable is made by `{bound}`")
            }
            None => format!("a new variable is made by `{bound}`"),
        });
    }
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        // The compiler says itself what to write.
        None if error.has_suggestion() => None,
        None => Some(not_defined(text, sources, error)),
    }
}

/// Whether it stands in the brackets of a call; brackets in comments are none.
fn in_call(sources: &Sources<'_>, error: &Diagnostic) -> bool {
    let place = || {
        let (call, _) = by_name::call_around(error, sources)?;
        let (cell, _) = error.primary_in_cell(sources)?;
        let code = &sources.cells.get(cell)?.1;
        code.get(..code.len() - call.len())?.rsplit('\n').next()
    };
    place().is_some_and(|before| !before.contains("//"))
}

/// `let epochs = 5;` for the statement `epochs = 5;`.
fn binding(text: &str, sources: &Sources<'_>, error: &Diagnostic) -> Option<String> {
    let (cell, at) = error.primary_in_cell(sources)?;
    let code = &sources.cells.get(cell)?.1;
    let before = code.get(..at.start)?;
    // What is bound in a block ends with it.
    if before.matches('{').count() > before.matches('}').count() {
        return None;
    }
    let before = before.rsplit('\n').next()?.trim_end();
    let value = code.get(at.end..)?.trim_start().strip_prefix('=')?;
    let begins = before.is_empty() || before.ends_with([';', '}']);
    if !begins || value.starts_with('=') || in_call(sources, error) {
        return None;
    }
    let value = value.split('\n').next()?.trim();
    let whole = value
        .split_once(';')
        .map(|(value, _)| value)
        .filter(|value| syn::parse_str::<syn::Expr>(value).is_ok());
    Some(format!("let {text} = {};", whole.unwrap_or("…").trim()))
}

/// What to do about a name that nothing is called like.
fn not_defined(text: &str, sources: &Sources<'_>, error: &Diagnostic) -> String {
    let message = error.message.as_str();
    if message.starts_with("cannot find module or crate") {
        return format!(
            "check the spelling; where it is a crate, `:dep {text}` at the head of a cell adds it"
        );
    }
    if let Some((_, module)) = message
        .split_once("` in module `")
        .or_else(|| message.split_once("` in `"))
    {
        let module = module.trim_end_matches('`');
        return format!("`:doc {module}` lists what `{module}` has");
    }
    match sources.defined_by(text) {
        Some(cell) => format!("cell {cell} defines it, and has to run again"),
        None => format!(
            "no cell that was run in this session defines `{text}`: check the spelling, or run the one that does"
        ),
    }
}

/// `x.mean(axis=0)`, which is `x.mean_axis(0)` here.
fn along_axis(text: &str, sources: &Sources<'_>, error: &Diagnostic) -> Option<String> {
    if text != "axis" || !is_named_argument(error, sources) {
        return None;
    }
    let axis = sources.place_of(error)?.strip_prefix("axis")?;
    let axis = axis.trim_start().strip_prefix('=')?;
    let axis = axis.split([',', ')']).next()?.trim();
    let (_, function) = by_name::call_around(error, sources)?;
    let function = function.rsplit(['.', ':']).next()?;
    Some(match python::REDUCTIONS.contains(&function) {
        true => format!(
            "arguments have no names in Rust; along an axis it is `.{function}_axis({axis})`"
        ),
        false => format!("arguments have no names in Rust: `.{function}({axis})`"),
    })
}

/// `units=3` among the arguments of a call.
pub(super) fn is_named_argument(error: &Diagnostic, sources: &Sources<'_>) -> bool {
    let Some((cell, at)) = error.primary_in_cell(sources) else {
        return false;
    };
    let code = sources.cells.get(cell).map_or("", |(_, code)| code);
    let (before, after) = (code.get(..at.start), code.get(at.end..));
    let assigned = after.is_some_and(|after| {
        let after = after.trim_start();
        after.starts_with('=') && !after.starts_with("==")
    });
    let before = before.map(by_name::without_comments);
    assigned && before.is_some_and(|before| before.trim_end().ends_with(['(', ',']))
}

pub(super) fn missing_method(message: &str, text: &str) -> Option<String> {
    if message.contains("Fit") && text == "new" {
        return Some("settings begin with the number of epochs: `Fit::epochs(5)`".into());
    }
    if text == "get" && message.contains("Tensor") {
        return Some(
            "parts of a tensor are taken by `x.slice(0)`, one number by `x.slice((0, 1)).item()`"
                .into(),
        );
    }
    if message.contains("struct `Table`") {
        return habits::of_table(text);
    }
    if message.starts_with("no function")
        && message.contains("`Tensor`")
        && let Some(said) = python::said_here(&format!("{text}("))
    {
        return Some(said);
    }
    let here = match text {
        "lr" => "learning_rate",
        "view" => "reshape",
        "astype" => "cast(DType::F32)",
        "size" | "numel" => "len",
        "numpy" | "tolist" => "to_vec",
        "T" => "transpose",
        "mm" => "dot",
        "weights" | "trainable_weights" => "get_weights",
        _ => return None,
    };
    let of_ours = ["Tensor", "Sequential", "Model", "Adam", "RMSprop", "SGD"]
        .iter()
        .any(|kind| message.contains(kind));
    of_ours.then(|| format!("it is called `{here}` here"))
}
