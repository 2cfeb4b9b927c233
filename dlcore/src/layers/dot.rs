//! Sample by sample products of two inputs.

use serde_json::{Value, json};

use super::merge::{check_count, needs_several};
use super::{Base, Call, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::losses::EPSILON;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// The product of two inputs, sample by sample, summed over one axis of each: similarities of
/// embeddings, attention.
///
/// # Shapes
/// inputs `[batch, a…, n, b…]` and `[batch, c…, n, d…]` → `[batch, a…, b…, c…, d…]`; two batches of
/// vectors give `[batch, 1]`
///
/// ```
/// use dlcore::prelude::*;
/// let inputs = [Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0]])];
/// let product = Dot::new(1).call(&inputs, &Call::inference()).remove(0);
/// assert_eq!(product, Tensor::from([[11.0]]));
/// ```
#[derive(Clone, Debug)]
pub struct Dot {
    base: Base,
    axes: Dims,
    normalize: bool,
}

layer_settings!(Dot, "dot");

impl Dot {
    /// A layer that sums over this axis of both inputs, or over these two axes, one of each input; the
    /// batch axis is 0.
    pub fn new(axes: impl Into<Dims>) -> Dot {
        Dot {
            base: Base::new("Dot", "dot"),
            axes: axes.into(),
            normalize: false,
        }
    }

    /// Whether inputs are first scaled to length 1 along their axis, so that the product is the cosine
    /// of the angle between them (false).
    pub fn normalize(mut self, normalize: bool) -> Dot {
        self.normalize = normalize;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Dot> {
        let base = Base::from_config("Dot", "dot", fields)?;
        let axes = Dims::from_field(fields, "axes")?.ok_or("Dot: axes: found nothing")?;
        let normalize = fields.flag_or("normalize", false)?;
        Ok(Dot {
            base,
            axes,
            normalize,
        })
    }

    /// The axis of each input, counted from the batch axis.
    fn resolved(&self, left: &[usize], right: &[usize]) -> Result<[usize; 2]> {
        let (a, b) = match *self.axes.as_slice() {
            [both] => (both, both),
            [a, b] => (a, b),
            ref other => {
                return Err(self.base.value_error(format!(
                    "axes is one axis for both inputs, or two, one for each, got {other:?}"
                )));
            }
        };
        let axes = [self.base.axis(a, left)?, self.base.axis(b, right)?];
        let lengths = [left[axes[0] - 1], right[axes[1] - 1]];
        if lengths[0] != lengths[1] {
            return Err(self.base.shape_error(format!(
                "the axes that are summed over must be equally long: axis {a} of samples {left:?} has \
                 length {}, axis {b} of samples {right:?} has {} (0 is the batch axis)",
                lengths[0], lengths[1]
            )));
        }
        Ok(axes)
    }

    fn product_shape(&self, shapes: &[Vec<usize>]) -> Result<Vec<usize>> {
        check_count(&self.base, 2, shapes.len())?;
        let [a, b] = self.resolved(&shapes[0], &shapes[1])?;
        let without = |shape: &[usize], axis: usize| [&shape[..axis - 1], &shape[axis..]].concat();
        let shape = [without(&shapes[0], a), without(&shapes[1], b)].concat();
        Ok(if shape.is_empty() { vec![1] } else { shape })
    }
}

/// `x` as matrices `[batch, rest, length of axis]`.
fn as_matrices(x: &Tensor, axis: usize) -> Tensor {
    let mut order: Vec<usize> = (0..x.ndim()).filter(|&other| other != axis).collect();
    order.push(axis);
    let (batch, length) = (x.shape()[0], x.shape()[axis]);
    let rest = x.shape()[1..].iter().product::<usize>() / length.max(1);
    x.permute(&order).reshape([batch, rest, length])
}

/// Scaled to length 1 along the last axis; what is shorter than 1e-7 is scaled by 1e7, as in Keras.
fn normalized(x: &Tensor) -> Tensor {
    let squares = x.square().sum_axis_keep(-1);
    x / squares.clip(EPSILON * EPSILON, f64::INFINITY).sqrt()
}

impl Layer for Dot {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        Err(needs_several(&self.base, 2))
    }

    fn output_shape(&self, _input_shape: &[usize]) -> Result<Vec<usize>> {
        Err(needs_several(&self.base, 2))
    }

    fn forward(&self, _x: &Tensor, _training: bool) -> Tensor {
        panic!("{}", needs_several(&self.base, 2));
    }

    fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> Result<()> {
        self.product_shape(input_shapes)?;
        self.base.finish()
    }

    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        Ok(vec![self.product_shape(input_shapes)?])
    }

    fn call(&self, inputs: &[Tensor], _call: &Call) -> Vec<Tensor> {
        let samples: Vec<Vec<usize>> = inputs
            .iter()
            .map(|x| self.base.sample(x).to_vec())
            .collect();
        let sample = expect(self.product_shape(&samples));
        let axes = expect(self.resolved(&samples[0], &samples[1]));
        let matrices = |side: usize| {
            let matrices = as_matrices(&inputs[side].as_float(), axes[side]);
            match self.normalize {
                true => normalized(&matrices),
                false => matrices,
            }
        };
        let product = matrices(0).matmul(&matrices(1).permute([0, 2, 1]));
        vec![product.reshape([&inputs[0].shape()[..1], &sample].concat())]
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "axes": self.axes.config(),
            "normalize": self.normalize,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::many(Dot::new(1), &[&[3], &[3]], &[&[1]], 0)
                .refuses_many(&[&[3], &[4]], "axis 1 of samples [4] has 4")
                .refuses(&[3], "expected two inputs, got 1"),
        );
        let cosine = Dot::new((1, 2)).normalize(true);
        check_layer(
            Case::many(cosine, &[&[3, 2], &[4, 3]], &[&[2, 4]], 0).refuses_many(
                &[&[3, 2], &[3]],
                "axis 2 is out of range for samples of shape [3]",
            ),
        );
        check_layer(Case::many(Dot::new(-1), &[&[3], &[2, 3]], &[&[2]], 0));
        check_layer(Case::many(
            Dot::new((1, 2)),
            &[&[3, 2, 2], &[2, 3]],
            &[&[2, 2, 2]],
            0,
        ));
    }

    #[test]
    fn the_cosine_of_a_vector_with_itself_is_1_and_with_nothing_0() {
        let x = Tensor::from([[3.0, 4.0], [0.0, 0.0]]);
        let y = Dot::new(1)
            .normalize(true)
            .call(&[x.clone(), x], &Call::inference());
        assert_eq!(y[0].to_vec(), [1.0, 0.0]);
    }

    #[test]
    fn three_axes_are_refused() {
        let error = Dot::new([1, 1, 1])
            .build_many(&[vec![2], vec![2]])
            .unwrap_err();
        assert!(
            error.to_string().contains("one axis for both inputs"),
            "{error}"
        );
    }
}
