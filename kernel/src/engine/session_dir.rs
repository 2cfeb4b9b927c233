//! The private directory of one session: sources, libraries, rustc's incremental state.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

/// A directory that is removed when the session ends, or by the next start if it was killed.
pub struct SessionDir {
    path: PathBuf,
    /// Held as long as the session lives; the system lets go of it however the process ends.
    _lock: Flock<File>,
}

impl SessionDir {
    /// Makes a directory for this session under `sessions` and removes those of dead sessions.
    pub fn create(sessions: &Path) -> Result<SessionDir> {
        private_dir(sessions, true)
            .with_context(|| format!("cannot make {}", sessions.display()))?;
        remove_abandoned(sessions);
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        // Locked under a name that no clean-up looks at, then renamed: never seen without its lock.
        let hidden = sessions.join(format!(".{name}"));
        private_dir(&hidden, false).with_context(|| format!("cannot make {}", hidden.display()))?;
        let lock = File::create(hidden.join("lock"))?;
        let lock =
            Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
        let path = sessions.join(name);
        fs::rename(&hidden, &path)?;
        Ok(SessionDir { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SessionDir {
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

/// Removes what dead sessions left in `sessions`; whether nothing is left, so that no session lives.
pub fn clear(sessions: &Path) -> bool {
    remove_abandoned(sessions);
    fs::read_dir(sessions).map_or(true, |mut left| left.next().is_none())
}

/// Removes session directories whose lock nobody holds.
fn remove_abandoned(sessions: &Path) {
    for entry in fs::read_dir(sessions).into_iter().flatten().flatten() {
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
        let live = SessionDir::create(root.path()).unwrap();
        let dead = root.path().join("1-dead");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join("lock")).unwrap();
        let second = SessionDir::create(root.path()).unwrap();
        assert!(!dead.exists());
        assert!(live.path().exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
