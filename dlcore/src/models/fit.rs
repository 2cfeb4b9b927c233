//! Training: epochs of batches, with validation, callbacks and progress.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::checks;
use super::data::{Batch, Data};
use super::guard::{self, guarded};
use super::history::{History, PartialEpoch};
use super::model::Model;
use super::settings::{Fit, Validation, split};
use super::step::{self, Prepared};
use super::tally::Tally;
use super::weighting;
use crate::callbacks::{Control, Logs};
use crate::device::cpu::buffers::ReleaseAtEnd;
use crate::plot::{LiveFit, LivePlan};
use crate::random::permutation;
use crate::{Error, Result, Tensor, interrupt};

/// Where batches come from.
enum Source<'a> {
    /// All samples, as the model takes them, checked.
    Samples(Prepared),
    /// A generator: each batch is checked as it comes.
    Batches(Box<dyn Iterator<Item = Batch> + 'a>),
}

/// What is validated on after each epoch.
enum Checked {
    Nothing,
    Samples(Prepared),
    Batches(Box<dyn Iterator<Item = Batch>>, usize),
}

/// Why the epochs ended.
enum End {
    Completed,
    /// A callback's reason.
    Stopped(String),
    /// Why a callback failed.
    Failed(String),
    Interrupted,
    /// The last step of the epoch made weights NaN or infinite; they are those from before it again.
    Diverged,
    /// The loss is NaN or infinite.
    NotFinite {
        batch: usize,
        loss: f64,
        cause: String,
    },
}

impl End {
    /// What a callback decided, if training is not to go on.
    fn of(control: Control) -> Option<End> {
        match control {
            Control::Continue => None,
            Control::Stop(reason) => Some(End::Stopped(reason)),
            Control::Fail(reason) => Some(End::Failed(reason)),
        }
    }
}

impl Model {
    /// Trains the model and returns what was recorded.
    ///
    /// A request through [`interrupt`] ends training before the next batch, with the history so far.
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

    fn fit_data(&mut self, mut data: Batch, mut settings: Fit) -> Result<History> {
        self.compiled("fit")?;
        settings.check()?;
        if settings.steps_per_epoch.is_some() {
            return Err(Error::Value(
                "fit: with tensors an epoch takes all samples once; steps_per_epoch is for fit_batches"
                    .to_string(),
            ));
        }
        data.sample_weight = settings.sample_weight.take();
        let before = self.handle.before_build();
        let prepared = guarded("fit", || self.prepare(&data, &mut settings));
        if prepared.is_err() {
            // Data that was refused must not decide the shape the model is built for.
            before.into_iter().for_each(|part| part.put_back());
        }
        let (data, validation) = prepared?;
        let steps = data.samples().div_ceil(settings.batch_size);
        self.run(Source::Samples(data), validation, steps, settings)
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
        self.compiled("fit_batches")?;
        settings.check()?;
        let Some(steps) = settings.steps_per_epoch else {
            return Err(Error::Value(
                "fit_batches: a generator has no end that could be seen: say how many batches make an epoch, \
                 .steps_per_epoch(100)"
                    .to_string(),
            ));
        };
        if settings.sample_weight.is_some() || matches!(settings.validation, Validation::Split(_)) {
            return Err(Error::Value(
                "fit_batches: sample_weight comes with each batch, (x, y, weights), and validation data by \
                 validation_data or validation_batches"
                    .to_string(),
            ));
        }
        let mut batches = batches.peekable();
        let Some(first) = batches.peek().cloned() else {
            return Err(Error::Value(
                "fit_batches: the generator has no batch".to_string(),
            ));
        };
        self.prepare_built(&first, "fit_batches")?;
        let validation = self.validation(&mut settings)?;
        self.run(
            Source::Batches(Box::new(batches)),
            validation,
            steps,
            settings,
        )
    }

    fn run(
        &mut self,
        source: Source<'_>,
        validation: Checked,
        steps: usize,
        settings: Fit,
    ) -> Result<History> {
        let validates = !matches!(validation, Checked::Nothing);
        let names = self.recorded_names(validates);
        for callback in &settings.callbacks {
            callback.check(&names)?;
        }
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
    fn weigh_classes(&self, data: &mut Prepared, classes: &[(i64, f64)]) -> Result<()> {
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

    fn tally(&self) -> Tally {
        let compiled = self.compiled.as_ref().expect("checked before training");
        Tally::of_training(compiled)
    }

    fn all_finite(&self) -> bool {
        let finite = |weight: &Tensor| weight.to_vec().iter().all(|w| w.is_finite());
        self.get_weights().iter().all(finite)
    }
}

/// Validation data without the weights of classes, which are for training; those of samples stay.
fn unweighted(mut data: Prepared, settings: &Fit) -> Prepared {
    if !settings.class_weight.is_empty() {
        data.weights.fill(None);
    }
    data
}

/// One `fit` while it runs.
struct Run<'a> {
    model: &'a mut Model,
    source: Source<'a>,
    validation: Checked,
    settings: Fit,
    /// Names of training's losses and metrics, then of validation's.
    names: Vec<String>,
    /// How many of them are training's.
    measured: usize,
    steps: usize,
    live: LiveFit,
    history: History,
    started: Instant,
    epoch: usize,
    /// Batches trained on in this epoch, and what was measured of them.
    done: usize,
    tally: Tally,
    logs: Logs,
    /// The weights as they were before this epoch.
    before_epoch: Vec<Tensor>,
}

impl<'a> Run<'a> {
    fn new(
        model: &'a mut Model,
        source: Source<'a>,
        validation: Checked,
        steps: usize,
        settings: Fit,
        names: Vec<String>,
    ) -> Run<'a> {
        let has_validation = !matches!(validation, Checked::Nothing);
        let measured = if has_validation {
            names.len() / 2
        } else {
            names.len()
        };
        let live = LiveFit::start(LivePlan {
            epochs: settings.epochs,
            initial_epoch: settings.initial_epoch,
            steps_per_epoch: steps,
            has_validation,
            metrics: names[..measured].to_vec(),
            verbose: settings.verbose,
        });
        let logs = Logs::from(
            names[..measured]
                .iter()
                .map(|name| (name.clone(), 0.0))
                .collect::<Vec<_>>(),
        );
        Run {
            history: History::new(settings.initial_epoch),
            epoch: settings.initial_epoch,
            before_epoch: model.get_weights(),
            tally: model.tally(),
            model,
            source,
            validation,
            settings,
            names,
            measured,
            steps,
            live,
            started: Instant::now(),
            done: 0,
            logs,
        }
    }

    fn run(mut self) -> Result<History> {
        let _memory = ReleaseAtEnd;
        // A closure of the user's may panic; the weights are valid between batches, and the
        // history is worth keeping.
        match catch_unwind(AssertUnwindSafe(|| self.train())) {
            Ok(Ok(end)) => self.finish(end),
            Ok(Err(error)) => {
                self.close("error");
                Err(error)
            }
            Err(panic) => {
                // What ends training must not be lost on those who wait for its end.
                let _ = catch_unwind(AssertUnwindSafe(|| self.end_callbacks()));
                self.close("panic");
                Err(Error::Model(format!(
                    "fit: {}, at batch {} of epoch {}; the model keeps the weights of the batch before, \
                     and history() the epochs that were finished",
                    guard::panic_text(&*panic),
                    self.done + 1,
                    self.epoch + 1,
                )))
            }
        }
    }

    fn train(&mut self) -> Result<End> {
        for callback in &mut self.settings.callbacks {
            callback.train_begin(self.model);
        }
        let end = self.epochs();
        self.end_callbacks();
        end
    }

    fn end_callbacks(&mut self) {
        for callback in &mut self.settings.callbacks {
            callback.train_end(self.model);
        }
    }

    fn epochs(&mut self) -> Result<End> {
        for epoch in self.settings.initial_epoch..self.settings.epochs {
            self.epoch = epoch;
            self.done = 0;
            self.tally = self.model.tally();
            self.before_epoch = self.model.get_weights();
            for callback in &mut self.settings.callbacks {
                if let Some(end) = End::of(callback.epoch_begin(epoch, self.model)) {
                    return Ok(end);
                }
            }
            if let Some(end) = self.batches()? {
                return Ok(end);
            }
            // The loss is that of the weights before the step: the last step's own harm shows here,
            // and what is kept as `before_epoch` is always worth going back to.
            if !self.model.all_finite() {
                self.restore();
                return Ok(End::Diverged);
            }
            if let Some(end) = self.end_epoch()? {
                return Ok(end);
            }
        }
        Ok(End::Completed)
    }

    /// The batches of one epoch; what ended training, if something did.
    fn batches(&mut self) -> Result<Option<End>> {
        let order = match &self.source {
            Source::Samples(data) if self.settings.shuffle => Some(permutation(data.samples())),
            _ => None,
        };
        for index in 0..self.steps {
            if interrupt::requested() {
                return Ok(Some(End::Interrupted));
            }
            for callback in &mut self.settings.callbacks {
                if let Some(end) = End::of(callback.batch_begin(index, self.model)) {
                    return Ok(Some(end));
                }
            }
            let Some(batch) = self.batch(index, order.as_deref())? else {
                let reason = format!(
                    "the generator ended after {index} of {} batches in epoch {}",
                    self.steps,
                    self.epoch + 1
                );
                return Ok(Some(End::Stopped(reason)));
            };
            let loss = step::train(self.model, &mut self.tally, &batch)?;
            if !loss.is_finite() {
                return Ok(Some(self.not_finite(index, loss, &batch)));
            }
            if let Some(end) = self.end_batch(index) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// The next batch; `None` where a generator has no more.
    fn batch(&mut self, index: usize, order: Option<&[usize]>) -> Result<Option<Prepared>> {
        match &mut self.source {
            Source::Samples(data) => {
                let start = index * self.settings.batch_size;
                let end = (start + self.settings.batch_size).min(data.samples());
                Ok(Some(data.batch(order, start..end)))
            }
            Source::Batches(batches) => {
                let Some(batch) = batches.next() else {
                    return Ok(None);
                };
                let what = format!(
                    "fit_batches: batch {} of epoch {}",
                    index + 1,
                    self.epoch + 1
                );
                let compiled = self.model.compiled("fit_batches")?;
                let mut batch = checks::prepare(self.model, compiled, &batch, &what)?;
                self.model
                    .weigh_classes(&mut batch, &self.settings.class_weight)?;
                Ok(Some(batch))
            }
        }
    }

    fn end_batch(&mut self, index: usize) -> Option<End> {
        self.done = index + 1;
        self.live
            .batch_end(self.epoch, self.done, self.tally.values());
        if self.settings.callbacks.is_empty() {
            return None;
        }
        self.logs.set_values(self.tally.values());
        for callback in &mut self.settings.callbacks {
            if let Some(end) = End::of(callback.batch_end(index, &self.logs, self.model)) {
                return Some(end);
            }
        }
        None
    }

    /// Validation, history and callbacks after an epoch's batches.
    fn end_epoch(&mut self) -> Result<Option<End>> {
        let model = &*self.model;
        let validation = match &mut self.validation {
            Checked::Nothing => None,
            Checked::Samples(data) => {
                let batch_size = self.settings.batch_size;
                match model.measure(data, batch_size, false, None)? {
                    Some(values) => Some(values),
                    None => return Ok(Some(End::Interrupted)),
                }
            }
            Checked::Batches(batches, steps) => {
                let what = "fit: validation_batches";
                match model.measure_batches(batches, *steps, false, what)? {
                    Some(values) => Some(values),
                    None => return Ok(Some(End::Interrupted)),
                }
            }
        };
        let means = self.tally.values();
        let values = means.iter().chain(validation.iter().flatten()).copied();
        let logs = Logs::from(self.names.iter().cloned().zip(values).collect::<Vec<_>>());
        self.history.push(&logs);
        self.live
            .epoch_end(self.epoch, means, validation.as_deref());
        // Finished: what happens from here on belongs to no epoch that was begun.
        self.done = 0;
        self.model.identity.touch();
        for callback in &mut self.settings.callbacks {
            if let Some(end) = End::of(callback.epoch_end(self.epoch, &logs, self.model)) {
                return Ok(Some(end));
            }
        }
        crate::cell::kept::trained(self.model, &self.history);
        Ok(None)
    }

    fn not_finite(&mut self, batch: usize, loss: f64, data: &Prepared) -> End {
        let finite =
            |tensor: &Tensor| tensor.is_sparse() || tensor.to_vec().iter().all(|v| v.is_finite());
        let cause = if !data.x.iter().all(finite) {
            "this batch of x itself holds NaN or infinity: clean the data first".to_string()
        } else if !data.y.iter().all(finite) {
            "this batch of y itself holds NaN or infinity: clean the data first".to_string()
        } else if !self.model.all_finite() {
            self.restore();
            format!(
                "the weights had grown out of range, and are again those from before epoch {}; lower the learning \
                 rate (now {})",
                self.epoch + 1,
                self.learning_rate(),
            )
        } else {
            format!(
                "lower the learning rate (now {}), or scale the features to about 1",
                self.learning_rate()
            )
        };
        End::NotFinite { batch, loss, cause }
    }

    fn learning_rate(&self) -> f64 {
        self.model
            .compiled
            .as_ref()
            .map_or(f64::NAN, |compiled| compiled.optimizer.learning_rate())
    }

    fn restore(&mut self) {
        self.model
            .set_weights(&self.before_epoch)
            .expect("the model's own weights fit it");
        if let Some(compiled) = &mut self.model.compiled {
            compiled.optimizer.reset();
        }
    }

    fn finish(mut self, end: End) -> Result<History> {
        match end {
            End::Completed => Ok(self.close("completed")),
            End::Stopped(reason) => Ok(self.close(&reason)),
            End::Interrupted => Ok(self.close("interrupted")),
            End::Failed(reason) => {
                self.close("error");
                Err(Error::Model(format!(
                    "fit: {reason}; the model keeps the weights of the last batch, and history() the epochs that were \
                     finished"
                )))
            }
            End::Diverged => {
                let epoch = self.epoch + 1;
                let rate = self.learning_rate();
                let history = self.close(&format!("infinite or NaN weights in epoch {epoch}"));
                if self.ends_at_nan() {
                    return Ok(history);
                }
                Err(Error::Value(format!(
                    "fit: the weights became infinite or NaN in the last step of epoch {epoch}, and are again those from \
                     before it: lower the learning rate (now {rate}); history() has the epochs that were finished"
                )))
            }
            End::NotFinite { batch, loss, cause } => {
                let what = if loss.is_nan() { "nan" } else { "infinity" };
                let place = format!(
                    "batch {} of {} in epoch {}",
                    batch + 1,
                    self.steps,
                    self.epoch + 1
                );
                let history = self.close(&format!("{what} in the loss at {place}"));
                if self.ends_at_nan() {
                    return Ok(history);
                }
                Err(Error::Value(format!(
                    "fit: the loss became {} at {place}, and training stopped before that batch changed the weights: \
                     {cause}; history() has the epochs that were finished",
                    if loss.is_nan() { "NaN" } else { "infinite" },
                )))
            }
        }
    }

    fn ends_at_nan(&self) -> bool {
        let mut callbacks = self.settings.callbacks.iter();
        callbacks.any(|callback| callback.ends_at_nan())
    }

    /// Writes down why training ended, in the history, in the model and in what is shown.
    fn close(&mut self, reason: &str) -> History {
        let partial = (self.done > 0).then(|| {
            let names = self.names[..self.measured].iter().cloned();
            PartialEpoch {
                epoch: self.epoch + 1,
                batches: self.done,
                batches_per_epoch: self.steps,
                logs: Logs::from(
                    names
                        .zip(self.tally.values().iter().copied())
                        .collect::<Vec<_>>(),
                ),
            }
        });
        let mut history = std::mem::take(&mut self.history);
        history.finish(reason, partial, self.started.elapsed().as_secs_f64());
        self.live.finish(reason, &history);
        self.model.history = Some(history.clone());
        self.model.identity.touch();
        crate::cell::kept::trained(self.model, &history);
        history
    }
}
