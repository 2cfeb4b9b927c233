//! Names that are not there: what they are called here, or what they may have been meant to be.

use strsim::osa_distance;

use crate::engine::diagnostics::{Diagnostic, Sources};

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
            "activityregularization",
            "normalization",
            "textvectorization",
        ],
        "this layer is not here; a layer of your own is a type that implements `Layer`",
    ),
    (
        &["np", "numpy", "keras", "tf", "torch", "plt", "pd"],
        "this is Rust: tensors, layers and plots are there without an import (`:help`)",
    ),
    (
        &["true_", "none", "null", "self_"],
        "in Rust it is `true`, `false`, `None`",
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
    if ARGUMENTS.contains(&text) && after == Some(true) {
        let said = "arguments have no names in Rust; settings are methods: `Fit::epochs(5).batch_size(128)`, \
                    `Dense::new(512).activation(\"relu\")`";
        return Some(said.into());
    }
    if is_named_argument(error, sources) {
        let said = "arguments have no names in Rust: write the value alone, as in `Dense::new(3)`; settings are \
                    methods, as in `Dense::new(3).activation(\"relu\")`";
        return Some(said.into());
    }
    if let Some(said) = sources.gone.get(text) {
        return Some(said.clone());
    }
    if sources.names.iter().any(|name| name == text) {
        return Some(format!(
            "a `fn` sees no variables of cells: hand `{text}` over, as in `fn f({text}: &Tensor)`, or write a closure, which sees them"
        ));
    }
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let wanted = plain(text);
    for (names, said) in SAID_HERE {
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
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        // The compiler says itself what to write.
        None if error.has_suggestion() => None,
        None => Some("run the cell that defines it first, or check the spelling".into()),
    }
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
    assigned && before.is_some_and(|before| before.trim_end().ends_with(['(', ',']))
}

pub(super) fn missing_method(message: &str, text: &str) -> Option<String> {
    if message.contains("Fit") && text == "new" {
        return Some("settings begin with the number of epochs: `Fit::epochs(5)`".into());
    }
    let here = match text {
        "lr" => "learning_rate",
        "view" => "reshape",
        "astype" => "cast",
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
