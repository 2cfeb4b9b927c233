//! `relu(x · kernel + bias)`, with or without the relu.

use super::{Backward, Forward, Input, Plan, matrix, single_mut, values};
use crate::Tensor;
use crate::device::cpu;
use crate::device::{Cpu, Kernels};

/// See [`crate::layers::Dense`].
pub(in crate::layers) struct Dense {
    shape: Vec<usize>,
    features: usize,
    units: usize,
    relu: bool,
}

impl Dense {
    pub(in crate::layers) fn new(x: &Input<'_>, kernel: &Tensor, relu: bool) -> Option<Dense> {
        let ([features, units], [before @ .., last]) = (kernel.shape(), x.shape) else {
            return None;
        };
        let takes = !before.is_empty() && features == last;
        takes.then(|| Dense {
            shape: [before, &[*units]].concat(),
            features: *features,
            units: *units,
            relu,
        })
    }
}

impl Plan for Dense {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn flushes(&self) -> bool {
        true
    }

    fn forward(&mut self, step: Forward<'_>) -> bool {
        let kernel = matrix(step.weights[0], self.units);
        let bias = step.weights.get(1).copied();
        match step.x.sparse() {
            Some(rows) => {
                let result: Vec<f32> = Cpu::sparse_gemm(rows, kernel, bias);
                step.y.copy_from_slice(&result);
            }
            None => {
                let x = matrix(values(step.x), self.features);
                Cpu::gemm_into(x, kernel, bias, step.y);
            }
        }
        if self.relu {
            cpu::relu(step.y);
        }
        true
    }

    /// `∂x = g · kernelᵀ`, `∂kernel = xᵀ · g`, `∂bias = Σ g`
    fn backward(&mut self, mut step: Backward<'_>) {
        if self.relu {
            step.through_relu();
        }
        let g = matrix(step.gradient, self.units);
        if let Some(by_x) = step.by_x {
            let kernel = matrix(step.weights[0], self.units);
            Cpu::gemm_into(g, kernel.reversed_axes(), None, by_x);
        }
        let by_kernel = &mut step.by_weights[0];
        match step.x.sparse() {
            Some(rows) => {
                let values = Cpu::sparse_transposed_gemm(rows, g);
                *by_kernel = Tensor::from_values(by_kernel.shape(), values);
            }
            None => {
                let x = matrix(values(step.x), self.features).reversed_axes();
                Cpu::gemm_into(x, g, None, single_mut(by_kernel));
            }
        }
        if let Some(by_bias) = step.by_weights.get_mut(1) {
            let extent = (1, g.nrows(), self.units);
            cpu::sum_axis_into(step.gradient, extent, single_mut(by_bias));
        }
    }
}
