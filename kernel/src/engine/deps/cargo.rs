//! Cargo, in the project that holds the crates of a session.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Built, Wanted};
use crate::engine::interrupt::Interrupter;
use crate::engine::warm::Toolchain;

pub(super) fn manifest(name: &str, wanted: &Wanted) -> Result<String> {
    // Optimised, but with another profile than dlcore: cargo then tells its builds of crates that
    // both contain apart from ours, and one process can hold them both.
    let mut table = toml::toml! {
        [lib]
        path = "lib.rs"
        crate-type = ["dylib"]
        [profile.release]
        opt-level = 2
        debug = 0
        overflow-checks = true
        [workspace]
    };
    let package = toml::toml! {
        version = "0.0.0"
        edition = "2024"
    };
    let package = package
        .into_iter()
        .chain([("name".to_owned(), name.into())]);
    table.insert("package".into(), toml::Value::Table(package.collect()));
    table.insert("dependencies".into(), toml::Value::try_from(wanted)?);
    Ok(table.to_string())
}

/// A direct dependency, as cargo resolved it.
struct Resolved {
    /// The name it has in Rust.
    name: String,
    /// Cargo's id of the package.
    package: String,
}

fn library(resolved: &[Resolved]) -> String {
    resolved
        .iter()
        .map(|Resolved { name, .. }| {
            format!("#[allow(unused_extern_crates)] extern crate {name} as _;\n")
        })
        .collect()
}

/// Runs cargo in a project of crates.
pub(super) struct Cargo<'a> {
    pub(super) project: &'a Path,
    pub(super) toolchain: &'a Toolchain,
    pub(super) interrupter: &'a Interrupter,
    pub(super) progress: &'a mut dyn FnMut(&str),
}

impl Cargo<'_> {
    pub(super) fn compile(&mut self, target: &Path, name: &str) -> Result<Built> {
        fs::write(self.project.join("lib.rs"), "")?;
        let metadata = self.run(Command::args(
            &mut self.toolchain.cargo_command(),
            ["metadata", "--format-version", "1"],
        ))?;
        let resolved = resolved(&metadata)?;
        fs::write(self.project.join("lib.rs"), library(&resolved))?;
        let mut build = self.toolchain.cargo_command();
        build
            .args([
                "rustc",
                "--release",
                "--lib",
                "--message-format",
                "json-render-diagnostics",
            ])
            .args(["--", "-C", "prefer-dynamic"])
            .env("CARGO_TARGET_DIR", target);
        let messages = self.run(&mut build)?;
        read_artifacts(&messages, name, &resolved)
    }

    /// Runs cargo and returns what it wrote to standard output.
    fn run(&mut self, command: &mut Command) -> Result<Vec<u8>> {
        command.current_dir(self.project);
        let mut said = vec![];
        let ended = self.interrupter.run_builder(command, &mut |line| {
            let line = line.trim();
            let (does, what) = line.split_once(' ').unwrap_or((line, ""));
            if matches!(does, "Compiling" | "Downloading" | "Updating" | "Locking") {
                (self.progress)(&format!("{} {what}", does.to_lowercase()));
            }
            said.push(line.to_owned());
        })?;
        if ended.interrupted {
            bail!("interrupted; what is compiled so far is kept: run the cell again to go on");
        }
        if !ended.status.success() {
            bail!("{}", explain(&said, self.project));
        }
        Ok(ended.stdout)
    }
}

/// The direct dependencies in what `cargo metadata` writes.
fn resolved(metadata: &[u8]) -> Result<Vec<Resolved>> {
    let metadata: serde_json::Value = serde_json::from_slice(metadata)?;
    let resolve = &metadata["resolve"];
    let nodes = resolve["nodes"].as_array();
    let root = nodes
        .into_iter()
        .flatten()
        .find(|node| node["id"] == resolve["root"])
        .context("cargo does not say what the crates are")?;
    let dependencies = root["deps"].as_array().into_iter().flatten();
    dependencies
        .map(|dependency| {
            let text = |key: &str| dependency[key].as_str().unwrap_or_default().to_owned();
            let (name, package) = (text("name"), text("pkg"));
            if name.is_empty() {
                bail!("{} is a program, not a library", package_of(&package));
            }
            Ok(Resolved { name, package })
        })
        .collect()
}

/// What cargo said, without what it did and without the project made for it, and with what helps.
fn explain(said: &[String], project: &Path) -> String {
    let from = said
        .iter()
        .position(|line| line.starts_with("error"))
        .unwrap_or(said.len().saturating_sub(20));
    let name = project.file_name().unwrap_or_default().to_string_lossy();
    let package = format!("package `{name} ");
    let of_the_notebook = |line: &String| match line.split_once(&package) {
        // `(/where/it/is)` and the closing quote go with the name.
        Some((before, after)) => {
            let after = after.split_once('`').map_or("", |(_, after)| after);
            format!("{before}this notebook{after}")
        }
        None => line.replace(&project.display().to_string(), "this notebook's crates"),
    };
    let lines: Vec<String> = said[from..].iter().map(of_the_notebook).collect();
    let text = lines.join("\n");
    let text = text.trim_start_matches("error: ").to_owned();
    let offline = [
        "Could not resolve host",
        "could not connect",
        "Couldn't connect",
        "download of",
        "dns error",
    ]
    .iter()
    .any(|sign| text.contains(sign));
    if offline {
        format!(
            "{text}\nhelp: the registry cannot be reached; crates that this machine has built or fetched before still work"
        )
    } else {
        text
    }
}

fn read_artifacts(messages: &[u8], name: &str, resolved: &[Resolved]) -> Result<Built> {
    let mut dylib = None;
    let mut direct: Vec<(String, PathBuf)> = vec![];
    let mut others: Vec<(String, PathBuf)> = vec![];
    for line in messages.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
            continue;
        };
        let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
        if message["reason"] != "compiler-artifact" || kind == "custom-build" {
            continue;
        }
        let files = message["filenames"].as_array();
        let file_ending = |ending: &str| {
            let mut names = files.into_iter().flatten().filter_map(|file| file.as_str());
            names.find(|file| file.ends_with(ending)).map(PathBuf::from)
        };
        let own = message["target"]["name"]
            .as_str()
            .unwrap_or_default()
            .replace('-', "_");
        if own == name {
            dylib = file_ending(".so");
        } else if let Some(file) = file_ending(".rmeta").or_else(|| file_ending(".so")) {
            let asked = resolved
                .iter()
                .find(|resolved| message["package_id"] == *resolved.package);
            match asked {
                Some(asked) => direct.push((asked.name.clone(), file)),
                None => others.push((own, file)),
            }
        }
    }
    // What nobody asked for has a name too, for the types of variables; of two versions, neither.
    let single = |name: &str| {
        direct
            .iter()
            .chain(&others)
            .filter(|(other, _)| other == name)
            .count()
            == 1
    };
    let named: Vec<_> = others
        .iter()
        .filter(|(name, _)| single(name))
        .cloned()
        .collect();
    direct.extend(named);
    Ok(Built {
        dylib: dylib.context("cargo built no library of the crates")?,
        name: name.to_owned(),
        crates: direct,
        versions: resolved
            .iter()
            .map(|resolved| package_of(&resolved.package))
            .collect(),
    })
}

/// `rand 0.9.2` of cargo's package id, `registry+…#rand@0.9.2` or `path+file:///…/name#0.1.0`.
fn package_of(id: &str) -> String {
    let (place, version) = id.rsplit_once('#').unwrap_or(("", id));
    match version.split_once('@') {
        Some((name, version)) => format!("{name} {version}"),
        None => format!("{} {version}", place.rsplit('/').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_names_no_project_of_ours() {
        let project = Path::new("/home/ada/.cache/rust-dl/crates/0f/crates_9a8b");
        let said = [
            "Updating crates.io index",
            "error: failed to select a version for the requirement `rand = \"^99\"`",
            "candidate versions found which didn't match: 0.9.2, 0.9.1",
            "required by package `crates_9a8b v0.0.0 (/home/ada/.cache/rust-dl/crates/0f/crates_9a8b)`",
            "in /home/ada/.cache/rust-dl/crates/0f/crates_9a8b/Cargo.toml",
        ];
        let text = explain(&said.map(str::to_owned), project);
        assert_eq!(
            text,
            "failed to select a version for the requirement `rand = \"^99\"`\n\
             candidate versions found which didn't match: 0.9.2, 0.9.1\n\
             required by this notebook\nin this notebook's crates/Cargo.toml"
        );
    }

    #[test]
    fn packages_have_names_and_versions() {
        assert_eq!(package_of("registry+x#rand@0.9.2"), "rand 0.9.2");
        assert_eq!(package_of("path+file:///tmp/mine#0.1.0"), "mine 0.1.0");
    }

    #[test]
    fn a_manifest_holds_what_was_asked_for() {
        let wanted: Wanted = [("my-crate".to_owned(), toml::Value::from("1"))].into();
        let text = manifest("crates_0", &wanted).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["dependencies"]["my-crate"].as_str(), Some("1"));
        assert_eq!(table["package"]["name"].as_str(), Some("crates_0"));
    }
}
