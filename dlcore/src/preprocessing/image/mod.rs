//! Pictures made ready for a network: read from files, resized, and varied at random.

mod affine;
mod augment;
mod dataset;
mod decode;
mod files;
mod flow;
mod generator;
mod resize;
mod standardize;

pub use affine::{ImageTransform, apply_affine_transform};
pub use dataset::{ImageBatches, ImageDataset, ImageFolder, image_dataset_from_directory};
pub use files::{LoadImg, array_to_img, img_to_array, load_img, save_img};
pub use flow::{Flow, FlowFromDirectory, ImageIterator};
pub use generator::{ImageDataGenerator, ZoomRange};

#[cfg(test)]
mod keras_tests;
#[cfg(test)]
mod tests;
