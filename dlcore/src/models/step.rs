//! One batch: forward, loss, gradient, new weights.

use std::ops::Range;

use super::sequential::Compiled;
use crate::grad::GradientTape;
use crate::layers::Layer;
use crate::losses::Loss;
use crate::metrics::{Batch, Totals};
use crate::{Error, Result, Tensor};

/// Samples `range` of the data, in `order` where there is one. In order they are a view.
pub(super) fn batch(data: &Tensor, order: Option<&[usize]>, range: Range<usize>) -> Tensor {
    match order {
        Some(order) => data.rows(&order[range]),
        None => data.slice(range),
    }
}

/// Trains on one batch and returns the loss from before the weights changed, which is added to the
/// totals with the metrics. A loss that is not finite changes nothing.
pub(super) fn train(
    layers: &mut [Box<dyn Layer>],
    compiled: &mut Compiled,
    totals: &mut Totals,
    x: &Tensor,
    y: &Tensor,
) -> Result<f64> {
    let (loss, gradients) = differentiate(layers, compiled, totals, x, y)?;
    if let Some(gradients) = gradients {
        // The tape is gone, so the weights are held once and change where they are.
        let mut weights: Vec<&mut Tensor> = layers
            .iter_mut()
            .flat_map(|layer| layer.weights_mut())
            .collect();
        compiled.optimizer.step(&mut weights, &gradients);
    }
    Ok(loss)
}

/// Adds loss and metrics of one batch, as the model is, to the totals.
pub(super) fn test(
    layers: &[Box<dyn Layer>],
    compiled: &Compiled,
    totals: &mut Totals,
    x: &Tensor,
    y: &Tensor,
) -> Result<()> {
    let output = Output::of(layers, &compiled.loss, x, false);
    let loss = output.loss(&compiled.loss, y)?.item();
    measure(totals, loss, y, &output)
}

fn differentiate(
    layers: &mut [Box<dyn Layer>],
    compiled: &Compiled,
    totals: &mut Totals,
    x: &Tensor,
    y: &Tensor,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let tape = GradientTape::new();
    let watched = Watched::on(&tape, layers);
    let output = Output::of(watched.layers, &compiled.loss, x, true);
    let loss = output.loss(&compiled.loss, y)?;
    let value = loss.item();
    if value.is_finite() {
        measure(totals, value, y, &output)?;
    }
    drop(output);
    if !value.is_finite() || watched.count() == 0 {
        return Ok((value, None));
    }
    let gradients = tape.try_gradient(&loss, &watched.sources()).map_err(|error| {
        Error::Model(format!(
            "the loss {:?} does not depend on the model's output ({error}); compute it from y_pred with tensor \
             operations",
            compiled.loss.name()
        ))
    })?;
    Ok((value, Some(gradients)))
}

/// A model's output as its loss wants it: logits, where loss and last activation are one function.
struct Output<'a> {
    tensor: Tensor,
    /// The layer whose activation was left out.
    without: Option<&'a dyn Layer>,
}

impl<'a> Output<'a> {
    fn of(layers: &'a [Box<dyn Layer>], loss: &Loss, x: &Tensor, training: bool) -> Output<'a> {
        let Some((last, before)) = layers.split_last() else {
            return Output {
                tensor: x.clone(),
                without: None,
            };
        };
        let x = before
            .iter()
            .fold(x.clone(), |x, layer| layer.forward(&x, training));
        if last
            .activation()
            .is_some_and(|activation| loss.fuses_with(activation))
        {
            Output {
                tensor: last.forward_logits(&x, training),
                without: Some(&**last),
            }
        } else {
            Output {
                tensor: last.forward(&x, training),
                without: None,
            }
        }
    }

    fn loss(&self, loss: &Loss, y: &Tensor) -> Result<Tensor> {
        match self.without {
            Some(_) => loss.on_logits().call(y, &self.tensor),
            None => loss.call(y, &self.tensor),
        }
    }

    fn predictions(&self) -> Tensor {
        let tensor = self.tensor.detach();
        match self.without.and_then(Layer::activation) {
            Some(activation) => activation.apply(&tensor),
            None => tensor,
        }
    }
}

fn measure(totals: &mut Totals, loss: f64, y: &Tensor, output: &Output<'_>) -> Result<()> {
    let samples = y.shape().first().copied().unwrap_or(1);
    totals.add_loss(loss, samples);
    if totals.needs_predictions() {
        totals.add(&Batch::new(y, &output.predictions(), None)?)?;
    }
    Ok(())
}

/// Layers whose weights record on a tape; the weights leave it when this goes, also in a panic.
struct Watched<'a> {
    layers: &'a mut [Box<dyn Layer>],
}

impl<'a> Watched<'a> {
    fn on(tape: &GradientTape, layers: &'a mut [Box<dyn Layer>]) -> Watched<'a> {
        for weight in layers.iter_mut().flat_map(|layer| layer.weights_mut()) {
            *weight = tape.watch(weight);
        }
        Watched { layers }
    }

    fn count(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights().len()).sum()
    }

    fn sources(&self) -> Vec<&Tensor> {
        self.layers
            .iter()
            .flat_map(|layer| layer.weights())
            .collect()
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        for weight in self.layers.iter_mut().flat_map(|layer| layer.weights_mut()) {
            *weight = weight.detach();
        }
    }
}
