//! Code that runs while a model trains: at the start and end of training, of each epoch, of each
//! batch.

mod csv_logger;
mod early_stopping;
#[cfg(test)]
mod fake;
mod file_name;
mod lambda;
mod learning_rate_scheduler;
mod live_comparison;
mod live_plot;
mod live_predictions;
mod logs;
mod model_checkpoint;
mod monitor;
#[cfg(test)]
mod parity;
mod reduce_lr_on_plateau;
mod tensorboard;
mod terminate_on_nan;

pub use csv_logger::CSVLogger;
pub use early_stopping::EarlyStopping;
pub use lambda::LambdaCallback;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use live_comparison::{ComparedRun, LiveComparison};
pub use live_plot::LivePlot;
pub use live_predictions::LivePredictions;
pub use logs::Logs;
pub use model_checkpoint::ModelCheckpoint;
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNaN;

use std::path::Path;

use crate::plot::LiveOptions;
use crate::{Result, Tensor};

/// What training does after a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End training here; the reason becomes the history's
    /// [`stop_reason`](crate::models::History::stop_reason).
    Stop(String),
    /// End training because the callback failed, a disk is full for instance: `fit` returns an error
    /// with this reason, and the model and its history stay as they are.
    Fail(String),
}

/// Goes on if all is well, and fails with the error's text if not.
impl From<Result<()>> for Control {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Control::Continue,
            Err(error) => Control::Fail(error.to_string()),
        }
    }
}

/// A closure that returns nothing never ends training.
impl From<()> for Control {
    fn from(_: ()) -> Self {
        Control::Continue
    }
}

/// What a callback may do with the model that trains.
pub trait Trainable {
    /// The weights as they are now; handles, so nothing is copied until training changes them.
    fn get_weights(&self) -> Vec<Tensor>;

    /// Puts weights of the same shapes in place.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if number or shapes differ; nothing is changed then.
    fn set_weights(&mut self, weights: &[Tensor]) -> Result<()>;

    /// What the model makes of a batch, `[samples, …]`, as it is now: its only output, `[samples, …]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for inputs that do not fit; [`Error::Model`](crate::Error::Model) for
    /// a model with several outputs.
    fn predict(&self, x: &Tensor) -> Result<Tensor>;

    /// The optimizer's learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the optimizer's learning rate from the next batch on; takes the place of a schedule.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// The name of the schedule that the learning rate follows; `None` if it is a number.
    fn schedule(&self) -> Option<&'static str>;

    /// Saves the whole model, as its own `save` does.
    ///
    /// # Errors
    /// Whatever keeps it from being saved.
    fn save(&self, path: &Path) -> Result<()>;

    /// Saves the weights alone, as the model's own `save_weights` does.
    ///
    /// # Errors
    /// Whatever keeps them from being saved.
    fn save_weights(&self, path: &Path) -> Result<()>;
}

/// Fails for a model whose learning rate follows a schedule, which a callback is not to overrule.
fn check_rate_can_change(callback: &str, model: &dyn Trainable) -> Control {
    match model.schedule() {
        None => Control::Continue,
        Some(schedule) => Control::Fail(format!(
            "{callback}: the optimizer's learning rate follows {schedule}, so nothing else can change it; give the \
             optimizer a number, or leave out this callback"
        )),
    }
}

/// Something that watches training and may end it.
///
/// Every method does nothing unless it is written. Epochs and batches are counted from 0, as in
/// Keras. If a method panics, training ends with an error and the model keeps the weights of the
/// last batch.
#[expect(
    unused_variables,
    reason = "the names tell what is passed to a method that does nothing"
)]
pub trait Callback: Send {
    /// Before training: whether this callback can work with what will be recorded
    /// (`loss`, the metrics, `val_…`).
    ///
    /// # Errors
    /// Whatever makes it impossible; training does not begin then.
    fn check(&self, recorded: &[String]) -> Result<()> {
        Ok(())
    }

    /// Whether a loss that becomes NaN or infinite ends training as [`Control::Stop`] does, not with an
    /// error (false).
    fn ends_at_nan(&self) -> bool {
        false
    }

    /// Whether the history holds the learning rate of each epoch as `learning_rate`, for a callback that changes
    /// it (false).
    fn records_learning_rate(&self) -> bool {
        false
    }

    /// How the curves of this training are to be drawn; what [`LivePlot`] answers.
    #[doc(hidden)]
    fn live_plot(&self) -> Option<LiveOptions> {
        None
    }

    /// Before the first epoch.
    fn train_begin(&mut self, model: &mut dyn Trainable) {}

    /// After the last epoch, whatever ended it.
    fn train_end(&mut self, model: &mut dyn Trainable) {}

    /// Before an epoch.
    fn epoch_begin(&mut self, epoch: usize, model: &mut dyn Trainable) -> Control {
        Control::Continue
    }

    /// After an epoch and its validation; `logs` holds its losses and metrics.
    fn epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        Control::Continue
    }

    /// Before a batch.
    fn batch_begin(&mut self, batch: usize, model: &mut dyn Trainable) -> Control {
        Control::Continue
    }

    /// After a batch; `logs` holds the means over the epoch so far.
    fn batch_end(&mut self, batch: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        Control::Continue
    }
}
