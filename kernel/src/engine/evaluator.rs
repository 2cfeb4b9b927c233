//! Evaluation by rustc itself, in evcxr's way of working: items accumulate, variables live in a
//! store inside the cell process, and each cell is one small library loaded there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::deps::Crates;
use super::diagnostics::{self, Sources};
use super::draft::{Draft, State};
use super::generate::{self, Generated, Origin, Parts};
use super::interrupt::Interrupter;
use super::process::{self, CellProcess, Incoming};
use super::reference::Reference;
use super::report::{self, Places};
use super::revival;
use super::rustc::{self, Rustc};
use super::taking_over::not_kept;
use super::warm::{self, InUse, Toolchain};
use super::{
    CellError, EngineConfig, Event, Outcome, SessionView, Timing, Variable, commands, source,
    variables,
};
use crate::private_dir::PrivateDir;

/// Compiles and runs cells for one notebook. Used from one thread at a time.
pub struct Engine {
    pub(super) config: EngineConfig,
    pub(super) toolchain: Toolchain,
    pub(super) _in_use: Option<InUse>,
    pub(super) rustc: Rustc,
    pub(super) dir: PrivateDir,
    pub(super) process: CellProcess,
    pub(super) interrupter: Interrupter,
    pub(super) state: State,
    /// Number and text of every cell that an error may point into.
    pub(super) cells: Vec<(u32, String)>,
    /// What was compiled for the last cells, for the place of a panic.
    pub(super) sources: Vec<(String, Generated)>,
    pub(super) builds: u32,
    pub(super) crates: Crates,
    /// How far cells are optimised.
    pub(super) opt_level: &'static str,
    /// evcxr, while that evaluates.
    pub(super) reference: Option<Reference>,
    /// Variables to be dropped in the cell process before the next cell.
    pub(super) forget: Vec<String>,
    /// What became of variables that are no longer there, for whoever names them still.
    pub(super) gone: BTreeMap<String, String>,
    pub(super) last_timing: Timing,
}

/// How many stay in memory to place panics in.
const SOURCES_KEPT: usize = 64;
/// A cell that fails to build for reasons of ours is tried again this often.
const MOST_BUILDS: u32 = 8;
/// So much of what a cell prints to standard error is looked at when its process has ended.
const LAST_WORDS: usize = 1000;
/// After this many milliseconds without an answer to an interrupt, say what to do.
const PATIENCE: u128 = 1500;

impl Engine {
    /// Lays out the session directory and starts the cell process. Takes long (minutes) only when
    /// dlcore must be built anew for a changed compiler; `progress` is told then, a line at a time.
    pub fn start(config: EngineConfig, progress: &mut dyn FnMut(&str)) -> Result<Engine> {
        let toolchain = warm::warm(&config.home, progress)?;
        let in_use = toolchain.hold();
        let process = CellProcess::start(&config.home, &toolchain, &config.working_dir)?;
        let dir = PrivateDir::create(&sessions_dir()?)?;
        let program = process::program(&config.home)?;
        let rustc = Rustc::new(dir.path(), toolchain.lld(), &program)?;
        let mut engine = Engine {
            config,
            rustc,
            toolchain,
            _in_use: in_use,
            dir,
            process,
            interrupter: Interrupter::default(),
            state: State::default(),
            cells: vec![],
            sources: vec![],
            builds: 0,
            crates: Crates::default(),
            opt_level: "0",
            reference: None,
            forget: vec![],
            gone: BTreeMap::new(),
            last_timing: Timing::default(),
        };
        engine.stand_ready();
        Ok(engine)
    }

    /// A handle that can stop what runs.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// What the session has defined so far.
    pub fn view(&self) -> SessionView {
        let variables = self.state.variables.iter().map(|(name, kept)| Variable {
            name: name.clone(),
            type_name: kept.written.clone(),
            mutable: kept.mutable,
        });
        SessionView {
            items: self
                .state
                .items
                .iter()
                .map(|kept| kept.text.clone())
                .collect(),
            variables: variables.collect(),
            crates: self.crates.lines(),
        }
    }

    /// Compiles and runs one cell; returns when all its output has gone through `sink`.
    /// `cell` is the execution count shown to the user: errors point at `cell [N]`.
    pub fn evaluate(
        &mut self,
        code: &str,
        cell: u32,
        sink: &mut dyn FnMut(Event),
    ) -> (Outcome, Timing) {
        let mut timing = Timing::default();
        self.interrupter.begin();
        let started = Instant::now();
        let outcome = self.evaluate_timed(code, cell, sink, &mut timing);
        self.interrupter.end();
        timing.total = started.elapsed();
        self.stand_ready();
        // A cell of commands alone leaves what `:timing` tells of the one before.
        if timing.builds > 0 || !timing.run.is_zero() {
            self.last_timing = timing.clone();
        }
        (outcome, timing)
    }

    fn evaluate_timed(
        &mut self,
        code: &str,
        number: u32,
        sink: &mut dyn FnMut(Event),
        timing: &mut Timing,
    ) -> Outcome {
        if let Some(reference) = &mut self.reference
            && !commands::names_engine(code)
        {
            let started = Instant::now();
            let outcome = reference.evaluate(code, &self.interrupter, sink);
            timing.run = started.elapsed();
            if !reference.is_alive() {
                self.reference = None;
            }
            return outcome;
        }
        let code = match commands::run(self, code, sink) {
            Ok(rest) => rest,
            Err(error) => return Outcome::Failed(error),
        };
        if code.trim().is_empty() {
            return Outcome::Done;
        }
        let index = self.cells.len();
        self.cells.push((number, code.clone()));
        let mut draft = self.draft(&code, index, timing);
        if draft.cell.awaits
            && let Some(line) = self.crates.runtime_wanted()
        {
            if let Err(error) = self.add_crates(&[line], sink) {
                return Outcome::Failed(error);
            }
            // Variables may have gone with a crate that was built anew.
            draft = self.draft(&code, index, timing);
        }
        if draft.cell.is_empty() {
            return Outcome::Done;
        }
        let bound: Vec<String> = draft.cell.bindings.iter().map(|b| b.name.clone()).collect();
        let (draft, library, warnings) = match self.build(&code, draft, timing) {
            Ok(built) => built,
            Err(error) => {
                self.remember_unmade(bound, number);
                return Outcome::Failed(error);
            }
        };
        if !warnings.is_empty() {
            sink(Event::Note(warnings));
        }
        self.run(&draft, &library, sink, timing)
    }

    /// Reads a cell.
    fn draft(&self, code: &str, index: usize, timing: &mut Timing) -> Draft {
        let started = Instant::now();
        let cell = source::parse(code);
        timing.parse += started.elapsed();
        let started = Instant::now();
        let draft = self.state.draft(cell, code, index);
        timing.types += started.elapsed();
        draft
    }

    /// Has a compiler wait for the next cell.
    fn stand_ready(&mut self) {
        if self.reference.is_some() {
            return self.rustc.stand_down();
        }
        let command = self.rustc_command(&self.state.attributes);
        let name = format!("cell_{}", self.builds + 1);
        self.rustc.stand_ready(&name, command);
    }

    /// The call of rustc for a cell under these attributes.
    fn rustc_command(&self, attributes: &[String]) -> Command {
        let mut command = self.toolchain.cell_command(self.opt_level);
        // What a session forbids itself is not meant for the lines around its cells.
        let strict = |text: &String| text.contains("deny") || text.contains("forbid");
        if attributes.iter().any(strict) {
            command.arg("--cap-lints=warn");
        }
        self.crates.arguments(&mut command);
        command
    }

    /// Builds until the crate fits what the cell does with its variables; mostly that is once.
    fn build(
        &mut self,
        code: &str,
        mut draft: Draft,
        timing: &mut Timing,
    ) -> Result<(Draft, Built, String), CellError> {
        let names: Vec<String> = self.state.variables.keys().cloned().collect();
        let mut links = self.toolchain.links();
        links.extend_from_slice(self.crates.links());
        loop {
            self.builds += 1;
            timing.builds += 1;
            let entry = format!("cell_{}", self.builds);
            let started = Instant::now();
            let generated = generate::generate(&Parts {
                code,
                cell: &draft.cell,
                index: draft.index,
                attributes: &draft.attributes,
                links: &links,
                tokio: self.crates.has_tokio(),
                items: &draft.items,
                taken: &draft.taken,
                kept: &draft.cell.bindings,
                entry: &entry,
            });
            timing.generate += started.elapsed();
            let file = rustc::source_of(&entry);
            let command = self.rustc_command(&draft.attributes);
            let compiled = self
                .rustc
                .compile(&entry, &generated.text, command, &self.interrupter)
                .map_err(|error| report::plain("KernelError", format!("{error:#}")))?;
            timing.compile += compiled.compile;
            timing.link += compiled.link;
            let (messages, other) = diagnostics::read(&compiled.stderr);
            let library = self.config.home.join("src");
            let sources = Sources {
                library: &library,
                generated: &generated,
                file: &file,
                cells: &self.cells,
                index: draft.index,
                names: &names,
                gone: &self.gone,
            };
            if compiled.interrupted {
                return Err(report::plain("Interrupted", INTERRUPTED_COMPILING.into()));
            }
            if compiled.success {
                let warnings = diagnostics::warnings(&messages, &sources, draft.index);
                self.sources.push((file, generated));
                if self.sources.len() > SOURCES_KEPT {
                    self.sources.remove(0);
                }
                return Ok((
                    draft,
                    Built {
                        library: compiled.library,
                        entry,
                    },
                    warnings,
                ));
            }
            let user_error = messages.iter().any(|message| {
                message.is_error()
                    && matches!(
                        message.primary_origin(&sources),
                        Some((Origin::User(..), _))
                    )
                    && !message
                        .origins(&sources)
                        .iter()
                        .any(|origin| matches!(origin, Origin::PutBack(_) | Origin::PutNew(_)))
            });
            if user_error || timing.builds >= MOST_BUILDS || !draft.adjust(&messages, &sources)? {
                return Err(diagnostics::compile_error(&messages, &sources, &other));
            }
        }
    }

    /// Runs a built cell and takes over what it leaves.
    fn run(
        &mut self,
        draft: &Draft,
        built: &Built,
        sink: &mut dyn FnMut(Event),
        timing: &mut Timing,
    ) -> Outcome {
        let (process, control) = (self.process.id(), self.process.control());
        if !self.interrupter.run(process, control, self.builds) {
            return Outcome::Failed(report::plain("Interrupted", INTERRUPTED_COMPILING.into()));
        }
        let mut forget = std::mem::take(&mut self.forget);
        forget.extend(draft.lost.iter().cloned());
        for name in &draft.lost {
            let note =
                format!("note: the type of `{name}` was defined anew, so its old value is gone\n");
            sink(Event::Note(note));
        }
        for name in &draft.nameless {
            sink(not_kept(name, "a closure or an `async` block"));
        }
        for name in &draft.unset {
            let note = format!(
                "note: `{name}` has no value at the end of the cell, so it is not kept for the next one\n"
            );
            sink(Event::Note(note));
        }
        let frame = json!({
            "t": "run", "library": built.library, "entry": built.entry, "forget": forget, "cell": self.builds,
            "keep": revival::folder(&self.dir), "number": self.cells.get(draft.index).map(|(number, _)| number),
            "fits": self.cells.get(draft.index).map(|(_, code)| revival::trained_in(code)),
        });
        let started = Instant::now();
        let mut last_words = vec![];
        let ended = match self.process.send(&frame) {
            Ok(()) => {
                // While the cell runs there is time for this.
                self.stand_ready();
                let mut noting = |event: Event| {
                    if let Event::Stderr(bytes) = &event {
                        last_words.extend_from_slice(bytes);
                        last_words.drain(..last_words.len().saturating_sub(LAST_WORDS));
                    }
                    sink(event);
                };
                self.wait_for_end(&mut noting)
            }
            Err(_) => None,
        };
        timing.run = started.elapsed();
        // It is loaded, and nothing reads the file again.
        let _ = fs::remove_file(&built.library);
        let Some((failure, done)) = ended else {
            return self.process_died(draft, &last_words, sink);
        };
        let micros = |name: &str| done[name].as_u64().map(Duration::from_micros);
        timing.load = micros("load_us").unwrap_or_default();
        timing.run = micros("run_us").unwrap_or(timing.run);
        let started = Instant::now();
        // Taken over only now: a cell whose process died may have taken anything with it.
        self.state.attributes.clone_from(&draft.attributes);
        self.state.items.clone_from(&draft.items);
        self.take_over(draft, &done["variables"], failure.is_some(), sink);
        timing.types += started.elapsed();
        match failure {
            None => Outcome::Done,
            Some(frame) => Outcome::Failed(report::failure(
                &frame,
                &Places {
                    sources: &self.sources,
                    cells: &self.cells,
                },
            )),
        }
    }

    /// Passes output on until the cell is done: how it failed, if it did, and its last frame. `None` when the process ended instead.
    fn wait_for_end(&mut self, sink: &mut dyn FnMut(Event)) -> Option<(Option<Value>, Value)> {
        let mut failure = None;
        let mut done = None;
        let mut hint = Some(Instant::now());
        let interrupter = self.interrupter.clone();
        while done.is_none() {
            let alive = self.process.wait(200, &mut |incoming| match incoming {
                Incoming::Event(event) => sink(event),
                Incoming::Frame(frame) => match frame["t"].as_str() {
                    Some("done") => done = Some(frame),
                    Some("panic" | "failure") => failure = Some(frame),
                    _ => {}
                },
            });
            if !alive.unwrap_or(false) && done.is_none() {
                return None;
            }
            if let (Some(pressed), true) = (interrupter.pressed_at(), hint.is_some())
                && pressed.elapsed().as_millis() > PATIENCE
                && done.is_none()
            {
                hint = None;
                sink(Event::Note(STILL_RUNNING.to_owned()));
            }
        }
        self.process.end_of_cell(sink);
        done.map(|done| (failure, done))
    }

    /// The number that the user knows the draft's cell by.
    pub(super) fn number_of(&self, draft: &Draft) -> u32 {
        self.cells.get(draft.index).map_or(0, |(number, _)| *number)
    }

    /// Variables as `:vars` lists them.
    pub(super) fn list_variables(&self) -> String {
        variables::table(&self.state.variables)
    }
}

const INTERRUPTED_COMPILING: &str =
    "interrupted while the cell was being compiled; nothing ran and nothing is lost";

const STILL_RUNNING: &str = "\ninterrupt: training stops at its next batch; other code cannot be stopped gently. \
    Interrupt again to end it; models, numbers, text, small tensors, lists and tables are then kept, other variables are lost.\n";

struct Built {
    library: PathBuf,
    entry: String,
}

fn sessions_dir() -> Result<PathBuf> {
    let cache = dirs::cache_dir().context("no cache directory: set HOME or XDG_CACHE_HOME")?;
    Ok(cache.join("rust-dl/sessions"))
}
