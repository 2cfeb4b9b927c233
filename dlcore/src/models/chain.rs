//! The way of a batch through layers in a row, forwards and back, without a tape.
//!
//! A step of a small network computes so little that most of its time would go into writing down what was
//! computed, and into asking for memory. Here the way is known beforehand: each layer has a plan
//! (`layers/plan.rs`), and all that a step writes to is made once and used again by the next one, as long as
//! batches have the same size. The numbers are those of the tape, bit for bit. The losses used most are computed
//! here as well (`loss.rs`); any other is recorded from the output on.

mod batch;
mod loss;

use std::sync::{Arc, RwLockWriteGuard};

use smallvec::SmallVec;

use self::batch::{load, room_for};
use self::loss::OwnLoss;
use super::graph::Graph;
use super::layer_ref::LayerRef;
use super::objective::Compiled;
use super::placement;
use super::step::{self, Prepared, Samples};
use super::tally::Tally;
use crate::device::cpu::buffers::{self, Scratch};
use crate::device::cpu::flushing;
use crate::layers::Layer;
use crate::layers::plan::{Backward, Forward, Input, Plan, plain_of, single_mut, single_of};
use crate::optimizers::Optimizer;
use crate::tensor::{Storage, row_major};
use crate::{DType, Result, Tensor};

/// Elements of all buffers up to which they stay after a step that belongs to no `fit`.
const KEPT: usize = 1 << 20;
/// Layers of a network up to which a step needs no memory to list them, and weights of these, and of one.
const LAYERS: usize = 16;
const WEIGHTS: usize = 2 * LAYERS;
const OWN: usize = 4;

/// Layers in a row, and what a batch becomes in them.
pub(super) struct Chain {
    graph: Arc<Graph>,
    links: Vec<Link>,
    /// The layers that have weights, as an optimizer notes them.
    numbers: Vec<u64>,
    /// The layers that are told something on the way forwards.
    noting: Option<Arc<[LayerRef]>>,
    batch: Prepared,
    /// The gradients of all weights, in order.
    gradients: Vec<Tensor>,
    /// Those of the outputs, in turn: that of one output gives that of the one before.
    back: [Scratch<f32>; 2],
    /// Whether denormals count as zero all the way, rather than within each loop: it is set once then.
    flushes: bool,
    /// None for a loss that has to be recorded.
    loss: Option<OwnLoss>,
}

/// A layer's part of the way.
struct Link {
    layer: LayerRef,
    plan: Box<dyn Plan>,
    output: Tensor,
    /// The places of its weights' gradients.
    places: std::ops::Range<usize>,
}

/// A chain between two steps; a copy of the model makes its own.
#[derive(Default)]
pub(super) struct KeptChain(Option<Box<Chain>>);

impl Clone for KeptChain {
    fn clone(&self) -> Self {
        KeptChain::default()
    }
}

impl KeptChain {
    pub(super) fn take(&mut self) -> Option<Box<Chain>> {
        self.0.take()
    }

    pub(super) fn put(&mut self, chain: Box<Chain>) {
        self.0 = Some(chain);
    }

    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// Forgets a chain that takes much memory.
    pub(super) fn forget_large(&mut self) {
        self.0.take_if(|chain| chain.elements() > KEPT);
    }
}

impl Chain {
    /// The chain for batches like this one; none for a model that is something else, or has weights that
    /// are not trained. A loss of the user's own may look at the weights as well, which then have to be
    /// recorded.
    pub(super) fn of(
        graph: &Arc<Graph>,
        compiled: &Compiled,
        leaves: &[LayerRef],
        samples: &Samples<'_>,
    ) -> Option<Box<Chain>> {
        let [objective] = compiled.objectives.as_slice() else {
            return None;
        };
        if objective.loss.is_custom() || graph.has_losses() || !is_row(graph, leaves) {
            return None;
        }
        if !compiled.trained.iter().all(|&trained| trained) {
            return None;
        }
        let data = samples.data();
        let ([x], [y]) = (data.x.as_slice(), data.y.as_slice()) else {
            return None;
        };
        if x.ndim() < 2 || x.dtype() != DType::F32 || x.node().is_some() {
            return None;
        }
        let shape = [&[samples.count()], &x.shape()[1..]].concat();
        let input = Input {
            shape: &shape,
            is_sparse: x.is_sparse(),
        };
        let logits = step::left_out(graph, compiled)[objective.output].is_some();
        let batch = Prepared {
            x: vec![room_for(x, samples.count())],
            y: vec![room_for(y, samples.count())],
            weights: vec![None; data.weights.len()],
        };
        let (links, gradients) = links(graph, logits, &input)?;
        let weighted = links.iter().filter(|link| !link.places.is_empty());
        let numbers = weighted.map(|link| link.layer.number()).collect();
        let noting = links.iter().filter(|link| link.plan.notes());
        let noting: Vec<LayerRef> = noting.map(|link| link.layer.clone()).collect();
        let largest = links.iter().map(|link| link.output.len()).max()?;
        let output = &links.last()?.output;
        let own = data.weights.iter().all(Option::is_none);
        Some(Box::new(Chain {
            loss: OwnLoss::of(objective, logits, y, output).filter(|_| own),
            batch,
            graph: graph.clone(),
            back: [(); 2].map(|()| Scratch::new(largest)),
            flushes: links.iter().all(|link| link.plan.flushes()),
            links,
            numbers,
            noting: (!noting.is_empty()).then(|| noting.into()),
            gradients,
        }))
    }

    /// Whether it is one for this graph and batches of this size and form.
    pub(super) fn fits(&self, graph: &Arc<Graph>, samples: &Samples<'_>) -> bool {
        let alike = |own: &Tensor, data: &Tensor| {
            own.shape().get(1..) == data.shape().get(1..)
                && own.dtype() == data.dtype()
                && own.is_sparse() == data.is_sparse()
        };
        let data = samples.data();
        let weighted = data.weights.iter().any(Option::is_some);
        Arc::ptr_eq(&self.graph, graph)
            && self.links[0].output.shape()[0] == samples.count()
            && data.x.len() == 1
            && data.y.len() == 1
            && alike(&self.batch.x[0], &data.x[0])
            && alike(&self.batch.y[0], &data.y[0])
            && !(weighted && self.loss.is_some())
    }

    fn elements(&self) -> usize {
        let links = self.links.iter().map(|link| link.output.len());
        let gradients = self.gradients.iter().map(Tensor::len);
        let back = self.back.iter().map(|back| back.0.len());
        let plans = self.links.iter().map(|link| link.plan.elements());
        let all = links.chain(gradients).chain(back).chain(plans);
        all.sum::<usize>() + self.batch.x[0].len() + self.batch.y[0].len()
    }

    /// The way forwards; false where a layer is no longer what it was, and the step is to be made on a tape.
    pub(super) fn forward(&mut self, samples: &Samples<'_>) -> bool {
        let data = samples.data();
        let (x, y) = (&mut self.batch.x[0], &mut self.batch.y[0]);
        load(x, &data.x[0], samples);
        load(y, &data.y[0], samples);
        for (own, weights) in self.batch.weights.iter_mut().zip(&data.weights) {
            *own = weights.as_ref().map(|weights| samples.of(weights));
        }
        let (links, gradients) = (&mut self.links, &self.gradients);
        let mut run = || {
            (0..links.len()).all(|index| {
                let (before, from) = links.split_at_mut(index);
                let x = before.last().map_or(&self.batch.x[0], |link| &link.output);
                from[0].forward(x, gradients)
            })
        };
        if self.flushes { flushing(run) } else { run() }
    }

    /// The layers that were told something on the way forwards.
    pub(super) fn noting(&self) -> Option<Arc<[LayerRef]>> {
        self.noting.clone()
    }

    pub(super) fn batch(&self) -> &Prepared {
        &self.batch
    }

    /// What came out.
    pub(super) fn output(&self) -> &Tensor {
        &self.links[self.links.len() - 1].output
    }

    /// The loss, where it need not be recorded; it goes into the tally with the metrics.
    pub(super) fn own_loss(&mut self, tally: &mut Tally) -> Option<Result<f64>> {
        let own = self.loss.as_mut()?;
        let last = self.links.last()?;
        let y = &self.batch.y[0];
        let value = own.value(y, &last.output);
        if value.is_finite() {
            tally.add_losses(value, [value], self.batch.samples());
            if tally.needs_predictions(0) {
                let predictions = own.predictions(&last.output);
                if let Err(error) = tally.add_predictions(0, y, predictions, None, None) {
                    return Some(Err(error));
                }
            }
            let gradient = &mut self.back[(self.links.len() - 1) % 2];
            own.gradient(y, &last.output, &mut gradient.0[..last.output.len()]);
        }
        Some(Ok(value))
    }

    /// Takes the output's gradient from a loss that was recorded.
    pub(super) fn set_gradient(&mut self, gradient: &Tensor) {
        let Storage::F32(values) = gradient.storage() else {
            unreachable!("the gradient of a single-precision output");
        };
        let values = row_major(values);
        let values = values.as_slice().expect("row-major");
        self.back[(self.links.len() - 1) % 2].0[..values.len()].copy_from_slice(values);
    }

    /// The way back: the gradients of all weights, given that of the output.
    pub(super) fn backward(&mut self) {
        let has_weights = |link: &Link| !link.places.is_empty();
        // Nobody needs what lies before.
        let Some(first) = self.links.iter().position(has_weights) else {
            return;
        };
        let (links, gradients) = (&mut self.links, &mut self.gradients);
        let [even, odd] = self.back.each_mut().map(|back| back.0.as_mut_slice());
        let mut run = || {
            for index in (first..links.len()).rev() {
                let (before, from) = links.split_at_mut(index);
                let x = before.last().map_or(&self.batch.x[0], |link| &link.output);
                let (own, other) = match index % 2 {
                    0 => (&mut *even, &mut *odd),
                    _ => (&mut *odd, &mut *even),
                };
                let by_x = (index > first).then(|| &mut other[..x.len()]);
                from[0].backward(x, own, by_x, gradients);
            }
        };
        if self.flushes { flushing(run) } else { run() }
    }

    /// One step of the optimizer.
    pub(super) fn update(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        placement::renew(optimizer);
        let mut built_for = optimizer.built_for();
        if !built_for
            .as_mut()
            .is_none_or(|own| own.is_for(&self.numbers))
        {
            let layers: Vec<LayerRef> = self.links.iter().map(|l| l.layer.clone()).collect();
            step::build_for(optimizer, &layers, "fit")?;
        }
        let links = self.links.iter().filter_map(|link| link.layer.leaf_mut());
        let mut layers: SmallVec<[RwLockWriteGuard<'_, Box<dyn Layer>>; LAYERS]> = links.collect();
        let mut weights: SmallVec<[&mut Tensor; WEIGHTS]> = SmallVec::new();
        for layer in &mut layers {
            layer.each_weight_mut(&mut |weight| weights.push(weight));
        }
        optimizer.step(&mut weights, &self.gradients);
        drop(weights);
        layers.iter_mut().for_each(|layer| layer.constrain());
        Ok(())
    }
}

/// Whether the graph is the leaves one after another, from its one input to its one output.
fn is_row(graph: &Graph, leaves: &[LayerRef]) -> bool {
    let ([_], [output]) = (graph.inputs(), graph.output_places()) else {
        return false;
    };
    let nodes = graph.nodes();
    let mut place = 0;
    for (node, layer) in nodes.iter().zip(leaves) {
        if node.inputs != [place] || node.outputs.len() != 1 || !node.layer.is_same(layer) {
            return false;
        }
        place = node.outputs.start;
    }
    nodes.len() == leaves.len() && !nodes.is_empty() && place == *output
}

/// The layers for a batch like `x`, and room for the gradients of their weights; none if a layer has no plan. The
/// last layer's activation is left out if `logits`.
fn links(graph: &Graph, logits: bool, x: &Input<'_>) -> Option<(Vec<Link>, Vec<Tensor>)> {
    let nodes = graph.nodes();
    let (mut links, mut gradients) = (Vec::<Link>::with_capacity(nodes.len()), Vec::new());
    for (index, node) in nodes.iter().enumerate() {
        let layer = node.layer.leaf()?;
        let between = links.last().map(|link| Input {
            shape: link.output.shape(),
            is_sparse: false,
        });
        let from = between.as_ref().unwrap_or(x);
        let plan = layer.plan(from, logits && index + 1 == nodes.len())?;
        let output = anything(plan.shape());
        // The layer before may as well write its output in that shape.
        if let Some(before) = links.last_mut().filter(|_| plan.only_reshapes()) {
            before.output = output;
            continue;
        }
        let place = gradients.len();
        layer.each_weight(&mut |weight| gradients.push(anything(weight.shape())));
        links.push(Link {
            layer: node.layer.clone(),
            plan,
            output,
            places: place..gradients.len(),
        });
    }
    Some((links, gradients))
}

/// A tensor that is written before it is read.
fn anything(shape: &[usize]) -> Tensor {
    Tensor::from_values(shape, buffers::any::<f32>(shape.iter().product()))
}

/// The weights of a layer; none if one is not dense, of single precision, in row-major order and on no tape.
fn weights_of(layer: &dyn Layer) -> Option<SmallVec<[&[f32]; OWN]>> {
    let (mut weights, mut all) = (SmallVec::new(), true);
    layer.each_weight(&mut |weight| match plain_of(weight) {
        Some(values) => weights.push(values),
        None => all = false,
    });
    all.then_some(weights)
}

impl Link {
    /// The output; false where the layer or its weights are not what was planned.
    fn forward(&mut self, x: &Tensor, gradients: &[Tensor]) -> bool {
        let layer = self.layer.leaf().expect("only layers have plans");
        let Some(weights) = weights_of(&**layer).filter(|_| self.plan.holds(&**layer)) else {
            return false;
        };
        let gradients = gradients[self.places.clone()].iter().map(Tensor::len);
        if !weights.iter().map(|weight| weight.len()).eq(gradients) {
            return false;
        }
        self.plan.forward(Forward {
            x,
            weights: &weights,
            y: single_mut(&mut self.output),
        })
    }

    /// The gradients of the weights and, if it is wanted, of what came in, from the output's in `gradient`.
    fn backward(
        &mut self,
        x: &Tensor,
        gradient: &mut [f32],
        by_x: Option<&mut [f32]>,
        gradients: &mut [Tensor],
    ) {
        let layer = self.layer.leaf().expect("only layers have plans");
        let y = single_of(&self.output).expect("in row-major order");
        let step = Backward {
            x,
            weights: &weights_of(&**layer).expect("seen on the way forwards"),
            y,
            gradient: &mut gradient[..y.len()],
            by_x,
            by_weights: &mut gradients[self.places.clone()],
        };
        self.plan.backward(step);
    }
}
