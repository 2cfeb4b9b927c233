//! One batch: forward, loss, gradient, new weights.

use std::ops::Range;
use std::sync::{Arc, RwLockWriteGuard};

use super::chain::Chain;
use super::graph::{Flow, Graph};
use super::layer_ref::LayerRef;
use super::model::Model;
use super::objective::{Compiled, Objective};
use super::tally::Tally;
use super::{placement, shares};
use crate::activations::Activation;
use crate::distributed::DataParallel;
use crate::grad::GradientTape;
use crate::grad::ops::Products;
use crate::layers::{Call, Layer, collect_activity};
use crate::optimizers::Optimizer;
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

/// Data as the model takes it: a tensor for each input, labels and weights for each output that has a
/// loss.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) x: Vec<Tensor>,
    pub(super) y: Vec<Tensor>,
    pub(super) weights: Vec<Option<Tensor>>,
}

impl Prepared {
    pub(super) fn samples(&self) -> usize {
        self.x[0].shape()[0]
    }

    /// Samples `range` of the data, in `order` where there is one. In order they are a view.
    pub(super) fn batch(&self, order: Option<&[usize]>, range: Range<usize>) -> Prepared {
        let part = |data: &Tensor| match order {
            Some(order) => data.rows(&order[range.clone()]),
            None => data.slice(range.clone()),
        };
        Prepared {
            x: self.x.iter().map(part).collect(),
            y: self.y.iter().map(part).collect(),
            weights: self.weights.iter().map(|w| w.as_ref().map(part)).collect(),
        }
    }
}

/// What a step is made on: a batch as it came, or some of all samples.
#[derive(Clone)]
pub(super) enum Samples<'a> {
    Batch(&'a Prepared),
    /// Samples of this range of the order, or of the data where there is none.
    Of(&'a Prepared, Option<&'a [usize]>, Range<usize>),
}

impl Samples<'_> {
    /// What they are samples of.
    pub(super) fn data(&self) -> &Prepared {
        match self {
            Samples::Batch(data) | Samples::Of(data, ..) => data,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Samples::Batch(data) => data.samples(),
            Samples::Of(_, _, range) => range.len(),
        }
    }

    /// The order and the range of it, unless it is all of the data.
    pub(super) fn part(&self) -> Option<(Option<&[usize]>, Range<usize>)> {
        match self {
            Samples::Batch(_) => None,
            Samples::Of(_, order, range) => Some((*order, range.clone())),
        }
    }

    pub(super) fn is_shuffled(&self) -> bool {
        matches!(self, Samples::Of(_, Some(_), _))
    }

    /// Those of one tensor of the data.
    pub(super) fn of(&self, data: &Tensor) -> Tensor {
        match self {
            Samples::Batch(_) => data.clone(),
            Samples::Of(_, Some(order), range) => data.rows(&order[range.clone()]),
            Samples::Of(_, None, range) => data.slice(range.clone()),
        }
    }

    /// As a batch of its own.
    pub(super) fn batch(&self) -> Prepared {
        match self {
            Samples::Batch(data) => (*data).clone(),
            Samples::Of(data, order, range) => data.batch(*order, range.clone()),
        }
    }
}

/// How a batch is trained on.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner<'a> {
    /// Those that it is split among.
    pub(super) ranks: Option<&'a DataParallel>,
    /// Those of the model's layers.
    pub(super) products: Products,
}

/// Trains on one batch, or on this process's shares of it, and returns the loss from before the weights changed,
/// which goes into the tally with the metrics. A loss that is not finite changes nothing.
pub(super) fn train(
    model: &mut Model,
    tally: &mut Tally,
    samples: &Samples<'_>,
    manner: Manner<'_>,
) -> Result<f64> {
    let Manner { ranks, products } = manner;
    let graph = model.graph("fit")?;
    if model.compiled.is_none() {
        return Err(Error::Model(format!(
            "fit: {} is not compiled",
            model.name()
        )));
    }
    // A chain is computed on the processor, as a whole and in single precision, from the loss as it is.
    let scale = model.compiled.as_ref().map(|c| c.optimizer.loss_scale());
    if ranks.is_none()
        && products == Products::Single
        && scale == Some(1.0)
        && placement::all_here()
        && let Some(loss) = train_chain(model, &graph, tally, samples)?
    {
        return Ok(loss);
    }
    let leaves = model.leaves();
    placement::place(&leaves)?;
    let compiled = model.compiled.as_mut().expect("just seen");
    let batch = &samples.batch().placed()?;
    let chosen = leaves.iter().zip(&compiled.trained);
    let trained: Vec<LayerRef> = chosen
        .filter(|(_, trained)| **trained)
        .map(|(leaf, _)| leaf.clone())
        .collect();
    let noted = Noted::of(&leaves);
    let mut share =
        |batch: &Prepared| differentiate(&graph, compiled, &trained, tally, batch, products);
    let (loss, gradients) = match ranks {
        None => share(batch)?,
        Some(ranks) => shares::together(ranks, &trained, batch, share)?,
    };
    if loss.is_finite() {
        if let Some(gradients) = gradients {
            // The tape is gone, so the weights are held once and change where they are.
            apply(&trained, &mut *compiled.optimizer, &gradients, "fit")?;
        }
        noted.commit();
        if let Some(ranks) = ranks {
            shares::settle(ranks, &leaves)?;
        }
    }
    Ok(loss)
}

/// Notes that an optimizer's steps are for the weights of these layers.
///
/// # Errors
/// [`Error::Model`] if earlier ones were for others.
pub(super) fn build_for(
    optimizer: &mut dyn Optimizer,
    trained: &[LayerRef],
    operation: &str,
) -> Result<()> {
    let weighted = |layer: &&LayerRef| {
        let mut any = false;
        layer
            .leaf()
            .inspect(|layer| layer.each_weight(&mut |_| any = true));
        any
    };
    let layers: Vec<&LayerRef> = trained.iter().filter(weighted).collect();
    let numbers = layers.iter().map(|layer| layer.number()).collect();
    let names = || layers.iter().map(|layer| layer.name()).collect();
    let built = optimizer.built_for().map(|own| own.build(numbers, names));
    built
        .unwrap_or(Ok(()))
        .map_err(|problem| Error::Model(format!("{operation}: {} {problem}", optimizer.name())))
}

/// Changes the weights of these layers by their gradients.
pub(super) fn apply(
    trained: &[LayerRef],
    optimizer: &mut dyn Optimizer,
    gradients: &[Tensor],
    operation: &str,
) -> Result<()> {
    placement::renew(optimizer);
    build_for(optimizer, trained, operation)?;
    let mut layers: Vec<RwLockWriteGuard<'_, Box<dyn Layer>>> =
        trained.iter().filter_map(LayerRef::leaf_mut).collect();
    let mut weights = Vec::with_capacity(gradients.len());
    for layer in &mut layers {
        layer.each_weight_mut(&mut |weight| weights.push(weight));
    }
    optimizer.step(&mut weights, gradients);
    layers.iter_mut().for_each(|layer| layer.constrain());
    Ok(())
}

/// The loss of one batch, as the model is, which goes into the tally with the metrics. Returns whether a
/// mask said what of it counts.
pub(super) fn test(
    model: &Model,
    compiled: &Compiled,
    tally: &mut Tally,
    batch: &Prepared,
) -> Result<bool> {
    let graph = model.graph("evaluate")?;
    placement::place(&model.leaves())?;
    let batch = &batch.placed()?;
    let outputs = Outputs::of(&graph, compiled, &batch.x, false);
    let losses = outputs.losses(compiled, batch)?;
    let total = total(compiled, &losses, outputs.penalty(&model.trained())).item();
    measure(compiled, tally, total, &losses, batch, &outputs)?;
    let masked = |o: &Objective| outputs.flow.masks[o.output].is_some();
    Ok(compiled.objectives.iter().any(masked))
}

fn differentiate(
    graph: &Graph,
    compiled: &Compiled,
    trained: &[LayerRef],
    tally: &mut Tally,
    batch: &Prepared,
    products: Products,
) -> Result<(f64, Option<Vec<Tensor>>)> {
    let tape = GradientTape::new();
    let watched = Watched::on(&tape, trained);
    let outputs = products.during(|| Outputs::of(graph, compiled, &batch.x, true));
    let losses = outputs.losses(compiled, batch)?;
    let loss = total(compiled, &losses, outputs.penalty(trained));
    let value = loss.item();
    if value.is_finite() {
        measure(compiled, tally, value, &losses, batch, &outputs)?;
    }
    drop((outputs, losses));
    let sources = watched.sources();
    if !value.is_finite() || sources.is_empty() {
        return Ok((value, None));
    }
    let sources: Vec<&Tensor> = sources.iter().collect();
    let scaled = match compiled.optimizer.loss_scale() {
        1.0 => loss,
        scale => loss * scale,
    };
    let gradients = tape.try_gradient(&scaled, &sources);
    Ok((
        value,
        Some(gradients.map_err(|e| independent(compiled, e))?),
    ))
}

fn independent(compiled: &Compiled, error: Error) -> Error {
    if matches!(error, Error::Device(_)) {
        return error;
    }
    let mut names: Vec<&str> = compiled.objectives.iter().map(|o| o.loss.name()).collect();
    if names.is_empty() {
        names.push("add_loss");
    }
    Error::Model(format!(
        "the loss {:?} does not depend on the model's output ({error}); compute it from y_pred with tensor \
         operations",
        names.join(", ")
    ))
}

/// [`train`] for a model that is nothing but layers in a row that have plans; none for others.
fn train_chain(
    model: &mut Model,
    graph: &Arc<Graph>,
    tally: &mut Tally,
    samples: &Samples<'_>,
) -> Result<Option<f64>> {
    let Some(compiled) = &mut model.compiled else {
        return Ok(None);
    };
    let kept = compiled.chain.take();
    let chain = match kept.filter(|chain| chain.fits(graph, samples)) {
        Some(chain) => Some(chain),
        None => Chain::of(graph, compiled, &model.handle.leaves(), samples),
    };
    let Some(mut chain) = chain else {
        return Ok(None);
    };
    let noting = chain.noting();
    let noted = Noted::of(noting.as_deref().unwrap_or_default());
    if !chain.forward(samples) {
        return Ok(None);
    }
    let loss = match chain.own_loss(tally) {
        Some(loss) => loss?,
        None => record_loss(&mut chain, graph, compiled, tally)?,
    };
    if loss.is_finite() {
        chain.backward();
        chain.update(&mut *compiled.optimizer)?;
        noted.commit();
    }
    compiled.chain.put(chain);
    Ok(Some(loss))
}

/// The loss of a chain's output and the gradient with respect to it, by a tape that records these alone.
fn record_loss(
    chain: &mut Chain,
    graph: &Graph,
    compiled: &Compiled,
    tally: &mut Tally,
) -> Result<f64> {
    let tape = GradientTape::new();
    let output = tape.try_watch(chain.output())?;
    let outputs = Outputs {
        flow: Flow {
            tensors: vec![output.clone()],
            masks: vec![None],
            losses: Vec::new(),
        },
        activity: None,
        without: left_out(graph, compiled),
    };
    let batch = chain.batch();
    let losses = outputs.losses(compiled, batch)?;
    let loss = total(compiled, &losses, None);
    let value = loss.item();
    if !value.is_finite() {
        return Ok(value);
    }
    measure(compiled, tally, value, &losses, batch, &outputs)?;
    let gradient = tape.try_gradient(&loss, &[&output]);
    let gradient = gradient.map_err(|error| independent(compiled, error))?;
    chain.set_gradient(&gradient[0]);
    Ok(value)
}

/// The activations of the outputs that their losses contain.
pub(super) fn left_out(graph: &Graph, compiled: &Compiled) -> Vec<Option<Activation>> {
    let mut without = vec![None; graph.output_places().len()];
    for objective in &compiled.objectives {
        let activation = graph
            .last_layer(objective.output)
            .and_then(|layer| layer.activation());
        without[objective.output] =
            activation.filter(|activation| objective.loss.fuses_with(activation));
    }
    without
}

/// The gradients of a loss of one's own with respect to the weights of `trained`.
pub(super) fn gradients(
    leaves: &[LayerRef],
    trained: &[LayerRef],
    loss: &mut dyn FnMut() -> Tensor,
) -> Result<(f64, Vec<Tensor>)> {
    let tape = GradientTape::new();
    let noted = Noted::of(leaves);
    let watched = Watched::on(&tape, trained);
    let loss = loss();
    let value = loss.try_item()?;
    let sources = watched.sources();
    let gradients = tape.try_gradient(&loss, &sources.iter().collect::<Vec<_>>())?;
    noted.keep();
    Ok((value, gradients))
}

/// The losses of the outputs, each times its weight, and the penalties.
fn total(compiled: &Compiled, losses: &[Tensor], penalty: Option<Tensor>) -> Tensor {
    let weighted = compiled
        .objectives
        .iter()
        .zip(losses)
        .map(|(objective, loss)| match objective.weight {
            1.0 => loss.clone(),
            weight => loss * weight,
        });
    let sum = weighted.chain(penalty).reduce(|sum, one| sum + one);
    sum.unwrap_or_else(|| Tensor::from(0.0))
}

/// A model's outputs as their losses want them: logits, where loss and last activation are one function.
struct Outputs {
    flow: Flow,
    /// The penalties on what layers have returned.
    activity: Option<Tensor>,
    /// The activations that were left out.
    without: Vec<Option<Activation>>,
}

impl Outputs {
    fn of(graph: &Graph, compiled: &Compiled, x: &[Tensor], training: bool) -> Outputs {
        let without = left_out(graph, compiled);
        let logits: Vec<bool> = without.iter().map(Option::is_some).collect();
        let call = if training {
            Call::training()
        } else {
            Call::inference()
        };
        let (flow, activity) = collect_activity(|| graph.run(x, &call, &logits));
        Outputs {
            flow,
            activity,
            without,
        }
    }

    /// What the graph adds to the loss, and the penalties on what layers have returned and on the weights that
    /// are trained.
    fn penalty(&self, trained: &[LayerRef]) -> Option<Tensor> {
        let of = |leaf: &LayerRef| leaf.leaf().and_then(|layer| layer.penalty());
        let added = self.flow.losses.iter().map(Tensor::mean);
        let activity = self.activity.clone();
        let all = added.chain(activity).chain(trained.iter().filter_map(of));
        all.reduce(|sum, one| sum + one)
    }

    /// The loss of each objective.
    fn losses(&self, compiled: &Compiled, batch: &Prepared) -> Result<Vec<Tensor>> {
        let labels = batch.y.iter().zip(&batch.weights);
        let of = |(objective, (y, weights)): (&Objective, (&Tensor, &Option<Tensor>))| {
            let output = objective.output;
            let (tensor, mask) = (&self.flow.tensors[output], &self.flow.masks[output]);
            let loss = match self.without[output] {
                Some(_) => &objective.loss.on_logits(),
                None => &objective.loss,
            };
            loss.weighted(y, tensor, weights.as_ref(), mask.as_ref())
        };
        compiled.objectives.iter().zip(labels).map(of).collect()
    }

    fn predictions(&self, output: usize) -> Tensor {
        let tensor = self.flow.tensors[output].detach();
        match &self.without[output] {
            Some(activation) => activation.apply(&tensor),
            None => tensor,
        }
    }
}

/// Puts what [`Compiled::names`] names into the tally.
fn measure(
    compiled: &Compiled,
    tally: &mut Tally,
    total: f64,
    losses: &[Tensor],
    batch: &Prepared,
    outputs: &Outputs,
) -> Result<()> {
    tally.add_losses(total, losses.iter().map(Tensor::item), batch.samples());
    for (index, (objective, y)) in compiled.objectives.iter().zip(&batch.y).enumerate() {
        if tally.needs_predictions(index) {
            let predictions = outputs.predictions(objective.output);
            let mask = outputs.flow.masks[objective.output].as_ref();
            let weights = batch.weights[index].as_ref();
            tally.add_predictions(index, y, &predictions, mask, weights)?;
        }
    }
    Ok(())
}

/// Layers whose weights record on a tape; the weights leave it when this goes, also in a panic.
struct Watched<'a> {
    layers: &'a [LayerRef],
}

impl<'a> Watched<'a> {
    fn on(tape: &GradientTape, layers: &'a [LayerRef]) -> Watched<'a> {
        let watched = Watched { layers };
        watched.each_weight(|weight| expect(tape.watch_here(weight)));
        watched
    }

    fn each_weight(&self, mut change: impl FnMut(&mut Tensor)) {
        for mut layer in self.layers.iter().filter_map(LayerRef::leaf_mut) {
            layer.each_weight_mut(&mut change);
        }
    }

    fn sources(&self) -> Vec<Tensor> {
        let mut sources = Vec::new();
        for layer in self.layers.iter().filter_map(LayerRef::leaf) {
            layer.each_weight(&mut |weight| sources.push(weight.clone()));
        }
        sources
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.each_weight(|weight| weight.set_node(None));
    }
}

/// What layers have noted in their training calls: forgotten, unless the batch came to something.
struct Noted<'a> {
    layers: &'a [LayerRef],
    settled: bool,
}

impl<'a> Noted<'a> {
    fn of(layers: &'a [LayerRef]) -> Noted<'a> {
        Noted {
            layers,
            settled: false,
        }
    }

    fn commit(mut self) {
        commit(self.layers);
        self.settled = true;
    }

    /// Leaves it for a later step.
    fn keep(mut self) {
        self.settled = true;
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        for mut layer in self.layers.iter().filter_map(LayerRef::leaf_mut) {
            layer.discard();
        }
    }
}

/// Takes over what layers have noted in their training calls.
pub(super) fn commit(layers: &[LayerRef]) {
    for mut layer in layers.iter().filter_map(LayerRef::leaf_mut) {
        layer.commit();
    }
}
