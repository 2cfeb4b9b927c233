//! What there is to show of one `fit`: the curves so far, where training stands, and how it ended.

use std::time::Duration;

use super::live::LiveOptions;

/// A fit, as far as it has come. Values stand metric by metric, in the order of `metrics`.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Planned number of epochs, counted from 0 even where training goes on from a later one.
    pub epochs: usize,
    /// Epochs that were done before this fit.
    pub initial_epoch: usize,
    /// Batches in one epoch.
    pub steps_per_epoch: usize,
    /// Names without `val_`; the loss first.
    pub metrics: Vec<String>,
    /// Training values, one per finished epoch.
    pub train: Vec<Vec<f64>>,
    /// Validation values, one per finished epoch; empty without validation.
    pub validation: Vec<Vec<f64>>,
    /// The running epoch, if one was begun and not finished.
    pub running: Option<Running>,
    /// The first epoch as it went, kept of a fit that has no other: it is all there is to see.
    pub only: Option<Running>,
    /// Time since the fit began; absent where the curves come from a history.
    pub elapsed: Option<Duration>,
    /// Time when the last epoch ended.
    pub epochs_elapsed: Duration,
    /// Why training ended, once it has.
    pub stop: Option<String>,
    pub options: LiveOptions,
}

/// An epoch under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Batches done.
    pub step: usize,
    /// Running means after some of the batches: step, then a value per metric.
    pub trace: Vec<(usize, Vec<f64>)>,
}

/// The best epoch of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    /// Position among the finished epochs.
    pub index: usize,
    pub value: f64,
}

impl Run {
    pub fn new(
        epochs: usize,
        initial_epoch: usize,
        steps_per_epoch: usize,
        metrics: Vec<String>,
    ) -> Self {
        let train = vec![Vec::new(); metrics.len()];
        Run {
            epochs,
            initial_epoch,
            steps_per_epoch,
            metrics,
            train,
            ..Run::default()
        }
    }

    /// How many epochs of this fit are finished.
    pub fn finished(&self) -> usize {
        self.train.first().map_or(0, Vec::len)
    }

    /// The number, from 1, of the finished epoch at `index`.
    pub fn epoch_number(&self, index: usize) -> usize {
        self.initial_epoch + index + 1
    }

    /// Adds a finished epoch.
    pub fn push_epoch(&mut self, train: &[f64], validation: Option<&[f64]>) {
        let finished = self.finished();
        if finished == 0
            && self.epochs == self.initial_epoch + 1
            && let Some(mut only) = self.running.take()
        {
            only.step = self.steps_per_epoch;
            only.trace.retain(|(step, _)| *step < self.steps_per_epoch);
            only.trace.push((self.steps_per_epoch, train.to_vec()));
            self.only = Some(only);
        }
        for (values, &value) in self.train.iter_mut().zip(train) {
            values.push(value);
        }
        if let Some(validation) = validation {
            // Validation that begins late leaves a gap before it.
            self.validation
                .resize(self.metrics.len(), vec![f64::NAN; finished]);
            for (values, &value) in self.validation.iter_mut().zip(validation) {
                values.push(value);
            }
        } else {
            self.validation
                .iter_mut()
                .for_each(|values| values.push(f64::NAN));
        }
        self.running = None;
    }

    /// The validation curve of a metric, if there is one.
    pub fn validation_of(&self, metric: usize) -> Option<&[f64]> {
        self.validation
            .get(metric)
            .map(Vec::as_slice)
            .filter(|values| !values.is_empty())
    }

    /// The best validation epoch of a metric, where it is to be marked; among fewer than two there is nothing to
    /// choose.
    pub fn best(&self, metric: usize) -> Option<Best> {
        let values = self.validation_of(metric)?;
        let finite = values.iter().filter(|value| value.is_finite()).count();
        let marked = self.options.mark_best && finite > 1;
        best(values, higher_is_better(&self.metrics[metric])).filter(|_| marked)
    }

    /// Where training stands on the epoch axis: 2.5 in the middle of the third epoch.
    pub fn position(&self) -> f64 {
        match &self.running {
            Some(running) => self.place(running, running.step),
            None => (self.initial_epoch + self.finished()) as f64,
        }
    }

    /// Where a batch of the running epoch lies on the epoch axis.
    pub fn place(&self, running: &Running, step: usize) -> f64 {
        running.epoch as f64 + (step as f64 / self.steps_per_epoch.max(1) as f64).min(1.0)
    }

    /// Whether the chart counts batches: an only epoch would be a single dot.
    pub fn by_batch(&self) -> bool {
        self.epochs == self.initial_epoch + 1
            && self.steps_per_epoch > 1
            && match &self.only {
                Some(only) => only.trace.len() > 1,
                None => self.finished() == 0,
            }
    }

    /// The epoch whose batches are drawn: the running one, or the only one.
    pub fn shown_epoch(&self) -> Option<&Running> {
        let only = self.only.as_ref().filter(|_| self.by_batch());
        self.running.as_ref().or(only)
    }

    /// What the curve of the running epoch shows where `mean` is the epoch's mean so far: the mean over as
    /// many batches as an epoch has, those of this one and the rest from the one before. So it goes on
    /// from that and ends at this epoch's mean; the mean so far begins anew with one batch, and jumps.
    pub fn rolling(&self, running: &Running, metric: usize, (step, mean): (usize, f64)) -> f64 {
        let before = running.epoch.checked_sub(self.initial_epoch + 1);
        let before = before.and_then(|index| self.train.get(metric)?.get(index).copied());
        let share = step as f64 / self.steps_per_epoch.max(1) as f64;
        match before.filter(|before| before.is_finite() && mean.is_finite()) {
            Some(before) => before + share.min(1.0) * (mean - before),
            None => mean,
        }
    }

    /// The latest training values: of the running epoch, or else of the last finished one.
    pub fn latest(&self) -> Vec<f64> {
        match self
            .running
            .as_ref()
            .and_then(|running| running.trace.last())
        {
            Some((_, values)) => values.clone(),
            None => self
                .train
                .iter()
                .filter_map(|values| values.last().copied())
                .collect(),
        }
    }

    /// Seconds an epoch takes, validation included.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        if self.finished() > 0 {
            return Some(self.epochs_elapsed.as_secs_f64() / self.finished() as f64)
                .filter(|seconds| *seconds > 0.0);
        }
        let done = self.position() - self.initial_epoch as f64;
        self.elapsed
            .filter(|_| done > 0.0)
            .map(|elapsed| elapsed.as_secs_f64() / done)
    }

    /// Seconds that remain, if training goes on as it did.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.epochs as f64 - self.position();
        self.seconds_per_epoch()
            .map(|seconds| seconds * left.max(0.0))
    }

    /// The number, from 1, of the epoch in which a training value stopped being a number.
    pub fn diverged(&self) -> Option<usize> {
        let broken = |values: &[f64]| values.iter().any(|value| !value.is_finite());
        let finished = (0..self.finished())
            .find(|&epoch| self.train.iter().any(|values| !values[epoch].is_finite()))
            .map(|index| self.epoch_number(index));
        let running = self
            .running
            .as_ref()
            .filter(|running| running.trace.iter().any(|(_, v)| broken(v)));
        finished.or(running.map(|running| running.epoch + 1))
    }

    /// Whether training is over and has left no point that could be drawn.
    pub fn is_blank(&self) -> bool {
        let curves = self.train.iter().chain(&self.validation).flatten();
        let running = self.running.iter().flat_map(|running| &running.trace);
        let mut values = curves.chain(running.flat_map(|(_, values)| values));
        self.stop.is_some() && !values.any(|value| value.is_finite())
    }

    /// How training ended, in a few words, where it did not run to its end.
    pub fn stop_words(&self) -> Option<String> {
        if let Some(epoch) = self.diverged() {
            return Some(format!("NaN in epoch {epoch}"));
        }
        let reason = self.stop.as_deref()?;
        let lower = reason.to_lowercase();
        if lower.is_empty() || lower == "completed" {
            None
        } else if lower.starts_with("interrupt") {
            Some("interrupted".to_owned())
        } else if lower.starts_with("early") {
            Some("stopped early".to_owned())
        } else if lower.starts_with("nan") || lower.contains("became nan") {
            Some("NaN".to_owned())
        } else {
            Some(shorten(reason, 28))
        }
    }
}

/// Whether a metric is better when it is greater.
pub(super) fn higher_is_better(name: &str) -> bool {
    crate::models::greater_is_better(name)
}

/// The best finite value and its position; the earliest of equals.
pub(super) fn best(values: &[f64], higher: bool) -> Option<Best> {
    let mut best: Option<Best> = None;
    for (index, &value) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite())
    {
        let better = best.is_none_or(|best| {
            if higher {
                value > best.value
            } else {
                value < best.value
            }
        });
        if better {
            best = Some(Best { index, value });
        }
    }
    best
}

/// At most `length` characters, the last an ellipsis where something was cut.
pub(super) fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let mut run = Run::new(4, 0, 10, vec!["loss".into(), "accuracy".into()]);
        run.push_epoch(&[0.9, 0.5], Some(&[0.8, 0.6]));
        run.push_epoch(&[0.5, 0.7], Some(&[0.6, 0.9]));
        run.push_epoch(&[0.3, 0.8], Some(&[0.7, 0.8]));
        run
    }

    #[test]
    fn the_best_epoch_is_the_least_loss_and_the_greatest_accuracy() {
        assert_eq!(
            run().best(0),
            Some(Best {
                index: 1,
                value: 0.6
            })
        );
        assert_eq!(
            run().best(1),
            Some(Best {
                index: 1,
                value: 0.9
            })
        );
        assert_eq!(best(&[f64::NAN], false), None);
        assert_eq!(best(&[2.0, 1.0, 1.0], false).unwrap().index, 1);
    }

    #[test]
    fn time_left_follows_the_time_so_far() {
        let mut run = run();
        run.epochs_elapsed = Duration::from_secs(6);
        run.running = Some(Running {
            epoch: 3,
            step: 5,
            trace: vec![(5, vec![0.2, 0.9])],
        });
        assert_eq!(run.position(), 3.5);
        assert_eq!(run.seconds_per_epoch(), Some(2.0));
        assert_eq!(run.seconds_left(), Some(1.0));
        assert_eq!(run.latest(), [0.2, 0.9]);
    }

    #[test]
    fn the_running_curve_goes_on_from_the_last_epoch() {
        let mut run = Run::new(3, 0, 10, vec!["loss".into()]);
        let first = Running {
            epoch: 0,
            step: 5,
            trace: vec![(5, vec![2.0])],
        };
        assert_eq!(run.rolling(&first, 0, (5, 2.0)), 2.0);
        run.push_epoch(&[1.0], None);
        let second = Running {
            epoch: 1,
            ..Running::default()
        };
        let at = |step, mean| run.rolling(&second, 0, (step, mean));
        assert_eq!([at(0, 9.0), at(5, 0.5), at(10, 0.5)], [1.0, 0.75, 0.5]);
        assert!(at(5, f64::NAN).is_nan());
    }

    #[test]
    fn an_only_epoch_keeps_its_batches() {
        let trace = vec![(3, vec![2.0]), (10, vec![1.1])];
        let running = Running {
            epoch: 0,
            step: 10,
            trace,
        };
        let mut run = Run::new(1, 0, 10, vec!["loss".into()]);
        run.running = Some(running.clone());
        run.push_epoch(&[1.0], None);
        assert!(run.by_batch());
        let trace = &run.shown_epoch().unwrap().trace;
        assert_eq!(*trace, [(3, vec![2.0]), (10, vec![1.0])]);
        let mut run = Run::new(2, 0, 10, vec!["loss".into()]);
        run.running = Some(running);
        run.push_epoch(&[1.0], None);
        assert!(!run.by_batch() && run.shown_epoch().is_none());
    }

    #[test]
    fn an_end_before_the_end_is_said_in_words() {
        let mut run = run();
        for (reason, words) in [
            ("completed", None),
            ("interrupted", Some("interrupted")),
            (
                "early stopping: val_loss has not improved for 2 epochs",
                Some("stopped early"),
            ),
            ("nan in the loss at batch 3 of epoch 2", Some("NaN")),
        ] {
            run.stop = Some(reason.to_owned());
            assert_eq!(run.stop_words().as_deref(), words, "{reason}");
        }
        run.push_epoch(&[f64::NAN, 0.1], None);
        assert_eq!(run.stop_words().as_deref(), Some("NaN in epoch 4"));
    }

    #[test]
    fn a_missing_validation_leaves_a_gap() {
        let mut run = Run::new(2, 0, 1, vec!["loss".into()]);
        run.push_epoch(&[1.0], None);
        assert_eq!(run.validation_of(0), None);
        run.push_epoch(&[1.0], Some(&[2.0]));
        let values = run.validation_of(0).unwrap();
        assert!(values[0].is_nan() && values[1] == 2.0);
    }
}
