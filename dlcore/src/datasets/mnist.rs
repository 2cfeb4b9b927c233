//! MNIST: 60,000 and 10,000 handwritten digits of 28 × 28 pixels, with their labels.
//!
//! Y. LeCun and C. Cortes, after NIST's special databases 1 and 3; CC BY-SA 3.0.

use super::fetch::{self, File};
use super::npz::Npz;
use super::shown::show_fields;
use crate::display::progress::Progress;
use crate::{Result, Tensor};

pub(super) const MNIST: File = File {
    name: "mnist.npz",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    sha256: "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
};

/// The pictures and labels, split as published.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// `[60000, 28, 28]`, bytes: 0 is background, 255 full ink.
    pub train_images: Tensor,
    /// `[60000]`, bytes from 0 to 9.
    pub train_labels: Tensor,
    /// `[10000, 28, 28]`.
    pub test_images: Tensor,
    /// `[10000]`.
    pub test_labels: Tensor,
}

show_fields!(
    Mnist,
    "MNIST: handwritten digits",
    train_images,
    train_labels,
    test_images,
    test_labels
);

/// The data set, from `DLCORE_DATA`, the cache or its canonical address.
///
/// # Errors
/// [`Error::Download`](crate::Error::Download) if it can be had from nowhere, and
/// [`Error::File`](crate::Error::File) if the file is damaged.
pub fn load() -> Result<Mnist> {
    read(&mut Npz::open(&fetch::get(&MNIST)?)?)
}

fn read(npz: &mut Npz) -> Result<Mnist> {
    let mut progress = Progress::start("mnist", "parts", 2);
    let (train_images, train_labels) = part(npz, "x_train", "y_train")?;
    progress.at(1);
    let (test_images, test_labels) = part(npz, "x_test", "y_test")?;
    progress.at(2);
    Ok(Mnist {
        train_images,
        train_labels,
        test_images,
        test_labels,
    })
}

fn part(npz: &mut Npz, images: &str, labels: &str) -> Result<(Tensor, Tensor)> {
    let (shape, pixels) = npz.bytes(images, &[None, Some(28), Some(28)])?;
    let (_, values) = npz.bytes(labels, &[Some(shape[0])])?;
    if let Some(label) = values.iter().find(|label| **label > 9) {
        return Err(npz.error(
            labels,
            format!("expected digits from 0 to 9, found {label}"),
        ));
    }
    let labels = Tensor::from_shape_vec_u8([shape[0]], values)?;
    Ok((Tensor::from_shape_vec_u8(shape, pixels)?, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_file_has_the_published_digits() {
        if std::env::var_os("DLCORE_DATA").is_none() {
            println!("skipped: DLCORE_DATA names no data");
            return;
        }
        let mnist = load().unwrap();
        assert_eq!(mnist.train_images.shape(), [60_000, 28, 28]);
        assert_eq!(mnist.test_images.shape(), [10_000, 28, 28]);
        let labels = |tensor: &Tensor| tensor.to_vec()[..10].to_vec();
        assert_eq!(
            labels(&mnist.train_labels),
            [5., 0., 4., 1., 9., 2., 1., 3., 1., 4.]
        );
        assert_eq!(
            labels(&mnist.test_labels),
            [7., 2., 1., 0., 4., 1., 4., 9., 5., 9.]
        );
        // The sums of all pixels, from NumPy on the same file.
        let sum = |tensor: &Tensor| {
            tensor
                .to_vec()
                .iter()
                .map(|&pixel| pixel as u64)
                .sum::<u64>()
        };
        assert_eq!(sum(&mnist.train_images), TRAIN_SUM);
        assert_eq!(sum(&mnist.test_images), TEST_SUM);
    }

    const TRAIN_SUM: u64 = 1_567_298_545;
    const TEST_SUM: u64 = 264_923_200;
}
