//! Stopping what runs, from another thread: the compiler at once, training at its next batch, and
//! on a second press the process.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::json;

use super::process;

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

    /// A cell is begun: from now on it can be stopped.
    pub(super) fn begin(&self) {
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
    pub(super) fn end(&self) {
        self.lock().phase = Phase::Idle;
    }

    /// When the running cell was first asked to stop.
    pub(super) fn pressed_at(&self) -> Option<Instant> {
        self.lock().pressed_at
    }

    /// Whether the user ended the running cell's process.
    pub(super) fn ended_by_user(&self) -> bool {
        matches!(self.lock().phase, Phase::Running { ended: true, .. })
    }

    /// Runs rustc so that an interrupt ends it and its linker. Returns how it ended, what it
    /// wrote to standard error, and whether it was interrupted.
    pub(super) fn run_compiler(&self, command: &mut Command) -> Result<(ExitStatus, String, bool)> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().context("cannot run rustc")?;
        {
            let mut state = self.lock();
            state.phase = Phase::Building(Some(child.id()));
            if state.stopped {
                let _ = child.kill();
            }
        }
        let mut stderr = vec![];
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut stderr)?;
        }
        // Reaped under the lock: an interrupt can never hit a later process of the same number.
        let mut state = self.lock();
        let status = child.wait()?;
        state.phase = Phase::Building(None);
        let stopped = state.stopped;
        Ok((
            status,
            String::from_utf8_lossy(&stderr).into_owned(),
            stopped,
        ))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
