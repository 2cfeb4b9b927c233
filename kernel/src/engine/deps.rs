//! `:dep`: crates beside dlcore.
//!
//! The crates a session asks for are built once as one dynamic library, which cells link to as
//! they link to dlcore: a cell compiles as fast with them as without, and their statics exist once.
//! What was built is kept for all sessions under a digest of what was asked for.

mod cargo;
mod digest;
mod request;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::interrupt::Interrupter;
use super::warm::Toolchain;
use cargo::{Cargo, manifest};
pub use digest::crate_name;
pub use request::{Request, parse};

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
