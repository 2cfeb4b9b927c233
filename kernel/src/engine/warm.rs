//! dlcore as a dynamic library for one compiler, built once and used by every session.
//!
//! A prebuilt Rust library fits exactly the compiler that built it, so builds are kept under a
//! fingerprint of compiler and source. A session that finds none for the present compiler makes it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::linker::{self, Lld};

/// What cells would compile for themselves again and again; see the file.
const SHARED_SOURCE: &str = include_str!("warm/shared.rs");
/// Its crate.
const SHARED: &str = "dlcore_shared";

/// dlcore, built for one compiler.
#[derive(Debug, Clone)]
pub struct Toolchain {
    dir: PathBuf,
    compiler: Compiler,
}

#[derive(Debug, Clone)]
struct Compiler {
    sysroot: PathBuf,
    /// What `rustc -vV` prints.
    version: String,
}

impl Toolchain {
    /// The dynamic library.
    pub fn dylib(&self) -> PathBuf {
        self.dir.join("libdlcore.so")
    }

    /// Metadata of the crates that dlcore is made of, for rustc.
    pub fn metadata(&self) -> PathBuf {
        self.dir.join("deps")
    }

    /// What cells share beside dlcore: [`SHARED_SOURCE`], compiled.
    fn shared(&self) -> PathBuf {
        self.dir.join(format!("lib{SHARED}.so"))
    }

    /// Lines for the head of each cell.
    pub fn links(&self) -> Vec<String> {
        let shares = self.shared().is_file();
        shares
            .then(|| format!("extern crate {SHARED} as _;"))
            .into_iter()
            .collect()
    }

    /// lld, if it came with the compiler, and the C library is where it was.
    pub fn lld(&self) -> Option<Lld> {
        let rustlib = self.compiler.sysroot.join("lib/rustlib");
        let program = rustlib.join(self.compiler.host()).join("bin/rust-lld");
        let noted = fs::read_to_string(self.libraries_note()).ok();
        let noted = noted.map(PathBuf::from).filter(|path| path.is_dir());
        let libraries = noted.or_else(linker::libraries)?;
        program.is_file().then_some(Lld { program, libraries })
    }

    /// Holds what `cc` was asked when this was built, so that no session has to ask.
    fn libraries_note(&self) -> PathBuf {
        self.dir.join("libraries")
    }

    /// The compiler itself, without rustup's proxy in front of it.
    pub fn rustc(&self) -> PathBuf {
        self.compiler.sysroot.join("bin/rustc")
    }

    /// Where the loader finds dlcore and the standard library.
    pub fn library_path(&self) -> std::ffi::OsString {
        let mut path = self.dir.clone().into_os_string();
        path.push(":");
        path.push(self.compiler.library_dir());
        if let Some(more) = std::env::var_os("LD_LIBRARY_PATH") {
            path.push(":");
            path.push(more);
        }
        path
    }

    /// A rustc call for one cell: everything but the source and what is made of it.
    ///
    /// Not incremental: of what a cell compiles next to nothing comes again in the next, and keeping
    /// books of it takes longer than it saves. For the same reason it is one unit.
    pub fn cell_command(&self, opt_level: &str) -> Command {
        let mut command = self.library_command(super::types::CELL_CRATE, "cdylib");
        command
            .args(["-C", &format!("opt-level={opt_level}")])
            .args(["-C", "codegen-units=1"])
            .args(["--error-format=json", "--json=diagnostic-rendered-ansi"]);
        if self.shared().is_file() {
            command
                .arg("-L")
                .arg(format!("dependency={}", self.dir.display()))
                .arg("--extern")
                .arg(format!("{SHARED}={}", self.shared().display()));
        }
        command
    }

    /// A rustc call for a dynamic library that uses dlcore.
    fn library_command(&self, name: &str, kind: &str) -> Command {
        let mut command = Command::new(self.rustc());
        command
            .args(["--crate-name", name, "--edition", "2024"])
            .args(["--crate-type", kind])
            .args(["-C", "prefer-dynamic", "-C", "debuginfo=0"])
            .args(["-C", "strip=debuginfo"])
            .arg("-L")
            .arg(format!("dependency={}", self.metadata().display()))
            .arg("--extern")
            .arg(format!("dlcore={}", self.dylib().display()));
        command
    }
}

impl Toolchain {
    /// Cargo of this compiler, deaf to settings of a user's own builds: they would make a library
    /// that the cells do not fit.
    pub fn cargo_command(&self) -> Command {
        let mut command = Command::new(self.compiler.sysroot.join("bin/cargo"));
        command.env("RUSTC", self.rustc());
        for setting in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_TARGET",
        ] {
            command.env_remove(setting);
        }
        command
    }

    /// Changes with the compiler and with dlcore's source.
    pub fn fingerprint(&self) -> &str {
        let name = self.dir.file_name().unwrap_or_default();
        name.to_str().unwrap_or_default()
    }
}

impl Compiler {
    /// The compiler that `rustc` stands for, asked in `directory`.
    fn present(directory: &Path) -> Result<Compiler> {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(directory))
            .context("no Rust compiler: install Rust 1.95 or newer with rustup, and see that `rustc` is on PATH")?;
        let sysroot = PathBuf::from(sysroot.trim());
        let version = output(Command::new(sysroot.join("bin/rustc")).arg("-vV"))?;
        Ok(Compiler { sysroot, version })
    }

    fn host(&self) -> &str {
        self.version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default()
    }

    fn library_dir(&self) -> PathBuf {
        self.sysroot
            .join("lib/rustlib")
            .join(self.host())
            .join("lib")
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        // Its own path to a failure, which rustup would add, helps nobody.
        .env_remove("RUST_BACKTRACE")
        .output()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?} failed: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// dlcore for the present compiler, if it has been built.
pub fn find(home: &Path) -> Result<Option<Toolchain>> {
    let toolchain = locate(home)?;
    Ok(toolchain.dylib().is_file().then_some(toolchain))
}

/// dlcore for the present compiler; builds it, telling `progress`, when it is not there.
pub fn warm(home: &Path, progress: &mut dyn FnMut(&str)) -> Result<Toolchain> {
    let toolchain = locate(home)?;
    if toolchain.dylib().is_file() {
        return Ok(toolchain);
    }
    fs::create_dir_all(home.join("toolchains"))
        .with_context(|| format!("cannot write to {}", home.display()))?;
    // Two kernels that start at once build once.
    let lock = File::create(home.join("toolchains/.lock"))?;
    let _lock = match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((lock, _)) => {
            progress(
                "waiting for another program that builds dlcore: an installation, or a kernel",
            );
            Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?
        }
    };
    remove_unfinished(home);
    if !toolchain.dylib().is_file() {
        progress(&format!(
            "building dlcore for {} (once; a minute or two, or ten on a slow machine)",
            first_line(&toolchain.compiler.version)
        ));
        build(home, &toolchain, progress)?;
        remove_others(home, &toolchain);
    }
    Ok(toolchain)
}

fn locate(home: &Path) -> Result<Toolchain> {
    let source = home.join("src");
    ensure!(
        source.join("dlcore/Cargo.toml").is_file(),
        "dlcore's source is not in {}: run ./install.sh again",
        source.display()
    );
    let compiler = Compiler::present(home)?;
    let fingerprint = fingerprint(&source, &compiler)?;
    Ok(Toolchain {
        dir: home.join("toolchains").join(fingerprint),
        compiler,
    })
}

/// Sixteen hexadecimal digits that change with the compiler and with any file of the source.
fn fingerprint(source: &Path, compiler: &Compiler) -> Result<String> {
    let mut files = vec![
        source.join("Cargo.toml"),
        source.join("Cargo.lock"),
        source.join("dlcore/Cargo.toml"),
    ];
    list_files(&source.join("dlcore/src"), &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    hash.update(&compiler.version);
    hash.update(SHARED_SOURCE);
    hash.update(compiler.sysroot.as_os_str().as_encoded_bytes());
    for file in files {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(
            file.strip_prefix(source)
                .unwrap_or(&file)
                .as_os_str()
                .as_encoded_bytes(),
        );
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn list_files(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list_files(&path, found)?
        } else {
            found.push(path)
        }
    }
    Ok(())
}

/// How the directories begin that builds are made in.
const STAGING: &str = ".building-";

/// Builds into a directory beside the final one, which is renamed when all is there.
fn build(home: &Path, toolchain: &Toolchain, progress: &mut dyn FnMut(&str)) -> Result<()> {
    let staging = tempfile::Builder::new()
        .prefix(STAGING)
        .tempdir_in(home.join("toolchains"))?;
    // A directory given from outside is a developer's own and stays; ours is only for this build.
    let shared = std::env::var_os("RUST_DL_BUILD_DIR").map(PathBuf::from);
    let target = shared.unwrap_or_else(|| staging.path().join("target"));
    let artifacts = compile(home, toolchain, &target, progress)?;
    let kept = staging.path().join("kept");
    fs::create_dir_all(kept.join("deps"))?;
    for artifact in &artifacts {
        let name = artifact.file_name().context("an artifact without a name")?;
        let is_dlcore = name == "libdlcore.so";
        let place = if is_dlcore {
            kept.join(name)
        } else {
            kept.join("deps").join(name)
        };
        fs::copy(artifact, place).with_context(|| format!("cannot copy {}", artifact.display()))?;
    }
    ensure!(
        kept.join("libdlcore.so").is_file(),
        "cargo built no libdlcore.so"
    );
    let made = Toolchain {
        dir: kept.clone(),
        compiler: toolchain.compiler.clone(),
    };
    if let Err(error) = share(&made, staging.path()) {
        progress(&format!("cells will compile more slowly: {error:#}"));
    }
    if let Some(libraries) = linker::libraries() {
        fs::write(
            made.libraries_note(),
            libraries.as_os_str().as_encoded_bytes(),
        )?;
    }
    prime(&made, staging.path())?;
    // Half a directory may stand there from a removal that was cut short.
    if toolchain.dir.exists() {
        fs::remove_dir_all(&toolchain.dir)
            .with_context(|| format!("cannot remove {}", toolchain.dir.display()))?;
    }
    fs::rename(&kept, &toolchain.dir)
        .with_context(|| format!("cannot make {}", toolchain.dir.display()))?;
    Ok(())
}

/// Runs cargo and returns the files that a cell's rustc needs: the dynamic library, the metadata
/// of what it is made of, and procedural macros.
fn compile(
    home: &Path,
    toolchain: &Toolchain,
    target: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>> {
    let mut command = toolchain.cargo_command();
    command
        .args([
            "rustc",
            "--release",
            "--locked",
            "-p",
            "dlcore",
            "--lib",
            "--crate-type",
            "dylib",
        ])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--",
            "-C",
            "prefer-dynamic",
        ])
        .current_dir(home.join("src"))
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let stdout = child
        .stdout
        .take()
        .context("cargo has no standard output")?;
    let stderr = child.stderr.take().context("cargo has no standard error")?;
    let done = Arc::new(AtomicUsize::new(0));
    let counter = done.clone();
    let artifacts = std::thread::spawn(move || artifacts_of(BufReader::new(stdout), &counter));
    let (say, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        lines
            .take_while(|line| say.send(line.clone()).is_ok())
            .count()
    });
    let all = crates_in_all(home, toolchain);
    let mut said = vec![];
    let began = Instant::now();
    loop {
        match lines.recv_timeout(SIGN_OF_LIFE) {
            Ok(line) => {
                progress(line.trim());
                said.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {
                progress(&so_far(done.load(Ordering::Relaxed), all, began.elapsed()));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait()?;
    let artifacts = artifacts
        .join()
        .map_err(|_| anyhow::anyhow!("reading cargo's messages failed"))?;
    if !status.success() {
        let last: Vec<_> = said
            .iter()
            .rev()
            .take(20)
            .rev()
            .map(String::as_str)
            .collect();
        bail!(
            "building dlcore failed ({status}). cargo said:\n{}",
            last.join("\n")
        );
    }
    Ok(artifacts)
}

/// After so long without a word from cargo, a line says how far it is.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// `  151 of 152 crates, 2 min 40 s so far`
fn so_far(done: usize, all: Option<usize>, time: Duration) -> String {
    let of = all.map_or(String::new(), |all| format!(" of {}", all.max(done)));
    let time = match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    };
    format!("  {done}{of} crates, {time} so far")
}

/// How many crates dlcore is made of, itself among them, where cargo can tell.
fn crates_in_all(home: &Path, toolchain: &Toolchain) -> Option<usize> {
    let mut command = toolchain.cargo_command();
    command
        .args(["tree", "--locked", "--offline", "-p", "dlcore"])
        .args(["-e", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(home.join("src"));
    let listed = output(&mut command).ok()?;
    let crates = listed
        .lines()
        .map(|line| line.trim_end_matches(" (*)").trim());
    let crates: BTreeSet<&str> = crates.filter(|line| !line.is_empty()).collect();
    Some(crates.len())
}

/// What cargo has made; `done` counts the crates meanwhile.
fn artifacts_of(messages: impl BufRead, done: &AtomicUsize) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut crates = BTreeSet::new();
    for line in messages.lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
            continue;
        };
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let kind = &message["target"]["kind"][0];
        if kind != "custom-build" && crates.insert(message["package_id"].to_string()) {
            done.store(crates.len(), Ordering::Relaxed);
        }
        let files = message["filenames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|file| file.as_str());
        found.extend(
            files
                .filter(|file| file.ends_with(".rmeta") || file.ends_with(".so"))
                .map(PathBuf::from),
        );
    }
    found
}

/// Compiles what cells share. The crate is incremental for one thing: only then does rustc hand out, to
/// crates that use it, how values are dropped. Optimised for speed, it would hand out nothing at all.
fn share(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    let source = scratch.join("shared.rs");
    fs::write(&source, SHARED_SOURCE)?;
    let mut command = toolchain.library_command(SHARED, "dylib");
    command
        .args(["-C", "opt-level=1", "-C", "incremental=shared"])
        .arg("-o")
        .arg(toolchain.shared())
        .arg(&source)
        .current_dir(scratch);
    output(&mut command).map(|_| ())
}

/// Compiles a first cell: proves that cells and library fit.
fn prime(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    let source = scratch.join("cell_0.rs");
    let code = super::generate::empty_cell(&toolchain.links());
    fs::write(&source, code)?;
    let mut command = toolchain.cell_command("0");
    command
        .args(["-o", "cell_0.so"])
        .arg(&source)
        .current_dir(scratch);
    let built = command.output()?;
    ensure!(
        built.status.success(),
        "a first cell does not compile against the new dlcore:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(())
}

/// What builds that were killed left behind; called by the one process that may build.
fn remove_unfinished(home: &Path) {
    for entry in fs::read_dir(home.join("toolchains"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Builds for other compilers or older sources, unless a session still uses them.
fn remove_others(home: &Path, keep: &Toolchain) {
    for entry in fs::read_dir(home.join("toolchains"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path == keep.dir || hidden || !path.is_dir() {
            continue;
        }
        let unused = match File::open(path.join("in-use")) {
            Ok(lock) => Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok(),
            Err(_) => true,
        };
        if unused {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Held by a session as long as it uses a toolchain's files.
pub struct InUse(#[allow(dead_code)] Flock<File>);

impl Toolchain {
    /// Keeps these files from being cleaned up. Where the installation cannot be written (a
    /// system-wide one) nobody cleans up either, and there is nothing to hold.
    pub fn hold(&self) -> Option<InUse> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("in-use"))
            .ok()?;
        Flock::lock(file, FlockArg::LockSharedNonblock)
            .ok()
            .map(InUse)
    }

    /// `rustc 1.95.0 (…)`.
    pub fn compiler_name(&self) -> &str {
        first_line(&self.compiler.version)
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_s_messages_tell_how_far_it_is() {
        let made = |package: &str, kind: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"{package}","target":{{"kind":["{kind}"]}},"filenames":["/t/{file}"]}}"#
            )
        };
        let messages = [
            made("a 1", "custom-build", "build-script"),
            made("a 1", "lib", "liba.rmeta"),
            made("b 1", "proc-macro", "libb.so"),
            made("b 1", "lib", "libb.rlib"),
        ];
        let done = AtomicUsize::new(0);
        let files = artifacts_of(messages.join("\n").as_bytes(), &done);
        assert_eq!(files, ["/t/liba.rmeta", "/t/libb.so"].map(PathBuf::from));
        assert_eq!(done.load(Ordering::Relaxed), 2);
        let time = Duration::from_secs(160);
        assert_eq!(
            so_far(2, Some(152), time),
            "  2 of 152 crates, 2 min 40 s so far"
        );
        assert_eq!(
            so_far(2, None, Duration::from_secs(9)),
            "  2 crates, 9 s so far"
        );
    }
}
