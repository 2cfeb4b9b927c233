//! One line of help for the mistakes that are made most in these notebooks.

mod arithmetic;
mod names;

use super::diagnostics::{Diagnostic, Place, Sources};
use super::habits;
use arithmetic::arithmetic;
use names::{is_named_argument, missing_method, unknown_name};

/// The line that solves it, where there is one.
pub fn hint(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let text = error.primary_text(sources).unwrap_or_default();
    let message = error.message.as_str();
    match error.code() {
        Some("E0382") => Some(moved(error, message, sources)),
        Some("E0308") if error.labels().any(|label| label.starts_with("expected an array with a size of")) => {
            Some("all rows of a tensor have the same length".into())
        }
        Some("E0308") => wrong_function(error, sources)
            .and_then(|function| habits::argument(function, text))
            .or_else(|| mismatched(error, wrong_argument(error, sources).unwrap_or(text))),
        Some("E0061") => habits::arguments(error, sources),
        Some("E0282" | "E0283") if sources.code().contains("[])") => {
            let instead = match sources.code().contains(".compile(") {
                true => "for no metrics write `Metrics::none()`",
                false => "a tensor without numbers is `Tensor::zeros([0])`",
            };
            Some(format!("an empty list does not say of what: {instead}"))
        }
        Some("E0277") if message.starts_with("cannot ") => arithmetic(error, sources),
        Some("E0277") if wants_closure(error) => Some(habits::CLOSURE.into()),
        Some("E0277") => unfulfilled(message, text),
        Some("E0596") => Some(not_mutable(error, message, sources)),
        Some("E0425" | "E0433" | "E0412" | "E0405" | "E0432") => habits::dataset(text, message)
            .or_else(|| habits::function(text, error, sources))
            .or_else(|| unknown_name(text, sources, error)),
        Some("E0423") if DTYPES.contains(&text) => {
            Some(format!("element types are named `DType::{}`", capital(text)))
        }
        // The variable's name may be one of the prelude's modules as well.
        Some("E0423") if sources.gone.contains_key(text) => sources.gone.get(text).cloned(),
        Some("E0423") => habits::called(error, sources),
        Some("E0609") => habits::field(text, message),
        Some("E0614") => habits::power(error, sources),
        Some("E0605") if message.contains("Tensor") => Some(
            "the number of a tensor that has one is `x.item()`; the element type of a tensor is changed by `x.cast(DType::F32)`"
                .into(),
        ),
        Some("E0599") => missing_method(message, text).or_else(|| habits::method(text, message)),
        Some("E0369") if message.contains("Result<") => {
            Some("put `?` behind what may fail, which takes the value out of its Result".into())
        }
        Some("E0608") if message.contains("Tensor") => Some(
            "parts of a tensor are taken with slice: `x.slice(0)`, `x.slice((.., 1..3))`; one number is `x.slice((0, 1)).item()`"
                .into(),
        ),
        Some("E0616" | "E0615") if text == "trainable" => {
            Some("layers and models are frozen by `set_trainable(false)`, and asked by `trainable()`".into())
        }
        Some("E0615") => Some(format!("it is a method: call it with parentheses, `{text}()`")),
        Some("E0369") if error.labels().any(|label| label.contains("Tensor")) => comparison(message).or_else(|| Some(
            "tensors have + - * / among each other and with numbers; for anything else take the numbers: `x.to_vec()`".into(),
        )),
        None => unreadable(message, text, sources)
            .or_else(|| habits::index(message, error, sources))
            .or_else(|| habits::syntax(message, error, sources)),
        _ => None,
    }
}

/// Whether a closure over the model is wanted, and it is no closure that was given.
pub fn wants_closure(error: &Diagnostic) -> bool {
    error
        .message
        .starts_with("expected a `FnOnce(&Model)` closure")
}

/// Whether a hint says what the compiler can only guess, from what is called alike.
pub fn knows_better(error: &Diagnostic, sources: &Sources<'_>) -> bool {
    let text = error.primary_text(sources).unwrap_or_default();
    match error.code() {
        Some("E0425") => sources.gone.contains_key(text) || is_named_argument(error, sources),
        Some("E0599") => habits::method(text, &error.message).is_some(),
        Some("E0308") => {
            let tuple = |(result, found): (&str, &str)| {
                result.starts_with("Result<") && found.starts_with('(')
            };
            expected_found(error).is_some_and(tuple)
        }
        _ => false,
    }
}

/// Several tensors that a model wants to borrow.
pub fn borrows(errors: &[&Diagnostic], sources: &Sources<'_>) -> Option<String> {
    let wanted = errors.iter().filter(|error| wants_borrowed(&error.message));
    let texts: Vec<String> = wanted
        .filter_map(|error| Some(format!("`&{}`", error.primary_text(sources)?)))
        .collect();
    (!texts.is_empty()).then(|| format!("put `&` in front: {}", texts.join(", ")))
}

fn wants_borrowed(message: &str) -> bool {
    message.contains("Tensor: Into<") && message.contains("Data>")
}

const DTYPES: [&str; 6] = ["bool", "u8", "i32", "i64", "f32", "f64"];

/// `F32` for `f32`, `Bool` for `bool`.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The texts between backticks.
pub(super) fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn moved(error: &Diagnostic, message: &str, sources: &Sources<'_>) -> String {
    let name = quoted(message).first().copied().unwrap_or("it");
    // What stands behind the place where it was moved.
    let behind = |at: Place| sources.cells.get(at.0)?.1.get(at.1.end..);
    let by_add = error
        .places(sources)
        .filter(|(label, _)| label.contains("moved"))
        .any(|(_, at)| behind(at).is_some_and(|rest| rest.trim_start().starts_with(".add(")));
    if by_add {
        return format!(
            "`add` takes the model and hands it back: write `let {name} = {name}.add(…);`, or chain the layers \
             (`Sequential::new().add(…).add(…)`)"
        );
    }
    if error.labels().any(|label| label.contains("in operator")) {
        return format!("write `&{name}` there: operators take references too, and `{name}` stays");
    }
    format!(
        "`{name}` was given away there; pass `&{name}`, or `{name}.clone()` where a value is needed, to keep it \
         (a clone of a tensor or a model copies nothing)"
    )
}

/// The types of a label that says `expected …, found …`.
fn expected_found(error: &Diagnostic) -> Option<(&str, &str)> {
    error.labels().find_map(|label| {
        let (expected, found) = label.strip_prefix("expected ")?.split_once(", found ")?;
        Some((expected.trim_matches('`'), found.trim_matches('`')))
    })
}

/// The argument that has the wrong type, where the error points at the name of the function.
fn wrong_argument<'a>(error: &Diagnostic, sources: &Sources<'a>) -> Option<&'a str> {
    let (_, at) = error
        .places(sources)
        .find(|(label, _)| label.starts_with("expected ") && label.contains(", found "))?;
    sources.cells.get(at.0)?.1.get(at.1)
}

/// The name of the function or method whose argument has the wrong type.
fn wrong_function<'a>(error: &Diagnostic, sources: &Sources<'a>) -> Option<&'a str> {
    let (_, at) = error
        .places(sources)
        .find(|(label, _)| label.starts_with("arguments to this "))?;
    sources.cells.get(at.0)?.1.get(at.1)
}

fn mismatched(error: &Diagnostic, text: &str) -> Option<String> {
    let (expected, found) = expected_found(error)?;
    if expected.trim_start_matches('&') == found && expected.starts_with('&') {
        return Some(format!("put `&` in front: `&{text}`"));
    }
    if let Some(owned) = found.strip_prefix('&')
        && owned == expected
    {
        return Some(format!(
            "a value is wanted, not a reference: `{}.clone()`",
            text.trim_start_matches('&')
        ));
    }
    let whole = ["usize", "u8", "u32", "u64", "i32", "i64"].contains(&expected);
    match (expected, found) {
        (_, "floating-point number") if whole => Some(format!(
            "a whole number belongs here: `{}` instead of `{text}`",
            text.split('.').next().unwrap_or("1"),
        )),
        ("f32" | "f64", "integer") => Some(format!("write it with a decimal point: `{text}.0`")),
        ("f32" | "f64", "f32" | "f64" | "usize" | "u8" | "u32" | "u64" | "i32" | "i64") => {
            Some(format!("convert it: `{text} as {expected}`"))
        }
        (_, "usize" | "u8" | "u32" | "u64" | "i32" | "i64" | "f32" | "f64") if whole => {
            Some(format!("convert it: `{text} as {expected}`"))
        }
        _ if whole && ["String", "&str"].contains(&found)
            || ["f32", "f64"].contains(&expected) && ["String", "&str"].contains(&found) =>
        {
            Some(format!(
                "a text is turned into a number by `{text}.parse::<{expected}>()?`"
            ))
        }
        ("f64", "Tensor") => Some(format!("`{text}.item()` is its number")),
        (number, "Tensor") if whole || number == "f32" => Some(format!(
            "`{text}.item()` is its number: `{text}.item() as {number}`"
        )),
        ("Fit", "integer") => Some(format!("settings are built from `Fit::epochs({text})`")),
        ("Tensor", number) if number == "integer" || number.starts_with("floating") => {
            Some(format!(
                "a number is no tensor yet: `Tensor::from({text}{})`",
                if number == "integer" { ".0" } else { "" }
            ))
        }
        ("Tensor", list) if list.starts_with("Vec<") || list.starts_with('[') => {
            Some(format!("make a tensor of it: `Tensor::from({text})`"))
        }
        (result, tuple) if result.starts_with("Result<") && tuple.starts_with('(') => Some(
            "put `?` behind the call on the right, which takes the value out of its Result".into(),
        ),
        (wanted, result) if result.starts_with("Result<") && result[7..].starts_with(wanted) => {
            Some(format!("put `?` behind it: `{text}?`"))
        }
        _ => None,
    }
}

/// `binary operation `>` cannot be applied to type `Tensor``
fn comparison(message: &str) -> Option<String> {
    let function = match *quoted(message).first()? {
        ">" => "greater",
        "<" => "less",
        ">=" => "greater_equal",
        "<=" => "less_equal",
        _ => return None,
    };
    Some(format!(
        "tensors are compared number by number by a method: `x.{function}(0.5)`"
    ))
}

fn unfulfilled(message: &str, text: &str) -> Option<String> {
    if message.starts_with("the `?` operator can only be applied") {
        return Some("`?` belongs behind a value of type Result; leave it out here".into());
    }
    if message.starts_with("the `?` operator can only be used in") {
        return Some(
            "give the function a result: `fn f(…) -> Result<Sequential> { …; Ok(model) }`, or `Result<()>` and `Ok(())` \
             where it has none"
                .into(),
        );
    }
    if message.contains("`LearningRate: From<{integer}>`") {
        return Some(format!(
            "write the whole number with a decimal point: `{text}.0` instead of `{text}`"
        ));
    }
    if message.contains("`Tensor: From<Vec<Vec<Vec<") {
        return Some(
            "vectors within vectors within vectors are joined first: `Tensor::from(rows.concat()).reshape([1, 2, 2])`; \
             written out they need no `vec!`: `Tensor::from([[[1.0, 2.0], [3.0, 4.0]]])`"
                .into(),
        );
    }
    if message.contains("`Tensor: From<") && message.contains("f64") {
        return Some(
            "written out, numbers need no type: `Tensor::from([0.1, 0.2])`; of a vector `v` of `f64` it is \
             `Tensor::from_shape_vec_f64([v.len()], v)?`, of double precision, which `.cast(DType::F32)` makes single"
                .into(),
        );
    }
    if let Some((_, row)) = message.split_once("`Tensor: From<Vec<[")
        && let Some(width) = row.split([';', ']']).nth(1)
    {
        let width = width.trim();
        return Some(format!(
            "rows are joined first: `Tensor::from(rows.concat()).reshape([rows.len(), {width}])`"
        ));
    }
    if message.contains("cannot be indexed by") {
        return Some(format!("positions are of type usize: `[{text} as usize]`"));
    }
    if message.starts_with("`Result<") && message.contains("doesn't implement `std::fmt::Display`")
    {
        return Some(
            "it is a `Result`, which holds a value or an error: put `?` behind the call that makes it".into(),
        );
    }
    if message.contains("doesn't implement `std::fmt::Display`") {
        return Some("print it with `{:?}`".into());
    }
    None
}

fn not_mutable(error: &Diagnostic, message: &str, sources: &Sources<'_>) -> String {
    let name = quoted(message).first().copied().unwrap_or("it");
    let bound_here = error
        .notes_in_cells(sources)
        .any(|note| note.starts_with("consider changing this to be mutable"));
    match bound_here {
        true => format!("it is changed here, so bind it with `let mut {name}`"),
        false => format!(
            "it is changed here, so bind it with `let mut {name} = …` in the cell that creates it, and run that cell again; \
             or take it over: `let mut {name} = {name};`"
        ),
    }
}

/// Text that is no Rust at all.
fn unreadable(message: &str, text: &str, sources: &Sources<'_>) -> Option<String> {
    let code = sources
        .cells
        .get(sources.index)
        .map_or("", |(_, code)| code.trim_start());
    if ["import ", "from ", "def "]
        .iter()
        .any(|word| code.starts_with(word))
    {
        return Some(
            "this is Python; cells are Rust, with everything of dlcore in reach (`:help`)".into(),
        );
    }
    if text == "@" {
        return Some("the matrix product is a method: `a.dot(&b)`".into());
    }
    if message.starts_with("expected `;`") {
        return Some("end the statement with `;`".into());
    }
    None
}
