//! Whether cards multiply matrices of single precision with shortened numbers.

use std::sync::atomic::{AtomicBool, Ordering};

static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Lets cards round what they multiply in matrix products and convolutions to TF32: 10 bits of mantissa instead of 23,
/// with sums in single precision. Cards since compute capability 8.0 (Ampere) are several times as fast with it, and
/// products are right to about three digits instead of seven. Off at first, so that a card gives the processor's
/// numbers; the processor and older cards take no notice.
///
/// ```
/// use dlcore::device;
/// device::set_tf32(true);
/// assert!(device::tf32());
/// # device::set_tf32(false);
/// ```
pub fn set_tf32(allowed: bool) {
    ALLOWED.store(allowed, Ordering::Relaxed);
}

/// Whether [`set_tf32`] lets cards use TF32.
pub fn tf32() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}
