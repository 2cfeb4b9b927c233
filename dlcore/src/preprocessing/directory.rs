//! Files in a folder that has a folder for each class: pictures, texts.

use std::fs;
use std::path::{Path, PathBuf};

use crate::datasets::RandomState;
use crate::{Error, Result, names, random};

/// What is looked for.
pub(super) struct Sought {
    /// What messages call it: `pictures`.
    pub what: &'static str,
    /// What Keras calls it: `images`.
    pub keras: &'static str,
    /// Endings of the files that can be read.
    pub endings: &'static [&'static str],
    /// Endings of files that cannot be read, and are not passed over in silence.
    pub others: &'static [&'static str],
}

/// Files, class by class, each class in the order of their paths.
pub(super) struct Directory {
    pub class_names: Vec<String>,
    /// Each file and the number of its class.
    pub files: Vec<(PathBuf, usize)>,
}

/// Deeper folders are not looked into.
const MAX_DEPTH: usize = 64;

impl Directory {
    /// The files of `directory`; `classes` are its folders in alphabetical order, unless given.
    pub fn read(directory: &Path, classes: &[String], sought: &Sought) -> Result<Directory> {
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
                others += usize::from(ends(sought.others));
                if ends(sought.endings) {
                    files.push((Path::new(&folder).join(&name), class));
                }
            }
        }
        let passed_over = match others {
            0 => String::new(),
            n => format!(
                "; {n} of other kinds ({}) were passed over",
                sought.others.join(" ")
            ),
        };
        if files.is_empty() {
            return Err(failed(
                directory,
                format!(
                    "expected {} ({}) in {}, found none{passed_over}",
                    sought.what,
                    sought.endings.join(" "),
                    class_names.join(", ")
                ),
            ));
        }
        println!(
            "Found {} {} belonging to {} classes{passed_over}.",
            files.len(),
            sought.keras,
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

const SUBSETS: [&str; 2] = ["training", "validation"];

/// Which of the files of a folder are taken, and in which order: Keras's settings.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub shuffle: bool,
    pub seed: Option<u32>,
    pub validation_split: Option<f64>,
    pub subset: Option<String>,
}

impl Chosen {
    /// All of them, in another order.
    pub fn new() -> Chosen {
        Chosen {
            shuffle: true,
            seed: None,
            validation_split: None,
            subset: None,
        }
    }

    /// An error for settings that do not go together.
    pub fn check(&self, operation: &str) -> Result<()> {
        let wrong = |message: String| Err(Error::Value(format!("{operation}: {message}")));
        match (self.validation_split, &self.subset) {
            (None, None) => Ok(()),
            (Some(share), Some(subset)) => {
                if !SUBSETS.contains(&subset.as_str()) {
                    return wrong(names::unknown("subset", subset, &SUBSETS));
                }
                if !(share > 0.0 && share < 1.0) {
                    return wrong(format!(
                        "expected a validation_split between 0 and 1, got {share}"
                    ));
                }
                if self.shuffle && self.seed.is_none() {
                    return wrong(
                        "validation_split needs a seed, the same for both subsets, or they would share files: \
                         .seed(1)"
                            .to_owned(),
                    );
                }
                Ok(())
            }
            _ => wrong(
                "validation_split and subset go together: how much is for validation, and which part this is"
                    .to_owned(),
            ),
        }
    }

    /// Those of the files that are taken, as in Keras: put in order first, the last ones for validation.
    pub fn of(
        &self,
        directory: &Path,
        mut files: Vec<(PathBuf, usize)>,
    ) -> Result<Vec<(PathBuf, usize)>> {
        if self.shuffle {
            let seed = self.seed.unwrap_or_else(|| random::next_seed() as u32);
            RandomState::new(seed).shuffle(&mut files);
        }
        if let (Some(share), Some(subset)) = (self.validation_split, &self.subset) {
            let training = files.len() - (share * files.len() as f64) as usize;
            let validation = files.split_off(training);
            if subset == "validation" {
                files = validation;
            }
            println!("Using {} files for {subset}.", files.len());
        }
        match files.is_empty() {
            false => Ok(files),
            true => Err(failed(
                directory,
                "there are too few files for this validation_split".to_owned(),
            )),
        }
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
