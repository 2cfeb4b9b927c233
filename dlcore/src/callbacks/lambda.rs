//! A callback from closures.

use super::{Callback, Control, Logs, Trainable};

type Hook = Box<dyn FnMut(usize, &Logs) -> Control + Send>;
type BeginHook = Box<dyn FnMut(usize) -> Control + Send>;
type TrainHook = Box<dyn FnMut() + Send>;

/// Runs closures while a model trains. One that returns nothing watches; one that returns a [`Control`] may
/// end training.
///
/// ```
/// use dlcore::callbacks::{Control, LambdaCallback};
/// let print = LambdaCallback::new().on_epoch_end(|epoch, logs| println!("{epoch}: {logs}"));
/// let stop_early = LambdaCallback::new().on_epoch_end(|_epoch, logs| {
///     if logs["loss"] < 0.1 { Control::Stop("the loss is low enough".into()) } else { Control::Continue }
/// });
/// ```
#[derive(Default)]
pub struct LambdaCallback {
    train_begin: Option<TrainHook>,
    train_end: Option<TrainHook>,
    epoch_begin: Option<BeginHook>,
    epoch_end: Option<Hook>,
    batch_begin: Option<BeginHook>,
    batch_end: Option<Hook>,
}

impl LambdaCallback {
    /// A callback that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs before the first epoch.
    pub fn on_train_begin(mut self, hook: impl FnMut() + Send + 'static) -> Self {
        self.train_begin = Some(Box::new(hook));
        self
    }

    /// Runs after the last epoch, whatever ended it.
    pub fn on_train_end(mut self, hook: impl FnMut() + Send + 'static) -> Self {
        self.train_end = Some(Box::new(hook));
        self
    }

    /// Runs before each epoch, with its number from 0.
    pub fn on_epoch_begin<C: Into<Control>>(
        mut self,
        mut hook: impl FnMut(usize) -> C + Send + 'static,
    ) -> Self {
        self.epoch_begin = Some(Box::new(move |epoch| hook(epoch).into()));
        self
    }

    /// Runs before each batch, with its number from 0.
    pub fn on_batch_begin<C: Into<Control>>(
        mut self,
        mut hook: impl FnMut(usize) -> C + Send + 'static,
    ) -> Self {
        self.batch_begin = Some(Box::new(move |batch| hook(batch).into()));
        self
    }

    /// Runs after each epoch, with its number from 0 and its losses and metrics.
    pub fn on_epoch_end<C: Into<Control>>(
        mut self,
        mut hook: impl FnMut(usize, &Logs) -> C + Send + 'static,
    ) -> Self {
        self.epoch_end = Some(Box::new(move |epoch, logs| hook(epoch, logs).into()));
        self
    }

    /// Runs after each batch, with its number from 0 and the means over the epoch so far.
    pub fn on_batch_end<C: Into<Control>>(
        mut self,
        mut hook: impl FnMut(usize, &Logs) -> C + Send + 'static,
    ) -> Self {
        self.batch_end = Some(Box::new(move |batch, logs| hook(batch, logs).into()));
        self
    }
}

impl Callback for LambdaCallback {
    fn train_begin(&mut self, _: &mut dyn Trainable) {
        if let Some(hook) = &mut self.train_begin {
            hook();
        }
    }

    fn train_end(&mut self, _: &mut dyn Trainable) {
        if let Some(hook) = &mut self.train_end {
            hook();
        }
    }

    fn epoch_begin(&mut self, epoch: usize, _: &mut dyn Trainable) -> Control {
        let hook = self.epoch_begin.as_mut();
        hook.map_or(Control::Continue, |hook| hook(epoch))
    }

    fn batch_begin(&mut self, batch: usize, _: &mut dyn Trainable) -> Control {
        let hook = self.batch_begin.as_mut();
        hook.map_or(Control::Continue, |hook| hook(batch))
    }

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
