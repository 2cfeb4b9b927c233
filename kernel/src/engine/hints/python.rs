//! What Python's libraries call something, and how the same is written here.

mod lines;
mod names;

use super::{by_name, calls};
use crate::engine::habits::values::{before_dot, is_of_literals, typed_before_dot};
pub(super) use lines::{SHELL, line};
pub(super) use names::REDUCTIONS;
use names::{FUNCTIONS, LIBRARIES, METHODS, OF_NUMBERS, PARTS, RENAMED};

/// What a notebook sees without an import.
const PRELUDE: &str = include_str!("../../../../dlcore/src/prelude.rs");

/// Whether a name is one by which Python imports a library.
pub(super) fn is_library(name: &str) -> bool {
    LIBRARIES.contains(&name)
}

/// How a call of Python's, at the beginning of `text`, is written here: `np.random.normal(0, 1)`, `load_model("m")`.
pub(super) fn said_here(text: &str) -> Option<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let end = text
        .find(|c: char| !word(c) && c != '.' && c != ':')
        .unwrap_or(text.len());
    let path: Vec<&str> = text[..end]
        .split(['.', ':'])
        .filter(|part| !part.is_empty())
        .collect();
    let name = *path.last()?;
    let called = text[end..].starts_with('(');
    let of_library = path.len() > 1;
    // Before any other dot stands a variable, which nothing is said about here.
    if of_library && !is_library(path[0]) && !PARTS.contains(&path[0]) {
        return None;
    }
    let given = given_to(&text[end..]);
    if called && path[0] == "math" && !given.contains('&') {
        return of_number(name, given);
    }
    if !called && !of_library {
        return None;
    }
    let found = FUNCTIONS.iter().find(|(names, _)| names.contains(&name));
    if let Some((_, said)) = found {
        return Some((*said).to_owned());
    }
    if let Some(said) = method(name, given) {
        return Some(said);
    }
    if calls::OPTIMIZERS.contains(&name) && of_library {
        return Some(calls::optimizer(name, given));
    }
    let in_prelude = PRELUDE.split(|c: char| !word(c)).any(|known| known == name);
    match name.starts_with(char::is_uppercase) {
        true if of_library && in_prelude => Some(format!(
            "it is there by its name alone: `{}`",
            by_name::made(name, given)
        )),
        false if of_library && in_prelude && called => {
            Some(format!("it is there by its name alone: `{name}({given})`"))
        }
        _ => None,
    }
}

/// What stands in the brackets of a call.
fn given_to(call: &str) -> &str {
    calls::in_brackets(call).unwrap_or_default()
}

/// A function of numbers, as a method: `2.0_f64.sqrt()` for `sqrt(2.0)`.
fn of_number(name: &str, given: &str) -> Option<String> {
    let arguments = calls::arguments_of(given);
    let (of, rest) = arguments.split_first()?;
    let renamed = RENAMED.iter().find(|(theirs, _)| *theirs == name);
    let ours = match renamed {
        // With a base it is called as in Python.
        Some(_) if name == "log" && !rest.is_empty() => "log",
        Some((_, ours)) => ours,
        None => OF_NUMBERS.iter().find(|ours| **ours == name)?,
    };
    let needed = match ours {
        "powf" | "atan2" | "hypot" | "max" | "min" => 1,
        "log" => 1,
        _ => 0,
    };
    if rest.len() != needed {
        return None;
    }
    let of = typed_before_dot(of, true)?;
    let rest: Vec<String> = rest
        .iter()
        .map(|one| match one.parse::<i64>() {
            Ok(whole) => format!("{whole}.0"),
            Err(_) => (*one).to_owned(),
        })
        .collect();
    Some(format!(
        "it is a method: `{of}.{ours}({})`",
        rest.join(", ")
    ))
}

/// `x.mean_axis(0)` for `mean(x, axis=0)`.
fn method(name: &str, given: &str) -> Option<String> {
    let mut arguments = calls::arguments_of(given).into_iter();
    let first = arguments.next().unwrap_or("x");
    if is_of_literals(first) {
        return match (name, arguments.next()) {
            // Of a number and a tensor either may come first.
            ("maximum" | "minimum", Some(other)) if !is_of_literals(other) => {
                let of = before_dot(other)?;
                Some(format!("it is a method: `{of}.{name}({first})`"))
            }
            (_, Some(other)) if !is_of_literals(other) => None,
            _ => of_number(name, given),
        };
    }
    // What is no Rust needs advice of its own.
    let of = match before_dot(first) {
        Some(list) if list.starts_with('[') => format!("Tensor::from({list})"),
        of => of.unwrap_or("x".into()),
    };
    let rest: Vec<&str> = arguments.collect();
    let axis = rest.iter().find_map(|one| match one.split_once('=') {
        Some((name, axis)) => (name.trim() == "axis").then_some(axis.trim()),
        None => one.parse::<isize>().is_ok().then_some(*one),
    });
    Some(match name {
        "dot" | "matmul" if rest.iter().any(|one| one.starts_with('[')) => return None,
        "argmax" | "argmin" => format!("it is a method: `{of}.{name}({})`", axis.unwrap_or("-1")),
        name if REDUCTIONS.contains(&name) => match axis {
            Some(axis) => format!("it is a method: `{of}.{name}_axis({axis})`"),
            None => format!("it is a method: `{of}.{name}()`"),
        },
        "log" if rest.is_empty() && !first.contains('&') => {
            format!("it is a method: `{of}.log()` of a tensor, `{of}.ln()` of a number")
        }
        name if METHODS.contains(&name) => {
            format!("it is a method: `{of}.{name}({})`", rest.join(", "))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_python_are_told_in_rust() {
        let cases = [
            ("np.array([1, 2])", "`Tensor::from("),
            ("np.random.normal(0, 1, 5)", "`Tensor::normal("),
            ("np.mean(x, axis=0)", "`x.mean_axis(0)`"),
            ("np.mean(x)", "`x.mean()`"),
            ("np.argmax(p, axis=1)", "`p.argmax(1)`"),
            ("np.sqrt(a + b)", "`(a + b).sqrt()`"),
            ("keras.layers.Dense(3)", "`Dense::new(3)`"),
            (
                "layers.Dense(3, activation='relu')",
                "`Dense::new(3).activation(\"relu\")`",
            ),
            (
                "keras.optimizers.Adam(0.1)",
                "`Adam::new().learning_rate(0.1)`",
            ),
            (
                "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)",
                "`SGD::new().learning_rate(0.1).momentum(0.9)`",
            ),
            (
                "tf.keras.utils.to_categorical(y, 10)",
                "`to_categorical(y, 10)`",
            ),
            ("load_model(\"m.keras\")", "`Model::load("),
            ("math.pi", "PI"),
        ];
        for (call, said) in cases {
            let hint = said_here(call).unwrap_or_default();
            assert!(hint.contains(said), "{call}: {hint}");
        }
        assert_eq!(said_here("line"), None, "a variable of that name");
        assert_eq!(said_here("something(3)"), None);
        for of_variable in ["preds.mean()", "data.load()", "image.reshape([4])"] {
            assert_eq!(said_here(of_variable), None, "{of_variable}");
        }
    }
}
