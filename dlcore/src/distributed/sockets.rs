//! Ranks in processes of their own, which rank 0 talks to over TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Communicator;
use crate::{Error, Result, interrupt};

/// By which ranks know each other.
const GREETING: &[u8; 8] = b"dlcore 2";
/// How long a rank looks for rank 0.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a rank waits for another before it looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(50);
/// What the error says where that was so.
pub(crate) const INTERRUPTED: &str = "interrupted while it waited for other ranks";

/// Ranks that talk over TCP, on one machine or several: rank 0 listens, the others connect to it.
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
    streams: Vec<TcpStream>,
    /// How many sums and broadcasts there were.
    step: u64,
    /// Whether one of them failed, or this rank has left.
    parted: bool,
}

impl Line {
    fn part(&mut self) {
        self.parted = true;
        for stream in &self.streams {
            // What is closed already needs no closing.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// What a rank sends: which step it is at, what it does there, and how many numbers follow.
#[derive(Clone, Copy, PartialEq)]
struct Header {
    step: u64,
    /// 0 for a sum, otherwise 1 more than the rank whose numbers all take.
    kind: u64,
    count: u64,
}

impl Header {
    const BYTES: usize = 24;

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

    fn doing(self) -> String {
        match self.kind {
            0 => format!("is at step {}, a sum of {} numbers", self.step, self.count),
            from => format!(
                "is at step {}, a broadcast of {} numbers by rank {}",
                self.step,
                self.count,
                from - 1
            ),
        }
    }
}

impl Sockets {
    /// Joins the others: returns when all `size` are there. `address` is where rank 0 listens: `"127.0.0.1:29500"`.
    ///
    /// # Errors
    /// [`Error::Value`] for a rank that is not below the size; [`Error::Io`] if rank 0 cannot listen there, or is not
    /// found within a minute.
    pub fn connect(rank: usize, size: usize, address: &str) -> Result<Sockets> {
        check(rank, size)?;
        let streams = match rank {
            0 => {
                let listener = TcpListener::bind(address);
                return Self::accept(
                    listener.map_err(|e| failed(format!("listen on {address}"), e))?,
                    size,
                );
            }
            _ => vec![join(rank, size, address)?],
        };
        Self::new(rank, size, streams)
    }

    /// Rank 0 of `size`, on a socket that listens already.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket fails.
    pub fn accept(listener: TcpListener, size: usize) -> Result<Sockets> {
        check(0, size)?;
        let waiting = listener.set_nonblocking(true);
        waiting.map_err(|e| failed("wait for ranks".into(), e))?;
        let mut joined: Vec<Option<TcpStream>> = (1..size).map(|_| None).collect();
        while joined.iter().any(Option::is_none) {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    pause()?;
                    continue;
                }
                Err(error) => return Err(failed("wait for ranks".into(), error)),
            };
            // Whoever says something else, or nothing for a while, is none of them.
            let greeted = (|| {
                // Some systems hand the listener's mode on.
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut greeting = [0; 24];
                stream.read_exact(&mut greeting)?;
                Ok::<_, std::io::Error>(greeting)
            })();
            let Ok(greeting) = greeted else { continue };
            let (name, numbers) = greeting.split_at(8);
            let (rank, of) = (number(&numbers[..8]), number(&numbers[8..]));
            if name == GREETING && of == size && (1..size).contains(&rank) {
                joined[rank - 1] = Some(stream);
            }
        }
        Self::new(0, size, joined.into_iter().flatten().collect())
    }

    fn new(rank: usize, size: usize, streams: Vec<TcpStream>) -> Result<Sockets> {
        for stream in &streams {
            let set = stream
                .set_nodelay(true)
                .and_then(|()| stream.set_read_timeout(Some(GLANCE)))
                .and_then(|()| stream.set_write_timeout(Some(GLANCE)));
            set.map_err(|error| failed("set up a connection".into(), error))?;
        }
        Ok(Sockets {
            rank,
            size,
            line: Mutex::new(Line {
                streams,
                step: 0,
                parted: false,
            }),
        })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step that all ranks make together. After one that fails they are not in step any more, and part.
    fn together(
        &self,
        kind: usize,
        values: &mut [f32],
        exchange: impl FnOnce(&mut [TcpStream], Header, &mut [f32]) -> Result<()>,
    ) -> Result<()> {
        let mut line = self.line();
        if line.parted {
            return Err(Error::Device(format!(
                "rank {} of {} has parted from the others, since a training of theirs did not end as planned; connect \
                 all ranks again",
                self.rank, self.size
            )));
        }
        let header = Header {
            step: line.step,
            kind: kind as u64,
            count: values.len() as u64,
        };
        line.step += 1;
        let done = exchange(&mut line.streams, header, values);
        if done.is_err() {
            line.part();
        }
        done
    }

    /// The rank at the other end of a stream.
    fn other(&self, stream: usize) -> usize {
        if self.rank == 0 { stream + 1 } else { 0 }
    }

    fn send(
        &self,
        streams: &mut [TcpStream],
        to: usize,
        header: Header,
        values: &[f32],
    ) -> Result<()> {
        let mut bytes = Vec::with_capacity(Header::BYTES + 4 * values.len());
        bytes.extend(header.bytes());
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()));
        let mut rest = &bytes[..];
        self.by_and_by(to, bytes.len(), || {
            let sent = streams[to].write(rest)?;
            rest = &rest[sent..];
            Ok(sent)
        })
    }

    fn receive(
        &self,
        streams: &mut [TcpStream],
        from: usize,
        expected: Header,
        values: &mut [f32],
    ) -> Result<()> {
        let mut header = [0; Header::BYTES];
        self.read(&mut streams[from], from, &mut header)?;
        let header = Header::of(header);
        if header != expected {
            return Err(Error::Device(format!(
                "rank {} {}, but this one, rank {}, {}: all ranks must train the same model on the same data with the \
                 same settings",
                self.other(from),
                header.doing(),
                self.rank,
                expected.doing()
            )));
        }
        let mut bytes = vec![0; 4 * values.len()];
        self.read(&mut streams[from], from, &mut bytes)?;
        for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        }
        Ok(())
    }

    fn read(&self, stream: &mut TcpStream, from: usize, bytes: &mut [u8]) -> Result<()> {
        let mut done = 0;
        self.by_and_by(from, bytes.len(), || {
            let read = stream.read(&mut bytes[done..])?;
            done += read;
            Ok(read)
        })
    }

    /// Moves so many bytes over a stream, part by part, as long as nobody asks to stop.
    fn by_and_by(
        &self,
        stream: usize,
        mut bytes: usize,
        mut some: impl FnMut() -> std::io::Result<usize>,
    ) -> Result<()> {
        while bytes > 0 {
            match some() {
                Ok(0) => return Err(self.left(stream, "the connection is closed")),
                Ok(moved) => bytes -= moved,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if interrupt::requested() => {
                        return Err(Error::Device(format!(
                            "rank {} was {INTERRUPTED}",
                            self.rank
                        )));
                    }
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(self.left(stream, &error.to_string())),
                },
            }
        }
        Ok(())
    }

    fn left(&self, stream: usize, error: &str) -> Error {
        Error::Device(format!(
            "rank {} has left ({error}): look at its output for the reason; this one is rank {} of {}",
            self.other(stream),
            self.rank,
            self.size
        ))
    }
}

impl Communicator for Sockets {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_reduce(&self, values: &mut [f32]) -> Result<()> {
        self.together(0, values, |streams, header, values| {
            if self.rank > 0 {
                self.send(streams, 0, header, values)?;
                return self.receive(streams, 0, header, values);
            }
            let mut other = vec![0.0; values.len()];
            for stream in 0..streams.len() {
                self.receive(streams, stream, header, &mut other)?;
                for (sum, value) in values.iter_mut().zip(&other) {
                    *sum += value;
                }
            }
            (0..streams.len()).try_for_each(|stream| self.send(streams, stream, header, values))
        })
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()> {
        self.together(1 + from, values, |streams, header, values| {
            match self.rank {
                0 => {
                    if from > 0 {
                        self.receive(streams, from - 1, header, values)?;
                    }
                    let mut others = (0..streams.len()).filter(|stream| stream + 1 != from);
                    others.try_for_each(|stream| self.send(streams, stream, header, values))
                }
                own if own == from => self.send(streams, 0, header, values),
                _ => self.receive(streams, 0, header, values),
            }
        })
    }

    fn leave(&self) {
        self.line().part();
    }
}

fn check(rank: usize, size: usize) -> Result<()> {
    if rank < size {
        return Ok(());
    }
    Err(Error::Value(format!(
        "ranks are counted from 0: of {size} there is none with number {rank}"
    )))
}

fn number(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes")) as usize
}

fn failed(doing: String, source: std::io::Error) -> Error {
    Error::Io {
        context: format!("ranks cannot meet: {doing}"),
        source,
    }
}

/// Lets some time pass, unless this rank is to stop.
fn pause() -> Result<()> {
    if interrupt::requested() {
        return Err(Error::Device(format!("ranks cannot meet: {INTERRUPTED}")));
    }
    std::thread::sleep(GLANCE);
    Ok(())
}

fn join(rank: usize, size: usize, address: &str) -> Result<TcpStream> {
    let started = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > PATIENCE => {
                return Err(failed(format!("rank 0 is not at {address}"), error));
            }
            // Rank 0 may be starting.
            Err(_) => pause()?,
        }
    };
    let mut greeting = GREETING.to_vec();
    greeting.extend((rank as u64).to_le_bytes());
    greeting.extend((size as u64).to_le_bytes());
    let greeted = stream.write_all(&greeting);
    greeted.map_err(|error| failed(format!("rank 0 at {address} does not listen"), error))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `each` as every rank, in a thread of its own.
    fn ranks<T: Send>(size: usize, each: impl Fn(Sockets) -> T + Sync) -> Vec<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::scope(|scope| {
            let (each, address) = (&each, &address);
            let mut threads =
                vec![scope.spawn(move || each(Sockets::accept(listener, size).unwrap()))];
            for rank in 1..size {
                threads.push(
                    scope.spawn(move || each(Sockets::connect(rank, size, address).unwrap())),
                );
            }
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        })
    }

    #[test]
    fn sums_are_the_same_on_each_rank_and_a_broadcast_reaches_all() {
        let results = ranks(4, |sockets| {
            let own = sockets.rank() as f32;
            let mut sums = [own, 0.1, 1e8 * own];
            sockets.all_reduce(&mut sums).unwrap();
            let mut from_two = [own * 10.0];
            sockets.broadcast(2, &mut from_two).unwrap();
            let mut from_none = [own + 7.0];
            sockets.broadcast(0, &mut from_none).unwrap();
            (sums, from_two, from_none)
        });
        let fourfold = 0.1_f32 + 0.1 + 0.1 + 0.1;
        for result in results {
            assert_eq!(result, ([6.0, fourfold, 6e8], [20.0], [7.0]));
        }
    }

    #[test]
    fn a_rank_that_leaves_or_does_something_else_is_named() {
        let errors = ranks(2, |sockets| {
            let mut values = vec![0.0; if sockets.rank() == 0 { 3 } else { 2 }];
            sockets.all_reduce(&mut values).unwrap_err().to_string()
        });
        assert!(
            errors[0].starts_with("rank 1 is at step 0, a sum of 2 numbers"),
            "{errors:?}"
        );
        assert!(errors[1].starts_with("rank 0 has left"), "{errors:?}");
    }

    #[test]
    fn what_one_rank_has_begun_is_not_taken_for_something_else() {
        let errors = ranks(2, |sockets| {
            let mut values = [1.0];
            sockets.all_reduce(&mut values).unwrap();
            let next = match sockets.rank() {
                0 => sockets.all_reduce(&mut values),
                _ => sockets.broadcast(1, &mut values),
            };
            let after = sockets.all_reduce(&mut values).unwrap_err().to_string();
            (next.err().map(|error| error.to_string()), after)
        });
        let error = errors[0].0.as_deref().unwrap();
        assert!(
            error.contains(
                "a broadcast of 1 numbers by rank 1, but this one, rank 0, is at step 1, a sum"
            ),
            "{error}"
        );
        assert!(
            errors[0].1.contains("connect all ranks again"),
            "{errors:?}"
        );
    }

    #[test]
    fn who_leaves_ends_the_wait_of_the_others() {
        let errors = ranks(2, |sockets| {
            if sockets.rank() == 1 {
                sockets.leave();
            }
            // The connection is there until all have heard of it.
            let error = sockets.all_reduce(&mut [1.0]).unwrap_err().to_string();
            (error, sockets)
        });
        assert!(
            errors[0].0.starts_with("rank 1 has left"),
            "{}",
            errors[0].0
        );
        assert!(errors[1].0.contains("has parted"), "{}", errors[1].0);
    }

    #[test]
    fn a_rank_that_is_none_is_refused_and_strangers_are_passed_over() {
        let error = Sockets::connect(2, 2, "127.0.0.1:1")
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("of 2 there is none with number 2"),
            "{error}"
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut stranger = TcpStream::connect(&address).unwrap();
        stranger
            .write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            .unwrap();
        std::thread::scope(|scope| {
            let zero = scope.spawn(|| Sockets::accept(listener, 2).unwrap());
            let one = Sockets::connect(1, 2, &address).unwrap();
            scope.spawn(move || one.all_reduce(&mut [1.0]).unwrap());
            let mut sum = [1.0];
            zero.join().unwrap().all_reduce(&mut sum).unwrap();
            assert_eq!(sum, [2.0]);
        });
    }
}
