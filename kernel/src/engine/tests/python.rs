//! What those write who know Keras, NumPy and notebooks in Python: each gets a line that says how it is written here.

use super::mistakes::{check, plain};
use super::*;

/// A cell, the error's name, and what solves it.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Calls as in Keras.
    (
        "let input = Input::new([8]); let h = Dense::new(1)(&input);",
        "E0618",
        "`Dense::new(1).on(&input)`",
    ),
    (
        "let (a, b) = (Input::new([8]), Input::new([8])); let c = Concatenate::new()([a, b]);",
        "E0618",
        "`Concatenate::new().on([&a, &b])`",
    ),
    (
        "let (a, b) = (Input::new([8]), Input::new([8])); let c = Concatenate::new().on(&a, &b);",
        "E0061",
        "`.on([&a, &b])`",
    ),
    (
        "let a = Input::new([8]); let h = Dense::new(1).on(a);",
        "E0277",
        "put `&` in front: `&a`",
    ),
    ("network(&x)", "E0618", "`network.predict(&x)?`"),
    (
        "network.fit(&x, &labels, Fit::epochs(1).callbacks([EarlyStopping::new(\"loss\"), CSVLogger::new(\"l.csv\")]))?;",
        "E0308",
        "`.callback(EarlyStopping::new(\"loss\")).callback(CSVLogger::new(\"l.csv\"))`",
    ),
    (
        "network.fit(&x, &labels, Fit::epochs(1).callbacks(vec![EarlyStopping::new(\"loss\")]))?;",
        "E0308",
        "`.callback(EarlyStopping::new(\"loss\"))`",
    ),
    (
        "EarlyStopping::new(monitor=\"val_loss\", patience=3);",
        "E0425",
        "`EarlyStopping::new(\"val_loss\").patience(3)`",
    ),
    (
        "network.compile(optimizer=\"adam\", loss=\"mse\", metrics=[\"mae\"])?;",
        "E0425",
        "`network.compile(\"adam\", \"mse\", [\"mae\"])?`",
    ),
    (
        "network.fit(x, labels, epochs=5, batch_size=32)?;",
        "E0425",
        "`network.fit(&x, &labels, Fit::epochs(5).batch_size(32))?`",
    ),
    (
        "network.compile(\"adam\", \"mse\", [\"mae\", Metric::auc()])?;",
        "E0308",
        "`[Metric::from(\"mae\"), Metric::auc()]`",
    ),
    (
        "network.compile(\"adam\", Loss::new(\"mse\"), [\"mae\"])?;",
        "E0599",
        "`Loss::mean_squared_error()`",
    ),
    (
        "network.compile(\"adam\", \"mse\", [\"r2\"])?;",
        "ValueError",
        "did you mean \"r2_score\"?",
    ),
    (
        "network.fit(&x, &labels, Fit::epochs(1).verbose(false))?;",
        "E0308",
        "`verbose(0)` shows nothing",
    ),
    (
        "let (loss, acc) = network.evaluate(&x, &labels)?;",
        "E0308",
        "`scores[\"accuracy\"]`",
    ),
    (
        "let (train, test) = train_test_split(&x, &x, 0.2)?;",
        "E0308",
        "`let (x_train, x_test, y_train, y_test) = …`",
    ),
    (
        "let q = Sequential::new(); for units in [8, 4] { q.add(Dense::new(units)); }",
        "E0382",
        "`q.push(…);`, with `let mut q`",
    ),
    (
        "let mut c = Sequential::new().add(Conv2D::new(4, 3).input_shape([8, 8, 1])).add(Dense::new(4).activation(\"softmax\"));\nc.compile(\"adam\", \"categorical_crossentropy\", [\"accuracy\"])?;\nc.fit(&Tensor::ones([64, 8, 8, 1]), &to_categorical(&labels, 4), Fit::epochs(1))?;",
        "ShapeError",
        "put Flatten::new() or GlobalAveragePooling2D::new() before it",
    ),
    // Names of Python's libraries, and names of nothing.
    ("plot::line(&x)", "E0425", "`plot::curves(["),
    ("plot::nonsense(&x)", "E0425", "`:doc plot`"),
    ("read_csv(\"x.csv\")?", "E0425", "`files::read_csv("),
    (
        "let m = load_model(\"x.keras\")?;",
        "E0425",
        "`Model::load(",
    ),
    (
        "concatenate([&x, &x])",
        "E0425",
        "`Tensor::concat(&[&a, &b], 0)`",
    ),
    ("np.array([1, 2])", "E0425", "`Tensor::from("),
    ("np::mean(&x, axis=0)", "E0425", "`x.mean_axis(0)`"),
    (
        "keras.layers.Dense(3, activation=\"relu\")",
        "E0425",
        "`Dense::new(3).activation(\"relu\")`",
    ),
    ("layers.Dense(3)", "E0423", "`Dense::new(3)`"),
    (
        "datasets::mnist::load_data()?",
        "E0425",
        "`let mnist = datasets::mnist::load()?;`",
    ),
    ("plt.show()", "E0425", "`display(&plot)`"),
    (
        "nothing_of_that_name",
        "E0425",
        "no cell that was run in this session defines",
    ),
    ("nowhere::f()", "E0433", "`:dep nowhere`"),
    // Parts.
    (
        "let s = Sequences::new(vec![vec![1], vec![2]]); s[..1]",
        "E0308",
        "`data.slice(..2000)`",
    ),
    ("x.T", "E0609", "`x.transpose()`"),
    ("x.mean(0)", "E0061", "`.mean_axis(0)`"),
    ("x.mean(axis=0)", "E0425", "`.mean_axis(0)`"),
    ("np.argmax(&x, axis=1)", "E0425", "`x.argmax(1)`"),
    ("x.argmax()", "E0061", "`.argmax(-1)`"),
    (
        "(x.argmax(1) == labels).mean()",
        "E0599",
        "`a.equal(&b).mean()`",
    ),
    ("network.predict(&x)[0]", "E0608", "put `?` behind"),
    (
        "Tensor::zeros([2, 3], DType::F64)",
        "E0061",
        "`Tensor::zeros([2, 3]).cast(DType::F64)`",
    ),
    (
        "plot::histogram(vec![1, 2])",
        "E0308",
        "`&Tensor::from(vec![1, 2])`",
    ),
    ("network.weights", "E0609", "`model.get_weights()`"),
    ("for row in x { }", "E0277", "`&x`"),
    (
        "let one = x.slice(0).to_vec()[0] + 1;",
        "E0277",
        "`1.0` instead of `1`",
    ),
    ("max(1, 2)", "E0425", "`1.max(2)`"),
    ("x.cast(\"float32\")", "E0308", "`DType::F32`"),
    ("x.size", "E0609", "`x.len()`"),
    ("let z: Vec<f32> = x.into();", "E0277", "`x.to_vec()`"),
    ("x.shape()[-1]", "error", "`x.get(-1)`"),
    ("history[\"loss\"]", "E0608", "`.get(\"loss\")`"),
    ("plot::curves(&history)", "E0277", "`history.plot()`"),
    ("plot::curves([vec![1.0]])", "E0271", "plot::curves([("),
    ("network.predict(&v)?", "E0277", "one row a sample"),
    (
        "Sequential::new().add(\"dense\");",
        "E0277",
        "`.add(Dense::new(32)",
    ),
    ("Sequential::new().add(Dense);", "E0423", "`Dense::new(…)`"),
    (
        "Sequential::new().add(Dense::new(3), Dense::new(2));",
        "E0061",
        "`.add(…).add(Dense::new(2))`",
    ),
    (
        "let m = Sequential::new().add(Dense::new(3)).compile(\"adam\", \"mse\", [\"mae\"])?;\nm.fit(&x, &labels, Fit::epochs(1))?;",
        "E0599",
        "bind the model by `let mut model = …;` first",
    ),
    (
        "let mut m = Sequential::new().add(Dropout::new(50.0)).add(Dense::new(1)); m.compile(\"adam\", \"mse\", [\"mae\"])?;\nm.fit(&x, &labels, Fit::epochs(1))?;",
        "ValueError",
        "for 50 percent write 0.5",
    ),
    (
        "let (a, b) = datasets::mnist::load()?;",
        "E0308",
        "`data.train_images`",
    ),
    ("let s = \"accuracy: \" + 0.5;", "E0369", "`format!("),
    (
        "return x",
        "E0308",
        "its last line without a semicolon is shown",
    ),
    // Tables.
    (
        "files::read_csv(\"x.csv\", \";\")?",
        "E0061",
        "`files::ReadCsv::new().delimiter(';')",
    ),
    (
        "Table::new().column(0)?",
        "E0308",
        "`table.column(\"age\")?`",
    ),
    (
        "let t = Table::new(); t[\"age\"]",
        "E0608",
        "`table.column(\"age\")?`",
    ),
    (
        "let t = Table::new(); t.age",
        "E0609",
        "`table.column(\"age\")?`",
    ),
    (
        "let t = Table::new(); t.head()",
        "E0599",
        "shows its first rows",
    ),
    // Variables that are not there, before a method, and without a `let`.
    (
        "netwrok.save(\"m.keras\")",
        "E0425",
        "did you mean `network`?",
    ),
    ("histroy.plot()", "E0425", "did you mean `history`?"),
    ("labesl.reshape([4, 16])", "E0425", "did you mean `labels`?"),
    (
        "some_data.load()",
        "E0425",
        "no cell that was run in this session defines",
    ),
    (
        "predictions.argmax(-1)",
        "E0425",
        "no cell that was run in this session defines",
    ),
    ("epochs = 5;", "E0425", "`let epochs = 5;`"),
    ("batch_size = 128;", "E0425", "`let batch_size = 128;`"),
    (
        "// Whether (or not\nshuffle = true;",
        "E0425",
        "`let shuffle = true;`",
    ),
    (
        "optimizer = Adam::new();",
        "E0425",
        "`let optimizer = Adam::new();`",
    ),
    (
        "np.log(v)",
        "E0425",
        "`v.log()` of a tensor, `v.ln()` of a number",
    ),
    // Lines of notebooks in Python.
    (
        "let label = \"Run # 1\"\nlet q = 1;",
        "error",
        "end the statement with `;`",
    ),
    (
        "# a comment\nlet q = 1;",
        "error",
        "a comment begins with `//`",
    ),
    (
        "let q = 1; # a comment",
        "error",
        "a comment begins with `//`",
    ),
    ("%matplotlib inline", "error", "plots show themselves"),
    ("!ls", "E0425", "a terminal beside the notebook"),
    (
        "!pip install numpy",
        "error",
        "nothing needs to be installed",
    ),
    (
        "def f(x):\n    return x",
        "error",
        "`fn half(x: f64) -> f64 { x / 2.0 }`",
    ),
    ("let q = [i * 2 for i in v];", "error", "`xs.iter().map("),
    ("let d = {\"a\": 1};", "error", "HashMap::from("),
    ("assert x.len() == 3", "error", "`assert!("),
];

#[test]
fn each_habit_of_python_gets_the_line_that_solves_it() {
    check(MISTAKES);
}

#[test]
fn what_is_advised_for_names_of_python_works() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let (x, y) = (Tensor::uniform([8, 2], 0.0, 1.0), Tensor::ones([8, 2])); let (a, b) = (x.clone(), y.clone());");
    for advised in [
        "Tensor::full([2, 3], 0.5); Tensor::eye(3); Tensor::arange(0.0, 10.0, 1.0); Tensor::linspace(0.0, 1.0, 11);",
        "Tensor::normal([2, 3], 0.0, 1.0); Tensor::randint([2, 3], 0, 10); x.shuffle(); set_seed(42);",
        "assert_eq!(Tensor::concat(&[&a, &b], 0).shape(), [16, 2]); assert_eq!(Tensor::stack(&[&a, &b], 0).shape(), [2, 8, 2]);",
        "Tensor::where_(&x.greater(0.5), &a, &b); x.expand_dims(-1); x.transpose();",
        "(&x - x.mean_axis(0)) / x.std_axis(0); x.max_axis(1); x.argmax(-1); a.equal(&b).mean().item();",
        "Table::new().with(\"age\", &x.slice((.., 0)))?;",
        "plot::curves([(\"loss\", &x.slice((.., 0)))])?;",
        "plot::scatter(&x.slice((.., 0)), &x.slice((.., 1)))?.title(\"…\").x_label(\"…\");",
        "plot::histogram(&x)?; plot::image(&x); plot::bars([\"a\", \"b\"], &Tensor::from([1.0, 2.0]))?;",
        "plot::confusion_matrix(&Tensor::from([0, 1]), &Tensor::from([1, 1]))?;",
        "Metric::accuracy().call(&Tensor::from([[1.0], [0.0]]), &Tensor::from([[1.0], [0.0]]))?;",
        "let (a, b) = (Input::new([8]), Input::new([8])); Concatenate::new().on([&a, &b]); Concatenate::new().on([a, b]);",
        "let mut m = Sequential::new(); for units in [8, 4] { m.push(Dense::new(units)); } m.layers().len();",
        "[Metric::from(\"mae\"), Metric::auc()]; SGD::new().learning_rate(0.1).momentum(0.9);",
        "let data = Sequences::new(vec![vec![1], vec![2]]); data.slice(..1).rows();",
        "let i: usize = 1; x.get(i); println!(\"{x:?} {:?}\", x.shape());",
        "std::collections::HashMap::from([(\"a\", 1), (\"b\", 2)]);",
        "Fit::epochs(5).callback(EarlyStopping::new(\"loss\").patience(3)).callback(TerminateOnNaN::new());",
    ] {
        session.ok(advised);
    }
}

#[test]
fn what_is_advised_for_functions_of_python_computes_the_same() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let (x, pred) = (Tensor::from([1.0, 4.0]), Tensor::from([3.0, 1.0])); let n = -2.5_f64;",
    );
    let mut wrong = String::new();
    for (cell, value) in [
        ("abs(&pred - &x)", "Tensor::from([2.0, 3.0])"),
        ("sum(&x * &pred)", "Tensor::from([3.0, 4.0]).sum()"),
        ("abs(&x)", "x.clone()"),
        ("max(1.0 + 2.0, 5.0)", "5.0"),
        ("max(n, 5.0)", "5.0"),
        ("max(1, 3, 2)", "3"),
        ("min(-1, 3)", "-1"),
        ("abs(n - 1.0)", "3.5"),
        ("abs(-3)", "3"),
        ("int(x.len() / 2 + 1)", "2"),
        ("float(x.len() + 1)", "3.0"),
        ("float(x.len())", "2.0"),
        ("max(5.0, n)", "5.0"),
        ("max(0.0, n, -1)", "0.0"),
        ("max(3, x.len())", "3"),
        ("abs(1.0 - &x)", "Tensor::from([0.0, 3.0])"),
        ("np.maximum(2.0, &x)", "Tensor::from([2.0, 4.0])"),
        ("np.maximum(&x, 2.0)", "Tensor::from([2.0, 4.0])"),
        ("abs(n)", "2.5"),
        ("np.sqrt(2.0 - n * 0.8)", "2.0"),
        ("math.log(&x)", "x.log()"),
        ("int(\"3\")", "3"),
        ("np.power(&x, 2.0)", "x.square()"),
        ("np.exp(-&x)", "(-&x).exp()"),
        ("np.sqrt(1.0 + &x)", "(&x + 1.0).sqrt()"),
        ("abs(1.0 - n)", "3.5"),
        (
            "np.sqrt((&x - &pred) * (&x - &pred))",
            "Tensor::from([2.0, 3.0])",
        ),
        ("np.abs(&x - pred.square())", "Tensor::from([8.0, 3.0])"),
        ("np.mean([1.0, 2.0])", "Tensor::from([1.0, 2.0]).mean()"),
        ("math.sqrt(2.0)", "2.0_f64.powf(0.5)"),
        ("math.sqrt(4)", "2.0"),
        ("exp(1.0)", "1.0_f64.exp()"),
        ("math.log(2.0)", "std::f64::consts::LN_2"),
        ("math.log(-n)", "2.5_f64.ln()"),
        ("math.pow(2.0, 3.0)", "8.0"),
        ("math.pow(2, 3)", "8.0"),
        ("np.exp(-1.0)", "(-1.0_f64).exp()"),
        ("log(&x + 1.0)", "Tensor::from([2.0, 5.0]).log()"),
    ] {
        let error = plain(&session.fails(cell));
        let advised = error
            .split_once("hint: ")
            .and_then(|(_, hint)| hint.split('`').nth(1))
            .unwrap_or("()");
        let same = format!("format!(\"{{:?}}\", {advised}) == format!(\"{{:?}}\", {value})");
        let ran = session.run(&same);
        if ran.result.as_deref() != Some("true") {
            let why = ran.error.map(|error| error.evalue).unwrap_or_default();
            wrong += &format!("\n{cell}: `{advised}` is not {value}: {why}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_model_that_add_has_eaten_is_known_as_such() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let model = Sequential::new();");
    let warned = session.ok("model.add(Dense::new(3));").stderr;
    assert!(
        warned.contains("`model.push(…);`, which adds in place"),
        "{warned}"
    );
    let error = plain(&session.fails("model.add(Dense::new(4));"));
    assert!(
        error.contains("`model` was given away in cell 2") && error.contains("`model.push(…);`"),
        "{error}"
    );
}

#[test]
fn a_cell_that_defines_a_name_that_is_gone_is_named() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.fails("fn half(x: f64) -> f64 { x / nothing }\nhalf(1.0)");
    let error = plain(&session.fails("half(2.0)"));
    assert!(
        error.contains("cell 1 defines it, and has to run again"),
        "{error}"
    );
}

#[test]
fn a_long_list_is_shown_in_few_lines() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let shown = session
        .ok("(0..500).collect::<Vec<i32>>()")
        .result
        .unwrap_or_default();
    assert!(
        shown.lines().count() < 40 && shown.contains(" 250,"),
        "{shown}"
    );
    let rows = "vec![vec![7_u32; 300]; 3000]";
    let shown = session.ok(rows).result.unwrap_or_default();
    assert_eq!(shown.lines().count(), 9, "{shown}");
    assert!(
        shown.contains("… 2994 more …") && shown.contains("[7, 7, 7, … 294 more …, 7, 7, 7]"),
        "{shown}"
    );
}
