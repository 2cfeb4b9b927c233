//! The way of a batch through dense layers in a row, forwards and back, without a tape.
//!
//! Small networks are made of nothing else, and a step of theirs computes so little that most of its time
//! would go into writing down what was computed, and into asking for memory. Here the way is known
//! beforehand: all that a step writes to is made once and used again by the next one, as long as batches
//! have the same size. The numbers are those of the tape, bit for bit. The losses used most are computed
//! here as well (`loss.rs`); any other is recorded from the output on.

mod loss;
mod values;

use std::sync::{Arc, RwLockWriteGuard};

use smallvec::SmallVec;

use self::loss::OwnLoss;
use self::values::{
    f32_mut, f32_of, in_a_row, is_single, matrix, rows_of, single_mut, single_of, zeros,
};
use super::graph::Graph;
use super::layer_ref::LayerRef;
use super::objective::Compiled;
use super::placement;
use super::step::{self, Prepared, Samples};
use super::tally::Tally;
use crate::activations::Activation;
use crate::device::cpu::{self, Cost};
use crate::device::{Cpu, Kernels};
use crate::grad::ops;
use crate::layers::Layer;
use crate::optimizers::Optimizer;
use crate::tensor::{Storage, row_major};
use crate::{DType, Result, Tensor};

/// Elements of a batch of `x` up to which it is copied even where it is a part of the data as they lie.
const COPIED: usize = 1 << 14;
/// Elements of all buffers up to which they stay after a step that belongs to no `fit`.
const KEPT: usize = 1 << 20;
/// Layers of a network up to which a step needs no memory to list them, and weights of these.
const LAYERS: usize = 8;
const WEIGHTS: usize = 2 * LAYERS;

/// Dense layers in a row, and what a batch becomes in them.
pub(super) struct Chain {
    graph: Arc<Graph>,
    links: Vec<Link>,
    /// The layers as an optimizer notes them.
    numbers: Vec<u64>,
    batch: Prepared,
    /// The gradients of all weights, in order.
    gradients: Vec<Tensor>,
    /// None for a loss that has to be recorded.
    loss: Option<OwnLoss>,
}

/// A layer's part of the way.
struct Link {
    layer: LayerRef,
    /// Whether its activation belongs to the loss.
    without_activation: bool,
    relu: bool,
    has_bias: bool,
    output: Tensor,
    /// That of the output.
    gradient: Tensor,
    /// The place of its kernel's gradient.
    place: usize,
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
        if x.ndim() < 2 || !is_single(x) {
            return None;
        }
        let logits = step::left_out(graph, compiled)[objective.output].is_some();
        let (links, gradients) = links(graph, logits, samples.count(), &x.shape()[1..])?;
        let numbers = links.iter().map(|link| link.layer.number()).collect();
        let output = &links.last()?.output;
        let own = data.weights.iter().all(Option::is_none);
        Some(Box::new(Chain {
            loss: OwnLoss::of(objective, logits, y, output).filter(|_| own),
            batch: Prepared {
                x: vec![room_for(x, samples.count())],
                y: vec![room_for(y, samples.count())],
                weights: vec![None; data.weights.len()],
            },
            graph: graph.clone(),
            links,
            numbers,
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
        let links = self.links.iter().map(|link| 2 * link.output.len());
        let gradients = self.gradients.iter().map(Tensor::len);
        links.chain(gradients).sum::<usize>() + self.batch.x[0].len()
    }

    /// The way forwards; false where a layer is no longer what it was, and nothing was computed.
    pub(super) fn forward(&mut self, samples: &Samples<'_>) -> bool {
        let data = samples.data();
        let (x, y) = (&mut self.batch.x[0], &mut self.batch.y[0]);
        load(x, &data.x[0], samples);
        load(y, &data.y[0], samples);
        for (own, weights) in self.batch.weights.iter_mut().zip(&data.weights) {
            *own = weights.as_ref().map(|weights| samples.of(weights));
        }
        cpu::flushing(|| {
            for index in 0..self.links.len() {
                let (before, from) = self.links.split_at_mut(index);
                let x = before.last().map_or(&self.batch.x[0], |link| &link.output);
                if !from[0].forward(x) {
                    return false;
                }
            }
            true
        })
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
        let last = self.links.last_mut()?;
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
            own.gradient(y, &last.output, single_mut(&mut last.gradient));
        }
        Some(Ok(value))
    }

    /// Takes the output's gradient from a loss that was recorded.
    pub(super) fn set_gradient(&mut self, gradient: &Tensor) {
        let Storage::F32(values) = gradient.storage() else {
            unreachable!("the gradient of a single-precision output");
        };
        let last = self.links.last_mut().expect("at least one layer");
        last.gradient = Tensor::from_array(row_major(values));
    }

    /// The way back: the gradients of all weights, given that of the output.
    pub(super) fn backward(&mut self) {
        cpu::flushing(|| {
            for index in (0..self.links.len()).rev() {
                let (before, from) = self.links.split_at_mut(index);
                let (x, by_x) = match before.last_mut() {
                    Some(link) => (&link.output, Some(&mut link.gradient)),
                    None => (&self.batch.x[0], None),
                };
                from[0].backward(x, by_x, &mut self.gradients);
            }
        });
    }

    /// One step of the optimizer.
    pub(super) fn update(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        placement::renew(optimizer);
        let mut built_for = optimizer.built_for();
        if !built_for
            .as_mut()
            .is_none_or(|own| own.is_for(&self.numbers))
        {
            let layers: Vec<LayerRef> = self.links.iter().map(|link| link.layer.clone()).collect();
            step::build_for(optimizer, &layers, "fit")?;
        }
        let links = self.links.iter().filter_map(|link| link.layer.leaf_mut());
        let mut layers: SmallVec<[RwLockWriteGuard<'_, Box<dyn Layer>>; LAYERS]> = links.collect();
        let mut weights: SmallVec<[&mut Tensor; WEIGHTS]> = SmallVec::new();
        for layer in &mut layers {
            if let Some((kernel, bias)) = layer.as_dense_mut() {
                weights.push(kernel);
                weights.extend(bias);
            }
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

/// The layers for `count` samples of this shape, and room for the gradients of their weights; none if a
/// layer is no dense one, or does not fit the one before. The last layer's activation is left out if
/// `logits`.
fn links(
    graph: &Graph,
    logits: bool,
    count: usize,
    sample: &[usize],
) -> Option<(Vec<Link>, Vec<Tensor>)> {
    let nodes = graph.nodes();
    let mut shape = [&[count], sample].concat();
    let (mut links, mut gradients) = (Vec::with_capacity(nodes.len()), Vec::new());
    for (index, node) in nodes.iter().enumerate() {
        let without_activation = logits && index + 1 == nodes.len();
        let layer = node.layer.leaf()?;
        let (kernel, bias, activation) = plain(&**layer, without_activation)?;
        let last = shape.last_mut()?;
        if *last != kernel.shape()[0] {
            return None;
        }
        *last = kernel.shape()[1];
        let place = gradients.len();
        gradients.push(zeros(kernel.shape()));
        gradients.extend(bias.map(|bias| zeros(bias.shape())));
        links.push(Link {
            layer: node.layer.clone(),
            without_activation,
            relu: !without_activation && matches!(activation, Activation::Relu),
            has_bias: bias.is_some(),
            output: zeros(&shape),
            gradient: zeros(&shape),
            place,
        });
    }
    Some((links, gradients))
}

/// Kernel, bias and activation of a dense layer without anything that this way does not know.
fn plain(
    layer: &dyn Layer,
    without_activation: bool,
) -> Option<(&Tensor, Option<&Tensor>, &Activation)> {
    let (kernel, bias, activation) = layer.as_dense()?;
    let known = without_activation || matches!(activation, Activation::Linear | Activation::Relu);
    let single = [Some(kernel), bias].into_iter().flatten().all(is_single);
    let lies_in_a_row = bias.is_none_or(|bias| single_of(bias).is_some());
    (known && single && lies_in_a_row).then_some((kernel, bias, activation))
}

impl Link {
    fn forward(&mut self, x: &Tensor) -> bool {
        let Some(layer) = self.layer.leaf() else {
            return false;
        };
        let Some((kernel, bias, activation)) = plain(&**layer, self.without_activation) else {
            return false;
        };
        let relu = !self.without_activation && matches!(activation, Activation::Relu);
        let units = self.output.shape().last() == kernel.shape().last();
        let fits = x.shape().last() == kernel.shape().first() && units;
        if relu != self.relu || bias.is_some() != self.has_bias || !fits {
            return false;
        }
        let (kernel, bias) = (matrix(kernel), bias.and_then(single_of));
        if let Some(rows) = x.sparse() {
            let values = Cpu::sparse_gemm(rows, kernel, bias);
            self.output = Tensor::from_values(self.output.shape(), values);
        } else {
            Cpu::gemm_into(rows_of(x), kernel, bias, single_mut(&mut self.output));
        }
        if self.relu {
            cpu::relu(single_mut(&mut self.output));
        }
        true
    }

    /// The gradients of the weights and, if it is wanted, of what came in.
    fn backward(&mut self, x: &Tensor, by_x: Option<&mut Tensor>, gradients: &mut [Tensor]) {
        if self.relu {
            let (gradient, output) = (f32_mut(&mut self.gradient), f32_of(&self.output));
            cpu::zip_assign(
                gradient,
                output,
                #[inline(always)]
                |g, y| g * ops::indicator(y),
            );
        }
        let g = rows_of(&self.gradient);
        if let Some(by_x) = by_x {
            let layer = self.layer.leaf().expect("it was read on the way forwards");
            let (kernel, _, _) = layer.as_dense().expect("it was one on the way forwards");
            Cpu::gemm_into(g, matrix(kernel).reversed_axes(), None, single_mut(by_x));
        }
        let by_kernel = &mut gradients[self.place];
        match x.sparse() {
            Some(rows) => {
                let values = Cpu::sparse_transposed_gemm(rows, g);
                *by_kernel = Tensor::from_values(by_kernel.shape(), values);
            }
            None => Cpu::gemm_into(rows_of(x).reversed_axes(), g, None, single_mut(by_kernel)),
        }
        if self.has_bias {
            let values = single_of(&self.gradient).expect("in row-major order");
            let by_bias = single_mut(&mut gradients[self.place + 1]);
            cpu::sum_axis_into(values, (1, g.nrows(), g.ncols()), by_bias);
        }
    }
}

/// Room for so many samples like those of `data`; nothing where they are not copied.
fn room_for(data: &Tensor, count: usize) -> Tensor {
    if data.is_sparse() || data.dtype() != DType::F32 {
        return data.slice(..0);
    }
    zeros(&[&[count], &data.shape()[1..]].concat())
}

/// Puts the samples into `to`, in place where it can.
fn load(to: &mut Tensor, data: &Tensor, samples: &Samples<'_>) {
    let row: usize = data.shape()[1..].iter().product();
    let copied = samples.is_shuffled() || samples.count() * row <= COPIED;
    let Some((order, range)) = samples.part().filter(|_| copied) else {
        *to = in_a_row(samples.of(data));
        return;
    };
    let from = match data.storage() {
        Storage::F32(from) if row > 0 && to.len() == range.len() * row => from.as_slice(),
        _ => None,
    };
    let Some(from) = from else {
        *to = in_a_row(samples.of(data));
        return;
    };
    let first = range.start;
    let into = single_mut(to);
    cpu::chunks(into, row, Cost::Cheap, &|start, piece| {
        for (index, to) in piece.chunks_exact_mut(row).enumerate() {
            let sample = first + start / row + index;
            let sample = order.map_or(sample, |order| order[sample]);
            to.copy_from_slice(&from[sample * row..][..row]);
        }
    });
}
