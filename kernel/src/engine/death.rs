//! The cell process is gone: what is said of it, and what the next one begins with.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;

use super::draft::{Draft, Kept};
use super::evaluator::Engine;
use super::process::{self, CellProcess, Incoming};
use super::report;
use super::revival::{self, Revived};
use super::{CellError, Event, Outcome, source, types};

impl Engine {
    /// As [`Self::process_died`], when no cell ran.
    pub(super) fn idle_process_died(&mut self, sink: &mut dyn FnMut(Event)) -> Outcome {
        let no_cell = self.state.draft(source::parse(""), "", self.cells.len());
        self.process_died(&no_cell, &[], sink)
    }

    /// The cell process is gone: start another, and say what went with the old one.
    pub(super) fn process_died(
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
}
