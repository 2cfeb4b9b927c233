//! The process that runs cells: a small loader for dlcore, which does the rest.
//!
//! It is this same program under `rust-dl cell`, so there is nothing further to install. dlcore,
//! its thread pool and the standard library that it shares with the cells come from the dynamic
//! library built for the present compiler.

mod order;

use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The environment variable that names the inherited socket to the kernel.
pub const CHANNEL_VARIABLE: &str = "DLCORE_DISPLAY_FD";

/// Loads dlcore and serves cells until the kernel closes the channel.
pub fn run(dlcore: &Path) -> Result<()> {
    end_with_the_kernel()?;
    let fd: RawFd = std::env::var(CHANNEL_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .context("`rust-dl cell` is started by the kernel, which hands it a socket; it does nothing by itself")?;
    // Programs that a cell starts must not hold on to the socket.
    // SAFETY: the descriptor is open as long as the process lives.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let library = open(dlcore)?;
    // SAFETY: dlcore exports this function with this type.
    let serve = unsafe { *library.get::<extern "C" fn()>(b"dlcore_serve_cells")? };
    // Cells hold on to it until the very end of the process.
    std::mem::forget(library);
    order::keep();
    serve();
    Ok(())
}

/// Prints what dlcore finds to compute on: the processor and cards, or why no card can be used. A driver that is broken
/// may take the process with it, so `rust-dl doctor` asks one of its own.
pub fn print_devices(dlcore: &Path) -> Result<()> {
    let library = open(dlcore)?;
    // SAFETY: dlcore exports this function with this type.
    let print = unsafe { *library.get::<extern "C" fn()>(b"dlcore_print_devices")? };
    // A driver's own threads may live until the very end of the process.
    std::mem::forget(library);
    print();
    Ok(())
}

fn open(dlcore: &Path) -> Result<libloading::os::unix::Library> {
    // SAFETY: the library is dlcore as `warm` built it; its initialisers are those of the
    // standard library.
    unsafe {
        libloading::os::unix::Library::open(
            Some(dlcore),
            libloading::os::unix::RTLD_NOW | libloading::os::unix::RTLD_GLOBAL,
        )
    }
    .with_context(|| {
        format!(
            "cannot load {}; `rust-dl warm` builds it anew",
            dlcore.display()
        )
    })
}

/// However the kernel ends, also by `kill -9`, this process ends with it.
fn end_with_the_kernel() -> Result<()> {
    let parent = nix::unistd::getppid();
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    if nix::unistd::getppid() != parent {
        anyhow::bail!("the kernel is gone");
    }
    Ok(())
}
