//! The request to stop: raised by the kernel's interrupt button or by a signal, honoured by
//! `fit` at its next batch.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether a stop was asked for and not yet cleared.
#[inline]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Asks running training to stop at its next batch.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Forgets an earlier request; the kernel does so before each cell.
pub fn clear() {
    REQUESTED.store(false, Ordering::Relaxed);
}
