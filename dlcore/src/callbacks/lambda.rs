//! A callback from closures.

use super::{Callback, Control, Logs, Trainable};

type Hook = Box<dyn FnMut(usize, &Logs) -> Control + Send>;

/// Runs closures while a model trains.
///
/// ```
/// use dlcore::callbacks::{Control, LambdaCallback};
/// let stop_early = LambdaCallback::new().on_epoch_end(|_epoch, logs| {
///     if logs["loss"] < 0.1 { Control::Stop("the loss is low enough".into()) } else { Control::Continue }
/// });
/// ```
#[derive(Default)]
pub struct LambdaCallback {
    epoch_end: Option<Hook>,
    batch_end: Option<Hook>,
}

impl LambdaCallback {
    /// A callback that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs after each epoch, with its number from 0 and its losses and metrics.
    pub fn on_epoch_end(
        mut self,
        hook: impl FnMut(usize, &Logs) -> Control + Send + 'static,
    ) -> Self {
        self.epoch_end = Some(Box::new(hook));
        self
    }

    /// Runs after each batch, with its number from 0 and the means over the epoch so far.
    pub fn on_batch_end(
        mut self,
        hook: impl FnMut(usize, &Logs) -> Control + Send + 'static,
    ) -> Self {
        self.batch_end = Some(Box::new(hook));
        self
    }
}

impl Callback for LambdaCallback {
    fn epoch_end(&mut self, epoch: usize, logs: &Logs, _: &mut dyn Trainable) -> Control {
        self.epoch_end
            .as_mut()
            .map_or(Control::Continue, |hook| hook(epoch, logs))
    }

    fn batch_end(&mut self, batch: usize, logs: &Logs, _: &mut dyn Trainable) -> Control {
        self.batch_end
            .as_mut()
            .map_or(Control::Continue, |hook| hook(batch, logs))
    }
}
