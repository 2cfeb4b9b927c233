//! What commands change about a session: its crates, how far it optimises, what evaluates it.

use super::deps::{self, Crates};
use super::draft::State;
use super::evaluator::Engine;
use super::process::CellProcess;
use super::progress::Progress;
use super::reference::Reference;
use super::{CellError, Event, report, revival, types};

impl Engine {
    /// Sets how far the next cells are optimised.
    pub(super) fn optimise(&mut self, level: &str) -> Result<String, CellError> {
        let levels = ["0", "1", "2", "3"];
        let Some(level) = levels.into_iter().find(|known| *known == level) else {
            let message = format!("expected `:opt 0` to `:opt 3`, got {level:?}");
            return Err(report::plain("UnknownCommand", message));
        };
        self.opt_level = level;
        let speed = if level == "0" {
            ""
        } else {
            " (they take longer to compile)"
        };
        Ok(format!(
            "cells are compiled at opt-level {level} from now on{speed}; dlcore is optimised anyway\n"
        ))
    }

    /// Begins the session anew; crates of `:dep` stay built.
    pub(super) fn restart(&mut self) -> Result<String, CellError> {
        let process =
            CellProcess::start(&self.config.home, &self.toolchain, &self.config.working_dir);
        self.process =
            process.map_err(|error| report::plain("KernelError", format!("{error:#}")))?;
        self.state = State::default();
        self.crates = Crates::default();
        self.forget.clear();
        self.gone.clear();
        // What was kept for a crash belongs to the session that ends here.
        let _ = std::fs::remove_dir_all(revival::folder(&self.dir));
        Ok("the session begins anew: no variables, no definitions\n".to_owned())
    }

    /// Has evcxr's own evaluator run the next cells, or no longer.
    pub(super) fn choose(
        &mut self,
        name: &str,
        sink: &mut dyn FnMut(Event),
    ) -> Result<String, CellError> {
        match name {
            "evcxr" if self.reference.is_some() => Ok("evcxr evaluates already\n".to_owned()),
            "evcxr" => {
                let mut progress = Progress::new(sink);
                progress.say("starting evcxr");
                let directory = self.dir.path().join("evcxr");
                let started =
                    Reference::start(&self.config.home, &directory, &self.config.working_dir);
                self.reference = Some(
                    started.map_err(|error| report::plain("KernelError", format!("{error:#}")))?,
                );
                progress.done(&format!(
                    "evcxr evaluates the next cells, with variables of its own; `:engine rustc` goes back.\n\
                     dlcore is a crate like any other there: `:dep dlcore = {{ path = {:?} }}` and `use dlcore::prelude::*;`",
                    self.config.home.join("src/dlcore").display().to_string()
                ));
                Ok(String::new())
            }
            "rustc" => {
                self.reference = None;
                Ok("cells go to rustc directly, with the variables of before\n".to_owned())
            }
            other => Err(report::plain(
                "UnknownCommand",
                format!(
                    "there is no engine {other:?}; there are `:engine rustc` (fast) and `:engine evcxr` (the reference)"
                ),
            )),
        }
    }

    /// Adds the crates of a cell's `:dep` lines, all in one build.
    pub(super) fn add_crates(
        &mut self,
        lines: &[&str],
        sink: &mut dyn FnMut(Event),
    ) -> Result<(), CellError> {
        let failed = |error: anyhow::Error| {
            let name = if self.interrupter.is_stopped() {
                "Interrupted"
            } else {
                "DependencyError"
            };
            report::plain(name, format!("{error:#}"))
        };
        let mut next = self.crates.clone();
        let mut asked = vec![];
        for line in lines {
            let request = deps::parse(line, &self.config.working_dir).map_err(failed)?;
            if let deps::Request::Add(name, _) = &request {
                asked.push(name.clone());
            }
            if let Some(note) = next.add(request) {
                sink(Event::Stdout(format!("{note}\n").into_bytes()));
            }
        }
        if !next.is_stale().map_err(failed)? {
            for version in asked.iter().filter_map(|name| next.version_of(name)) {
                let there = format!("{version} is there already\n");
                sink(Event::Stdout(there.into_bytes()));
            }
            self.crates = next;
            return Ok(());
        }
        let mut progress = Progress::new(sink);
        let built = deps::build(
            &next.wanted,
            &self.toolchain,
            &self.interrupter,
            &mut |line| progress.say(line),
        );
        next.set_built(built.map_err(failed)?);
        let added = next.added_since(&self.crates).join(", ");
        let seconds = progress.seconds();
        progress.done(&format!("added {added} in {seconds:.1} s"));
        if next.changes(&self.crates) {
            self.forget_foreign(sink);
        }
        self.crates = next;
        Ok(())
    }

    /// Drops the variables whose types may be others now that crates were built anew.
    fn forget_foreign(&mut self, sink: &mut dyn FnMut(Event)) {
        let foreign: Vec<String> = self
            .state
            .variables
            .iter()
            .filter(|(_, kept)| types::is_foreign(&kept.written) || types::is_foreign(&kept.full))
            .map(|(name, _)| name.clone())
            .collect();
        for name in foreign {
            let note = format!(
                "note: the type of `{name}` may come from a crate that was built anew, so its old value is gone\n"
            );
            sink(Event::Note(note));
            self.state.variables.remove(&name);
            self.forget.push(name);
        }
    }
}
