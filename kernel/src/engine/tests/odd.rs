//! Cells that are right, and odd: each was wrong once.

use super::*;

#[test]
fn names_in_capitals_are_variables() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let X_train = vec![1.0, 2.0]; let (X, Y) = (1, 2);");
    let ran = session.ok("X + Y + X_train.len() as i32");
    assert_eq!(ran.result.as_deref(), Some("5"));
}

#[test]
fn a_pointer_to_a_foreign_function_is_kept() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("extern \"C\" fn twice(x: i32) -> i32 { x * 2 } let call: extern \"C\" fn(i32) -> i32 = twice;");
    assert_eq!(session.ok("call(4)").result.as_deref(), Some("8"));
}

#[test]
fn what_has_no_value_is_not_kept_and_it_is_said() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let ran = session.ok("let later: i32;");
    assert!(
        ran.stderr.contains("`later` has no value"),
        "{}",
        ran.stderr
    );
    let error = session.fails("later = 3; later");
    assert!(
        error.traceback.join("").contains("had no value"),
        "{error:?}"
    );
}

#[test]
fn what_a_cell_makes_and_gives_away_is_said_to_whoever_names_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(
        "let names = vec![1]; for _ in names {} let text = String::new(); let more = text + \"x\";",
    );
    for name in ["names", "text"] {
        let error = session.fails(&format!("{name}.len()"));
        let told = error.traceback.join("");
        assert!(told.contains("gave it away"), "{told}");
    }
}

#[test]
fn a_foreign_function_replaces_itself_and_costs_no_variable() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("struct Own(u8); let own = Own(7);");
    for block in [
        "fn labs(x: i64) -> i64;",
        "fn labs(x: i64) -> i64; fn abs(x: i32) -> i32;",
    ] {
        let ran = session.ok(&format!(
            "unsafe extern \"C\" {{ {block} }} unsafe {{ labs(-3) }}"
        ));
        assert_eq!(ran.result.as_deref(), Some("3"), "{}", ran.stderr);
    }
    assert_eq!(session.ok("own.0").result.as_deref(), Some("7"));
}

#[test]
fn an_empty_extern_block_still_links_its_library() {
    let block = "#[link(name = \"m\")] unsafe extern \"C\" {}";
    assert_eq!(source::parse(block).items.len(), 1);
}

#[test]
fn an_error_in_what_is_shown_points_at_the_cell() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let cases = [
        ("let q = vec![1]; let r = q; q", "cell [1]:1:29"),
        ("1 / 0", "cell [2]:1:1"),
    ];
    for (code, place) in cases {
        let told = session.fails(code).traceback.join("\n");
        assert!(told.contains(place) && !told.contains("__value"), "{told}");
    }
}
