//! How a model is fitted.

use crate::callbacks::Callback;
use crate::{Error, Result, Tensor};

/// The settings of [`fit`](super::Sequential::fit), with Keras's defaults.
///
/// ```
/// use dlcore::models::Fit;
/// let settings = Fit::epochs(20).batch_size(512).validation_split(0.2).verbose(0);
/// ```
pub struct Fit {
    pub(super) epochs: usize,
    pub(super) initial_epoch: usize,
    pub(super) batch_size: usize,
    pub(super) shuffle: bool,
    pub(super) validation: Validation,
    pub(super) callbacks: Vec<Box<dyn Callback>>,
    pub(super) verbose: u8,
}

/// Where validation data comes from.
pub(super) enum Validation {
    None,
    Data(Box<(Tensor, Tensor)>),
    Split(f64),
}

impl Fit {
    /// Trains until `epochs` epochs were seen (counted from `initial_epoch`).
    pub fn epochs(epochs: usize) -> Fit {
        Fit {
            epochs,
            initial_epoch: 0,
            batch_size: 32,
            shuffle: true,
            validation: Validation::None,
            callbacks: Vec::new(),
            verbose: 1,
        }
    }

    /// Samples to a step (32); the last batch of an epoch may be smaller.
    pub fn batch_size(mut self, batch_size: usize) -> Fit {
        self.batch_size = batch_size;
        self
    }

    /// Whether each epoch takes the samples in a new random order (true).
    pub fn shuffle(mut self, shuffle: bool) -> Fit {
        self.shuffle = shuffle;
        self
    }

    /// Data to validate on after each epoch.
    pub fn validation_data(mut self, x: &Tensor, y: &Tensor) -> Fit {
        self.validation = Validation::Data(Box::new((x.clone(), y.clone())));
        self
    }

    /// The share of the data, taken from its end before it is shuffled, to validate on.
    pub fn validation_split(mut self, share: f64) -> Fit {
        self.validation = Validation::Split(share);
        self
    }

    /// Adds callbacks: `callbacks(vec![Box::new(EarlyStopping::new("val_loss"))])`.
    pub fn callbacks(mut self, callbacks: Vec<Box<dyn Callback>>) -> Fit {
        self.callbacks.extend(callbacks);
        self
    }

    /// Adds one callback: `callback(EarlyStopping::new("val_loss"))`.
    pub fn callback(mut self, callback: impl Callback + 'static) -> Fit {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// What is shown: 0 nothing, 1 progress and curves, 2 a line an epoch (1).
    pub fn verbose(mut self, verbose: u8) -> Fit {
        self.verbose = verbose;
        self
    }

    /// The first epoch's number, from 0, to go on with an earlier training (0).
    pub fn initial_epoch(mut self, epoch: usize) -> Fit {
        self.initial_epoch = epoch;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_batch_size("fit", self.batch_size)?;
        if self.verbose > 2 {
            return Err(Error::Value(format!(
                "fit: verbose is 0 (nothing), 1 (progress) or 2 (a line an epoch), got {}",
                self.verbose
            )));
        }
        match self.validation {
            Validation::Split(share) if !(share > 0.0 && share < 1.0) => {
                Err(Error::Value(format!(
                    "fit: validation_split is the share of the data to validate on, above 0 and below 1, got {share}"
                )))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn check_batch_size(operation: &str, batch_size: usize) -> Result<()> {
    if batch_size == 0 {
        return Err(Error::Value(format!(
            "{operation}: batch_size must be at least 1, got 0"
        )));
    }
    Ok(())
}

/// Splits the last `share` off, as Keras does: before any shuffling.
pub(super) fn split(x: &Tensor, y: &Tensor, share: f64) -> Result<[Tensor; 4]> {
    let samples = x.shape()[0];
    let at = (samples as f64 * (1.0 - share)).floor() as usize;
    if at == 0 || at == samples {
        return Err(Error::Value(format!(
            "fit: validation_split {share} of {samples} samples leaves none to {}; choose another share",
            if at == 0 { "train on" } else { "validate on" }
        )));
    }
    Ok([x.slice(..at), y.slice(..at), x.slice(at..), y.slice(at..)])
}
