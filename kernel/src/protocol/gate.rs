//! What listens on the address of the connection file.
//!
//! Whoever can reach a port can claim that a frame of any length follows, before anything is signed;
//! the ZeroMQ library makes room for it at once, which ends the process. So the library's own sockets
//! are in a private directory, and what comes from outside is read here first: frames pass as they
//! are, and a connection that announces more than [`MOST`] is closed.

use crate::private_dir::PrivateDir;
use anyhow::{Context as _, Result};
use jupyter_protocol::{ConnectionInfo, Transport};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

/// The longest message that is let in, all its frames together, in bytes.
const MOST: u64 = 64 << 20;
/// What a frame takes beside its bytes.
const FRAME: u64 = 64;
/// The length of a ZeroMQ greeting.
const GREETING: u64 = 64;

/// The private sockets and the directory they are in.
pub struct Gate {
    directory: PrivateDir,
    /// Names the directory in few bytes: the path of a socket has at most 107.
    handle: File,
}

impl Gate {
    /// Makes the directory.
    pub fn new() -> Result<Gate> {
        let cache = dirs::cache_dir().context("no cache directory: set HOME or XDG_CACHE_HOME")?;
        let directory = PrivateDir::create(&cache.join("rust-dl/sockets"))?;
        let handle = File::open(directory.path())?;
        Ok(Gate { directory, handle })
    }

    fn path(&self) -> PathBuf {
        debug_assert!(self.directory.path().is_dir());
        PathBuf::from(format!("/proc/self/fd/{}/zmq", self.handle.as_raw_fd()))
    }

    /// Where the library's sockets belong instead of at `info`'s address.
    pub fn inner(&self, info: &ConnectionInfo) -> ConnectionInfo {
        ConnectionInfo {
            transport: Transport::IPC,
            ip: self.path().display().to_string(),
            ..info.clone()
        }
    }

    /// Listens at `info`'s address and leads to the library's sockets.
    pub async fn open(&self, info: &ConnectionInfo) -> Result<Vec<JoinHandle<()>>> {
        let mut listening = Vec::new();
        for port in [
            info.shell_port,
            info.control_port,
            info.stdin_port,
            info.iopub_port,
            info.hb_port,
        ] {
            let ip = if info.ip == "*" { "0.0.0.0" } else { &info.ip };
            let listener = TcpListener::bind((ip, port)).await.with_context(|| {
                format!("cannot listen on {ip}, port {port}, which the connection file names")
            })?;
            let inside = PathBuf::from(format!("{}-{port}", self.path().display()));
            listening.push(tokio::spawn(accept(listener, inside)));
        }
        Ok(listening)
    }
}

async fn accept(listener: TcpListener, inside: PathBuf) {
    loop {
        match listener.accept().await {
            Ok((outside, _)) => {
                let inside = inside.clone();
                tokio::spawn(async move { relay(outside, &inside).await });
            }
            // Too many connections, for example: some will close.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// Passes bytes on in both directions until either side closes.
async fn relay(outside: TcpStream, inside: &Path) {
    let Ok(inside) = UnixStream::connect(inside).await else {
        return;
    };
    let _ = outside.set_nodelay(true);
    let (from_outside, mut to_outside) = outside.into_split();
    let (mut from_inside, to_inside) = inside.into_split();
    tokio::select! {
        why = let_in(from_outside, to_inside) => {
            if let Err(why) = why {
                eprintln!("rust-dl: closed a connection: {why}");
            }
        }
        _ = tokio::io::copy(&mut from_inside, &mut to_outside) => {}
    }
}

/// Passes on what may come in; an error is why no more may.
async fn let_in(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Result<(), String> {
    let mut watch = Watch::default();
    let mut chunk = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        watch.see(&chunk[..read])?;
        if to.write_all(&chunk[..read]).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Follows a stream of ZeroMQ frames.
#[derive(Debug)]
struct Watch {
    next: Part,
    /// Whether more frames of the present message follow the present one.
    more: bool,
    /// The length of the present message so far.
    message: u64,
}

#[derive(Debug)]
enum Part {
    /// So many bytes that say nothing of what follows.
    Bytes(u64),
    Flags,
    /// A length of so many bytes more, and what has come of it.
    Length(u8, u64),
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            next: Part::Bytes(GREETING),
            more: false,
            message: 0,
        }
    }
}

impl Watch {
    fn see(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some((&first, rest)) = bytes.split_first() {
            self.next = match self.next {
                Part::Bytes(left) => {
                    let passed = left.min(bytes.len() as u64);
                    bytes = &bytes[passed as usize..];
                    self.next = match left - passed {
                        0 => Part::Flags,
                        left => Part::Bytes(left),
                    };
                    continue;
                }
                Part::Flags => {
                    if !self.more {
                        self.message = 0;
                    }
                    self.more = first & 1 != 0;
                    Part::Length(if first & 2 != 0 { 8 } else { 1 }, 0)
                }
                Part::Length(left, value) => {
                    let value = value << 8 | u64::from(first);
                    if left > 1 {
                        Part::Length(left - 1, value)
                    } else {
                        self.frame(value)?
                    }
                }
            };
            bytes = rest;
        }
        Ok(())
    }

    fn frame(&mut self, length: u64) -> Result<Part, String> {
        self.message = self.message.saturating_add(length).saturating_add(FRAME);
        if self.message > MOST {
            return Err(format!(
                "it announced a message of {} bytes or more; {MOST} are allowed",
                self.message
            ));
        }
        Ok(match length {
            0 => Part::Flags,
            length => Part::Bytes(length),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(flags: u8, length: u64) -> Vec<u8> {
        let mut frame = vec![flags | 2];
        frame.extend(length.to_be_bytes());
        frame
    }

    fn seen(parts: &[Vec<u8>], step: usize) -> Result<(), String> {
        let mut watch = Watch::default();
        let all: Vec<u8> = [vec![0; 64], parts.concat()].concat();
        all.chunks(step).try_for_each(|chunk| watch.see(chunk))
    }

    #[test]
    fn what_is_announced_counts_not_what_came() {
        for step in [1, 7, 1000] {
            let short = vec![0, 3, 9, 9, 9];
            assert_eq!(seen(&[short.clone(), long(0, MOST - FRAME)], step), Ok(()));
            assert!(seen(&[short.clone(), long(0, MOST)], step).is_err());
            assert!(seen(&[short, long(0, u64::MAX)], step).is_err());
        }
    }

    #[test]
    fn frames_of_one_message_count_together_and_messages_do_not() {
        let half = vec![0; (MOST / 2) as usize];
        let frame = |flags| [long(flags, MOST / 2), half.clone()].concat();
        assert!(seen(&[frame(1), frame(0)], 1 << 20).is_err());
        assert_eq!(seen(&[frame(0), frame(0)], 1 << 20), Ok(()));
        // Frames without a byte take room, too.
        let empty = [1, 0].repeat((MOST / FRAME) as usize + 1);
        assert!(seen(&[empty], 1 << 20).is_err());
    }
}
