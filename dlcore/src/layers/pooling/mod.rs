//! Pooling: samples made smaller by the largest element, or the mean, of each window or of all.

mod global;
mod window;

pub use global::{
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
};
pub use window::{AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D};
