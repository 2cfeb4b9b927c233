//! Boston housing: 506 suburbs of the 1970s, 13 figures and the median price of a house of each.
//!
//! D. Harrison and D. Rubinfeld, *Hedonic prices and the demand for clean air* (1978); from StatLib.
//! The order and the split are those of `keras.datasets.boston_housing.load_data`. The figure `B`
//! takes for granted that segregation bears on prices: use the data to learn, not to decide.

use super::fetch::{self, File};
use super::load_data::LoadData;
use super::mt19937::RandomState;
use super::npz::Npz;
use crate::{Result, Tensor};

pub(super) const HOUSES: File = File {
    name: "boston_housing.npz",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz",
    sha256: "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
};

const FEATURES: [&str; 13] = [
    "CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT",
];

/// The figures and prices, in Keras's order.
#[derive(Clone, Debug)]
pub struct BostonHousing {
    /// `[404, 13]`, f64; [`feature_names`] says what the columns are.
    pub train_data: Tensor,
    /// `[404]`, f64, in thousands of dollars.
    pub train_targets: Tensor,
    /// `[102, 13]`.
    pub test_data: Tensor,
    /// `[102]`.
    pub test_targets: Tensor,
}

/// The data set, as `keras.datasets.boston_housing.load_data`.
///
/// # Errors
/// [`Error::Download`](crate::Error::Download) if it can be had from nowhere, and
/// [`Error::File`](crate::Error::File) if the file is damaged.
pub fn load() -> Result<BostonHousing> {
    load_with(LoadData::new())
}

/// [`load`] with `test_split` and `seed` of one's own.
///
/// # Errors
/// As [`load`]; [`Error::Value`](crate::Error::Value) for a split that is none.
pub fn load_with(settings: impl Into<LoadData>) -> Result<BostonHousing> {
    read(&settings.into())
}

fn read(settings: &LoadData) -> Result<BostonHousing> {
    settings.training(0)?;
    let mut npz = Npz::open(&fetch::get(&HOUSES)?)?;
    let columns = FEATURES.len();
    let (shape, x) = npz.doubles("x", &[None, Some(columns)])?;
    let (_, y) = npz.doubles("y", &[Some(shape[0])])?;
    let order = RandomState::new(settings.seed).shuffled(shape[0]);
    let split = |rows: &[usize]| -> Result<(Tensor, Tensor)> {
        let x = rows.iter().flat_map(|&row| &x[row * columns..][..columns]);
        let y = rows.iter().map(|&row| y[row]).collect();
        Ok((
            Tensor::from_shape_vec_f64([rows.len(), columns], x.copied().collect())?,
            Tensor::from_shape_vec_f64([rows.len()], y)?,
        ))
    };
    let (train, test) = order.split_at(settings.training(order.len())?);
    let ((train_data, train_targets), (test_data, test_targets)) = (split(train)?, split(test)?);
    Ok(BostonHousing {
        train_data,
        train_targets,
        test_data,
        test_targets,
    })
}

/// What the columns are: crime rate, share of large lots, …, share of lower status.
pub fn feature_names() -> Vec<&'static str> {
    FEATURES.to_vec()
}
