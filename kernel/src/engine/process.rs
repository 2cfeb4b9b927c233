//! The kernel's end of the cell process: its socket, its captured output, its life and death.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use super::Event;
use super::content::Content;
use super::warm::Toolchain;
use crate::cell_process::CHANNEL_VARIABLE;

/// A frame longer than this is no frame of dlcore's (a chart is a few hundred kilobytes).
const LARGEST_FRAME: usize = 256 << 20;

/// The running cell process.
pub struct CellProcess {
    child: Child,
    socket: UnixStream,
    /// Bytes of frames that have not all come yet.
    incoming: Vec<u8>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    content: Content,
    /// Where another thread can write an interrupt.
    control: Arc<Mutex<UnixStream>>,
}

/// What a wait ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    Nothing,
    Output,
    Frame,
}

/// What came from the cell process.
pub enum Incoming {
    /// Something for the notebook.
    Event(Event),
    /// A frame for the engine: `ready`, `panic`, `failure`, `done`.
    Frame(Value),
}

impl CellProcess {
    /// Starts the process in `working_dir`, with dlcore of `toolchain` loaded.
    pub fn start(home: &Path, toolchain: &Toolchain, working_dir: &Path) -> Result<CellProcess> {
        let (ours, theirs) = UnixStream::pair()?;
        let inherited = theirs.as_raw_fd();
        let mut command = Command::new(program(home)?);
        command
            .arg("cell")
            .arg(toolchain.dylib())
            .current_dir(working_dir)
            .env(CHANNEL_VARIABLE, inherited.to_string())
            .env("LD_LIBRARY_PATH", toolchain.library_path())
            // A cell's failure is shown at the cell's own line; what lies around it helps nobody.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt typed in the terminal of `jupyter lab` is the server's, not the cell's.
            .process_group(0);
        // SAFETY: between fork and exec this only clears a flag of a descriptor, which is
        // async-signal-safe; `theirs` lives until after the spawn.
        unsafe {
            command.pre_exec(move || {
                let fd = BorrowedFd::borrow_raw(inherited);
                fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
                Ok(())
            });
        }
        let mut child = command
            .spawn()
            .context("cannot start the process that runs cells")?;
        drop(theirs);
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        for fd in [&stdout, &stderr].into_iter().flatten() {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let control = Arc::new(Mutex::new(ours.try_clone()?));
        Ok(CellProcess {
            child,
            socket: ours,
            incoming: vec![],
            stdout,
            stderr,
            content: Content::default(),
            control,
        })
    }

    /// The way to send an interrupt while another thread waits in [`Self::wait`].
    pub fn control(&self) -> Arc<Mutex<UnixStream>> {
        self.control.clone()
    }

    /// The process, for killing it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a frame.
    pub fn send(&self, frame: &Value) -> std::io::Result<()> {
        send(&self.control, frame)
    }

    /// Waits until something came or `milliseconds` are over, and hands it to `take`. Returns
    /// false when the process has closed its end.
    pub fn wait(&mut self, milliseconds: u16, take: &mut dyn FnMut(Incoming)) -> Result<bool> {
        match self.poll(PollTimeout::from(milliseconds), None)? {
            Ready::Nothing => self.settle(take),
            ready => return self.take_in(ready, take),
        }
        // A process that it has left behind may still hold its end of the socket.
        let alive = matches!(self.child.try_wait(), Ok(None));
        if !alive {
            self.drain_output(take);
        }
        Ok(alive)
    }

    /// As [`Self::wait`], however long it takes, unless there is something to read from `woken`.
    pub fn wait_until(
        &mut self,
        woken: BorrowedFd<'_>,
        take: &mut dyn FnMut(Incoming),
    ) -> Result<bool> {
        let ready = self.poll(PollTimeout::NONE, Some(woken))?;
        let alive = self.take_in(ready, take);
        self.settle(take);
        alive
    }

    fn poll(&self, timeout: PollTimeout, also: Option<BorrowedFd<'_>>) -> Result<Ready> {
        let mut fds = vec![PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let outputs = [&self.stdout, &self.stderr].into_iter().flatten();
        let others = outputs.map(AsFd::as_fd).chain(also);
        fds.extend(others.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(0) => Ok(Ready::Nothing),
            Ok(_) if fds[0].any().unwrap_or(false) => Ok(Ready::Frame),
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(Ready::Output),
            Err(error) => Err(error).context("waiting for the cell"),
        }
    }

    /// What only might have become rich content is text.
    fn settle(&mut self, take: &mut dyn FnMut(Incoming)) {
        self.content
            .settle(&mut |event| take(Incoming::Event(event)));
    }

    fn take_in(&mut self, ready: Ready, take: &mut dyn FnMut(Incoming)) -> Result<bool> {
        if ready != Ready::Frame {
            self.drain_output(take);
            return Ok(true);
        }
        let mut chunk = [0; 65536];
        let read = match self.socket.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
            Err(_) => 0,
        };
        // What the cell printed before it sent this stands in the pipes by now: it goes first.
        self.drain_output(take);
        self.settle(take);
        self.incoming.extend_from_slice(&chunk[..read]);
        while let Some(frame) = self.next_frame()? {
            // Output printed after the frame waits until the frame has been passed on.
            let number = frame["ack"].as_u64();
            take(match event_of(&frame) {
                Some(event) => Incoming::Event(event),
                None => Incoming::Frame(frame),
            });
            if let Some(number) = number {
                let _ = self.send(&json!({"t": "ack", "n": number}));
            }
        }
        Ok(read > 0)
    }

    /// Hands over everything the pipes hold now.
    pub fn drain_output(&mut self, take: &mut dyn FnMut(Incoming)) {
        let content = &mut self.content;
        drain(&mut self.stdout, &mut |bytes| {
            content.take(&bytes, &mut |event| take(Incoming::Event(event)))
        });
        drain(&mut self.stderr, &mut |bytes| {
            content.settle(&mut |event| take(Incoming::Event(event)));
            take(Incoming::Event(Event::Stderr(bytes)))
        });
    }

    /// The cell is over: content that it began and did not end is text.
    pub fn end_of_cell(&mut self, sink: &mut dyn FnMut(Event)) {
        self.content.flush(sink);
    }

    fn next_frame(&mut self) -> Result<Option<Value>> {
        let Some(head) = self.incoming.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        anyhow::ensure!(
            length <= LARGEST_FRAME,
            "the cell process sent a frame of {length} bytes"
        );
        if self.incoming.len() < 4 + length {
            return Ok(None);
        }
        let frame = serde_json::from_slice(&self.incoming[4..4 + length])
            .context("a frame of the cell process is no JSON")?;
        self.incoming.drain(..4 + length);
        Ok(Some(frame))
    }

    /// Ends the process if it still runs, and says how it ended.
    pub fn end(&mut self) -> Option<ExitStatus> {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(500);
        while std::time::Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for CellProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program: as installed, or as it runs now when it is not.
pub(super) fn program(home: &Path) -> Result<PathBuf> {
    let installed = home.join("bin/rust-dl");
    if installed.is_file() {
        Ok(installed)
    } else {
        Ok(std::env::current_exe()?)
    }
}

/// Writes one frame to a socket that several threads write to.
pub fn send(socket: &Mutex<UnixStream>, frame: &Value) -> std::io::Result<()> {
    let body = frame.to_string();
    let mut bytes = u32::try_from(body.len())
        .map_err(std::io::Error::other)?
        .to_le_bytes()
        .to_vec();
    bytes.extend_from_slice(body.as_bytes());
    let mut socket = socket
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    socket.write_all(&bytes)
}

/// How a process ended, in words.
pub fn describe(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "it is gone".into();
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it exited with status {code}"),
        (None, Some(number)) => {
            let meaning = match number {
                libc_signal::SIGSEGV => " (segmentation fault, or a recursion without end)",
                libc_signal::SIGABRT => " (abort)",
                libc_signal::SIGKILL => " (killed; when nobody did, the machine ran out of memory)",
                libc_signal::SIGBUS => " (bus error)",
                libc_signal::SIGILL => " (illegal instruction)",
                _ => "",
            };
            format!("it was ended by signal {number}{meaning}")
        }
        (None, None) => format!("{status}"),
    }
}

/// What the last words of a process say about its end, where they are known.
pub fn cause(last_words: &str) -> Option<String> {
    if let Some((_, asked)) = last_words.rsplit_once("memory allocation of ") {
        let bytes = asked.split_whitespace().next().unwrap_or_default();
        return Some(format!("out of memory, when it asked for {bytes} bytes"));
    }
    let known = [
        (
            "has overflowed its stack",
            "its stack overflowed, by a recursion without end or a large array perhaps (what is in a `Vec` is not on the stack)",
        ),
        (
            "non-unwinding panic",
            "a panic came while another one was being handled, or in code that may not panic",
        ),
    ];
    let found = known.iter().find(|(words, _)| last_words.contains(words));
    found.map(|(_, cause)| (*cause).to_owned())
}

/// Signal numbers as constants that a `match` can use.
mod libc_signal {
    use nix::sys::signal::Signal;
    pub const SIGSEGV: i32 = Signal::SIGSEGV as i32;
    pub const SIGABRT: i32 = Signal::SIGABRT as i32;
    pub const SIGKILL: i32 = Signal::SIGKILL as i32;
    pub const SIGBUS: i32 = Signal::SIGBUS as i32;
    pub const SIGILL: i32 = Signal::SIGILL as i32;
}

fn drain(pipe: &mut Option<OwnedFd>, take: &mut dyn FnMut(Vec<u8>)) {
    let mut chunk = [0; 65536];
    // A cell that prints without end must not keep the frames from being read.
    for _ in 0..64 {
        let Some(fd) = pipe else { return };
        match nix::unistd::read(fd.as_fd(), &mut chunk) {
            Ok(0) => *pipe = None,
            Ok(read) => take(chunk[..read].to_vec()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => return,
            Err(_) => *pipe = None,
        }
    }
}

/// The frames that go straight to the notebook.
fn event_of(frame: &Value) -> Option<Event> {
    let object = |name: &str| frame[name].as_object().cloned().unwrap_or_default();
    match frame["t"].as_str()? {
        "display" => Some(Event::Display {
            data: object("data"),
            metadata: object("metadata"),
            display_id: frame["display_id"].as_str().map(str::to_owned),
            update: frame["update"].as_bool().unwrap_or(false),
        }),
        "result" => Some(Event::Result {
            data: object("data"),
            metadata: object("metadata"),
        }),
        "input" => Some(Event::Input {
            number: frame["n"].as_u64().unwrap_or_default(),
            prompt: frame["prompt"].as_str().unwrap_or_default().to_owned(),
            password: frame["password"].as_bool().unwrap_or(false),
        }),
        "clear" => Some(Event::Clear {
            wait: frame["wait"].as_bool().unwrap_or(false),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_tell_the_cause() {
        let cause = |words| cause(words).unwrap_or_default();
        assert_eq!(
            cause("half\nmemory allocation of 4096 bytes failed\n"),
            "out of memory, when it asked for 4096 bytes"
        );
        assert!(cause("\nthread 'main' has overflowed its stack\n").contains("recursion"));
        assert_eq!(cause("bye"), "");
    }
}
