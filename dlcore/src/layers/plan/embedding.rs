//! Vectors looked up by integers.

use super::{Backward, Forward, Input, Plan, single_mut, values};

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
            rows: Vec::with_capacity(x.len()),
        })
    }
}

impl Plan for Embedding {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let (length, width) = (step.weights[0].shape()[0], step.weights[0].shape()[1]);
        // Models hand on integers in single precision.
        let row = |&value: &f32| {
            let known = value >= 0.0 && f64::from(value) < length as f64 && value.fract() == 0.0;
            known.then_some(value as usize)
        };
        self.rows.clear();
        self.rows.extend(values(step.x).iter().map_while(row));
        // What names no row is told by the layer itself.
        if self.rows.len() != step.x.len() {
            return false;
        }
        let embeddings = values(step.weights[0]);
        for (to, &row) in step.y.chunks_exact_mut(width).zip(&self.rows) {
            to.copy_from_slice(&embeddings[row * width..][..width]);
        }
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        let width = step.weights[0].shape()[1];
        let sums = single_mut(&mut step.by_weights[0]);
        sums.fill(0.0);
        for (from, &row) in step.gradient.chunks_exact(width).zip(&self.rows) {
            for (sum, &value) in sums[row * width..][..width].iter_mut().zip(from) {
                *sum += value;
            }
        }
    }
}
