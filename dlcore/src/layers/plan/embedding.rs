//! Vectors looked up by integers.

use super::{Backward, Forward, Input, Plan, single_mut, values};
use crate::device::cpu::{self, Cost};

/// See [`crate::layers::Embedding`].
pub(in crate::layers) struct Embedding {
    shape: Vec<usize>,
    /// The rows that the input names.
    rows: Vec<usize>,
}

impl Embedding {
    pub(in crate::layers) fn new(x: &Input<'_>, width: usize) -> Option<Embedding> {
        (!x.is_sparse).then(|| Embedding {
            shape: [x.shape, &[width]].concat(),
            rows: vec![0; x.len()],
        })
    }
}

impl Embedding {
    /// Numbers of a vector.
    fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

impl Plan for Embedding {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn elements(&self) -> usize {
        2 * self.rows.len()
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let (embeddings, width) = (step.weights[0], self.width());
        let length = embeddings.len() / width;
        let mut known = true;
        // Models hand on integers in single precision.
        for (row, &value) in self.rows.iter_mut().zip(values(step.x)) {
            *row = value as usize;
            known &= *row as f32 == value && *row < length;
        }
        // What names no row is told by the layer itself.
        if !known {
            return false;
        }
        cpu::chunks(step.y, width, Cost::Cheap, &|start, piece| {
            let rows = &self.rows[start / width..];
            for (to, &row) in piece.chunks_exact_mut(width).zip(rows) {
                to.copy_from_slice(&embeddings[row * width..][..width]);
            }
        });
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        let width = self.width();
        let sums = single_mut(&mut step.by_weights[0]);
        sums.fill(0.0);
        for (from, &row) in step.gradient.chunks_exact(width).zip(&self.rows) {
            for (sum, &value) in sums[row * width..][..width].iter_mut().zip(from) {
                *sum += value;
            }
        }
    }
}
