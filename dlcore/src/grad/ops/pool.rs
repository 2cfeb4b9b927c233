//! Pooling of images `[batch, height, width, channels]`: the largest or the mean under a window.

use super::{Rule, Step, apply};
use crate::device::cpu::buffers::written;
use crate::device::cpu::{self, Pooling, Slide, Window};
use crate::tensor::{float, float2, with_slice};
use crate::{Error, Result, Tensor};

/// The largest elements under a window, or their means; padding counts for nothing.
///
/// # Shapes
/// `x` `[batch, height, width, channels]`; returns `[batch, …positions, channels]`.
pub(crate) fn pool(x: &Tensor, op: Pool) -> Result<Tensor> {
    apply(op, &[&x.as_float()])
}

/// See [`pool`]. The gradient of the largest goes to the first element that is it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) window: Window,
    /// Positions of the window along each axis.
    pub(crate) positions: [usize; 2],
    /// Whether the largest elements are taken, rather than means.
    pub(crate) largest: bool,
}

impl Pool {
    pub(crate) fn of(&self, x: &[usize]) -> Pooling {
        Pooling {
            slide: Slide {
                window: self.window,
                batch: x[0],
                images: [x[1], x[2]],
                positions: self.positions,
            },
            channels: x[3],
        }
    }
}

impl Rule for Pool {
    fn name(&self) -> &'static str {
        if self.largest {
            "max_pool"
        } else {
            "average_pool"
        }
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let [batch, _, _, channels] = *inputs[0] else {
            return Err(Error::Shape(format!(
                "{}: expected [batch, height, width, channels], got {:?}",
                self.name(),
                inputs[0]
            )));
        };
        Ok(vec![batch, self.positions[0], self.positions[1], channels])
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let p = self.of(inputs[0].shape());
        float!(inputs[0], x => with_slice(x, |x| {
            let length = shape.iter().product();
            Tensor::from_values(shape, written(length, |to| match self.largest {
                true => cpu::max_pool(&p, x, to),
                false => cpu::average_pool(&p, x, to),
            }))
        }))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let x = &step.inputs[0];
        let p = self.of(x.shape());
        step.each(|_| {
            float2!(x, gradient, (own, g) => with_slice(g, |g| {
                let values = match self.largest {
                    true => with_slice(own, |own| {
                        let y = step.output.to_array();
                        with_slice(&y, |y| {
                            written(x.len(), |to| cpu::max_pool_input(&p, own, y, g, to))
                        })
                    }),
                    false => written(x.len(), |to| cpu::average_pool_input(&p, g, to)),
                };
                Tensor::from_values(x.shape(), values)
            }))
        })
    }
}
