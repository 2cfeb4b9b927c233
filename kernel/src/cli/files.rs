//! Files written whole or not at all, and only where they differ.

use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Writes a file beside its place and renames it, so that nobody ever sees half of it. A file that
/// holds this content already is left alone.
pub fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let same = fs::read(path).is_ok_and(|present| present == content);
    if same && fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o777 == mode) {
        return Ok(());
    }
    let directory = path.parent().context("a file lies in a directory")?;
    make_dir(directory)?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(content)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Makes a directory and those above it.
pub fn make_dir(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| {
        format!(
            "cannot make {}; choose a directory that can be written with --prefix DIR",
            directory.display()
        )
    })
}

/// Every file below `directory` with its content, by its path in there. Hidden files and build
/// output stay out.
pub fn read_tree(directory: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    read_below(directory, Path::new(""), &mut files)?;
    Ok(files)
}

fn read_below(root: &Path, inside: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let directory = root.join(inside);
    let entries =
        fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = inside.join(&name);
        if entry.path().is_dir() {
            read_below(root, &path, files)?;
        } else {
            let content = fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            files.insert(path, content);
        }
    }
    Ok(())
}

/// Writes a tree below `directory`.
pub fn write_tree(directory: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for (path, content) in files {
        write_whole(&directory.join(path), content, 0o644)?;
    }
    Ok(())
}

/// Removes a directory if it is there.
pub fn remove_dir(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        write_whole(&path, b"one", 0o755).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.permissions().mode() & 0o777, 0o755);
        use std::os::unix::fs::MetadataExt as _;
        write_whole(&path, b"one", 0o755).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
        write_whole(&path, b"two", 0o755).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_tree_comes_out_as_it_went_in_without_build_output() {
        let from = tempfile::tempdir().unwrap();
        for path in ["src/lib.rs", "assets/font.ttf", "target/x", ".git/y"] {
            write_whole(&from.path().join(path), path.as_bytes(), 0o644).unwrap();
        }
        let tree = read_tree(from.path()).unwrap();
        let to = tempfile::tempdir().unwrap();
        write_tree(to.path(), &tree).unwrap();
        assert_eq!(read_tree(to.path()).unwrap(), tree);
        assert_eq!(tree.len(), 2);
    }
}
