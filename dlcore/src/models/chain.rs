//! The way of a batch through dense layers in a row, forwards and back, without a tape.
//!
//! Small networks are made of nothing else, and a step of theirs computes so little that most of its time
//! would go into writing down what was computed. Here it is known beforehand. The operations are those
//! of the layers, so that the numbers are those of the tape; only the loss, which may be any, is
//! recorded.

use super::graph::Graph;
use super::layer_ref::LayerRef;
use super::step::Prepared;
use crate::activations::Activation;
use crate::grad::ops::{self, Step};
use crate::tensor::expect;
use crate::{DType, Tensor};

/// A layer's part of the way.
struct Link {
    op: ops::Dense,
    /// What came in, the kernel and, if there is one, the bias.
    inputs: Vec<Tensor>,
    output: Tensor,
}

/// Dense layers in a row, and what a batch became in them.
pub(super) struct Chain(Vec<Link>);

impl Chain {
    /// The way forwards; none for a model that is something else, or that has weights which are not
    /// trained. The last layer's activation is left out if `logits`.
    pub(super) fn forward(
        graph: &Graph,
        trained: &[LayerRef],
        batch: &Prepared,
        logits: bool,
    ) -> Option<Chain> {
        let ([x], [output]) = (&*batch.x, graph.output_places()) else {
            return None;
        };
        let nodes = graph.nodes();
        let mut place = 0;
        for (node, layer) in nodes.iter().zip(trained) {
            if node.inputs != [place] || node.outputs.len() != 1 || !node.layer.is_same(layer) {
                return None;
            }
            place = node.outputs.start;
        }
        if nodes.len() != trained.len() || nodes.is_empty() || place != *output {
            return None;
        }
        // All are looked at before any is computed: a layer that is none of these would waste the others' work.
        for (index, node) in nodes.iter().enumerate() {
            if !Link::is_one(&node.layer, logits && index + 1 == nodes.len()) {
                return None;
            }
        }
        let mut chain = Chain(Vec::with_capacity(nodes.len()));
        for (index, node) in nodes.iter().enumerate() {
            let from = chain.0.last().map_or(x, |link| &link.output);
            let without = logits && index + 1 == nodes.len();
            let link = Link::of(&node.layer, from, without)?;
            chain.0.push(link);
        }
        Some(chain)
    }

    /// What came out, to be recorded from there on.
    pub(super) fn output(&self) -> Tensor {
        let last = self.0.last().expect("at least one layer");
        last.output.clone()
    }

    /// The gradients of all weights in order, given that of the output.
    pub(super) fn backward(&self, mut gradient: Tensor) -> Vec<Tensor> {
        let mut gradients = Vec::with_capacity(2 * self.0.len());
        for (index, link) in self.0.iter().enumerate().rev() {
            let wanted = [index > 0, true, true];
            let step = Step {
                inputs: &link.inputs,
                output: &link.output,
                wanted: &wanted[..link.inputs.len()],
            };
            let mut shares = expect(ops::gradient(&link.op.into(), &step, &gradient));
            gradients.extend(shares.drain(1..).rev().flatten());
            if let Some(Some(share)) = shares.pop() {
                gradient = share;
            }
        }
        gradients.reverse();
        gradients
    }
}

impl Link {
    /// Whether the layer is a dense one, without anything that this way does not know.
    fn is_one(layer: &LayerRef, without_activation: bool) -> bool {
        let Some(layer) = layer.leaf() else {
            return false;
        };
        layer.as_dense().is_some_and(|(_, _, activation)| {
            without_activation || matches!(activation, Activation::Linear | Activation::Relu)
        })
    }

    /// The layer, if `x` fits it.
    fn of(layer: &LayerRef, x: &Tensor, without_activation: bool) -> Option<Link> {
        let layer = layer.leaf()?;
        let (kernel, bias, activation) = layer.as_dense()?;
        let relu = !without_activation && matches!(activation, Activation::Relu);
        let single = |tensor: &Tensor| tensor.dtype() == DType::F32 && tensor.node().is_none();
        let all = [Some(x), Some(kernel), bias];
        if !all.into_iter().flatten().all(single)
            || x.ndim() < 2
            || x.shape().last() != kernel.shape().first()
        {
            return None;
        }
        let output = expect(match relu {
            true => ops::dense_relu(x, kernel, bias),
            false => ops::dense(x, kernel, bias),
        });
        let inputs = [x, kernel].into_iter().chain(bias).cloned().collect();
        Some(Link {
            op: ops::Dense { relu },
            inputs,
            output,
        })
    }
}
