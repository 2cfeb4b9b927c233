//! What a compiled notebook cell calls: the store of its variables, the guard around its code, the
//! display of its last expression, and the loop that loads and runs cells.
//!
//! This lives in `dlcore` because the kernel builds `dlcore` once as a dynamic library: whatever
//! must exist once in the process, however many cells are loaded, exists here. It is no part of
//! the library's public interface.

mod about;
mod devices;
pub(crate) mod failure;
mod folded;
pub(crate) mod kept;
mod serve;
mod show;
mod store;
mod time;
mod wait;

pub use failure::{Failure, run};
pub use show::{NotShown, ShowDebug, ShowNothing, ShowRich, Shown, shown_by_itself};
pub use store::{CheapClone, IsCopy, IsNotCopy, NoSpare, Probe, Spare, Store, probe};
pub use time::{Timing, time};
pub use wait::{block_on, interruptible};

/// What a compiled cell exports: takes its variables from the store, runs, puts them back.
pub type Entry = fn(&mut Store);
