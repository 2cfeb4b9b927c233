//! What a cell changes, before it is known whether it builds: the session as it would be.

use std::collections::{BTreeMap, BTreeSet};

use super::CellError;
use super::diagnostics::{Diagnostic, Sources};
use super::generate::{CellIndex, KeptItem, Origin, Taken};
use super::meaning::Meanings;
use super::source::{self, Cell};
use super::{moves, types};

/// What a session has defined.
#[derive(Debug, Default)]
pub struct State {
    /// `#![…]`, each once.
    pub attributes: Vec<String>,
    /// Items, in order.
    pub items: Vec<KeptItem>,
    /// What is in the store of the cell process.
    pub variables: BTreeMap<String, Kept>,
}

/// A variable in the store.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its type as a cell writes it.
    pub written: String,
    /// Its type in full, where the one above is the user's own wording.
    pub full: String,
    /// Whether it was bound with `mut`.
    pub mutable: bool,
    /// Whether its type is `Copy`.
    pub copy: bool,
    /// The number of the cell that bound it.
    pub cell: u32,
    /// The numbers of other cells that must run before for it to come back: those of what it was moved from.
    pub after: BTreeSet<u32>,
    /// What there is to see of it: a shape, a length, a value.
    pub about: String,
    /// What it takes in memory.
    pub bytes: u64,
}

impl Kept {
    /// Whether it is a tensor.
    pub fn is_tensor(&self) -> bool {
        types::short(&self.full) == "Tensor"
    }

    /// The numbers of all cells that bring it back.
    pub fn cells(&self) -> BTreeSet<u32> {
        self.after.iter().copied().chain([self.cell]).collect()
    }
}

/// The session as it will be if the cell builds.
pub struct Draft {
    /// The cell taken apart.
    pub cell: Cell,
    /// Which cell it is.
    pub index: CellIndex,
    /// Attributes, this cell's among them.
    pub attributes: Vec<String>,
    /// Items, this cell's among them.
    pub items: Vec<KeptItem>,
    /// Variables that the cell names.
    pub taken: Vec<Taken>,
    /// Variables whose type this cell defines anew.
    pub lost: Vec<String>,
    /// Variables that the cell binds and that are not kept, as their type has no name.
    pub nameless: Vec<String>,
    /// Variables that the cell declares and never gives a value.
    pub unset: Vec<String>,
    /// Variables that the cell binds and gives away itself.
    pub spent: Vec<String>,
}

impl State {
    /// The session as it will be if this cell builds.
    pub fn draft(&self, mut cell: Cell, code: &str, index: CellIndex) -> Draft {
        let mut attributes = self.attributes.clone();
        for span in &cell.attributes {
            let text = code[span.clone()].to_owned();
            if !attributes.contains(&text) {
                attributes.push(text);
            }
        }
        let items = self.items_with(&cell, code, index);
        let (before, now) = (Meanings::of(&self.items), Meanings::of(&items));
        let changed = |(_, kept): &(&String, &Kept)| {
            let names = format!("{} {}", kept.written, kept.full);
            before.meaning(&names) != now.meaning(&names)
        };
        let lost: Vec<String> = self
            .variables
            .iter()
            .filter(changed)
            .map(|(name, _)| name.clone())
            .collect();
        let bound: Vec<String> = names_of(&cell.bindings);
        let taken = self.taken(&mut cell, code, &lost, &items);
        let kept = names_of(&cell.bindings);
        let spent = bound.into_iter().filter(|name| !kept.contains(name));
        let spent = spent.collect();
        let nameless = cell.nameless.clone();
        Draft {
            cell,
            index,
            attributes,
            items,
            taken,
            lost,
            nameless,
            unset: vec![],
            spent,
        }
    }

    /// The items after this cell.
    fn items_with(&self, cell: &Cell, code: &str, index: CellIndex) -> Vec<KeptItem> {
        let replaced = |older: &KeptItem| {
            cell.items
                .iter()
                .any(|new| new.key.replaces(&older.item.key))
        };
        let mut items: Vec<KeptItem> = self
            .items
            .iter()
            .filter(|older| !replaced(older))
            .cloned()
            .collect();
        for (place, item) in cell.items.iter().enumerate() {
            // One import written twice in a cell is one import.
            let twice = |later: &source::Item| {
                later.rewritten.is_some() && later.rewritten == item.rewritten
            };
            if cell.items[place + 1..].iter().any(twice) {
                continue;
            }
            let text = item
                .rewritten
                .clone()
                .unwrap_or_else(|| code[item.span.clone()].to_owned());
            items.push(KeptItem {
                item: item.clone(),
                text,
                cell: index,
            });
        }
        items
    }

    /// The variables that the cell names.
    fn taken(
        &self,
        cell: &mut Cell,
        code: &str,
        lost: &[String],
        items: &[KeptItem],
    ) -> Vec<Taken> {
        let runs: Vec<&str> = cell
            .statements
            .iter()
            .map(|statement| &code[statement.span.clone()])
            .collect();
        let named = |name: &str| runs.iter().any(|text| source::mentions(text, name));
        let owned: Vec<(&str, &str)> = self
            .variables
            .iter()
            .filter(|(_, kept)| !kept.copy)
            .map(|(name, kept)| (name.as_str(), kept.full.as_str()))
            .collect();
        let texts: Vec<&str> = items.iter().map(|kept| kept.text.as_str()).collect();
        let moves = moves::certainly_moved(code, &owned, &texts);
        cell.bindings
            .retain(|binding| !moves.bound.contains(&binding.name));
        let binds = |name: &String| {
            cell.bindings.iter().any(|binding| binding.name == *name)
                || cell.nameless.contains(name)
                || moves.bound.contains(name)
        };
        self.variables
            .iter()
            .filter(|(name, _)| !lost.contains(name) && named(name))
            .map(|(name, kept)| Taken {
                name: name.clone(),
                written: kept.written.clone(),
                mutable: kept.mutable,
                returned: !moves.taken.contains(name),
                shadowed: binds(name),
                assigned: moves.assigned.contains(name),
                renewed: moves.taken.contains(name)
                    && moves.assigned.contains(name)
                    && !binds(name),
            })
            .collect()
    }
}

fn names_of(bindings: &[source::Binding]) -> Vec<String> {
    bindings
        .iter()
        .map(|binding| binding.name.clone())
        .collect()
}

impl Draft {
    /// Changes the draft so that the errors in lines of ours go away. False when there is nothing to
    /// change; an error when the user must change something.
    pub fn adjust(
        &mut self,
        messages: &[Diagnostic],
        sources: &Sources<'_>,
    ) -> Result<bool, CellError> {
        let mut changed = false;
        // After one change to a type the places of further errors in it no longer hold.
        let mut renamed: Vec<String> = vec![];
        for message in messages.iter().filter(|message| message.is_error()) {
            let primary = message.primary_origin(sources);
            for origin in message.origins(sources) {
                match origin {
                    // The cell moves the variable: it is not there to be put back.
                    Origin::PutBack(name)
                        if matches!(message.code(), Some("E0382" | "E0381" | "E0505")) =>
                    {
                        let taken = self
                            .taken
                            .iter_mut()
                            .find(|taken| taken.name == name && (taken.returned || taken.renewed));
                        if let Some(taken) = taken {
                            taken.renewed = taken.returned && taken.assigned && !taken.shadowed;
                            taken.returned = false;
                            changed = true;
                        }
                    }
                    Origin::PutNew(name) => {
                        let before = self.cell.bindings.len();
                        if matches!(message.code(), Some("E0382" | "E0381" | "E0425")) {
                            self.cell.bindings.retain(|binding| binding.name != name);
                            changed |= self.cell.bindings.len() < before;
                            match message.code() {
                                Some("E0381") => self.unset.push(name),
                                Some("E0382") => self.spent.push(name),
                                _ => {}
                            }
                        } else if message.code() == Some("E0277")
                            && ["{async block", "{closure"]
                                .iter()
                                .any(|kind| message.message.contains(kind))
                        {
                            self.cell.bindings.retain(|binding| binding.name != name);
                            changed |= self.cell.bindings.len() < before;
                            self.nameless.push(name);
                        } else {
                            return Err(cannot_be_kept(&name, message, sources));
                        }
                    }
                    Origin::Take(name) if !renamed.contains(&name) => {
                        renamed.push(name.clone());
                        let at = primary.as_ref().map(|(_, range)| range.start);
                        changed |= self.rename_or_drop(&name, at, sources);
                    }
                    _ => {}
                }
            }
        }
        Ok(changed)
    }

    /// A type that cannot be written as it stands: leave out the private module, or the variable.
    fn rename_or_drop(&mut self, name: &str, at: Option<usize>, sources: &Sources<'_>) -> bool {
        let Some(taken) = self.taken.iter_mut().find(|taken| taken.name == name) else {
            return false;
        };
        let start = sources
            .generated
            .map
            .iter()
            .find(|(_, origin)| *origin == Origin::Take(name.to_owned()))
            .map(|(range, _)| range.start);
        let shorter = at
            .zip(start)
            .and_then(|(at, start)| types::without_segment(&taken.written, at.checked_sub(start)?));
        match shorter {
            Some(shorter) if shorter.contains("::") => taken.written = shorter,
            _ => self.taken.retain(|taken| taken.name != name),
        }
        true
    }
}

fn cannot_be_kept(name: &str, message: &Diagnostic, sources: &Sources<'_>) -> CellError {
    let borrowed = matches!(
        message.code(),
        Some(
            "E0597" | "E0716" | "E0505" | "E0521" | "E0310" | "E0373" | "E0506" | "E0499" | "E0502"
        )
    );
    let advice = if borrowed {
        format!(
            "`{name}` borrows from something that ends with this cell, so it cannot be kept for the next one. \
             Keep an owned value (`.clone()`, `.to_owned()`), or wrap the cell in braces `{{ … }}` if `{name}` is needed only here."
        )
    } else {
        format!(
            "`{name}` cannot be kept for the next cell. Give it an explicit type, or wrap the cell in braces `{{ … }}` if it is needed only here."
        )
    };
    CellError {
        ename: message.code().unwrap_or("error").to_owned(),
        evalue: advice.clone(),
        traceback: vec![
            format!("\u{1b}[1merror\u{1b}[0m: {advice}"),
            message.render(sources),
        ],
    }
}
