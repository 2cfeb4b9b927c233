//! What those write who come from Python and Keras, and how it is said here.

use super::diagnostics::{Diagnostic, Place, Sources};
use super::hints::quoted;

/// Where the names of the data sets are: the library declares each as a public module.
const DATASETS: &str = include_str!("../../../dlcore/src/datasets/mod.rs");

const OPTIMIZERS: [&str; 8] = [
    "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta",
];

/// The text of the cell from a byte on.
fn rest_of<'a>(error: &Diagnostic, sources: &Sources<'a>) -> Option<(&'a str, usize)> {
    let (cell, at) = error.primary_in_cell(sources)?;
    let code: &'a str = &sources.cells.get(cell)?.1;
    Some((code, at.start))
}

/// The line that the error points into.
fn line_of<'a>(error: &Diagnostic, sources: &Sources<'a>) -> Option<&'a str> {
    let (code, at) = rest_of(error, sources)?;
    let start = code[..at].rfind('\n').map_or(0, |end| end + 1);
    code[start..].lines().next()
}

/// What stands in the first brackets of a text.
fn in_brackets(text: &str) -> Option<&str> {
    let open = text.find('(')?;
    let mut depth = 0;
    for (at, letter) in text[open..].char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(text[open + 1..open + at].trim());
        }
    }
    None
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// `Adam(0.001)`, `Dense(32)`, `print(x)`: E0423.
pub(super) fn called(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let (code, at) = rest_of(error, sources)?;
    let text = &code[at..];
    let name = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()?;
    let arguments = in_brackets(text)?;
    match error.message.as_str() {
        message if message.contains("found macro `print`") => Some(printed(arguments)),
        message if !message.contains("found struct") => None,
        _ if OPTIMIZERS.contains(&name) => Some(match is_number(arguments) {
            true => with_rate(name, arguments),
            false => format!(
                "it is made by `{name}::new()`; settings are methods: `.learning_rate(0.001)`"
            ),
        }),
        _ if name == "Sequential" => Some(SEQUENTIAL.into()),
        _ => Some(format!("it is made by `{name}::new({arguments})`")),
    }
}

fn with_rate(name: &str, rate: &str) -> String {
    format!("settings are methods: `{name}::new().learning_rate({rate})`")
}

fn printed(arguments: &str) -> String {
    match arguments.starts_with('"') {
        true => format!("printing is a macro, with `!`: `println!({arguments})`"),
        false => format!(
            "printing is a macro that wants a text first: `println!(\"{{}}\", {arguments})`"
        ),
    }
}

/// Arguments too many or too few: E0061.
pub(super) fn arguments(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let text = error.primary_text(sources)?;
    if let Some(name) = text.strip_suffix("::new")
        && OPTIMIZERS.contains(&name)
    {
        let (code, at) = rest_of(error, sources)?;
        let given = in_brackets(&code[at..])?;
        return is_number(given).then(|| with_rate(name, given));
    }
    if error
        .labels()
        .any(|label| label.contains("of type `Fit` is missing"))
    {
        return Some("how to train is the last argument: `Fit::epochs(5).batch_size(128)`".into());
    }
    if ["reshape", "Tensor::zeros", "Tensor::ones"].contains(&text) {
        return Some("a shape is one list: `[64, 8]`".into());
    }
    let (code, at) = rest_of(error, sources)?;
    let given = in_brackets(&code[at..]).unwrap_or_default();
    let extra = |text: &'static str| {
        error
            .places(sources)
            .find(move |(label, _)| label.starts_with(text))
    };
    let text_at = |(_, place): (&str, Place)| sources.cells.get(place.0)?.1.get(place.1);
    let unexpected = extra("unexpected argument").and_then(text_at);
    match (text, unexpected) {
        ("Sequential::new", Some(_)) => return Some(SEQUENTIAL.into()),
        ("slice", Some(_)) => {
            return Some(format!("where to cut is one argument: `.slice(({given}))`"));
        }
        ("fit", Some(more)) if is_number(more) => {
            let epochs = extra("expected `Fit`").and_then(text_at).unwrap_or("5");
            return Some(format!(
                "how to train is one argument: `Fit::epochs({epochs}).batch_size({more})`"
            ));
        }
        ("compile", None) => {
            return Some(
                "the metrics come third: `[\"mae\"]`, or `Metrics::none()` for none".into(),
            );
        }
        _ => {}
    }
    let signature = error.signature(sources, text)?;
    let written = signature.written(text);
    let of_type = text.rsplit_once("::").map(|(of, _)| of);
    let setting = match (of_type, unexpected) {
        (Some(_), Some(more)) if more.starts_with('"') && !signature.arguments.is_empty() => {
            let start = code[at..].find(more)? + at;
            let before = code[at..start].trim_end().trim_end_matches(',');
            Some(format!(
                "settings are methods: `{before}).activation({more})`"
            ))
        }
        (Some(of), Some(_)) => Some(match signature.example.as_deref() {
            Some(example) if example.contains(").") => format!("settings are methods: `{example}`"),
            _ => format!("settings are methods behind it, which `:doc {of}` lists"),
        }),
        _ => signature
            .example
            .map(|example| format!("for instance `{example}`")),
    };
    Some(match setting {
        Some(setting) => format!("it is called as `{written}`; {setting}"),
        None => format!("it is called as `{written}`"),
    })
}

const SEQUENTIAL: &str = "a model begins with `Sequential::new()` and grows by `.add(Dense::new(32).activation(\"relu\"))`";

/// For `gradients(&x, &y)`.
pub(super) const CLOSURE: &str = "the loss is computed in a function of the model: \
    `model.gradients(|model| (model.forward(&x, true) - &y).square().mean())?`";

/// `x[0, 1]` and `x[:, 0]`, which are no Rust.
pub(super) fn index(message: &str, error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    if !message.starts_with("expected ") {
        return None;
    }
    let (code, at) = rest_of(error, sources)?;
    let open = code[..at].rfind('[')?;
    let name = code[..open]
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .filter(|name| !name.is_empty())?;
    let inside = code[open + 1..].split(']').next()?;
    if inside.contains(['\n', ';']) || !inside.contains([',', ':']) {
        return None;
    }
    let parts: Vec<String> = inside
        .split(',')
        .map(|part| part.trim().replace(':', ".."))
        .collect();
    let parts = match parts.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    Some(format!(
        "parts of a tensor are taken with slice: `{name}.slice({parts})`"
    ))
}

/// Functions of Python's that are methods or syntax here, as an unknown name: E0425.
pub(super) fn function(text: &str, error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let (code, at) = rest_of(error, sources)?;
    let after = code[at..].strip_prefix(text)?;
    if !after.trim_start().starts_with('(') {
        return match text {
            "True" => Some("in Rust it is `true`".into()),
            "False" => Some("in Rust it is `false`".into()),
            _ => None,
        };
    }
    let given = in_brackets(after)?;
    match text {
        "len" => Some(format!("it is a method: `{given}.len()`")),
        "range" => Some(format!("a range is written `{}`", range(given))),
        "str" => Some(format!("it is a method: `{given}.to_string()`")),
        "int" => Some(format!(
            "numbers are converted by `{given} as i64`, texts by `{given}.parse::<i64>()?`"
        )),
        "float" => Some(format!(
            "numbers are converted by `{given} as f64`, texts by `{given}.parse::<f64>()?`"
        )),
        "sum" | "max" | "min" | "abs" => Some(format!("it is a method: `{given}.{text}()`")),
        "enumerate" | "zip" => Some(
            "iterators have it as a method: `for (i, x) in xs.iter().enumerate() { … }`".into(),
        ),
        "type" => Some(":vars lists the variables with their types".into()),
        _ => None,
    }
}

/// `0..3` for what stands in `range(3)`.
fn range(given: &str) -> String {
    let parts: Vec<&str> = given.split(',').map(str::trim).collect();
    match parts.as_slice() {
        [end] => format!("0..{end}"),
        [start, end] => format!("{start}..{end}"),
        [start, end, step] => format!("({start}..{end}).step_by({step})"),
        _ => "0..3".to_owned(),
    }
}

/// A data set by a wrong name: E0433.
pub(super) fn dataset(text: &str, message: &str) -> Option<String> {
    if !message.ends_with("in `datasets`") {
        return None;
    }
    let declared = DATASETS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod "));
    let names: Vec<&str> = declared.map(|name| name.trim_end_matches(';')).collect();
    let near = names
        .iter()
        .map(|name| (strsim::osa_distance(text, name), *name))
        .min()?;
    Some(match 2 * near.0 <= text.len() {
        true => format!("did you mean `datasets::{}`?", near.1),
        false => format!("there are the data sets {}", names.join(", ")),
    })
}

/// A field that a value does not have: E0609.
pub(super) fn field(text: &str, message: &str) -> Option<String> {
    if !message.contains("History") {
        return None;
    }
    let name = match text {
        "history" => "loss",
        "acc" => "accuracy",
        "val_acc" => "val_accuracy",
        other => other,
    };
    Some(format!("a history is asked by name: `.get(\"{name}\")`"))
}

/// A method of a value that is still in a `Result`, or that vectors lack: E0599.
pub(super) fn method(text: &str, message: &str) -> Option<String> {
    if message.contains("enum `Result") {
        return Some(format!(
            "put `?` in front of the dot, which takes the value out: `…?.{text}(…)`"
        ));
    }
    let of = quoted(message).last().copied().unwrap_or_default();
    if OPTIMIZERS.contains(&of) && message.starts_with("no function") {
        return Some(format!(
            "it is made by `{of}::new()`; settings are methods: `{of}::new().learning_rate(0.01)`"
        ));
    }
    if text == "predict_classes" {
        return Some("the likeliest class of each: `.predict(&x)?.argmax(-1)`".into());
    }
    if of == "Sequences" || message.contains("`Sequences` is not an iterator") {
        return Some(
            "the first of them: `data.slice(..2000)`; the rows themselves: `data.rows()`".into(),
        );
    }
    let of_list = message.contains("`Vec<") || message.contains("for array");
    let of_tensor = [
        "mean", "sum", "max", "min", "std", "var", "shape", "reshape", "dot",
    ];
    if of_list && of_tensor.contains(&text) {
        return Some(format!(
            "tensors have it: `Tensor::from(&v).{text}(…)`; vectors add up by `v.iter().sum::<f64>()`"
        ));
    }
    if text == "append" {
        return Some(
            "make it a vector, `let mut v = vec![1, 2, 3];`, and add with `v.push(4)`".into(),
        );
    }
    None
}

/// `x ** 2`, which Rust reads as a multiplication by what `2` points to: E0614.
pub(super) fn power(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let (code, at) = rest_of(error, sources)?;
    code[..at].ends_with('*').then(|| {
        "powers are methods: `x.powi(2)` for a number, `x.square()` or `x.pow(3.0)` for a tensor".into()
    })
}

/// Text that is no Rust at all.
pub(super) fn syntax(message: &str, error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let line = line_of(error, sources)?.trim();
    if message.starts_with("prefix `f` is unknown") {
        let text = line.split("f\"").nth(1)?.split('"').next()?;
        let print = line.contains("print");
        let call = if print { "println!" } else { "format!" };
        return Some(format!("a text with values in it is `{call}(\"{text}\")`"));
    }
    if let Some((variable, given)) = line
        .strip_prefix("for ")
        .and_then(|loop_| loop_.split_once(" in range("))
        && let Some(given) = in_brackets(&format!("({given}"))
    {
        return Some(format!(
            "a range is written with dots, a block with braces: `for {variable} in {} {{ … }}`",
            range(given)
        ));
    }
    let block = ["if ", "for ", "while ", "else:", "elif "]
        .iter()
        .any(|word| line.starts_with(word));
    if block && line.contains(':') && !line.contains('{') {
        return Some("a block stands in braces: `if x > 0.0 { … }`".into());
    }
    if line.contains("lambda ") {
        return Some("a function without a name is written `|x| x + 1.0`".into());
    }
    None
}

/// An argument of the right value for Python and the wrong one here: E0308.
pub(super) fn argument(function: &str, given: &str) -> Option<String> {
    if function != "validation_split" {
        return None;
    }
    let share = given
        .parse::<f64>()
        .ok()
        .filter(|percent| (1.0..100.0).contains(percent));
    Some(format!(
        "it is the share of the data, between 0 and 1: `validation_split({})`",
        share.unwrap_or(20.0) / 100.0
    ))
}

/// The two types of `cannot add a float to an integer`, which stand at its place: `{integer} + {float}`.
pub(super) fn operand_types(error: &Diagnostic) -> Option<(&str, &str)> {
    let label = error
        .labels()
        .find(|label| label.starts_with("no implementation for `"))?;
    let types = quoted(label).first().copied()?;
    [" + ", " - ", " * ", " / ", " % "]
        .iter()
        .find_map(|operator| types.split_once(operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_matched() {
        assert_eq!(in_brackets("len(f(x), 1) + g(2)"), Some("f(x), 1"));
        assert_eq!(in_brackets("len"), None);
    }

    #[test]
    fn ranges_are_turned_around() {
        assert_eq!(range("3"), "0..3");
        assert_eq!(range("1, n"), "1..n");
        assert_eq!(range("0, 10, 2"), "(0..10).step_by(2)");
    }

    #[test]
    fn data_sets_are_known_by_the_library() {
        let hint = dataset("mnits", "cannot find `mnits` in `datasets`").unwrap();
        assert_eq!(hint, "did you mean `datasets::mnist`?");
        let hint = dataset("penguins", "cannot find `penguins` in `datasets`").unwrap();
        assert!(hint.contains("imdb") && hint.contains("mnist"), "{hint}");
        assert_eq!(dataset("x", "cannot find `x` in this scope"), None);
    }
}
