//! What a layer is.

use serde_json::Value;

use super::plan::{Input, Plan};
use crate::activations::Activation;
use crate::regularizers::Regularizer;
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

    /// [`Layer::build`] for a layer with several inputs.
    ///
    /// # Errors
    /// As [`Layer::build`]; [`Error::Shape`](crate::Error::Shape) where the number of inputs does not fit.
    fn build_many(&mut self, input_shapes: &[Vec<usize>]) -> Result<()> {
        match input_shapes {
            [only] => self.build(only),
            several => Err(one_input(self.name(), self.kind(), several.len())),
        }
    }

    /// [`Layer::output_shape`] for a layer with several inputs or outputs.
    ///
    /// # Errors
    /// As [`Layer::output_shape`]; [`Error::Shape`](crate::Error::Shape) where the number of inputs does not fit.
    fn output_shapes(&self, input_shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        match input_shapes {
            [only] => Ok(vec![self.output_shape(only)?]),
            several => Err(one_input(self.name(), self.kind(), several.len())),
        }
    }

    /// The outputs for a batch: what models call. A layer with one input and one output, which needs no
    /// mask, writes [`Layer::forward`] only.
    ///
    /// # Panics
    /// As [`Layer::forward`].
    fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
        vec![self.forward(&inputs[0], call.training)]
    }

    /// Which timesteps of the output count, given those of the inputs: as in the first input.
    fn output_mask(&self, inputs: &[Tensor], masks: &[Option<Tensor>]) -> Option<Tensor> {
        let _ = inputs;
        masks.first().cloned().flatten()
    }

    /// What it does with a batch like this one in a training step that no tape records, without its last activation
    /// if `logits`; none for a layer that only a tape can go through.
    #[doc(hidden)]
    fn plan(&self, x: &Input<'_>, logits: bool) -> Option<Box<dyn Plan>> {
        let _ = (x, logits);
        None
    }

    /// Calls `visit` with each of [`Layer::weights`].
    #[doc(hidden)]
    fn each_weight<'a>(&'a self, visit: &mut dyn FnMut(&'a Tensor)) {
        self.weights().into_iter().for_each(visit);
    }

    /// Calls `visit` with each of [`Layer::weights_mut`].
    #[doc(hidden)]
    fn each_weight_mut<'a>(&'a mut self, visit: &mut dyn FnMut(&'a mut Tensor)) {
        self.weights_mut().into_iter().for_each(visit);
    }

    /// The weights that training changes, unless the layer is frozen; always in the same order.
    fn weights(&self) -> Vec<&Tensor> {
        Vec::new()
    }

    /// The same weights, to be changed.
    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }

    /// What the layer keeps beside its weights and no gradient changes: running means, for instance.
    fn state(&self) -> Vec<&Tensor> {
        Vec::new()
    }

    /// The same, to be changed.
    fn state_mut(&mut self) -> Vec<&mut Tensor> {
        Vec::new()
    }

    /// Takes over into [`Layer::state`] what the training calls since the last time have noted (`call`
    /// cannot change the layer). `fit` does it after each batch.
    fn commit(&mut self) {}

    /// Forgets what those calls have noted: the batch came to nothing.
    fn discard(&mut self) {}

    /// Begins anew what a stateful layer carries from batch to batch.
    fn reset_states(&mut self) {}

    /// Whether it begins each batch where the one before has ended.
    #[doc(hidden)]
    fn is_stateful(&self) -> bool {
        false
    }

    /// What a stateful layer carries to the next batch; it is saved with the model. Empty where that
    /// begins with zeros.
    fn carried(&self) -> Vec<Tensor> {
        Vec::new()
    }

    /// Takes over what [`Layer::carried`] returned: as many of the tensors as it carries.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if they do not fit.
    fn carry(&mut self, states: &mut dyn Iterator<Item = Tensor>) -> Result<()> {
        let _ = states;
        Ok(())
    }

    /// Whether training changes the weights.
    fn trainable(&self) -> bool {
        true
    }

    /// Freezes or unfreezes the layer; one of your own that does not write this is frozen by its model.
    fn set_trainable(&mut self, trainable: bool) {
        let _ = trainable;
    }

    /// The sum of the penalties on the weights: one number, added to the loss.
    fn penalty(&self) -> Option<Tensor> {
        None
    }

    /// The penalty on what the layer returns; models add it to the loss.
    fn activity_regularizer(&self) -> Option<&Regularizer> {
        None
    }

    /// Adds a number to the loss, from within [`Layer::forward`] or [`Layer::call`] of a layer of your own: a penalty
    /// that depends on what the layer computes. Of a tensor with more than one element it adds their sum.
    ///
    /// `fit` and `evaluate` count it in the loss, as they count regularizers; a program's own loop, which calls layers
    /// without a model's loss, does not.
    ///
    /// ```
    /// use dlcore::prelude::*;
    ///
    /// /// Passes its input on, and wants its mean to be 0.
    /// #[derive(Clone)]
    /// struct Centered;
    ///
    /// impl Layer for Centered {
    ///     fn name(&self) -> &str {
    ///         "centered"
    ///     }
    ///     fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
    ///         Ok(())
    ///     }
    ///     fn is_built(&self) -> bool {
    ///         true
    ///     }
    ///     fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
    ///         Ok(input_shape.to_vec())
    ///     }
    ///     fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
    ///         self.add_loss(&(x.mean().square() * 0.1));
    ///         x.clone()
    ///     }
    /// }
    ///
    /// let mut model = Sequential::new().add(Dense::new(2).input_shape([3])).add(Centered);
    /// model.compile("sgd", "mse", ())?;
    /// model.fit(&Tensor::ones([8, 3]), &Tensor::zeros([8, 2]), Fit::epochs(1).verbose(0))?;
    /// # Ok::<(), Error>(())
    /// ```
    fn add_loss(&self, loss: &Tensor) {
        super::activity::note_loss(loss);
    }

    /// Brings the weights back to where their constraints allow them; `fit` does it after each update.
    fn constrain(&mut self) {}

    /// What the next `build` is to take for weights, then for state, instead of making its own.
    #[doc(hidden)]
    fn give_weights(&mut self, weights: Vec<Tensor>) {
        let _ = weights;
    }

    /// The settings from which the layer can be made again; `None` if it cannot be saved.
    ///
    /// Only layers of this library can be made from a file: a layer of your own leaves this as it
    /// is. A model that has one says so when it is saved, and its weights alone can be saved with
    /// [`Model::save_weights`](crate::models::Model::save_weights).
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

/// What a layer is told beside its inputs.
#[derive(Clone, Default)]
pub struct Call {
    /// Whether this is training, rather than inference.
    pub training: bool,
    /// For each input which timesteps count: `[batch, timesteps]` of `Bool`, where there is a mask.
    pub masks: Vec<Option<Tensor>>,
}

impl Call {
    /// Inference without masks.
    pub fn inference() -> Call {
        Call::default()
    }

    /// Training without masks.
    pub fn training() -> Call {
        Call {
            training: true,
            masks: Vec::new(),
        }
    }

    /// The mask of an input.
    pub fn mask(&self, input: usize) -> Option<&Tensor> {
        self.masks.get(input).and_then(Option::as_ref)
    }
}

fn one_input(name: &str, kind: &str, count: usize) -> crate::Error {
    crate::Error::Shape(format!("{name} ({kind}): takes one input, got {count}"))
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
