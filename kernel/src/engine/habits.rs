//! What those write who come from Python and Keras, and how it is said here.

mod functions;
mod plots;
pub(super) mod values;

use super::diagnostics::{Diagnostic, Sources};
use super::hints::calls::{OPTIMIZERS, arguments_of, in_brackets, printed, rest_of};
use super::hints::quoted;
pub(super) use functions::function;
use functions::range;
pub(super) use plots::without_names as plot_without_names;

/// Where the names of the data sets are: the library declares each as a public module.
const DATASETS: &str = include_str!("../../../dlcore/src/datasets/mod.rs");

/// How some of many sequences are taken.
pub(super) const SOME_SEQUENCES: &str =
    "the first of them: `data.slice(..2000)`; the rows themselves: `data.rows()`";

/// What a data set is made of.
pub(super) const DATA_SET: &str = "a data set has named parts: `let data = datasets::mnist::load()?;`, then `data.train_images`, \
    `data.train_labels`, `data.test_images`, `data.test_labels`";

/// How a column of a table is taken.
pub(super) const COLUMN: &str = "a column is a tensor: `table.column(\"age\")?`, several side by side \
    `table.columns([\"age\", \"height\"])?`, a column of text `table.text(\"name\")?`";

/// For `gradients(&x, &y)`.
pub(super) const CLOSURE: &str = "the loss is computed in a function of the model: \
    `model.gradients(|model| (model.forward(&x, true) - &y).square().mean())?`";

/// `one_hot` is Keras's function of a text.
pub(super) const ONE_HOT: &str = "labels become rows of 0 and 1 by `to_categorical(&labels, 10)`; `one_hot` numbers the words of a text";

/// How classes are weighted.
pub(super) fn class_weight(given: &str) -> String {
    let list = given.trim_start_matches("vec!").strip_prefix('[');
    let list = list.and_then(|list| list.strip_suffix(']'));
    let weights = arguments_of(list.unwrap_or_default()).into_iter();
    let pairs: Vec<String> = weights
        .enumerate()
        .map(|(class, weight)| match weight.parse::<i64>() {
            Ok(whole) => format!("({class}, {whole}.0)"),
            Err(_) => format!("({class}, {weight})"),
        })
        .collect();
    match pairs.is_empty() || pairs.iter().any(|pair| pair.contains(", (")) {
        true => "each class stands with its weight: `.class_weight([(0, 1.0), (1, 5.0)])`".into(),
        false => format!(
            "each class stands with its weight: `.class_weight([{}])`",
            pairs.join(", ")
        ),
    }
}

/// `x[0, 1]` and `x[:, 0]`, which are no Rust.
pub(super) fn index(message: &str, error: &Diagnostic, sources: &Sources<'_>) -> Option<String> {
    if !message.starts_with("expected ") {
        return None;
    }
    let (code, at) = rest_of(error, sources)?;
    let (name, inside) = index_at(code, at)?;
    let parts: Vec<String> = inside
        .split(',')
        .map(|part| part.trim().replace(':', ".."))
        .collect();
    let parts = match parts.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    Some(format!(
        "parts of a tensor are taken with slice: `{name}.slice({parts})`{}",
        match parts.starts_with('(') {
            true => String::new(),
            false => format!("; of a vector `{name}[{parts}]`"),
        }
    ))
}

/// What is indexed, and by what, where a byte of a cell stands in the brackets of an index, or right behind them: `x` and
/// `0, 1` of `x[0, 1]`.
fn index_at(code: &str, at: usize) -> Option<(&str, &str)> {
    let mut depth = 0;
    let open = code
        .get(..at)?
        .char_indices()
        .rev()
        .find_map(|(at, letter)| {
            match letter {
                ')' | ']' | '}' => depth += 1,
                '(' | '[' | '{' if depth > 0 => depth -= 1,
                '(' | '{' | ';' => return Some(None),
                '[' => return Some(Some(at)),
                _ => {}
            }
            None
        })??;
    let name = code[..open]
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .filter(|name| !name.is_empty())?;
    let inside = code[open + 1..].split(']').next()?;
    let is_index = !inside.contains(['\n', ';']) && inside.contains([',', ':']);
    is_index.then_some((name, inside))
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
    if message.contains("`Table`") {
        return of_table(text)
            .or_else(|| Some(format!("a column is a tensor: `table.column(\"{text}\")?`")));
    }
    let of_model = message.contains("`Sequential`") || message.contains("`Model`");
    match text {
        "weights" | "trainable_weights" if of_model => {
            return Some("the weights are `model.get_weights()`".into());
        }
        "optimizer" if of_model => {
            let said = "the optimizer is given to `compile`; while it trains, callbacks change the learning rate, as \
                        `LearningRateScheduler` does";
            return Some(said.into());
        }
        _ => {}
    }
    if ["size", "nelement"].contains(&text) && message.contains("`Tensor`") {
        return Some("the number of elements is `x.len()`".into());
    }
    if text == "T" && message.contains("`Tensor`") {
        return Some("it is a method: `x.transpose()`".into());
    }
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

/// What tables of pandas have, and how it is said here.
pub(super) fn of_table(text: &str) -> Option<String> {
    Some(match text {
        "head" | "info" => "a table that ends a cell shows its first rows: `table`".into(),
        "shape" | "len" => "a table says `table.rows()` and `table.names().len()`".into(),
        "columns" => "the names of the columns are `table.names()`; some of them side by side are a tensor, \
            `table.columns([\"age\", \"height\"])?`"
            .into(),
        "describe" => "columns are tensors, which have it: `table.column(\"age\")?.mean()`, `.std()`, `.min()`, `.max()`".into(),
        "dropna" => "it is called `drop_missing` here".into(),
        "fillna" => "it is called `fill_missing(0.0)` here, for texts `fill_missing(\"unknown\")`; `fill_missing_in(\"age\", 0.0)?` \
            fills one column, `fill_missing_by_mean()` takes each column's mean"
            .into(),
        "get_dummies" | "value_counts" | "unique" | "nunique" | "groupby" => "a column of texts is numbered by \
            `let (numbers, names) = table.classes(\"city\")?;`, and `to_categorical(&numbers, names.len())` makes a column of each"
            .into(),
        "isnull" | "isna" => "it is called `missing` here".into(),
        "values" | "to_numpy" => "its columns become a tensor by `table.all_numbers()?`".into(),
        "to_csv" | "save" | "write_csv" | "write" | "to_excel" => "it is called `save_csv(\"data.csv\")?` here".into(),
        "slice" => "rows are taken of tensors: `table.all_numbers()?.slice(..2)`, `table.column(\"age\")?.slice(..2)`".into(),
        "get" | "loc" | "iloc" => COLUMN.into(),
        _ => return None,
    })
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
        return Some(
            "the likeliest class of each: `.predict(&x)?.argmax(-1)`; where one unit says how likely it is: \
             `.predict(&x)?.greater(0.5)`"
                .into(),
        );
    }
    if of == "Sequences" || message.contains("`Sequences` is not an iterator") {
        return Some(SOME_SEQUENCES.into());
    }
    if message.contains("unit type `()`")
        && ["fit", "summary", "predict", "evaluate", "save", "compile"].contains(&text)
    {
        return Some(
            "`compile` changes the model and returns nothing: bind the model by `let mut model = …;` first, then \
             `model.compile(…)?;`"
                .into(),
        );
    }
    if let Some(said) = plots::method(of, text) {
        return Some(said);
    }
    if text == "pop" && ["Sequential", "Model"].contains(&of) {
        return Some(
            "a model up to the layer before the last is `Model::new(model.inputs()?, &model.layer_output(\"dense\")?)?`, by the \
             name that `model.summary()` has for it"
                .into(),
        );
    }
    if of == "History" && text == "save" {
        return Some("its chart is kept by `history.plot().save(\"history.png\")?`".into());
    }
    if message.contains("for type `bool`") && ["mean", "sum", "all", "any", "cast"].contains(&text)
    {
        return Some(
            "`==` asks whether two tensors are the same as a whole; number by number asks `a.equal(&b)`, and \
             `a.equal(&b).mean()` is the share"
                .into(),
        );
    }
    if ["Loss", "Metric"].contains(&of) && text == "new" {
        let kind = of.to_lowercase();
        let example = if of == "Loss" {
            "mean_squared_error"
        } else {
            "accuracy"
        };
        return Some(format!(
            "each {kind} is made by a function of its own: `{of}::{example}()`, or chosen by name: `\"{example}\"`"
        ));
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
    let line = sources.line_of(error)?.trim();
    if message == "format argument must be a string literal" {
        let call = line.find("println!(").or(line.find("print!("))?;
        return Some(printed(in_brackets(&line[call..])?));
    }
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
    if message.starts_with("negative integers cannot be used to index") {
        return Some("positions count from the front; the last is `.last()`, or `v[v.len() - 1]`; of a tensor `x.get(-1)`".into());
    }
    if line.contains("class_weight") && line.contains('{') {
        return Some(class_weight(""));
    }
    if line.contains("{\"") && message.ends_with("found `:`") {
        return Some(
            "a dictionary is `std::collections::HashMap::from([(\"a\", 1), (\"b\", 2)])`".into(),
        );
    }
    if line.contains('[')
        && line.contains(" for ")
        && line.contains(" in ")
        && !line.starts_with("for ")
    {
        return Some(
            "a list is made of another by `xs.iter().map(|x| x * 2.0).collect::<Vec<_>>()`".into(),
        );
    }
    if line.contains("lambda ") {
        return Some("a function without a name is written `|x| x + 1.0`".into());
    }
    None
}

/// An argument of the right value for Python and the wrong one here: E0308.
pub(super) fn argument(function: &str, given: &str) -> Option<String> {
    if function == "verbose" {
        return Some(
            "it is a number: `verbose(0)` shows nothing, 1 the curves, 2 a line an epoch".into(),
        );
    }
    if function == "one_hot" {
        return Some(ONE_HOT.into());
    }
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
    fn an_index_is_one_that_the_error_stands_in() {
        let at = |code: &str, mark: &str| {
            index_at(code, code.find(mark).unwrap())
                .map(|(name, inside)| format!("{name}: {inside}"))
        };
        assert_eq!(at("let a = x[0, 1];", ", 1").as_deref(), Some("x: 0, 1"));
        assert_eq!(at("x.f(y[:, 0])", ":").as_deref(), Some("y: :, 0"));
        assert_eq!(at("let a = m[[0, 1]]; let b = 1 2;", "2;"), None);
        assert_eq!(at("let a = x[0, 1]\nlet b = f(1 2);", "2)"), None);
        assert_eq!(at("f([0, 1], 1 2)", "2)"), None);
        assert_eq!(at("x[f(0, 1 2)]", "2)"), None);
    }

    #[test]
    fn classes_stand_with_their_weights() {
        assert!(class_weight("[1.0, 5]").ends_with("`.class_weight([(0, 1.0), (1, 5.0)])`"));
        assert!(class_weight("&weights").ends_with("`.class_weight([(0, 1.0), (1, 5.0)])`"));
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
