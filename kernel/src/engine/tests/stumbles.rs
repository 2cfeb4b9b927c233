//! Stumbles of those who knew tables, plots and names from elsewhere, and a `?` that was forgotten cells ago.

use super::mistakes::{check, plain};
use super::*;

/// A cell, the error's name, and what solves it.
const MISTAKES: &[(&str, &str, &str)] = &[
    // Tables.
    (
        "let t = Table::new(); t.columns",
        "E0616",
        "`table.names()`",
    ),
    ("let t = Table::new(); t.names", "E0616", "`table.names()`"),
    (
        "let t = Table::new(); t.to_csv(\"t.csv\")?",
        "E0599",
        "`save_csv(\"data.csv\")?`",
    ),
    (
        "let t = Table::new(); t.save(\"t.csv\")?",
        "E0599",
        "`save_csv(\"data.csv\")?`",
    ),
    (
        "let t = Table::new(); t.write_csv(\"t.csv\")?",
        "E0599",
        "`save_csv(\"data.csv\")?`",
    ),
    (
        "let t = Table::new(); t.fillna(\"none\")",
        "E0599",
        "`fill_missing(\"unknown\")`",
    ),
    (
        "let t = Table::new(); t.get_dummies()",
        "E0599",
        "`to_categorical(&numbers, names.len())`",
    ),
    // Labels and classes.
    (
        "one_hot(&labels, 4)",
        "E0308",
        "`to_categorical(&labels, 10)`",
    ),
    ("one_hot(&labels)", "E0061", "`to_categorical(&labels, 10)`"),
    (
        "Fit::epochs(1).class_weight([1, 5, 2])",
        "E0277",
        "`.class_weight([(0, 1.0), (1, 5.0), (2, 2.0)])`",
    ),
    (
        "Fit::epochs(1).class_weight(vec![0.5, 5.0])",
        "E0277",
        "`.class_weight([(0, 0.5), (1, 5.0)])`",
    ),
    (
        "let fit = Fit::epochs(1).class_weight({0: 1.0, 1: 5.0});",
        "error",
        "`.class_weight([(0, 1.0), (1, 5.0)])`",
    ),
    // Plots.
    (
        "plot::scatter(&x, &labels, title=\"Points\", figsize=(8, 6))",
        "E0425",
        "`plot::scatter(&x, &labels)?.title(\"Points\").width(800)`",
    ),
    (
        "plot::histogram(&x, bins=20, color=\"red\")",
        "E0425",
        "`plot::histogram(&x)?.bins(20)`",
    ),
    (
        "plot::histogram(&x)?.xlabel(\"height\")",
        "E0599",
        "`.x_label(\"…\")`",
    ),
    (
        "plot::histogram(&x)?.figsize(8, 6)",
        "E0599",
        "`.width(800)`",
    ),
    ("plot::histogram(&x)?.show()", "E0599", "`display(&plot)`"),
    (
        "history.plot().title(\"Loss\")",
        "E0599",
        "`plot::curves([(\"loss\", &history)])?.title(\"…\")`",
    ),
    // Names.
    (
        "Sequential::new().add(RandomFlip::new(\"horizontal\"));",
        "E0433",
        "`ImageDataGenerator::new().horizontal_flip(true)",
    ),
    (
        "network.compile(\"adam\", Huber(), [\"mae\"])?;",
        "E0425",
        "`Loss::huber()`",
    ),
    (
        "network.compile(\"adam\", Huber::new(), [\"mae\"])?;",
        "E0433",
        "`Loss::huber()`",
    ),
    (
        "network.compile(\"adam\", \"mse\", [AUC()])?;",
        "E0425",
        "`[Metric::auc()]`",
    ),
    (
        "let line = LinearRegression::new();",
        "E0433",
        "`Sequential::new().add(Dense::new(1).input_shape([3]))`",
    ),
    ("network.pop();", "E0599", "`Model::new(model.inputs()?, "),
    // Functions.
    (
        "println(\"n is {}\", 3)",
        "E0423",
        "`println!(\"n is {}\", 3)`",
    ),
    ("println(\"here\");", "E0423", "`println!(\"here\")`"),
    (
        "println(\"loss\", x)",
        "E0423",
        "`println!(\"loss {x:?}\")`",
    ),
    ("println(x)", "E0423", "`println!(\"{x:?}\")`"),
    ("assert(1 == 1);", "E0423", "`assert!(1 == 1)`"),
    ("str(v.len())", "E0423", "`v.len().to_string()`"),
    ("let n = 3; f32(n)", "E0423", "`n as f32`"),
    ("round(2.567, 2)", "E0425", "`format!(\"{:.2}\", 2.567)`"),
    // Comments among arguments.
    (
        "network.fit(&x, &labels,\n    // (more is of no use\n    epochs=5)?;",
        "E0425",
        "`network.fit(&x, &labels, Fit::epochs(5))?`",
    ),
    (
        "Dense::new(units=3, // three, as classes\n    activation=\"relu\");",
        "E0425",
        "`Dense::new(3).activation(\"relu\")`",
    ),
];

#[test]
fn each_stumble_gets_the_line_that_solves_it() {
    check(MISTAKES);
}

#[test]
fn what_is_advised_for_stumbles_works() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let x = Tensor::uniform([8, 3], 0.0, 1.0); let labels = Tensor::from(vec![0_i64, 1, 0, 1, 0, 1, 0, 1]);
        let table = Table::new().with(\"age\", &x.slice((.., 0)))?.with_text(\"city\", &[\"a\", \"b\", \"\", \"b\", \"a\", \"b\", \"a\", \"b\"])?;
        let mut model = Sequential::new().add(Dense::new(4).input_shape([3]).name(\"dense\")).add(Dense::new(2).activation(\"softmax\"));
        model.compile(\"adam\", Loss::huber(), [Metric::auc()])?;",
    );
    for advised in [
        "let filled = table.fill_missing(0.0).fill_missing(\"unknown\").fill_missing_by_mean(); table.fill_missing_in(\"age\", 0.0)?;
         let (numbers, names) = filled.classes(\"city\")?; assert_eq!(to_categorical(&numbers, names.len()).shape(), [8, 3]);",
        "assert_eq!(to_categorical(&labels, 10).shape(), [8, 10]);",
        "let settings = Fit::epochs(1).verbose(0).class_weight([(0, 0.5), (1, 5.0)]);
         model.compile(\"adam\", \"huber\", [\"auc\"])?; model.fit(&x, &to_categorical(&labels, 2), settings)?;",
        "plot::scatter(&x.slice((.., 0)), &x.slice((.., 1)))?.title(\"Points\").x_label(\"a\").y_label(\"b\").width(800);",
        "plot::histogram(&x)?.bins(20).x_label(\"…\").title(\"…\"); model.history().cloned().unwrap_or_default();",
        "let history = model.fit(&x, &to_categorical(&labels, 2), Fit::epochs(1).verbose(0))?; plot::curves([(\"loss\", &history)])?.title(\"…\");",
        "ImageDataGenerator::new().horizontal_flip(true).rotation_range(20.0);",
        "Sequential::new().add(Dense::new(1).input_shape([3])).compile(\"adam\", \"mse\", Metrics::none())?;",
        "let cut = Model::new(model.inputs()?, &model.layer_output(\"dense\")?)?; assert_eq!(cut.predict(&x)?.shape(), [8, 4]);",
        "assert_eq!(format!(\"{:.2}\", 2.567), \"2.57\"); assert_eq!((2.567_f64 * 1e2).round() / 1e2, 2.57);",
    ] {
        session.ok(advised);
    }
}

#[test]
fn what_is_advised_for_functions_is_the_value() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let n = -2.5_f64; let k = 3;");
    for (cell, value) in [
        ("str(0.5)", "\"0.5\".to_string()"),
        ("str(n)", "\"-2.5\".to_string()"),
        ("str(-1)", "\"-1\".to_string()"),
        ("round(n)", "-3.0"),
        ("round(2.5)", "3.0"),
        ("round(n, 1)", "\"-2.5\".to_string()"),
        ("f64(k)", "3.0"),
        ("bool(k)", "true"),
    ] {
        let error = plain(&session.fails(cell));
        let hint = error.split_once("hint: ").map_or("", |(_, hint)| hint);
        let advised = hint.split('`').nth(1).unwrap_or("()");
        let ran = session.run(&format!("({advised}) == {value}"));
        assert_eq!(ran.result.as_deref(), Some("true"), "{cell}: {error}");
    }
}

#[test]
fn a_call_that_gives_a_result_does_not_make_its_variable_one() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let x = Tensor::uniform([8, 3], 0.0, 1.0);
        let mut model = Sequential::new().add(Dense::new(1).input_shape([3])); model.compile(\"sgd\", \"mse\", ())?;
        let texts = vec![\"1\", \"a\"];",
    );
    for cell in [
        "println!(\"{}\", model.evaluate(&x, &x));",
        "let p: Tensor = model.predict(&x);",
        "&x + model.predict(&x)",
        "let all: Vec<i32> = texts.iter().map(|text| text.parse::<i32>()).collect();",
    ] {
        let error = plain(&session.fails(cell));
        assert!(!error.contains("` is a `Result`"), "{cell}: {error}");
    }
}

#[test]
fn an_error_elsewhere_is_not_about_an_index() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let pairs = std::collections::HashMap::from([((0, 1), 2)]);");
    for cell in [
        "let a = pairs[&(0, 1)];\nlet b = (1 2);",
        "let a = [pairs[&(0, 1)], 1];\nlet b = f(1, 2;",
        "let a = vec![1, 2];\nlet b = a let",
    ] {
        let error = plain(&session.fails(cell));
        assert!(!error.contains("taken with slice"), "{error}");
    }
}

#[test]
fn a_result_that_a_variable_holds_is_named_at_once_and_where_it_is_used() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let x = Tensor::ones([8, 3]); let y = Tensor::ones([8, 1]);
        let mut model = Sequential::new().add(Dense::new(1).input_shape([3])); model.compile(\"adam\", \"mse\", [\"mae\"])?;",
    );
    let noted = session.ok("let h = model.fit(&x, &y, Fit::epochs(1).verbose(0)); let p = model.predict(&x); let e = model.evaluate(&x, &y);").stderr;
    assert!(
        noted.contains("note: `h` is a `Result`") && noted.contains("`let h = h?;`"),
        "{noted}"
    );
    for (cell, name) in [
        ("h.plot()", "h"),
        ("model.predict(&p)?", "p"),
        ("plot::histogram(&p)?", "p"),
        ("&x + &p", "p"),
        ("p.argmax(-1)", "p"),
        ("e.loss", "e"),
        ("e[\"mae\"]", "e"),
        ("println!(\"{e}\")", "e"),
        ("println!(\"{}\", e)", "e"),
    ] {
        let error = plain(&session.fails(cell));
        let said = format!(
            "hint: `{name}` is a `Result`, a value or an error: put `?` behind the call that makes it in cell 2, or take the value \
             out first: `let {name} = {name}?;`"
        );
        assert!(error.contains(&said), "{cell}: {error}");
    }
    let error = plain(&session.fails("let q = model.predict(&x);\nq.argmax(-1)"));
    assert!(
        error.contains("hint: `q` is a `Result`, a value or an error: put `?` behind"),
        "{error}"
    );
    session.ok("let h = h?; let p = p?;");
    session.ok("h.plot(); p.argmax(-1);");
    let noted = session.ok("let bad = model.predict(&y);").stderr;
    assert!(
        noted.contains("note: `bad` is an error: ") && noted.contains("[batch, 3]"),
        "{noted}"
    );
    let meant =
        session.ok("let r: Result<Tensor> = model.predict(&x); let n = \"3\".parse::<i32>();");
    assert_eq!(meant.stderr, "");
}
