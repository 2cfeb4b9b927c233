//! Stopping what runs, from another thread: the compiler at once, training at its next batch, and
//! on a second press the process.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::json;

use super::{Answer, process};

/// Stops what the engine is doing, from another thread. Cheap to clone.
#[derive(Clone, Default)]
pub struct Interrupter {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    pressed_at: Option<Instant>,
    /// Interrupted before the cell ran.
    stopped: bool,
}

/// Starts a compiler in a process group of its own, with its output in pipes. It ends with this process,
/// however that ends.
pub(super) fn spawn_builder(command: &mut Command) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let kernel = std::process::id();
    // SAFETY: between fork and exec this makes two system calls, which is async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // It may have ended before that was said.
            match nix::unistd::getppid().as_raw() as u32 == kernel {
                true => Ok(()),
                false => Err(nix::errno::Errno::ESRCH.into()),
            }
        });
    }
    command
        .spawn()
        .with_context(|| format!("cannot run {:?}", command.get_program()))
}

/// Reads what a compiler writes until it ends: standard error by the line, standard output as a whole.
fn listen(child: &mut Child, line: &mut dyn FnMut(&str)) -> Result<Vec<u8>> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = std::thread::spawn(move || {
        let mut bytes = vec![];
        stdout.map(|mut pipe| pipe.read_to_end(&mut bytes));
        bytes
    });
    let lines = stderr.map(|pipe| BufReader::new(pipe).split(b'\n'));
    for text in lines.into_iter().flatten() {
        let text = text.context("cannot read what the compiler says")?;
        line(&String::from_utf8_lossy(&text));
    }
    Ok(reading.join().unwrap_or_default())
}

/// How a compiler ended.
pub(super) struct Ended {
    /// What it says itself.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// A second press within this time of the first is taken for a double click.
const DOUBLE_CLICK: Duration = Duration::from_secs(1);

/// What the engine is at.
#[derive(Default)]
pub(super) enum Phase {
    /// Nothing that could be stopped.
    #[default]
    Idle,
    /// A cell is being built; while rustc runs, its process group.
    Building(Option<u32>),
    /// A cell runs.
    Running {
        /// The cell process.
        process: u32,
        /// The socket to it.
        control: Arc<Mutex<UnixStream>>,
        /// The cell's number in this session, for an interrupt that comes when it is just over.
        cell: u32,
        /// Whether it was ended by a second press.
        ended: bool,
    },
}

impl Interrupter {
    /// First call: the compiler is stopped, or training stops at its next batch. A second call (a
    /// second or more later) while the same cell still runs ends the cell process; the cell's
    /// outcome then says which variables are gone. Does nothing when idle.
    pub fn interrupt(&self) {
        let mut state = self.lock();
        let state = &mut *state;
        match &mut state.phase {
            Phase::Idle => {}
            Phase::Building(group) => {
                state.stopped = true;
                if let Some(group) = group {
                    let _ = killpg(Pid::from_raw(*group as i32), Signal::SIGKILL);
                }
            }
            Phase::Running {
                process,
                control,
                cell,
                ended,
            } => match state.pressed_at {
                None => {
                    state.pressed_at = Some(Instant::now());
                    let _ = process::send(control, &json!({"t": "interrupt", "cell": cell}));
                }
                Some(first) if first.elapsed() >= DOUBLE_CLICK => {
                    *ended = true;
                    let _ = kill(Pid::from_raw(*process as i32), Signal::SIGKILL);
                }
                Some(_) => {}
            },
        }
    }

    /// Answers a question of the running cell; does nothing when none runs.
    pub fn answer(&self, number: u64, answer: Answer) {
        let frame = match answer {
            Answer::Text(text) => json!({"t": "input_reply", "n": number, "value": text}),
            Answer::End => json!({"t": "input_reply", "n": number, "value": null}),
            Answer::Refused(why) => json!({"t": "input_reply", "n": number, "error": why}),
        };
        if let Phase::Running { control, .. } = &self.lock().phase {
            let _ = process::send(control, &frame);
        }
    }

    /// A cell is begun: from now on it can be stopped.
    pub(in crate::engine) fn begin(&self) {
        let mut state = self.lock();
        state.phase = Phase::Building(None);
        state.pressed_at = None;
        state.stopped = false;
    }

    /// The cell is built and about to run; false when it was interrupted before that.
    pub(super) fn run(&self, process: u32, control: Arc<Mutex<UnixStream>>, cell: u32) -> bool {
        let mut state = self.lock();
        if !state.stopped {
            state.phase = Phase::Running {
                process,
                control,
                cell,
                ended: false,
            };
        }
        !state.stopped
    }

    /// The cell is over.
    pub(in crate::engine) fn end(&self) {
        self.lock().phase = Phase::Idle;
    }

    /// When the running cell was first asked to stop.
    pub(super) fn pressed_at(&self) -> Option<Instant> {
        self.lock().pressed_at
    }

    /// Whether the cell was interrupted before it ran.
    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Whether the user ended the running cell's process.
    pub(in crate::engine) fn ended_by_user(&self) -> bool {
        matches!(self.lock().phase, Phase::Running { ended: true, .. })
    }

    /// Runs a compiler so that an interrupt ends it and its linker; `line` is given what it writes to
    /// standard error as it comes.
    pub(super) fn run_builder(
        &self,
        command: &mut Command,
        line: &mut dyn FnMut(&str),
    ) -> Result<Ended> {
        self.wait_for_builder(spawn_builder(command)?, |_| Ok(()), line)
    }

    /// As [`Self::run_builder`], for a compiler that runs already; `feed` gives it, by the number of its process, what it
    /// waits for.
    pub(super) fn wait_for_builder(
        &self,
        mut child: Child,
        feed: impl FnOnce(u32) -> std::io::Result<()>,
        line: &mut dyn FnMut(&str),
    ) -> Result<Ended> {
        {
            let mut state = self.lock();
            state.phase = Phase::Building(Some(child.id()));
            if state.stopped {
                let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            }
        }
        let heard = feed(child.id())
            .context("cannot hand the cell to rustc")
            .and_then(|()| listen(&mut child, line));
        if heard.is_err() {
            // Nobody waits for what it may still come to.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        }
        // Reaped under the lock: an interrupt can never hit a later process of the same number.
        let mut state = self.lock();
        state.phase = Phase::Building(None);
        let status = child.wait()?;
        Ok(Ended {
            status,
            stdout: heard?,
            interrupted: state.stopped,
        })
    }

    /// From now on an interrupt kills this process group; false when one has come already.
    pub(super) fn watch_group(&self, group: u32) -> bool {
        let mut state = self.lock();
        state.phase = Phase::Building(Some(group));
        !state.stopped
    }

    /// The process group is no longer to be killed.
    pub(super) fn unwatch_group(&self) {
        self.lock().phase = Phase::Building(None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_cannot_be_fed_is_stopped_and_reaped() {
        let child = spawn_builder(Command::new("sleep").arg("1000")).unwrap();
        let process = Pid::from_raw(child.id() as i32);
        let feed = |_| Err(std::io::ErrorKind::BrokenPipe.into());
        let waited = Interrupter::default().wait_for_builder(child, feed, &mut |_| {});
        assert!(waited.is_err());
        assert_eq!(kill(process, None), Err(nix::errno::Errno::ESRCH));
    }
}
