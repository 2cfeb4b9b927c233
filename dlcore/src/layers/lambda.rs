//! A function as a layer.

use std::sync::Arc;

use super::{Base, Call, Layer, base_methods, layer_settings};
use crate::tensor::Shape;
use crate::{Result, Tensor};

type Function = Arc<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

/// Applies a function of your own that has no weights.
///
/// # Shapes
/// what the function makes of a batch; its first axis must stay that of the samples
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Lambda::new(|x| x.square());
/// assert_eq!(layer.forward(&Tensor::from([[3.0]]), false), Tensor::from([[9.0]]));
/// ```
///
/// To be trained through, it computes with operations on its argument. A model that has one cannot be
/// saved; its weights can.
#[derive(Clone)]
pub struct Lambda {
    base: Base,
    function: Function,
    output_shape: Option<Vec<usize>>,
}

layer_settings!(Lambda, "lambda");

impl std::fmt::Debug for Lambda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lambda")
            .field("base", &self.base)
            .field("output_shape", &self.output_shape)
            .finish_non_exhaustive()
    }
}

impl Lambda {
    /// A layer that applies a function to its input, a batch.
    pub fn new(function: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static) -> Lambda {
        Self::of(Arc::new(move |inputs| function(&inputs[0])))
    }

    /// A layer that applies a function to its inputs, of which there may be several.
    pub fn of_many(function: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static) -> Lambda {
        Self::of(Arc::new(function))
    }

    fn of(function: Function) -> Lambda {
        Lambda {
            base: Base::new("Lambda", "lambda"),
            function,
            output_shape: None,
        }
    }

    /// The shape of one sample of the output. Without it the function is tried on a batch of zeros
    /// where the shape is asked for.
    pub fn output_shape(mut self, shape: impl Into<Shape>) -> Lambda {
        self.output_shape = Some(shape.into().into_vec());
        self
    }

    /// The shape of a sample of the output for samples of these shapes.
    fn shape_for(&self, shapes: &[Vec<usize>]) -> Result<Vec<usize>> {
        /// Not 1, so that an axis that is lost or repeated does not go unseen.
        const BATCH: usize = 2;
        if let Some(shape) = &self.output_shape {
            return Ok(shape.clone());
        }
        let zeros = |shape: &Vec<usize>| Tensor::zeros([&[BATCH], &shape[..]].concat());
        let inputs: Vec<Tensor> = shapes.iter().map(zeros).collect();
        let output = (self.function)(&inputs);
        match output.shape() {
            [BATCH, sample @ ..] => Ok(sample.to_vec()),
            other => Err(self.base.shape_error(format!(
                "the function must keep the first axis, that of the samples: from a batch of {BATCH} it \
                 made shape {other:?}"
            ))),
        }
    }
}

impl Layer for Lambda {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.shape_for(&[input_shape.to_vec()])
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        (self.function)(std::slice::from_ref(x))
    }

    fn build_many(&mut self, _input_shapes: &[Vec<usize>]) -> Result<()> {
        self.base.finish()
    }

    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        Ok(vec![self.shape_for(input_shapes)?])
    }

    fn call(&self, inputs: &[Tensor], _call: &Call) -> Vec<Tensor> {
        vec![(self.function)(inputs)]
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let layer = Lambda::new(|x| x.square().sum_axis(1));
        check_layer(Case::new(layer, &[2, 3], &[3], 0));
        let layer = Lambda::of_many(|inputs| &inputs[0] * &inputs[1]);
        check_layer(Case::many(layer, &[&[3], &[3]], &[&[3]], 0));
        let layer = Lambda::new(|x| x.mean_axis(-1)).output_shape([2]);
        check_layer(Case::new(layer, &[2, 3], &[2], 0));
    }

    #[test]
    fn a_function_that_loses_the_samples_is_refused() {
        let layer = Lambda::new(|x| x.sum_axis(0)).name("total");
        let error = Layer::output_shape(&layer, &[3]).unwrap_err().to_string();
        assert!(
            error.starts_with("total (Lambda): the function must keep the first axis"),
            "{error}"
        );
        assert_eq!(layer.config(), None);
    }
}
