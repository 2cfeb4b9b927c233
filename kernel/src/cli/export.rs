//! `rust-dl export`: a notebook as a cargo project.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use super::files;
use crate::engine;

/// Writes a project for `notebook` to `directory`, or to a directory named after the notebook beside it.
pub fn export(home: &Path, notebook: &Path, directory: Option<PathBuf>) -> Result<()> {
    let text = fs::read_to_string(notebook)
        .with_context(|| format!("cannot read {}", notebook.display()))?;
    let cells = cells(&text).with_context(|| format!("{} is no notebook", notebook.display()))?;
    let name = project_name(notebook)?;
    let project = directory.unwrap_or_else(|| notebook.with_file_name(&name));
    ensure!(
        !project.exists(),
        "{} is there already; name another directory, or remove it",
        project.display()
    );
    let beside = notebook
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let start = std::path::absolute(beside.unwrap_or(Path::new(".")))?;
    let program = engine::export(&cells, &start);

    // Whole or not at all: it gets its name when everything is in it.
    let above = project
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    let staging = tempfile::Builder::new()
        .prefix(".export-")
        .tempdir_in(above.unwrap_or(Path::new(".")))
        .context("cannot write there")?;
    let library = home.join("src");
    let mut dlcore = files::read_tree(&library.join("dlcore"))?;
    if let Some(manifest) = dlcore.get_mut(Path::new("Cargo.toml")) {
        *manifest = without_lints(&String::from_utf8_lossy(manifest)).into_bytes();
    }
    files::write_tree(&staging.path().join("dlcore"), &dlcore)?;
    fs::create_dir(staging.path().join("src"))?;
    fs::write(staging.path().join("src/main.rs"), &program.source)?;
    fs::write(
        staging.path().join("Cargo.toml"),
        manifest(&library, &name, &program)?,
    )?;
    fs::copy(
        library.join("Cargo.lock"),
        staging.path().join("Cargo.lock"),
    )?;
    fs::write(staging.path().join(".gitignore"), "target/\n")?;
    fs::rename(staging.keep(), &project)?;

    for note in &program.notes {
        println!("note: {note}");
    }
    println!(
        "wrote {0}\nrun it with: cd {0} && cargo run --release\n(the first build takes some minutes: dlcore and its crates are compiled with it)",
        project.display()
    );
    Ok(())
}

/// The code of each cell that is meant to run.
fn cells(notebook: &str) -> Result<Vec<String>> {
    let notebook: Value = serde_json::from_str(notebook).context("it is not JSON")?;
    let Some(cells) = notebook["cells"].as_array() else {
        bail!("it has no cells (nbformat 4 is expected)");
    };
    let code = cells.iter().filter(|cell| cell["cell_type"] == "code");
    Ok(code.map(source_of).collect())
}

/// A cell that is there to fail has no place in a program, but its number counts.
fn source_of(cell: &Value) -> String {
    let tags = cell["metadata"]["tags"].as_array();
    let fails = tags.is_some_and(|tags| tags.iter().any(|tag| tag == "raises-exception"));
    match &cell["source"] {
        _ if fails => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// A name that cargo takes: `02-1-first-network` begins with a digit and becomes `notebook-02-1-…`.
fn project_name(notebook: &Path) -> Result<String> {
    let stem = notebook.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.context("the notebook has no name")?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches('-');
    Ok(match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        _ => format!("notebook-{name}").trim_end_matches('-').to_owned(),
    })
}

/// The library's manifest without the lints of its workspace, which are for those who work on it.
fn without_lints(manifest: &str) -> String {
    let mut kept = String::new();
    let mut in_lints = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_lints = line.starts_with("[lints");
        }
        if !in_lints {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.trim_end().to_owned() + "\n"
}

/// The library's workspace with the program as its root.
fn manifest(library: &Path, name: &str, program: &engine::Program) -> Result<String> {
    let mut table: toml::Table = fs::read_to_string(library.join("Cargo.toml"))?.parse()?;
    if let Some(workspace) = table
        .get_mut("workspace")
        .and_then(toml::Value::as_table_mut)
    {
        workspace.remove("lints");
    }
    let package = toml::toml! {
        version = "0.1.0"
        edition = "2024"
        publish = false
    };
    let package = package
        .into_iter()
        .chain([("name".to_owned(), name.into())]);
    table.insert("package".into(), toml::Value::Table(package.collect()));
    let mut dependencies = toml::toml! { dlcore = { path = "dlcore" } };
    for (name, value) in &program.crates {
        dependencies.insert(name.clone(), value.clone());
    }
    table.insert("dependencies".into(), toml::Value::Table(dependencies));
    Ok(table.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_code_in_order() {
        let notebook = r##"{"cells": [
            {"cell_type": "markdown", "source": "# no"},
            {"cell_type": "code", "source": ["let x = 1;\n", "x"], "metadata": {}},
            {"cell_type": "code", "source": "fail()", "metadata": {"tags": ["raises-exception"]}}]}"##;
        assert_eq!(cells(notebook).unwrap(), ["let x = 1;\nx", ""]);
        assert!(cells("{}").is_err() && cells("no").is_err());
    }

    #[test]
    fn a_program_is_not_held_to_the_librarys_lints() {
        let manifest = "[package]\nname = \"dlcore\"\n\n[dependencies]\nlibm = \"0.2\"\n\n[lints]\nworkspace = true\n";
        let expected = "[package]\nname = \"dlcore\"\n\n[dependencies]\nlibm = \"0.2\"\n";
        assert_eq!(without_lints(manifest), expected);
    }

    #[test]
    fn names_that_cargo_takes() {
        let name = |path: &str| project_name(Path::new(path)).unwrap();
        assert_eq!(
            name("/a/02-1-first-network.ipynb"),
            "notebook-02-1-first-network"
        );
        assert_eq!(name("Über uns.ipynb"), "ber-uns");
        assert_eq!(name("é.ipynb"), "notebook");
    }
}
