//! `:dep`: crates beside dlcore.
//!
//! The crates a session asks for are built once as one dynamic library, which cells link to as
//! they link to dlcore: a cell compiles as fast with them as without, and their statics exist once.
//! What was built is kept for all sessions under a digest of what was asked for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::interrupt::Interrupter;
use super::warm::Toolchain;

/// What cells have already, and where.
const PRESENT: &[(&str, &str)] = &[
    (
        "dlcore",
        "dlcore is always there, and its prelude is in scope",
    ),
    (
        "ndarray",
        "ndarray is the one that dlcore's tensors are made of, so that arrays of both fit together",
    ),
];

/// The crates of one session.
#[derive(Debug, Clone, Default)]
pub struct Crates {
    /// What was asked for.
    pub wanted: Wanted,
    /// What was built of it.
    pub built: Option<Built>,
    /// Lines for the head of each cell.
    links: Vec<String>,
}

impl Crates {
    /// Takes a request in; returns what the user should know.
    pub fn add(&mut self, request: Request) -> Option<&'static str> {
        match request {
            Request::Add(name, value) => {
                // `:dep rand` is content with the version that is there.
                if value.as_str() != Some("*") || !self.wanted.contains_key(&name) {
                    self.wanted.insert(name, value);
                }
                None
            }
            Request::Present(name, why) => {
                // Found by a glob, so that a `use dlcore::ndarray` of the user's own has its way.
                let line = format!("mod __{name} {{ pub use ::dlcore::{name}; }} use __{name}::*;");
                if name != "dlcore" && !self.links.contains(&line) {
                    self.links.push(line);
                }
                Some(why)
            }
        }
    }

    /// Lines for the head of each cell.
    pub fn links(&self) -> &[String] {
        &self.links
    }

    /// Whether cells can run what they await on tokio.
    pub fn has_tokio(&self) -> bool {
        self.wanted.contains_key("tokio")
    }

    /// The line that adds tokio, when a crate rests on it (an HTTP client, perhaps) and the session
    /// has not asked for it itself.
    pub fn runtime_wanted(&self) -> Option<&'static str> {
        let rests = self
            .built
            .iter()
            .any(|built| built.crates.iter().any(|(name, _)| name == "tokio"));
        (rests && !self.has_tokio())
            .then_some(":dep tokio = { version = \"1\", features = [\"full\"] }")
    }

    /// Lets a cell's rustc find the crates.
    pub fn arguments(&self, command: &mut Command) {
        if let Some(built) = &self.built {
            built.arguments(command);
        }
    }

    /// What was asked for, as `:dep` takes it.
    pub fn lines(&self) -> Vec<String> {
        let line = |(name, value): (&String, &toml::Value)| format!("{name} = {value}");
        self.wanted.iter().map(line).collect()
    }

    /// Whether what is built is not, or no longer, what was asked for.
    pub fn is_stale(&self) -> Result<bool> {
        let built = self.built.as_ref().map(|built| built.name.as_str());
        Ok(!self.wanted.is_empty() && built != Some(&crate_name(&self.wanted)?))
    }

    /// Takes over what was built.
    pub fn set_built(&mut self, built: Built) {
        self.links.retain(|line| !line.starts_with("extern crate"));
        self.links.push(built.link_line());
        self.built = Some(built);
    }

    /// Name and version of what `older` does not have.
    pub fn added_since(&self, older: &Crates) -> Vec<String> {
        let versions = |crates: &Crates| {
            crates
                .built
                .as_ref()
                .map_or(vec![], |built| built.versions.clone())
        };
        let before = versions(older);
        versions(self)
            .into_iter()
            .filter(|version| !before.contains(version))
            .collect()
    }

    /// Name and version of a crate, as it was built.
    pub fn version_of(&self, name: &str) -> Option<&str> {
        let versions = &self.built.as_ref()?.versions;
        let is_it = |version: &&String| version.split(' ').next() == Some(name);
        versions.iter().find(is_it).map(String::as_str)
    }

    /// Whether a crate of `older` was built differently here, so that its types are others now.
    pub fn changes(&self, older: &Crates) -> bool {
        let (Some(new), Some(old)) = (&self.built, &older.built) else {
            return false;
        };
        old.crates.iter().any(|(name, path)| {
            new.crates
                .iter()
                .any(|(other, now)| other == name && now != path)
        })
    }
}

/// Crates by the name cells use, with what Cargo.toml says behind the equals sign.
pub type Wanted = BTreeMap<String, toml::Value>;

/// One `:dep` line, understood.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// A crate to add.
    Add(String, toml::Value),
    /// One that is there already; why there is nothing to do.
    Present(&'static str, &'static str),
}

/// Reads `:dep NAME`, `:dep NAME = "VERSION"` or `:dep NAME = { … }`, as Cargo.toml writes it.
pub fn parse(line: &str, working_dir: &Path) -> Result<Request> {
    let text = line.trim_start_matches(":dep").trim();
    if text.is_empty() {
        bail!(
            "expected a crate, for instance `:dep rand = \"0.9\"` or `:dep serde = {{ version = \"1\", features = [\"derive\"] }}`"
        );
    }
    let text = if text.contains('=') {
        text.to_owned()
    } else {
        format!("{text} = \"*\"")
    };
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| anyhow!("{} (expected what Cargo.toml takes under [dependencies], for instance `:dep rand = \"0.9\"`)", error.message()))?;
    let mut entries = table.into_iter();
    let (Some((name, mut value)), None) = (entries.next(), entries.next()) else {
        bail!("expected one crate in a line");
    };
    if let Some((name, why)) = PRESENT.iter().find(|(present, _)| *present == name) {
        return Ok(Request::Present(name, why));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        bail!("`{name}` is no name of a crate");
    }
    if let Some(path) = value.get_mut("path")
        && let Some(text) = path.as_str()
    {
        let whole = working_dir.join(text);
        if !whole.join("Cargo.toml").is_file() {
            bail!("there is no Cargo.toml in {}", whole.display());
        }
        *path = whole.display().to_string().into();
    }
    if name == "tokio" {
        with_runtime(&mut value);
    }
    Ok(Request::Add(name, value))
}

/// What a cell awaits runs on tokio's threaded runtime, which is a feature.
fn with_runtime(value: &mut toml::Value) {
    if let Some(version) = value.as_str() {
        let table = toml::Table::from_iter([("version".to_owned(), version.into())]);
        *value = toml::Value::Table(table);
    }
    if let Some(table) = value.as_table_mut() {
        let features = table
            .entry("features")
            .or_insert_with(|| toml::Value::Array(vec![]));
        if let Some(features) = features.as_array_mut() {
            features.push("rt-multi-thread".into());
        }
    }
}

/// Crates that are built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// The dynamic library that holds them all.
    dylib: PathBuf,
    /// Its crate name.
    name: String,
    /// Every crate in it, by the name it has in Rust, with its metadata or, for procedural macros,
    /// its library. Those that were asked for stand first.
    pub crates: Vec<(String, PathBuf)>,
    /// What was asked for, with its version.
    pub versions: Vec<String>,
}

impl Built {
    /// The line that makes a cell link to the library.
    pub fn link_line(&self) -> String {
        format!("extern crate {} as _;", self.name)
    }

    /// Lets a cell's rustc find the crates.
    pub fn arguments(&self, command: &mut Command) {
        let dir = self.dylib.parent().unwrap_or(Path::new("."));
        command
            .arg("-L")
            .arg(format!("dependency={}", dir.join("deps").display()))
            .arg("--extern")
            .arg(format!("{}={}", self.name, self.dylib.display()))
            .arg("-C")
            .arg(format!("link-arg=-Wl,-rpath,{}", dir.display()));
        for (name, path) in &self.crates {
            command
                .arg("--extern")
                .arg(format!("{name}={}", path.display()));
        }
    }

    fn is_whole(&self) -> bool {
        self.dylib.is_file() && self.crates.iter().all(|(_, path)| path.is_file())
    }
}

/// Builds `wanted`, or finds it built. `progress` is told each crate that is compiled.
pub fn build(
    wanted: &Wanted,
    toolchain: &Toolchain,
    interrupter: &Interrupter,
    progress: &mut dyn FnMut(&str),
) -> Result<Built> {
    let cache = dirs::cache_dir()
        .context("no cache directory: set HOME or XDG_CACHE_HOME")?
        .join("rust-dl/crates")
        .join(toolchain.fingerprint());
    let name = crate_name(wanted)?;
    let project = cache.join(&name);
    fs::create_dir_all(&project).with_context(|| format!("cannot write {}", project.display()))?;
    // Two sessions that ask for the same build it once.
    let _lock = lock(&project.join("lock"), interrupter, progress)?;
    if let Some(built) = read_built(&project) {
        return Ok(built);
    }
    fs::write(project.join("Cargo.toml"), manifest(&name, wanted)?)?;
    let mut cargo = Cargo {
        project: &project,
        toolchain,
        interrupter,
        progress,
    };
    // Of a crate on disk there may be several states, which would overwrite each other.
    let on_disk = wanted.values().any(|value| value.get("path").is_some());
    let target = if on_disk {
        project.join("target")
    } else {
        cache.join("target")
    };
    let built = cargo.compile(&target, &name)?;
    let kept = project.join("built.json.new");
    fs::write(&kept, serde_json::to_vec(&built)?)?;
    fs::rename(kept, project.join("built.json"))?;
    Ok(built)
}

/// Waits for another session that builds the same, unless interrupted.
fn lock(
    path: &Path,
    interrupter: &Interrupter,
    progress: &mut dyn FnMut(&str),
) -> Result<Flock<File>> {
    let mut file = File::create(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) => file = back,
            Err((_, error)) => return Err(error.into()),
        }
        if interrupter.is_stopped() {
            bail!("interrupted while another session builds the same crates");
        }
        progress("waiting for another session that builds the same crates");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_built(project: &Path) -> Option<Built> {
    let text = fs::read(project.join("built.json")).ok()?;
    let built: Built = serde_json::from_slice(&text).ok()?;
    built.is_whole().then_some(built)
}

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

fn manifest(name: &str, wanted: &Wanted) -> Result<String> {
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
struct Cargo<'a> {
    project: &'a Path,
    toolchain: &'a Toolchain,
    interrupter: &'a Interrupter,
    progress: &'a mut dyn FnMut(&str),
}

impl Cargo<'_> {
    fn compile(&mut self, target: &Path, name: &str) -> Result<Built> {
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

    fn request(line: &str) -> String {
        match parse(line, Path::new("/nowhere")) {
            Ok(Request::Add(name, value)) => format!("{name} = {value}"),
            Ok(Request::Present(name, _)) => format!("{name} is present"),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lines_are_read_as_cargo_reads_them() {
        assert_eq!(request(":dep rand"), "rand = \"*\"");
        assert_eq!(request(":dep rand = \"0.9\""), "rand = \"0.9\"");
        assert_eq!(
            request(":dep serde = { version = \"1\", features = [\"derive\"] }"),
            "serde = { features = [\"derive\"], version = \"1\" }"
        );
        assert_eq!(
            request(":dep tokio = \"1\""),
            "tokio = { features = [\"rt-multi-thread\"], version = \"1\" }"
        );
        assert_eq!(request(":dep ndarray = \"0.16\""), "ndarray is present");
        for wrong in [
            ":dep",
            ":dep = 1",
            ":dep a b",
            ":dep a = [",
            ":dep \"../x\" = \"1\"",
        ] {
            assert!(
                request(wrong).starts_with("error: "),
                "{wrong}: {}",
                request(wrong)
            );
        }
        let missing = request(":dep mine = { path = \"lib\" }");
        assert_eq!(missing, "error: there is no Cargo.toml in /nowhere/lib");
    }

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
