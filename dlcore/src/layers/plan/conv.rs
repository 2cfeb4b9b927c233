//! A convolution.

use super::{Backward, Forward, Input, Plan, single_mut, values};
use crate::device::cpu::{self, Convolution};
use crate::grad::ops;

/// See [`crate::layers::Conv2D`].
pub(in crate::layers) struct Conv {
    shape: Vec<usize>,
    convolution: Convolution,
    relu: bool,
}

impl Conv {
    /// For images `[batch, height, width, channels]`, or sequences, which are images of height 1.
    pub(in crate::layers) fn new(x: &Input<'_>, op: ops::Conv, filters: usize) -> Option<Conv> {
        let (images, spatial) = match *x.shape {
            [batch, height, width, channels] => {
                ([batch, height, width, channels], &op.positions[..])
            }
            [batch, steps, channels] => ([batch, 1, steps, channels], &op.positions[1..]),
            _ => return None,
        };
        // One pixel at a time, it is a dense layer.
        if x.is_sparse || op.is_dense(&images) {
            return None;
        }
        Some(Conv {
            shape: [&images[..1], spatial, &[filters]].concat(),
            convolution: op.of(&images, filters),
            relu: op.relu,
        })
    }
}

impl Plan for Conv {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let bias = step.weights.get(1).copied();
        let (x, kernel) = (values(step.x), step.weights[0]);
        cpu::conv(&self.convolution, x, kernel, bias, self.relu, step.y);
        true
    }

    fn backward(&mut self, mut step: Backward<'_>) {
        if self.relu {
            step.through_relu();
        }
        let (x, g) = (values(step.x), &*step.gradient);
        if let Some(by_x) = step.by_x {
            cpu::conv_transpose(&self.convolution, g, step.weights[0], None, by_x);
        }
        let by_kernel = single_mut(&mut step.by_weights[0]);
        cpu::conv_kernel(&self.convolution, x, g, by_kernel);
        if let Some(by_bias) = step.by_weights.get_mut(1) {
            cpu::column_sums(g, single_mut(by_bias));
        }
    }
}
