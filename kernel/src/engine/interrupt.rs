//! Stopping what runs, from another thread: the compiler at once, training at its next batch, and
//! on a second press the process.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

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
    compiler_stopped: bool,
}

/// What the engine is at.
#[derive(Default)]
pub(super) enum Phase {
    /// Nothing that could be stopped.
    #[default]
    Idle,
    /// rustc runs, as the leader of a process group.
    Compiling(u32),
    /// A cell runs.
    Running {
        /// The cell process.
        process: u32,
        /// The socket to it.
        control: Arc<Mutex<UnixStream>>,
        /// How often interrupt was pressed.
        presses: u32,
    },
}

impl Interrupter {
    /// First call: the compiler is stopped, or training stops at its next batch. A second call
    /// while the same cell still runs ends the cell process; the cell's outcome then says which
    /// variables are gone. Does nothing when idle.
    pub fn interrupt(&self) {
        let mut state = self.lock();
        let state = &mut *state;
        match &mut state.phase {
            Phase::Idle => {}
            Phase::Compiling(group) => {
                let _ = killpg(Pid::from_raw(*group as i32), Signal::SIGKILL);
                state.compiler_stopped = true;
            }
            Phase::Running {
                process,
                control,
                presses,
            } => {
                *presses += 1;
                state.pressed_at.get_or_insert_with(Instant::now);
                if *presses == 1 {
                    let _ = process::send(control, &json!({"t": "interrupt"}));
                } else {
                    let _ = kill(Pid::from_raw(*process as i32), Signal::SIGKILL);
                }
            }
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.pressed_at = None;
    }

    /// When the running cell was first asked to stop.
    pub(super) fn pressed_at(&self) -> Option<Instant> {
        self.lock().pressed_at
    }

    /// How often the running cell was asked to stop.
    pub(super) fn presses(&self) -> u32 {
        match self.lock().phase {
            Phase::Running { presses, .. } => presses,
            _ => 0,
        }
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
            state.compiler_stopped = false;
            state.phase = Phase::Compiling(child.id());
        }
        let mut stderr = vec![];
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut stderr)?;
        }
        // Reaped under the lock: an interrupt can never hit a later process of the same number.
        let mut state = self.lock();
        let status = child.wait()?;
        state.phase = Phase::Idle;
        let stopped = state.compiler_stopped;
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
