//! Loss and metrics over data, and predictions.

use super::checks;
use super::evaluation::Evaluation;
use super::sequential::{Compiled, Sequential};
use super::step;
use crate::display::progress::Progress;
use crate::metrics::Totals;
use crate::{Error, Result, Tensor, interrupt};

/// Samples taken at a time where the user does not say: no loss and no metric of ours depends on it.
const BATCH: usize = 256;

impl Sequential {
    /// What `compile` chose.
    pub(super) fn compiled(&self, operation: &str) -> Result<&Compiled> {
        self.check_layers(operation)?;
        self.compiled.as_ref().ok_or_else(|| {
            Error::Model(format!(
                "{operation}: {} is not compiled; call for instance .compile(\"rmsprop\", \"mse\", [\"mae\"])? first{}",
                self.name(),
                match &self.not_compiled {
                    Some(reason) => format!(" ({reason})"),
                    None if self.history.is_some() => " (adding a layer undoes compile)".to_string(),
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
        Err(Error::Model(format!(
            "{operation}: {} has no weights yet; fit it first, or give its first layer an input_shape",
            self.name()
        )))
    }

    /// Loss and metrics over data.
    ///
    /// # Shapes
    /// `x` `[samples, …]`, `y` what the loss takes: `[samples, …]`.
    ///
    /// # Errors
    /// [`Error::Model`] if the model is not compiled or has no weights; [`Error::Shape`] and
    /// [`Error::Value`] for data that does not fit, naming the layer.
    pub fn evaluate(&self, x: &Tensor, y: &Tensor) -> Result<Evaluation> {
        let compiled = self.compiled("evaluate")?;
        self.check_built("evaluate")?;
        let x = checks::inputs(self, x, "evaluate")?;
        let y = checks::targets(self, &compiled.loss, &x, y, "evaluate")?;
        let already = interrupt::requested();
        let mut progress = Progress::start("evaluate", "samples", x.shape()[0]);
        match self.measure(&x, &y, BATCH, already, Some(&mut progress))? {
            Some(values) => {
                let names = compiled
                    .metrics
                    .iter()
                    .map(|metric| metric.name().to_string());
                Ok(Evaluation::new(
                    values[0],
                    names.zip(values[1..].iter().copied()).collect(),
                ))
            }
            None => Err(interrupted("evaluate")),
        }
    }

    /// Means over prepared data; `None` if interrupted, unless that is to be overlooked.
    pub(super) fn measure(
        &self,
        x: &Tensor,
        y: &Tensor,
        batch_size: usize,
        overlook_interrupt: bool,
        mut progress: Option<&mut Progress>,
    ) -> Result<Option<Vec<f64>>> {
        let compiled = self.compiled("evaluate")?;
        let mut totals = Totals::of_evaluation(&compiled.metrics);
        let samples = x.shape()[0];
        for start in (0..samples).step_by(batch_size) {
            if interrupt::requested() && !overlook_interrupt {
                return Ok(None);
            }
            let range = start..(start + batch_size).min(samples);
            let (x, y) = (
                step::batch(x, None, range.clone()),
                step::batch(y, None, range.clone()),
            );
            step::test(&self.layers, compiled, &mut totals, &x, &y)?;
            if let Some(progress) = &mut progress {
                progress.at(range.end);
            }
        }
        Ok(Some(totals.values().to_vec()))
    }

    /// The output for each sample.
    ///
    /// # Shapes
    /// `x` `[samples, …]` → `[samples, …]`
    ///
    /// # Errors
    /// [`Error::Model`] if the model has no weights yet; [`Error::Shape`] for samples that do not
    /// fit, naming the layer.
    pub fn predict(&self, x: &Tensor) -> Result<Tensor> {
        self.check_built("predict")?;
        let x = checks::inputs(self, x, "predict")?;
        let samples = x.shape()[0];
        let already = interrupt::requested();
        let mut progress = Progress::start("predict", "samples", samples);
        let mut outputs = Vec::with_capacity(samples.div_ceil(BATCH));
        for start in (0..samples).step_by(BATCH) {
            if interrupt::requested() && !already {
                return Err(interrupted("predict"));
            }
            let end = (start + BATCH).min(samples);
            let x = step::batch(&x, None, start..end);
            outputs.push(self.forward(&x, false).detach());
            progress.at(end);
        }
        Tensor::try_concat(&outputs.iter().collect::<Vec<_>>(), 0)
    }
}

fn interrupted(operation: &str) -> Error {
    Error::Value(format!(
        "{operation}: interrupted; the model is as it was, run it again for the result"
    ))
}
