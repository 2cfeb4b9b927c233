//! Fashion-MNIST: 60,000 and 10,000 pictures of clothes of 28 × 28 pixels, in ten classes.
//!
//! H. Xiao, K. Rasul and R. Vollgraf, *Fashion-MNIST* (2017), Zalando; MIT licence. Made to take
//! MNIST's place where that is too easy.

use super::fetch::{self, File};
use super::idx;
use crate::display::progress::Progress;
use crate::{Error, Result, Tensor};

/// Names with a folder of their own: MNIST's own files have the same ones. Keras publishes no sums;
/// these are of Zalando's files.
macro_rules! file {
    ($name:literal, $sha256:literal) => {
        File {
            name: concat!("fashion_mnist/", $name),
            address: concat!(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                $name
            ),
            sha256: $sha256,
        }
    };
}

pub(super) const FILES: [File; 4] = [
    file!(
        "train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    file!(
        "train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    file!(
        "t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    file!(
        "t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
];

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The pictures and labels, split as published.
#[derive(Clone, Debug)]
pub struct FashionMnist {
    /// `[60000, 28, 28]`, bytes: 0 is background.
    pub train_images: Tensor,
    /// `[60000]`, bytes from 0 to 9; [`class_names`] says what they stand for.
    pub train_labels: Tensor,
    /// `[10000, 28, 28]`.
    pub test_images: Tensor,
    /// `[10000]`.
    pub test_labels: Tensor,
}

/// The data set, as `keras.datasets.fashion_mnist.load_data`.
///
/// # Errors
/// [`Error::Download`] if a file can be had from nowhere, and [`Error::File`] if one is damaged.
pub fn load() -> Result<FashionMnist> {
    let mut progress = Progress::start("fashion_mnist", "parts", 2);
    let [images, labels, test_images, test_labels] = &FILES;
    let (train_images, train_labels) = part(images, labels)?;
    progress.at(1);
    let (test_images, test_labels) = part(test_images, test_labels)?;
    progress.at(2);
    Ok(FashionMnist {
        train_images,
        train_labels,
        test_images,
        test_labels,
    })
}

fn part(images: &File, labels: &File) -> Result<(Tensor, Tensor)> {
    let (images, labels) = (fetch::get(images)?, fetch::get(labels)?);
    let (shape, pixels) = idx::read(&images, 3)?;
    let (_, values) = idx::read(&labels, 1)?;
    let failed = |path, message| Error::File { path, message };
    if shape[1..] != [28, 28] {
        let message = format!("expected pictures of 28 × 28, found shape {shape:?}");
        return Err(failed(images, message));
    }
    if values.len() != shape[0] || values.iter().any(|label| *label > 9) {
        let message = format!(
            "expected {} labels from 0 to 9, found {} up to {:?}",
            shape[0],
            values.len(),
            values.iter().max()
        );
        return Err(failed(labels, message));
    }
    let labels = Tensor::from(values);
    Ok((Tensor::from_shape_vec_u8(shape, pixels)?, labels))
}

/// What the labels stand for, in their order.
pub fn class_names() -> Vec<&'static str> {
    CLASSES.to_vec()
}
