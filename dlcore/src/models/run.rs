//! One `fit` while it runs: its epochs, their batches, who watches.

mod ending;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use self::ending::End;
use super::batch_sequence::BatchSequence;
use super::checks;
use super::data::Batch;
use super::guard;
use super::history::{History, LEARNING_RATE};
use super::model::Model;
use super::settings::Fit;
use super::step::{self, Manner, Prepared, Samples};
use super::tally::Tally;
use super::{placement, shares};
use crate::callbacks::{Logs, Trainable as _};
use crate::device::cpu::buffers::ReleaseAtEnd;
use crate::device::cuda::Staging;
use crate::device::{Device, cuda};
use crate::distributed::{DataParallel, INTERRUPTED, reason_of};
use crate::grad::ops::Products;
use crate::plot::{LiveFit, LivePlan};
use crate::random::permutation;
use crate::{Error, Result, Tensor, interrupt};

/// Where batches come from.
pub(super) enum Source<'a> {
    /// All samples, as the model takes them, checked.
    Samples(Prepared),
    /// A generator: each batch is checked as it comes.
    Batches(Box<dyn Iterator<Item = Batch> + 'a>),
    /// Each batch is asked for, and checked, when its turn comes.
    Sequence(BatchSequence),
}

/// The next batch: one of its own, or the place of some of all samples.
enum Own {
    Samples(Range<usize>),
    Batch(Prepared),
}

/// What is validated on after each epoch.
pub(super) enum Checked {
    Nothing,
    Samples(Prepared),
    Batches(Box<dyn Iterator<Item = Batch>>, usize),
    Sequence(BatchSequence),
}

/// One `fit` while it runs.
pub(super) struct Run<'a> {
    model: &'a mut Model,
    source: Source<'a>,
    validation: Checked,
    settings: Fit,
    /// Names of training's losses and metrics, then of validation's, then the learning rate's where it is
    /// recorded.
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
    /// The samples of this epoch that were trained on in this process.
    seen: usize,
    tally: Tally,
    logs: Logs,
    /// The weights as they were before this epoch.
    before_epoch: Vec<Tensor>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        model: &'a mut Model,
        source: Source<'a>,
        validation: Checked,
        steps: usize,
        settings: Fit,
        names: Vec<String>,
    ) -> Run<'a> {
        let has_validation = !matches!(validation, Checked::Nothing);
        let values = names.iter().filter(|name| *name != LEARNING_RATE).count();
        let measured = if has_validation { values / 2 } else { values };
        let live = LiveFit::start(LivePlan {
            epochs: settings.epochs,
            initial_epoch: settings.initial_epoch,
            steps_per_epoch: steps,
            has_validation,
            metrics: names[..measured].to_vec(),
            verbose: shown(&settings),
            options: settings.callbacks.iter().find_map(|c| c.live_plot()),
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
            before_epoch: here(model).unwrap_or_else(|_| model.get_weights()),
            tally: tally(model),
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
            seen: 0,
            logs,
        }
    }

    pub(super) fn run(mut self) -> Result<History> {
        let _memory = ReleaseAtEnd::begin();
        let _staging = Staging::begin();
        // A closure of the user's may panic; the weights are valid between batches, and the
        // history is worth keeping.
        let end = catch_unwind(AssertUnwindSafe(|| self.train()));
        if let Some(compiled) = &mut self.model.compiled {
            compiled.chain.forget();
        }
        if let Some(ranks) = &self.settings.distribution {
            let reason = match &end {
                Ok(Ok(end)) => end.of_this_rank_alone(),
                Ok(Err(error)) => Some(reason_of(error)),
                Err(panic) => Some(guard::panic_text(&**panic)),
            };
            if let Some(reason) = reason {
                ranks.leave(&reason);
            }
        }
        match end {
            Ok(Ok(end)) => self.finish(end),
            Ok(Err(Error::Device(text))) if text.contains(INTERRUPTED) => {
                self.finish(End::Interrupted)
            }
            Ok(Err(Error::Device(text))) => Err(self.device_failed(text)),
            Ok(Err(error)) => {
                self.close("an error");
                Err(error)
            }
            Err(panic) => {
                // What ends training must not be lost on those who wait for its end.
                let _ = catch_unwind(AssertUnwindSafe(|| self.end_callbacks()));
                let text = guard::panic_text(&*panic);
                if guard::of_a_device(&text) {
                    return Err(self.device_failed(text));
                }
                self.close("an error");
                Err(Error::Model(format!(
                    "fit: {text}, at batch {} of epoch {}; the model keeps the weights of the batch before, \
                     and history() the epochs that were finished",
                    self.done + 1,
                    self.epoch + 1,
                )))
            }
        }
    }

    /// What is told where a card is full or fails. Weights that are lost with it are those from before the epoch
    /// again, which are kept here; what the optimizer had there is gone.
    fn device_failed(&mut self, text: String) -> Error {
        let leaves = self.model.leaves();
        let mut kept = "the batch before";
        if cuda::any_lost() && !placement::leave_lost(&leaves) {
            self.restore();
            kept = match placement::leave_lost(&leaves) {
                true => "before this epoch, with an optimizer that begins anew",
                // Trained by hand, so that nobody had a copy of them.
                false => {
                    "no batch: they were on the card; give it others with set_weights or load_weights"
                }
            };
        } else if let Some(compiled) = &mut self.model.compiled
            && placement::renew(&mut *compiled.optimizer)
        {
            kept = "the batch before, with an optimizer that begins anew";
        }
        self.close("an error");
        let hint = match self.settings.batch_size {
            size @ 2.. if text.contains(cuda::OUT_OF_MEMORY) => {
                format!("; batch_size is {size}, try {}", size / 2)
            }
            _ => String::new(),
        };
        Error::Device(format!(
            "fit: {text}{hint} (at batch {} of epoch {}; the model keeps the weights of {kept}, and history() the epochs \
             that were finished)",
            self.done + 1,
            self.epoch + 1
        ))
    }

    fn train(&mut self) -> Result<End> {
        if let Some(ranks) = &self.settings.distribution {
            let settings = &self.settings;
            let plan = [
                settings.initial_epoch,
                settings.epochs,
                self.steps,
                settings.batch_size,
                usize::from(settings.products != Products::Single),
            ];
            shares::begin(ranks, self.model, &plan)?;
            self.before_epoch = here(self.model)?;
        }
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
            self.seen = 0;
            self.tally = tally(self.model);
            self.before_epoch = here(self.model)?;
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
            if !self.finite_on_all_ranks()? {
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
            Source::Sequence(batches) if self.settings.shuffle => Some(permutation(batches.len())),
            _ => None,
        };
        let order = match (&self.settings.distribution, order) {
            (Some(ranks), Some(order)) => Some(ranks.order(order)?),
            (_, order) => order,
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
            let own = self.own_batch(index, order.as_deref())?;
            let Some(own) = own else {
                let reason = format!(
                    "the generator ended after {index} of {} batches in epoch {}",
                    self.steps,
                    self.epoch + 1
                );
                return Ok(Some(End::Stopped(reason)));
            };
            let samples = match (&own, &self.source) {
                (Own::Samples(range), Source::Samples(data)) => {
                    Samples::Of(data, order.as_deref(), range.clone())
                }
                (Own::Batch(batch), _) => Samples::Batch(batch),
                (Own::Samples(_), _) => unreachable!("only whole data are taken in ranges"),
            };
            let ranks = self.settings.distribution.as_ref();
            let manner = Manner {
                ranks,
                products: self.settings.products,
            };
            let loss = step::train(self.model, &mut self.tally, &samples, manner)?;
            self.seen += match ranks {
                None => samples.count(),
                Some(ranks) => {
                    let shares = ranks.shares(samples.count());
                    shares.iter().map(ExactSizeIterator::len).sum()
                }
            };
            if !loss.is_finite() {
                let batch = samples.batch();
                return Ok(Some(self.not_finite(index, loss, &batch)));
            }
            if let Some(end) = self.end_batch(index) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// The next batch; `None` where a generator has no more.
    fn own_batch(&mut self, index: usize, order: Option<&[usize]>) -> Result<Option<Own>> {
        match &mut self.source {
            Source::Samples(data) => {
                let start = index * self.settings.batch_size;
                let end = (start + self.settings.batch_size).min(data.samples());
                Ok(Some(Own::Samples(start..end)))
            }
            Source::Batches(batches) => {
                let Some(batch) = batches.next() else {
                    return Ok(None);
                };
                let batch = self.checked(&batch, index, "fit_batches")?;
                Ok(Some(Own::Batch(batch)))
            }
            Source::Sequence(batches) => {
                let batch = batches.batch(order.map_or(index, |order| order[index]));
                let batch = self.checked(&batch, index, "fit_sequence")?;
                Ok(Some(Own::Batch(batch)))
            }
        }
    }

    /// A batch as the model takes it.
    fn checked(&self, batch: &Batch, index: usize, operation: &str) -> Result<Prepared> {
        let what = format!(
            "{operation}: batch {} of epoch {}",
            index + 1,
            self.epoch + 1
        );
        let mut batch = checks::prepare(self.model, self.model.compiled(operation)?, batch, &what)?;
        let classes = &self.settings.class_weight;
        self.model.weigh_classes(&mut batch, classes)?;
        Ok(batch)
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
        let (validation, short) = match self.validate()? {
            Validated::Nothing => (None, None),
            Validated::Values(values) => (Some(values), None),
            Validated::Short(values, reason) => (Some(values), Some(reason)),
            Validated::Interrupted => return Ok(Some(End::Interrupted)),
        };
        let mut means = self.tally.values().to_vec();
        if let Some(ranks) = &self.settings.distribution {
            average(ranks, &mut means, self.seen)?;
        }
        let means = &means;
        let rate = self.model.learning_rate();
        let values = means
            .iter()
            .chain(validation.iter().flatten())
            .chain([&rate]);
        let named = self.names.iter().cloned().zip(values.copied());
        let logs = Logs::from(named.collect::<Vec<_>>());
        self.history.push(&logs);
        self.live
            .epoch_end(self.epoch, means, validation.as_deref());
        // Finished: what happens from here on belongs to no epoch that was begun.
        self.done = 0;
        self.model.identity.touch();
        if let Source::Sequence(batches) = &mut self.source {
            batches.end_epoch();
        }
        for callback in &mut self.settings.callbacks {
            if let Some(end) = End::of(callback.epoch_end(self.epoch, &logs, self.model)) {
                return Ok(Some(end));
            }
        }
        crate::cell::kept::trained(self.model, &self.history);
        Ok(short.map(End::Stopped))
    }

    fn validate(&mut self) -> Result<Validated> {
        // What evaluating needs and what a step needs are not there at the same time.
        if !matches!(self.validation, Checked::Nothing)
            && let Some(compiled) = &mut self.model.compiled
        {
            compiled.chain.forget_large();
        }
        let model = &*self.model;
        let (measured, steps) = match &mut self.validation {
            Checked::Nothing => return Ok(Validated::Nothing),
            Checked::Samples(data) => {
                let values = model.measure(data, Some(self.settings.batch_size), false, None)?;
                return Ok(values.map_or(Validated::Interrupted, Validated::Values));
            }
            Checked::Batches(batches, steps) => {
                let what = "fit: validation_batches";
                (model.measure_batches(batches, *steps, false, what)?, *steps)
            }
            Checked::Sequence(batches) => {
                let (what, steps) = ("fit: validation_sequence", batches.len());
                (
                    model.measure_batches(&mut batches.all(), steps, false, what)?,
                    steps,
                )
            }
        };
        Ok(match measured {
            None => Validated::Interrupted,
            Some(measured) if measured.batches == steps => Validated::Values(measured.values),
            Some(measured) => {
                let reason = format!(
                    "the validation generator ended after {} of {steps} batches in epoch {}",
                    measured.batches,
                    self.epoch + 1
                );
                Validated::Short(measured.values, reason)
            }
        })
    }
}

/// What came of an epoch's validation.
enum Validated {
    Nothing,
    Values(Vec<f64>),
    /// Of fewer batches than there were to be, and why.
    Short(Vec<f64>, String),
    Interrupted,
}

/// What is shown: of several ranks the first speaks for all.
fn shown(settings: &Fit) -> u8 {
    match &settings.distribution {
        Some(ranks) if ranks.rank() > 0 => 0,
        _ => settings.verbose,
    }
}

/// The means of all ranks, each by the samples it has seen.
fn average(ranks: &DataParallel, means: &mut [f64], seen: usize) -> Result<()> {
    if ranks.are_here() {
        return Ok(());
    }
    let mut sums: Vec<f32> = means
        .iter()
        .map(|&mean| (mean * seen as f64) as f32)
        .collect();
    sums.push(seen as f32);
    // Without samples there is no mean, but nothing to add either.
    if seen == 0 {
        sums.fill(0.0);
    }
    ranks.sum(&mut sums)?;
    let all = f64::from(sums[means.len()]);
    for (mean, &sum) in means.iter_mut().zip(&sums) {
        *mean = f64::from(sum) / all;
    }
    Ok(())
}

/// The weights, in the processor's memory: they outlive a card.
fn here(model: &Model) -> Result<Vec<Tensor>> {
    let weights = model.get_weights().into_iter();
    weights.map(|weight| weight.to(Device::Cpu)).collect()
}

fn tally(model: &Model) -> Tally {
    let compiled = model.compiled.as_ref().expect("checked before training");
    Tally::of_training(compiled)
}
