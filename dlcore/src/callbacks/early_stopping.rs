//! Ending training when a metric no longer improves.

use super::monitor::Monitor;
use super::{Callback, Control, Logs, Trainable};
use crate::{Result, Tensor};

/// Ends training when the monitored metric has not improved for `patience` epochs.
///
/// As in Keras, the metric's direction comes from its name (losses and errors fall, accuracies
/// rise) unless [`EarlyStopping::mode`] says it.
///
/// ```
/// use dlcore::callbacks::EarlyStopping;
/// let stop = EarlyStopping::new("val_loss").patience(2).restore_best_weights(true);
/// ```
pub struct EarlyStopping {
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    best: Option<f64>,
    best_epoch: usize,
    best_weights: Option<Vec<Tensor>>,
    wait: usize,
}

impl EarlyStopping {
    /// Watches `monitor`: `"val_loss"`, `"accuracy"`, …
    pub fn new(monitor: &str) -> Self {
        EarlyStopping {
            monitor: Monitor::new(monitor, 0.0),
            patience: 0,
            baseline: None,
            restore_best_weights: false,
            start_from_epoch: 0,
            best: None,
            best_epoch: 0,
            best_weights: None,
            wait: 0,
        }
    }

    /// Epochs without improvement before training ends (0).
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// The least change that counts as an improvement (0).
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.monitor.min_delta = delta;
        self
    }

    /// `"min"`, `"max"` or `"auto"` (`"auto"`).
    pub fn mode(mut self, mode: &str) -> Self {
        self.monitor.mode = mode.to_string();
        self
    }

    /// A value that must be beaten for the patience to start anew (none).
    pub fn baseline(mut self, value: f64) -> Self {
        self.baseline = Some(value);
        self
    }

    /// Whether the model gets back the weights of its best epoch when training ends (false).
    pub fn restore_best_weights(mut self, restore: bool) -> Self {
        self.restore_best_weights = restore;
        self
    }

    /// Epochs (counted from 0) before this one are not looked at (0).
    pub fn start_from_epoch(mut self, epoch: usize) -> Self {
        self.start_from_epoch = epoch;
        self
    }
}

impl Callback for EarlyStopping {
    fn check(&self, recorded: &[String]) -> Result<()> {
        self.monitor.check("EarlyStopping", recorded)
    }

    fn train_begin(&mut self, _: &mut dyn Trainable) {
        self.best = None;
        self.best_epoch = 0;
        self.best_weights = None;
        self.wait = 0;
    }

    fn epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        let Some(value) = self
            .monitor
            .value(logs)
            .filter(|_| epoch >= self.start_from_epoch)
        else {
            return Control::Continue;
        };
        self.wait += 1;
        if self.monitor.improves(value, self.best) {
            self.best = Some(value);
            self.best_epoch = epoch;
            if self.restore_best_weights {
                self.best_weights = Some(model.get_weights());
            }
            if self.baseline.is_none() || self.monitor.improves(value, self.baseline) {
                self.wait = 0;
            }
        } else if self.wait >= self.patience && epoch > 0 {
            return Control::Stop(format!(
                "early stopping: {} was best in epoch {}",
                self.monitor.name,
                self.best_epoch + 1
            ));
        }
        Control::Continue
    }

    fn train_end(&mut self, model: &mut dyn Trainable) {
        if let Some(weights) = self.best_weights.take() {
            model
                .set_weights(&weights)
                .expect("the model's own weights fit it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Model};
    use super::*;

    /// The epoch (from 0) after which it stops, and the weight the model ends with: epoch `n`'s
    /// weight is `n`.
    fn run(mut stopping: EarlyStopping, metric: &str, values: &[f64]) -> (Option<usize>, f64) {
        let mut model = Model::new();
        let stopped = fake::run(&mut stopping, &mut model, metric, values);
        (stopped.map(|(epoch, _)| epoch), model.weights[0].item())
    }

    #[test]
    fn waits_for_its_patience_and_restores_the_best_weights() {
        let losses = [0.9, 0.5, 0.6, 0.7, 0.4];
        let patient = || EarlyStopping::new("val_loss").patience(2);
        assert_eq!(run(patient(), "val_loss", &losses), (Some(3), 3.0));
        assert_eq!(
            run(patient().restore_best_weights(true), "val_loss", &losses),
            (Some(3), 1.0)
        );
        assert_eq!(
            run(EarlyStopping::new("val_loss"), "val_loss", &losses),
            (Some(2), 2.0)
        );
        assert_eq!(run(patient().patience(5), "val_loss", &losses), (None, 4.0));
    }

    #[test]
    fn restores_the_best_weights_even_if_training_ran_to_its_end() {
        let stopping = EarlyStopping::new("val_loss")
            .patience(9)
            .restore_best_weights(true);
        assert_eq!(run(stopping, "val_loss", &[0.9, 0.5, 0.6]), (None, 1.0));
    }

    #[test]
    fn accuracies_rise_and_the_mode_decides_for_other_names() {
        let rising = [0.5, 0.6, 0.7, 0.6];
        assert_eq!(
            run(EarlyStopping::new("val_accuracy"), "val_accuracy", &rising).0,
            Some(3)
        );
        assert_eq!(
            run(EarlyStopping::new("score").mode("max"), "score", &rising).0,
            Some(3)
        );
        assert_eq!(
            run(EarlyStopping::new("score").mode("min"), "score", &rising).0,
            Some(1)
        );
    }

    #[test]
    fn a_change_smaller_than_min_delta_is_none() {
        let stopping = EarlyStopping::new("loss").min_delta(0.1);
        assert_eq!(run(stopping, "loss", &[0.9, 0.7, 0.65]).0, Some(2));
    }

    #[test]
    fn a_metric_that_will_not_be_recorded_is_refused_before_training() {
        let recorded = ["loss".to_string(), "accuracy".to_string()];
        let error = EarlyStopping::new("val_loss")
            .check(&recorded)
            .unwrap_err()
            .to_string();
        assert!(error.contains("validation_data"), "{error}");
        let error = EarlyStopping::new("acc")
            .check(&recorded)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown metric \"acc\""), "{error}");
    }
}
