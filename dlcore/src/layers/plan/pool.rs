//! The largest or the mean under a window.

use super::{Backward, Forward, Input, Plan, values};
use crate::device::cpu::{self, Pooling};
use crate::grad::ops;

/// See [`crate::layers::MaxPooling2D`].
pub(in crate::layers) struct Pool {
    shape: Vec<usize>,
    pooling: Pooling,
    largest: bool,
}

impl Pool {
    /// For images `[batch, height, width, channels]`, or sequences, which are images of height 1.
    pub(in crate::layers) fn new(x: &Input<'_>, op: ops::Pool) -> Option<Pool> {
        let (images, spatial) = match *x.shape {
            [batch, height, width, channels] => {
                ([batch, height, width, channels], &op.positions[..])
            }
            [batch, steps, channels] => ([batch, 1, steps, channels], &op.positions[1..]),
            _ => return None,
        };
        (!x.is_sparse).then(|| Pool {
            shape: [&images[..1], spatial, &images[3..]].concat(),
            pooling: op.of(&images),
            largest: op.largest,
        })
    }
}

impl Plan for Pool {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let x = values(step.x);
        match self.largest {
            true => cpu::max_pool(&self.pooling, x, step.y),
            false => cpu::average_pool(&self.pooling, x, step.y),
        }
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        let (x, g) = (values(step.x), &*step.gradient);
        match (step.by_x, self.largest) {
            (None, _) => {}
            (Some(by_x), true) => cpu::max_pool_input(&self.pooling, x, step.y, g, by_x),
            (Some(by_x), false) => cpu::average_pool_input(&self.pooling, g, by_x),
        }
    }
}
