//! How ranks find each other: rank 0 listens, the others come and say who they are.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::wire::{GLANCE, Header, Parting, Wire, number, waits};
use crate::distributed::communicator::INTERRUPTED;
use crate::{Error, Result, interrupt};

/// By which ranks know each other.
const GREETING: &[u8; 8] = b"dlcore 4";
/// With which those of all versions begin.
const FAMILY: &[u8; 7] = b"dlcore ";
/// How long one who has come may take to say who he is.
const POLITE: Duration = Duration::from_secs(5);

/// Rank 0 waits for the others, and tells all when they are there.
pub(super) fn accept(listener: &TcpListener, size: usize, patience: Duration) -> Result<Vec<Wire>> {
    let started = Instant::now();
    let waiting = listener.set_nonblocking(true);
    waiting.map_err(|e| failed("wait for ranks".into(), e))?;
    let mut joined: Vec<Option<Wire>> = (1..size).map(|_| None).collect();
    // What was odd about those who came.
    let mut odd = String::new();
    while let Some(missing) = joined.iter().position(Option::is_none) {
        let stream = match listener.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => return Err(failed("wait for ranks".into(), error)),
        };
        forget_who_left(&mut joined, &mut odd);
        let Some(stream) = stream else {
            let end = match interrupt::requested() {
                true => Some(INTERRUPTED.to_string()),
                false if started.elapsed() > patience => Some(late(&joined, patience, &odd)),
                false => None,
            };
            let Some(end) = end else {
                std::thread::sleep(GLANCE);
                continue;
            };
            let told = match interrupt::requested() {
                true => (0, "it was interrupted before all ranks were there"),
                false => (missing + 1, &*end),
            };
            let there = joined.iter_mut().flatten();
            there.for_each(|wire| wire.part(told.0, told.1));
            return Err(Error::Device(format!("ranks cannot meet: {end}")));
        };
        // Whoever says something else, or nothing for a while, is none of them.
        let Some(greeting) = greeted(&stream) else {
            continue;
        };
        let (name, numbers) = greeting.split_at(GREETING.len());
        let (rank, of) = (number(&numbers[..8]), number(&numbers[8..]));
        let Ok(mut wire) = Wire::new(stream, rank) else {
            continue;
        };
        if name != GREETING {
            odd = format!(
                "; one that came speaks as {}, rank 0 as {}: all ranks must be built with the same dlcore",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(GREETING)
            );
            wire.part(0, odd.trim_start_matches("; "));
            continue;
        }
        let problem = match joined.get(rank.wrapping_sub(1)) {
            _ if of != size => format!("rank {rank} was told of {of} ranks, rank 0 of {size}"),
            None => format!("of {size} ranks there is none with number {rank} that joins"),
            Some(Some(_)) => format!("there are two with number {rank}"),
            Some(None) => {
                joined[rank - 1] = Some(wire);
                continue;
            }
        };
        wire.part(0, &problem);
        odd = format!("; {problem}");
    }
    let mut wires: Vec<Wire> = joined.into_iter().flatten().collect();
    for wire in &mut wires {
        // Who has left meanwhile is noticed when he is needed.
        let _ = wire.send(Header::WELCOME, &[]);
    }
    Ok(wires)
}

/// Who has come and gone again, as a notebook that was restarted, may come once more.
fn forget_who_left(joined: &mut [Option<Wire>], odd: &mut String) {
    for place in joined {
        if let Some(wire) = place
            && let Err(Parting::Left(rank, reason)) = wire.look()
        {
            *odd = format!("; rank {rank} had come and has left: {reason}");
            *place = None;
        }
    }
}

/// What is said when not all have come.
fn late(joined: &[Option<Wire>], patience: Duration, odd: &str) -> String {
    let missing = joined.iter().zip(1..).filter(|(wire, _)| wire.is_none());
    let missing: Vec<String> = missing.map(|(_, rank)| rank.to_string()).collect();
    format!(
        "{} {} of {} did not come within {} s{odd}",
        if missing.len() == 1 { "rank" } else { "ranks" },
        missing.join(", "),
        joined.len() + 1,
        patience.as_secs_f32(),
    )
}

/// What one who has come says, if it is a rank of this or another version, and says it soon.
fn greeted(mut stream: &TcpStream) -> Option<[u8; 24]> {
    let started = Instant::now();
    // Some systems hand the listener's mode on.
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(GLANCE)).ok()?;
    let (mut greeting, mut done) = ([0; 24], 0);
    while done < greeting.len() {
        if started.elapsed() > POLITE || interrupt::requested() {
            return None;
        }
        match stream.read(&mut greeting[done..]) {
            Ok(0) => return None,
            Ok(read) => done += read,
            Err(error) if waits(&error) => {}
            Err(_) => return None,
        }
        let known = done.min(FAMILY.len());
        if greeting[..known] != FAMILY[..known] {
            return None;
        }
    }
    Some(greeting)
}

/// Another rank looks for rank 0; all are there when it has said so.
pub(super) fn join(
    rank: usize,
    size: usize,
    address: &str,
    patience: Duration,
) -> Result<Result<Wire, Parting>> {
    let started = Instant::now();
    let mut stream = loop {
        match reach(address) {
            Ok(stream) => break stream,
            // It will not become one.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return Err(Error::Value(format!(
                    "ranks cannot meet: the address of rank 0 must be host:port, as 127.0.0.1:29500, got {address:?} ({error})"
                )));
            }
            Err(error) if started.elapsed() > patience => {
                return Err(failed(
                    format!(
                        "rank 0 is not at {address} within {} s, as rank {rank} has seen",
                        patience.as_secs_f32()
                    ),
                    error,
                ));
            }
            Err(_) if interrupt::requested() => {
                return Err(Error::Device(format!("ranks cannot meet: {INTERRUPTED}")));
            }
            // Rank 0 may be starting.
            Err(_) => std::thread::sleep(GLANCE),
        }
    };
    let mut greeting = GREETING.to_vec();
    greeting.extend((rank as u64).to_le_bytes());
    greeting.extend((size as u64).to_le_bytes());
    let greeted = stream.write_all(&greeting);
    let wire = greeted.and_then(|()| Wire::new(stream, 0));
    let wire =
        wire.map_err(|error| failed(format!("rank 0 at {address} does not listen"), error))?;
    Ok(wire
        .receive(Header::WELCOME, &mut [], || Ok(()))
        .map(|()| wire))
}

/// An address that does not answer is not waited for as long as the system would.
fn reach(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, POLITE) {
            // Rank 0 could not listen there as long as it is held.
            Ok(stream) if is_to_itself(&stream) => last = ErrorKind::ConnectionRefused.into(),
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether both ends are one: the system may choose the very port that is looked for, where nobody listens.
pub(super) fn is_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(own), Ok(other)) if own == other)
}

pub(super) fn failed(doing: String, source: std::io::Error) -> Error {
    Error::Io {
        context: format!("ranks cannot meet: {doing}"),
        source,
    }
}
