//! The name under which crates are kept, which tells what was asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::Wanted;

/// The crate that holds `wanted` as it is now: another one when a crate on disk was edited.
pub fn crate_name(wanted: &Wanted) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(wanted)?);
    let mut seen = vec![];
    for value in wanted.values() {
        if let Some(path) = value.get("path").and_then(toml::Value::as_str) {
            hash_crate(Path::new(path), &mut hash, &mut seen);
        }
    }
    let digest = hash.finalize();
    let digits: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("crates_{digits}"))
}

/// Takes in the sources of a crate on disk, and of those on disk that it depends on.
fn hash_crate(dir: &Path, hash: &mut Sha256, seen: &mut Vec<PathBuf>) {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if seen.contains(&dir) {
        return;
    }
    seen.push(dir.clone());
    hash_files(&dir, hash);
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let dependencies = ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|key| manifest.get(*key)?.as_table());
    for value in dependencies.flat_map(toml::Table::values) {
        if let Some(path) = value.get("path").and_then(toml::Value::as_str) {
            hash_crate(&dir.join(path), hash, seen);
        }
    }
}

/// Every file but what cargo and git make; large ones by size and time.
fn hash_files(dir: &Path, hash: &mut Sha256) {
    let mut entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Ok(about) = entry.metadata() else {
            continue;
        };
        if about.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            hash_files(&entry.path(), hash);
        } else if about.is_file() {
            hash.update(name.as_encoded_bytes());
            hash.update(about.len().to_le_bytes());
            if about.len() < 1 << 20 {
                hash.update(fs::read(entry.path()).unwrap_or_default());
            } else if let Ok(time) = about.modified() {
                hash.update(format!("{time:?}"));
            }
        }
    }
}
