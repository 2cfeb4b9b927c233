//! Random omission.

use super::{Backward, Forward, Input, Plan, values};
use crate::device::cpu::buffers::Scratch;
use crate::device::cpu::{self, Cost, vectorised};
use crate::random::{draw_dropout, next_seed};

/// See [`crate::layers::Dropout`].
pub(in crate::layers) struct Dropout {
    shape: Vec<usize>,
    rate: f64,
    /// By what each element is multiplied.
    mask: Scratch<f32>,
}

impl Dropout {
    pub(in crate::layers) fn new(x: &Input<'_>, rate: f64) -> Option<Dropout> {
        (!x.is_sparse).then(|| Dropout {
            shape: x.shape.to_vec(),
            rate,
            mask: Scratch::new(x.len()),
        })
    }

    fn multiply(&self, from: &[f32], to: &mut [f32]) {
        cpu::chunks(to, 1, Cost::Cheap, &|start, piece| {
            vectorised(
                #[inline(always)]
                || {
                    let pairs = from[start..].iter().zip(&self.mask.0[start..]);
                    for (to, (&from, &factor)) in piece.iter_mut().zip(pairs) {
                        *to = from * factor;
                    }
                },
            );
        });
    }
}

impl Plan for Dropout {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn elements(&self) -> usize {
        self.mask.0.len()
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        draw_dropout(&mut self.mask.0, self.rate, next_seed());
        self.multiply(values(step.x), step.y);
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        if let Some(by_x) = step.by_x {
            self.multiply(step.gradient, by_x);
        }
    }
}
