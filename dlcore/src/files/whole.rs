//! Files as a whole: opened with care, replaced all at once.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Parsed;
use crate::{Error, Result, names};

/// An error that names the file.
pub(crate) fn error(path: &Path, message: impl Into<String>) -> Error {
    Error::File {
        path: path.to_owned(),
        message: message.into(),
    }
}

/// Opens a file and tells its size.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |problem: std::io::Error| error(path, format!("cannot be opened: {problem}"));
    let file = File::open(path).map_err(|problem| match problem.kind() {
        ErrorKind::NotFound => error(path, not_found(path)),
        _ => failed(problem),
    })?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(error(path, "is no file"));
    }
    Ok((file, about.len()))
}

/// Where a file was looked for that is not there, and what has a similar name.
fn not_found(path: &Path) -> String {
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = std::path::absolute(folder).or_else(|_| std::env::current_dir());
    let folder = folder.unwrap_or_default();
    let Ok(entries) = fs::read_dir(&folder) else {
        return format!("is not there: there is no folder {}", folder.display());
    };
    let there = entries.flatten().map(|entry| entry.file_name());
    let there: Vec<String> = there.filter_map(|name| name.into_string().ok()).collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem_of = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_owned());
    let ending = ending_of(&name);
    let of_kind = |other: &&str| Path::new(other).extension() == path.extension();
    let same = there
        .iter()
        .copied()
        .filter(|other| may_be_meant(&ending, &ending_of(other)))
        .find(|other| stem_of(other) == stem_of(&name));
    let of_kind: Vec<&str> = there.iter().copied().filter(of_kind).collect();
    let similar = same.or_else(|| names::nearest(&name, &of_kind));
    let similar = similar.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
    format!("is not in {}{similar}", folder.display())
}

/// A name's ending in small letters, empty where it has none.
fn ending_of(name: &str) -> String {
    let ending = Path::new(name).extension().unwrap_or_default();
    ending.to_string_lossy().to_lowercase()
}

/// Whether a file with one ending may be meant by a name with another: they are of one kind, or one was left out.
fn may_be_meant(written: &str, there: &str) -> bool {
    /// Models, tables, arrays and pictures.
    const KINDS: [&[&str]; 4] = [
        &["h5", "hdf5", "keras", "safetensors"],
        &["csv", "data", "dat", "tsv", "txt"],
        &["npy", "npz", "safetensors"],
        &["bmp", "gif", "jpeg", "jpg", "png", "webp"],
    ];
    let of_one_kind = |kind: &&[&str]| kind.contains(&written) && kind.contains(&there);
    written.is_empty() || there.is_empty() || written == there || KINDS.iter().any(of_one_kind)
}

/// The content of a file: what it holds when it is opened, whatever it grows to.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, size) = open(path)?;
    let mut bytes = Vec::new();
    let read = file.take(size).read_to_end(&mut bytes);
    read.map_err(|problem| error(path, format!("cannot be read: {problem}")))?;
    Ok(bytes)
}

/// Writes beside `path` and renames when all is written, so that a full disk or a crash leaves what
/// was there before.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Parsed<()>) -> Result<()> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let Some(name) = path.file_name() else {
        return Err(error(path, "expected the name of a file"));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    hidden.push(format!(".{}-{number}.part", std::process::id()));
    let beside = path.with_file_name(hidden);
    let io = |problem: std::io::Error| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => format!(
            "cannot be written: there is no folder {}; make it first",
            folder.display()
        ),
        _ => format!("cannot be written: {problem}"),
    };
    let written = (|| {
        let mut file = File::create(&beside).map_err(io)?;
        write(&mut file)?;
        file.sync_all().map_err(io)?;
        fs::rename(&beside, path).map_err(io)
    })();
    written.map_err(|message| {
        let _ = fs::remove_file(&beside);
        error(path, message)
    })
}

/// [`replace`] by these bytes.
pub(crate) fn replace_by(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    replace(path, |file| {
        let written = file.write_all(bytes);
        written.map_err(|problem| format!("cannot be written: {problem}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_said_with_its_folder_and_what_is_similar() {
        let folder = std::env::temp_dir().join(format!("dlcore-whole-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("houses.csv"), "a").unwrap();
        let there = read(&folder.join("house.csv")).unwrap_err().to_string();
        let nowhere = read(&folder.join("data/houses.csv"))
            .unwrap_err()
            .to_string();
        fs::write(folder.join("model.png"), "a").unwrap();
        let said = |name: &str| read(&folder.join(name)).unwrap_err().to_string();
        let (ending, none) = (said("houses.tsv"), said("houses"));
        let (kind, picture) = (said("model.keras"), said("model.JPG"));
        let other = read(&folder.join("housed.h5")).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        let folder = folder.display();
        assert!(ending.ends_with("did you mean \"houses.csv\"?"), "{ending}");
        assert!(none.ends_with("did you mean \"houses.csv\"?"), "{none}");
        assert!(kind.ends_with(&format!("is not in {folder}")), "{kind}");
        assert!(
            picture.ends_with("did you mean \"model.png\"?"),
            "{picture}"
        );
        assert!(other.ends_with(&format!("is not in {folder}")), "{other}");
        assert!(
            there.ends_with(&format!("is not in {folder}; did you mean \"houses.csv\"?")),
            "{there}"
        );
        assert!(
            nowhere.ends_with(&format!("there is no folder {folder}/data")),
            "{nowhere}"
        );
    }
}
