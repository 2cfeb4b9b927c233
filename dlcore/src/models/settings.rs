//! How a model is fitted.

use super::batch_sequence::BatchSequence;
use super::data::{Batch, Data};
use super::step::Prepared;
use crate::callbacks::Callback;
use crate::distributed::DataParallel;
use crate::grad::ops::Products;
use crate::{Error, Result};

/// The settings of [`fit`](super::Model::fit), with Keras's defaults.
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
    pub(super) sample_weight: Option<Data>,
    pub(super) validation_sample_weight: Option<Data>,
    pub(super) class_weight: Vec<(i64, f64)>,
    pub(super) steps_per_epoch: Option<usize>,
    pub(super) distribution: Option<DataParallel>,
    pub(super) products: Products,
}

/// Where validation data comes from.
pub(super) enum Validation {
    None,
    Data(Box<(Data, Data)>),
    Split(f64),
    /// A generator, and how many of its batches are taken each time.
    Batches(Box<dyn Iterator<Item = Batch>>, usize),
    Sequence(BatchSequence),
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
            sample_weight: None,
            validation_sample_weight: None,
            class_weight: Vec::new(),
            steps_per_epoch: None,
            distribution: None,
            products: Products::Single,
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
    pub fn validation_data(mut self, x: impl Into<Data>, y: impl Into<Data>) -> Fit {
        self.validation = Validation::Data(Box::new((x.into(), y.into())));
        self
    }

    /// How much each sample of the validation data counts in its loss (1).
    pub fn validation_sample_weight(mut self, weights: impl Into<Data>) -> Fit {
        self.validation_sample_weight = Some(weights.into());
        self
    }

    /// Batches to validate on after each epoch: the next `steps` of a generator. Where it ends before, so does
    /// training, after that epoch.
    pub fn validation_batches<I>(mut self, batches: I, steps: usize) -> Fit
    where
        I: IntoIterator<Item: Into<Batch> + 'static, IntoIter: 'static>,
    {
        let batches = batches.into_iter().map(Into::into);
        self.validation = Validation::Batches(Box::new(batches), steps);
        self
    }

    /// Batches to validate on after each epoch, all of them: a list, or a [`BatchSequence`].
    pub fn validation_sequence(mut self, batches: impl Into<BatchSequence>) -> Fit {
        self.validation = Validation::Sequence(batches.into());
        self
    }

    /// How much each sample counts in the loss (1): a tensor `[samples]`, for sequences also
    /// `[samples, timesteps]`; for several outputs one for all of them or one for each.
    pub fn sample_weight(mut self, weights: impl Into<Data>) -> Fit {
        self.sample_weight = Some(weights.into());
        self
    }

    /// How much the samples of each class count in the loss: `class_weight([(0, 1.0), (1, 5.0)])`.
    /// Classes that are not named count 1. For models with one output.
    pub fn class_weight(mut self, weights: impl Into<Vec<(i64, f64)>>) -> Fit {
        self.class_weight = weights.into();
        self
    }

    /// How many batches make an epoch of [`fit_batches`](super::Model::fit_batches); of
    /// [`fit_sequence`](super::Model::fit_sequence) all of them, unless it is said.
    pub fn steps_per_epoch(mut self, steps: usize) -> Fit {
        self.steps_per_epoch = Some(steps);
        self
    }

    /// Splits every batch among several ranks, which train together: [`DataParallel`]. The batch size is that of
    /// all of them.
    pub fn distribution(mut self, ranks: impl Into<DataParallel>) -> Fit {
        self.distribution = Some(ranks.into());
        self
    }

    /// Whether matrix products and convolutions round what they multiply to bfloat16 (false), as Keras's policy
    /// `mixed_bfloat16` has it: on NVIDIA cards since compute capability 8.0 (Ampere) products then take a fraction of
    /// the time. On older cards and on the processor the numbers are the same, but rounding comes on top of everything
    /// else: a fit is slower there, on the processor of dense layers by far.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let mut model = Sequential::new()
    ///     .add(Dense::new(16).activation("relu").input_shape([4]))
    ///     .add(Dense::new(3).activation("softmax"));
    /// model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])?;
    /// let (x, y) = (Tensor::uniform([64, 4], -1.0, 1.0), Tensor::ones([64, 3]) / 3.0);
    /// model.fit(&x, &y, Fit::epochs(2).mixed_precision(true).verbose(0))?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// Products are rounded on the way forwards and back; they are summed in single precision, in which everything else
    /// is: weights and what the optimizer keeps, biases, activations, the softmax, losses, metrics, gradients. (Keras
    /// rounds what layers return as well.) Recurrent layers compute in single precision. The loss is not scaled, since
    /// bfloat16 reaches as far as single precision does: gradients neither vanish nor overflow sooner
    /// ([`LossScaleOptimizer`](crate::optimizers::LossScaleOptimizer) scales it all the same). Validation,
    /// `evaluate` and `predict` are of single precision.
    pub fn mixed_precision(mut self, mixed: bool) -> Fit {
        self.products = match mixed {
            true => Products::Bfloat16,
            false => Products::Single,
        };
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
        if let Some((class, weight)) = self.class_weight.iter().find(|(_, w)| !w.is_finite()) {
            return Err(Error::Value(format!(
                "fit: class_weight: expected a number for class {class}, got {weight}"
            )));
        }
        if !self.class_weight.is_empty() && self.sample_weight.is_some() {
            return Err(Error::Value(
                "fit: class_weight and sample_weight cannot both say how much a sample counts; multiply them into \
                 sample_weight"
                    .to_string(),
            ));
        }
        if self.steps_per_epoch == Some(0) {
            return Err(Error::Value(
                "fit: steps_per_epoch must be at least 1, got 0".to_string(),
            ));
        }
        match self.validation {
            Validation::Split(share) if !(share > 0.0 && share < 1.0) => {
                Err(Error::Value(format!(
                    "fit: validation_split is the share of the data to validate on, above 0 and below 1 (0.2 is a \
                     fifth), got {share}{}",
                    match share {
                        2.0..=100.0 => format!("; for {share} percent write {}", share / 100.0),
                        _ => String::new(),
                    }
                )))
            }
            Validation::Batches(_, 0) => Err(Error::Value(
                "fit: validation takes at least 1 batch, got 0 steps".to_string(),
            )),
            Validation::Sequence(ref batches) if batches.is_empty() => Err(Error::Value(
                "fit: validation_sequence has no batch".to_string(),
            )),
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
pub(super) fn split(data: &Prepared, share: f64) -> Result<(Prepared, Prepared)> {
    let samples = data.samples();
    let at = (samples as f64 * (1.0 - share)).floor() as usize;
    if at == 0 || at == samples {
        return Err(Error::Value(format!(
            "fit: validation_split {share} of {samples} samples leaves none to {}; choose another share",
            if at == 0 { "train on" } else { "validate on" }
        )));
    }
    Ok((data.batch(None, 0..at), data.batch(None, at..samples)))
}
