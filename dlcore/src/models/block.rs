//! Models of one's own: layers put together by a program rather than a graph.

use super::layer_ref::LayerRef;
use crate::layers::Call;
use crate::{Result, Tensor};

/// Layers that a `call` of one's own puts together: with loops, conditions, any tensor operation.
///
/// What Keras does by deriving from `Model`. It is called as any layer is, and a model that it is
/// part of, alone or among others, trains its layers:
///
/// ```
/// use dlcore::prelude::*;
/// /// Two dense layers, the second applied over and over.
/// #[derive(Clone)]
/// struct Repeated {
///     first: LayerRef,
///     again: LayerRef,
/// }
///
/// impl Block for Repeated {
///     fn name(&self) -> &str {
///         "repeated"
///     }
///     fn layers(&self) -> Vec<&LayerRef> {
///         vec![&self.first, &self.again]
///     }
///     fn layers_mut(&mut self) -> Vec<&mut LayerRef> {
///         vec![&mut self.first, &mut self.again]
///     }
///     fn build(&self, input_shapes: &[Vec<usize>]) -> Result<()> {
///         self.first.build(input_shapes[0].clone())?;
///         self.again.build([8])
///     }
///     fn output_shapes(&self, _: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
///         Ok(vec![vec![8]])
///     }
///     fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
///         let mut x = self.first.forward(&inputs[0], call.training);
///         for _ in 0..3 {
///             x = &x + self.again.forward(&x, call.training);
///         }
///         vec![x]
///     }
/// }
///
/// let block = Repeated { first: Dense::new(8).into(), again: Dense::new(8).activation("tanh").into() };
/// let mut model = Sequential::new().add(LayerRef::block(block)).add(Dense::new(1));
/// model.compile("rmsprop", "mse", Metrics::none())?;
/// model.fit(&Tensor::ones([16, 4]), &Tensor::ones([16]), Fit::epochs(1).verbose(0))?;
/// assert_eq!(model.get_weights().len(), 6);
/// # Ok::<(), Error>(())
/// ```
///
/// No file can hold a block: `save_weights` keeps the weights, `load_weights` puts them into a model
/// that the program has made.
pub trait Block: BlockClone + Send + Sync {
    /// Its own name, unique within a model.
    fn name(&self) -> &str;

    /// The name of its type.
    fn kind(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// The layers it is made of, always in the same order.
    fn layers(&self) -> Vec<&LayerRef>;

    /// The same, for a copy of the model to get layers of its own.
    fn layers_mut(&mut self) -> Vec<&mut LayerRef>;

    /// Builds the layers for inputs of these shapes (one sample of each).
    ///
    /// # Errors
    /// What is wrong with a shape or a layer's settings.
    fn build(&self, input_shapes: &[Vec<usize>]) -> Result<()>;

    /// The shape of one sample of each output.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for inputs that do not fit.
    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>>;

    /// The outputs for a batch.
    ///
    /// # Panics
    /// If the inputs do not fit.
    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor>;

    /// Which timesteps of the first output count; see [`Layer::output_mask`](crate::layers::Layer::output_mask).
    fn output_mask(&self, inputs: &[Tensor], masks: &[Option<Tensor>]) -> Option<Tensor> {
        let _ = inputs;
        masks.first().cloned().flatten()
    }
}

/// Copies a block behind a `Box`; every `Clone` block has it.
pub trait BlockClone {
    /// The copy, of the same layers.
    fn clone_box(&self) -> Box<dyn Block>;
}

impl<T: Block + Clone + 'static> BlockClone for T {
    fn clone_box(&self) -> Box<dyn Block> {
        Box::new(self.clone())
    }
}
