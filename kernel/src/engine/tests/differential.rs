//! The same cells through this engine and through evcxr's evaluator: what they show, whether they
//! fail, and what they leave behind.
//!
//! `cells.txt` holds them: `# name` begins a session, `---` stands between two cells. `//! differs: why` in a
//! cell names a difference that is wanted; such a cell must differ.

use std::collections::BTreeMap;

use super::super::{Outcome, types};
use super::{Event, Session};
use crate::engine::reference::Reference;

const CELLS: &str = include_str!("cells.txt");

#[derive(Debug, PartialEq)]
struct Seen {
    stdout: String,
    shown: Option<String>,
    failed: bool,
    variables: BTreeMap<String, String>,
}

/// Name and cells of each session.
fn sessions() -> Vec<(&'static str, Vec<&'static str>)> {
    let sessions = CELLS.split("\n# ").skip(1);
    sessions
        .map(|text| {
            let (name, cells) = text.split_once('\n').unwrap_or((text, ""));
            (name.trim(), cells.split("\n---\n").map(str::trim).collect())
        })
        .collect()
}

/// The error is the message of a failure, for the report of a difference.
fn by_evcxr(evcxr: &mut Reference, session: &Session, code: &str) -> (Seen, String) {
    let (mut stdout, mut shown) = (String::new(), None);
    let interrupter = session.engine.interrupter();
    interrupter.begin();
    let outcome = evcxr.evaluate(code, &interrupter, &mut |event| match event {
        Event::Stdout(bytes) => stdout += &String::from_utf8_lossy(&bytes),
        Event::Result { data, .. } => shown = data["text/plain"].as_str().map(str::to_owned),
        _ => {}
    });
    interrupter.end();
    let variables = evcxr
        .variables
        .iter()
        .map(|(name, kind)| (name.clone(), plain(kind)));
    let (failed, why) = match outcome {
        Outcome::Done => (false, String::new()),
        Outcome::Failed(error) => (true, format!("{}: {}", error.ename, error.evalue)),
    };
    let seen = Seen {
        stdout,
        shown,
        failed,
        variables: variables.collect(),
    };
    (seen, why)
}

fn by_rustc(session: &mut Session, code: &str) -> (Seen, String) {
    let ran = session.run(code);
    let variables = session.engine.view().variables.into_iter();
    let seen = Seen {
        stdout: ran.stdout,
        shown: ran.result,
        failed: ran.error.is_some(),
        variables: variables
            .map(|variable| (variable.name, plain(&variable.type_name)))
            .collect(),
    };
    let why = ran.error.map_or(String::new(), |error| {
        format!("{}: {}", error.ename, error.evalue)
    });
    (seen, why)
}

/// A type without paths and blanks, so that `std::vec::Vec<i32>` and `Vec<i32>` are one.
fn plain(written: &str) -> String {
    types::short(written).replace(' ', "")
}

#[test]
fn cells_do_here_what_they_do_in_evcxr() {
    let Some(session) = Session::start() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let home = std::env::var_os("RUST_DL_HOME").unwrap();
        Reference::start(home.as_ref(), directory.path(), &std::env::temp_dir()).unwrap()
    };
    let mut evcxr = start();
    let (mut cells, mut wrong) = (0, vec![]);
    for (name, codes) in sessions() {
        let (cleared, why) = by_evcxr(&mut evcxr, &session, ":clear");
        assert!(!cleared.failed, "{why}");
        by_evcxr(&mut evcxr, &session, ":opt 0");
        let mut ours = Session::start().unwrap();
        for code in codes {
            cells += 1;
            let (theirs, their_error) = by_evcxr(&mut evcxr, &session, code);
            let (here, our_error) = by_rustc(&mut ours, code);
            let wanted = code.starts_with("//! differs:");
            if (here == theirs) == wanted {
                wrong.push(format!(
                    "{name}: {code}\n  evcxr: {theirs:?} {their_error}\n  here:  {here:?} {our_error}"
                ));
            }
            if !evcxr.is_alive() {
                evcxr = start();
            }
        }
    }
    println!("{cells} cells, {} unexpected", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
