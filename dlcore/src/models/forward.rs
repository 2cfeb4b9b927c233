//! A model called on tensors.

use super::data::Data;
use super::model::Model;
use crate::layers::Call;
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

impl Model {
    /// The output for a batch, recorded on the tape that watches the input or the weights.
    ///
    /// # Panics
    /// If the model is not built, has several outputs, or `x` does not fit.
    #[track_caller]
    pub fn forward(&self, x: impl Into<Data>, training: bool) -> Tensor {
        let outputs = self.forward_data(x.into(), training);
        expect(self.single(outputs, "forward"))
    }

    /// [`Model::forward`] for a model with several outputs.
    ///
    /// # Panics
    /// If the model is not built, or `x` does not fit.
    #[track_caller]
    pub fn forward_all(&self, x: impl Into<Data>, training: bool) -> Vec<Tensor> {
        self.forward_data(x.into(), training)
    }

    #[track_caller]
    fn forward_data(&self, x: Data, training: bool) -> Vec<Tensor> {
        let graph = expect(self.graph("forward"));
        let count = graph.inputs().len();
        let x = expect(x.resolve(count, &|| self.input_names(), "input", "forward"));
        let call = if training {
            Call::training()
        } else {
            Call::inference()
        };
        graph.run(&x, &call, &[]).tensors
    }

    /// The one output of a model that has only one.
    pub(super) fn single(&self, mut outputs: Vec<Tensor>, operation: &str) -> Result<Tensor> {
        match outputs.len() {
            1 => Ok(outputs.swap_remove(0)),
            count => Err(Error::Model(format!(
                "{operation}: {} has {count} outputs ({}); {operation}_all returns them all",
                self.name(),
                self.output_names().join(", ")
            ))),
        }
    }
}
