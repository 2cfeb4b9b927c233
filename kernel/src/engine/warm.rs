//! dlcore as a dynamic library for one compiler, built once and used by every session.
//!
//! A prebuilt Rust library fits exactly the compiler that built it, so builds are kept under a
//! fingerprint of compiler and source. A session that finds none for the present compiler makes it.

mod build;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::linker::{self, Lld};
use build::build;

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
