//! Where things are, and where they go.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernelspec's name.
pub const KERNEL: &str = "rust-dl";

/// Where one installation lies.
#[derive(Debug, PartialEq)]
pub struct Places {
    /// The program, dlcore's source and what is built of it.
    pub home: PathBuf,
    /// What Jupyter reads.
    pub kernelspec: PathBuf,
}

impl Places {
    /// For this user: where Jupyter looks without being told.
    pub fn of_user() -> Result<Places> {
        let user = dirs::home_dir().context("HOME is not set; set it, or choose --prefix DIR")?;
        let data = std::env::var_os("JUPYTER_DATA_DIR")
            .map(PathBuf::from)
            .or_else(|| dirs::data_dir().map(|data| data.join("jupyter")))
            .context("HOME is not set; set it, or choose --prefix DIR")?;
        Ok(Places {
            home: user.join(".local/share/rust-dl"),
            kernelspec: data.join("kernels").join(KERNEL),
        })
    }

    /// Below a directory.
    pub fn below(prefix: &Path) -> Result<Places> {
        let prefix = std::path::absolute(prefix)
            .with_context(|| format!("{} is no usable directory", prefix.display()))?;
        Ok(Places {
            home: prefix.join("share/rust-dl"),
            kernelspec: prefix.join("share/jupyter/kernels").join(KERNEL),
        })
    }

    /// Below the active Python's prefix.
    pub fn of_python() -> Result<Places> {
        let asked = Command::new("python3")
            .args(["-c", "import sys; print(sys.prefix)"])
            .output()
            .context("--sys-prefix asks python3 for its prefix, and python3 cannot be run; install Python 3, or choose --user")?;
        ensure!(
            asked.status.success(),
            "python3 does not say its prefix: {}",
            String::from_utf8_lossy(&asked.stderr).trim()
        );
        let prefix = String::from_utf8(asked.stdout)?;
        Places::below(Path::new(prefix.trim()))
    }

    /// The program, once installed.
    pub fn program(&self) -> PathBuf {
        self.home.join("bin").join(KERNEL)
    }
}

/// The installation that this program belongs to: `RUST_DL_HOME`, or what holds its `bin/`.
pub fn home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("RUST_DL_HOME").filter(|home| !home.is_empty()) {
        return Ok(home.into());
    }
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    program
        .parent()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .context("this program lies in no directory; set RUST_DL_HOME")
}

/// Where Jupyter looks for kernelspecs, in its order.
pub fn kernelspec_dirs() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::env::var_os("JUPYTER_PATH")
        .map(|paths| std::env::split_paths(&paths).collect())
        .unwrap_or_default();
    if let Ok(user) = Places::of_user() {
        found.extend(user.kernelspec.ancestors().nth(2).map(Path::to_owned));
    }
    found.extend(
        std::env::var_os("VIRTUAL_ENV").map(|env| PathBuf::from(env).join("share/jupyter")),
    );
    found.push("/usr/local/share/jupyter".into());
    found.push("/usr/share/jupyter".into());
    found
        .into_iter()
        .map(|data| data.join("kernels").join(KERNEL))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_prefix() {
        let places = Places::below(Path::new("/opt/x")).unwrap();
        assert_eq!(
            places.program(),
            Path::new("/opt/x/share/rust-dl/bin/rust-dl")
        );
        assert_eq!(
            places.kernelspec,
            Path::new("/opt/x/share/jupyter/kernels/rust-dl")
        );
    }
}
