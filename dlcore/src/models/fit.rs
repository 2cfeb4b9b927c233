//! Training: epochs of batches, with validation, callbacks and progress.

use super::batch_sequence::BatchSequence;
use super::checks;
use super::data::{Batch, Data};
use super::guard::guarded;
use super::history::{History, LEARNING_RATE};
use super::model::Model;
use super::run::{Checked, Run, Source};
use super::settings::{Fit, Validation, split};
use super::step::Prepared;
use super::weighting;
use crate::distributed::DataParallel;
use crate::{Error, Result};

impl Model {
    /// Trains the model and returns what was recorded.
    ///
    /// A request through [`interrupt`](crate::interrupt) ends training before the next batch, with the history so far.
    /// However training ends, the weights are valid: those after the last batch, or, if they had
    /// become NaN, those from before the epoch.
    ///
    /// # Shapes
    /// `x` `[samples, …]`, `y` what the loss takes: `[samples, …]`; for several inputs or outputs a
    /// tensor each, in order or by name: [`Data`].
    ///
    /// # Errors
    /// [`Error::Model`] if the model is not compiled or has no layers; [`Error::Shape`] and
    /// [`Error::Value`] for data that does not fit, before training; [`Error::Value`] if the loss
    /// becomes NaN or infinite, saying at which batch; [`Error::Model`] if a callback fails, or it or
    /// a function of one's own panics.
    pub fn fit(
        &mut self,
        x: impl Into<Data>,
        y: impl Into<Data>,
        settings: Fit,
    ) -> Result<History> {
        self.fit_data(Batch::new(x, y), settings)
    }

    fn fit_data(&mut self, data: Batch, mut settings: Fit) -> Result<History> {
        let ready = self.ready_for_data(data, &mut settings);
        self.run(ready, settings)
    }

    fn ready_for_data(&mut self, mut data: Batch, settings: &mut Fit) -> Result<Ready<'static>> {
        self.compiled("fit")?;
        settings.check()?;
        if settings.steps_per_epoch.is_some() {
            return Err(Error::Value(
                "fit: with tensors an epoch takes all samples once; steps_per_epoch is for fit_batches"
                    .to_string(),
            ));
        }
        data.sample_weight = settings.sample_weight.take();
        let prepared = self.built_or_not("fit", |model| model.prepare(&data, settings));
        let (data, validation) = prepared?;
        let steps = data.samples().div_ceil(settings.batch_size);
        Ok((Source::Samples(data), validation, steps))
    }

    /// What comes of `work`, which may build the model. Where that fails the model is as it was: data that was
    /// refused must not decide the shape it is built for.
    fn built_or_not<T>(
        &mut self,
        operation: &str,
        work: impl FnOnce(&mut Model) -> Result<T>,
    ) -> Result<T> {
        let before = self.handle.before_build();
        let result = guarded(operation, || work(self));
        if result.is_err() {
            before.into_iter().for_each(|part| part.put_back());
        }
        result
    }

    /// Trains on batches from a generator, for data that are made or read as they are needed: of each
    /// epoch the next [`Fit::steps_per_epoch`] batches. Training ends where the generator ends.
    ///
    /// The settings are those of [`Model::fit`]; batches come in the generator's size and order.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
    /// model.compile("sgd", "mse", Metrics::none())?;
    /// let batches = (0..).map(|_| (Tensor::uniform([16, 2], 0.0, 1.0), Tensor::ones([16, 1])));
    /// let history = model.fit_batches(batches, Fit::epochs(3).steps_per_epoch(10).verbose(0))?;
    /// assert_eq!(history.len(), 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::fit`], for data that does not fit when its batch comes; [`Error::Value`] without
    /// `steps_per_epoch`, or with settings that only whole data can have.
    pub fn fit_batches<I>(&mut self, batches: I, settings: Fit) -> Result<History>
    where
        I: IntoIterator<Item: Into<Batch>>,
    {
        let batches = batches.into_iter().map(Into::into);
        self.fit_source(Box::new(batches), settings)
    }

    fn fit_source(
        &mut self,
        batches: Box<dyn Iterator<Item = Batch> + '_>,
        mut settings: Fit,
    ) -> Result<History> {
        let ready = self.ready_for_source(batches, &mut settings);
        self.run(ready, settings)
    }

    fn ready_for_source<'a>(
        &mut self,
        batches: Box<dyn Iterator<Item = Batch> + 'a>,
        settings: &mut Fit,
    ) -> Result<Ready<'a>> {
        self.compiled("fit_batches")?;
        settings.check()?;
        let Some(steps) = settings.steps_per_epoch else {
            return Err(Error::Value(
                "fit_batches: a generator has no end that could be seen: say how many batches make an epoch, \
                 .steps_per_epoch(100), or give a list of batches, or a BatchSequence, to fit_sequence"
                    .to_string(),
            ));
        };
        check_for_batches(settings, "fit_batches")?;
        let mut batches = batches.peekable();
        let first = guarded("fit_batches", || Ok(batches.peek().cloned()))?;
        let Some(first) = first else {
            return Err(Error::Value(
                "fit_batches: the generator has no batch".to_string(),
            ));
        };
        let validation = self.built_or_not("fit_batches", |model| {
            model.prepare_built(&first, "fit_batches")?;
            model.validation(settings)
        })?;
        Ok((Source::Batches(Box::new(batches)), validation, steps))
    }

    /// Trains on batches of which it is known how many there are: each of them once an epoch, in a new order
    /// each time unless [`Fit::shuffle`] is off; with [`Fit::steps_per_epoch`] so many of that order.
    ///
    /// The settings are those of [`Model::fit`]; see [`BatchSequence`] for an example.
    ///
    /// # Errors
    /// As [`Model::fit_batches`]; [`Error::Value`] if there is no batch, or there are fewer than
    /// `steps_per_epoch`.
    pub fn fit_sequence(
        &mut self,
        batches: impl Into<BatchSequence>,
        settings: Fit,
    ) -> Result<History> {
        self.fit_known(batches.into(), settings)
    }

    fn fit_known(&mut self, batches: BatchSequence, mut settings: Fit) -> Result<History> {
        let ready = self.ready_for_known(batches, &mut settings);
        self.run(ready, settings)
    }

    fn ready_for_known(
        &mut self,
        mut batches: BatchSequence,
        settings: &mut Fit,
    ) -> Result<Ready<'static>> {
        self.compiled("fit_sequence")?;
        settings.check()?;
        check_for_batches(settings, "fit_sequence")?;
        let steps = settings.steps_per_epoch.unwrap_or(batches.len());
        if batches.is_empty() || steps > batches.len() {
            return Err(Error::Value(format!(
                "fit_sequence: an epoch takes {} batches, but the sequence has {}",
                steps.max(1),
                batches.len()
            )));
        }
        let first = guarded("fit_sequence", || Ok(batches.first().clone()))?;
        let validation = self.built_or_not("fit_sequence", |model| {
            model.prepare_built(&first, "fit_sequence")?;
            model.validation(settings)
        })?;
        Ok((Source::Sequence(batches), validation, steps))
    }

    fn run(&mut self, ready: Result<Ready<'_>>, settings: Fit) -> Result<History> {
        let (source, validation, steps) = told(&settings, ready)?;
        let validates = !matches!(validation, Checked::Nothing);
        let mut names = self.recorded_names(validates);
        let rate = settings.callbacks.iter().any(|c| c.records_learning_rate());
        if rate {
            names.push(LEARNING_RATE.to_string());
        }
        let mut callbacks = settings.callbacks.iter();
        let checked = callbacks.try_for_each(|callback| callback.check(&names));
        told(&settings, checked)?;
        Run::new(self, source, validation, steps, settings, names).run()
    }

    fn prepare(&mut self, data: &Batch, settings: &mut Fit) -> Result<(Prepared, Checked)> {
        let mut data = self.prepare_built(data, "fit")?;
        self.weigh_classes(&mut data, &settings.class_weight)?;
        if let Validation::Split(share) = settings.validation {
            let (train, validation) = split(&data, share)?;
            return Ok((train, Checked::Samples(unweighted(validation, settings))));
        }
        Ok((data, self.validation(settings)?))
    }

    /// Weights for samples by their classes, where there are any.
    pub(super) fn weigh_classes(&self, data: &mut Prepared, classes: &[(i64, f64)]) -> Result<()> {
        if classes.is_empty() {
            return Ok(());
        }
        let (Some(weight), [y]) = (data.weights.first_mut(), data.y.as_slice()) else {
            return Err(Error::Value(format!(
                "fit: class_weight is for models with one output, {} has {}; give sample_weight for each",
                self.name(),
                data.y.len()
            )));
        };
        if weight.is_some() {
            return Err(Error::Value(
                "fit: class_weight and sample_weight cannot both say how much a sample counts"
                    .to_string(),
            ));
        }
        let loss = &self.compiled("fit")?.objectives[0].loss;
        *weight = Some(weighting::of_classes(classes, y, loss)?);
        Ok(())
    }

    fn validation(&self, settings: &mut Fit) -> Result<Checked> {
        match std::mem::replace(&mut settings.validation, Validation::None) {
            Validation::None | Validation::Split(_) => Ok(Checked::Nothing),
            Validation::Data(pair) => {
                let (x, y) = *pair;
                let batch = Batch {
                    x,
                    y,
                    sample_weight: settings.validation_sample_weight.take(),
                };
                let what = "fit: validation_data";
                let data = checks::prepare(self, self.compiled("fit")?, &batch, what)?;
                Ok(Checked::Samples(data))
            }
            Validation::Batches(batches, steps) => Ok(Checked::Batches(batches, steps)),
            Validation::Sequence(batches) => Ok(Checked::Sequence(batches)),
        }
    }

    /// `loss`, the metrics, then the same with `val_` before them.
    fn recorded_names(&self, validates: bool) -> Vec<String> {
        let compiled = self.compiled.as_ref();
        let mut names = compiled.map_or_else(Vec::new, |compiled| compiled.names());
        if validates {
            let validation: Vec<String> = names.iter().map(|name| format!("val_{name}")).collect();
            names.extend(validation);
        }
        names
    }
}

/// Where batches come from, what is validated on, and how many batches an epoch has.
type Ready<'a> = (Source<'a>, Checked, usize);

/// What came of what precedes training; ranks in other processes are told of an error, since they wait for this one.
fn told<T>(settings: &Fit, result: Result<T>) -> Result<T> {
    DataParallel::told(settings.distribution.as_ref(), result)
}

/// What is said of generators that cannot be.
fn check_for_batches(settings: &Fit, operation: &str) -> Result<()> {
    if settings.sample_weight.is_some() || matches!(settings.validation, Validation::Split(_)) {
        return Err(Error::Value(format!(
            "{operation}: sample_weight comes with each batch, (x, y, weights), and validation data by validation_data, \
             validation_batches or validation_sequence"
        )));
    }
    Ok(())
}

/// Validation data without the weights of classes, which are for training; those of samples stay.
fn unweighted(mut data: Prepared, settings: &Fit) -> Prepared {
    if !settings.class_weight.is_empty() {
        data.weights.fill(None);
    }
    data
}
