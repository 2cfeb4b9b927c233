//! A card's memory: what a tensor leaves behind is kept for the next of its size, up to a bound.
//!
//! Asking the driver for memory stops the card until all it was given to do is done, so a training step must not
//! ask. Kernels run in one stream, so a buffer that comes back may be handed out at once: what still reads
//! it was begun before. The one other stream is that of [`staging`](super::staging), whose memory comes back when its
//! copies are done.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where memory comes from: the driver, or in tests something that counts.
pub(super) trait Source {
    /// What goes wrong other than that memory is full.
    type Error;

    /// So many bytes; `Ok(None)` if there are not so many.
    ///
    /// # Errors
    /// What the driver says where it is not about memory.
    fn allocate(&self, bytes: usize) -> Result<Option<u64>, Self::Error>;

    /// Gives back what `allocate` gave.
    fn free(&self, address: u64);

    /// Free bytes and all of them.
    fn room(&self) -> (usize, usize);
}

/// Why there is no memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused<E> {
    /// There is not enough.
    Full {
        asked: usize,
        free: usize,
        total: usize,
        held: usize,
    },
    /// The driver failed.
    Failed(E),
}

impl<E: std::fmt::Display> std::fmt::Display for Refused<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mega = |bytes: &usize| *bytes as f64 / 1e6;
        match self {
            Refused::Full {
                asked,
                free,
                total,
                held,
            } => write!(
                f,
                "{OUT_OF_MEMORY}: asked for {:.1} MB, {:.1} MB of {:.1} MB are free and {:.1} MB are held by tensors of \
                 this process; take a smaller batch_size, or drop tensors that are no longer needed",
                mega(asked),
                mega(free),
                mega(total),
                mega(held)
            ),
            Refused::Failed(problem) => problem.fmt(f),
        }
    }
}

/// By which a message is known to be about memory.
pub(crate) const OUT_OF_MEMORY: &str = "out of memory";

/// Sizes are multiples of this, so that those that differ a little are one.
const GRAIN: usize = 512;

#[derive(Default)]
struct Shelf {
    kept: BTreeMap<usize, Vec<u64>>,
    kept_bytes: usize,
    held_bytes: usize,
}

/// The memory of one card.
pub(super) struct Memory<S> {
    source: S,
    shelf: Mutex<Shelf>,
    /// Bytes that are kept at most.
    bound: usize,
}

/// A part of a card's memory, handed out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(super) address: u64,
    size: usize,
}

impl<S: Source> Memory<S> {
    /// Keeps a quarter of all memory at most.
    pub(super) fn new(source: S) -> Memory<S> {
        let bound = source.room().1 / 4;
        Memory {
            source,
            shelf: Mutex::default(),
            bound,
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // No panic can leave it half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for so many bytes, whatever is in it.
    pub(super) fn take(&self, bytes: usize) -> Result<Piece, Refused<S::Error>> {
        let size = bytes.max(1).next_multiple_of(GRAIN);
        let mut shelf = self.shelf();
        let fitting = shelf.kept.range_mut(size..=size + size / 4);
        let mut fitting = fitting.filter(|(_, same)| !same.is_empty());
        if let Some((&size, same)) = fitting.next()
            && let Some(address) = same.pop()
        {
            shelf.kept_bytes -= size;
            shelf.held_bytes += size;
            return Ok(Piece { address, size });
        }
        let mut address = self.source.allocate(size).map_err(Refused::Failed)?;
        if address.is_none() && shelf.kept_bytes > 0 {
            self.release_from(&mut shelf);
            address = self.source.allocate(size).map_err(Refused::Failed)?;
        }
        let Some(address) = address else {
            let (free, total) = self.source.room();
            return Err(Refused::Full {
                asked: bytes,
                free,
                total,
                held: shelf.held_bytes,
            });
        };
        shelf.held_bytes += size;
        Ok(Piece { address, size })
    }

    /// Takes back what is no longer needed.
    pub(super) fn put_back(&self, piece: &Piece) {
        let mut shelf = self.shelf();
        shelf.held_bytes -= piece.size;
        if shelf.kept_bytes + piece.size > self.bound {
            drop(shelf);
            self.source.free(piece.address);
            return;
        }
        shelf.kept_bytes += piece.size;
        shelf
            .kept
            .entry(piece.size)
            .or_default()
            .push(piece.address);
    }

    /// Gives what is kept back to the driver.
    pub(super) fn release(&self) {
        self.release_from(&mut self.shelf());
    }

    fn release_from(&self, shelf: &mut Shelf) {
        shelf.kept_bytes = 0;
        for address in std::mem::take(&mut shelf.kept).into_values().flatten() {
            self.source.free(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Memory of `total` bytes, and what is handed out of it.
    struct Counted {
        total: usize,
        state: RefCell<(u64, BTreeMap<u64, usize>)>,
        broken: bool,
    }

    fn counted(total: usize) -> Counted {
        Counted {
            total,
            state: RefCell::default(),
            broken: false,
        }
    }

    impl Source for Counted {
        type Error = String;

        fn allocate(&self, bytes: usize) -> Result<Option<u64>, String> {
            if self.broken {
                return Err("the device is gone".to_string());
            }
            if bytes > self.room().0 {
                return Ok(None);
            }
            let mut state = self.state.borrow_mut();
            state.0 += 1;
            let address = state.0;
            state.1.insert(address, bytes);
            Ok(Some(address))
        }

        fn free(&self, address: u64) {
            let known = self.state.borrow_mut().1.remove(&address);
            assert!(known.is_some(), "{address} was not handed out");
        }

        fn room(&self) -> (usize, usize) {
            let used: usize = self.state.borrow().1.values().sum();
            (self.total - used, self.total)
        }
    }

    #[test]
    fn a_buffer_comes_back_for_its_size_and_not_for_a_much_smaller_one() {
        let memory = Memory::new(counted(1 << 20));
        let piece = memory.take(10_000).unwrap();
        memory.put_back(&piece);
        let small = memory.take(1_000).unwrap();
        assert_ne!(small.address, piece.address);
        assert_eq!(memory.take(9_900).unwrap().address, piece.address);
        assert_ne!(memory.take(10_000).unwrap().address, piece.address);
    }

    #[test]
    fn no_more_is_kept_than_the_bound_and_release_gives_all_back() {
        let memory = Memory::new(counted(1 << 20));
        let pieces: Vec<Piece> = (0..7).map(|_| memory.take(1 << 16).unwrap()).collect();
        pieces.iter().for_each(|piece| memory.put_back(piece));
        // A quarter of a megabyte.
        assert_eq!(memory.source.room().0, (1 << 20) - (1 << 18));
        memory.release();
        assert_eq!(memory.source.room().0, 1 << 20);
    }

    #[test]
    fn what_is_kept_goes_before_memory_is_said_to_be_full() {
        let memory = Memory::new(counted(1 << 20));
        let kept = memory.take(1 << 18).unwrap();
        memory.put_back(&kept);
        let most = memory.take((1 << 20) - GRAIN).unwrap();
        let refused = memory.take(4096).unwrap_err();
        assert_eq!(
            refused,
            Refused::Full {
                asked: 4096,
                free: GRAIN,
                total: 1 << 20,
                held: most.size
            }
        );
        let text = refused.to_string();
        assert!(text.starts_with("out of memory: asked for 0.0 MB, 0.0 MB of 1.0 MB are free"));
        assert!(text.contains("batch_size"), "{text}");
        memory.put_back(&most);
        assert!(memory.take(4096).is_ok());
    }

    #[test]
    fn a_driver_that_fails_is_not_taken_for_full_memory() {
        let mut source = counted(1 << 20);
        source.broken = true;
        let refused = Memory::new(source).take(1).unwrap_err();
        assert_eq!(refused.to_string(), "the device is gone");
    }
}
