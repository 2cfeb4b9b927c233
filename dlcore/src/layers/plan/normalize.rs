//! Batch normalization by the batch's own mean and variance.

use super::{Backward, Forward, Input, Plan, single_mut, values};
use crate::device::cpu;
use crate::grad::ops::Channels;
use crate::layers::Layer;

/// What takes a batch's mean and variance.
type Note = Box<dyn Fn(&[f32], &[f32]) + Send + Sync>;

/// See [`crate::layers::BatchNormalization`].
pub(in crate::layers) struct Normalize {
    shape: Vec<usize>,
    epsilon: f64,
    channels: Channels<f32>,
    /// Whether there are weights gamma and beta, and what stands for one that is not there.
    has: [bool; 2],
    absent: [Vec<f32>; 2],
    note: Note,
}

impl Normalize {
    pub(in crate::layers) fn new(
        x: &Input<'_>,
        epsilon: f64,
        has: [bool; 2],
        note: Note,
    ) -> Option<Normalize> {
        let width = *x.shape.last()?;
        let values = |value: f32| vec![value; width];
        (!x.is_sparse).then(|| Normalize {
            shape: x.shape.to_vec(),
            epsilon,
            channels: Channels::new(values(0.0), values(0.0)),
            has,
            absent: [values(1.0), values(0.0)],
            note,
        })
    }
}

/// Gamma and beta.
fn rows<'a>(has: [bool; 2], absent: &'a [Vec<f32>; 2], weights: &[&'a [f32]]) -> [&'a [f32]; 2] {
    let at = |index: usize| match has[index] {
        true => weights[usize::from(index == 1 && has[0])],
        false => &absent[index],
    };
    [at(0), at(1)]
}

impl Plan for Normalize {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// One that is frozen meanwhile normalizes by its moving averages.
    fn holds(&self, layer: &dyn Layer) -> bool {
        layer.trainable()
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let (x, channels) = (values(step.x), &mut self.channels);
        cpu::column_moments(x, &mut channels.mean, &mut channels.variance);
        channels.invert(self.epsilon);
        let [gamma, beta] = rows(self.has, &self.absent, step.weights);
        channels.normalize(x, gamma, beta, step.y);
        (self.note)(&channels.mean, &channels.variance);
        true
    }

    fn backward(&mut self, step: Backward<'_>) {
        let [gamma, _] = rows(self.has, &self.absent, step.weights);
        let channels = &mut self.channels;
        channels.gradients(step.gradient, values(step.x), gamma, step.by_x);
        let (by_beta, by_gamma) = channels.sums.split_at(gamma.len());
        let both = [by_gamma, by_beta].into_iter().zip(self.has);
        let wanted = both.filter(|(_, has)| *has).map(|(sums, _)| sums);
        for (to, sums) in step.by_weights.iter_mut().zip(wanted) {
            single_mut(to).copy_from_slice(sums);
        }
    }

    fn notes(&self) -> bool {
        true
    }
}
