//! Kernels for the processor.
//!
//! Work is cut into pieces whose size depends on the shapes only, never on the number of threads,
//! and partial results are combined in a fixed order: a run repeats bit for bit on any number.

mod elementwise;
mod matrix;
mod parallel;
mod reduce;
mod simd;

mod nonlinear;
pub(crate) mod recurrent;

pub(crate) use elementwise::{map, zip, zip_assign, zip_same};
pub(crate) use parallel::{Cost, build, chunks};
pub(crate) use reduce::{arg_max, fold_axis, sum_axis};
pub use simd::vectorised;

pub(crate) use elementwise::add_to;
pub(crate) use matrix::product_into;
pub(crate) use nonlinear::Nonlinearity;

/// The processor's [`Kernels`](super::Kernels).
pub struct Cpu;
