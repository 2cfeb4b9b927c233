//! Evaluation by rustc itself, in evcxr's way of working: items accumulate, variables live in a
//! store inside the cell process, and each cell is one small library loaded there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::deps::Crates;
use super::diagnostics::{self, Sources};
use super::draft::{Draft, Kept, State};
use super::generate::{self, Generated, Origin, Parts};
use super::interrupt::Interrupter;
use super::process::{self, CellProcess, Incoming};
use super::reference::Reference;
use super::report::{self, Places};
use super::revival::{self, Revived};
use super::rustc::{self, Rustc};
use super::warm::{self, InUse, Toolchain};
use super::{
    CellError, EngineConfig, Event, Outcome, SessionView, Timing, Variable, commands, source,
    spent, types, variables,
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
        let (draft, library, warnings) = match self.build(&code, draft, timing) {
            Ok(built) => built,
            Err(error) => return Outcome::Failed(error),
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

    /// Learns names and types of what the store holds now.
    fn take_over(
        &mut self,
        draft: &Draft,
        described: &Value,
        failed: bool,
        sink: &mut dyn FnMut(Event),
    ) {
        let mut variables = BTreeMap::new();
        let sources = self.sources_of(draft);
        for slot in described.as_array().into_iter().flatten() {
            let (Some(name), Some(type_name)) = (slot["name"].as_str(), slot["type"].as_str())
            else {
                continue;
            };
            // A cell that failed has put none of what it binds.
            let binding = draft
                .cell
                .bindings
                .iter()
                .find(|binding| binding.name == name && !failed);
            let known = self.state.variables.get(name);
            let taken = draft.taken.iter().find(|taken| taken.name == name);
            let written = match (binding, known) {
                (Some(binding), _) => binding
                    .annotation
                    .clone()
                    .or_else(|| types::writable(type_name)),
                (None, Some(known)) => {
                    Some(taken.map_or(&known.written, |taken| &taken.written).clone())
                }
                (None, None) => types::writable(type_name),
            };
            let Some(written) = written else {
                let kind =
                    if type_name.contains("{{closure}}>") || type_name.ends_with("{{closure}}") {
                        "a closure or holds one"
                    } else {
                        "of a type declared inside a block"
                    };
                sink(not_kept(name, kind));
                self.forget.push(name.to_owned());
                continue;
            };
            let mutable = binding.map_or_else(
                || known.is_some_and(|known| known.mutable),
                |binding| binding.mutable,
            );
            let copy = slot["copy"].as_bool().unwrap_or(false);
            let renewed = taken.is_some_and(|taken| taken.renewed);
            let (cell, after) = match (binding, known) {
                (None, Some(known)) if !renewed => (known.cell, known.after.clone()),
                _ => (self.number_of(draft), sources.clone()),
            };
            variables.insert(
                name.to_owned(),
                Kept {
                    full: types::writable(type_name).unwrap_or_else(|| written.clone()),
                    written,
                    mutable,
                    copy,
                    cell,
                    after,
                    about: slot["about"].as_str().unwrap_or_default().to_owned(),
                    bytes: slot["bytes"].as_u64().unwrap_or_default(),
                },
            );
        }
        let gone = |name: &str| failed && !variables.contains_key(name);
        for taken in draft.taken.iter().filter(|taken| gone(&taken.name)) {
            let name = &taken.name;
            let note = format!(
                "note: the cell had taken `{name}` over before it failed, so `{name}` is gone; \
                 pass `&{name}` or `{name}.clone()` to keep it\n"
            );
            sink(Event::Note(note));
        }
        self.remember_gone(draft, &variables, failed, sink);
        self.state.variables = variables;
    }

    /// Notes what the cell took away, and what it would have kept had it not failed.
    fn remember_gone(
        &mut self,
        draft: &Draft,
        variables: &BTreeMap<String, Kept>,
        failed: bool,
        sink: &mut dyn FnMut(Event),
    ) {
        let number = self.number_of(draft);
        for name in draft.taken.iter().map(|taken| &taken.name) {
            let code = self.cells.get(draft.index).map_or("", |(_, code)| code);
            let used = spent::by_operator(code, name);
            let used = used.filter(|_| self.state.variables.get(name).is_some_and(Kept::is_tensor));
            let instead = match &used {
                Some(used) => format!("write `{}` there", used.instead),
                None => format!("pass `&{name}` or `{name}.clone()` there"),
            };
            if let Some(used) = used
                && !failed
                && !variables.contains_key(name)
            {
                sink(Event::Note(used.note(name)));
            }
            let what = format!(
                "`{name}` was given away in cell {number}: {instead}, and run the cell that made it again"
            );
            self.gone.insert(name.clone(), what);
        }
        for name in &draft.nameless {
            let what = format!(
                "`{name}` was a closure or an `async` block, which no cell keeps: make it a `fn`"
            );
            self.gone.insert(name.clone(), what);
        }
        for name in &draft.spent {
            let what = format!(
                "cell {number}, which made `{name}`, gave it away: pass `&{name}` or `{name}.clone()` there"
            );
            self.gone.insert(name.clone(), what);
        }
        for name in &draft.unset {
            let what =
                format!("`{name}` had no value at the end of cell {number}, so it was not kept");
            self.gone.insert(name.clone(), what);
        }
        let bound: Vec<&str> = draft
            .cell
            .bindings
            .iter()
            .map(|binding| binding.name.as_str())
            .collect();
        if failed && !bound.is_empty() {
            for name in &bound {
                let what = format!(
                    "cell {number} failed before it could keep `{name}`: mend it and run it again"
                );
                self.gone.insert((*name).to_owned(), what);
            }
            let older: Vec<&str> = bound
                .iter()
                .copied()
                .filter(|name| variables.contains_key(*name))
                .collect();
            let older = match older.as_slice() {
                [] => String::new(),
                [name] => format!("; `{name}` is again what it was before"),
                names => format!("; `{}` are again what they were before", names.join("`, `")),
            };
            let note = format!(
                "note: as the cell failed, what it bound is not kept: `{}`{older}\n",
                bound.join("`, `")
            );
            sink(Event::Note(note));
        }
        self.gone.retain(|name, _| !variables.contains_key(name));
    }

    /// A new cell process, with what the old one has left of its variables.
    fn start_again(&mut self, draft: &Draft) -> Result<Revived> {
        let known = std::mem::take(&mut self.state.variables);
        let start =
            || CellProcess::start(&self.config.home, &self.toolchain, &self.config.working_dir);
        self.process = start()?;
        let folder = revival::folder(&self.dir);
        let code = self.cells.get(draft.index).map_or("", |(_, code)| code);
        let Some(revived) = Revived::ask(&mut self.process, &folder, code) else {
            // What it was to take over ended it: better none than that.
            let _ = fs::remove_dir_all(&folder);
            self.process = start()?;
            return Ok(Revived::default());
        };
        for slot in revived.variables.as_array().into_iter().flatten() {
            let (Some(name), Some(type_name)) = (slot["name"].as_str(), slot["type"].as_str())
            else {
                continue;
            };
            let Some(written) = types::writable(type_name) else {
                continue;
            };
            let binding = draft.cell.bindings.iter().find(|b| b.name == name);
            let mutable = match (known.get(name), binding) {
                (Some(known), _) => known.mutable,
                (None, binding) => binding.is_none_or(|binding| binding.mutable),
            };
            let copy = slot["copy"].as_bool().unwrap_or(false);
            let kept = Kept {
                full: written.clone(),
                written,
                mutable,
                copy,
                cell: known
                    .get(name)
                    .map_or_else(|| self.number_of(draft), |known| known.cell),
                after: known
                    .get(name)
                    .map(|known| known.after.clone())
                    .unwrap_or_default(),
                about: slot["about"].as_str().unwrap_or_default().to_owned(),
                bytes: slot["bytes"].as_u64().unwrap_or_default(),
            };
            self.state.variables.insert(name.to_owned(), kept);
        }
        Ok(revived)
    }

    /// The cells that made what this one takes away: run again, it needs them before it.
    fn sources_of(&self, draft: &Draft) -> BTreeSet<u32> {
        let taken = draft.taken.iter().filter(|taken| !taken.returned);
        let known = taken.filter_map(|taken| self.state.variables.get(&taken.name));
        known.flat_map(Kept::cells).collect()
    }

    /// The number that the user knows the draft's cell by.
    fn number_of(&self, draft: &Draft) -> u32 {
        self.cells.get(draft.index).map_or(0, |(number, _)| *number)
    }

    /// As [`Self::process_died`], when no cell ran.
    pub(super) fn idle_process_died(&mut self, sink: &mut dyn FnMut(Event)) -> Outcome {
        let no_cell = self.state.draft(source::parse(""), "", self.cells.len());
        self.process_died(&no_cell, &[], sink)
    }

    /// The cell process is gone: start another, and say what went with the old one.
    fn process_died(
        &mut self,
        draft: &Draft,
        last_words: &[u8],
        sink: &mut dyn FnMut(Event),
    ) -> Outcome {
        let mut last_words = last_words.to_vec();
        self.process.drain_output(&mut |incoming| {
            if let Incoming::Event(event) = incoming {
                if let Event::Stderr(bytes) = &event {
                    last_words.extend_from_slice(bytes);
                }
                sink(event);
            }
        });
        let killed_by_user = self.interrupter.ended_by_user();
        let status = self.process.end();
        let before: Vec<(String, BTreeSet<u32>)> = self
            .state
            .variables
            .iter()
            .map(|(name, kept)| (name.clone(), kept.cells()))
            .collect();
        self.forget.clear();
        let restarted = self.start_again(draft);
        let lost: Vec<(String, BTreeSet<u32>)> = before
            .into_iter()
            .filter(|(name, _)| !self.state.variables.contains_key(name))
            .collect();
        for (name, cells) in &lost {
            let cells = report::listed(cells);
            let what = format!("`{name}` went with the process that ended: run again {cells}");
            self.gone.insert(name.clone(), what);
        }
        let gone = report::lost(&lost);
        let kept = "Functions, types and imports of earlier cells are still there.";
        let (ename, reason) = if killed_by_user {
            (
                "Interrupted",
                "the cell was ended, as it did not stop by itself".to_owned(),
            )
        } else {
            (
                "ProcessDied",
                match process::cause(&String::from_utf8_lossy(&last_words)) {
                    Some(cause) => format!("the process that ran the cell ended: {cause}"),
                    None => format!(
                        "the process that ran the cell ended: {}",
                        process::describe(status)
                    ),
                },
            )
        };
        let mut traceback = vec![format!("\u{1b}[1m{ename}\u{1b}[0m: {reason}")];
        match restarted {
            Ok(revived) => traceback.extend(revived.told()),
            Err(error) => traceback.push(format!(
                "A new process could not be started: {error:#}. Restart the kernel."
            )),
        }
        traceback.extend([gone, kept.to_owned()]);
        Outcome::Failed(CellError {
            ename: ename.into(),
            evalue: reason,
            traceback,
        })
    }

    /// Variables as `:vars` lists them.
    pub(super) fn list_variables(&self) -> String {
        variables::table(&self.state.variables)
    }
}

const INTERRUPTED_COMPILING: &str =
    "interrupted while the cell was being compiled; nothing ran and nothing is lost";

const STILL_RUNNING: &str = "\ninterrupt: training stops at its next batch; other code cannot be stopped gently. \
    Interrupt again to end it; models, numbers, text and small tensors are then kept, other variables are lost.\n";

fn not_kept(name: &str, kind: &str) -> Event {
    let note = format!(
        "note: `{name}` is {kind}, whose type cannot be written down, so it is not kept for the next cell. \
         Put it in a box (`let {name}: Box<dyn Fn(f32) -> f32> = Box::new(…)`) or make it a `fn`.\n"
    );
    Event::Note(note)
}

struct Built {
    library: PathBuf,
    entry: String,
}

fn sessions_dir() -> Result<PathBuf> {
    let cache = dirs::cache_dir().context("no cache directory: set HOME or XDG_CACHE_HOME")?;
    Ok(cache.join("rust-dl/sessions"))
}
