//! Ranks in processes of their own, which rank 0 talks to over TCP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Communicator;
use crate::{Error, Result};

/// By which ranks know each other.
const GREETING: &[u8; 8] = b"dlcore 1";
/// How long a rank looks for rank 0.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ranks that talk over TCP, on one machine or several: rank 0 listens, the others connect to it.
///
/// Whoever reaches the address can take part, and nothing is encrypted: use the loopback address, or a network
/// that you trust.
pub struct Sockets {
    rank: usize,
    size: usize,
    /// Of rank 0 to the others in order; of the others to rank 0.
    streams: Mutex<Vec<TcpStream>>,
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
        Ok(Self::new(rank, size, streams))
    }

    /// Rank 0 of `size`, on a socket that listens already.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket fails.
    pub fn accept(listener: TcpListener, size: usize) -> Result<Sockets> {
        check(0, size)?;
        let mut joined: Vec<Option<TcpStream>> = (1..size).map(|_| None).collect();
        while joined.iter().any(Option::is_none) {
            let (mut stream, _) = listener
                .accept()
                .map_err(|e| failed("wait for ranks".into(), e))?;
            // Whoever says something else, or nothing for a while, is none of them.
            let greeted = (|| {
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut greeting = [0; 24];
                stream.read_exact(&mut greeting)?;
                stream.set_read_timeout(None)?;
                stream.set_nodelay(true)?;
                Ok::<_, std::io::Error>(greeting)
            })();
            let Ok(greeting) = greeted else { continue };
            let (name, numbers) = greeting.split_at(8);
            let (rank, of) = (number(&numbers[..8]), number(&numbers[8..]));
            if name == GREETING && of == size && (1..size).contains(&rank) {
                joined[rank - 1] = Some(stream);
            }
        }
        Ok(Self::new(0, size, joined.into_iter().flatten().collect()))
    }

    fn new(rank: usize, size: usize, streams: Vec<TcpStream>) -> Sockets {
        Sockets {
            rank,
            size,
            streams: Mutex::new(streams),
        }
    }

    fn streams(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rank at the other end of a stream.
    fn other(&self, stream: usize) -> usize {
        if self.rank == 0 { stream + 1 } else { 0 }
    }

    fn send(&self, streams: &mut [TcpStream], to: usize, values: &[f32]) -> Result<()> {
        let mut bytes = Vec::with_capacity(8 + 4 * values.len());
        bytes.extend((values.len() as u64).to_le_bytes());
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()));
        streams[to]
            .write_all(&bytes)
            .map_err(|error| self.left(to, &error))
    }

    fn receive(&self, streams: &mut [TcpStream], from: usize, values: &mut [f32]) -> Result<()> {
        let mut count = [0; 8];
        let stream = &mut streams[from];
        stream
            .read_exact(&mut count)
            .map_err(|error| self.left(from, &error))?;
        if number(&count) != values.len() {
            return Err(Error::Device(format!(
                "rank {} sent {} numbers where this one, rank {}, has {}: all ranks must train the same model on the same \
                 data with the same settings",
                self.other(from),
                number(&count),
                self.rank,
                values.len()
            )));
        }
        let mut bytes = vec![0; 4 * values.len()];
        stream
            .read_exact(&mut bytes)
            .map_err(|error| self.left(from, &error))?;
        for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        }
        Ok(())
    }

    fn left(&self, stream: usize, error: &std::io::Error) -> Error {
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
        let mut streams = self.streams();
        if self.rank > 0 {
            self.send(&mut streams, 0, values)?;
            return self.receive(&mut streams, 0, values);
        }
        let mut other = vec![0.0; values.len()];
        for stream in 0..streams.len() {
            self.receive(&mut streams, stream, &mut other)?;
            for (sum, value) in values.iter_mut().zip(&other) {
                *sum += value;
            }
        }
        (0..streams.len()).try_for_each(|stream| self.send(&mut streams, stream, values))
    }

    fn broadcast(&self, from: usize, values: &mut [f32]) -> Result<()> {
        let mut streams = self.streams();
        match self.rank {
            0 => {
                if from > 0 {
                    self.receive(&mut streams, from - 1, values)?;
                }
                let mut others = (0..streams.len()).filter(|stream| stream + 1 != from);
                others.try_for_each(|stream| self.send(&mut streams, stream, values))
            }
            own if own == from => self.send(&mut streams, 0, values),
            _ => self.receive(&mut streams, 0, values),
        }
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

fn join(rank: usize, size: usize, address: &str) -> Result<TcpStream> {
    let started = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) if started.elapsed() > PATIENCE => {
                return Err(failed(format!("rank 0 is not at {address}"), error));
            }
            // Rank 0 may be starting.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let mut greeting = GREETING.to_vec();
    greeting.extend((rank as u64).to_le_bytes());
    greeting.extend((size as u64).to_le_bytes());
    let greeted = stream
        .set_nodelay(true)
        .and_then(|()| stream.write_all(&greeting));
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
        assert!(errors[0].starts_with("rank 1 sent 2 numbers"), "{errors:?}");
        assert!(errors[1].starts_with("rank 0 has left"), "{errors:?}");
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
