//! A learning rate of one's own for each epoch.

use super::{Callback, Control, Trainable, check_rate_can_change};

type Schedule = Box<dyn FnMut(usize, f64) -> f64 + Send>;

/// Sets the learning rate before each epoch, from the epoch's number (from 0) and the rate so far.
///
/// ```
/// use dlcore::callbacks::LearningRateScheduler;
/// let callback = LearningRateScheduler::new(|epoch, rate| if epoch < 10 { rate } else { rate * 0.9 });
/// ```
pub struct LearningRateScheduler {
    schedule: Schedule,
}

impl LearningRateScheduler {
    /// Calls `schedule(epoch, rate)` for each epoch's rate.
    pub fn new(schedule: impl FnMut(usize, f64) -> f64 + Send + 'static) -> Self {
        LearningRateScheduler {
            schedule: Box::new(schedule),
        }
    }
}

impl Callback for LearningRateScheduler {
    fn records_learning_rate(&self) -> bool {
        true
    }

    fn epoch_begin(&mut self, epoch: usize, model: &mut dyn Trainable) -> Control {
        let control = check_rate_can_change("LearningRateScheduler", model);
        if control != Control::Continue {
            return control;
        }
        let rate = (self.schedule)(epoch, model.learning_rate());
        if !(rate >= 0.0 && rate.is_finite()) {
            return Control::Fail(format!(
                "LearningRateScheduler: a learning rate must be a number, at least 0, but the function returned \
                 {rate} for epoch {epoch}"
            ));
        }
        model.set_learning_rate(rate);
        Control::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Model, run};
    use super::*;

    #[test]
    fn the_rate_of_each_epoch_comes_from_the_one_before() {
        let mut model = Model::new();
        model.rate = 1.0;
        let mut callback =
            LearningRateScheduler::new(|epoch, rate| if epoch == 0 { rate } else { rate / 2.0 });
        assert_eq!(run(&mut callback, &mut model, "loss", &[0.0; 3]), None);
        assert_eq!(model.rate, 0.25);
    }

    #[test]
    fn a_rate_that_is_no_number_ends_training_and_changes_nothing() {
        let mut model = Model::new();
        let mut callback = LearningRateScheduler::new(|_, _| f64::NAN);
        let (_, control) = run(&mut callback, &mut model, "loss", &[0.0]).unwrap();
        assert!(
            matches!(control, Control::Fail(reason) if reason.contains("returned NaN for epoch 0"))
        );
        assert_eq!(model.rate, 0.1);
    }
}
