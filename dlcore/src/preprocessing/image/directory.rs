//! Pictures in a folder that has a folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use super::decode::{ENDINGS, OTHER_ENDINGS};
use crate::{Error, Result};

/// Pictures, class by class, each class in the order of their paths.
pub(super) struct Directory {
    pub class_names: Vec<String>,
    /// Each picture and the number of its class.
    pub files: Vec<(PathBuf, usize)>,
}

/// Deeper folders are not looked into.
const MAX_DEPTH: usize = 64;

impl Directory {
    /// The pictures of `directory`; `classes` are its folders in alphabetical order, unless given.
    pub fn read(directory: &Path, classes: &[String]) -> Result<Directory> {
        let class_names = match classes {
            [] => folders(directory)?,
            given => given.to_vec(),
        };
        if class_names.is_empty() {
            return Err(failed(
                directory,
                "expected a folder for each class, found no folder".to_owned(),
            ));
        }
        let (mut files, mut others) = (Vec::new(), 0);
        for (class, name) in class_names.iter().enumerate() {
            let folder = directory.join(name);
            if !folder.is_dir() {
                let found = folders(directory)?.join(", ");
                let message = format!("expected a folder for the class {name:?}, found {found}");
                return Err(failed(directory, message));
            }
            let mut found = Vec::new();
            walk(&folder, MAX_DEPTH, &mut found)?;
            // As Keras sorts: by folder, then by name.
            found.sort();
            for (folder, name) in found {
                let ends = |endings: &[&str]| {
                    let name = name.to_lowercase();
                    endings.iter().any(|ending| name.ends_with(ending))
                };
                others += usize::from(ends(&OTHER_ENDINGS));
                if ends(&ENDINGS) {
                    files.push((Path::new(&folder).join(&name), class));
                }
            }
        }
        let passed_over = match others {
            0 => String::new(),
            n => format!(
                "; {n} of other kinds ({}) were passed over",
                OTHER_ENDINGS.join(" ")
            ),
        };
        if files.is_empty() {
            return Err(failed(
                directory,
                format!(
                    "expected pictures ({}) in {}, found none{passed_over}",
                    ENDINGS.join(" "),
                    class_names.join(", ")
                ),
            ));
        }
        println!(
            "Found {} images belonging to {} classes{passed_over}.",
            files.len(),
            class_names.len()
        );
        Ok(Directory { class_names, files })
    }
}

fn failed(path: &Path, message: String) -> Error {
    Error::File {
        path: path.to_owned(),
        message,
    }
}

/// The folders in a folder, hidden ones left out, in alphabetical order.
fn folders(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in entries(directory)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>> {
    let cannot = |error| failed(directory, format!("cannot be read: {error}"));
    let entries = fs::read_dir(directory).map_err(cannot)?;
    entries.map(|entry| entry.map_err(cannot)).collect()
}

/// Folders and names of the files below a folder. Links to folders are not followed.
fn walk(folder: &Path, depth: usize, found: &mut Vec<(String, String)>) -> Result<()> {
    for entry in entries(folder)? {
        let kind = entry
            .file_type()
            .map_err(|error| failed(&entry.path(), format!("cannot be read: {error}")))?;
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, found)?;
        } else if !kind.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((folder.to_string_lossy().into_owned(), name));
        }
    }
    Ok(())
}
