//! What goes over one connection between two ranks.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::interrupt;

/// How long a rank waits for another before it looks whether it is to stop, or one of the others has left.
pub(super) const GLANCE: Duration = Duration::from_millis(50);
/// When a machine that says nothing is taken to be gone.
#[derive(Clone, Copy)]
pub(super) struct Silence {
    /// After so long it is asked whether it is there …
    pub(super) before: Duration,
    /// … and so often again, …
    pub(super) times: u32,
    /// … each time after so long.
    pub(super) pause: Duration,
}

const SILENCE: Silence = Silence {
    before: Duration::from_secs(15),
    times: 3,
    pause: Duration::from_secs(5),
};
/// Bytes of a reason that are sent at most.
const REASON: usize = 4096;
/// What is said of a rank that has given none.
const GONE: &str =
    "its process has ended, or the connection to it is lost: look at its output for the reason";

/// Why ranks are not in step any more.
#[derive(Debug)]
pub(super) enum Parting {
    /// A rank has left.
    Left(usize, String),
    /// The rank at the other end does something else.
    Elsewhere(usize, Header),
    /// This rank is to stop.
    Interrupted,
}

/// What a rank sends: which step it is at, what it does there, and how many numbers follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) step: u64,
    pub(super) kind: u64,
    pub(super) count: u64,
}

impl Header {
    pub(super) const BYTES: usize = 24;
    /// A sum; what is above is a broadcast by the rank that is 1 less.
    pub(super) const SUM: u64 = 0;
    /// A farewell: the rank that has left stands in the place of the step, and as many bytes of its reason follow.
    const FAREWELL: u64 = u64::MAX;
    /// All ranks are there.
    pub(super) const WELCOME: Header = Header {
        step: 0,
        kind: u64::MAX - 1,
        count: 0,
    };

    fn bytes(self) -> impl Iterator<Item = u8> {
        let fields = [self.step, self.kind, self.count];
        fields.into_iter().flat_map(u64::to_le_bytes)
    }

    fn of(bytes: [u8; Self::BYTES]) -> Header {
        Header {
            step: number(&bytes[..8]) as u64,
            kind: number(&bytes[8..16]) as u64,
            count: number(&bytes[16..]) as u64,
        }
    }

    pub(super) fn doing(self) -> String {
        let Header { step, kind, count } = self;
        match kind {
            Self::SUM => format!("is at step {step}, a sum of {count} numbers"),
            _ if self == Self::WELCOME => "waits for all ranks to come".to_string(),
            from => format!(
                "is at step {step}, a broadcast of {count} numbers by rank {}",
                from - 1
            ),
        }
    }
}

pub(super) fn number(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes")) as usize
}

/// A connection to another rank.
pub(super) struct Wire {
    stream: TcpStream,
    pub(super) rank: usize,
    /// Whether a part of something was sent and the rest was not, so that nothing else can be.
    torn: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, rank: usize) -> std::io::Result<Wire> {
        Self::asking(stream, rank, SILENCE)
    }

    pub(super) fn asking(
        stream: TcpStream,
        rank: usize,
        silence: Silence,
    ) -> std::io::Result<Wire> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(GLANCE))?;
        stream.set_write_timeout(Some(GLANCE))?;
        // A process that ends closes its connections; a machine without power, or a cut line, says nothing. That is for one
        // who waits to be told something. Where numbers are under way the system itself sends them again until it gives up:
        // a limit of ours would end a rank, too, that lives and does not read for a while, since it saves or validates.
        let alive = TcpKeepalive::new()
            .with_time(silence.before)
            .with_interval(silence.pause)
            .with_retries(silence.times);
        SockRef::from(&stream).set_tcp_keepalive(&alive)?;
        Ok(Wire {
            stream,
            rank,
            torn: false,
        })
    }

    pub(super) fn send(&mut self, header: Header, values: &[f32]) -> Result<(), Parting> {
        let mut bytes = Vec::with_capacity(Header::BYTES + 4 * values.len());
        bytes.extend(header.bytes());
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()));
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match (&self.stream).write(rest) {
                Ok(0) => return Err(self.gone()),
                Ok(sent) => {
                    rest = &rest[sent..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if waits(&error) => {
                    stop()?;
                    self.look()?;
                }
                // What the other end has said before it closed the connection may still be read.
                Err(_) => return Err(self.look().err().unwrap_or_else(|| self.gone())),
            }
        }
        Ok(())
    }

    /// Takes what is expected; while it waits it looks elsewhere, too.
    pub(super) fn receive(
        &self,
        expected: Header,
        values: &mut [f32],
        elsewhere: impl Fn() -> Result<(), Parting>,
    ) -> Result<(), Parting> {
        let mut header = [0; Header::BYTES];
        self.fill(&mut header, &elsewhere)?;
        let header = Header::of(header);
        if header.kind == Header::FAREWELL {
            return Err(self.farewell(header));
        }
        if header != expected {
            return Err(Parting::Elsewhere(self.rank, header));
        }
        let mut bytes = vec![0; 4 * values.len()];
        self.fill(&mut bytes, &elsewhere)?;
        for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        }
        Ok(())
    }

    fn fill(
        &self,
        bytes: &mut [u8],
        elsewhere: impl Fn() -> Result<(), Parting>,
    ) -> Result<(), Parting> {
        let mut done = 0;
        while done < bytes.len() {
            match (&self.stream).read(&mut bytes[done..]) {
                Ok(0) => return Err(self.gone()),
                Ok(read) => done += read,
                Err(error) if waits(&error) => {
                    stop()?;
                    elsewhere()?;
                }
                Err(_) => return Err(self.gone()),
            }
        }
        Ok(())
    }

    /// Whether the other end has left, without waiting. Nothing that it sent may be half read.
    pub(super) fn look(&self) -> Result<(), Parting> {
        let mut header = [0; Header::BYTES];
        let peeked = self.stream.set_nonblocking(true).and_then(|()| {
            let peeked = self.stream.peek(&mut header);
            self.stream.set_nonblocking(false)?;
            peeked
        });
        match peeked {
            Ok(0) => Err(self.gone()),
            Ok(Header::BYTES) if Header::of(header).kind == Header::FAREWELL => {
                self.fill(&mut header, || Ok(()))?;
                Err(self.farewell(Header::of(header)))
            }
            Ok(_) => Ok(()),
            Err(error) if waits(&error) => Ok(()),
            Err(_) => Err(self.gone()),
        }
    }

    fn farewell(&self, header: Header) -> Parting {
        let mut reason = vec![0; (header.count as usize).min(REASON)];
        match self.fill(&mut reason, || Ok(())) {
            Ok(()) => Parting::Left(
                header.step as usize,
                String::from_utf8_lossy(&reason).into_owned(),
            ),
            Err(_) => self.gone(),
        }
    }

    fn gone(&self) -> Parting {
        Parting::Left(self.rank, GONE.to_string())
    }

    /// Says which rank has left and why, and nothing after it.
    pub(super) fn part(&mut self, rank: usize, reason: &str) {
        if !self.torn {
            let mut end = reason.len().min(REASON);
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            let header = Header {
                step: rank as u64,
                kind: Header::FAREWELL,
                count: end as u64,
            };
            let mut bytes: Vec<u8> = header.bytes().collect();
            bytes.extend(&reason.as_bytes()[..end]);
            // Who is not there any more need not hear it.
            let _ = (&self.stream).write_all(&bytes);
        }
        // What is closed already needs no closing.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

pub(super) fn waits(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn stop() -> Result<(), Parting> {
    match interrupt::requested() {
        true => Err(Parting::Interrupted),
        false => Ok(()),
    }
}
