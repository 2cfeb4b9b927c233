//! Tensors and tables in files: `.npy`, `.npz`, `.safetensors`, CSV and IDX.
//!
//! ```
//! use dlcore::prelude::*;
//! # let folder = std::env::temp_dir().join(format!("dlcore-files-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("flowers.csv");
//! std::fs::write(&path, "length,width,kind\n5.1,3.5,setosa\n6.2,2.9,versicolor\n").unwrap();
//! let table = files::read_csv(&path)?; // for instance "flowers.csv"
//! let x = table.columns(["length", "width"])?;
//! let (y, kinds) = table.classes("kind")?;
//! assert_eq!((x.shape(), y.shape(), kinds), (&[2, 2][..], &[2][..], vec!["setosa".into(), "versicolor".into()]));
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), Error>(())
//! ```
//!
//! Models in files, Keras's among them, are read and written by
//! [`Model::load`](crate::models::Model::load) and [`Model::save`](crate::models::Model::save).
//!
//! A file is written as a whole or not at all. A file that is read is not trusted: nothing in it is run or
//! unpacked into a folder, sizes are checked before room is made, and what a file takes in memory is at most
//! a hundred times its size and 64 MiB. An error names the file and the place in it.

pub(crate) mod archive;
mod csv;
pub(crate) mod hdf5;
mod idx;
mod named;
pub(crate) mod npy;
pub(crate) mod numbers;
pub(crate) mod room;
#[cfg(test)]
pub(crate) mod scratch;
mod table;
pub(crate) mod whole;

pub use csv::{ReadCsv, read_csv};
pub use idx::{load_idx, save_idx};
pub use named::{
    NamedTensors, load_npz, load_npz_array, load_safetensors, save_npz, save_safetensors,
};
pub use table::{Fill, Missing, Table};
