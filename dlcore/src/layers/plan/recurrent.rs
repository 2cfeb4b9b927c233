//! A recurrent layer over whole sequences.

use super::{Backward, Forward, Input, Plan, single_mut, values};
use crate::Tensor;
use crate::device::cpu::recurrent::{Cell, Gradients, Kept, Pass, backward, forward};

/// See [`crate::layers::LSTM`].
pub(in crate::layers) struct Recurrent {
    shape: Vec<usize>,
    cell: Cell,
    units: usize,
    backwards: bool,
    sequences: bool,
    /// What the way forwards leaves for the way back.
    kept: Vec<Kept<f32>>,
}

impl Recurrent {
    pub(in crate::layers) fn new(
        x: &Input<'_>,
        cell: Cell,
        units: usize,
        (backwards, sequences): (bool, bool),
    ) -> Option<Recurrent> {
        let &[batch, steps, features] = x.shape else {
            return None;
        };
        let shape = match sequences {
            true => vec![batch, steps, units],
            false => vec![batch, units],
        };
        let takes = !x.is_sparse && batch * steps * features > 0;
        takes.then(|| Recurrent {
            shape,
            cell,
            units,
            backwards,
            sequences,
            kept: Vec::new(),
        })
    }

    fn pass<'a>(&self, x: &'a Tensor, weights: &[&'a [f32]]) -> Pass<'a, f32> {
        Pass {
            cell: self.cell,
            batch: x.shape()[0],
            steps: x.shape()[1],
            features: x.shape()[2],
            units: self.units,
            backwards: self.backwards,
            sequences: self.sequences,
            states: false,
            zero_masked: false,
            mask: None,
            input_dropout: None,
            dropout: None,
            x: values(x),
            kernel: weights[0],
            recurrent_kernel: weights[1],
            bias: weights.get(2).copied(),
            initial: Vec::new(),
        }
    }
}

impl Plan for Recurrent {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn elements(&self) -> usize {
        self.kept.iter().map(Kept::elements).sum()
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let pass = self.pass(step.x, step.weights);
        forward(&pass, true, &mut self.kept, step.y);
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        let pass = self.pass(step.x, step.weights);
        let [kernel, recurrent_kernel, bias @ ..] = step.by_weights else {
            unreachable!("two kernels, and a bias where there is one");
        };
        let to = Gradients {
            x: step.by_x.unwrap_or_default(),
            kernel: single_mut(kernel),
            recurrent_kernel: single_mut(recurrent_kernel),
            bias: bias.first_mut().map(single_mut).unwrap_or_default(),
            initial: &mut [],
        };
        backward(&pass, &self.kept, step.gradient, to);
    }
}
