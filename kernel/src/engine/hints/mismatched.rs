//! Values of another type than is wanted: E0308.

use super::arithmetic::{is_literal, with_point};
use super::{DTYPES, calls, capital};
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::habits::{self, values::operand};

/// The types of a label that says `expected …, found …`.
pub(super) fn expected_found(error: &Diagnostic) -> Option<(&str, &str)> {
    error.labels().find_map(|label| {
        let (expected, found) = label.strip_prefix("expected ")?.split_once(", found ")?;
        Some((expected.trim_matches('`'), found.trim_matches('`')))
    })
}

/// What makes the value `text` one of the type that is wanted.
pub(super) fn mismatched(error: &Diagnostic, sources: &Sources<'_>, text: &str) -> Option<String> {
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
    let whole = ["usize", "isize", "u8", "u32", "u64", "i32", "i64"].contains(&expected);
    match (expected, found) {
        ("DType", _) if text.starts_with('"') => {
            let name = text.trim_matches('"');
            let short = name.replace("float", "f").replace("uint", "u").replace("int", "i");
            let known = DTYPES.contains(&short.as_str());
            Some(format!("element types are named `DType::{}`", if known { capital(&short) } else { "F32".into() }))
        }
        ("Sequential", list) if list.starts_with('[') || list.starts_with("Vec<") => Some(calls::SEQUENTIAL.into()),
        (_, tuple) if tuple.starts_with('(') && !expected.starts_with("Result<") && sources.line_of(error).is_some_and(|line| line.contains("datasets::")) => Some(habits::DATA_SET.into()),
        ("Result<(), Failure>", _) => Some("a cell returns nothing: its last line without a semicolon is shown".into()),
        ("&str", "integer") if sources.line_of(error).is_some_and(|line| line.contains("column(")) => Some(habits::COLUMN.into()),
        ("[&str; _]", "&str") => Some(format!("several names are a list: `[{text}]`")),
        ("usize", range) if range.starts_with("Range") && sources.line_of(error).is_some_and(|line| line.contains(&format!("[{text}"))) => Some(habits::SOME_SEQUENCES.into()),
        ("Evaluation", tuple) if tuple.starts_with('(') => Some(
            "an evaluation holds loss and metrics: `let scores = model.evaluate(&x, &y)?;`, then `scores.loss` and \
             `scores[\"accuracy\"]`"
                .into(),
        ),
        ("a tuple with 4 elements", _) if sources.line_of(error).is_some_and(|line| line.contains("train_test_split")) => Some(
            "it returns four tensors: `let (x_train, x_test, y_train, y_test) = …`".into(),
        ),
        ("&str", "Metric") => Some(
            "metrics are all names or all built: `[\"mae\", \"auc\"]`, or `[Metric::from(\"mae\"), Metric::auc()]`".into(),
        ),
        ("Tensor" | "&Tensor", "Vec<Tensor>") => Some(format!(
            "tensors of one shape make one by `Tensor::stack(&{text}.iter().collect::<Vec<_>>(), 0)`"
        )),
        ("&Tensor", "Vec<f64>") => Some(format!("make a tensor of it: `&Tensor::from_shape_vec_f64([{text}.len()], {text})?`")),
        ("&Tensor", list) if list.starts_with("Vec<") || list.starts_with('[') => {
            Some(format!("make a tensor of it: `&Tensor::from({text})`"))
        }
        (_, "floating-point number") if whole => Some(match text.parse::<f64>() {
            Ok(number) => format!("a whole number belongs here: `{number:.0}` instead of `{text}`"),
            Err(_) => format!("a whole number belongs here: `{} as {expected}`", operand(text)),
        }),
        ("f32" | "f64", "integer") => Some(with_point(text, expected)),
        ("f32" | "f64", "f32" | "f64" | "usize" | "u8" | "u32" | "u64" | "i32" | "i64") => {
            Some(format!("convert it: `{} as {expected}`", operand(text)))
        }
        (_, "usize" | "isize" | "u8" | "u32" | "u64" | "i32" | "i64" | "f32" | "f64") if whole => {
            Some(format!("convert it: `{} as {expected}`", operand(text)))
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
                match number {
                    "integer" if is_literal(text) => ".0",
                    "integer" => " as f64",
                    _ => "",
                }
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
