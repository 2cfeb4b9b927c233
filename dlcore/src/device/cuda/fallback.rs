//! What a card left to the processor: counted, so that it can be seen why something is slow.

use std::cell::Cell;
#[cfg(test)]
use std::cell::RefCell;
use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    times: u64,
    bytes: u64,
}

static COUNTS: Mutex<BTreeMap<&'static str, Count>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// The operation that is computed on this thread.
    static RUNNING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

fn counts() -> MutexGuard<'static, BTreeMap<&'static str, Count>> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Computes an operation on the processor: what it copies from a card is counted under its name.
pub(crate) fn during<R>(operation: &'static str, compute: impl FnOnce() -> R) -> R {
    struct Restore(Option<&'static str>);
    impl Drop for Restore {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }
    let _restore = Restore(RUNNING.replace(Some(operation)));
    compute()
}

#[cfg(test)]
thread_local! {
    /// What was copied for on this thread, while a test asks for it.
    static SEEN: RefCell<Option<BTreeSet<&'static str>>> = const { RefCell::new(None) };
}

/// Computes, and says under which names numbers were copied meanwhile, on this thread.
#[cfg(test)]
pub(crate) fn seen<R>(compute: impl FnOnce() -> R) -> (R, BTreeSet<&'static str>) {
    SEEN.set(Some(BTreeSet::new()));
    let result = compute();
    (result, SEEN.take().unwrap_or_default())
}

/// Notes that so many bytes were copied from a card to look at them.
pub(super) fn copied(bytes: usize) {
    let what = RUNNING.get().unwrap_or(READ);
    #[cfg(test)]
    SEEN.with_borrow_mut(|seen| seen.as_mut().map(|seen| seen.insert(what)));
    let mut counts = counts();
    let count = counts.entry(what).or_default();
    count.times += 1;
    count.bytes += bytes as u64;
}

/// Numbers that were looked at, as a loss is, or computed with outside of the op table.
const READ: &str = "reading numbers";

/// One line that names them; none where there was nothing.
pub(crate) fn summary() -> Option<String> {
    let counts = counts();
    if counts.is_empty() {
        return None;
    }
    let each = counts.iter().map(|(what, count)| {
        let mega = count.bytes as f64 / 1e6;
        format!("{what} ({} times, {mega:.1} MB)", count.times)
    });
    let each: Vec<String> = each.collect();
    Some(format!(
        "copied from the card to the processor so far: {}",
        each.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted_under_the_operation_that_makes_them() {
        during("the outer of this test", || {
            copied(1_000_000);
            during("the inner of this test", || copied(500_000));
            copied(1_000_000);
        });
        copied(8);
        let line = summary().unwrap();
        for part in [
            "the outer of this test (2 times, 2.0 MB)",
            "the inner of this test (1 times, 0.5 MB)",
            "reading numbers (",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }
}
