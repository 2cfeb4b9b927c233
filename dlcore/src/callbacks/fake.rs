//! A model for the tests of callbacks.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::{Callback, Control, Logs, Trainable};
use crate::{Error, Result, Tensor};

pub(super) struct Model {
    pub(super) weights: Vec<Tensor>,
    pub(super) rate: f64,
    pub(super) schedule: Option<&'static str>,
    /// Where it was saved, and whether whole.
    pub(super) saved: RefCell<Vec<(PathBuf, bool)>>,
    pub(super) disk_full: bool,
}

impl Model {
    pub(super) fn new() -> Model {
        Model {
            weights: vec![Tensor::from(-1.0)],
            rate: 0.1,
            schedule: None,
            saved: RefCell::default(),
            disk_full: false,
        }
    }

    fn save_as(&self, path: &Path, whole: bool) -> Result<()> {
        if self.disk_full {
            return Err(Error::File {
                path: path.to_owned(),
                message: "no space left".into(),
            });
        }
        self.saved.borrow_mut().push((path.to_owned(), whole));
        Ok(())
    }
}

impl Trainable for Model {
    fn get_weights(&self) -> Vec<Tensor> {
        self.weights.clone()
    }

    fn set_weights(&mut self, weights: &[Tensor]) -> Result<()> {
        self.weights = weights.to_vec();
        Ok(())
    }

    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.rate = learning_rate;
    }

    fn schedule(&self) -> Option<&'static str> {
        self.schedule
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.save_as(path, true)
    }

    fn save_weights(&self, path: &Path) -> Result<()> {
        self.save_as(path, false)
    }
}

/// Runs a callback over epochs of which one metric is given; the model's weight is the epoch's number.
/// Returns the epoch (from 0) after which it ended, and why.
pub(super) fn run(
    callback: &mut dyn Callback,
    model: &mut Model,
    metric: &str,
    values: &[f64],
) -> Option<(usize, Control)> {
    callback.check(&[metric.to_string()]).unwrap();
    callback.train_begin(model);
    let mut ended = None;
    for (epoch, &value) in values.iter().enumerate() {
        let control = callback.epoch_begin(epoch, model);
        model.weights = vec![Tensor::from(epoch as f32)];
        let logs = Logs::from(vec![(metric.to_string(), value)]);
        let control = match control {
            Control::Continue => callback.epoch_end(epoch, &logs, model),
            other => other,
        };
        if control != Control::Continue {
            ended = Some((epoch, control));
            break;
        }
    }
    callback.train_end(model);
    ended
}

/// A folder of its own for a test, removed with this.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(test: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("dlcore-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
