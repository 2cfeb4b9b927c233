//! One order for two pipes.
//!
//! What a cell prints to standard output and to standard error comes to the kernel in two pipes,
//! and a pipe does not say when something was put into it. So whoever changes from one to the other
//! waits until the kernel has emptied the one before. This program's `write` takes the place of the
//! C library's for all Rust code that the cell process loads; the standard library prints with it.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::libc::{self, c_int, c_void, size_t, ssize_t};

/// Whether this process runs cells: in all others `write` only writes.
static ORDERED: AtomicBool = AtomicBool::new(false);
/// The stream that was written to last.
static LAST: AtomicI32 = AtomicI32::new(libc::STDOUT_FILENO);

/// What the standard library says when memory runs out, or a thread panics: good advice in a terminal only.
const ADVICE: &[u8] =
    b"note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
/// A kernel that is busy for longer gets its output in whatever order it comes.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look at once before pausing between two looks.
const EAGER: u32 = 100;

/// From now on the two streams keep their order.
pub(super) fn keep() {
    ORDERED.store(true, Ordering::Release);
}

/// The C library's `write`, which also keeps the order of standard output and error, and leaves out [`ADVICE`].
///
/// # Safety
/// As `write(2)`: `buffer` must point to `count` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    if (fd == libc::STDOUT_FILENO || fd == libc::STDERR_FILENO) && ORDERED.load(Ordering::Acquire) {
        // SAFETY: so many bytes can be read there, as the caller promises.
        if fd == libc::STDERR_FILENO && count == ADVICE.len() && unsafe { is_advice(buffer) } {
            return count as ssize_t;
        }
        if LAST.swap(fd, Ordering::AcqRel) != fd {
            wait_until_empty(libc::STDOUT_FILENO + libc::STDERR_FILENO - fd);
        }
    }
    // SAFETY: the caller's promise is that of the system call.
    unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t }
}

/// Whether the bytes there, as many as [`ADVICE`] has, are those of it.
unsafe fn is_advice(buffer: *const c_void) -> bool {
    // SAFETY: the caller knows that there are so many.
    ADVICE == unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), ADVICE.len()) }
}

/// Returns when the kernel has read all that was written to the pipe `fd`, or takes too long.
fn wait_until_empty(fd: c_int) {
    let mut looks = 0;
    let mut until = None;
    while holds_something(fd) {
        looks += 1;
        if looks < EAGER {
            std::thread::yield_now();
            continue;
        }
        if Instant::now() > *until.get_or_insert_with(|| Instant::now() + PATIENCE) {
            return;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn holds_something(fd: c_int) -> bool {
    let mut bytes: c_int = 0;
    // SAFETY: FIONREAD writes one int, to where this points; a descriptor that is no pipe is an error.
    unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) == 0 && bytes > 0 }
}
