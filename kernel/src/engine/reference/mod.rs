//! `:engine evcxr`: evcxr's own evaluator, in a process of its own.
//!
//! It is what evaluation here is tested against (`engine/tests/differential.rs`), and a way out where the two differ. Its
//! variables are its own.

mod worker;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::interrupt::Interrupter;
use super::process::program;
use super::{CellError, Event, Outcome, report};

pub use worker::main;

/// What the worker says, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// A line of a cell's standard output.
    Stdout(String),
    /// A line of its standard error.
    Stderr(String),
    /// Content by mime type.
    Shown(serde_json::Map<String, serde_json::Value>),
    /// A cell failed: a short name, one line, and the whole.
    Failed(String, String, String),
    /// A cell is over, or evcxr has started: the variables with their types.
    Done(Vec<(String, String)>),
}

/// A running evcxr.
pub struct Reference {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Name and type of each variable.
    pub variables: Vec<(String, String)>,
}

impl Reference {
    /// Starts evcxr; takes some seconds.
    pub fn start(home: &Path, directory: &Path, working_dir: &Path) -> Result<Reference> {
        std::fs::create_dir_all(directory)?;
        let mut child = Command::new(program(home)?)
            .arg("evcxr")
            .current_dir(working_dir)
            .env("EVCXR_TMPDIR", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start evcxr")?;
        let questions = child.stdin.take().context("no way to evcxr")?;
        let answers = child.stdout.take().context("no way from evcxr")?;
        let mut reference = Reference {
            child,
            questions,
            answers: BufReader::new(answers),
            variables: vec![],
        };
        match reference.listen(&mut |_| {}) {
            Outcome::Done => Ok(reference),
            Outcome::Failed(error) => anyhow::bail!("evcxr does not start: {}", error.evalue),
        }
    }

    /// Has evcxr run one cell, commands and all. An interrupt ends evcxr, as there it ends the process.
    pub fn evaluate(
        &mut self,
        code: &str,
        interrupter: &Interrupter,
        sink: &mut dyn FnMut(Event),
    ) -> Outcome {
        if !interrupter.watch_group(self.child.id()) {
            return Outcome::Failed(report::plain("Interrupted", "interrupted".to_owned()));
        }
        let asked = serde_json::to_string(code)
            .map_err(std::io::Error::from)
            .and_then(|line| writeln!(self.questions, "{line}"));
        if let Err(error) = asked {
            interrupter.unwatch_group();
            return Outcome::Failed(gone(&error.to_string()));
        }
        let outcome = self.listen(sink);
        interrupter.unwatch_group();
        outcome
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn listen(&mut self, sink: &mut dyn FnMut(Event)) -> Outcome {
        let mut failed = None;
        let mut line = String::new();
        loop {
            line.clear();
            if !matches!(self.answers.read_line(&mut line), Ok(1..)) {
                let _ = self.child.wait();
                return Outcome::Failed(gone("its process ended"));
            }
            match serde_json::from_str(&line) {
                Ok(Said::Stdout(text)) => sink(Event::Stdout((text + "\n").into_bytes())),
                Ok(Said::Stderr(text)) => sink(Event::Stderr((text + "\n").into_bytes())),
                Ok(Said::Shown(data)) => sink(Event::Result {
                    data,
                    metadata: serde_json::Map::new(),
                }),
                Ok(Said::Failed(ename, evalue, text)) => {
                    failed = Some(CellError {
                        ename,
                        evalue,
                        traceback: text.lines().map(str::to_owned).collect(),
                    });
                }
                Ok(Said::Done(variables)) => {
                    self.variables = variables;
                    return failed.map_or(Outcome::Done, Outcome::Failed);
                }
                // What a library of evcxr's prints itself.
                Err(_) => {}
            }
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.child.id() as i32);
        if self.is_alive() {
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn gone(why: &str) -> CellError {
    report::plain(
        "ProcessDied",
        format!(
            "evcxr is gone ({why}), and its variables with it; `:engine evcxr` starts it again"
        ),
    )
}
