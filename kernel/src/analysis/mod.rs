//! Completion and documentation: what stands at the cursor, and what could.
//!
//! evcxr's rust-analyzer knows, but takes seconds and hundreds of megabytes to load. So it lives in
//! a process of its own, started when something is first asked (a session that never asks stays
//! small). Until then dlcore's and the session's own names are offered, which `names` finds without
//! it; only where these say nothing does an answer wait a moment for it.

mod commands;
mod names;
mod source;
mod worker;
mod worker_process;

use crate::engine::SessionView;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

pub use worker_process::main as worker_main;

use names::{Known, Names};
use source::Source;
use worker::{Answer, Question, Worker};

/// How long an answer may wait for rust-analyzer; JupyterLab waits for a second.
const PATIENCE: Duration = Duration::from_millis(900);

/// How often a session starts rust-analyzer, when it breaks.
const STARTS: u32 = 3;

/// One thing that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What would be written.
    pub text: String,
    /// What it is, in Jupyter's words: `function`, `class`, `instance`, `keyword`, `module`.
    pub kind: String,
    /// What a person reads beside it.
    pub label: String,
}

/// What could stand at the cursor, and which part of the code it would replace.
#[derive(Debug, Default, PartialEq)]
pub struct Completions {
    /// The possibilities.
    pub matches: Vec<Match>,
    /// Where the replaced part begins, in code points.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether rust-analyzer is still being loaded and would have had more to offer.
    pub loading: bool,
}

impl Completions {
    /// Nothing, at a byte of `code`.
    fn none(code: &str, at: usize) -> Completions {
        let at = code_points(code, at);
        Completions {
            start: at,
            end: at,
            ..Completions::default()
        }
    }

    /// The kinds, as JupyterLab reads them from the reply's metadata.
    pub fn types_metadata(&self) -> Value {
        self.matches
            .iter()
            .map(|found| {
                json!({"start": self.start, "end": self.end, "text": found.text,
                       "type": found.kind, "signature": found.label})
            })
            .collect()
    }
}

/// What is said of a name that only rust-analyzer may know.
fn still_loading(name: &str, near: &[String]) -> String {
    let meant = match near {
        [] => String::new(),
        near => format!(" {}", did_you_mean(near)),
    };
    format!(
        "Nothing is known of `{name}` yet: rust-analyzer is still being loaded, which takes some seconds \
         after the first question. Ask again; what dlcore and this notebook define is known already.{meant}"
    )
}

/// ``Did you mean `files::read_csv`?``
pub fn did_you_mean(near: &[String]) -> String {
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("Did you mean {}?", names.join(", "))
}

/// What came of a question to the worker.
enum Asked {
    Answered(Answer),
    /// It will know later.
    Loading,
    Nothing,
}

impl Asked {
    fn answer(self) -> Option<Answer> {
        match self {
            Asked::Answered(answer) => Some(answer),
            Asked::Loading | Asked::Nothing => None,
        }
    }
}

/// Answers for one session.
pub struct Analysis {
    home: PathBuf,
    names: std::sync::OnceLock<Names>,
    worker: Mutex<Option<Worker>>,
    /// How often a worker may still be started: one that cannot start must not be tried for ever.
    starts_left: AtomicU32,
}

impl Analysis {
    /// Analysis over the installation in `home`. Starts nothing.
    pub fn new(home: PathBuf) -> Analysis {
        Analysis {
            home,
            names: std::sync::OnceLock::new(),
            worker: Mutex::new(None),
            starts_left: AtomicU32::new(STARTS),
        }
    }

    /// Analysis by names alone, for tests of what stands before it.
    #[cfg(test)]
    pub fn without_worker(home: PathBuf) -> Analysis {
        Analysis {
            starts_left: AtomicU32::new(0),
            ..Analysis::new(home)
        }
    }

    /// What could stand at `cursor`, which counts code points of `code`.
    pub async fn complete(&self, view: &SessionView, code: &str, cursor: usize) -> Completions {
        let at = byte_offset(code, cursor);
        if let Some(found) = commands::complete(code, at) {
            return found;
        }
        let code = &*commands::as_rust(code, at);
        if let Some(found) = self.names().complete_string(code, at) {
            return found;
        }
        let quick = match self.names().complete(view, code, at) {
            Known::All(found) => return found,
            Known::Some(found) => Some(found),
            Known::Nothing => None,
        };
        let source = Source::of(view, code, at);
        let wait = quick.is_none();
        let asked = self.ask(Question::complete(&source), wait).await;
        let loading = matches!(asked, Asked::Loading);
        let found = asked.answer().and_then(Answer::completions);
        if let Some(mut found) = found.and_then(|found| source.in_code(found, code)) {
            let hides = self.names().hides(view, code, at);
            found.matches.retain(|one| !hides(one));
            // Of names at the end of a path rust-analyzer knows nothing.
            if let Some(quick) = &quick
                && quick.start == found.start
            {
                let at_paths = quick.matches.iter().filter(|one| one.text.contains("::"));
                found.matches.extend(at_paths.cloned());
            }
            if !found.matches.is_empty() {
                return found;
            }
        }
        Completions {
            loading,
            ..quick.unwrap_or_else(|| Completions::none(code, at))
        }
    }

    /// Documentation of what stands at `cursor`, or of the function whose arguments do: content by
    /// mime type. In `full` with the source, where there is one.
    pub async fn inspect(
        &self,
        view: &SessionView,
        code: &str,
        cursor: usize,
        full: bool,
    ) -> Option<Map<String, Value>> {
        let at = byte_offset(code, cursor);
        if let Some(text) = commands::describe(code, at) {
            return Some(described(text));
        }
        let code = &*commands::as_rust(code, at);
        let at = self.names().asked(view, code, at)?;
        if full && let Some(source) = self.names().source(view, code, at) {
            let markdown = format!("```rust\n{source}\n```");
            return Some(both(source, markdown));
        }
        if let Some(text) = self.names().describe(view, code, at) {
            return Some(described(text));
        }
        let name = names::name_before(code, at);
        let is_alone = !code[..at - name.len()].trim_end().ends_with(['.', ':']);
        if is_alone && let Some((path, text)) = self.names().elsewhere(name) {
            let (signature, documentation) = text.split_once("\n\n").unwrap_or((&text, ""));
            let text =
                format!("{signature}\n\nIt stands in a module: `{path}`.\n\n{documentation}");
            return Some(described(text.trim_end().to_owned()));
        }
        let source = Source::of(view, code, at);
        let asked = self.ask(Question::inspect(&source), true).await;
        if matches!(asked, Asked::Loading) {
            let name = names::name_before(code, at);
            return Some(described(still_loading(name, &self.near(name))));
        }
        let (plain, html) = asked.answer().and_then(Answer::documentation)?;
        let mut data = Map::new();
        data.insert("text/plain".to_owned(), plain.into());
        data.insert("text/html".to_owned(), html.into());
        Some(data)
    }

    /// What may have been meant by a name that nothing is known of.
    pub fn near(&self, name: &str) -> Vec<String> {
        self.names().near(name)
    }

    /// Ends the worker, if there is one.
    pub fn shut_down(&self) {
        if let Ok(mut worker) = self.worker.try_lock() {
            *worker = None;
        }
    }

    /// The worker's answer, if it comes soon enough; starts it when there is none. One that is still
    /// loading is waited for with `wait` only.
    async fn ask(&self, question: Question, wait: bool) -> Asked {
        let asking = async {
            let readiness = self.worker().await.as_ref()?.readiness();
            if wait {
                readiness.settled().await;
            }
            let mut slot = self.worker().await;
            let worker = slot.as_mut().filter(|worker| worker.is_ready())?;
            let answer = worker.ask(question);
            drop(slot);
            answer.await.ok()
        };
        match tokio::time::timeout(PATIENCE, asking).await.ok().flatten() {
            Some(answer) => Asked::Answered(answer),
            None if self.is_loading().await => Asked::Loading,
            None => Asked::Nothing,
        }
    }

    /// The worker, started if need be.
    async fn worker(&self) -> tokio::sync::MutexGuard<'_, Option<Worker>> {
        let mut slot = self.worker.lock().await;
        if slot.as_ref().is_some_and(Worker::is_lost) {
            *slot = None;
        }
        if slot.is_none() && self.starts_left.load(Ordering::Relaxed) > 0 {
            self.starts_left.fetch_sub(1, Ordering::Relaxed);
            *slot = Worker::start(&self.home);
        }
        slot
    }

    async fn is_loading(&self) -> bool {
        let slot = self.worker.lock().await;
        slot.as_ref()
            .is_some_and(|worker| !worker.is_ready() && !worker.is_lost())
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of_library(&self.home))
    }
}

/// A signature and the documentation below it, as text and as markdown.
fn described(text: String) -> Map<String, Value> {
    let (signature, documentation) = text.split_once("\n\n").unwrap_or((&text, ""));
    let is_code = !signature.starts_with(':') && !signature.ends_with('.');
    let markdown = match is_code {
        true => format!("```rust\n{signature}\n```\n\n{documentation}"),
        false => text.clone(),
    };
    let markdown = markdown.trim_end().to_owned();
    both(text, markdown)
}

fn both(text: String, markdown: String) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("text/markdown".to_owned(), markdown.into());
    data.insert("text/plain".to_owned(), text.into());
    data
}

/// The byte where the `cursor`th code point of `code` begins; the end when there are fewer.
fn byte_offset(code: &str, cursor: usize) -> usize {
    code.char_indices()
        .nth(cursor)
        .map_or(code.len(), |(at, _)| at)
}

/// How many code points stand before a byte of `code`.
fn code_points(code: &str, at: usize) -> usize {
    code[..at].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_count_code_points() {
        let code = "let é = \"∂😀\"; x";
        assert_eq!(byte_offset(code, 4), 4);
        assert_eq!(byte_offset(code, 5), 6);
        assert_eq!(byte_offset(code, 11), 17);
        assert_eq!(byte_offset(code, 999), code.len());
        assert_eq!(code_points(code, 17), 11);
    }
}
