//! How a `fit` ends, and what is left then.

use super::Run;
use crate::callbacks::{Control, Logs, Trainable as _};
use crate::device::cuda;
use crate::models::history::{History, PartialEpoch};
use crate::models::step::Prepared;
use crate::{Error, Result, Tensor};

/// Why the epochs ended.
pub(super) enum End {
    Completed,
    /// A callback's reason.
    Stopped(String),
    /// Why a callback failed.
    Failed(String),
    Interrupted,
    /// The last step of the epoch made weights NaN or infinite, on one rank at least; they are those from before it again.
    Diverged,
    /// The loss is NaN or infinite.
    NotFinite {
        batch: usize,
        loss: f64,
        cause: String,
    },
}

impl End {
    /// Why training has ended on this rank, where it goes on on others: the rest ends on each at the same batch, by what all
    /// have in common.
    pub(super) fn of_this_rank_alone(&self) -> Option<String> {
        match self {
            End::Completed | End::Diverged | End::NotFinite { .. } => None,
            End::Stopped(reason) => Some(format!("its training was stopped: {reason}")),
            End::Failed(reason) => Some(format!("fit: {reason}")),
            End::Interrupted => Some("it was interrupted".to_string()),
        }
    }

    /// What a callback decided, if training is not to go on.
    pub(super) fn of(control: Control) -> Option<End> {
        match control {
            Control::Continue => None,
            Control::Stop(reason) => Some(End::Stopped(reason)),
            Control::Fail(reason) => Some(End::Failed(reason)),
        }
    }
}

impl Run<'_> {
    pub(super) fn not_finite(&mut self, batch: usize, loss: f64, data: &Prepared) -> End {
        let finite =
            |tensor: &Tensor| tensor.is_sparse() || tensor.to_vec().iter().all(|v| v.is_finite());
        let cause = if !data.x.iter().all(finite) {
            "this batch of x itself holds NaN or infinity: clean the data first".to_string()
        } else if !data.y.iter().all(finite) {
            "this batch of y itself holds NaN or infinity: clean the data first".to_string()
        } else if !data.weights.iter().flatten().all(finite) {
            "sample_weight of this batch itself holds NaN or infinity: clean the data first"
                .to_string()
        } else if !self.all_finite() {
            self.restore();
            format!(
                "the weights had grown out of range, and are again those from before epoch {}; lower the learning \
                 rate (now {})",
                self.epoch + 1,
                self.model.learning_rate(),
            )
        } else {
            format!(
                "lower the learning rate (now {}), or scale the features to about 1",
                self.model.learning_rate()
            )
        };
        End::NotFinite { batch, loss, cause }
    }

    /// Whether all weights are numbers.
    pub(super) fn all_finite(&self) -> bool {
        let finite = |weight: &Tensor| weight.to_vec().iter().all(|w| w.is_finite());
        self.model.get_weights().iter().all(finite)
    }

    /// [`Run::all_finite`] of every rank: weights that a callback of one alone has spoilt end the training of all, not the
    /// one's while the others wait for it.
    pub(super) fn finite_on_all_ranks(&self) -> Result<bool> {
        let mut spoilt = [f32::from(u8::from(!self.all_finite()))];
        if let Some(ranks) = &self.settings.distribution {
            ranks.sum(&mut spoilt)?;
        }
        Ok(spoilt[0] == 0.0)
    }

    pub(super) fn restore(&mut self) {
        self.model
            .set_weights(&self.before_epoch)
            .expect("the model's own weights fit it");
        if let Some(compiled) = &mut self.model.compiled {
            compiled.optimizer.reset();
        }
    }

    pub(super) fn finish(mut self, end: End) -> Result<History> {
        match end {
            End::Completed => Ok(self.close("completed")),
            End::Stopped(reason) => Ok(self.close(&reason)),
            End::Interrupted => Ok(self.close("interrupted")),
            End::Failed(reason) => {
                self.close("an error");
                Err(Error::Model(format!(
                    "fit: {reason}; the model keeps the weights of the last batch, and history() the epochs that were \
                     finished"
                )))
            }
            End::Diverged => {
                let epoch = self.epoch + 1;
                let rate = self.model.learning_rate();
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
    pub(super) fn close(&mut self, reason: &str) -> History {
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
        // The copies stay with the weights: should the card fail later, while the model predicts, they are not lost.
        let _ = super::here(self.model);
        cuda::release();
        self.model.identity.touch();
        crate::cell::kept::trained(self.model, &history);
        history
    }
}
