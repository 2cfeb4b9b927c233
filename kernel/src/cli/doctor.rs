//! What the kernel needs, looked at one by one, with what to do where something is missing.

use super::places;
use crate::engine::warm;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The oldest compiler that builds dlcore.
const OLDEST_RUST: (u32, u32) = (1, 95);

/// What was found of one thing: how it is, or what is wrong and what to do.
type Finding = Result<String, Trouble>;

struct Trouble {
    what: String,
    to_do: String,
}

fn trouble(what: impl Into<String>, to_do: impl Into<String>) -> Finding {
    Err(Trouble {
        what: what.into(),
        to_do: to_do.into(),
    })
}

/// Prints every finding; fails when something needs doing.
pub fn examine(home: &Path) -> ExitCode {
    // Each asks a program or two, JupyterLab's for seconds; together they take as long as the slowest.
    let findings = std::thread::scope(|scope| {
        let asked = [
            ("compiler", scope.spawn(compiler)),
            ("linker", scope.spawn(linker)),
            ("rust-src", scope.spawn(rust_src)),
            ("installation", scope.spawn(|| installation(home))),
            ("dlcore", scope.spawn(|| dlcore(home))),
            ("devices", scope.spawn(|| devices(home))),
            ("kernelspec", scope.spawn(|| kernelspec(home))),
            ("JupyterLab", scope.spawn(|| jupyter_lab(home))),
            ("data", scope.spawn(data)),
        ];
        asked.map(|(name, finding)| {
            let broken = |_| trouble("could not be looked at", "run rust-dl doctor again");
            (name, finding.join().unwrap_or_else(broken))
        })
    });
    let mut well = true;
    for (name, finding) in findings {
        match finding {
            Ok(found) => println!("ok   {name:<13} {}", below_each_other(&found)),
            Err(trouble) => {
                well = false;
                println!("MISS {name:<13} {}", trouble.what);
                println!("     {:<13} -> {}", "", trouble.to_do);
            }
        }
    }
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Further lines begin where the first one does.
fn below_each_other(found: &str) -> String {
    found.replace('\n', &format!("\n     {:<13} ", ""))
}

fn first_line_of(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn compiler() -> Finding {
    let Some(version) = first_line_of(Command::new("rustc").arg("--version")) else {
        return trouble(
            "rustc was not found",
            "install Rust from rustup.rs, and open a new terminal so that ~/.cargo/bin is on PATH",
        );
    };
    match parse_version(&version) {
        Some(found) if found >= OLDEST_RUST => Ok(version),
        _ => trouble(
            format!(
                "{version} is too old: {}.{} or newer is needed",
                OLDEST_RUST.0, OLDEST_RUST.1
            ),
            "rustup update stable",
        ),
    }
}

/// `(1, 95)` of `rustc 1.95.0 (…)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn linker() -> Finding {
    match first_line_of(Command::new("cc").arg("--version")) {
        Some(version) => Ok(version),
        None => trouble(
            "cc was not found; rustc links with it",
            "on Debian or Ubuntu: apt-get install build-essential",
        ),
    }
}

fn rust_src() -> Finding {
    let sysroot = first_line_of(Command::new("rustc").args(["--print", "sysroot"]));
    let library =
        sysroot.map(|root| PathBuf::from(root).join("lib/rustlib/src/rust/library/std/src/lib.rs"));
    match library {
        Some(library) if library.is_file() => Ok("the standard library's source is there".into()),
        _ => trouble(
            "the standard library's source is missing: completion would not know std's types",
            "rustup component add rust-src",
        ),
    }
}

fn installation(home: &Path) -> Finding {
    if home.join("src/dlcore/Cargo.toml").is_file() && home.join("bin/rust-dl").is_file() {
        Ok(home.display().to_string())
    } else {
        trouble(
            format!("{} is not an installation", home.display()),
            "./install.sh in the repository, or set RUST_DL_HOME",
        )
    }
}

fn dlcore(home: &Path) -> Finding {
    match warm::find(home) {
        Ok(Some(toolchain)) => Ok(format!("built for {}", toolchain.compiler_name())),
        Ok(None) => trouble(
            "not built for the present compiler yet",
            "rust-dl warm (the kernel does it too, at its next start)",
        ),
        Err(error) => trouble(format!("{error:#}"), "./install.sh in the repository"),
    }
}

/// What dlcore finds to compute on, a line for each; that there is no card is one of them, and nothing to mend.
fn devices(home: &Path) -> Finding {
    let Ok(Some(toolchain)) = warm::find(home) else {
        return Ok("known once dlcore is built".into());
    };
    let asked = std::env::current_exe().and_then(|program| {
        output_in_time(
            Command::new(program)
                .arg("devices")
                .arg(toolchain.dylib())
                .env("LD_LIBRARY_PATH", toolchain.library_path()),
            PATIENCE,
        )
    });
    let problem = match asked {
        Ok(output) if output.status.success() => {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Ok(output) => format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        Err(error) => error.to_string(),
    };
    trouble(
        format!("looking for cards ended with {problem}"),
        "cells compute on the processor; nvidia-smi says whether the driver works",
    )
}

/// A driver that is out of order may never answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a command prints, unless it takes too long.
fn output_in_time(command: &mut Command, patience: Duration) -> std::io::Result<Output> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || say.send(child.wait_with_output()));
    said.recv_timeout(patience).unwrap_or_else(|_| {
        // It is not waited for: what hangs in a driver may not even end then.
        let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
        let seconds = patience.as_secs();
        Err(std::io::Error::other(format!("no answer in {seconds} s")))
    })
}

fn kernelspec(home: &Path) -> Finding {
    // Beside this installation, or anywhere Jupyter looks.
    let beside = home
        .parent()
        .map(|share| share.join("jupyter/kernels").join(places::KERNEL));
    let mut dirs = places::kernelspec_dirs();
    dirs.extend(beside);
    let Some(spec) = dirs
        .iter()
        .map(|dir| dir.join("kernel.json"))
        .find(|spec| spec.is_file())
    else {
        return trouble(
            "Jupyter does not know the kernel",
            "./install.sh in the repository, or rust-dl install",
        );
    };
    let program = std::fs::read_to_string(&spec)
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|spec| Some(PathBuf::from(spec["argv"][0].as_str()?)));
    match program {
        Some(program) if program.is_file() => Ok(spec.display().to_string()),
        _ => trouble(
            format!("{} names a program that is not there", spec.display()),
            "./install.sh in the repository, or rust-dl install",
        ),
    }
}

fn jupyter_lab(home: &Path) -> Finding {
    let own = home.join("jupyter/bin/jupyter");
    let candidates = [own, PathBuf::from("jupyter")];
    let found = candidates.iter().find_map(|jupyter| {
        if let Some(version) = installed_lab(jupyter) {
            return Some(format!("{version} ({})", jupyter.display()));
        }
        let version = first_line_of(Command::new(jupyter).args(["lab", "--version"]))?;
        Some(format!("{version} ({})", jupyter.display()))
    });
    match found {
        Some(found) => Ok(found),
        None => trouble(
            "JupyterLab was not found",
            "./install.sh --lab in the repository installs it, or: python3 -m pip install jupyterlab",
        ),
    }
}

/// The version of the JupyterLab beside a `jupyter` in an environment of Python's, as its installer has noted it:
/// JupyterLab itself takes seconds to say that.
fn installed_lab(jupyter: &Path) -> Option<String> {
    let program = match jupyter.is_absolute() {
        true => jupyter.to_owned(),
        false => {
            let path = std::env::var_os("PATH")?;
            let places = std::env::split_paths(&path).map(|place| place.join(jupyter));
            places.into_iter().find(|place| place.is_file())?
        }
    };
    let prefix = std::fs::canonicalize(program).ok()?;
    let libraries = prefix.parent()?.parent()?.join("lib");
    let entries = |directory: PathBuf| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let noted = entries(libraries)
        .map(|python| python.path().join("site-packages"))
        .flat_map(entries);
    let names = noted.filter_map(|entry| entry.file_name().into_string().ok());
    let version = |name: String| {
        let version = name
            .strip_prefix("jupyterlab-")?
            .strip_suffix(".dist-info")?;
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| version.to_owned())
    };
    names.into_iter().find_map(version)
}

fn data() -> Finding {
    if let Some(directory) = std::env::var_os("DLCORE_DATA").filter(|value| !value.is_empty()) {
        let directory = PathBuf::from(directory);
        if directory.to_string_lossy().contains("://") || directory.is_dir() {
            return Ok(format!("DLCORE_DATA={}", directory.display()));
        }
        return trouble(
            format!(
                "DLCORE_DATA names {}, which is no directory",
                directory.display()
            ),
            "set it to a directory with the data sets, or unset it to have them fetched",
        );
    }
    match dirs::cache_dir() {
        Some(cache) => Ok(format!(
            "fetched when first used, kept in {}",
            cache.join("dlcore").display()
        )),
        None => trouble("there is no cache directory", "set HOME, or DLCORE_DATA"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(
            parse_version("rustc 1.95.0 (59807616e 2026-04-14)"),
            Some((1, 95))
        );
        assert_eq!(parse_version("rustc 1.96.0-nightly"), Some((1, 96)));
        assert_eq!(parse_version("rustc"), None);
    }

    #[test]
    fn what_never_answers_is_not_waited_for() {
        let patient = output_in_time(Command::new("echo").arg("here"), PATIENCE).unwrap();
        assert_eq!(patient.stdout, b"here\n");
        let problem = output_in_time(Command::new("sleep").arg("60"), Duration::ZERO);
        assert_eq!(problem.unwrap_err().to_string(), "no answer in 0 s");
    }

    #[test]
    fn what_takes_several_lines_stands_below_itself() {
        let printed = format!("ok   {:<13} {}", "devices", below_each_other("cpu\ncuda"));
        let [first, second] = [0, 1].map(|line| printed.lines().nth(line).unwrap());
        assert_eq!(first.find("cpu"), second.find("cuda"));
    }

    #[test]
    fn the_version_of_an_installed_jupyterlab_is_read() {
        let home = tempfile::tempdir().unwrap();
        let packages = home.path().join("lib/python3.11/site-packages");
        for name in [
            "jupyterlab_server-2.27.3.dist-info",
            "jupyterlab-4.6.6.dist-info",
            "jupyterlab",
        ] {
            std::fs::create_dir_all(packages.join(name)).unwrap();
        }
        let jupyter = home.path().join("bin/jupyter");
        assert_eq!(installed_lab(&jupyter), None, "no program");
        std::fs::create_dir_all(home.path().join("bin")).unwrap();
        std::fs::write(&jupyter, "").unwrap();
        assert_eq!(installed_lab(&jupyter).as_deref(), Some("4.6.6"));
    }

    #[test]
    fn an_empty_home_is_no_installation() {
        let home = tempfile::tempdir().unwrap();
        let Err(trouble) = installation(home.path()) else {
            panic!("an empty directory passed")
        };
        assert!(trouble.to_do.contains("install.sh"));
        assert!(dlcore(home.path()).is_err());
        assert!(matches!(devices(home.path()), Ok(line) if line.contains("once dlcore is built")));
    }
}
