//! What outlives the cell process: trained models, histories, small tensors, tables and lists, numbers and text.
//!
//! After each cell, and after each epoch of a running `fit`, what has changed is handed to a thread
//! of its own, which writes it into a folder that the kernel names. Handing over costs next to
//! nothing, since tensors copy only when they are written to; whatever fails here fails in silence,
//! and the older snapshot stays. When the process has died the kernel starts another, which reads the
//! folder. There is no protection against power failure: files are complete for every process as soon
//! as they are renamed.

mod content;
mod folder;
mod lists;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Store;
use crate::models::{History, Model};
use crate::sorted;
use content::{Content, Mark};

pub(super) use content::model_in;
use folder::{Entry, Folder};

/// All tensors together may take this many bytes; the smallest are kept first.
const MOST_BYTES: usize = 32 << 20;
/// So many models that are in no variable are kept while a cell runs.
const MOST_UNNAMED: usize = 3;
/// After a snapshot made while a model trains, the thread rests this many times as long as it took.
const REST: u32 = 50;
const LONGEST_REST: Duration = Duration::from_secs(10);
/// So long a cell waits, at most, for the snapshots of the one before.
const PATIENCE: Duration = Duration::from_millis(100);

/// A change on its way to the folder.
struct Change {
    content: Content,
    cell: u64,
    /// For a model that is training: the last epoch it has finished.
    epoch: Option<usize>,
}

/// What the cells' thread and the writing thread share.
#[derive(Default)]
struct Shared {
    folder: Option<PathBuf>,
    changes: BTreeMap<Key, Change>,
    /// Everything that is to be kept, where that has changed.
    alive: Option<BTreeSet<Key>>,
    /// What the folder holds already: from before this process.
    found: Vec<Entry>,
    writing: bool,
    /// Somebody waits: no rest.
    urgent: bool,
    running: bool,
    /// A model without a variable was handed over in this cell.
    unnamed: bool,
    /// The variables that a running cell has taken, by the model's number.
    taken: BTreeMap<u64, String>,
    /// The variables that were put into the store since the last cell ended.
    put: BTreeSet<String>,
    /// Models that this cell has fitted and that are in no variable yet, as their last `fit` left them.
    fitted: BTreeMap<Key, Model>,
    cell: u64,
    /// What was handed over of each variable last.
    marks: BTreeMap<String, Mark>,
}

/// What a snapshot is called: by its variable, or by its model's number while it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Variable(String),
    Unnamed(u64),
}

static SHARED: (Mutex<Option<Shared>>, Condvar) = (Mutex::new(None), Condvar::new());

fn lock() -> MutexGuard<'static, Option<Shared>> {
    SHARED.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cell begins: from now on snapshots go into `folder`. Waits a moment for those of earlier cells.
pub(super) fn cell_begins(folder: Option<&str>, cell: u64) {
    let Some(folder) = folder else { return };
    let mut guard = lock();
    let shared = guard.get_or_insert_default();
    shared.folder = Some(PathBuf::from(folder));
    shared.cell = cell;
    shared.taken.clear();
    let busy = |shared: &mut Option<Shared>| {
        shared
            .as_ref()
            .is_some_and(|shared| shared.running && (shared.writing || shared.waits()))
    };
    let waited = SHARED.1.wait_timeout_while(guard, PATIENCE, busy);
    drop(waited);
}

/// A search over many models in one cell must not fill memory and disk: of those without a variable
/// the newest stay.
fn keep_newest_unnamed<T>(all: &mut BTreeMap<Key, T>) {
    let unnamed = |key: &&Key| matches!(key, Key::Unnamed(_));
    while all.keys().filter(unnamed).count() > MOST_UNNAMED {
        let Some(oldest) = all.keys().find(unnamed).cloned() else {
            return;
        };
        all.remove(&oldest);
    }
}

impl Shared {
    fn waits(&self) -> bool {
        !self.changes.is_empty() || self.alive.is_some()
    }

    fn submit(&mut self, key: Key, change: Change) {
        self.changes.insert(key, change);
        keep_newest_unnamed(&mut self.changes);
        if !self.running {
            let thread = std::thread::Builder::new().name("dlcore-kept".to_owned());
            self.running = thread.spawn(write_changes).is_ok();
        }
        SHARED.1.notify_all();
    }
}

/// A number or boolean as text.
pub(super) fn plain(value: &dyn std::any::Any) -> Option<String> {
    match Content::of_plain(value)? {
        Content::Plain(_, text) => Some(text),
        _ => None,
    }
}

/// A cell takes a variable over.
pub(super) fn taken(name: &str, value: &dyn std::any::Any) {
    if let (Some(model), Some(shared)) = (model_in(value), lock().as_mut()) {
        let number = model.identity.number();
        shared.taken.insert(number, name.to_owned());
    }
}

/// A cell gives a variable back, or makes one.
pub(super) fn put(name: &str) {
    if let Some(shared) = lock().as_mut() {
        shared.put.insert(name.to_owned());
    }
}

/// A model has finished an epoch, or all of them.
pub(crate) fn trained(model: &Model, history: &History) {
    let mut guard = lock();
    let Some(shared) = guard.as_mut().filter(|shared| shared.folder.is_some()) else {
        return;
    };
    let number = model.identity.number();
    let key = match shared.taken.get(&number) {
        Some(name) => Key::Variable(name.clone()),
        None => Key::Unnamed(number),
    };
    shared.unnamed |= matches!(key, Key::Unnamed(_));
    if matches!(key, Key::Unnamed(_)) && !history.stop_reason().is_empty() {
        shared
            .fitted
            .insert(key.clone(), model.with_history(history));
        keep_newest_unnamed(&mut shared.fitted);
    }
    let Some(content) = Content::of_training(model, history) else {
        return;
    };
    let change = Change {
        content,
        cell: shared.cell,
        epoch: history.epochs().last().copied(),
    };
    shared.submit(key, change);
}

/// A cell has failed, and what it bound went with it: puts the model that it has fitted into the store under the name
/// that the cell gave it, where there is one of each and no variable is called so.
pub(super) fn rescue(names: &[String], store: &mut Store) {
    let mut guard = lock();
    let fitted = guard
        .as_mut()
        .map(|shared| std::mem::take(&mut shared.fitted));
    drop(guard);
    let mut fitted = fitted.unwrap_or_default().into_values();
    if let ([name], Some(model), None) = (names, fitted.next(), fitted.next())
        && !store.values().any(|(known, _)| known == name)
    {
        Content::Model(Box::new(model), 0).put(name, store);
    }
}

/// A cell is over: hands over what has changed in the store.
pub(super) fn cell_ended(store: &Store) {
    // A bug here must cost nobody a cell.
    let _ = catch_unwind(AssertUnwindSafe(|| collect(store)));
}

fn collect(store: &Store) {
    let mut guard = lock();
    let Some(shared) = guard.as_mut().filter(|shared| shared.folder.is_some()) else {
        return;
    };
    let put = std::mem::take(&mut shared.put);
    // What no cell has had since is not written down again.
    let written = |name: &str| {
        shared
            .marks
            .get(name)
            .filter(|_| !put.contains(name))?
            .written_bytes()
    };
    let contents: Vec<(&str, usize, Option<Content>)> = store
        .values()
        .filter_map(|(name, value)| match written(name) {
            Some(bytes) => Some((name, bytes, None)),
            None => {
                Content::of(value).map(|content| (name, content.limited_bytes(), Some(content)))
            }
        })
        .collect();
    let mut contents = sorted::by(contents, |(_, a, _), (_, b, _)| a.cmp(b));
    let mut bytes = 0;
    contents.retain(|(_, more, _)| {
        bytes += more;
        bytes <= MOST_BYTES
    });
    let known: Vec<String> = shared.marks.keys().cloned().collect();
    let mut alive = BTreeSet::new();
    let mut marks = BTreeMap::new();
    let cell = shared.cell;
    for (name, _, content) in contents {
        let key = Key::Variable(name.to_owned());
        alive.insert(key.clone());
        let Some(content) = content else {
            marks.extend(shared.marks.remove_entry(name));
            continue;
        };
        let mark = content.mark();
        if shared.marks.get(name) != Some(&mark) {
            let epoch = None;
            let change = Change {
                content,
                cell,
                epoch,
            };
            shared.submit(key, change);
        }
        marks.insert(name.to_owned(), mark);
    }
    let same = known.iter().eq(marks.keys());
    shared.marks = marks;
    shared.taken.clear();
    shared.fitted.clear();
    // Models that trained in this cell and are no variable now are gone.
    shared.changes.retain(|key, _| alive.contains(key));
    if !same || shared.waits() || std::mem::take(&mut shared.unnamed) {
        shared.alive = Some(alive);
        shared.urgent = true;
    }
    SHARED.1.notify_all();
}

/// Writes what has changed. A value that cannot be read, as on a card that has failed, must not end the thread for the
/// others.
fn put_all(folder: &mut Folder, changes: BTreeMap<Key, Change>, alive: Option<&BTreeSet<Key>>) {
    for (key, change) in changes {
        let Change {
            content,
            cell,
            epoch,
        } = change;
        let _ = catch_unwind(AssertUnwindSafe(|| folder.put(key, &content, cell, epoch)));
    }
    let _ = catch_unwind(AssertUnwindSafe(|| folder.finish(alive)));
}

/// The writing thread.
fn write_changes() {
    let mut folder: Option<Folder> = None;
    loop {
        let mut guard = lock();
        let (path, changes, alive, found) = loop {
            let Some(shared) = guard.as_mut() else { return };
            if shared.waits()
                && let Some(path) = shared.folder.clone()
            {
                shared.writing = true;
                break (
                    path,
                    std::mem::take(&mut shared.changes),
                    shared.alive.take(),
                    std::mem::take(&mut shared.found),
                );
            }
            shared.urgent = false;
            guard = SHARED.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
        };
        drop(guard);
        let started = Instant::now();
        let folder = folder.get_or_insert_with(|| Folder::new(path, found));
        put_all(folder, changes, alive.as_ref());
        let rest = started.elapsed().saturating_mul(REST).min(LONGEST_REST);
        let mut guard = lock();
        if let Some(shared) = guard.as_mut() {
            shared.writing = false;
        }
        SHARED.1.notify_all();
        let resting = |shared: &mut Option<Shared>| !shared.as_ref().is_some_and(|s| s.urgent);
        let rested = SHARED.1.wait_timeout_while(guard, rest, resting);
        drop(rested);
    }
}

/// Puts into the store what an earlier process of this session left in `folder`. Models that had no
/// variable yet get the only name in `names`, or else their own.
pub(super) fn restore(folder: &Path, names: &[String], store: &mut Store) -> Value {
    let mut entries = folder::entries(folder);
    let unnamed = |entry: &Entry| matches!(entry.key, Key::Unnamed(_));
    let only = entries.iter().filter(|entry| unnamed(entry)).count() == 1 && names.len() == 1;
    let mut told = vec![];
    let mut marks = BTreeMap::new();
    for entry in &mut entries {
        let Some(content) = entry.read(folder) else {
            continue;
        };
        let name = match (&entry.key, &content) {
            (Key::Variable(name), _) => name.clone(),
            (Key::Unnamed(_), Content::Model(model, _)) => {
                free_name(only.then(|| names[0].as_str()), model.name(), &marks)
            }
            _ => continue,
        };
        entry.key = Key::Variable(name.clone());
        told.push(
            json!({"name": name, "cell": entry.cell, "epoch": entry.epoch, "note": content.note()}),
        );
        marks.insert(name.clone(), content.mark());
        content.put(&name, store);
    }
    folder::write_list(folder, entries.iter());
    let mut guard = lock();
    let shared = guard.get_or_insert_default();
    shared.folder = Some(folder.to_owned());
    shared.found = entries;
    shared.marks = marks;
    told.into()
}

/// A name for a model that had no variable, and that no variable has.
fn free_name(wanted: Option<&str>, own: &str, taken: &BTreeMap<String, Mark>) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = own.starts_with(|c: char| c.is_ascii_alphabetic()) && own.chars().all(word);
    let own = if fits { own } else { "model" };
    let numbered = (2..).map(|number| format!("{own}_{number}"));
    wanted
        .into_iter()
        .chain([own])
        .map(str::to_owned)
        .chain(numbered)
        .find(|name| !taken.contains_key(name))
        .unwrap_or_default()
}
