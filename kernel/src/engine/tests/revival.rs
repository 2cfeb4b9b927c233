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
    session.ok("let history = network.fit(&x, &y, Fit::epochs(3).verbose(0))?; let many = vec![1]; let text = String::from(\"é\"); let rate = 0.1 + 0.2;");
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
    session.ok("let files = vec![String::from(\"a\")]; let other = vec![String::new()];");
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
    session.ok("let a = vec![a]; drop(c);");
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
