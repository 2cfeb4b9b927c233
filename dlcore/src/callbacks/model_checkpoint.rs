//! Saving the model while it trains.

use std::fs;
use std::path::{Path, PathBuf};

use super::file_name::FileName;
use super::monitor::Monitor;
use super::{Callback, Control, Logs, Trainable};
use crate::models::save::check_name;
use crate::{Error, Result};

/// Saves the model after each epoch, or after those in which the monitored metric was best so far.
///
/// The file's name may hold the epoch (counted from 1) and metrics: `{epoch:02}`, `{val_loss:.2}`.
/// Folders are made where they are missing. A file takes its place when it is complete; an older one of
/// the same name is replaced then.
///
/// ```
/// use dlcore::callbacks::ModelCheckpoint;
/// let best = ModelCheckpoint::new("best.dl").save_best_only(true);
/// let all = ModelCheckpoint::new("checkpoints/{epoch:02}-{loss:.3}.dl");
/// ```
pub struct ModelCheckpoint {
    path: PathBuf,
    monitor: Monitor,
    save_best_only: bool,
    save_weights_only: bool,
    initial_value_threshold: Option<f64>,
    best: Option<f64>,
}

impl ModelCheckpoint {
    /// Saves to `path` after every epoch.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::at(path.as_ref())
    }

    fn at(path: &Path) -> Self {
        ModelCheckpoint {
            path: path.to_owned(),
            monitor: Monitor::new("val_loss", 0.0),
            save_best_only: false,
            save_weights_only: false,
            initial_value_threshold: None,
            best: None,
        }
    }

    /// What the best model is told by (`"val_loss"`).
    pub fn monitor(mut self, metric: &str) -> Self {
        self.monitor.name = metric.to_string();
        self
    }

    /// `"min"`, `"max"` or `"auto"`, as the metric's name tells (`"auto"`).
    pub fn mode(mut self, mode: &str) -> Self {
        self.monitor.mode = mode.to_string();
        self
    }

    /// Whether only models better than all before are saved (false).
    pub fn save_best_only(mut self, best_only: bool) -> Self {
        self.save_best_only = best_only;
        self
    }

    /// Whether the weights alone are saved (false).
    pub fn save_weights_only(mut self, weights_only: bool) -> Self {
        self.save_weights_only = weights_only;
        self
    }

    /// What the first model to be saved has to be better than, to go on with an earlier training (none).
    pub fn initial_value_threshold(mut self, value: f64) -> Self {
        self.initial_value_threshold = Some(value);
        self.best = Some(value);
        self
    }

    fn file_name(&self) -> Result<FileName> {
        let Some(text) = self.path.to_str() else {
            return Err(Error::Value(format!(
                "ModelCheckpoint: expected a path in Unicode, got {}",
                self.path.display()
            )));
        };
        FileName::parse(text).map_err(|problem| Error::Value(format!("ModelCheckpoint: {problem}")))
    }

    fn save(&self, epoch: usize, logs: &Logs, model: &dyn Trainable) -> Result<()> {
        let path = PathBuf::from(self.file_name()?.of(epoch, logs));
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(|problem| Error::File {
                path: folder.to_owned(),
                message: format!("cannot be made: {problem}"),
            })?;
        }
        match self.save_weights_only {
            true => model.save_weights(&path),
            false => model.save(&path),
        }
    }
}

impl Callback for ModelCheckpoint {
    fn check(&self, recorded: &[String]) -> Result<()> {
        let file_name = self.file_name()?;
        if !self.save_weights_only {
            check_name(&self.path)?;
        }
        if let Some(problem) = file_name.unknown(recorded) {
            return Err(Error::Value(format!("ModelCheckpoint: {problem}")));
        }
        match self.save_best_only {
            true => self.monitor.check("ModelCheckpoint", recorded),
            false => Ok(()),
        }
    }

    fn epoch_end(&mut self, epoch: usize, logs: &Logs, model: &mut dyn Trainable) -> Control {
        if self.save_best_only {
            let value = self.monitor.value(logs).unwrap_or(f64::NAN);
            if !self.monitor.improves(value, self.best) {
                return Control::Continue;
            }
            self.best = Some(value);
        }
        let saved = self.save(epoch, logs, model);
        Control::from(saved.map_err(|error| match error {
            Error::Model(text) => Error::Model(format!("ModelCheckpoint: {text}")),
            other => other,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Folder, Model, run};
    use super::*;

    fn names(model: &Model) -> Vec<String> {
        let saved = model.saved.borrow();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_string();
        saved.iter().map(|(path, _)| name(path)).collect()
    }

    #[test]
    fn saves_every_epoch_under_its_own_name_and_makes_the_folder() {
        let folder = Folder::new("checkpoint-all");
        let pattern = folder.path("deep/er/{epoch:02}-{val_loss:.2f}.dl");
        let (mut model, mut all) = (Model::new(), ModelCheckpoint::new(pattern));
        assert_eq!(run(&mut all, &mut model, "val_loss", &[0.5, 0.875]), None);
        assert_eq!(names(&model), ["01-0.50.dl", "02-0.88.dl"]);
        assert!(folder.path("deep/er").is_dir());
    }

    #[test]
    fn saves_only_what_is_better_than_all_before_also_in_a_later_training() {
        let mut best = ModelCheckpoint::new("{epoch}.dl")
            .save_best_only(true)
            .save_weights_only(true);
        let mut model = Model::new();
        run(
            &mut best,
            &mut model,
            "val_loss",
            &[f64::NAN, 0.9, 0.5, 0.6, 0.4],
        );
        assert_eq!(names(&model), ["2.dl", "3.dl", "5.dl"]);
        assert!(model.saved.borrow().iter().all(|&(_, whole)| !whole));
        run(&mut best, &mut model, "val_loss", &[0.45, 0.3]);
        assert_eq!(names(&model)[3..], ["2.dl"]);
        let mut from = ModelCheckpoint::new("{epoch}.dl")
            .save_best_only(true)
            .monitor("val_accuracy")
            .initial_value_threshold(0.7);
        let mut model = Model::new();
        run(&mut from, &mut model, "val_accuracy", &[0.6, 0.8, 0.75]);
        assert_eq!(names(&model), ["2.dl"]);
    }

    #[test]
    fn a_disk_that_is_full_ends_training_with_its_reason() {
        let mut model = Model::new();
        model.disk_full = true;
        let mut all = ModelCheckpoint::new("model.dl");
        let ended = run(&mut all, &mut model, "loss", &[0.5, 0.4]);
        let reason = "model.dl: no space left".to_string();
        assert_eq!(ended, Some((0, Control::Fail(reason))));
    }

    #[test]
    fn names_that_cannot_be_filled_are_refused_before_training() {
        let recorded = ["loss".to_string()];
        let error = |path: &str| {
            let checkpoint = ModelCheckpoint::new(path);
            checkpoint.check(&recorded).unwrap_err().to_string()
        };
        assert!(error("{val_loss:.2}.dl").contains("\"val_loss\""));
        assert!(error("{epoch:.2}.dl").contains("{epoch:.2}"));
        assert!(error("{loss.dl").contains("no closing brace"));
        let best = ModelCheckpoint::new("a.dl").save_best_only(true);
        assert!(
            best.check(&recorded)
                .unwrap_err()
                .to_string()
                .contains("validation_data")
        );
    }
}
