//! One call of rustc for each cell, by a compiler that stands ready.
//!
//! rustc needs some 25 ms to load itself before it looks at its source. So the next cell's compiler is
//! started while no cell waits for it. Its source is a named pipe: it waits there until the cell comes. It
//! ends with this process, however that ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::interrupt::{self, Ended, Interrupter};
use crate::linker::{self, Lld};

/// A pipe takes this much at once; a longer cell is written to a file.
const PIPE: usize = 64 << 10;
/// A compiler that stands ready takes its source at once, one that has just begun a little later.
const BETWEEN_LOOKS: Duration = Duration::from_micros(100);

/// Compiles the cells of one session, in its directory.
pub struct Rustc {
    dir: PathBuf,
    /// lld, where the toolchain has it.
    lld: Option<Lld>,
    ready: Option<Ready>,
}

/// A compiler that waits for its source.
struct Ready {
    name: String,
    arguments: Vec<OsString>,
    /// With the pipe it reads from, until it is given its source.
    process: Option<(Child, File)>,
}

/// What a call came to.
pub struct Compiled {
    /// Whether there is a library now.
    pub success: bool,
    /// rustc's messages.
    pub stderr: String,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// The library.
    pub library: PathBuf,
    /// What of the time the linker took.
    pub link: Duration,
    /// The rest of the time.
    pub compile: Duration,
}

impl Rustc {
    /// For a session's directory. `program` is this program, which also links.
    pub fn new(dir: &Path, lld: Option<Lld>, program: &Path) -> Result<Rustc> {
        linker::place(dir, program)?;
        Ok(Rustc {
            dir: dir.to_owned(),
            lld,
            ready: None,
        })
    }

    /// Starts the compiler of the cell `name`, which is to come next. `command` is its call without the
    /// source and what is made of it. If this fails, that cell starts its own.
    pub fn stand_ready(&mut self, name: &str, mut command: Command) {
        self.complete(&mut command, name);
        if let Some(ready) = &mut self.ready {
            if ready.fits(name, &command) {
                return;
            }
            self.ready = None;
        }
        self.ready = self.start_ahead(name, &mut command).ok();
    }

    /// Ends the compiler that stands ready, as no cell is to come.
    pub fn stand_down(&mut self) {
        self.ready = None;
    }

    fn start_ahead(&self, name: &str, command: &mut Command) -> Result<Ready> {
        let path = self.dir.join(source_of(name));
        // Of a compiler that stood ready for this cell with other arguments.
        let _ = fs::remove_file(&path);
        let pipe = make_pipe(&path)?;
        Ok(Ready {
            name: name.to_owned(),
            arguments: arguments_of(command),
            process: Some((interrupt::spawn_builder(command)?, pipe)),
        })
    }

    /// Compiles `text` as the cell `name`.
    pub fn compile(
        &mut self,
        name: &str,
        text: &str,
        mut command: Command,
        interrupter: &Interrupter,
    ) -> Result<Compiled> {
        let started = Instant::now();
        self.complete(&mut command, name);
        let ready = self.ready.take().and_then(|mut ready| {
            let fits = text.len() <= PIPE && ready.fits(name, &command);
            fits.then(|| ready.process.take()).flatten()
        });
        let by_ready = match ready {
            Some((child, pipe)) => Some(wait_for(child, Some((pipe, text)), interrupter)?),
            None => None,
        };
        // One that ended while it waited says nothing about the cell.
        let (ended, stderr) = match by_ready.filter(|ran| ran.taken || ran.ended.interrupted) {
            Some(ran) => (ran.ended, ran.stderr),
            None => {
                let path = self.dir.join(source_of(name));
                let _ = fs::remove_file(&path);
                fs::write(&path, text)
                    .context("cannot write the cell's source (is the disk full?)")?;
                let ran = wait_for(interrupt::spawn_builder(&mut command)?, None, interrupter)?;
                (ran.ended, ran.stderr)
            }
        };
        let _ = fs::remove_file(self.dir.join(source_of(name)));
        if let (Some(signal), false) = (ended.status.signal(), ended.interrupted) {
            anyhow::bail!(
                "the compiler was ended by signal {signal} (when nobody did that, the machine ran out of memory); \
                 nothing ran and nothing is lost"
            );
        }
        let link = linker::noted(&self.note(name)).unwrap_or_default();
        Ok(Compiled {
            success: ended.status.success(),
            stderr,
            interrupted: ended.interrupted,
            library: self.dir.join(library_of(name)),
            link,
            compile: started.elapsed().saturating_sub(link),
        })
    }

    /// Adds to a call what it makes, of what, and by which linker.
    fn complete(&self, command: &mut Command, name: &str) {
        if let Some(lld) = &self.lld {
            linker::arguments(command, lld, &self.note(name));
        }
        command
            .arg("-o")
            .arg(library_of(name))
            .arg(source_of(name))
            .current_dir(&self.dir);
    }

    fn note(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.linked"))
    }
}

impl Ready {
    /// Whether it is the compiler for this call, and lives.
    fn fits(&mut self, name: &str, command: &Command) -> bool {
        let lives = |(child, _): &mut (Child, File)| matches!(child.try_wait(), Ok(None));
        self.name == name
            && self.arguments == arguments_of(command)
            && self.process.as_mut().is_some_and(lives)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How a compiler ran.
struct Ran {
    ended: Ended,
    stderr: String,
    /// Whether it has read its source.
    taken: bool,
}

/// Waits for a compiler, which is given its source first where it waits for that.
fn wait_for(child: Child, source: Option<(File, &str)>, interrupter: &Interrupter) -> Result<Ran> {
    let mut stderr = String::new();
    let mut taken = true;
    let feed = |compiler| {
        if let Some((pipe, text)) = source {
            taken = hand_over(pipe, text, compiler)?;
        }
        Ok(())
    };
    let ended = interrupter.wait_for_builder(child, feed, &mut |line| {
        stderr.push_str(line);
        stderr.push('\n');
    })?;
    Ok(Ran {
        ended,
        stderr,
        taken,
    })
}

/// A named pipe, open for both, so that neither side waits for the other to open its end. Nor does this
/// side wait for room in it.
fn make_pipe(path: &Path) -> Result<File> {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let mut options = File::options();
    options.read(true).write(true);
    Ok(options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?)
}

/// Puts the source into the pipe and closes it when the compiler has read it all; whether it has.
/// Closed before the compiler had opened its end, the pipe would lose what it holds.
fn hand_over(mut pipe: File, text: &str, compiler: u32) -> std::io::Result<bool> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() || holds_something(&pipe) {
        match pipe.write(rest) {
            Ok(written) => rest = &rest[written..],
            // It is full: of a user who has many pipes each holds little.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if !lives(compiler) {
            return Ok(false);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(true)
}

fn holds_something(pipe: &File) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok() && fds[0].any().unwrap_or(false)
}

/// Whether a child of this process has not ended; it is not reaped here.
fn lives(child: u32) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let status = waitid(Id::Pid(Pid::from_raw(child as i32)), look);
    matches!(status, Ok(WaitStatus::StillAlive))
}

/// The file name of a cell's source, by which messages and panics are placed.
pub fn source_of(name: &str) -> String {
    format!("{name}.rs")
}

fn library_of(name: &str) -> String {
    format!("lib{name}.so")
}

fn arguments_of(command: &Command) -> Vec<OsString> {
    command.get_args().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    /// A pipe that holds much less than what is put into it, as pipes of a user who has many do.
    fn small_pipe(path: &Path) -> File {
        let pipe = make_pipe(path).unwrap();
        fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        pipe
    }

    fn stand_in(program: &str, argument: &Path) -> Child {
        interrupt::spawn_builder(Command::new(program).arg(argument)).unwrap()
    }

    #[test]
    fn a_compiler_that_never_reads_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let text = "x".repeat(PIPE);
        let pipe = small_pipe(&dir.path().join("dead"));
        let ran = wait_for(
            stand_in("true", dir.path()),
            Some((pipe, &text)),
            &Interrupter::default(),
        );
        assert!(!ran.unwrap().taken);

        let pipe = small_pipe(&dir.path().join("idle"));
        let interrupter = Interrupter::default();
        interrupter.begin();
        interrupter.interrupt();
        let ran = wait_for(
            stand_in("sleep", Path::new("1000")),
            Some((pipe, &text)),
            &interrupter,
        );
        assert!(ran.unwrap().ended.interrupted);
    }

    #[test]
    fn a_small_pipe_takes_a_long_cell_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("read");
        let text = "0123456789".repeat(PIPE / 10);
        let pipe = small_pipe(&path);
        let ran = wait_for(
            stand_in("cat", &path),
            Some((pipe, &text)),
            &Interrupter::default(),
        );
        let ran = ran.unwrap();
        assert!(ran.taken && ran.ended.stdout == text.as_bytes());
    }
}
