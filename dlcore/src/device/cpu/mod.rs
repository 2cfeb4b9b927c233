//! Kernels for the processor.
//!
//! Work is cut into pieces whose size depends on the shapes only, never on the number of threads,
//! and partial results are combined in a fixed order: a run repeats bit for bit on any number.

pub(crate) mod buffers;
mod elementwise;
mod matrix;
mod normalize;
#[cfg(target_arch = "x86_64")]
mod packed;
mod parallel;
mod reduce;
mod simd;
mod thin;
pub(crate) mod threads;

mod nonlinear;
pub(crate) mod recurrent;

pub(crate) use elementwise::{map, relu, relu_here, repeated, zip, zip_assign, zip_same};
pub(crate) use normalize::{
    column_gradient_sums, column_moments, combine_columns, row_gradient, row_gradient_sums,
    row_moments, scale_columns, scale_rows,
};
pub(crate) use parallel::{
    Cost, build, chunks, collect, collect_by_piece, each, each_pair, each_piece, each_piece_of,
};
pub(crate) use reduce::{arg_max, arg_min, fold_axis, sum_all, sum_axis, sum_axis_into};
pub(crate) use simd::flushing;
pub use simd::vectorised;

mod conv;
mod depthwise;
mod pool;
mod window;

pub(crate) use conv::{Convolution, column_sums, conv, conv_kernel, conv_transpose};
pub(crate) use depthwise::{Depthwise, depthwise, depthwise_input, depthwise_kernel};
pub(crate) use elementwise::add_to;
pub(crate) use matrix::product_into;
pub(crate) use nonlinear::{Nonlinearity, exp_each, sigmoid, tanh};
pub(crate) use pool::{Pooling, average_pool, average_pool_input, max_pool, max_pool_input};
pub(crate) use window::{Slide, Window};

/// The processor's [`Kernels`](super::Kernels).
pub struct Cpu;
