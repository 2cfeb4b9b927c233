//! The same cells through this engine and through evcxr's evaluator: what they show, whether they
//! fail, and what they leave behind.
//!
//! `cells/` holds them, a few files of sessions: `# name` begins a session, `---` stands between two cells.
//! A cell whose first line is `// differs: why` is one where the difference is wanted; it must differ.
//! `RUST_DL_CELLS=word` runs only the sessions whose names have that word in them, and
//! `RUST_DL_CELLS_FAILING=1` prints the cells that fail in both: a cell that is meant to work must not be there.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use super::super::interrupt::Interrupter;
use super::super::{Outcome, types};
use super::{Event, Session};
use crate::engine::reference::Reference;

/// Read when the test runs, so that a new cell needs no build.
const CELLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/engine/tests/cells");

/// A comparison of fewer cells says too little.
const FEWEST_CELLS: usize = 200;
/// Of the cells that succeed, at least so many in a hundred take one build.
const ONE_BUILD_PERCENT: usize = 95;

#[derive(Debug, PartialEq)]
struct Seen {
    stdout: String,
    shown: Option<String>,
    failed: bool,
    /// Those that are new, of another type, or gone (then without a type).
    variables: BTreeMap<String, Option<String>>,
}

type Variables = BTreeMap<String, String>;

/// What changed, so that one difference is not told again at each later cell.
fn changes(before: &Variables, now: &Variables) -> BTreeMap<String, Option<String>> {
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let new = now
        .iter()
        .filter(|(name, kind)| before.get(*name) != Some(*kind));
    gone.map(|name| (name.clone(), None))
        .chain(new.map(|(name, kind)| (name.clone(), Some(kind.clone()))))
        .collect()
}

/// What one evaluator made of a cell.
struct Answer {
    seen: Seen,
    /// The message of a failure, for the report of a difference.
    why: String,
    builds: u32,
}

type Sessions = Vec<(String, Vec<String>)>;

/// Name and cells of each session.
fn sessions() -> Sessions {
    let wanted = std::env::var("RUST_DL_CELLS").unwrap_or_default();
    let mut files: Vec<_> = fs::read_dir(CELLS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut sessions = vec![];
    for file in files {
        for text in fs::read_to_string(file).unwrap().split("\n# ").skip(1) {
            let (name, cells) = text.split_once('\n').unwrap_or((text, ""));
            if name.contains(&wanted) {
                let cells = cells.split("\n---\n").map(|code| code.trim().to_owned());
                sessions.push((name.trim().to_owned(), cells.collect()));
            }
        }
    }
    sessions
}

fn by_evcxr(evcxr: &mut Reference, interrupter: &Interrupter, code: &str) -> Answer {
    let (mut stdout, mut shown) = (String::new(), None);
    let variables = |evcxr: &Reference| -> Variables {
        let each = evcxr.variables.iter();
        each.map(|(name, kind)| (name.clone(), plain(kind)))
            .collect()
    };
    let before = variables(evcxr);
    interrupter.begin();
    let outcome = evcxr.evaluate(code, interrupter, &mut |event| match event {
        Event::Stdout(bytes) => stdout += &String::from_utf8_lossy(&bytes),
        Event::Result { data, .. } => shown = data["text/plain"].as_str().map(str::to_owned),
        _ => {}
    });
    interrupter.end();
    let (failed, why) = match outcome {
        Outcome::Done => (false, String::new()),
        Outcome::Failed(error) => (true, format!("{}: {}", error.ename, error.evalue)),
    };
    let seen = Seen {
        stdout,
        // The end of a loop or of a `println!` is no result.
        shown: shown.filter(|text| text != "()"),
        failed,
        variables: changes(&before, &variables(evcxr)),
    };
    Answer {
        seen,
        why,
        builds: 0,
    }
}

fn by_rustc(session: &mut Session, code: &str) -> Answer {
    let variables = |session: &Session| -> Variables {
        let each = session.engine.view().variables.into_iter();
        each.map(|variable| (variable.name, plain(&variable.type_name)))
            .collect()
    };
    let before = variables(session);
    let ran = session.run(code);
    let seen = Seen {
        stdout: ran.stdout,
        shown: ran.result,
        failed: ran.error.is_some(),
        variables: changes(&before, &variables(session)),
    };
    let why = ran.error.map_or(ran.stderr, |error| {
        format!("{}: {}", error.ename, error.evalue)
    });
    Answer {
        seen,
        why,
        builds: ran.builds,
    }
}

/// All sessions in one process of evcxr's, cleared between them.
fn all_by_evcxr(sessions: &[(String, Vec<String>)]) -> Vec<Answer> {
    let directory = tempfile::tempdir().unwrap();
    let home = std::env::var_os("RUST_DL_HOME").unwrap();
    let start =
        || Reference::start(home.as_ref(), directory.path(), &std::env::temp_dir()).unwrap();
    let (mut evcxr, interrupter) = (start(), Interrupter::default());
    let mut answers = vec![];
    for (_, cells) in sessions {
        for command in [":clear", ":opt 0"] {
            let done = by_evcxr(&mut evcxr, &interrupter, command);
            assert!(!done.seen.failed, "{}", done.why);
        }
        for code in cells {
            answers.push(by_evcxr(&mut evcxr, &interrupter, code));
            if !evcxr.is_alive() {
                evcxr = start();
            }
        }
    }
    answers
}

fn all_by_rustc(sessions: &Sessions) -> Vec<Answer> {
    let mut answers = vec![];
    for (_, cells) in sessions {
        let mut session = Session::start().unwrap();
        answers.extend(cells.iter().map(|code| by_rustc(&mut session, code)));
    }
    answers
}

/// A type without paths, blanks and lifetimes, so that `std::vec::Vec<i32>` and `Vec<i32>` are one.
fn plain(written: &str) -> String {
    types::short(&written.replace("'static ", "")).replace(' ', "")
}

#[test]
fn cells_do_here_what_they_do_in_evcxr() {
    if Session::start().is_none() {
        return;
    }
    let (sessions, began) = (sessions(), Instant::now());
    let (first, second) = sessions.split_at(sessions.len() / 2);
    let (theirs, here) = std::thread::scope(|scope| {
        let (first, second) = (
            scope.spawn(|| all_by_evcxr(first)),
            scope.spawn(|| all_by_evcxr(second)),
        );
        let here = all_by_rustc(&sessions);
        let mut theirs = first.join().unwrap();
        theirs.extend(second.join().unwrap());
        (theirs, here)
    });
    let cells = sessions
        .iter()
        .flat_map(|(name, cells)| cells.iter().map(move |code| (name, code)));
    let (mut wrong, mut wanted, mut failing, mut built, mut slow) = (vec![], 0, 0, 0, vec![]);
    for ((name, code), (theirs, here)) in cells.zip(theirs.iter().zip(&here)) {
        let differs = code.starts_with("// differs: ");
        wanted += usize::from(differs);
        if (here.seen == theirs.seen) == differs {
            wrong.push(format!(
                "{name}: {code}\n  evcxr: {:?} {}\n  here:  {:?} {}",
                theirs.seen, theirs.why, here.seen, here.why
            ));
        }
        if here.seen.failed && theirs.seen.failed {
            failing += 1;
            if std::env::var_os("RUST_DL_CELLS_FAILING").is_some() {
                println!("{name}: {code}\n  {}", here.why);
            }
        }
        if !here.seen.failed && here.builds > 0 {
            built += 1;
            if here.builds > 1 {
                slow.push(format!("{name}, {} builds: {code}", here.builds));
            }
        }
    }
    println!(
        "{} cells in {} sessions, {wanted} differ as wanted, {} unexpectedly; {failing} fail in both; {} of {built} took one build; {:.0} s\n{}",
        here.len(),
        sessions.len(),
        wrong.len(),
        built - slow.len(),
        began.elapsed().as_secs_f32(),
        slow.join("\n"),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    if std::env::var_os("RUST_DL_CELLS").is_none() {
        assert!(
            (built - slow.len()) * 100 >= ONE_BUILD_PERCENT * built,
            "{}",
            slow.join("\n\n")
        );
        assert!(here.len() >= FEWEST_CELLS, "only {} cells", here.len());
    }
}
