//! Names of Python's libraries, and what is written here for them.

/// Names that stand before a dot in Python.
pub(in crate::engine::hints) const LIBRARIES: [&str; 19] = [
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
pub(in crate::engine::hints) const PARTS: [&str; 13] = [
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
pub(in crate::engine::hints) const RENAMED: [(&str, &str); 9] = [
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
pub(in crate::engine::hints) const OF_NUMBERS: [&str; 17] = [
    "abs", "atan2", "ceil", "cos", "cosh", "exp", "exp2", "floor", "hypot", "log10", "log2", "max",
    "min", "sin", "sqrt", "tan", "tanh",
];

/// Functions, and what is written here for them; `x`, `a` and `b` are tensors.
pub(in crate::engine::hints) const FUNCTIONS: &[(&[&str], &str)] = &[
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
pub(in crate::engine::hints) const METHODS: [&str; 41] = [
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
pub(in crate::engine::hints) const REDUCTIONS: [&str; 8] =
    ["sum", "mean", "max", "min", "std", "var", "prod", "norm"];

#[cfg(test)]
mod tests {
    use super::*;

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
