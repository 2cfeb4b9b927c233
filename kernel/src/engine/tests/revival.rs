//! What outlives a cell process that ends, and what is said about it.

use super::*;

/// Points and their sums, and a small network that has learned a little.
const DATA: &str = "set_seed(3);
    let x = Tensor::uniform([64, 3], -1.0, 1.0);
    let y = x.sum_axis_keep(-1);";
const NETWORK: &str =
    "let mut network = Sequential::new().add(Dense::new(4).activation(\"tanh\").input_shape([3])).add(Dense::new(1));
    network.compile(RMSprop::new(), \"mse\", [\"mae\"])?;";
/// Waits until a snapshot of a running fit lies in the session's folder, then ends the process.
const ABORT_IN_FIT: &str = "fn die_when_kept() -> Control {
        let maps = std::fs::read_to_string(\"/proc/self/maps\").unwrap();
        let library = maps.lines().find_map(|line| line.split_whitespace().find(|word| word.contains(\"libcell_\"))).unwrap();
        let list = std::path::Path::new(library).with_file_name(\"kept\").join(\"kept.json\");
        while !std::fs::read_to_string(&list).is_ok_and(|text| text.contains(\"\\\"epoch\\\":2\")) { std::thread::yield_now() }
        std::process::abort()
    }";
const FIT_UNTIL_DEATH: &str = "network.fit(&x, &y, Fit::epochs(9).batch_size(8).verbose(0)
        .callback(LambdaCallback::new().on_epoch_end(|epoch, _| if epoch == 2 { die_when_kept() } else { Control::Continue })))?;";

fn told(error: &CellError) -> String {
    assert_eq!(error.ename, "ProcessDied");
    error.traceback.join("\n")
}

#[test]
fn a_trained_model_outlives_its_process_and_trains_on() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(DATA);
    session.ok(NETWORK);
    session.ok("let history = network.fit(&x, &y, Fit::epochs(3).verbose(0))?; let many = vec![Some(1)]; let text = String::from(\"é\"); let rate = 0.1 + 0.2;");
    let scores = session.ok("network.evaluate(&x, &y)?").result;
    assert!(scores.is_some());
    for lost in ["gone: many.", "No variables were lost"] {
        let told = told(&session.fails("std::process::abort();"));
        assert!(told.contains("network (as of cell 3)"), "{told}");
        assert!(told.contains("x (as of cell 1)"), "{told}");
        assert!(told.contains(lost), "{told}");
        assert_eq!(session.ok("network.evaluate(&x, &y)?").result, scores);
    }
    let ran = session.ok("(history.len(), text, rate == 0.1 + 0.2)");
    assert_eq!(ran.result.as_deref(), Some("(3, \"é\", true)"));
    session.ok("let history = network.fit(&x, &y, Fit::epochs(1).verbose(0))?;");
    assert_ne!(session.ok("network.evaluate(&x, &y)?").result, scores);
}

#[test]
fn what_a_lost_value_was_made_of_is_to_be_run_again_too() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let files = vec![Some(1)]; let other = vec![Some(2)];");
    session.ok("let unrelated = 1;");
    session.ok("let names = files; let taken = Some(vec![names.len()]);");
    session.ok("let boxed = Box::new(names); let n = other.len();");
    let error = session.fails("std::process::abort();");
    let told = told(&error);
    // `boxed` holds what cell 1 made and cell 3 passed on.
    assert!(told.contains("Run again: [1], [3], [4]."), "{told}");
    let error = session.fails("boxed.len()");
    let told = error.traceback.join("\n");
    assert!(told.contains("run again [1], [3], [4]"), "{told}");
}

#[test]
fn a_process_that_ends_in_a_fit_leaves_the_model_of_its_last_epoch() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(DATA);
    session.ok(NETWORK);
    session.ok(ABORT_IN_FIT);
    let told = told(&session.fails(&format!("set_seed(5); {FIT_UNTIL_DEATH}")));
    assert!(told.contains("network (as of cell 4, epoch 2)"), "{told}");
    assert_eq!(
        session
            .ok("network.history().unwrap().len()")
            .result
            .as_deref(),
        Some("2")
    );
}

#[test]
fn a_model_is_as_it_was_after_the_epoch_that_is_named() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(DATA);
    session.ok(ABORT_IN_FIT);
    // Made, trained and lost in one cell: it has no variable yet.
    let told = told(&session.fails(&format!("set_seed(5); {NETWORK} {FIT_UNTIL_DEATH}")));
    assert!(told.contains("network (as of cell 3, epoch 2)"), "{told}");
    let again = NETWORK.replace("network", "again");
    session.ok(&format!(
        "set_seed(5); {again} again.fit(&x, &y, Fit::epochs(2).batch_size(8).verbose(0))?;"
    ));
    let same = session.ok("network.get_weights() == again.get_weights()");
    assert_eq!(same.result.as_deref(), Some("true"));
    session.ok("network.fit(&x, &y, Fit::epochs(1).verbose(0))?;");
}

#[test]
fn what_was_dropped_or_is_no_model_any_more_does_not_come_back() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let a = 1.5; let b = 2; let c = Tensor::zeros([2]);");
    session.ok("let a = vec![Some(a)]; drop(c);");
    let told = told(&session.fails("std::process::abort();"));
    assert!(told.contains("snapshot: b (as of cell 1)."), "{told}");
    assert!(told.contains("gone: a."), "{told}");
    assert_eq!(session.fails("c").ename, "E0425");
}

#[test]
fn a_loss_of_ones_own_is_to_be_compiled_again() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(&format!("{DATA} {NETWORK}"));
    session.ok(
        "network.compile(\"sgd\", Loss::custom(\"own\", |y, p| (y - p).abs().mean()), [\"mae\"])?;",
    );
    let told = told(&session.fails("std::process::abort();"));
    assert!(told.contains("loss \"own\" is your own"), "{told}");
    session.ok("network.predict(&x)?;");
}

#[test]
fn lists_tables_and_scores_outlive_their_process() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let losses = vec![0.1_f32, f32::INFINITY]; let names = vec![String::from(\"é\")]; let counts: Vec<usize> = vec![];
        let table = Table::new().with(\"age\", &Tensor::from([0.1, f32::NAN]))?.with_text(\"city\", &[\"\", \"NA\"])?;
        let mut words = Tokenizer::new(); words.fit_on_texts([\"the cat\"]);
        let mut model = Sequential::new().add(Dense::new(1).input_shape([2])); model.compile(\"sgd\", \"mse\", [\"mae\"])?;
        let scores = model.evaluate(&Tensor::ones([4, 2]), &Tensor::ones([4, 1]))?; let mae = scores[\"mae\"];",
    );
    session.ok("let mut losses = losses; losses.push(2.0);");
    for _ in 0..2 {
        let told = told(&session.fails("std::process::abort();"));
        for kept in [
            "losses (as of cell 2)",
            "names (as of cell 1)",
            "table (as",
            "words (as",
            "scores (as",
        ] {
            assert!(told.contains(kept), "{kept}: {told}");
        }
        assert!(told.contains("No variables were lost"), "{told}");
        let ran = session.ok(
            "(&losses, &names, counts.len(), table.missing().len(), table.text(\"city\").is_err(), words.word_index().len(), scores[\"mae\"] == mae)",
        );
        assert_eq!(
            ran.result.as_deref(),
            Some("([0.1, inf, 2.0], [\"é\"], 0, 2, true, 2, true)")
        );
    }
    session.ok("losses.push(3.0);");
}

#[test]
fn a_model_that_a_failing_cell_has_made_and_fitted_is_there_afterwards() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(DATA);
    let ran = session.run(&format!(
        "{NETWORK} let history = network.fit(&x, &y, Fit::epochs(2).verbose(0))?;\nlet z = network.predict(&y)?;"
    ));
    assert!(ran.error.is_some());
    assert!(
        ran.stderr
            .contains("note: `network` is there as its last `fit` left it")
            && ran.stderr.contains("it has made no `history`, `z`\n"),
        "{}",
        ran.stderr
    );
    let shown = session.ok("network.history().unwrap().len()").result;
    assert_eq!(shown.as_deref(), Some("2"));
    session.ok("network.fit(&x, &y, Fit::epochs(1).verbose(0))?;");
    // One that ends in an error, as of the batch before.
    session.fails(&format!(
        "{} other.fit(&x, &(&y * f64::NAN), Fit::epochs(1).verbose(0))?;",
        NETWORK.replace("network", "other")
    ));
    session.ok("other.predict(&x)?; other.history().unwrap();");
    // What there was stays.
    let before = session.ok("network.get_weights()[0].sum().item()").result;
    session.fails(&format!(
        "{NETWORK} network.fit(&x, &y, Fit::epochs(2).verbose(0))?; panic!(\"late\");"
    ));
    assert_eq!(
        session.ok("network.get_weights()[0].sum().item()").result,
        before
    );
}
