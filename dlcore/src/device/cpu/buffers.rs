//! Large buffers, used again instead of going back to the system.
//!
//! A training step makes the same large buffers as the one before. A general allocator gives them back to the
//! system in between, and each page that comes back anew is cleared by the kernel: half of the time of
//! a step of a small convnet. So what a tensor of single precision leaves behind is kept for the next
//! one of its size, up to a bound; [`release`] gives all of it back, at the end of training and of a cell.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::tensor::{Array, array_from_vec};

/// Elements of a buffer worth keeping, at least; allocators keep smaller ones themselves.
const LEAST: usize = 1 << 13;
/// Elements of one at most, 64 MB, and of all that are kept, 256 MB.
const MOST: usize = 1 << 24;
const BOUND: usize = 1 << 26;

/// What is kept, by capacity, and the sum of the capacities.
struct Shelf {
    buffers: BTreeMap<usize, Vec<Vec<f32>>>,
    kept: usize,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf {
    buffers: BTreeMap::new(),
    kept: 0,
});

fn shelf() -> MutexGuard<'static, Shelf> {
    // No panic can leave it half changed.
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    /// The smallest buffer that has room for `length` elements and wastes less than a quarter.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        let mut fitting = self.buffers.range_mut(length..length + length / 4);
        let (_, same) = fitting.find(|(_, same)| !same.is_empty())?;
        let buffer = same.pop()?;
        self.kept -= buffer.capacity();
        Some(buffer)
    }

    fn put(&mut self, buffer: Vec<f32>) {
        let capacity = buffer.capacity();
        if capacity <= MOST && self.kept + capacity <= BOUND {
            self.kept += capacity;
            self.buffers.entry(capacity).or_default().push(buffer);
        }
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
        shelf().put(single);
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
        Scratch(any(length))
    }
}

impl<T: 'static> Drop for Scratch<T> {
    fn drop(&mut self) {
        put_back(std::mem::take(&mut self.0));
    }
}

/// Gives everything that is kept back to the system when it goes, also in a panic.
pub(crate) struct ReleaseAtEnd;

impl Drop for ReleaseAtEnd {
    fn drop(&mut self) {
        release();
    }
}

/// Gives everything that is kept back to the system.
fn release() {
    let mut shelf = shelf();
    shelf.kept = 0;
    let buffers = std::mem::take(&mut shelf.buffers);
    drop(shelf);
    drop(buffers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_its_size_and_not_for_a_much_smaller_one() {
        let mut shelf = Shelf {
            buffers: BTreeMap::new(),
            kept: 0,
        };
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
        let mut shelf = Shelf {
            buffers: BTreeMap::new(),
            kept: 0,
        };
        for _ in 0..6 {
            shelf.put(Vec::with_capacity(MOST));
        }
        shelf.put(Vec::with_capacity(MOST + 1));
        assert_eq!(shelf.kept, BOUND);
        assert_eq!(shelf.buffers[&MOST].len(), 4);
    }

    #[test]
    fn buffers_of_other_types_are_as_any_other() {
        put_back(vec![1_i64; LEAST]);
        let buffer = empty::<i64>(LEAST);
        assert!(buffer.is_empty() && buffer.capacity() >= LEAST);
        assert_eq!(zeros::<f64>(LEAST), vec![0.0; LEAST]);
    }
}
