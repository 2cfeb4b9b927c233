//! Completion and documentation: what stands at the cursor, and what could.
//!
//! evcxr's rust-analyzer knows, but takes seconds and hundreds of megabytes to load. So it lives in
//! a process of its own, started when something is first asked (a session that never asks stays
//! small), and nothing waits for it to load: until then, names known without it are offered.

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

use names::Names;
use source::Source;
use worker::{Answer, Question, Worker};

/// How long a completion may wait for a loaded rust-analyzer before names known without it are offered.
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
}

impl Completions {
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
        if let Some(found) = self.names().complete_string(code, at) {
            return found;
        }
        let source = Source::of(view, code, at);
        if let Some(found) = self
            .ask(Question::complete(&source))
            .await
            .and_then(Answer::completions)
            .and_then(|found| source.in_code(found, code))
            && !found.matches.is_empty()
        {
            return found;
        }
        self.names().complete(view, code, at)
    }

    /// Documentation of what stands at `cursor`: content by mime type. In `full` with the source,
    /// where there is one.
    pub async fn inspect(
        &self,
        view: &SessionView,
        code: &str,
        cursor: usize,
        full: bool,
    ) -> Option<Map<String, Value>> {
        let at = source::end_of_name(code, byte_offset(code, cursor))?;
        if full && let Some(own) = self.names().own_source(view, code, at) {
            return Some(described(own));
        }
        let source = Source::of(view, code, at);
        let answer = self.ask(Question::inspect(&source)).await;
        if let Some((plain, html)) = answer.and_then(Answer::documentation) {
            let mut data = Map::new();
            data.insert("text/plain".to_owned(), plain.into());
            data.insert("text/html".to_owned(), html.into());
            return Some(data);
        }
        self.names().describe(view, code, at).map(described)
    }

    /// Ends the worker, if there is one.
    pub fn shut_down(&self) {
        if let Ok(mut worker) = self.worker.try_lock() {
            *worker = None;
        }
    }

    /// The worker's answer, when it is ready and answers soon enough; starts it when there is none.
    async fn ask(&self, question: Question) -> Option<Answer> {
        let asking = async {
            let mut slot = self.worker.lock().await;
            if slot.as_ref().is_some_and(Worker::is_lost) {
                *slot = None;
            }
            if slot.is_none() && self.starts_left.load(Ordering::Relaxed) > 0 {
                self.starts_left.fetch_sub(1, Ordering::Relaxed);
                *slot = Worker::start(&self.home);
            }
            let worker = slot.as_mut().filter(|worker| worker.is_ready())?;
            let answer = worker.ask(question);
            drop(slot);
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of_library(&self.home))
    }
}

/// A signature and the documentation below it, as text and as markdown.
fn described(text: String) -> Map<String, Value> {
    let (signature, documentation) = text.split_once("\n\n").unwrap_or((&text, ""));
    let markdown = format!("```rust\n{signature}\n```\n\n{documentation}");
    let mut data = Map::new();
    data.insert("text/markdown".to_owned(), markdown.trim_end().into());
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
