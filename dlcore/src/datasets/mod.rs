//! The data sets of the chapters, from their canonical addresses into a cache directory.
//!
//! Each is a module with a `load`: [`mnist`], [`fashion_mnist`] and [`cifar10`] are pictures, [`imdb`]
//! and [`reuters`] texts as word numbers, [`boston_housing`] is a table. Order, split and numbering are
//! those of Keras's `load_data`, whose arguments are [`LoadData`]. [`info`] says which are at hand.
//!
//! A file is taken from the directory that `DLCORE_DATA` names, else from the cache
//! (`DLCORE_CACHE`, or `~/.cache/dlcore`), else it is fetched; its SHA-256 is checked each time.

pub mod boston_housing;
pub mod cifar10;
pub mod fashion_mnist;
mod fetch;
mod idx;
pub mod imdb;
mod info;
mod load_data;
pub mod mnist;
pub(crate) mod mt19937;
mod npz;
mod pickle;
pub mod reuters;
mod sequences;
mod shown;
mod synthetic;
mod words;

pub(crate) use fetch::cache_directory;
pub use info::{Info, InfoRow, info};
pub use load_data::LoadData;
pub(crate) use mt19937::RandomState;
pub use sequences::Sequences;
pub use synthetic::{make_blobs, make_circles, make_classification, make_moons, make_spirals};
pub use words::WordIndex;

#[cfg(test)]
mod keras_tests;
#[cfg(test)]
mod numpy_tests;
