//! Layers: each a plain struct of settings and weights.
//!
//! A layer is made with its settings, built when the shape of its input is known, and then turns
//! tensors into tensors. Shapes here leave out the batch axis unless they are written with it.

mod dense;
mod dropout;

#[cfg(test)]
mod conformance;

pub use dense::Dense;
pub use dropout::Dropout;

use serde_json::Value;

use crate::activations::Activation;
use crate::config::Parsed;
use crate::{Result, Tensor};

/// A step from tensor to tensor, with or without weights.
///
/// A layer of one's own derives `Clone` and implements the required methods:
///
/// ```
/// use dlcore::layers::Layer;
/// use dlcore::{Result, Tensor};
///
/// /// Multiplies each feature by a weight of its own.
/// #[derive(Clone)]
/// struct Scale {
///     factors: Option<Tensor>,
/// }
///
/// impl Layer for Scale {
///     fn name(&self) -> &str {
///         "scale"
///     }
///     fn build(&mut self, input_shape: &[usize]) -> Result<()> {
///         self.factors = Some(Tensor::ones(input_shape));
///         Ok(())
///     }
///     fn is_built(&self) -> bool {
///         self.factors.is_some()
///     }
///     fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
///         Ok(input_shape.to_vec())
///     }
///     fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
///         x * self.factors.as_ref().unwrap()
///     }
///     fn weights(&self) -> Vec<&Tensor> {
///         self.factors.iter().collect()
///     }
///     fn weights_mut(&mut self) -> Vec<&mut Tensor> {
///         self.factors.iter_mut().collect()
///     }
/// }
/// ```
pub trait Layer: LayerClone + Send + Sync {
    /// Its own name, unique within a model: `dense_1`.
    fn name(&self) -> &str;

    /// The name of its type: `Dense`.
    fn kind(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// The shape of one sample, where the layer was told it.
    fn input_shape(&self) -> Option<&[usize]> {
        None
    }

    /// Makes the weights for inputs of this shape (one sample); called once.
    ///
    /// # Errors
    /// What is wrong with the shape or the layer's settings.
    fn build(&mut self, input_shape: &[usize]) -> Result<()>;

    /// Whether the weights are made.
    fn is_built(&self) -> bool;

    /// The shape of one sample of the output.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape), naming the layer, for an input that does not fit.
    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>>;

    /// The output for a batch; `training` is true in `fit` only.
    ///
    /// # Panics
    /// If the layer is not built, or `x` does not fit.
    fn forward(&self, x: &Tensor, training: bool) -> Tensor;

    /// The weights that training changes, always in the same order.
    fn weights(&self) -> Vec<&Tensor> {
        Vec::new()
    }

    /// The same weights, to be changed.
    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }

    /// The settings from which the layer can be made again; `None` if it cannot be saved.
    ///
    /// Only layers of this library can be made from a file: a layer of your own leaves this as it
    /// is. A model that has one says so when it is saved, and its weights alone can be saved with
    /// [`Sequential::save_weights`](crate::models::Sequential::save_weights).
    fn config(&self) -> Option<Value> {
        None
    }

    /// The activation that comes last in `forward`, for a layer whose
    /// [`Layer::forward_logits`] can leave it out.
    fn activation(&self) -> Option<&Activation> {
        None
    }

    /// `forward` without its activation. Losses that know the activation compute both as one.
    fn forward_logits(&self, x: &Tensor, training: bool) -> Tensor {
        self.forward(x, training)
    }
}

/// Copies a layer behind a `Box`; every `Clone` layer has it.
pub trait LayerClone {
    /// The copy; weights are shared until one of the two changes them.
    fn clone_box(&self) -> Box<dyn Layer>;
}

impl<T: Layer + Clone + 'static> LayerClone for T {
    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// The layer that [`Layer::config`] described, with these weights; without any it is not built.
pub(crate) fn from_config(
    kind: &str,
    config: &Value,
    weights: Vec<Tensor>,
) -> Parsed<Box<dyn Layer>> {
    match kind {
        "Dense" => Ok(Box::new(Dense::from_config(config, weights)?)),
        "Dropout" => Ok(Box::new(Dropout::from_config(config, weights)?)),
        other => Err(format!(
            "holds a layer of kind {other:?}, which this version of dlcore does not know"
        )),
    }
}

/// How a message names a layer: `dense_1 (Dense)`.
pub(crate) fn describe(layer: &dyn Layer) -> String {
    format!("{} ({})", layer.name(), layer.kind())
}

/// How many numbers a layer's weights hold.
pub(crate) fn count_params(layer: &dyn Layer) -> usize {
    layer.weights().iter().map(|weight| weight.len()).sum()
}
