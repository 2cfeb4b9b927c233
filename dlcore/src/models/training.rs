//! Training by hand: batch by batch, or with a loss of one's own.

use super::checks;
use super::data::{Batch, Data};
use super::evaluation::Evaluation;
use super::guard::guarded;
use super::model::Model;
use super::step::{self, Manner, Samples};
use super::tally::Tally;
use crate::optimizers::Optimizer;
use crate::{Error, Result, Tensor};

impl Model {
    /// Trains on one batch: one step of the optimizer. Returns loss and metrics from before it.
    ///
    /// # Errors
    /// As [`Model::fit`]; [`Error::Value`] if the loss is NaN or infinite, which changes no weights.
    pub fn train_on_batch(&mut self, x: impl Into<Data>, y: impl Into<Data>) -> Result<Evaluation> {
        self.train_step(&Batch::new(x, y))
    }

    /// [`Model::train_on_batch`] for a [`Batch`], which may say how much each sample counts.
    ///
    /// # Errors
    /// As [`Model::train_on_batch`].
    pub fn train_batch(&mut self, batch: impl Into<Batch>) -> Result<Evaluation> {
        self.train_step(&batch.into())
    }

    fn train_step(&mut self, batch: &Batch) -> Result<Evaluation> {
        let batch = self.prepare_built(batch, "train_on_batch")?;
        let compiled = self.compiled.as_ref().expect("seen with the batch");
        let mut tally = Tally::of_training(compiled);
        let loss = guarded("train_on_batch", || {
            step::train(self, &mut tally, &Samples::Batch(&batch), Manner::default())
        })?;
        if let Some(compiled) = &mut self.compiled {
            compiled.chain.forget_large();
        }
        self.identity.touch();
        if !loss.is_finite() {
            return Err(Error::Value(format!(
                "train_on_batch: the loss is {loss}, so the batch changed no weights; lower the learning rate, or look \
                 for NaN in the data"
            )));
        }
        Ok(self.evaluation(tally.values()))
    }

    /// Builds the model for these data if it is not built, and checks them. Data that are refused do
    /// not decide the shape the model is built for.
    pub(super) fn prepare_built(
        &mut self,
        batch: &Batch,
        operation: &str,
    ) -> Result<step::Prepared> {
        self.compiled(operation)?;
        let before = self.handle.before_build();
        let prepared = self.build_for(&batch.x).and_then(|()| {
            let compiled = self.compiled.as_ref().expect("just seen");
            checks::prepare(self, compiled, batch, operation)
        });
        if prepared.is_err() {
            before.into_iter().for_each(|part| part.put_back());
        }
        prepared
    }

    fn build_for(&mut self, x: &Data) -> Result<()> {
        if self.is_built() {
            return Ok(());
        }
        match x.tensors().as_slice() {
            [x] if x.ndim() > 0 && x.len() > 0 => self.build(&x.shape()[1..]),
            _ => Ok(()),
        }
    }

    /// Loss and metrics of one batch; no weight changes.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn test_on_batch(&self, x: impl Into<Data>, y: impl Into<Data>) -> Result<Evaluation> {
        let compiled = self.compiled("test_on_batch")?;
        self.check_built("test_on_batch")?;
        let batch = checks::prepare(self, compiled, &Batch::new(x, y), "test_on_batch")?;
        let mut tally = Tally::of_evaluation(compiled);
        guarded("test_on_batch", || {
            step::test(self, compiled, &mut tally, &batch)
        })?;
        Ok(self.evaluation(tally.values()))
    }

    pub(super) fn evaluation(&self, measured: &[f64]) -> Evaluation {
        let names = self.compiled.iter().flat_map(|compiled| compiled.names());
        let metrics = names.zip(measured.iter().copied()).skip(1);
        Evaluation::new(measured[0], metrics.collect())
    }

    /// The gradients of a loss of one's own with respect to the weights that are not frozen, and
    /// the loss. What `loss` computes with [`Model::forward`] is recorded.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let mut model = Sequential::new().add(Dense::new(1).input_shape([3]));
    /// let (x, y) = (Tensor::uniform([16, 3], -1.0, 1.0), Tensor::ones([16, 1]));
    /// let mut optimizer = RMSprop::new();
    /// for _ in 0..3 {
    ///     let (loss, gradients) = model.gradients(|model| {
    ///         let output = model.forward(&x, true);
    ///         (output - &y).square().mean()
    ///     })?;
    ///     assert!(loss.is_finite());
    ///     model.apply_gradients(&mut optimizer, &gradients)?;
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`] if the model is not built; [`Error::Shape`] if the loss is no single number,
    /// [`Error::Value`] if it does not depend on the weights.
    pub fn gradients(&self, loss: impl FnOnce(&Model) -> Tensor) -> Result<(f64, Vec<Tensor>)> {
        let mut loss = Some(loss);
        self.gradients_of(&mut || {
            loss.take()
                .map_or_else(|| Tensor::from(0.0), |loss| loss(self))
        })
    }

    fn gradients_of(&self, loss: &mut dyn FnMut() -> Tensor) -> Result<(f64, Vec<Tensor>)> {
        self.check_built("gradients")?;
        step::gradients(&self.leaves(), &self.trained(), loss)
    }

    /// Changes the weights that are not frozen by gradients that [`Model::gradients`] returned: one
    /// step of `optimizer`, which is to be the same one at each step.
    ///
    /// # Errors
    /// [`Error::Shape`] if number or shapes do not fit the weights, [`Error::Model`] if earlier steps of the
    /// optimizer were for others, of another model, or before a layer was frozen; nothing is changed then.
    pub fn apply_gradients(
        &mut self,
        optimizer: &mut dyn Optimizer,
        gradients: &[Tensor],
    ) -> Result<()> {
        let trained = self.trained();
        let shapes = |tensors: &[Tensor]| -> Vec<Vec<usize>> {
            tensors.iter().map(|t| t.shape().to_vec()).collect()
        };
        let mut expected = Vec::new();
        for layer in trained.iter().filter_map(|layer| layer.leaf()) {
            expected.extend(layer.weights().into_iter().map(|w| w.shape().to_vec()));
        }
        if expected != shapes(gradients) {
            return Err(Error::Shape(format!(
                "apply_gradients: the weights have shapes {expected:?}, got gradients of shapes {:?}",
                shapes(gradients)
            )));
        }
        step::apply(&trained, optimizer, gradients, "apply_gradients")?;
        step::commit(&self.leaves());
        self.identity.touch();
        Ok(())
    }
}
