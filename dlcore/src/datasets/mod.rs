//! The data sets of the chapters, from their canonical addresses into a cache directory.
//!
//! A file is taken from the directory that `DLCORE_DATA` names, else from the cache
//! (`DLCORE_CACHE`, or `~/.cache/dlcore`), else it is fetched; its SHA-256 is checked each time.

mod fetch;
pub mod imdb;
pub mod mnist;
mod mt19937;
mod npz;
mod pickle;
mod sequences;
mod shown;

pub use sequences::Sequences;

#[cfg(test)]
mod numpy_tests;
