//! Evaluation by rustc itself. (First shape: the interface; the body follows.)

use super::{EngineConfig, Event, Outcome, SessionView, Timing};
use anyhow::Result;

/// Compiles and runs cells for one notebook. Used from one thread at a time.
pub struct Engine {}

/// Stops what the engine is doing, from another thread. Cheap to clone.
#[derive(Clone)]
pub struct Interrupter {}

impl Interrupter {
    /// First call: the compiler is stopped, or training stops at its next batch. A second call while the same cell still
    /// runs ends the cell process; the cell's outcome then says which variables are gone. Does nothing when idle.
    pub fn interrupt(&self) {}
}

impl Engine {
    /// Lays out the session directory and starts the cell process. Takes long (minutes) only when
    /// dlcore must be built anew for a changed compiler; `progress` is told then, a line at a time.
    pub fn start(_config: EngineConfig, _progress: &mut dyn FnMut(&str)) -> Result<Engine> {
        anyhow::bail!("not built yet")
    }

    /// Compiles and runs one cell; returns when all its output has gone through `sink`.
    /// `cell` is the execution count shown to the user: errors point at `cell [N]`.
    pub fn evaluate(&mut self, _code: &str, _cell: u32, _sink: &mut dyn FnMut(Event)) -> (Outcome, Timing) {
        unreachable!()
    }

    /// A handle that can stop what runs.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter {}
    }

    /// What the session has defined so far.
    pub fn view(&self) -> SessionView {
        SessionView::default()
    }
}
