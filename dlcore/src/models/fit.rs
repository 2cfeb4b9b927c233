//! Training: epochs of batches, with validation, callbacks and progress.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::checks;
use super::history::{History, PartialEpoch};

use super::sequential::Sequential;
use super::settings::{Fit, Validation, split};
use super::step;
use crate::callbacks::{Control, Logs};
use crate::metrics::{Metric, Totals};
use crate::plot::{LiveFit, LivePlan};
use crate::random::permutation;
use crate::{Error, Result, Tensor, interrupt};

/// Data as the model takes it, checked.
struct Data {
    x: Tensor,
    y: Tensor,
    validation: Option<(Tensor, Tensor)>,
}

/// Why the epochs ended.
enum End {
    Completed,
    /// A callback's reason.
    Stopped(String),
    /// Why a callback failed.
    Failed(String),
    Interrupted,
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

impl Sequential {
    /// Trains the model and returns what was recorded.
    ///
    /// A request through [`interrupt`] ends training before the next batch, with the history so far.
    /// However training ends, the weights are valid: those after the last batch, or, if they had
    /// become NaN, those from before the epoch.
    ///
    /// # Shapes
    /// `x` `[samples, …]`, `y` what the loss takes: `[samples, …]`.
    ///
    /// # Errors
    /// [`Error::Model`] if the model is not compiled or has no layers; [`Error::Shape`] and
    /// [`Error::Value`] for data that does not fit, before training; [`Error::Value`] if the loss
    /// becomes NaN or infinite, saying at which batch; [`Error::Model`] if a callback fails, or it or
    /// a function of one's own panics.
    pub fn fit(&mut self, x: &Tensor, y: &Tensor, settings: Fit) -> Result<History> {
        self.compiled("fit")?;
        settings.check()?;
        let unbuilt = (!self.is_built()).then(|| (self.layers.clone(), self.input_shape.clone()));
        let data = self.prepare(x, y, &settings).inspect_err(|_| {
            // Data that was refused must not decide the shape the model is built for.
            if let Some((layers, input_shape)) = unbuilt {
                (self.layers, self.input_shape) = (layers, input_shape);
            }
        })?;
        let names = self.recorded_names(data.validation.is_some());
        for callback in &settings.callbacks {
            callback.check(&names)?;
        }
        Run::new(self, data, settings, names).run()
    }

    fn prepare(&mut self, x: &Tensor, y: &Tensor, settings: &Fit) -> Result<Data> {
        if !self.is_built() && x.ndim() > 0 && x.len() > 0 {
            self.build(&x.shape()[1..])?;
        }
        let loss = &self.compiled("fit")?.loss;
        let x = checks::inputs(self, x, "fit")?;
        let y = checks::targets(self, loss, &x, y, "fit")?;
        match &settings.validation {
            Validation::None => Ok(Data {
                x,
                y,
                validation: None,
            }),
            Validation::Data(pair) => {
                let (xv, yv) = &**pair;
                let xv = checks::inputs(self, xv, "fit: validation_data")?;
                let yv = checks::targets(self, loss, &xv, yv, "fit: validation_data")?;
                Ok(Data {
                    x,
                    y,
                    validation: Some((xv, yv)),
                })
            }
            Validation::Split(share) => {
                let [x, y, xv, yv] = split(&x, &y, *share)?;
                Ok(Data {
                    x,
                    y,
                    validation: Some((xv, yv)),
                })
            }
        }
    }

    /// `loss`, the metrics, then the same with `val_` before them.
    fn recorded_names(&self, validates: bool) -> Vec<String> {
        let metrics = self.compiled.iter().flat_map(|compiled| &compiled.metrics);
        let mut names: Vec<String> = vec!["loss".to_string()];
        names.extend(metrics.map(|metric| metric.name().to_string()));
        if validates {
            let validation: Vec<String> = names.iter().map(|name| format!("val_{name}")).collect();
            names.extend(validation);
        }
        names
    }

    fn metrics(&self) -> &[Metric] {
        let compiled = self.compiled.as_ref();
        compiled.map_or(&[], |compiled| &compiled.metrics)
    }

    fn all_finite(&self) -> bool {
        let finite = |weight: &Tensor| weight.to_vec().iter().all(|w| w.is_finite());
        self.get_weights().iter().all(finite)
    }
}

/// One `fit` while it runs.
struct Run<'a> {
    model: &'a mut Sequential,
    data: Data,
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
    /// Batches trained on in this epoch, and their means.
    done: usize,
    means: Totals,
    logs: Logs,
    /// The weights as they were before this epoch.
    before_epoch: Vec<Tensor>,
}

impl<'a> Run<'a> {
    fn new(model: &'a mut Sequential, data: Data, settings: Fit, names: Vec<String>) -> Run<'a> {
        let measured = if data.validation.is_some() {
            names.len() / 2
        } else {
            names.len()
        };
        let steps = data.x.shape()[0].div_ceil(settings.batch_size);
        let live = LiveFit::start(LivePlan {
            epochs: settings.epochs,
            initial_epoch: settings.initial_epoch,
            steps_per_epoch: steps,
            has_validation: data.validation.is_some(),
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
            means: Totals::of_training(model.metrics()),
            model,
            data,
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
        // A closure of the user's may panic; the weights are valid between batches, and the
        // history is worth keeping.
        match catch_unwind(AssertUnwindSafe(|| self.train())) {
            Ok(Ok(end)) => self.finish(end),
            Ok(Err(error)) => {
                self.close("error");
                Err(error)
            }
            Err(panic) => {
                self.close("panic");
                Err(Error::Model(format!(
                    "fit: {}, at batch {} of epoch {}; the model keeps the weights of the batch before, \
                     and history() the epochs that were finished",
                    panic_text(&*panic),
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
        let end = self.epochs()?;
        for callback in &mut self.settings.callbacks {
            callback.train_end(self.model);
        }
        Ok(end)
    }

    fn epochs(&mut self) -> Result<End> {
        for epoch in self.settings.initial_epoch..self.settings.epochs {
            self.epoch = epoch;
            self.done = 0;
            self.means = Totals::of_training(self.model.metrics());
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
                return Ok(End::NotFinite {
                    batch: self.done.saturating_sub(1),
                    loss: self.means.values()[0],
                    cause: "the weights have become infinite or NaN in its step: try a smaller learning rate".to_string(),
                });
            }
            if let Some(end) = self.end_epoch()? {
                return Ok(end);
            }
        }
        Ok(End::Completed)
    }

    /// The batches of one epoch; what ended training, if something did.
    fn batches(&mut self) -> Result<Option<End>> {
        let samples = self.data.x.shape()[0];
        let order = self.settings.shuffle.then(|| permutation(samples));
        for index in 0..self.steps {
            if interrupt::requested() {
                return Ok(Some(End::Interrupted));
            }
            for callback in &mut self.settings.callbacks {
                if let Some(end) = End::of(callback.batch_begin(index, self.model)) {
                    return Ok(Some(end));
                }
            }
            let start = index * self.settings.batch_size;
            let range = start..(start + self.settings.batch_size).min(samples);
            let x = step::batch(&self.data.x, order.as_deref(), range.clone());
            let y = step::batch(&self.data.y, order.as_deref(), range);
            let compiled = self
                .model
                .compiled
                .as_mut()
                .expect("checked before training");
            let layers = &mut self.model.layers;
            let loss = step::train(layers, compiled, &mut self.means, &x, &y)?;
            if !loss.is_finite() {
                return Ok(Some(self.not_finite(index, loss, &x, &y)));
            }
            if let Some(end) = self.end_batch(index) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn end_batch(&mut self, index: usize) -> Option<End> {
        self.done = index + 1;
        self.live
            .batch_end(self.epoch, self.done, self.means.values());
        if self.settings.callbacks.is_empty() {
            return None;
        }
        self.logs.set_values(self.means.values());
        for callback in &mut self.settings.callbacks {
            if let Some(end) = End::of(callback.batch_end(index, &self.logs, self.model)) {
                return Some(end);
            }
        }
        None
    }

    /// Validation, history and callbacks after an epoch's batches.
    fn end_epoch(&mut self) -> Result<Option<End>> {
        let validation = match &self.data.validation {
            None => None,
            Some((x, y)) => match self
                .model
                .measure(x, y, self.settings.batch_size, false, None)?
            {
                Some(values) => Some(values),
                None => return Ok(Some(End::Interrupted)),
            },
        };
        let means = self.means.values();
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

    fn not_finite(&mut self, batch: usize, loss: f64, x: &Tensor, y: &Tensor) -> End {
        let finite =
            |tensor: &Tensor| tensor.is_sparse() || tensor.to_vec().iter().all(|v| v.is_finite());
        let cause = if !finite(x) {
            "this batch of x itself holds NaN or infinity: clean the data first".to_string()
        } else if !finite(y) {
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
            End::NotFinite { batch, loss, cause } => {
                let what = if loss.is_nan() { "nan" } else { "infinity" };
                let place = format!(
                    "batch {} of {} in epoch {}",
                    batch + 1,
                    self.steps,
                    self.epoch + 1
                );
                let history = self.close(&format!("{what} in the loss at {place}"));
                if self
                    .settings
                    .callbacks
                    .iter()
                    .any(|callback| callback.ends_at_nan())
                {
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
                        .zip(self.means.values().iter().copied())
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

fn panic_text(panic: &(dyn Any + Send)) -> String {
    match panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied())
    {
        Some(text) => format!("a function panicked ({text})"),
        None => "a function panicked".to_string(),
    }
}
