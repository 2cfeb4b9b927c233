//! Functions of Python's, and the methods or the syntax that they are here.

use super::values::{before_dot, is_of_literals, typed_before_dot};
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::hints::calls::{arguments_of, in_brackets, rest_of};

/// Functions of Python's that are methods or syntax here, as an unknown name, E0425, or one of a type, E0423.
pub(in crate::engine) fn function(
    text: &str,
    error: &Diagnostic,
    sources: &Sources<'_>,
) -> Option<String> {
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
    let of = before_dot(given);
    let arguments = arguments_of(given);
    match text {
        "len" => Some(format!("it is a method: `{}.len()`", of?)),
        "range" => Some(format!("a range is written `{}`", range(given))),
        "str" => Some(format!("it is a method: `{}.to_string()`", of?)),
        "float" if given.contains('/') => Some(
            "numbers are converted by `n as f64`, before they are divided: whole numbers divide to a whole one".into(),
        ),
        "int" | "float" => {
            let kind = if text == "int" { "i64" } else { "f64" };
            let of = of?;
            if of.starts_with('"') {
                return Some(format!("texts are read by `{of}.parse::<{kind}>()?`"));
            }
            Some(format!(
                "numbers are converted by `{of} as {kind}`, texts by `{of}.parse::<{kind}>()?`"
            ))
        }
        "max" | "min" if arguments.len() > 1 && !given.contains('=') => {
            Some(format!("it is a method: `{}`", largest(text, &arguments)?))
        }
        "round" => rounded(&arguments),
        "f32" | "f64" | "i32" | "i64" | "u8" | "u32" | "usize" => {
            Some(format!("numbers are converted by `{} as {text}`", of?))
        }
        "bool" => Some(format!("it is a comparison: `{} != 0`", of?)),
        "one_hot" => Some(super::ONE_HOT.into()),
        "get_dummies" => super::of_table(text),
        "abs" if arguments.len() == 1 => Some(format!(
            "it is a method: `{}.abs()`",
            typed_before_dot(given, false)?
        )),
        "sum" | "max" | "min" if arguments.len() == 1 && !given.starts_with('[') => {
            Some(format!("it is a method: `{}.{text}()`", of?))
        }
        "enumerate" | "zip" => Some(
            "iterators have it as a method: `for (i, x) in xs.iter().enumerate() { … }`".into(),
        ),
        "type" => Some(":vars lists the variables with their types".into()),
        _ => None,
    }
}

/// `x.round()`, or with a number of digits the text of it.
fn rounded(arguments: &[&str]) -> Option<String> {
    match arguments {
        [of] => Some(format!(
            "it is a method: `{}.round()`",
            typed_before_dot(of, true)?
        )),
        [of, digits] if digits.parse::<u8>().is_ok() => Some(format!(
            "a number is written with {digits} digits by `format!(\"{{:.{digits}}}\", {of})`; rounded itself it is \
             `({} * 1e{digits}).round() / 1e{digits}`",
            typed_before_dot(of, true)?
        )),
        _ => None,
    }
}

/// `n.max(5.0)` for `max(5.0, n)`; `function` is `max` or `min`. None where there may be tensors among them.
fn largest(function: &str, arguments: &[&str]) -> Option<String> {
    if arguments.iter().any(|one| one.contains('&')) {
        return None;
    }
    let float = arguments
        .iter()
        .any(|one| is_of_literals(one) && one.contains('.'));
    // What has a type says of which the numbers are.
    let first = arguments.iter().position(|one| !is_of_literals(one));
    let at = first.unwrap_or(0);
    let of = match first.is_none() && float {
        true => typed_before_dot(arguments[at], true)?,
        false => before_dot(arguments[at])?,
    };
    let others = arguments
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != at);
    let others = others.map(|(_, one)| match one.parse::<i64>() {
        Ok(whole) if float => format!(".{function}({whole}.0)"),
        _ => format!(".{function}({one})"),
    });
    Some(of + &others.collect::<String>())
}

/// `0..3` for what stands in `range(3)`.
pub(super) fn range(given: &str) -> String {
    let parts: Vec<&str> = given.split(',').map(str::trim).collect();
    match parts.as_slice() {
        [end] => format!("0..{end}"),
        [start, end] => format!("{start}..{end}"),
        [start, end, step] => format!("({start}..{end}).step_by({step})"),
        _ => "0..3".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_turned_around() {
        assert_eq!(range("3"), "0..3");
        assert_eq!(range("1, n"), "1..n");
        assert_eq!(range("0, 10, 2"), "(0..10).step_by(2)");
    }
}
