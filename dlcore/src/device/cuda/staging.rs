//! Batches on their way to a card while it computes.
//!
//! A plain copy stands in the stream that kernels run in: it begins when the step before is done, and the card has
//! nothing to do meanwhile. During `fit` a batch goes by slots, each of which is page-locked memory here and memory on
//! the card, and by a stream of their own. A slot's copy waits, on the card, for `free`, which is set after the last
//! kernel that read what was in the slot before; kernels wait for `copied`. There are twice as many slots as a batch
//! needs, so `free` is as a rule long past, and the copy runs beside the step before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::card::{Buffer, Card};
use super::driver::{self, DriverError};
use super::memory::Piece;
use super::stream::{Event, Pinned, Stream};
use crate::Result;

/// Slots of a card at most: two for each of four tensors of a batch.
const SLOTS: usize = 8;

/// Bytes of a tensor that goes by a slot at most, 64 MB: all of them then lock half a gigabyte of the processor's
/// memory.
const LARGEST: usize = 1 << 26;

/// How many [`Staging`] there are.
static SCOPES: AtomicUsize = AtomicUsize::new(0);

/// While it lives, batches go to cards by slots; their memory is given back at its end.
pub(crate) struct Staging(());

impl Staging {
    pub(crate) fn begin() -> Staging {
        SCOPES.fetch_add(1, Ordering::Relaxed);
        Staging(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if SCOPES.fetch_sub(1, Ordering::Relaxed) == 1 {
            super::release();
        }
    }
}

pub(super) fn is_wanted() -> bool {
    SCOPES.load(Ordering::Relaxed) > 0
}

/// Memory on both sides for one tensor.
pub(super) struct Slot {
    pub(super) piece: Piece,
    pinned: Pinned,
    bytes: usize,
    /// The copy is done.
    copied: Event,
    /// All kernels that read the copy are done.
    free: Event,
}

impl Slot {
    /// The memory on the card may have been another tensor's, which kernels still read.
    pub(super) fn new(piece: Piece, bytes: usize) -> Result<Slot, Piece> {
        let others = || -> Result<_, DriverError> {
            let others = (Pinned::new(bytes)?, Event::new()?, Event::new()?);
            others.2.record(&Stream::of_kernels())?;
            Ok(others)
        };
        match others() {
            Ok((pinned, copied, free)) => Ok(Slot {
                piece,
                pinned,
                bytes,
                copied,
                free,
            }),
            Err(_) => Err(piece),
        }
    }

    /// Begins the copy, for which kernels that are begun from here on wait.
    pub(super) fn send(&mut self, values: &[f32], stream: &Stream) -> Result<(), DriverError> {
        self.copied.synchronize()?;
        self.pinned.write(values);
        stream.wait(&self.free)?;
        // SAFETY: both memories have room; this one is written again only after `copied`.
        unsafe { stream.upload(self.piece.address, &self.pinned, size_of_val(values)) }?;
        self.copied.record(stream)?;
        Stream::of_kernels().wait(&self.copied)
    }

    /// Notes that no kernel reads the copy that is not begun yet.
    pub(super) fn release(&self) -> Result<(), DriverError> {
        self.free.record(&Stream::of_kernels())
    }

    /// Its memory on the card; that here is given back once no copy reads it.
    pub(super) fn into_piece(self) -> Piece {
        let _ = self.copied.synchronize();
        self.piece
    }
}

/// A card's slots that are free, the one that has been so for longest first.
#[derive(Default)]
pub(super) struct Slots(Mutex<Kept>);

#[derive(Default)]
pub(super) struct Kept {
    pub(super) stream: Option<Stream>,
    free: VecDeque<Slot>,
    /// How many there are, with those that are in use.
    count: usize,
    /// The driver has no such memory: it is not asked again before the next `fit`.
    pub(super) refused: bool,
}

/// What to do for a tensor.
pub(super) enum Choice {
    /// This slot fits.
    Take(Slot),
    /// A new one is to be made, instead of the one that is given, if one is.
    Make(Option<Slot>),
    /// All are in use.
    Nothing,
}

impl Slots {
    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        // No panic can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A slot for so many bytes: the one that was free for longest, unless it is the only one that fits and another
    /// could be made.
    pub(super) fn choose(&mut self, bytes: usize) -> Choice {
        let fits = |slot: &Slot| slot.bytes >= bytes && slot.bytes / 2 <= bytes;
        let mut fitting = (0..self.free.len()).filter(|&index| fits(&self.free[index]));
        let (first, second) = (fitting.next(), fitting.next());
        match first {
            Some(index) if second.is_some() || self.count >= SLOTS => {
                Choice::Take(self.free.remove(index).expect("it was just seen"))
            }
            _ if self.count < SLOTS => {
                self.count += 1;
                Choice::Make(None)
            }
            _ => match self.free.pop_front() {
                Some(other) => Choice::Make(Some(other)),
                None => Choice::Nothing,
            },
        }
    }

    pub(super) fn put_back(&mut self, slot: Slot) {
        self.free.push_back(slot);
    }

    /// One of them is gone.
    pub(super) fn lose(&mut self) {
        self.count -= 1;
    }

    /// Takes out all that are free, and the stream; those in use follow when they come back.
    pub(super) fn empty(&mut self) -> (Vec<Slot>, Option<Stream>) {
        self.count -= self.free.len();
        self.refused = false;
        (self.free.drain(..).collect(), self.stream.take())
    }
}

impl Card {
    /// The numbers on the card by way of a slot; none where they have to go as others do: they are too many, no slot is
    /// free, or the driver has no memory of that kind.
    pub(super) fn stage(&'static self, values: &[f32]) -> Option<Result<Buffer>> {
        if let Err(error) = self.enter() {
            return Some(Err(error));
        }
        let bytes = size_of_val(values);
        let mut kept = self.slots.lock();
        if kept.refused || bytes > LARGEST {
            return None;
        }
        if kept.stream.is_none() {
            kept.stream = Stream::new().ok();
            kept.refused = kept.stream.is_none();
        }
        if kept.refused {
            return None;
        }
        let mut slot = match kept.choose(bytes) {
            Choice::Take(slot) => slot,
            Choice::Nothing => return None,
            Choice::Make(other) => {
                if let Some(other) = other {
                    self.memory.put_back(&other.into_piece());
                }
                match self.new_slot(bytes) {
                    Some(slot) => slot,
                    None => {
                        kept.lose();
                        kept.refused = true;
                        return None;
                    }
                }
            }
        };
        match slot.send(values, kept.stream.as_ref()?) {
            Ok(()) => Some(Ok(Buffer::of_slot(self, slot, bytes))),
            Err(error) => {
                kept.lose();
                kept.refused = true;
                let _ = driver::synchronize();
                self.memory.put_back(&slot.into_piece());
                driver::is_final(error).then(|| Err(self.failed("copy to it", error)))
            }
        }
    }

    fn new_slot(&self, bytes: usize) -> Option<Slot> {
        let piece = self.memory.take(bytes).ok()?;
        let slot = Slot::new(piece, bytes);
        slot.map_err(|piece| self.memory.put_back(&piece)).ok()
    }

    /// Takes back a slot whose numbers nobody holds any more.
    pub(super) fn put_slot_back(&self, slot: Slot) {
        let usable = self.enter().is_ok() && slot.release().is_ok();
        let mut kept = self.slots.lock();
        if usable && is_wanted() {
            kept.put_back(slot);
            return;
        }
        kept.lose();
        drop(kept);
        match usable {
            true => self.memory.put_back(&slot.into_piece()),
            // The driver would not take it: the card has gone, or is another process's.
            false => std::mem::forget(slot),
        }
    }

    /// Gives the slots that are free back, and the stream.
    pub(super) fn empty_slots(&self) {
        let (slots, stream) = self.slots.lock().empty();
        for slot in slots {
            self.memory.put_back(&slot.into_piece());
        }
        drop(stream);
    }
}
