//! What a cell leaves behind: which variables the next one finds, and what became of the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::{Draft, Kept};
use super::evaluator::Engine;
use super::{Event, spent, types};

impl Engine {
    /// Learns names and types of what the store holds now.
    pub(super) fn take_over(
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
            // A cell that failed has put none of what it binds, but for a model that it had fitted.
            let known = self.state.variables.get(name);
            let binding = draft
                .cell
                .bindings
                .iter()
                .find(|binding| binding.name == name && !(failed && known.is_some()));
            if failed && binding.is_some() {
                let note = format!("note: `{name}` is there as its last `fit` left it\n");
                sink(Event::Note(note));
            }
            let taken = draft.taken.iter().find(|taken| taken.name == name);
            let written = match (binding, known) {
                // Of a cell that failed it is a model, whatever type of the user's was to hold it.
                (Some(binding), _) => binding
                    .annotation
                    .clone()
                    .filter(|_| !failed)
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
            if binding.is_some_and(|binding| binding.annotation.is_none())
                && type_name.starts_with("core::result::Result<")
                && type_name.ends_with(", dlcore::error::Error>")
            {
                sink(unseen_error(
                    name,
                    slot["about"].as_str().unwrap_or_default(),
                ));
            }
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

    /// Notes what a cell that did not compile would have made.
    pub(super) fn remember_unmade(&mut self, bound: Vec<String>, number: u32) {
        for name in bound {
            if !self.state.variables.contains_key(&name) {
                let what = format!(
                    "cell {number}, which makes `{name}`, did not compile: mend it and run it again"
                );
                self.gone.insert(name, what);
            }
        }
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
                None if code.contains(&format!("{name}.add(")) => {
                    format!(
                        "`add` hands it back, so write `let mut {name} = {name}.add(…);` there, or `{name}.push(…);`"
                    )
                }
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
            .filter(|name| {
                self.state.variables.contains_key(*name) || !variables.contains_key(*name)
            })
            .collect();
        if failed && !bound.is_empty() {
            for name in &bound {
                let what = format!(
                    "cell {number} failed before it had made `{name}`: mend it and run it again"
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
                "note: as the cell failed, it has made no `{}`{older}\n",
                bound.join("`, `")
            );
            sink(Event::Note(note));
        }
        self.gone.retain(|name, _| !variables.contains_key(name));
    }

    /// The cells that made what this one takes away: run again, it needs them before it.
    fn sources_of(&self, draft: &Draft) -> BTreeSet<u32> {
        let taken = draft.taken.iter().filter(|taken| !taken.returned);
        let known = taken.filter_map(|taken| self.state.variables.get(&taken.name));
        known.flat_map(Kept::cells).collect()
    }
}

/// Says that a variable is a `Result`, perhaps an error that nobody has seen; the next cells would say so only where
/// they use it.
fn unseen_error(name: &str, about: &str) -> Event {
    let is = match about.strip_prefix("error: ") {
        Some(error) => format!("an error: {error}"),
        None => "a `Result`, a value or an error".to_owned(),
    };
    Event::Note(format!(
        "note: `{name}` is {is}\n  put `?` behind the call that makes it, or take the value out: `let {name} = {name}?;`\n"
    ))
}

/// Says that a value is not kept, and how it could be.
pub(super) fn not_kept(name: &str, kind: &str) -> Event {
    let note = format!(
        "note: `{name}` is {kind}, whose type cannot be written down, so it is not kept for the next cell. \
         Put it in a box (`let {name}: Box<dyn Fn(f32) -> f32> = Box::new(…)`) or make it a `fn`.\n"
    );
    Event::Note(note)
}
