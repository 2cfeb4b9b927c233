//! A variable that holds a `Result`: the `?` is missing where it was made, perhaps cells ago.

use super::mismatched::expected_found;
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::source;

/// What takes the value out, where a variable is of no use as it is one.
pub(super) fn held(error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    if !is_of_result(error) {
        return None;
    }
    let name = variable(error, sources)?;
    let bound = source::parse(sources.code()).bindings;
    if bound.iter().any(|binding| binding.name == name) {
        return Some(format!(
            "`{name}` is a `Result`, a value or an error: put `?` behind the call that makes it"
        ));
    }
    if !sources.names.iter().any(|known| known == name) {
        return None;
    }
    let made = match sources.defined_by(name) {
        Some(cell) => format!("put `?` behind the call that makes it in cell {cell}"),
        None => "put `?` behind the call that makes it".to_owned(),
    };
    Some(format!(
        "`{name}` is a `Result`, a value or an error: {made}, or take the value out first: `let {name} = {name}?;`"
    ))
}

/// Whether a `Result` was found where something else is needed.
fn is_of_result(error: &Diagnostic) -> bool {
    let message = error.message.as_str();
    match error.code() {
        Some("E0308") => expected_found(error).is_some_and(|(expected, found)| {
            found.trim_start_matches('&').starts_with("Result<") && !expected.contains("Result<")
        }),
        Some("E0599") => message.contains("enum `Result<"),
        Some("E0277" | "E0369" | "E0608" | "E0609") => message.contains("Result<"),
        _ => false,
    }
}

/// The variable that an error is about: what it points at, or what stands before the dot or the index.
fn variable<'a>(error: &Diagnostic, sources: &Sources<'a>) -> Option<&'a str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (cell, at) = error.primary_in_cell(sources)?;
    let code: &'a str = &sources.cells.get(cell)?.1;
    let before = code.get(..at.start)?.trim_end();
    let indexed = code.get(at.clone())?.starts_with('[').then_some(before);
    if let Some(before) = before.strip_suffix('.').or(indexed) {
        let name = before.rsplit(|c: char| !word(c)).next()?;
        let whole = before[..before.len() - name.len()].trim_end();
        // Of a list that is collected the items may be what is wrong.
        let is_it = error.code() != Some("E0277") || indexed.is_some();
        return (is_it && !name.is_empty() && !whole.ends_with('.')).then_some(name);
    }
    // All of what is pointed at: a call's value is not the variable's.
    let name_of = |name: &'a str| {
        let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        (is_name && name.chars().all(word)).then_some(name)
    };
    let name = |text: &'a str| name_of(text.trim_matches(['&', '{', '}', ' ']).split(':').next()?);
    let begins = |text: &'a str| {
        let text = text.trim_start_matches('&');
        let (name, rest) = text.split_at(text.find(|c: char| !word(c)).unwrap_or(text.len()));
        let goes_on = rest.trim_start().starts_with(['.', '(', '[', ':', '!']);
        name_of(name).filter(|_| !goes_on)
    };
    let places = error
        .places(sources)
        .filter(|(label, _)| label.contains("Result<"));
    let places: Vec<_> = places
        .map(|(_, place)| place)
        .chain([(cell, at.clone())])
        .collect();
    places
        .into_iter()
        .find_map(|(cell, at)| name(sources.cells.get(cell)?.1.get(at)?))
        // Of an operator the right side.
        .or_else(|| begins(code.get(at.end..)?.trim_start()))
}
