//! What `rust-dl doctor` asks this library, which the kernel does not link.

use std::io::Write as _;

use crate::device;

/// Prints [`device::report`]. Called by the kernel's program, which loads this library and knows this one name.
#[unsafe(no_mangle)]
pub extern "C" fn dlcore_print_devices() {
    // Nobody is left to be told where the reader is gone.
    let _ = writeln!(std::io::stdout(), "{}", device::report());
}
