//! Calls as Keras has them, and how they are written here.

use super::by_name::made;
use super::quoted;
use crate::engine::diagnostics::{Diagnostic, Place, Sources};
use crate::engine::habits;

/// Made with settings by methods.
pub(in crate::engine) const OPTIMIZERS: [&str; 8] = [
    "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta",
];

/// The text of the cell from a byte on.
pub(in crate::engine) fn rest_of<'a>(
    error: &Diagnostic,
    sources: &Sources<'a>,
) -> Option<(&'a str, usize)> {
    let (cell, at) = error.primary_in_cell(sources)?;
    let code: &'a str = &sources.cells.get(cell)?.1;
    Some((code, at.start))
}

/// What stands in the first brackets of a text.
pub(in crate::engine) fn in_brackets(text: &str) -> Option<&str> {
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

/// Arguments, at the commas that are in no brackets and no text.
pub(in crate::engine) fn arguments_of(given: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut from) = (0, false, 0);
    let mut parts = vec![];
    for (at, letter) in given.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if depth == 0 && !quoted => {
                parts.push(given[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(given[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

pub(in crate::engine) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// `Adam(0.001)`, `Dense(32)`, `print(x)`: E0423.
pub(in crate::engine) fn called(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let (code, at) = rest_of(error, sources)?;
    let text = &code[at..];
    let name = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()?;
    if error.message.starts_with("expected value, found struct")
        && !text[name.len()..].starts_with('(')
    {
        return Some(format!(
            "it is made by `{name}::new(…)`; `:doc {name}` says of what"
        ));
    }
    let arguments = in_brackets(text)?;
    match error.message.as_str() {
        message if message.contains("found macro `print`") => Some(printed(arguments)),
        message if message.contains("found macro `") => Some(called_macro(name, arguments)),
        message if !message.contains("found struct") => None,
        _ if OPTIMIZERS.contains(&name) => Some(optimizer(name, arguments)),
        _ if name == "Sequential" => Some(SEQUENTIAL.into()),
        _ => Some(format!("it is made by `{}`", made(name, arguments))),
    }
}

/// `println!("a {b}")` for `println("a {b}")`.
fn called_macro(name: &str, arguments: &str) -> String {
    let given = arguments_of(arguments);
    let text = given.first().is_some_and(|first| first.starts_with('"'));
    let braces = given.first().is_some_and(|first| first.contains('{'));
    match name == "println" && !given.is_empty() && !(text && (braces || given.len() == 1)) {
        true => printed(arguments),
        false => format!("it is a macro, with `!`: `{name}!({arguments})`"),
    }
}

/// `Adam(0.001)`, which is made with settings.
pub(in crate::engine) fn optimizer(name: &str, arguments: &str) -> String {
    match arguments {
        rate if is_number(rate) => with_rate(name, rate),
        "" => {
            format!("it is made by `{name}::new()`; settings are methods: `.learning_rate(0.001)`")
        }
        _ => format!("settings are methods: `{}`", made(name, arguments)),
    }
}

fn with_rate(name: &str, rate: &str) -> String {
    format!("settings are methods: `{name}::new().learning_rate({rate})`")
}

pub(in crate::engine) fn printed(arguments: &str) -> String {
    let mut text = String::new();
    let mut values = vec![];
    for argument in arguments_of(arguments) {
        let word = argument.chars().all(|c| c.is_alphanumeric() || c == '_');
        let literal = argument
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        if !text.is_empty() {
            text.push(' ');
        }
        match literal {
            Some(literal) => text += literal,
            None if word && !is_number(argument) => text += &format!("{{{argument}:?}}"),
            None => {
                text += "{:?}";
                values.push(format!(", {argument}"));
            }
        }
    }
    let written = match text.is_empty() {
        true => "println!()".to_owned(),
        false => format!("println!(\"{text}\"{})", values.concat()),
    };
    format!("printing is a macro, with `!` and a text in which values stand in braces: `{written}`")
}

/// `Dense::new(3)(&x)`, a call of what is no function: E0618.
pub(in crate::engine) fn call_of_value(
    error: &Diagnostic,
    sources: &Sources<'_>,
) -> Option<String> {
    let called = error.primary_text(sources)?;
    let kind = quoted(&error.message).last().copied()?;
    let (code, at) = rest_of(error, sources)?;
    let given = in_brackets(&code[at + called.len()..]).unwrap_or("&x");
    let given = by_reference(
        given
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
            .unwrap_or(given),
    );
    match kind {
        "Sequential" | "Model" => Some(format!(
            "a model answers by `{called}.predict({given})?`; called on symbols it is a layer, `{called}.on({given})`"
        )),
        "Tensor" => Some(
            "parts of a tensor are taken with slice: `x.slice(0)`, `x.slice((.., 1..3))`".into(),
        ),
        "Loss" | "Metric" => Some(format!(
            "it is called by `{called}.call(&y_true, &y_pred)?`"
        )),
        kind if kind.starts_with(char::is_uppercase) && kind.chars().all(char::is_alphanumeric) => {
            Some(format!(
                "a layer is called by its method `on`: `{called}.on({given})`, with symbols, which begin with `Input::new([8])`; \
             tensors go through a model, `model.predict(&x)?`"
            ))
        }
        _ => None,
    }
}

/// `&a`, or `[&a, &b]` for several.
pub(super) fn by_reference(given: &str) -> String {
    let each = arguments_of(given).into_iter();
    let each: Vec<String> = each
        .map(|one| format!("&{}", one.trim_start_matches('&')))
        .collect();
    match each.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Callbacks that are not in boxes: E0308.
pub(in crate::engine) fn callbacks(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let (code, at) = rest_of(error, sources)?;
    let call = code[..at].rfind(".callbacks(")?;
    let boxed = error.labels().any(|label| label.contains("dyn Callback"));
    let given = in_brackets(&code[call..])?;
    let list = given.trim_start_matches('&').trim_start_matches("vec!");
    let list = list
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'))
        .unwrap_or(list);
    // What is wrong further inside is another mistake.
    let is_one = |one: &&str| one.as_ptr().addr() - code.as_ptr().addr() == at;
    let about_the_list = code[..at].trim_end().ends_with(".callbacks(");
    if !boxed && !about_the_list && !arguments_of(list).iter().any(is_one) {
        return None;
    }
    let each: String = arguments_of(list)
        .iter()
        .map(|one| {
            let inner = one.strip_prefix("Box::new(");
            let inner = inner.and_then(|inner| inner.strip_suffix(')'));
            format!(".callback({})", inner.unwrap_or(one))
        })
        .collect();
    Some(format!("callbacks are given one by one: `{each}`"))
}

/// Arguments too many or too few: E0061.
pub(in crate::engine) fn arguments(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
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
    let dtype = error
        .labels()
        .any(|label| label.contains("of type `DType`"));
    if dtype
        && let Some(given) = rest_of(error, sources).and_then(|(code, at)| in_brackets(&code[at..]))
    {
        let given = arguments_of(given);
        let (dtype, before) = given.split_last()?;
        return Some(format!(
            "the type of its numbers is changed afterwards: `{text}({}).cast({dtype})`",
            before.join(", ")
        ));
    }
    if text == "one_hot" {
        return Some(habits::ONE_HOT.into());
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
        ("on" | "try_on", Some(_)) => {
            return Some(format!(
                "several inputs are one list: `.{text}({})`",
                by_reference(given)
            ));
        }
        ("sum" | "mean" | "max" | "min" | "std" | "var" | "prod" | "all" | "any", Some(axis)) => {
            return Some(format!("along an axis it is `.{text}_axis({axis})`"));
        }
        ("slice", Some(_)) => {
            return Some(format!("where to cut is one argument: `.slice(({given}))`"));
        }
        ("fit", Some(more)) if is_number(more) => {
            let epochs = extra("expected `Fit`").and_then(text_at).unwrap_or("5");
            return Some(format!(
                "how to train is one argument: `Fit::epochs({epochs}).batch_size({more})`"
            ));
        }
        ("add", Some(more)) => {
            return Some(format!(
                "layers are added one by one: `.add(…).add({more})`"
            ));
        }
        ("compile", Some(_)) => {
            return Some(
                "it is called as `compile(optimizer, loss, metrics)`; the learning rate is the optimizer's: \
                 `Adam::new().learning_rate(0.01)`"
                    .into(),
            );
        }
        ("validation_data", None) => {
            return Some("data and labels are two arguments: `.validation_data(&x, &y)`".into());
        }
        ("compile", None) => {
            return Some(
                "the metrics come third: `[\"mae\"]`, or `Metrics::none()` for none".into(),
            );
        }
        _ => {}
    }
    if ["argmax", "argmin"].contains(&text) {
        return Some(format!(
            "along which axis is its argument, the last is -1: `.{text}(-1)`"
        ));
    }
    let signature = error.signature(sources, text)?;
    let written = signature.written(text);
    let of_type = text.rsplit_once("::").map(|(of, _)| of);
    let setting = match (of_type, unexpected) {
        (Some(of), Some(more))
            if more.starts_with('"')
                && !signature.arguments.is_empty()
                && of.starts_with(char::is_uppercase)
                && text.ends_with("::new") =>
        {
            let start = code[at..].find(more)? + at;
            let before = code[at..start].trim_end().trim_end_matches(',');
            Some(format!(
                "settings are methods: `{before}).activation({more})`"
            ))
        }
        (Some("files"), Some(_)) if text.ends_with("read_csv") => Some(
            "settings are those of `files::ReadCsv::new().delimiter(';').read(\"data.csv\")?`"
                .into(),
        ),
        (Some(of), Some(_)) if of.starts_with(char::is_uppercase) => {
            Some(match signature.example.as_deref() {
                Some(example) if example.contains(").") => {
                    format!("settings are methods: `{example}`")
                }
                _ => format!("settings are methods behind it, which `:doc {of}` lists"),
            })
        }
        _ => signature
            .example
            .map(|example| format!("for instance `{example}`")),
    };
    Some(match setting {
        Some(setting) => format!("it is called as `{written}`; {setting}"),
        None => format!("it is called as `{written}`"),
    })
}

pub(in crate::engine) const SEQUENTIAL: &str = "a model begins with `Sequential::new()` and grows by `.add(Dense::new(32).activation(\"relu\"))`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_matched() {
        assert_eq!(in_brackets("len(f(x), 1) + g(2)"), Some("f(x), 1"));
        assert_eq!(in_brackets("len"), None);
    }

    #[test]
    fn arguments_end_at_commas_of_their_own() {
        assert_eq!(
            arguments_of("f(a, b), \"c, d\", [1, 2]"),
            ["f(a, b)", "\"c, d\"", "[1, 2]"]
        );
        assert!(arguments_of("").is_empty());
    }

    #[test]
    fn what_is_printed_stands_in_a_text() {
        assert!(printed("\"loss\", x, 2.5").ends_with("`println!(\"loss {x:?} {:?}\", 2.5)`"));
        assert!(printed("").ends_with("`println!()`"));
    }
}
