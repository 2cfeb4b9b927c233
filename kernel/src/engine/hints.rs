//! One line of help for the mistakes that are made most in these notebooks.

mod arithmetic;
mod by_name;
pub(super) mod calls;
mod mismatched;
mod names;
mod python;
mod results;

use super::diagnostics::{Diagnostic, Place, Sources};
use super::habits;
use arithmetic::arithmetic;
use mismatched::{expected_found, mismatched};
use names::{is_named_argument, missing_method, unknown_name};

/// The line that solves it, where there is one.
pub fn hint(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let text = error.primary_text(sources).unwrap_or_default();
    let message = error.message.as_str();
    if let Some(said) = results::held(error, sources) {
        return Some(said);
    }
    match error.code() {
        Some("E0382") => Some(moved(error, message, sources)),
        Some("E0308")
            if error.labels().any(|label| label.starts_with("expected an array with a size of"))
                && sources.line_of(error).is_some_and(|line| !line.trim_start().starts_with("let") || line.contains("Tensor")) =>
        {
            Some("all rows of a tensor have the same length".into())
        }
        Some("E0308") => calls::callbacks(error, sources)
            .or_else(|| wrong_function(error, sources).and_then(|function| habits::argument(function, text)))
            .or_else(|| mismatched(error, sources, wrong_argument(error, sources).unwrap_or(text))),
        Some("E0061") => calls::arguments(error, sources),
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
        Some("E0423") if DTYPES.contains(&text) && message.starts_with("expected value") => {
            Some(format!("element types are named `DType::{}`", capital(text)))
        }
        // The variable's name may be one of the prelude's modules as well.
        Some("E0423") if sources.gone.contains_key(text) => sources.gone.get(text).cloned(),
        Some("E0423") if message.contains("builtin type") => habits::function(text, error, sources),
        Some("E0423") => calls::called(error, sources).or_else(|| module(error, sources)),
        Some("E0618") => calls::call_of_value(error, sources),
        Some("E0600") if sources.line_of(error).is_some_and(|line| line.trim().starts_with('!')) => {
            Some(python::SHELL.into())
        }
        Some("E0609") => habits::field(text, message),
        Some("E0614") => habits::power(error, sources),
        Some("E0605") if message.contains("Tensor") => Some(
            "the number of a tensor that has one is `x.item()`; the element type of a tensor is changed by `x.cast(DType::F32)`"
                .into(),
        ),
        Some("E0599") => missing_method(message, text).or_else(|| habits::method(text, message)),
        Some("E0369" | "E0608") if message.contains("Result<") => {
            Some("put `?` behind what may fail, which takes the value out of its Result".into())
        }
        Some("E0608") if message.contains("`History`") => Some("a history is asked by name: `.get(\"loss\")`".into()),
        Some("E0271") if message.contains("(&str, _)") => Some(CURVES.into()),
        Some("E0608") if message.contains("Table") => Some(habits::COLUMN.into()),
        Some("E0608") if message.contains("Tensor") => Some(
            "parts of a tensor are taken with slice: `x.slice(0)`, `x.slice((.., 1..3))`; one number is `x.slice((0, 1)).item()`"
                .into(),
        ),
        Some("E0616" | "E0615") if text == "trainable" => {
            Some("layers and models are frozen by `set_trainable(false)`, and asked by `trainable()`".into())
        }
        Some("E0616") if message.contains("`Table`") => habits::of_table(text).or_else(|| (text == "names").then(|| "it is a method: `table.names()`".into())),
        Some("E0616") if message.contains("`Fit`") => Some(format!("it is set by a method: `Fit::epochs(5).{text}(…)`")),
        Some("E0615") => Some(format!("it is a method: call it with parentheses, `{text}()`")),
        Some("E0369") if message.ends_with("to `&str`") && !message.contains("add `&str`") => {
            Some("a text with values in it is `format!(\"accuracy: {}\", 0.5)`".into())
        }
        Some("E0369") if error.labels().any(|label| label.contains("Tensor")) => comparison(message, sources.line_of(error)).or_else(|| Some(
            "tensors have + - * / among each other and with numbers; for anything else take the numbers: `x.to_vec()`".into(),
        )),
        None => unreadable(error, text, sources)
            .or_else(|| habits::index(message, error, sources))
            .or_else(|| habits::syntax(message, error, sources)),
        _ => None,
    }
}

/// How curves are drawn.
const CURVES: &str = "curves are drawn by their names: `plot::curves([(\"first\", &history), (\"second\", &other)])?`; one history by \
    `history.plot()`";

/// `layers.Dense(3)`: a module of ours before a dot.
fn module(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    let module = error
        .message
        .contains("found module")
        .then(|| sources.place_of(error))
        .flatten()?;
    let path = module.split(['.', '(']).next().unwrap_or_default();
    (!path.contains("::"))
        .then(|| python::said_here(module))
        .flatten()
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
        Some("E0382") => by_add(error, sources),
        Some("E0308") => {
            let tuple = |(result, found): (&str, &str)| {
                result.starts_with("Result<") && found.starts_with('(')
            };
            expected_found(error).is_some_and(tuple)
        }
        _ => false,
    }
}

/// Whether it is about `epochs=5`, an argument by its name.
pub fn is_by_name(error: &Diagnostic, sources: &Sources<'_>) -> bool {
    error.code() == Some("E0425") && is_named_argument(error, sources)
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

/// Whether a model was moved into `add`.
fn by_add(error: &Diagnostic, sources: &Sources<'_>) -> bool {
    // What stands behind the place where it was moved.
    let behind = |at: Place| sources.cells.get(at.0)?.1.get(at.1.end..);
    error
        .places(sources)
        .filter(|(label, _)| label.contains("moved"))
        .any(|(_, at)| behind(at).is_some_and(|rest| rest.trim_start().starts_with(".add(")))
}

fn moved(error: &Diagnostic, message: &str, sources: &Sources<'_>) -> String {
    let name = quoted(message).first().copied().unwrap_or("it");
    if by_add(error, sources) {
        return match error
            .labels()
            .any(|label| label.contains("iteration of loop"))
        {
            true => format!(
                "`add` takes the model and hands it back; in a loop write `{name}.push(…);`, with `let mut {name}`"
            ),
            false => format!(
                "`add` takes the model and hands it back: write `let {name} = {name}.add(…);`, or `{name}.push(…);`, which adds \
                 in place"
            ),
        };
    }
    if error.labels().any(|label| label.contains("in operator")) {
        return format!("write `&{name}` there: operators take references too, and `{name}` stays");
    }
    format!(
        "`{name}` was given away there; pass `&{name}`, or `{name}.clone()` where a value is needed, to keep it \
         (a clone of a tensor or a model copies nothing)"
    )
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

/// `binary operation `>` cannot be applied to type `Tensor``
fn comparison(message: &str, line: Option<&str>) -> Option<String> {
    let operator = *quoted(message).first()?;
    let function = match operator {
        ">" => "greater",
        "<" => "less",
        ">=" => "greater_equal",
        "<=" => "less_equal",
        _ => return None,
    };
    let decides =
        |word: &str| line.is_some_and(|line| format!(" {line}").contains(&format!(" {word} ")));
    if decides("if") || decides("while") {
        return Some(format!(
            "what decides is one number: `x.item() {operator} 0.5` for a tensor that has one"
        ));
    }
    Some(format!(
        "tensors are compared number by number by a method: `x.{function}(0.5)`"
    ))
}

fn unfulfilled(message: &str, text: &str) -> Option<String> {
    if message.contains("Losses: From<{closure") {
        return Some(
            "a loss of your own has a name: `Loss::custom(\"mine\", |truth, prediction| …)`".into(),
        );
    }
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
    if message.ends_with("is not an iterator") {
        return match quoted(message).first() {
            Some(&"Tensor") => Some(format!(
                "put `&` in front, and a loop takes the rows: `&{text}`"
            )),
            Some(kind) if kind.trim_start_matches('&') == "History" => Some(CURVES.into()),
            Some(&"{integer}" | &"usize") => Some(format!("a range is written `0..{text}`")),
            _ => None,
        };
    }
    if message.contains("`Vec<(i64, f64)>: From<") {
        return Some(habits::class_weight(text));
    }
    if message.contains("`Data: From<(") {
        return Some("they are arguments of their own: leave out the brackets around them".into());
    }
    if message.contains("`Data: From<") {
        return Some(
            "data is a tensor of one row a sample, by reference: `let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);`, then `&x`; of a \
             vector `v` of `f64` it is `Tensor::from_shape_vec_f64([1, v.len()], v)?`"
                .into(),
        );
    }
    if message.contains("`Vec<f32>: From<") && message.contains("Tensor") {
        return Some("the numbers of a tensor are `x.to_vec()`".into());
    }
    if message.contains("`Symbol: Into<Symbols>`") {
        return Some(format!("put `&` in front: `&{text}`"));
    }
    if message.contains(": Into<LayerRef>`") {
        return Some(
            "a layer is made by its type: `.add(Dense::new(32).activation(\"relu\"))`".into(),
        );
    }
    if message.contains("`LearningRate: From<f32>`") {
        return Some(format!("convert it: `{text} as f64`"));
    }
    if message.ends_with(": Operand` is not satisfied") && message.contains("Vec<") {
        return Some("make a tensor of it first: `Tensor::from(v)`".into());
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
    if message.contains("`Sequences` cannot be indexed by") || message.contains("`[Vec<u32>]`") {
        return Some(habits::SOME_SEQUENCES.into());
    }
    if message.contains("cannot be indexed by") && text.contains("..") {
        return Some("the ends of a range are of type usize: `v[..3]`, `v[..n as usize]`".into());
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
fn unreadable(error: &Diagnostic, text: &str, sources: &Sources<'_>) -> Option<String> {
    let message = error.message.as_str();
    let code = sources
        .cells
        .get(sources.index)
        .map_or("", |(_, code)| code.trim_start());
    if ["import ", "from "]
        .iter()
        .any(|word| code.starts_with(word))
    {
        return Some(
            "this is Python; cells are Rust, with everything of dlcore in reach (`:help`)".into(),
        );
    }
    if let Some(said) = sources
        .line_of(error)
        .and_then(|line| python::line(line.trim()))
    {
        return Some(said);
    }
    if text == "@" {
        return Some("the matrix product is a method: `a.dot(&b)`".into());
    }
    if message.starts_with("expected `;`") {
        return Some("end the statement with `;`".into());
    }
    None
}
