//! Code that runs while a model trains: at the start and end of training, of each epoch, of each
//! batch.

mod early_stopping;
mod lambda;
mod logs;

pub use early_stopping::EarlyStopping;
pub use lambda::LambdaCallback;
pub use logs::Logs;

use crate::{Result, Tensor};

/// What training does after a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End training here; the reason becomes the history's
    /// [`stop_reason`](crate::models::History::stop_reason).
    Stop(String),
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

    /// The optimizer's learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the optimizer's learning rate from the next batch on.
    fn set_learning_rate(&mut self, learning_rate: f64);
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
