//! The input in another shape.

use super::{Backward, Forward, Input, Plan, values};

/// See [`crate::layers::Flatten`].
pub(in crate::layers) struct Flatten {
    shape: Vec<usize>,
}

impl Flatten {
    pub(in crate::layers) fn new(x: &Input<'_>, shape: &[usize]) -> Option<Flatten> {
        let shape = shape.to_vec();
        (!x.is_sparse).then_some(Flatten { shape })
    }
}

impl Plan for Flatten {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        step.y.copy_from_slice(values(step.x));
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        if let Some(by_x) = step.by_x {
            by_x.copy_from_slice(step.gradient);
        }
    }

    fn only_reshapes(&self) -> bool {
        true
    }
}
