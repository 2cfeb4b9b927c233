//! Arguments by name, as Python has them, and how the same is written here.

use super::calls::{OPTIMIZERS, arguments_of, by_reference, in_brackets, rest_of};
use crate::engine::diagnostics::{Diagnostic, Sources};
use crate::engine::habits;

/// Arguments that come by place here, whatever they are called in Keras; of two of one call, in this order.
const BY_PLACE: [&str; 15] = [
    "shape",
    "inputs",
    "outputs",
    "units",
    "filters",
    "kernel_size",
    "pool_size",
    "rate",
    "input_dim",
    "output_dim",
    "monitor",
    "filepath",
    "target_shape",
    "n",
    "filename",
];

/// `Dense::new(3).activation("relu")` for what stands in the brackets of `Dense(3, activation='relu')`.
pub(in crate::engine) fn made(name: &str, arguments: &str) -> String {
    let mut by_place = vec![];
    let mut settings = String::new();
    for argument in arguments_of(arguments) {
        match named(argument) {
            Some((name, value)) => match BY_PLACE.iter().position(|known| *known == name) {
                Some(place) => by_place.push((1 + place, value)),
                // So Keras called it until 2.3.
                None if name == "lr" => settings += &format!(".learning_rate({value})"),
                None => settings += &format!(".{name}({value})"),
            },
            None if OPTIMIZERS.contains(&name) => {
                settings += &format!(".learning_rate({})", value_of(argument))
            }
            None => by_place.push((0, value_of(argument))),
        }
    }
    // Keras's own default, which is said here.
    if by_place.is_empty() && ["EarlyStopping", "ReduceLROnPlateau"].contains(&name) {
        by_place.push((0, "\"val_loss\"".into()));
    }
    by_place.sort_by_key(|(place, _)| *place);
    let by_place: Vec<String> = by_place.into_iter().map(|(_, value)| value).collect();
    format!("{name}::new({}){settings}", by_place.join(", "))
}

/// Name and value of `activation='relu'`, the value as Rust writes it.
fn named(argument: &str) -> Option<(&str, String)> {
    let (name, value) = argument.split_once('=')?;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let name = name.trim();
    (!name.is_empty() && name.chars().all(word) && !value.starts_with('='))
        .then(|| (name, value_of(value)))
}

/// A value of Python's as Rust writes it.
fn value_of(value: &str) -> String {
    match value.trim() {
        "True" => "true".into(),
        "False" => "false".into(),
        tuple if tuple.starts_with('(') && tuple.ends_with(",)") => {
            format!("[{}]", &tuple[1..tuple.len() - 2])
        }
        text if text.starts_with('"') => text.to_owned(),
        // `Adam(learning_rate=0.01)`, or `keras.optimizers.Adam(…)`.
        text if text.ends_with(')')
            && let Some((path, rest)) = text.split_once('(')
            && let Some(name) = path.rsplit('.').next()
            && name.starts_with(char::is_uppercase)
            && name.chars().all(char::is_alphanumeric)
            && in_brackets(&text[path.len()..]) == rest.strip_suffix(')') =>
        {
            made(name, &rest[..rest.len() - 1])
        }
        text => text.replace('\'', "\""),
    }
}

/// A setting of `fit` as a method.
fn setting(name: &str, value: &str) -> String {
    let within = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
    match (name, within('[', ']'), within('(', ')')) {
        ("callbacks", Some(list), _) => {
            let each = arguments_of(list).into_iter();
            each.map(|one| format!(".callback({one})")).collect()
        }
        ("validation_data", _, Some(pair)) => {
            let each: Vec<String> = arguments_of(pair).into_iter().map(by_reference).collect();
            format!(".validation_data({})", each.join(", "))
        }
        _ => format!(".{name}({value})"),
    }
}

/// The text from the call on that the error stands within the brackets of, and what is called: `np.mean(x, axis=0)` and
/// `np.mean`.
pub(super) fn call_around<'a>(
    error: &Diagnostic,
    sources: &Sources<'a>,
) -> Option<(&'a str, &'a str)> {
    let (code, at) = rest_of(error, sources)?;
    let mut depth = 0;
    let open = without_comments(code)[..at]
        .char_indices()
        .rev()
        .find_map(|(at, letter)| {
            match letter {
                ')' | ']' => depth += 1,
                '(' | '[' if depth > 0 => depth -= 1,
                '(' => return Some(at),
                _ => {}
            }
            None
        })?;
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == '.');
    let function = code[..open].rsplit(ends).next().unwrap_or_default();
    Some((&code[open - function.len()..], function))
}

/// A text with blanks for its comments, as long as it was.
pub(super) fn without_comments(code: &str) -> String {
    let mut text = String::with_capacity(code.len());
    let (mut quoted, mut escaped, mut rest) = (false, false, code);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            _ if quoted => letter.len_utf8(),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => letter.len_utf8(),
        };
        match length > letter.len_utf8() {
            true => text.extend(std::iter::repeat_n(' ', length)),
            false => text.push(letter),
        }
        quoted ^= letter == '"' && !escaped;
        escaped = quoted && letter == '\\' && !escaped;
        rest = &rest[length..];
    }
    text
}

/// A call with arguments by name, as it is written here: `Dense::new(units=3)`, `model.fit(&x, &y, epochs=5)`.
pub(in crate::engine) fn without_names(
    error: &Diagnostic,
    sources: &Sources<'_>,
) -> Option<String> {
    let (call, function) = call_around(error, sources)?;
    let call = without_comments(call);
    let given = in_brackets(&call)?;
    let arguments = arguments_of(given);
    if let Some(written) = habits::plot_without_names(function, given) {
        return Some(written);
    }
    let of_type = function.strip_suffix("::new").unwrap_or(function);
    if of_type.starts_with(char::is_uppercase) && !of_type.contains(':') {
        return Some(made(of_type, given));
    }
    let value = |wanted: &str, place: usize| {
        let by_name = arguments
            .iter()
            .find_map(|one| named(one).filter(|(name, _)| *name == wanted));
        let by_place = arguments.get(place).filter(|one| named(one).is_none());
        by_name
            .map(|(_, value)| value)
            .or(by_place.map(|one| (*one).to_owned()))
    };
    if function.ends_with(".compile") {
        let (optimizer, loss) = (value_of(&value("optimizer", 0)?), value("loss", 1)?);
        let metrics = value("metrics", 2).unwrap_or("Metrics::none()".into());
        return Some(format!("{function}({optimizer}, {loss}, {metrics})?"));
    }
    if function.ends_with(".fit") {
        let (x, y) = (value("x", 0)?, value("y", 1)?);
        let settings = arguments.iter().filter_map(|one| named(one));
        let settings = settings.filter(|(name, _)| !["x", "y", "epochs"].contains(name));
        let settings: String = settings
            .map(|(name, value)| setting(name, &value))
            .collect();
        let epochs = value("epochs", 2).unwrap_or("1".into());
        return Some(format!(
            "{function}({}, {}, Fit::epochs({epochs}){settings})?",
            by_reference(&x),
            by_reference(&y)
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_blanks() {
        let code = "f(a=1, // (one\n  \"// \\\" b\", /* é) */ c)";
        let text = without_comments(code);
        assert_eq!(text.len(), code.len());
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["f(a=1,", "\"//", "\\\"", "b\",", "c)"]);
    }

    #[test]
    fn what_keras_makes_is_made_here() {
        let cases = [
            (
                "Dense",
                "units=3, activation='relu'",
                "Dense::new(3).activation(\"relu\")",
            ),
            (
                "LSTM",
                "32, return_sequences=True",
                "LSTM::new(32).return_sequences(true)",
            ),
            (
                "Dense",
                "3, input_shape=(784,)",
                "Dense::new(3).input_shape([784])",
            ),
        ];
        let more = [
            ("Input", "shape=(784,)", "Input::new([784])"),
            ("Conv2D", "kernel_size=3, filters=32", "Conv2D::new(32, 3)"),
            (
                "Embedding",
                "output_dim=8, input_dim=1000",
                "Embedding::new(1000, 8)",
            ),
            (
                "EarlyStopping",
                "patience=5",
                "EarlyStopping::new(\"val_loss\").patience(5)",
            ),
            (
                "SGD",
                "0.01, momentum=0.9",
                "SGD::new().learning_rate(0.01).momentum(0.9)",
            ),
            ("Model", "inputs=&a, outputs=&b", "Model::new(&a, &b)"),
            ("RMSprop", "lr=0.001", "RMSprop::new().learning_rate(0.001)"),
            (
                "Bidirectional",
                "layers.LSTM(32, return_sequences=True)",
                "Bidirectional::new(LSTM::new(32).return_sequences(true))",
            ),
        ];
        for (name, given, written) in cases.into_iter().chain(more) {
            assert_eq!(made(name, given), written);
        }
        assert_eq!(
            setting("validation_data", "(a, b)"),
            ".validation_data(&a, &b)"
        );
        assert_eq!(
            setting("callbacks", "[f(1, 2), g]"),
            ".callback(f(1, 2)).callback(g)"
        );
        assert_eq!(setting("batch_size", "32"), ".batch_size(32)");
    }
}
