//! Large buffers, used again instead of going back to the system.
//!
//! A training step makes the same large buffers as the one before. A general allocator gives them back to the
//! system in between, and each page that comes back anew is cleared by the kernel: half of the time of
//! a step of a small convnet. So what a tensor of single precision leaves behind is kept for the next
//! one of its size, up to a bound; it is given back when its size is no longer asked for, and all of it at the end of
//! training and of a cell. A program that only calls a model keeps a quarter of that at most, since nothing says
//! when it is done.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::tensor::{Array, array_from_vec};

/// Elements of a buffer worth keeping, at least; allocators keep smaller ones themselves.
const LEAST: usize = 1 << 13;
/// Elements of one at most, 256 MB, and of all that are kept while something will say when it ends, 1 GB, and
/// otherwise, 64 MB. A step of a convolutional network leaves that much behind.
const MOST: usize = 1 << 26;
const BOUND: usize = 1 << 28;
const LOOSE_BOUND: usize = 1 << 24;
/// Buffers that come and go before a size that nobody asked for is given back: some steps of a large network.
const STALE: u64 = 1 << 13;

/// What is kept.
struct Shelf {
    /// By capacity.
    sizes: BTreeMap<usize, Size>,
    /// The sum of the capacities.
    kept: usize,
    /// How many buffers have come and gone, and how many had when old sizes were last looked for.
    clock: u64,
    swept: u64,
    /// How many [`ReleaseAtEnd`] there are.
    scopes: usize,
}

/// The buffers of one capacity.
struct Size {
    buffers: Vec<Vec<f32>>,
    /// When one of them was last asked for.
    used: u64,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf::new());

fn shelf() -> MutexGuard<'static, Shelf> {
    // No panic can leave it half changed.
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf {
            sizes: BTreeMap::new(),
            kept: 0,
            clock: 0,
            swept: 0,
            scopes: 0,
        }
    }

    fn bound(&self) -> usize {
        match self.scopes {
            0 => LOOSE_BOUND,
            _ => BOUND,
        }
    }

    /// The smallest buffer that has room for `length` elements and wastes less than a quarter.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        self.clock += 1;
        let mut fitting = self.sizes.range_mut(length..length + length / 4);
        let (_, size) = fitting.find(|(_, size)| !size.buffers.is_empty())?;
        let buffer = size.buffers.pop()?;
        size.used = self.clock;
        self.kept -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer if there is room; returns what is to be given back, which takes too long for a lock.
    fn put(&mut self, buffer: Vec<f32>) -> Vec<Vec<f32>> {
        self.clock += 1;
        let mut back = match self.clock - self.swept > STALE / 4 {
            true => self.sweep(),
            false => Vec::new(),
        };
        let capacity = buffer.capacity();
        // What is asked for in turn is not driven out by what comes next: then nothing would ever be found.
        if capacity > MOST || self.kept + capacity > self.bound() {
            back.push(buffer);
            return back;
        }
        self.kept += capacity;
        let used = self.clock;
        let size = self.sizes.entry(capacity).or_insert_with(|| Size {
            buffers: Vec::new(),
            used,
        });
        size.buffers.push(buffer);
        back
    }

    /// Takes out the sizes that were not asked for in a long time.
    fn sweep(&mut self) -> Vec<Vec<f32>> {
        self.swept = self.clock;
        let since = self.clock.saturating_sub(STALE);
        let mut old = Vec::new();
        self.sizes.retain(|_, size| {
            let recent = size.used >= since;
            if !recent {
                old.append(&mut size.buffers);
            }
            recent
        });
        self.kept -= old.iter().map(Vec::capacity).sum::<usize>();
        old
    }

    /// Takes out everything.
    fn empty(&mut self) -> BTreeMap<usize, Size> {
        self.kept = 0;
        std::mem::take(&mut self.sizes)
    }
}

/// A buffer that was kept, if one fits and is worth it.
fn kept<T: 'static>(length: usize) -> Option<Vec<T>> {
    if length < LEAST || TypeId::of::<T>() != TypeId::of::<f32>() {
        return None;
    }
    let mut kept = shelf().take(length)?;
    let buffer = (&mut kept as &mut dyn Any).downcast_mut::<Vec<T>>()?;
    Some(std::mem::take(buffer))
}

/// An empty buffer with room for `length` elements.
pub(crate) fn empty<T: 'static>(length: usize) -> Vec<T> {
    let mut buffer = kept(length).unwrap_or_default();
    buffer.clear();
    buffer.reserve_exact(length);
    buffer
}

/// A buffer whose elements are whatever they are, to be written before they are read.
pub(crate) fn any<T: Copy + Default + 'static>(length: usize) -> Vec<T> {
    match kept(length) {
        Some(mut buffer) => {
            // What the buffer held is as good as zeros, and is there already.
            buffer.resize(length, T::default());
            buffer
        }
        None => vec![T::default(); length],
    }
}

/// A buffer that `write` fills.
pub(crate) fn written<T: Copy + Default + 'static>(
    length: usize,
    write: impl FnOnce(&mut [T]),
) -> Vec<T> {
    let mut buffer = any(length);
    write(&mut buffer);
    buffer
}

/// A buffer of zeros.
pub(crate) fn zeros<T: Copy + Default + 'static>(length: usize) -> Vec<T> {
    match kept(length) {
        Some(mut buffer) => {
            buffer.clear();
            buffer.resize(length, T::default());
            buffer
        }
        None => vec![T::default(); length],
    }
}

/// Whether a buffer of so many elements is kept when it is no longer needed.
#[inline]
pub(crate) fn worth_keeping(length: usize) -> bool {
    length >= LEAST
}

/// Keeps a buffer that is no longer needed.
pub(crate) fn put_back<T: 'static>(mut buffer: Vec<T>) {
    if worth_keeping(buffer.capacity())
        && let Some(single) = (&mut buffer as &mut dyn Any).downcast_mut::<Vec<f32>>()
    {
        let single = std::mem::take(single);
        let back = shelf().put(single);
        drop(back);
    }
}

/// Keeps the buffer of an array that nothing else shares; the array is empty afterwards.
#[cold]
pub(crate) fn put_back_array(array: &mut Array<f32>) {
    let array = std::mem::replace(array, NOTHING.clone());
    if let Ok(own) = array.try_into_owned_nocopy() {
        put_back(own.into_raw_vec_and_offset().0);
    }
}

/// What is left of an array whose buffer was taken.
static NOTHING: LazyLock<Array<f32>> = LazyLock::new(|| array_from_vec(&[0], Vec::new()));

/// A buffer for what a piece of work needs in between; its elements are whatever they are.
pub(crate) struct Scratch<T: 'static>(pub(crate) Vec<T>);

impl<T: Copy + Default + 'static> Scratch<T> {
    pub(crate) fn new(length: usize) -> Scratch<T> {
        if TypeId::of::<T>() != TypeId::of::<f32>() {
            return Scratch(any(length));
        }
        let mut scratch = Self::with_room(length);
        scratch.0.resize(length, T::default());
        scratch
    }

    /// Of any length, with room for so many elements.
    pub(crate) fn with_room(length: usize) -> Scratch<T> {
        if length == 0 {
            return Scratch(Vec::new());
        }
        // One that is worth keeping, so that the next piece of work finds it.
        let room = length.max(LEAST);
        Scratch(kept(room).unwrap_or_else(|| Vec::with_capacity(room)))
    }
}

impl<T: 'static> Drop for Scratch<T> {
    fn drop(&mut self) {
        put_back(std::mem::take(&mut self.0));
    }
}

/// More is kept as long as this is there; all of it goes back to the system with it, also in a panic.
pub(crate) struct ReleaseAtEnd(());

impl ReleaseAtEnd {
    pub(crate) fn begin() -> ReleaseAtEnd {
        shelf().scopes += 1;
        ReleaseAtEnd(())
    }
}

impl Drop for ReleaseAtEnd {
    fn drop(&mut self) {
        let mut shelf = shelf();
        shelf.scopes -= 1;
        let sizes = shelf.empty();
        drop(shelf);
        drop(sizes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_its_size_and_not_for_a_much_smaller_one() {
        let mut shelf = Shelf::new();
        let buffer = Vec::with_capacity(10_000);
        let address = buffer.as_ptr();
        shelf.put(buffer);
        assert!(shelf.take(7_000).is_none());
        assert!(shelf.take(10_001).is_none());
        assert_eq!(shelf.take(9_000).map(|b| b.as_ptr()), Some(address));
        assert_eq!(shelf.kept, 0);
        assert!(shelf.take(9_000).is_none());
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut shelf = Shelf::new();
        let size = LOOSE_BOUND;
        for (scopes, count) in [(1, BOUND / size), (0, 1)] {
            shelf.scopes = scopes;
            let put = |_| shelf.put(Vec::with_capacity(size)).len();
            let back: usize = (0..count + 2).map(put).sum();
            assert_eq!(back, 2);
            assert_eq!(shelf.kept, count * size);
            assert_eq!(shelf.sizes[&size].buffers.len(), count);
            shelf.empty();
            assert_eq!(shelf.put(Vec::with_capacity(MOST + 1)).len(), 1);
        }
    }

    #[test]
    fn sizes_that_nobody_asks_for_are_given_back() {
        let mut shelf = Shelf::new();
        let old = |shelf: &mut Shelf| {
            for more in 0..100 {
                let back = shelf.put(Vec::with_capacity(LEAST + 100 * more));
                assert!(back.is_empty());
            }
        };
        old(&mut shelf);
        let (mut back, large) = (0, 4 * LEAST);
        shelf.put(Vec::with_capacity(large));
        for _ in 0..2 * STALE {
            let buffer = shelf.take(large).unwrap();
            back += shelf.put(buffer).len();
        }
        assert_eq!(back, 100);
        assert_eq!(shelf.kept, large);
        assert_eq!(shelf.sizes.keys().copied().collect::<Vec<_>>(), [large]);
        // So are places whose buffers are all out.
        old(&mut shelf);
        for more in 0..100 {
            assert!(shelf.take(LEAST + 100 * more).is_some());
        }
        for _ in 0..2 * STALE {
            let buffer = shelf.take(large).unwrap();
            shelf.put(buffer);
        }
        assert_eq!(shelf.sizes.len(), 1);
    }

    #[test]
    fn what_is_asked_for_in_turn_stays_where_there_is_too_much_of_it() {
        let mut shelf = Shelf::new();
        let turn: Vec<usize> = (0..8)
            .map(|more| LOOSE_BOUND / 4 + 3_000_000 * more / 8)
            .collect();
        let mut found = 0;
        for _ in 0..20 {
            for &size in &turn {
                let buffer = shelf.take(size);
                found += usize::from(buffer.is_some());
                shelf.put(buffer.unwrap_or_else(|| Vec::with_capacity(size)));
            }
        }
        assert!(found >= 19 * 2, "{found}");
        assert!(shelf.kept <= LOOSE_BOUND);
    }

    #[test]
    fn buffers_of_other_types_are_as_any_other() {
        put_back(vec![1_i64; LEAST]);
        let buffer = empty::<i64>(LEAST);
        assert!(buffer.is_empty() && buffer.capacity() >= LEAST);
        assert_eq!(zeros::<f64>(LEAST), vec![0.0; LEAST]);
    }
}
