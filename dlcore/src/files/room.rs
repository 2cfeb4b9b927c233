//! How much a file may unpack to.

use std::cell::Cell;

use crate::config::Parsed;

/// What any file may unpack to, however small it is.
const FREE: u64 = 64 << 20;
/// How many times its own size a file may unpack to. Deflate can reach a thousand; arrays of numbers
/// do not come near a hundred unless they are small or empty.
const TIMES: u64 = 100;

/// What is left of the room that a file's content may take: 64 MiB and a hundred times its size.
pub(crate) struct Room {
    left: Cell<u64>,
    size: u64,
}

impl Room {
    /// The room of a file of so many bytes.
    pub(crate) fn of(size: u64) -> Room {
        Room {
            left: Cell::new(FREE.saturating_add(size.saturating_mul(TIMES))),
            size,
        }
    }

    /// Takes room for so many bytes.
    pub(crate) fn take(&self, bytes: u64) -> Parsed<()> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(format!(
                "claims {bytes} bytes more, where a file of {} bytes holds at most {TIMES} times its size and \
                 {} MB: it is damaged, or made to fill the memory; nothing was unpacked",
                self.size,
                FREE >> 20
            )),
        }
    }

    /// [`Room::take`] for so many elements, of which the number is returned.
    pub(crate) fn take_array(&self, shape: &[usize], element: usize) -> Parsed<usize> {
        let count = shape
            .iter()
            .try_fold(1_usize, |count, &axis| count.checked_mul(axis));
        let bytes = count.and_then(|count| count.checked_mul(element));
        match (count, bytes) {
            (Some(count), Some(bytes)) => self.take(bytes as u64).map(|()| count),
            _ => Err(format!("shape {shape:?} is beyond any memory")),
        }
    }
}
