//! CIFAR-10: 50,000 and 10,000 colour pictures of 32 × 32 pixels, in ten classes.
//!
//! A. Krizhevsky, *Learning multiple layers of features from tiny images* (2009).

mod batch;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use super::fetch::{self, File};
use crate::display::progress::Progress;
use crate::{Error, Result, Tensor};

pub(super) const ARCHIVE: File = File {
    name: "cifar-10-python.tar.gz",
    address: "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    sha256: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
};

/// The parts in the archive, the training data's first.
const PARTS: [&str; 6] = [
    "cifar-10-batches-py/data_batch_1",
    "cifar-10-batches-py/data_batch_2",
    "cifar-10-batches-py/data_batch_3",
    "cifar-10-batches-py/data_batch_4",
    "cifar-10-batches-py/data_batch_5",
    "cifar-10-batches-py/test_batch",
];

/// What a part may take, packed and unpacked; the real ones take 31 MB, and 186 MB together.
const MAX_PART: u64 = 1 << 26;
const MAX_BYTES: u64 = 1 << 29;

const SIDE: usize = 32;
const CHANNELS: usize = 3;
/// The bytes of a picture.
const PIXELS: usize = SIDE * SIDE * CHANNELS;

const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// The pictures and labels, split as published.
#[derive(Clone, Debug)]
pub struct Cifar10 {
    /// `[50000, 32, 32, 3]`, bytes: red, green, blue.
    pub train_images: Tensor,
    /// `[50000, 1]`, bytes from 0 to 9; [`class_names`] says what they stand for.
    pub train_labels: Tensor,
    /// `[10000, 32, 32, 3]`.
    pub test_images: Tensor,
    /// `[10000, 1]`.
    pub test_labels: Tensor,
}

/// The data set, as `keras.datasets.cifar10.load_data`.
///
/// # Errors
/// [`Error::Download`] if it can be had from nowhere, and [`Error::File`] if the file is damaged.
pub fn load() -> Result<Cifar10> {
    read(&fetch::get(&ARCHIVE)?)
}

/// The data set from its archive, which is never unpacked to disk.
pub(super) fn read(path: &Path) -> Result<Cifar10> {
    let failed = |message: String| Error::File {
        path: path.to_owned(),
        message,
    };
    let file =
        fs::File::open(path).map_err(|error| failed(format!("cannot be opened: {error}")))?;
    let mut parts = unpack(GzDecoder::new(file).take(MAX_BYTES)).map_err(failed)?;
    let test = parts.split_off(PARTS.len() - 1);
    let (train_images, train_labels) = joined(parts)?;
    let (test_images, test_labels) = joined(test)?;
    Ok(Cifar10 {
        train_images,
        train_labels,
        test_images,
        test_labels,
    })
}

/// Pictures and labels.
type Part = (Vec<u8>, Vec<u8>);

/// Each of [`PARTS`].
fn unpack(archive: impl std::io::Read) -> Result<Vec<Part>, String> {
    let damaged = |error: std::io::Error| format!("expected a tar archive packed by gzip: {error}");
    let mut parts = vec![None; PARTS.len()];
    let mut progress = Progress::start("cifar10", "parts", PARTS.len());
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = entry.path_bytes();
        let Some(index) = PARTS.iter().position(|part| part.as_bytes() == &*name) else {
            continue;
        };
        drop(name);
        let mut bytes = Vec::new();
        entry
            .take(MAX_PART)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("{}: {error}", PARTS[index]))?;
        let (pixels, labels) =
            batch::read(&bytes).map_err(|error| format!("{}: {error}", PARTS[index]))?;
        parts[index] = Some((channels_last(pixels), labels));
        progress.at(parts.iter().flatten().count());
    }
    let parts = parts.into_iter().zip(PARTS);
    parts
        .map(|(part, name)| part.ok_or_else(|| format!("{name} is not in the archive")))
        .collect()
}

/// From planes of red, green and blue to pixels.
fn channels_last(planes: &[u8]) -> Vec<u8> {
    let mut pixels = vec![0; planes.len()];
    for (picture, to) in planes.chunks(PIXELS).zip(pixels.chunks_mut(PIXELS)) {
        for (channel, plane) in picture.chunks(SIDE * SIDE).enumerate() {
            let to = to[channel..].iter_mut().step_by(CHANNELS);
            to.zip(plane).for_each(|(to, &value)| *to = value);
        }
    }
    pixels
}

fn joined(parts: Vec<Part>) -> Result<(Tensor, Tensor)> {
    let (pixels, labels): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let (pixels, labels) = (pixels.concat(), labels.concat());
    let count = labels.len();
    Ok((
        Tensor::from_shape_vec_u8([count, SIDE, SIDE, CHANNELS], pixels)?,
        Tensor::from_shape_vec_u8([count, 1], labels)?,
    ))
}

/// What the labels stand for, in their order.
pub fn class_names() -> Vec<&'static str> {
    CLASSES.to_vec()
}

#[cfg(test)]
mod tests;
