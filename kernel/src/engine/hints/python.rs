//! What Python's libraries call something, and how the same is written here.

use super::{by_name, calls};
use crate::engine::habits::values::{before_dot, is_of_literals, typed_before_dot};

/// What a notebook sees without an import.
const PRELUDE: &str = include_str!("../../../../dlcore/src/prelude.rs");

/// Names that stand before a dot in Python.
const LIBRARIES: [&str; 19] = [
    "np",
    "numpy",
    "keras",
    "tf",
    "tensorflow",
    "torch",
    "plt",
    "matplotlib",
    "pd",
    "pandas",
    "sns",
    "seaborn",
    "math",
    "sklearn",
    "scipy",
    "jnp",
    "jax",
    "K",
    "tfds",
];

/// Parts of the libraries that are imported by themselves.
const PARTS: [&str; 13] = [
    "layers",
    "models",
    "optimizers",
    "callbacks",
    "datasets",
    "initializers",
    "regularizers",
    "utils",
    "ops",
    "random",
    "time",
    "files",
    "plot",
];

/// Functions of numbers that are called otherwise here; the rest of them is in `OF_NUMBERS`.
const RENAMED: [(&str, &str); 9] = [
    ("log", "ln"),
    ("log1p", "ln_1p"),
    ("expm1", "exp_m1"),
    ("pow", "powf"),
    ("power", "powf"),
    ("fabs", "abs"),
    ("absolute", "abs"),
    ("maximum", "max"),
    ("minimum", "min"),
];

/// Functions of numbers that are methods of the same name here.
const OF_NUMBERS: [&str; 17] = [
    "abs", "atan2", "ceil", "cos", "cosh", "exp", "exp2", "floor", "hypot", "log10", "log2", "max",
    "min", "sin", "sqrt", "tan", "tanh",
];

/// Functions, and what is written here for them; `x`, `a` and `b` are tensors.
const FUNCTIONS: &[(&[&str], &str)] = &[
    (
        &[
            "array",
            "asarray",
            "constant",
            "convert_to_tensor",
            "tensor",
        ],
        "a tensor of numbers is made by `Tensor::from([1.0, 2.0])`",
    ),
    (&["zeros"], "it is written `Tensor::zeros([2, 3])`"),
    (&["ones"], "it is written `Tensor::ones([2, 3])`"),
    (
        &["full", "fill"],
        "it is written `Tensor::full([2, 3], 0.5)`",
    ),
    (&["eye", "identity"], "it is written `Tensor::eye(3)`"),
    (
        &["arange"],
        "it is written `Tensor::arange(0.0, 10.0, 1.0)`",
    ),
    (
        &["linspace"],
        "it is written `Tensor::linspace(0.0, 1.0, 11)`",
    ),
    (
        &["normal", "randn", "standard_normal"],
        "random numbers are made by `Tensor::normal([2, 3], 0.0, 1.0)`, the mean and the deviation last",
    ),
    (
        &["uniform", "rand", "random"],
        "random numbers are made by `Tensor::uniform([2, 3], 0.0, 1.0)`, between the last two",
    ),
    (
        &["randint", "integers"],
        "random whole numbers are made by `Tensor::randint([2, 3], 0, 10)`, 10 not among them",
    ),
    (
        &["shuffle", "permutation"],
        "it is a method: `x.shuffle()` returns the rows in another order",
    ),
    (
        &["seed", "set_random_seed", "manual_seed", "default_rng"],
        "it is written `set_seed(42)`",
    ),
    (
        &["concatenate", "concat", "cat", "hstack", "vstack", "append"],
        "tensors are joined by `Tensor::concat(&[&a, &b], 0)` along an axis that there is, outputs of layers by \
         `Concatenate::new().on([&a, &b])`",
    ),
    (
        &["stack"],
        "tensors are stacked along a new axis by `Tensor::stack(&[&a, &b], 0)`",
    ),
    (
        &["where"],
        "it is written `Tensor::where_(&x.greater(0.5), &a, &b)`",
    ),
    (
        &["load_model"],
        "a model is read by `Model::load(\"model.keras\")?`, or by `Sequential::load` where it is a stack of layers",
    ),
    (
        &["load"],
        "an array is read by `Tensor::load_npy(\"x.npy\")?`, a model by `Model::load(\"model.keras\")?`",
    ),
    (
        &["save", "savez"],
        "it is a method: `x.save_npy(\"x.npy\")?`, `model.save(\"model.keras\")?`",
    ),
    (
        &["read_csv", "loadtxt", "genfromtxt", "read_table"],
        "a table is read by `files::read_csv(\"data.csv\")?`, and its columns become a tensor by `table.all_numbers()?`",
    ),
    (
        &["DataFrame", "Series"],
        "a table of columns is made by `Table::new().with(\"age\", &x)?`",
    ),
    (
        &["plot", "line", "lineplot"],
        "a history is drawn by `history.plot()`, other curves by `plot::curves([(\"loss\", &x)])?`",
    ),
    (
        &["scatter", "scatterplot"],
        "it is written `plot::scatter(&x, &y)?`",
    ),
    (
        &["imshow", "matshow", "imread"],
        "a tensor is shown as a picture by `plot::image(&x)`, several by `plot::images(&x)?`",
    ),
    (
        &["hist", "histplot"],
        "it is written `plot::histogram(&x)?`",
    ),
    (
        &["bar", "barplot", "barh"],
        "it is written `plot::bars([\"a\", \"b\"], &x)?`",
    ),
    (
        &[
            "figure",
            "show",
            "subplot",
            "subplots",
            "legend",
            "xlabel",
            "ylabel",
            "title",
            "savefig",
            "tight_layout",
            "grid",
            "xlim",
            "ylim",
        ],
        "a plot is shown where it ends a cell, or by `display(&plot)`; title and labels are methods, \
         `plot::scatter(&x, &y)?.title(\"…\").x_label(\"…\")`, and `.save(\"plot.png\")?` keeps it",
    ),
    (
        &["load_data"],
        "a data set is read by `let mnist = datasets::mnist::load()?;`; its parts are `mnist.train_images`, \
         `mnist.train_labels`, `mnist.test_images`, …, which the set shows as the last line of a cell",
    ),
    (&["plot_model"], "it is a method: `model.plot()`"),
    (
        &["confusion_matrix"],
        "it is written `plot::confusion_matrix(&y_true, &y_pred)?`",
    ),
    (
        &["accuracy_score"],
        "a metric is called by `Metric::accuracy().call(&y_true, &y_pred)?`, a model by `model.evaluate(&x, &y)?`",
    ),
    (
        &["StandardScaler", "MinMaxScaler"],
        "a column is standardized by `(&x - x.mean_axis(0)) / x.std_axis(0)`, or by the layer `Normalization`, which keeps \
         mean and variance with the model",
    ),
    (
        &["time", "perf_counter"],
        "`:time x.dot(&y)` says how long something takes; a clock is `std::time::Instant::now()`, asked by `.elapsed()`",
    ),
    (&["pi"], "it is `std::f64::consts::PI`"),
    (&["nan"], "it is `f64::NAN`"),
    (&["inf"], "it is `f64::INFINITY`"),
    (&["newaxis"], "an axis is added by `x.expand_dims(-1)`"),
    (
        &["sorted"],
        "a tensor is sorted by `x.sort(-1)`, a vector in place by `v.sort()`, of floats by `v.sort_by(f64::total_cmp)`",
    ),
    (
        &["help", "dir"],
        "`:doc Tensor` says what it is and which methods it has; `:help` is about this kernel",
    ),
    (
        &["exit", "quit"],
        "the kernel is ended by JupyterLab's menu (Kernel, Shut Down); `:restart` begins the session anew",
    ),
    (&["GradientTape"], "a tape is made by `GradientTape::new()`"),
];

/// Functions of tensors that are methods here.
const METHODS: [&str; 41] = [
    "abs",
    "argsort",
    "boolean_mask",
    "cast",
    "clip",
    "cos",
    "cumsum",
    "dot",
    "exp",
    "expand_dims",
    "flatten",
    "flip",
    "greater",
    "less",
    "log",
    "logical_not",
    "matmul",
    "maximum",
    "minimum",
    "one_hot",
    "pad",
    "power",
    "relu",
    "repeat",
    "reshape",
    "round",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "take",
    "tanh",
    "tile",
    "transpose",
    "unique",
    "zeros_like",
];

/// Methods that have a twin for axes: `mean_axis(0)`.
pub(super) const REDUCTIONS: [&str; 8] =
    ["sum", "mean", "max", "min", "std", "var", "prod", "norm"];

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

/// A line that is no Rust but a habit of notebooks in Python.
pub(super) fn line(line: &str) -> Option<String> {
    let first = line.split([' ', '(', ':']).next().unwrap_or_default();
    if is_comment(line) {
        return Some("a comment begins with `//` in Rust".into());
    }
    if line.starts_with("%matplotlib") {
        return Some("leave it out: plots show themselves".into());
    }
    if line.starts_with("%time") {
        return Some("commands begin with a colon: `:time x.dot(&y)` says how long something takes (`:help` lists them)".into());
    }
    if line.starts_with('%') {
        return Some("commands of this kernel begin with a colon: `:help` lists them".into());
    }
    if line.starts_with("!pip") || line.starts_with("pip ") || line.starts_with("!conda") {
        return Some("nothing needs to be installed; a crate is added by `:dep rand = \"0.9\"` at the head of a cell".into());
    }
    if line.starts_with('!') {
        return Some(SHELL.into());
    }
    let said = match first {
        "def" => "a function is written `fn half(x: f64) -> f64 { x / 2.0 }`",
        "class" => {
            "a type of your own is a `struct`, its methods stand in an `impl`; `:doc Layer` shows a layer of your own"
        }
        "import" | "from" => {
            "nothing needs to be imported: everything of dlcore is in reach (`:help`)"
        }
        "del" => "a variable goes by `drop(x);`",
        "with" => {
            "there is no `with`: what was opened is closed at the end of its block `{ … }`; a tape is `GradientTape::new()`"
        }
        "try" => {
            "what may fail returns a Result: `?` behind it ends the cell with the error, `match` looks at both"
        }
        "assert" => "it is a macro: `assert!(x.len() == 3);`, `assert_eq!(x.shape(), [3]);`",
        _ => return None,
    };
    Some(said.into())
}

/// Whether a line has a comment of Python's: a `#` that stands in no text and begins no attribute.
fn is_comment(line: &str) -> bool {
    let (mut text, mut escaped, mut before) = (None, false, ' ');
    for (at, letter) in line.char_indices() {
        let rest = &line[at + letter.len_utf8()..];
        match (text, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if letter == open => text = None,
            (Some(_), _) => {}
            (None, '"') => text = Some('"'),
            (None, '\'') if rest.contains('\'') => text = Some('\''),
            (None, '/') if rest.starts_with('/') => return false,
            (None, '#') if before.is_whitespace() || before == ';' => {
                return !rest.starts_with(['[', '!', '"']);
            }
            _ => {}
        }
        before = letter;
    }
    false
}

/// `!ls`, which Rust reads as a negation.
pub(super) const SHELL: &str =
    "cells run no commands of the shell: open a terminal beside the notebook (File, New, Terminal)";

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

    #[test]
    fn comments_of_python_stand_in_no_text() {
        for line in [
            "# all",
            "let q = 1; # one",
            "let q = \"a\"; # one",
            "f(x) #one",
        ] {
            assert!(is_comment(line), "{line}");
        }
        for line in [
            "let label = \"Run # 1\"",
            "#[derive(Debug)]",
            "#![allow(unused)]",
            "let q = 1; // # one",
            "let q = r#\"a # b\"#;",
            "let q = \"a \\\" # b\";",
        ] {
            assert!(!is_comment(line), "{line}");
        }
    }

    #[test]
    fn names_stand_once() {
        let mut names: Vec<&str> = FUNCTIONS
            .iter()
            .flat_map(|(names, _)| *names)
            .copied()
            .collect();
        names.extend(METHODS);
        names.extend(REDUCTIONS);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
