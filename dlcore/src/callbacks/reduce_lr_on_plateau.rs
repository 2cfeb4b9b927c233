//! A smaller learning rate when a metric no longer improves.

use super::monitor::Monitor;
use super::{Callback, Control, Logs, Trainable, check_rate_can_change};
use crate::{Error, Result};

/// Multiplies the learning rate by `factor` when the monitored metric has not improved for `patience`
/// epochs.
///
/// ```
/// use dlcore::callbacks::ReduceLROnPlateau;
/// let callback = ReduceLROnPlateau::new("val_loss").factor(0.5).patience(3).min_lr(1e-5);
/// ```
pub struct ReduceLROnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    best: Option<f64>,
    wait: usize,
    cooling: usize,
}

impl ReduceLROnPlateau {
    /// Watches `monitor`: `"val_loss"`, `"accuracy"`, …
    pub fn new(monitor: &str) -> Self {
        ReduceLROnPlateau {
            monitor: Monitor::new(monitor, 1e-4),
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            best: None,
            wait: 0,
            cooling: 0,
        }
    }

    /// What the learning rate is multiplied by, above 0 and below 1 (0.1).
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Epochs without improvement before the rate falls (10).
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// The least change that counts as an improvement (0.0001).
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.monitor.min_delta = delta;
        self
    }

    /// `"min"`, `"max"` or `"auto"`, as the metric's name tells (`"auto"`).
    pub fn mode(mut self, mode: &str) -> Self {
        self.monitor.mode = mode.to_string();
        self
    }

    /// Epochs after a fall in which none is counted as one without improvement (0).
    pub fn cooldown(mut self, epochs: usize) -> Self {
        self.cooldown = epochs;
        self
    }

    /// The rate does not fall below this one (0).
    pub fn min_lr(mut self, rate: f64) -> Self {
        self.min_lr = rate;
        self
    }
}

impl Callback for ReduceLROnPlateau {
    fn records_learning_rate(&self) -> bool {
        true
    }

    fn check(&self, recorded: &[String]) -> Result<()> {
        let refuse = |setting: &str, allowed: &str, value: f64| {
            Err(Error::Value(format!(
                "ReduceLROnPlateau: {setting} must be {allowed}, got {value}"
            )))
        };
        if !(self.factor > 0.0 && self.factor < 1.0) {
            return refuse("factor", "above 0 and below 1", self.factor);
        }
        if !(self.min_lr >= 0.0 && self.min_lr.is_finite()) {
            return refuse("min_lr", "a number, at least 0", self.min_lr);
        }
        self.monitor.check("ReduceLROnPlateau", recorded)
    }

    fn train_begin(&mut self, _: &mut dyn Trainable) {
        (self.best, self.wait, self.cooling) = (None, 0, 0);
    }

    fn epoch_begin(&mut self, _: usize, model: &mut dyn Trainable) -> Control {
        check_rate_can_change("ReduceLROnPlateau", model)
    }

    fn epoch_end(&mut self, _: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        let Some(value) = self.monitor.value(logs) else {
            return Control::Continue;
        };
        if self.cooling > 0 {
            self.cooling -= 1;
            self.wait = 0;
        }
        if self.monitor.improves(value, self.best) {
            self.best = Some(value);
            self.wait = 0;
        } else if self.cooling == 0 {
            self.wait += 1;
            let rate = model.learning_rate();
            if self.wait >= self.patience && rate > self.min_lr {
                model.set_learning_rate((rate * self.factor).max(self.min_lr));
                self.cooling = self.cooldown;
                self.wait = 0;
            }
        }
        Control::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Model, run};
    use super::*;

    fn rate(mut callback: ReduceLROnPlateau, losses: &[f64]) -> f64 {
        let mut model = Model::new();
        model.rate = 1.0;
        assert_eq!(run(&mut callback, &mut model, "loss", losses), None);
        model.rate
    }

    #[test]
    fn the_rate_falls_after_each_plateau_but_not_below_the_least() {
        let halves = || ReduceLROnPlateau::new("loss").factor(0.5).patience(2);
        assert_eq!(rate(halves(), &[1.0, 0.9, 0.9, 0.95]), 0.5);
        assert_eq!(rate(halves(), &[1.0, 1.0, 1.0, 1.0, 1.0]), 0.25);
        assert_eq!(rate(halves().cooldown(2), &[1.0, 1.0, 1.0, 1.0, 1.0]), 0.5);
        assert_eq!(rate(halves().min_lr(0.4), &[1.0; 9]), 0.4);
        assert_eq!(rate(halves().min_delta(0.2), &[1.0, 0.9, 0.85]), 0.5);
    }

    #[test]
    fn a_rate_that_follows_a_schedule_is_left_to_it() {
        let mut model = Model::new();
        model.schedule = Some("CosineDecay");
        let mut callback = ReduceLROnPlateau::new("loss");
        let (epoch, control) = run(&mut callback, &mut model, "loss", &[1.0]).unwrap();
        let Control::Fail(reason) = control else {
            panic!("{control:?}")
        };
        assert!(epoch == 0 && reason.contains("CosineDecay"), "{reason}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let recorded = ["loss".to_string()];
        let error =
            |callback: ReduceLROnPlateau| callback.check(&recorded).unwrap_err().to_string();
        assert_eq!(
            error(ReduceLROnPlateau::new("loss").factor(1.0)),
            "ReduceLROnPlateau: factor must be above 0 and below 1, got 1"
        );
        assert!(error(ReduceLROnPlateau::new("loss").min_lr(-1.0)).contains("min_lr"));
    }
}
