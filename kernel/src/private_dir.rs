//! A directory of one process that no other user may read, and that is gone with it.
//!
//! One holds a session's sources and libraries, one the inner sockets.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

/// A directory that is removed when the session ends, or by the next start if it was killed.
pub struct PrivateDir {
    path: PathBuf,
    /// Held as long as the session lives; the system lets go of it however the process ends.
    _lock: Flock<File>,
}

impl PrivateDir {
    /// Makes a directory below `parent` and removes those that dead processes left there.
    pub fn create(parent: &Path) -> Result<PrivateDir> {
        private_dir(parent, true).with_context(|| format!("cannot make {}", parent.display()))?;
        remove_abandoned(parent);
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        // Locked under a name that no clean-up looks at, then renamed: never seen without its lock.
        let hidden = parent.join(format!(".{name}"));
        private_dir(&hidden, false).with_context(|| format!("cannot make {}", hidden.display()))?;
        let lock = File::create(hidden.join("lock"))?;
        let lock =
            Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
        let path = parent.join(name);
        fs::rename(&hidden, &path)?;
        Ok(PrivateDir { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn private_dir(path: &Path, recursive: bool) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(recursive)
        .mode(0o700)
        .create(path)
}

/// Removes what dead processes left in `parent`; whether nothing is left, so that none lives.
pub fn clear(parent: &Path) -> bool {
    remove_abandoned(parent);
    fs::read_dir(parent).map_or(true, |mut left| left.next().is_none())
}

/// Removes directories whose lock nobody holds.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join("lock")) else {
            continue;
        };
        if Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_session_is_cleaned_up_and_a_live_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let live = PrivateDir::create(root.path()).unwrap();
        let dead = root.path().join("1-dead");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join("lock")).unwrap();
        let second = PrivateDir::create(root.path()).unwrap();
        assert!(!dead.exists());
        assert!(live.path().exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
