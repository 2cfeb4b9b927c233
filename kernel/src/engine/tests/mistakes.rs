//! The mistakes that newcomers make: each gets one line of help that solves it.

use super::*;

/// A message without its colours.
pub(super) fn plain(error: &CellError) -> String {
    let mut text = String::new();
    let mut pieces = error.traceback.join("\n");
    while let Some(at) = pieces.find('\u{1b}') {
        text += &pieces[..at];
        let end = pieces[at..]
            .find('m')
            .map_or(pieces.len(), |end| at + end + 1);
        pieces = pieces.split_off(end);
    }
    text + &pieces
}

const SETUP: &str =
    "let x = Tensor::ones([64, 8]); let w = Tensor::ones([8, 4]); let v = vec![1.0, 2.0];
    let labels = Tensor::from((0..64).map(|i| i % 4).collect::<Vec<i64>>());
    let mut network = Sequential::new().add(Dense::new(4).activation(\"softmax\").input_shape([8]));
    network.compile(\"rmsprop\", \"categorical_crossentropy\", [\"accuracy\"])?;
    let fixed = Sequential::new().add(Dense::new(1).input_shape([8]));
    let history = fixed.clone().history().cloned().unwrap_or_default();";

/// A cell, the error's name, and what solves it.
const MISTAKES: &[(&str, &str, &str)] = &[
    // A value that was moved.
    (
        "let total = x + 1.0;\nlet again = x.len();",
        "E0382",
        "write `&x` there",
    ),
    // A list of nothing.
    (
        "let mut q = fixed.clone();\nq.compile(\"adam\", \"mse\", [])?;",
        "E0282",
        "`Metrics::none()`",
    ),
    // Numbers of another type.
    (
        "let own: Vec<f64> = vec![0.5, 1.5];\nlet t = Tensor::from(own);",
        "E0277",
        "`Tensor::from_shape_vec_f64([v.len()], v)?`",
    ),
    (
        "let rows = vec![[0.5_f32, 1.0], [1.5, 2.0]];\nlet t = Tensor::from(rows);",
        "E0277",
        "`Tensor::from(rows.concat()).reshape([rows.len(), 2])`",
    ),
    ("Tensor::from([])", "E0283", "Tensor::zeros([0])"),
    // What a function does not see.
    (
        "fn total() -> f64 { x.sum().item() }\ntotal()",
        "E0425",
        "hand `x` over",
    ),
    // A Result that is taken apart, and other things without their method.
    (
        "let (a, b, c, d) = train_test_split(&x, &x, 0.5);",
        "E0308",
        "put `?` behind the call on the right",
    ),
    ("x.sum() > 0.5", "E0369", "`x.greater(0.5)`"),
    ("x.sum() as f64", "E0605", "`x.item()`"),
    (
        "let mut m = fixed.clone();\nm.trainable = false;",
        "E0615",
        "`set_trainable(false)`",
    ),
    ("let taken = x;\nx.len()", "E0382", "`x.clone()`"),
    (
        "let mut q = Sequential::new(); q.add(Dense::new(3)); q.summary()",
        "E0382",
        "let q = q.add(",
    ),
    // Numbers and tensors, with variables and more than one sign.
    (
        "let mut total = 0.0; total += x.mean();",
        "E0277",
        "`total += x.mean().item()`",
    ),
    ("let n = 3; n * 2.5", "E0277", "`n as f64`"),
    (
        "let n = 3; let k = 2; n * k / 3.0",
        "E0277",
        "`(n * k) as f64`",
    ),
    (
        "let n = 3; let k = 2; 1.5 + n * k",
        "E0277",
        "`(n * k) as f64`",
    ),
    ("let rate = 1; Dropout::new(rate)", "E0308", "`rate as f64`"),
    ("Fit::epochs(1e3)", "E0308", "`1000` instead of `1e3`"),
    ("let lr = 0.5; Dense::new(lr)", "E0308", "`lr as usize`"),
    (
        "let best = 0.5; if x.mean() > best { }",
        "E0369",
        "`x.item() > 0.5`",
    ),
    (
        "Fit::epochs(3).callbacks(vec![Box::new(EarlyStopping::new(\"val_loss\").patience(2.5))]);",
        "E0308",
        "`2` instead of `2.5`",
    ),
    (
        "let mut m = fixed.clone(); m.compile(\"adam\", |t: &Tensor, p: &Tensor| (t - p).square().mean(), Metrics::none())?;",
        "E0277",
        "`Loss::custom",
    ),
    // A Result that is printed.
    (
        "let name = input(\"Your name: \");\nprintln!(\"hello {name}\")",
        "E0277",
        "put `?` behind the call that makes it",
    ),
    // A missing `&`.
    ("network.fit(x, &labels, Fit::epochs(1))?;", "E0277", "`&x`"),
    // An integer where a float belongs, and the other way round.
    (
        "let lr: f32 = 0.1; let y = lr * 2;",
        "E0277",
        "`2.0` instead of `2`",
    ),
    (
        "let lr = 0.1; let y = 2 * lr;",
        "E0277",
        "`2.0` instead of `2`",
    ),
    ("let n = v.len(); let y = 0.5 * n;", "E0277", "`n as f64`"),
    ("Dense::new(512.0);", "E0308", "`512` instead of `512.0`"),
    ("Dropout::new(1);", "E0308", "`1.0`"),
    (
        "let lr: f32 = 0.1;\nlet step = lr * &w;",
        "E0277",
        "`&w * lr`",
    ),
    (
        "let lr: f32 = 0.1;\nlet step = lr - &w;",
        "E0277",
        "`(lr as f64) - &w`",
    ),
    // A missing `mut`.
    (
        "let model = Sequential::new();\nmodel.compile(\"sgd\", \"mse\", [\"mae\"])?;",
        "E0596",
        "`let mut model`",
    ),
    (
        "fixed.compile(\"sgd\", \"mse\", [\"mae\"])?;",
        "E0596",
        "`let mut fixed = …` in the cell that creates it",
    ),
    // A shape that does not fit.
    ("x.dot(&x)", "ShapeError", "last axis but one of the right"),
    ("x.reshape([3, 3])", "ShapeError", "it needs 512"),
    ("&x + &w", "ShapeError", "8 meets 4"),
    (
        "network.fit(&Tensor::ones([64, 9]), &labels, Fit::epochs(1))?;",
        "ShapeError",
        "expected input of shape [batch, 8]",
    ),
    (
        "network.fit(&x, &Tensor::ones([63]), Fit::epochs(1))?;",
        "ShapeError",
        "each sample needs its label",
    ),
    // An unknown layer, activation or loss.
    (
        "Sequential::new().add(Dense2::new(3));",
        "E0433",
        "write `Dense`",
    ),
    (
        "Sequential::new().add(MultiHeadAttention::new(3, 8));",
        "E0433",
        "this layer is not here",
    ),
    (
        "Dense::new(3).activation(Relu);",
        "E0425",
        ".activation(\"relu\")",
    ),
    (
        "let mut m = Sequential::new().add(Dense::new(3).activation(\"rellu\").input_shape([8]));\nm.compile(\"sgd\", \"mse\", [\"mae\"])?;",
        "ModelError",
        "did you mean \"relu\"?",
    ),
    (
        "network.compile(\"rmsprop\", \"categorical_crosentropy\", [\"accuracy\"])?;",
        "ValueError",
        "did you mean \"categorical_crossentropy\"?",
    ),
    (
        "network.compile(\"rmsprop\", CategoricalCrossentropy, [\"accuracy\"])?;",
        "E0425",
        "Loss::categorical_crossentropy()",
    ),
    (
        "network.compile(Rmsprop::new(), \"mse\", [\"mae\"])?;",
        "E0433",
        "RMSprop",
    ),
    // `?` on a value that is no Result, and in a function that returns none.
    ("let n = x.len()?;", "E0277", "leave it out here"),
    ("fn f() { \"1\".parse::<u8>()?; }", "E0277", "Result<()>"),
    // A loss that does not fit the last layer; labels that are not encoded.
    (
        "network.compile(\"rmsprop\", \"binary_crossentropy\", [\"accuracy\"])?;",
        "ModelError",
        "use \"categorical_crossentropy\"",
    ),
    (
        "let mut r = Sequential::new().add(Dense::new(4).activation(\"relu\").input_shape([8]));\nr.compile(\"sgd\", \"categorical_crossentropy\", [\"accuracy\"])?;",
        "ModelError",
        ".activation(\"softmax\")",
    ),
    (
        "network.fit(&x, &labels, Fit::epochs(1).verbose(0))?;",
        "ShapeError",
        "to_categorical(&y, 4)",
    ),
    // Slips of the pen.
    ("netwrok.summary()", "E0425", "did you mean `network`?"),
    ("let a = 1\nlet b = 2;", "error", "`;`"),
    (
        "if true {\n    let z = 1;",
        "error",
        "this `{` is never closed",
    ),
    (
        "let f = Fit::epochs(1;",
        "error",
        "this `(` is never closed",
    ),
    ("x.reshape([64, 8], 3)", "E0061", "unexpected argument"),
    ("x.shap()", "E0599", "write `shape`"),
    ("x.shape", "E0615", "`shape()`"),
    ("network.fit(&x, &labels, 5)?;", "E0308", "`Fit::epochs(5)`"),
    (
        "network.fit(&x, &labels, epochs = 5)?;",
        "E0425",
        "arguments have no names",
    ),
    ("x.cast(bool)", "E0423", "`DType::Bool`"),
    ("x.cast(f32)", "E0423", "`DType::F32`"),
    ("let t: Tensor = 5;", "E0308", "`Tensor::from(5.0)`"),
    ("x[0]", "E0608", "x.slice(0)"),
    ("let i: i32 = 1; v[i]", "E0277", "`[i as usize]`"),
    ("println!(\"{}\", v);", "E0277", "{:?}"),
    // What those write who come from Python.
    (
        "network.compile(Adam(0.001), \"mse\", [\"mae\"])?;",
        "E0423",
        "`Adam::new().learning_rate(0.001)`",
    ),
    (
        "let o = RMSprop::new(0.01);",
        "E0061",
        "`RMSprop::new().learning_rate(0.01)`",
    ),
    ("Dense(32);", "E0423", "`Dense::new(32)`"),
    (
        "print(f\"loss {lr}\")",
        "error",
        "`println!(\"loss {lr}\")`",
    ),
    ("print(v)", "E0423", "`println!(\"{v:?}\")`"),
    (
        "print(\"shape\", x.shape(), 3)",
        "E0423",
        "`println!(\"shape {:?} {:?}\", x.shape(), 3)`",
    ),
    ("println!(x)", "error", "`println!(\"{x:?}\")`"),
    (
        "for i in range(3):\n    i",
        "error",
        "`for i in 0..3 { … }`",
    ),
    ("for i in range(1, 3) { }", "E0425", "`1..3`"),
    ("while v.len() > 3: v", "error", "a block stands in braces"),
    ("datasets::mnits::load()?;", "E0433", "`datasets::mnist`"),
    (
        "network.fit(&x, &labels)?;",
        "E0061",
        "`Fit::epochs(5).batch_size(128)`",
    ),
    (
        "let n: i32 = input(\"n? \").parse()?;",
        "E0599",
        "put `?` in front of the dot",
    ),
    (
        "let n: i32 = input(\"n? \")?;",
        "E0308",
        "`input(\"n? \")?.parse::<i32>()?`",
    ),
    ("let n = len(v);", "E0425", "`v.len()`"),
    ("history.acc", "E0609", "`.get(\"accuracy\")`"),
    ("let a = 1 + 1.0;", "E0277", "`1.0` instead of `1`"),
    ("let y = v.len() ** 2;", "E0614", "powers are methods"),
    ("let y = x as f32;", "E0605", "`x.cast(DType::F32)`"),
    ("v.mean()", "E0599", "tensors have it"),
    (
        "network.fit(&x, &labels, Fit::epochs(1).validation_split(20))?;",
        "E0308",
        "`validation_split(0.2)`",
    ),
    (
        "network.fit(&x, &to_categorical(&labels, 4), Fit::epochs(1).validation_split(20.0))?;",
        "ValueError",
        "for 20 percent write 0.2",
    ),
    (
        "network.compile(\"rmsprop\", \"crossentropy\", [\"accuracy\"])?;",
        "ValueError",
        "\"categorical_crossentropy\" or \"sparse_categorical_crossentropy\"",
    ),
    (
        "let mut m = Sequential::new().add(Dense::new(3).activation(\"sofmax\"));\nm.compile(\"sgd\", \"mse\", [\"mae\"])?;",
        "ValueError",
        "did you mean \"softmax\"?",
    ),
    // Arguments too many, too few, by name, or of another kind.
    (
        "Adam::new().learning_rate(1);",
        "E0277",
        "`1.0` instead of `1`",
    ),
    (
        "Adam::with_lr(0.01);",
        "E0599",
        "`Adam::new().learning_rate(0.01)`",
    ),
    (
        "Dense::new(3, \"relu\");",
        "E0061",
        "`Dense::new(3).activation(\"relu\")`",
    ),
    (
        "Dense::new(units=3);",
        "E0425",
        "arguments have no names in Rust",
    ),
    ("Dense::new();", "E0061", "`Dense::new(units)`"),
    (
        "Conv2D::new(32);",
        "E0061",
        "`Conv2D::new(filters, kernel_size)`",
    ),
    ("LSTM::new(32, true);", "E0061", "settings are methods"),
    (
        "network.fit(&x, &labels, 5, 32)?;",
        "E0061",
        "`Fit::epochs(5).batch_size(32)`",
    ),
    (
        "network.compile(\"adam\", \"mse\")?;",
        "E0061",
        "`[\"mae\"]`",
    ),
    (
        "to_categorical(&labels);",
        "E0061",
        "`to_categorical(labels, num_classes)`",
    ),
    ("Sequential::new([Dense::new(3)]);", "E0061", "`.add("),
    (
        "network.predict_classes(&x)?;",
        "E0599",
        "`.predict(&x)?.argmax(-1)`",
    ),
    (
        "Tensor::from(vec![vec![vec![1.0, 2.0], vec![3.0, 4.0]]]);",
        "E0277",
        "`Tensor::from(rows.concat())",
    ),
    ("Tensor::from([[1.0, 2.0], [3.0]]);", "E0308", "all rows"),
    (
        "let r: f32 = x.mean();",
        "E0308",
        "`x.mean().item() as f32`",
    ),
    ("let r: f64 = x.mean();", "E0308", "`x.mean().item()`"),
    ("x[0, 1]", "error", "`x.slice((0, 1))`"),
    ("let part = x[:, 0:2];", "error", "`x.slice((.., 0..2))`"),
    ("x.slice(0, 1)", "E0061", "`.slice((0, 1))`"),
    (
        "network.gradients(&x, &w)?;",
        "E0277",
        "model.gradients(|model|",
    ),
    (
        "network.fit(x, labels, Fit::epochs(1))?;",
        "E0277",
        "`&x`, `&labels`",
    ),
    ("let s = \"unclosed;\nprintln!(\"{s}\");", "E0765", ":1:9"),
    ("import numpy as np", "error", "this is Python"),
    ("x @ w", "error", "`a.dot(&b)`"),
];

#[test]
fn each_mistake_gets_the_line_that_solves_it() {
    check(MISTAKES);
}

/// Runs each cell, and looks whether the error is called so and says what solves it, in few lines.
pub(super) fn check(mistakes: &[(&str, &str, &str)]) {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(SETUP);
    let mut wrong = String::new();
    for (cell, name, solution) in mistakes {
        let error = session.fails(cell);
        let text = plain(&error);
        let ours = ["cell_", "__store", "__probe", "num_complex", "dlcore::"];
        let clear = error.ename == *name
            && text.contains(solution)
            && text.contains(&format!("cell [{}]", session.count))
            && !ours.iter().any(|name| text.contains(name))
            && text.matches("hint: ").count() <= 1
            && error.evalue.lines().count() == 1
            && text.lines().count() <= 20;
        if !clear {
            wrong += &format!(
                "\n{cell}\nneeds {name}: {solution}\n{}: {text}\n",
                error.ename
            );
        }
        session.ok("(x.len(), w.len(), labels.len(), network.name());");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_cell_that_ends_too_soon_says_so_at_its_own_end() {
    let Some(mut session) = Session::start() else {
        return;
    };
    for (cell, place, ends) in [
        (
            "let a = Tensor::from([1.0, 2.0]);\nlet b = a.relu() +",
            "2:18",
            "+",
        ),
        ("let x = // the rest\n", "1:7", "="),
        ("let a = Tensor::ones([2]);\na.", "2:2", "."),
        ("let", "1:1", "let"),
        ("// Äh\nif 1 > 2", "2:8", "2"),
    ] {
        let error = session.fails(cell);
        let text = plain(&error);
        let wanted = [
            "found the end of the cell",
            &format!("cell [{}]:{place}", session.count),
            &format!("hint: write what comes after `{ends}`"),
        ];
        let found = wanted.iter().all(|wanted| text.contains(wanted));
        assert!(found && !text.contains("cell_"), "{cell}: {text}");
        assert!(error.evalue.contains(wanted[0]), "{}", error.evalue);
    }
}

#[test]
fn what_is_advised_for_numbers_of_other_types_works() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let v: Vec<f64> = vec![0.5, 1.5];");
    session.ok("let t = Tensor::from_shape_vec_f64([v.len()], v)?.cast(DType::F32); assert_eq!(t.shape(), [2]);");
    session.ok("let rows = vec![[0.5_f32, 1.0], [1.5, 2.0]];");
    session.ok("let t = Tensor::from(rows.concat()).reshape([rows.len(), 2]); assert_eq!(t.shape(), [2, 2]);");
    session.ok("assert_eq!(t.greater(0.9).to_vec_of::<bool>(), [false, true, true, true]);");
}

#[test]
fn what_a_cell_that_did_not_compile_would_have_made_is_known() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.fails("let made = nowhere + 1;");
    let error = session.fails("made * 2");
    let said = "cell 1, which makes `made`, did not compile: mend it and run it again";
    assert!(plain(&error).contains(said), "{}", plain(&error));
    session.ok("let made = 1;");
    session.ok("made * 2");
}

#[test]
fn an_operator_that_takes_a_tensor_says_so_at_its_cell() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = Tensor::ones([2]); let m = 1.0; let n = 2; let s = x.clone();");
    assert_eq!(
        session
            .ok("let y = &x + 1.0; let k = n + 1; m * 2.0")
            .stderr,
        ""
    );
    let ran = session.ok("x + 1.0");
    let note = "note: `x` was used up by `+`; write `&x + 1.0` to keep it\n";
    assert_eq!(ran.stderr, note);
    assert_eq!(
        session.ok("let s = s * 2.0;").stderr,
        "",
        "it is there again"
    );
    let error = plain(&session.fails("m.max(x.len() as f64)"));
    assert!(
        error.contains("`x` was given away in cell 3: write `&x + 1.0` there"),
        "{error}"
    );
    assert!(!error.contains("similar name"), "{error}");
}

#[test]
fn a_failure_underlines_what_failed() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("fn half(n: i32) -> i32 {\n    if n == 3 { panic!(\"odd\") }\n    n / 2\n}\nlet t = \"1 x\";");
    // Under which text the carets stand.
    let marked = |session: &mut Session, code: &str| {
        let text = plain(&session.fails(code));
        let lines: Vec<&str> = text.lines().collect();
        let carets = lines.iter().position(|line| line.contains('^'));
        let carets = carets.unwrap_or_else(|| panic!("{text}"));
        let (from, to) = (
            lines[carets].find('^').unwrap(),
            lines[carets].rfind('^').unwrap(),
        );
        (lines[carets - 1][from..=to].to_owned(), text)
    };
    let chain = |last: &str| {
        format!(
            "let all = t.split_once(' ').ok_or(\"none\")?.{last}.parse::<i32>()?.checked_sub(9).ok_or(\"little\")?;"
        )
    };
    let (failed, text) = marked(&mut session, &chain("1"));
    assert_eq!(failed, "1.parse::<i32>()?", "{text}");
    let (failed, text) = marked(&mut session, &chain("0").replace("(9)", "(i32::MIN)"));
    assert_eq!(failed, "checked_sub(i32::MIN).ok_or(\"little\")?", "{text}");
    let (failed, _) = marked(
        &mut session,
        "let a = \"1\".parse::<i32>()?; let b = t.parse::<i32>()?;",
    );
    assert_eq!(failed, "t.parse::<i32>()?");
    let (failed, _) = marked(
        &mut session,
        "let x = Tensor::ones([2]);\nx.reshape([3]).sum()",
    );
    assert_eq!(failed, "reshape([3]).sum()".split_once(".").unwrap().0);
    let (failed, text) = marked(&mut session, "let a = half(2);\nhalf(3)");
    assert_eq!(failed, "panic!(\"odd\")");
    assert!(
        text.contains("------- called here") && text.contains("2 | half(3)"),
        "{text}"
    );
    // An error in a chain is still told of the cell.
    let error =
        plain(&session.fails("let n: u8 = \"1\".parse::<i32>()?.checked_sub(1).ok_or(\"\")?;"));
    assert!(
        error.contains("expected `u8`, found `i32`") && error.contains("cell ["),
        "{error}"
    );
}

#[test]
fn commands_say_what_helps() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let x = 1;");
    session.ok(":vars");
    let timing = session.ok(":timing").stdout;
    assert!(timing.contains("; 1 build, "), "{timing}");
    assert!(
        session
            .fails(":tim")
            .evalue
            .contains("did you mean :time or :timing?")
    );
    assert!(
        session
            .fails(":vras")
            .evalue
            .contains("did you mean :vars?")
    );
}

#[test]
fn errors_have_no_colours_that_cannot_be_read_on_both_themes() {
    let Some(mut session) = Session::start() else {
        return;
    };
    for cell in [
        "nothing",
        "panic!()",
        "\"x\".parse::<u8>()?;",
        "let f = (1;",
        "let s = \"a",
    ] {
        let text = session.fails(cell).traceback.join("\n");
        let mut codes = text
            .split("\u{1b}[")
            .skip(1)
            .filter_map(|rest| rest.split('m').next());
        assert!(
            codes.clone().count() > 0 && codes.all(|code| code == "0" || code == "1"),
            "{text:?}"
        );
    }
}

#[test]
fn a_result_that_is_not_looked_at_is_warned_about_in_one_line() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(SETUP);
    let ran = session.ok("network.fit(&x, &labels, Fit::epochs(1).verbose(0));");
    assert!(ran.stderr.contains("put `?` behind it"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("let _"), "{}", ran.stderr);
}

#[test]
fn variables_are_listed_with_what_there_is_to_see() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let x = Tensor::zeros([3, 4]); let name = String::from(\"short\"); let odd = Some(1u8);",
    );
    session.ok("let mut network = Sequential::new().add(Dense::new(2).input_shape([3]));");
    let table = session.ok(":vars").stdout;
    for line in [
        "    x        Tensor      f32 [3, 4]",
        "mut network  Sequential  8 parameters",
        "\"short\"",
        "4 variables, ",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
}
