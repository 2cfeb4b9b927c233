//! Loss and metrics over data, and predictions.

use super::batch_sequence::BatchSequence;
use super::checks;
use super::data::{Batch, Data};
use super::evaluation::Evaluation;
use super::guard::guarded;
use super::model::Model;
use super::objective::Compiled;
use super::placement;
use super::settings::check_batch_size;
use super::step::{self, Prepared};
use super::tally::Tally;
use crate::device::Device;
use crate::display::progress::Progress;
use crate::layers::Call;
use crate::{Error, Result, Tensor, interrupt};

/// Samples taken at a time where the user does not say, and the result does not depend on it.
const BATCH: usize = 256;

/// Keras's batch, where it does: the loss under a mask is a mean over the valid timesteps of each batch, and a
/// function of the user's own may be anything.
const KERAS_BATCH: usize = 32;

impl Model {
    /// What `compile` chose.
    pub(super) fn compiled(&self, operation: &str) -> Result<&Compiled> {
        self.check_layers(operation)?;
        let compiled = self.compiled.as_ref();
        if compiled.is_some_and(|compiled| compiled.trained.len() != self.leaves().len()) {
            return Err(Error::Model(format!(
                "{operation}: {} has other layers than when it was compiled, since a model within it was changed; compile \
                 it again",
                self.name()
            )));
        }
        compiled.ok_or_else(|| {
            Error::Model(format!(
                "{operation}: {} is not compiled; call for instance .compile(\"rmsprop\", \"mse\", [\"mae\"])? first{}",
                self.name(),
                match &self.not_compiled {
                    Some(reason) => format!(" ({reason})"),
                    None if self.history.is_some() => " (adding a layer or a loss undoes compile)".to_string(),
                    None => String::new(),
                }
            ))
        })
    }

    pub(super) fn check_built(&self, operation: &str) -> Result<()> {
        self.check_layers(operation)?;
        if self.is_built() {
            return Ok(());
        }
        Err(self.unbuilt(operation))
    }

    /// Loss and metrics over data.
    ///
    /// # Shapes
    /// `x` `[samples, …]`, `y` what the loss takes: `[samples, …]`; for several inputs or outputs a
    /// tensor each, in order or by name.
    ///
    /// # Errors
    /// [`Error::Model`] if the model is not compiled or has no weights; [`Error::Shape`] and
    /// [`Error::Value`] for data that does not fit, naming the layer.
    pub fn evaluate(&self, x: impl Into<Data>, y: impl Into<Data>) -> Result<Evaluation> {
        self.evaluate_data(&Batch::new(x, y), Evaluate::new())
    }

    /// [`Model::evaluate`] with settings: batch size, weights of samples.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn evaluate_with(
        &self,
        x: impl Into<Data>,
        y: impl Into<Data>,
        settings: Evaluate,
    ) -> Result<Evaluation> {
        let mut data = Batch::new(x, y);
        data.sample_weight.clone_from(&settings.sample_weight);
        self.evaluate_data(&data, settings)
    }

    fn evaluate_data(&self, data: &Batch, settings: Evaluate) -> Result<Evaluation> {
        let compiled = self.compiled("evaluate")?;
        self.check_built("evaluate")?;
        check_batch_size("evaluate", settings.batch_size.unwrap_or(BATCH))?;
        let data = checks::prepare(self, compiled, data, "evaluate")?;
        let already = interrupt::requested();
        let mut progress = Progress::start("evaluate", "samples", data.samples());
        let measured = guarded("evaluate", || {
            self.measure(&data, settings.batch_size, already, Some(&mut progress))
        });
        match measured? {
            Some(values) => Ok(self.evaluation(&values)),
            None => Err(interrupted("evaluate")),
        }
    }

    /// Loss and metrics over the next `steps` batches of a generator.
    ///
    /// # Errors
    /// As [`Model::evaluate`]; [`Error::Value`] if the generator has no batch.
    pub fn evaluate_batches<I>(&self, batches: I, steps: usize) -> Result<Evaluation>
    where
        I: IntoIterator<Item: Into<Batch>>,
    {
        self.evaluate_source(
            &mut batches.into_iter().map(Into::into),
            steps,
            "evaluate_batches",
        )
    }

    fn evaluate_source(
        &self,
        batches: &mut dyn Iterator<Item = Batch>,
        steps: usize,
        operation: &str,
    ) -> Result<Evaluation> {
        self.compiled(operation)?;
        self.check_built(operation)?;
        check_steps(operation, steps)?;
        let already = interrupt::requested();
        let measured = guarded(operation, || {
            self.measure_batches(batches, steps, already, operation)
        });
        let Some(measured) = measured? else {
            return Err(interrupted(operation));
        };
        match measured.batches {
            0 => Err(no_batches(operation)),
            count => {
                if count < steps {
                    eprintln!(
                        "{operation}: the generator ended after {count} of {steps} batches; this is the result of those"
                    );
                }
                Ok(self.evaluation(&measured.values))
            }
        }
    }

    /// Loss and metrics over all batches of a sequence.
    ///
    /// # Errors
    /// As [`Model::evaluate`]; [`Error::Value`] if there is no batch.
    pub fn evaluate_sequence(&self, batches: impl Into<BatchSequence>) -> Result<Evaluation> {
        let mut batches = batches.into();
        let steps = batches.len();
        self.evaluate_source(&mut batches.all(), steps, "evaluate_sequence")
    }

    /// Means over prepared data; `None` if interrupted, unless that is to be overlooked. Without a batch size they
    /// are those of Keras's batches.
    pub(super) fn measure(
        &self,
        data: &Prepared,
        batch_size: Option<usize>,
        overlook_interrupt: bool,
        mut progress: Option<&mut Progress>,
    ) -> Result<Option<Vec<f64>>> {
        let compiled = self.compiled("evaluate")?;
        let mut tally = Tally::of_evaluation(compiled);
        let samples = data.samples();
        let own = compiled.objectives.iter().any(|o| o.loss.is_custom());
        let mut size = batch_size.unwrap_or(if own { KERAS_BATCH } else { BATCH });
        let mut start = 0;
        while start < samples {
            if interrupt::requested() && !overlook_interrupt {
                return Ok(None);
            }
            let end = start.saturating_add(size).min(samples);
            let masked = step::test(self, compiled, &mut tally, &data.batch(None, start..end))?;
            if masked && batch_size.is_none() && end - start > KERAS_BATCH {
                // Once more, in Keras's batches.
                (size, start) = (KERAS_BATCH, 0);
                tally = Tally::of_evaluation(compiled);
                continue;
            }
            start = end;
            if let Some(progress) = &mut progress {
                progress.at(end);
            }
        }
        Ok(Some(tally.values().to_vec()))
    }

    /// Means over batches that come from a generator, of which there may be fewer than `steps`.
    pub(super) fn measure_batches(
        &self,
        batches: &mut dyn Iterator<Item = Batch>,
        steps: usize,
        overlook_interrupt: bool,
        what: &str,
    ) -> Result<Option<Measured>> {
        let compiled = self.compiled(what)?;
        let mut tally = Tally::of_evaluation(compiled);
        let mut count = 0;
        for batch in batches.take(steps) {
            if interrupt::requested() && !overlook_interrupt {
                return Ok(None);
            }
            let batch = checks::prepare(self, compiled, &batch, what)?;
            step::test(self, compiled, &mut tally, &batch)?;
            count += 1;
        }
        let mut values = tally.values().to_vec();
        if count == 0 {
            values.fill(f64::NAN);
        }
        Ok(Some(Measured {
            values,
            batches: count,
        }))
    }

    /// The output for each sample.
    ///
    /// # Shapes
    /// `x` `[samples, …]` → `[samples, …]`; of a last layer of one unit `[samples, 1]`, from which labels `[samples]` are
    /// taken by `pred - labels.reshape([-1, 1])`: shapes that differ are broadcast, here to `[samples, samples]`.
    ///
    /// # Errors
    /// [`Error::Model`] if the model has no weights yet, or several outputs; [`Error::Shape`] for
    /// samples that do not fit, naming the layer.
    pub fn predict(&self, x: impl Into<Data>) -> Result<Tensor> {
        self.predict_in_batches(x, BATCH)
    }

    /// [`Model::predict`] with so many samples at a time (256 there).
    ///
    /// # Errors
    /// As [`Model::predict`]; [`Error::Value`] for a batch size of 0.
    pub fn predict_in_batches(&self, x: impl Into<Data>, batch_size: usize) -> Result<Tensor> {
        let outputs = self.outputs_for(&x.into(), batch_size, "predict")?;
        self.single(outputs, "predict")
    }

    /// [`Model::predict`] for a model with several outputs: a tensor for each.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_all(&self, x: impl Into<Data>) -> Result<Vec<Tensor>> {
        self.outputs_for(&x.into(), BATCH, "predict_all")
    }

    /// [`Model::predict`] for samples that are one batch, however many.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_on_batch(&self, x: impl Into<Data>) -> Result<Tensor> {
        let outputs = self.outputs_for(&x.into(), usize::MAX, "predict_on_batch")?;
        self.single(outputs, "predict")
    }

    /// The output for each sample of the next `steps` batches of a generator, one after the other. Labels that come
    /// with them are not looked at, so that what trains a model and evaluates it can be predicted, too.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let model = Sequential::new().add(Dense::new(1).input_shape([2]));
    /// let batches = (0..).map(|_| Tensor::uniform([16, 2], 0.0, 1.0));
    /// assert_eq!(model.predict_batches(batches, 3)?.shape(), [48, 1]);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::predict`]; [`Error::Value`] if the generator has fewer batches.
    pub fn predict_batches<I>(&self, batches: I, steps: usize) -> Result<Tensor>
    where
        I: IntoIterator<Item: Into<Batch>>,
    {
        let batches = &mut batches.into_iter().map(Into::into);
        self.predict_source(batches, steps, "predict_batches")
    }

    /// The output for each sample of all batches of a sequence, in their order.
    ///
    /// # Errors
    /// As [`Model::predict`]; [`Error::Value`] if there is no batch.
    pub fn predict_sequence(&self, batches: impl Into<BatchSequence>) -> Result<Tensor> {
        let mut batches = batches.into();
        let steps = batches.len();
        self.predict_source(&mut batches.all(), steps, "predict_sequence")
    }

    fn predict_source(
        &self,
        batches: &mut dyn Iterator<Item = Batch>,
        steps: usize,
        operation: &str,
    ) -> Result<Tensor> {
        self.check_built(operation)?;
        check_steps(operation, steps)?;
        let mut parts = Vec::new();
        for step in 0..steps {
            let Some(batch) = guarded(operation, || Ok(batches.next()))? else {
                return Err(match step {
                    0 => no_batches(operation),
                    count => Error::Value(format!(
                        "{operation}: the generator ended after {count} of {steps} batches"
                    )),
                });
            };
            let outputs = self.outputs_for(&batch.x, usize::MAX, operation)?;
            parts.push(self.single(outputs, "predict")?);
        }
        Tensor::try_concat(&parts.iter().collect::<Vec<_>>(), 0)
    }

    fn outputs_for(&self, x: &Data, batch_size: usize, operation: &str) -> Result<Vec<Tensor>> {
        guarded(operation, || self.run_over(x, batch_size, operation))
    }

    fn run_over(&self, x: &Data, batch_size: usize, operation: &str) -> Result<Vec<Tensor>> {
        self.check_built(operation)?;
        check_batch_size(operation, batch_size)?;
        let x = checks::inputs(self, x, operation)?;
        let graph = self.graph(operation)?;
        placement::place(&self.leaves())?;
        let samples = x[0].shape()[0];
        let already = interrupt::requested();
        let mut progress = Progress::start("predict", "samples", samples);
        let mut parts: Vec<Vec<Tensor>> = vec![Vec::new(); graph.output_places().len()];
        for start in (0..samples).step_by(batch_size.min(samples)) {
            if interrupt::requested() && !already {
                return Err(interrupted(operation));
            }
            let end = start.saturating_add(batch_size).min(samples);
            let batch: Vec<Tensor> = x.iter().map(|x| x.slice(start..end)).collect();
            let outputs = graph.run(&batch, &Call::inference(), &[]).tensors;
            for (part, output) in parts.iter_mut().zip(outputs) {
                part.push(output.detach());
            }
            progress.at(end);
        }
        let whole = |parts: &Vec<Tensor>| {
            Tensor::try_concat(&parts.iter().collect::<Vec<_>>(), 0)?.to(Device::Cpu)
        };
        parts.iter().map(whole).collect()
    }
}

/// What was measured over batches, and how many there were.
pub(super) struct Measured {
    /// NaN where there were none.
    pub(super) values: Vec<f64>,
    pub(super) batches: usize,
}

/// The settings of [`Model::evaluate_with`].
///
/// ```
/// use dlcore::models::Evaluate;
/// use dlcore::Tensor;
/// let settings = Evaluate::new().batch_size(64).sample_weight(&Tensor::ones([1000]));
/// ```
#[derive(Clone, Debug)]
pub struct Evaluate {
    batch_size: Option<usize>,
    sample_weight: Option<Data>,
}

impl Default for Evaluate {
    fn default() -> Self {
        Self::new()
    }
}

impl Evaluate {
    /// Batches as Keras's, of 32, where the result depends on them; all samples count alike.
    pub fn new() -> Evaluate {
        Evaluate {
            batch_size: None,
            sample_weight: None,
        }
    }

    /// Samples taken at a time. The result depends on it where timesteps are masked: the loss of a batch is the
    /// mean over its valid timesteps, that of all is the mean over the batches, by their samples. So it may
    /// where the loss is a function of your own. Unless said there are 32 then, as in Keras; else 256.
    pub fn batch_size(mut self, batch_size: usize) -> Evaluate {
        self.batch_size = Some(batch_size);
        self
    }

    /// How much each sample counts in the loss (1); see [`Fit::sample_weight`](super::Fit::sample_weight).
    pub fn sample_weight(mut self, weights: impl Into<Data>) -> Evaluate {
        self.sample_weight = Some(weights.into());
        self
    }
}

fn check_steps(operation: &str, steps: usize) -> Result<()> {
    match steps {
        0 if !operation.ends_with("_sequence") => Err(Error::Value(format!(
            "{operation}: steps must be at least 1, got 0"
        ))),
        0 => Err(Error::Value(format!("{operation}: there is no batch"))),
        _ => Ok(()),
    }
}

fn no_batches(operation: &str) -> Error {
    Error::Value(format!("{operation}: the generator has no more batches"))
}

fn interrupted(operation: &str) -> Error {
    Error::Value(format!(
        "{operation}: interrupted; the model is as it was, run it again for the result"
    ))
}
