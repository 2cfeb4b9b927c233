//! Finding the Rust compiler where Jupyter was started without a login shell.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// A PATH on which `rustc` and `cargo` are found, though the present one lacks them; `None` when
/// nothing needs to change, or when they are not where rustup puts them either.
pub fn wider_path() -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(dirs::home_dir()?.join(".cargo")));
    widen(&path, cargo_home)
}

fn widen(path: &OsString, cargo_home: Option<PathBuf>) -> Option<OsString> {
    let present: Vec<PathBuf> = std::env::split_paths(path).collect();
    if present.iter().any(|dir| dir.join("rustc").is_file()) {
        return None;
    }
    let by_rustup = cargo_home?.join("bin");
    if !by_rustup.join("rustc").is_file() {
        return None;
    }
    std::env::join_paths(present.into_iter().chain([by_rustup])).ok()
}

/// Where the standard library's dynamic form is, before what is searched already.
pub fn library_path() -> Option<OsString> {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output()
        .ok()?;
    let mut path = OsString::from(String::from_utf8(asked.stdout).ok()?.trim());
    if let Some(more) = std::env::var_os("LD_LIBRARY_PATH") {
        path.push(":");
        path.push(more);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_widened_only_when_that_helps() {
        let home = tempfile::tempdir().unwrap();
        let empty = OsString::from("/nowhere");
        assert_eq!(widen(&empty, Some(home.path().into())), None);
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join("rustc"), "").unwrap();
        let wider = widen(&empty, Some(home.path().into())).unwrap();
        assert_eq!(
            std::env::split_paths(&wider).collect::<Vec<_>>(),
            [PathBuf::from("/nowhere"), bin]
        );
        assert_eq!(widen(&wider, Some(home.path().into())), None);
    }
}
