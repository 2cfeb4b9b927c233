//! The folder of snapshots: a file for each, and a list that says which of them count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::content::Content;
use super::{Key, keep_newest_unnamed};
use crate::sorted;

/// The list. Files that it does not name are half-written or old, and are passed over.
const LIST: &str = "kept.json";

/// One snapshot.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    kind: String,
    /// Its file, or its text.
    file: Option<String>,
    text: Option<String>,
    /// Which model of this process it is.
    model: Option<u64>,
    /// The cell it was made in, and the epoch if a model was training.
    pub(super) cell: u64,
    pub(super) epoch: Option<u64>,
}

impl Entry {
    fn to_json(&self) -> Value {
        let (name, number) = match &self.key {
            Key::Variable(name) => (Some(name), None),
            Key::Unnamed(number) => (None, Some(number)),
        };
        json!({"name": name, "number": number, "kind": self.kind, "file": self.file,
            "text": self.text, "cell": self.cell, "epoch": self.epoch})
    }

    fn from_json(value: &Value) -> Option<Entry> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let key = match text("name") {
            Some(name) => Key::Variable(name),
            None => Key::Unnamed(value["number"].as_u64()?),
        };
        let kind = text("kind")?;
        Some(Entry {
            key,
            kind,
            file: text("file"),
            text: text("text"),
            model: None,
            cell: value["cell"].as_u64()?,
            epoch: value["epoch"].as_u64(),
        })
    }

    /// The value; `None` if it cannot be read.
    pub(super) fn read(&self, folder: &Path) -> Option<Content> {
        match (&self.file, &self.text) {
            (Some(file), _) => Content::read(&self.kind, &folder.join(file)).ok(),
            (None, Some(text)) => Content::from_plain(&self.kind, text),
            (None, None) => None,
        }
    }
}

/// What the folder's list names, variables first.
pub(super) fn entries(folder: &Path) -> Vec<Entry> {
    let list: Option<Value> = fs::read(folder.join(LIST))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let list = list.as_ref().and_then(Value::as_array);
    let entries: Vec<Entry> = list
        .into_iter()
        .flatten()
        .filter_map(Entry::from_json)
        .collect();
    sorted::by(entries, |left, right| left.key.cmp(&right.key))
}

/// Replaces the list.
pub(super) fn write_list<'a>(folder: &Path, entries: impl Iterator<Item = &'a Entry>) -> bool {
    let list: Value = entries.map(Entry::to_json).collect();
    let beside = folder.join("kept.part");
    fs::write(&beside, list.to_string()).is_ok() && fs::rename(&beside, folder.join(LIST)).is_ok()
}

/// The folder as its writer sees it.
pub(super) struct Folder {
    path: PathBuf,
    entries: BTreeMap<Key, Entry>,
    /// The next file's number.
    next: u64,
}

impl Folder {
    /// The folder at `path`, which may have snapshots that count.
    pub(super) fn new(path: PathBuf, found: Vec<Entry>) -> Folder {
        let _ = fs::create_dir_all(&path);
        let number = |entry: &Entry| entry.file.as_ref()?.strip_suffix(".dl")?.parse().ok();
        let next = found.iter().filter_map(number).max().unwrap_or(0) + 1;
        let entries = found.into_iter().map(|entry| (entry.key.clone(), entry));
        Folder {
            path,
            entries: sorted::gathered(entries),
            next,
        }
    }

    /// Writes one snapshot. If that fails, an older one of the same model stays.
    pub(super) fn put(&mut self, key: Key, content: &Content, cell: u64, epoch: Option<usize>) {
        let text = content.plain().map(str::to_owned);
        let file = match text {
            Some(_) => None,
            None => {
                let name = format!("{}.dl", self.next);
                self.next += 1;
                if content.write(&self.path.join(&name)).is_err() {
                    let older = self.entries.get(&key).and_then(|entry| entry.model);
                    if older != content.number() || older.is_none() {
                        self.entries.remove(&key);
                    }
                    return;
                }
                Some(name)
            }
        };
        let kind = content.kind().to_owned();
        let epoch = epoch.map(|epoch| epoch as u64);
        let entry = Entry {
            key: key.clone(),
            kind,
            file,
            text,
            model: content.number(),
            cell,
            epoch,
        };
        self.entries.insert(key, entry);
        keep_newest_unnamed(&mut self.entries);
    }

    /// Makes what was put count, drops what is not `alive`, and removes files that no longer count.
    pub(super) fn finish(&mut self, alive: Option<&BTreeSet<Key>>) {
        if let Some(alive) = alive {
            self.entries.retain(|key, _| alive.contains(key));
        }
        if !write_list(&self.path, self.entries.values()) {
            return;
        }
        let listed = |name: &str| {
            name == LIST
                || self
                    .entries
                    .values()
                    .any(|entry| entry.file.as_deref() == Some(name))
        };
        for file in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if !listed(&file.file_name().to_string_lossy()) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}
