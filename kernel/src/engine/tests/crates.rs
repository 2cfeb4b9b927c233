//! `:dep`, with crates of our own and of the registry.

use std::fs;

use super::Session;

/// A crate on disk with a static, a type in a private module, and a function.
fn write_crate(dir: &std::path::Path, version: &str, field: &str) {
    fs::create_dir_all(dir.join("src")).unwrap();
    let manifest =
        format!("[package]\nname = \"my-counter\"\nversion = \"{version}\"\nedition = \"2024\"\n");
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    let source = format!(
        "use std::sync::atomic::{{AtomicU32, Ordering}};\n\
         static COUNT: AtomicU32 = AtomicU32::new(0);\n\
         pub fn next() -> u32 {{ COUNT.fetch_add(1, Ordering::SeqCst) }}\n\
         mod hidden {{ #[derive(Debug, Clone)] pub struct Point {{ pub x: {field} }} }}\n\
         pub use hidden::Point;\n"
    );
    fs::write(dir.join("src/lib.rs"), source).unwrap();
}

#[test]
fn a_crate_on_disk_is_built_once_and_its_statics_live_on() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    write_crate(dir.path(), "0.1.0", "u32");
    let dep = format!(
        ":dep my-counter = {{ path = {:?} }}",
        dir.path().display().to_string()
    );
    let ran = session.ok(&format!("{dep}\nmy_counter::next()"));
    assert_eq!(ran.result.as_deref(), Some("0"));
    let said = ran.displays.last().unwrap().as_str().unwrap().to_owned();
    assert!(said.starts_with("added my-counter 0.1.0 in "), "{said}");
    let ran = session.ok("use my_counter::*; let point = Point { x: 5 }; next()");
    assert_eq!((ran.result.as_deref(), ran.builds), (Some("1"), 1));
    assert_eq!(session.ok("point.x").result.as_deref(), Some("5"));
    // Asked for again, it is there: nothing is built.
    assert!(
        session
            .ok(&format!("{dep}\nlet again = 1;"))
            .displays
            .is_empty()
    );
    // Another session finds it built.
    let Some(mut other) = Session::start() else {
        return;
    };
    let ran = other.ok(&format!("{dep}\nmy_counter::next()"));
    assert_eq!(ran.result.as_deref(), Some("0"));
}

#[test]
fn crates_of_the_registry_bring_their_macros() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok(":dep serde = { version = \"1\", features = [\"derive\"] }\n:dep serde_json = \"1\"\n:dep ndarray\nlet before = 1.5;");
    session.ok("use serde::{Deserialize, Serialize};\n#[derive(Serialize, Deserialize, Debug)] struct Settings { units: usize, rate: f32 }");
    session.ok(
        "let settings: Settings = serde_json::from_str(r#\"{\"units\": 512, \"rate\": 0.5}\"#)?;",
    );
    session.ok("let value = serde_json::to_value(&settings)?;");
    let ran = session.ok("value[\"units\"].as_u64().unwrap() as f64 + before");
    assert_eq!((ran.result.as_deref(), ran.builds), (Some("513.5"), 1));
    let ran = session.ok("use ndarray::Array1; let x = Tensor::from(Array1::from(vec![1.0f32, 2.0])); x.sum().item()");
    assert_eq!(ran.result.as_deref(), Some("3.0"));
}

#[test]
fn a_crate_that_is_not_there_is_one_error_and_changes_nothing() {
    let Some(mut session) = Session::start() else {
        return;
    };
    session.ok("let kept = 7;");
    let error = session.fails(":dep no-such-crate-as-this-one = \"1\"\nkept");
    assert_eq!(error.ename, "DependencyError");
    assert!(
        error.evalue.contains("no-such-crate-as-this-one"),
        "{error:?}"
    );
    assert!(
        session
            .fails(":dep rand = \"0.0.77\"")
            .evalue
            .contains("0.0.77")
    );
    let error = session.fails(":dep ok = { path = \"nowhere\" }");
    assert!(error.evalue.contains("Cargo.toml"), "{error:?}");
    assert_eq!(session.ok("kept").result.as_deref(), Some("7"));
}

#[test]
fn a_crate_that_changed_takes_its_variables_with_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("one"), dir.path().join("two"));
    write_crate(&first, "0.1.0", "u32");
    write_crate(&second, "0.2.0", "[u64; 4]");
    let dep = |dir: &std::path::Path| {
        format!(
            ":dep my-counter = {{ path = {:?} }}",
            dir.display().to_string()
        )
    };
    session.ok(&dep(&first));
    session.ok("let point = my_counter::Point { x: 5 }; let number = 3;");
    let ran = session.ok(&dep(&second));
    assert!(ran.stderr.contains("`point`"), "{}", ran.stderr);
    assert_eq!(session.fails("point.x").ename, "E0425");
    assert_eq!(
        session
            .ok("my_counter::Point { x: [1; 4] }.x.len() + number as usize")
            .result
            .as_deref(),
        Some("7")
    );
}

#[test]
fn a_crate_that_was_edited_is_built_anew_and_takes_its_variables_with_it() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    write_crate(dir.path(), "0.1.0", "u32");
    let dep = format!(
        ":dep my-counter = {{ path = {:?} }}",
        dir.path().display().to_string()
    );
    session.ok(&format!("{dep}\nlet point = my_counter::Point {{ x: 5 }};"));
    write_crate(dir.path(), "0.1.0", "[u64; 100]");
    let ran = session.ok(&dep);
    assert!(ran.stderr.contains("`point`"), "{}", ran.stderr);
    let ran = session.ok("my_counter::Point { x: [7; 100] }.x[99]");
    assert_eq!(ran.result.as_deref(), Some("7"));
}
