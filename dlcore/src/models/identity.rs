//! Which model is which, and whether it has changed.

use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that no model had before.
pub(super) fn fresh() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Tells models apart wherever they are moved: a clone is another model with the same content.
#[derive(Debug)]
pub(crate) struct Identity {
    number: u64,
    version: u64,
}

impl Identity {
    pub(crate) fn new() -> Identity {
        Identity {
            number: fresh(),
            version: fresh(),
        }
    }

    /// Which model.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Two models of one version hold the same.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The model has changed.
    pub(crate) fn touch(&mut self) {
        self.version = fresh();
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Identity {
            number: fresh(),
            version: self.version,
        }
    }
}
