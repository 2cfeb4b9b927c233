//! What callbacks may do with a model.

use std::path::Path;

use super::model::Model;
use crate::callbacks::Trainable;
use crate::{Result, Tensor};

impl Trainable for Model {
    fn get_weights(&self) -> Vec<Tensor> {
        Model::get_weights(self)
    }

    fn set_weights(&mut self, weights: &[Tensor]) -> Result<()> {
        Model::set_weights(self, weights)
    }

    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        self.predict_on_batch(x)
    }

    fn learning_rate(&self) -> f64 {
        self.compiled
            .as_ref()
            .map_or(f64::NAN, |compiled| compiled.optimizer.learning_rate())
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.identity.touch();
        if let Some(compiled) = &mut self.compiled {
            compiled.optimizer.set_learning_rate(learning_rate);
        }
    }

    fn schedule(&self) -> Option<&'static str> {
        self.compiled.as_ref()?.optimizer.schedule()
    }

    fn save(&self, path: &Path) -> Result<()> {
        Model::save(self, path)
    }

    fn save_weights(&self, path: &Path) -> Result<()> {
        Model::save_weights(self, path)
    }
}
