//! Ranks in processes of their own, which rank 0 talks to over TCP.

mod meeting;
mod wire;

#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::meeting::failed;
use self::wire::{Header, Parting, Wire};
use super::Communicator;
use super::communicator::{HAS_DROPPED, WAS_INTERRUPTED, check_rank, interrupted, left, parted};
use crate::{Error, Result};

/// How long ranks wait for each other to come, unless the variable says how many seconds.
const PATIENCE: Duration = Duration::from_secs(300);
const PATIENCE_VARIABLE: &str = "DLCORE_JOIN_SECONDS";

/// Ranks that talk over TCP, on one machine or several: rank 0 listens, the others connect to it. Sums are taken in the
/// order of the ranks.
///
/// A rank that leaves, fails or whose process ends is an error on all others, with its number and its reason: at once. Where
/// a whole machine has gone without a word, one that waits for numbers of it learns so after half a minute, and one that has
/// sent it some when the system gives up sending them again (Linux: after about a quarter of an hour). A rank that lives is
/// waited for as long as it takes.
///
/// Whoever reaches the address can take part, and nothing is encrypted: use the loopback address, or a network
/// that you trust.
pub struct Sockets {
    rank: usize,
    size: usize,
    line: Mutex<Line>,
}

/// The connections, and how far they have been used.
struct Line {
    /// Of rank 0 to the others in order; of the others to rank 0.
    wires: Vec<Wire>,
    /// How many sums and broadcasts there were.
    step: u64,
    /// Why ranks have parted, if they have.
    parted: Option<String>,
}

impl Line {
    /// Tells those at the other ends that the rank `who` goes no further. Rank 0 tells all others, who know only it.
    fn part(&mut self, who: usize, reason: &str) {
        if self.parted.is_none() {
            self.parted = Some(format!("rank {who} has left: {reason}"));
            self.wires
                .iter_mut()
                .for_each(|wire| wire.part(who, reason));
        }
    }
}

impl Sockets {
    /// Joins the others: returns when all `size` are there. `address` is where rank 0 listens: `"127.0.0.1:29500"`.
    ///
    /// # Errors
    /// [`Error::Value`] for a rank that is not below the size or an address that is none; [`Error::Io`] if rank 0 cannot listen there, or is not
    /// found, and [`Error::Device`] if other ranks do not come, within five minutes or what the environment variable
    /// `DLCORE_JOIN_SECONDS` says.
    pub fn connect(rank: usize, size: usize, address: &str) -> Result<Sockets> {
        check_rank(rank, size)?;
        match rank {
            0 => {
                let listener = TcpListener::bind(address);
                Self::accept(
                    listener.map_err(|e| failed(format!("rank 0 listens on {address}"), e))?,
                    size,
                )
            }
            _ => Self::join(rank, size, address, patience()?),
        }
    }

    /// Rank 0 of `size`, on a socket that listens already.
    ///
    /// # Errors
    /// As [`Sockets::connect`].
    pub fn accept(listener: TcpListener, size: usize) -> Result<Sockets> {
        Self::accept_within(&listener, size, patience()?)
    }

    fn accept_within(listener: &TcpListener, size: usize, patience: Duration) -> Result<Sockets> {
        check_rank(0, size)?;
        Ok(Self::new(
            0,
            size,
            meeting::accept(listener, size, patience)?,
        ))
    }

    fn join(rank: usize, size: usize, address: &str, patience: Duration) -> Result<Sockets> {
        match meeting::join(rank, size, address, patience)? {
            Ok(wire) => Ok(Self::new(rank, size, vec![wire])),
            Err(Parting::Left(who, reason)) => Err(left(who, &reason, rank, size)),
            Err(Parting::Interrupted) => Err(interrupted(rank)),
            Err(Parting::Elsewhere(who, header)) => Err(Error::Device(format!(
                "ranks cannot meet: rank {who} {}",
                header.doing()
            ))),
        }
    }

    fn new(rank: usize, size: usize, wires: Vec<Wire>) -> Sockets {
        Sockets {
            rank,
            size,
            line: Mutex::new(Line {
                wires,
                step: 0,
                parted: None,
            }),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step that all ranks make together. After one that fails they are not in step any more, and part.
    fn together(
        &self,
        kind: u64,
        values: &mut [f32],
        exchange: impl FnOnce(&mut [Wire], Header, &mut [f32]) -> Result<(), Parting>,
    ) -> Result<()> {
        let mut line = self.line();
        if let Some(why) = &line.parted {
            return Err(parted(why, self.rank, self.size));
        }
        let header = Header {
            step: line.step,
            kind,
            count: values.len() as u64,
        };
        line.step += 1;
        let done = exchange(&mut line.wires, header, values);
        done.map_err(|parting| self.after(&mut line, parting, header))
    }

    /// Parts from the others, and says why.
    fn after(&self, line: &mut Line, parting: Parting, own: Header) -> Error {
        match parting {
            Parting::Left(who, reason) => {
                line.part(who, &reason);
                left(who, &reason, self.rank, self.size)
            }
            Parting::Interrupted => {
                line.part(self.rank, WAS_INTERRUPTED);
                interrupted(self.rank)
            }
            Parting::Elsewhere(who, header) => {
                let problem = format!(
                    "rank {who} {}, but this one, rank {}, {}: all ranks must train the same model on the same data with \
                     the same settings",
                    header.doing(),
                    self.rank,
                    own.doing()
                );
                line.part(self.rank, &problem);
                Error::Device(problem)
            }
        }
    }
}

/// How long ranks wait for each other to come.
fn patience() -> Result<Duration> {
    let Some(text) = super::launcher::variable(PATIENCE_VARIABLE) else {
        return Ok(PATIENCE);
    };
    let seconds = text.parse().ok();
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Error::Value(format!(
            "{PATIENCE_VARIABLE} must be a whole number of seconds, got {text:?}"
        ))
    })
}

/// Takes what the rank of one wire sends; that another one leaves ends the wait.
fn receive(wires: &[Wire], at: usize, header: Header, values: &mut [f32]) -> Result<(), Parting> {
    wires[at].receive(header, values, || {
        let mut others = wires.iter().enumerate().filter(|(other, _)| *other != at);
        others.try_for_each(|(_, wire)| wire.look())
    })
}

impl Communicator for Sockets {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_reduce(&self, values: &mut [f32]) -> Result<()> {
        self.together(Header::SUM, values, |wires, header, values| {
            if self.rank > 0 {
                wires[0].send(header, values)?;
                return receive(wires, 0, header, values);
            }
            let mut other = vec![0.0; values.len()];
            for at in 0..wires.len() {
                receive(wires, at, header, &mut other)?;
                for (sum, value) in values.iter_mut().zip(&other) {
                    *sum += value;
                }
            }
            wires
                .iter_mut()
                .try_for_each(|wire| wire.send(header, values))
        })
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()> {
        self.together(
            1 + from as u64,
            values,
            |wires, header, values| match self.rank {
                0 => {
                    if from > 0 {
                        receive(wires, from - 1, header, values)?;
                    }
                    let mut others = wires.iter_mut().filter(|wire| wire.rank != from);
                    others.try_for_each(|wire| wire.send(header, values))
                }
                own if own == from => wires[0].send(header, values),
                _ => receive(wires, 0, header, values),
            },
        )
    }

    fn check(&self) -> Result<()> {
        let mut line = self.line();
        if let Some(why) = &line.parted {
            return Err(parted(why, self.rank, self.size));
        }
        let looked = line.wires.iter().try_for_each(Wire::look);
        let header = Header {
            step: line.step,
            ..Header::WELCOME
        };
        looked.map_err(|parting| self.after(&mut line, parting, header))
    }

    fn leave(&self, reason: &str) {
        self.line().part(self.rank, reason);
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let reason = match std::thread::panicking() {
            true => "it has panicked",
            false => HAS_DROPPED,
        };
        let rank = self.rank;
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        line.part(rank, reason);
    }
}
