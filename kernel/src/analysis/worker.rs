//! The process that holds rust-analyzer, seen from the session: questions out, answers in.

use super::{Completions, Match, source::Source};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, mpsc, oneshot};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What could stand at the offset.
    Complete,
    /// Documentation of the name that ends at the offset.
    Inspect,
}

/// A question about a source text.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// Comes back with the answer.
    pub id: u64,
    /// What is asked.
    pub what: What,
    /// The code.
    pub text: String,
    /// Where, in bytes.
    pub offset: usize,
}

impl Question {
    pub fn complete(source: &Source) -> Question {
        Question::about(What::Complete, source)
    }

    pub fn inspect(source: &Source) -> Question {
        Question::about(What::Inspect, source)
    }

    /// What the worker asks itself, to have everything loaded.
    pub fn first() -> Question {
        let text = "use dlcore::prelude::*;\nstd::".to_owned();
        Question {
            id: 0,
            what: What::Complete,
            offset: text.len(),
            text,
        }
    }

    fn about(what: What, source: &Source) -> Question {
        Question {
            id: 0,
            what,
            text: source.text.clone(),
            offset: source.offset,
        }
    }
}

/// What the worker says, a JSON line each.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Which question this answers; 0 says that the worker is ready.
    pub id: u64,
    /// Completions, when they were asked for and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Found>,
    /// Plain text and HTML, when they were asked for and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspect: Option<(String, String)>,
}

/// Completions on the way between the two processes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// Text, kind and label of each.
    pub matches: Vec<(String, String, String)>,
    /// Where the replaced part begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Answer {
    /// From here on answers come fast.
    pub fn ready() -> Answer {
        Answer::default()
    }

    pub fn completions(self) -> Option<Completions> {
        let found = self.complete?;
        Some(Completions {
            matches: found
                .matches
                .into_iter()
                .map(|(text, kind, label)| Match { text, kind, label })
                .collect(),
            start: found.start,
            end: found.end,
            loading: false,
        })
    }

    pub fn documentation(self) -> Option<(String, String)> {
        self.inspect
    }
}

/// How far the process is.
#[derive(Default)]
struct State {
    ready: AtomicBool,
    lost: AtomicBool,
    changed: Notify,
}

/// Tells when a worker is ready.
#[derive(Clone)]
pub struct Readiness(Arc<State>);

impl Readiness {
    /// Returns when the worker is ready, or lost.
    pub async fn settled(&self) {
        loop {
            let changed = self.0.changed.notified();
            let done = [&self.0.ready, &self.0.lost];
            if done.iter().any(|flag| flag.load(Ordering::SeqCst)) {
                return;
            }
            changed.await;
        }
    }
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// A worker that runs. Dropped, it ends.
pub struct Worker {
    questions: mpsc::UnboundedSender<Question>,
    waiting: Waiting,
    state: Arc<State>,
    last_id: u64,
    _child: Child,
    _directory: super::worker_process::Directory,
}

impl Worker {
    /// Starts the process; `None` when the system does not let us.
    pub fn start(home: &Path) -> Option<Worker> {
        let directory = super::worker_process::Directory::make()
            .inspect_err(|error| eprintln!("rust-dl: no directory for analysis: {error:#}"))
            .ok()?;
        let program = std::env::current_exe().ok()?;
        let mut child = Command::new(program)
            .arg("analyse")
            .arg(home)
            .arg(directory.path())
            // What evcxr builds and reads is its own, whatever the user's cargo builds.
            .env("EVCXR_TMPDIR", directory.path())
            .env("EVCXR_CONFIG_DIR", directory.path())
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .inspect_err(|error| eprintln!("rust-dl: analysis does not start: {error}"))
            .ok()?;
        let (stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
        let waiting = Waiting::default();
        let state = Arc::new(State::default());
        let (questions, asked) = mpsc::unbounded_channel();
        tokio::spawn(write(stdin, asked));
        tokio::spawn(read(stdout, waiting.clone(), state.clone()));
        Some(Worker {
            questions,
            waiting,
            state,
            last_id: 0,
            _child: child,
            _directory: directory,
        })
    }

    /// Whether the process is gone.
    pub fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// Whether everything is loaded, so that waiting for an answer makes sense.
    pub fn is_ready(&self) -> bool {
        self.state.ready.load(Ordering::SeqCst)
    }

    /// To wait for [`Worker::is_ready`].
    pub fn readiness(&self) -> Readiness {
        Readiness(self.state.clone())
    }

    /// Asks; the answer comes when it comes. Only the newest question is worth answering, so
    /// whoever waits for an older one is told at once that nothing will come.
    pub fn ask(&mut self, mut question: Question) -> oneshot::Receiver<Answer> {
        self.last_id += 1;
        question.id = self.last_id;
        let (answer, wait) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        waiting.clear();
        waiting.insert(question.id, answer);
        let _ = self.questions.send(question);
        wait
    }
}

async fn write(mut stdin: ChildStdin, mut asked: mpsc::UnboundedReceiver<Question>) {
    while let Some(mut question) = asked.recv().await {
        while let Ok(newer) = asked.try_recv() {
            question = newer;
        }
        let Ok(mut line) = serde_json::to_vec(&question) else {
            continue;
        };
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read(stdout: ChildStdout, waiting: Waiting, state: Arc<State>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(answer) = serde_json::from_str::<Answer>(&line) else {
            continue;
        };
        if answer.id == 0 {
            state.ready.store(true, Ordering::SeqCst);
            state.changed.notify_waiters();
        } else if let Some(waiter) = lock(&waiting).remove(&answer.id) {
            let _ = waiter.send(answer);
        }
    }
    state.lost.store(true, Ordering::SeqCst);
    state.changed.notify_waiters();
    lock(&waiting).clear();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
