//! Building dlcore for a compiler, and what cells share with it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{SHARED, SHARED_SOURCE, STAGING, Toolchain, output};
use crate::engine::generate;
use crate::engine::process::program;
use crate::linker;

/// Builds into a directory beside the final one, which is renamed when all is there.
pub(super) fn build(
    home: &Path,
    toolchain: &Toolchain,
    progress: &mut dyn FnMut(&str),
) -> Result<()> {
    let staging = tempfile::Builder::new()
        .prefix(STAGING)
        .tempdir_in(home.join("toolchains"))?;
    // A directory given from outside is a developer's own and stays; ours is only for this build.
    let shared = std::env::var_os("RUST_DL_BUILD_DIR").map(PathBuf::from);
    let target = shared.unwrap_or_else(|| staging.path().join("target"));
    // An installation runs the new program beside an old one.
    let own = std::env::current_exe().ok();
    let own = own.filter(|path| path.file_name().is_some_and(|name| name == "rust-dl"));
    linker::place(staging.path(), &own.map_or_else(|| program(home), Ok)?)?;
    let artifacts = compile(home, toolchain, &target, staging.path(), progress)?;
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
/// of what it is made of, and procedural macros. This program is found in `linker`, as a linker.
fn compile(
    home: &Path,
    toolchain: &Toolchain,
    target: &Path,
    linker: &Path,
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
            // A sixth of the library; what the loader needs stays.
            "-C",
            "strip=symbols",
        ]);
    linker::arguments_of_library(&mut command, linker)?;
    command
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
        // What dlcore should offer and does not is found here, not by a cell.
        .args(["-C", "link-arg=-Wl,--no-undefined"])
        .arg("-o")
        .arg(toolchain.shared())
        .arg(&source)
        .current_dir(scratch);
    output(&mut command).map(|_| ())
}

/// Compiles a first cell: proves that cells and library fit.
fn prime(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    let source = scratch.join("cell_0.rs");
    let code = generate::empty_cell(&toolchain.links());
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
