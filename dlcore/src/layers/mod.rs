//! Layers: each a plain struct of settings and weights.
//!
//! A layer is made with its settings, built when the shape of its input is known, and then turns
//! tensors into tensors. Shapes here leave out the batch axis unless they are written with it.

mod activation;
mod affine;
mod base;
mod batch_normalization;
mod bidirectional;
mod concatenate;
mod convolution;
mod cropping;
mod dense;
mod dims;
mod dot;
mod dropout;
mod embedding;
mod flatten;
mod group_normalization;
mod gru;
mod lambda;
mod layer_normalization;
mod lstm;
mod masking;
mod merge;
mod noise;
mod pooling;
mod prelu;
mod recurrent;
mod relu;
mod rescaling;
mod reshape;
mod simple_rnn;
mod softmax;
mod spatial;
mod spatial_dropout;
mod time_distributed;
mod up_sampling;
mod zero_padding;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod parity;

pub use activation::ActivationLayer;
pub use batch_normalization::BatchNormalization;
pub use bidirectional::Bidirectional;
pub use concatenate::Concatenate;
pub use convolution::{
    Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, DepthwiseConv1D, DepthwiseConv2D,
    SeparableConv1D, SeparableConv2D,
};
pub use cropping::{Cropping1D, Cropping2D};
pub use dense::Dense;
pub use dims::Dims;
pub use dot::Dot;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_normalization::GroupNormalization;
pub use gru::GRU;
pub use lambda::Lambda;
pub use layer_normalization::LayerNormalization;
pub use lstm::LSTM;
pub use masking::Masking;
pub use merge::{Add, Average, Maximum, Minimum, Multiply, Subtract};
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise};
pub use pooling::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D,
    GlobalMaxPooling1D, GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D,
};
pub use prelu::PReLU;
pub use relu::{ELU, LeakyReLU, ReLU};
pub use rescaling::Rescaling;
pub use reshape::{Permute, RepeatVector, Reshape};
pub use simple_rnn::SimpleRNN;
pub use softmax::Softmax;
pub use spatial::{DataFormat, Padding, Pair};
pub use spatial_dropout::{SpatialDropout1D, SpatialDropout2D, SpatialDropout3D};
pub use time_distributed::TimeDistributed;
pub use up_sampling::{Interpolation, UpSampling1D, UpSampling2D};
pub use zero_padding::{Margins, ZeroPadding1D, ZeroPadding2D};

pub(crate) use base::{Base, base_methods, layer_settings};

use serde_json::Value;

use crate::activations::Activation;
use crate::config::{Fields, Parsed};
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

    /// Kernel, bias and activation of a layer that is a product with the kernel and nothing else, so that
    /// training can go through it without recording. Only `Dense` is one.
    #[doc(hidden)]
    fn as_dense(&self) -> Option<(&Tensor, Option<&Tensor>, &Activation)> {
        None
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

macro_rules! known_layers {
    ($($kind:literal => $layer:ident),* $(,)?) => {
        /// The kinds of layers that can be made from a file: Keras's names of them.
        #[cfg(test)]
        pub(crate) const KINDS: &[&str] = &[$($kind),*];

        /// The layer that [`Layer::config`] described, not built yet.
        pub(crate) fn from_config(kind: &str, config: &Value) -> Parsed<Box<dyn Layer>> {
            let fields = &Fields::of(config, kind)?;
            Ok(match kind {
                $($kind => Box::new($layer::from_config(fields)?),)*
                other => {
                    return Err(format!(
                        "holds a layer of kind {other:?}, which this version of dlcore does not know"
                    ));
                }
            })
        }
    };
}

known_layers! {
    "Dense" => Dense,
    "Dropout" => Dropout,
    "Activation" => ActivationLayer,
    "ReLU" => ReLU,
    "LeakyReLU" => LeakyReLU,
    "PReLU" => PReLU,
    "ELU" => ELU,
    "Softmax" => Softmax,
    "Flatten" => Flatten,
    "Reshape" => Reshape,
    "Permute" => Permute,
    "RepeatVector" => RepeatVector,
    "BatchNormalization" => BatchNormalization,
    "LayerNormalization" => LayerNormalization,
    "GroupNormalization" => GroupNormalization,
    "SpatialDropout1D" => SpatialDropout1D,
    "SpatialDropout2D" => SpatialDropout2D,
    "SpatialDropout3D" => SpatialDropout3D,
    "GaussianNoise" => GaussianNoise,
    "GaussianDropout" => GaussianDropout,
    "AlphaDropout" => AlphaDropout,
    "Add" => Add,
    "Subtract" => Subtract,
    "Multiply" => Multiply,
    "Average" => Average,
    "Maximum" => Maximum,
    "Minimum" => Minimum,
    "Concatenate" => Concatenate,
    "Dot" => Dot,
    "Rescaling" => Rescaling,
    "Conv1D" => Conv1D,
    "Conv1DTranspose" => Conv1DTranspose,
    "Conv2D" => Conv2D,
    "Conv2DTranspose" => Conv2DTranspose,
    "DepthwiseConv1D" => DepthwiseConv1D,
    "DepthwiseConv2D" => DepthwiseConv2D,
    "SeparableConv1D" => SeparableConv1D,
    "SeparableConv2D" => SeparableConv2D,
    "MaxPooling1D" => MaxPooling1D,
    "MaxPooling2D" => MaxPooling2D,
    "AveragePooling1D" => AveragePooling1D,
    "AveragePooling2D" => AveragePooling2D,
    "GlobalMaxPooling1D" => GlobalMaxPooling1D,
    "GlobalMaxPooling2D" => GlobalMaxPooling2D,
    "GlobalAveragePooling1D" => GlobalAveragePooling1D,
    "GlobalAveragePooling2D" => GlobalAveragePooling2D,
    "UpSampling1D" => UpSampling1D,
    "UpSampling2D" => UpSampling2D,
    "ZeroPadding1D" => ZeroPadding1D,
    "ZeroPadding2D" => ZeroPadding2D,
    "Cropping1D" => Cropping1D,
    "Cropping2D" => Cropping2D,
    "Bidirectional" => Bidirectional,
    "Embedding" => Embedding,
    "GRU" => GRU,
    "LSTM" => LSTM,
    "Masking" => Masking,
    "SimpleRNN" => SimpleRNN,
    "TimeDistributed" => TimeDistributed,
}

/// Builds a layer that [`from_config`] made with weights and state from a file, which must fit. Nothing
/// is allocated for them, whatever the file says of shapes.
#[cfg(test)]
pub(crate) fn build_with(
    layer: &mut dyn Layer,
    input_shapes: &[Vec<usize>],
    weights: Vec<Tensor>,
) -> Parsed<()> {
    layer.give_weights(weights);
    layer
        .build_many(input_shapes)
        .map_err(|error| error.to_string())
}

/// How a message names a layer: `dense_1 (Dense)`.
pub(crate) fn describe(layer: &dyn Layer) -> String {
    format!("{} ({})", layer.name(), layer.kind())
}

/// How many numbers a layer's weights and state hold.
pub(crate) fn count_params(layer: &dyn Layer) -> usize {
    let all = layer.weights().into_iter().chain(layer.state());
    all.map(|weight| weight.len()).sum()
}

/// The sum of the penalties on weights, for those that have one.
pub(crate) fn penalties<'a>(
    pairs: impl IntoIterator<Item = (Option<&'a Tensor>, Option<&'a Regularizer>)>,
) -> Option<Tensor> {
    pairs
        .into_iter()
        .filter_map(|(weight, regularizer)| Some(regularizer?.penalty(weight?)))
        .reduce(|sum, penalty| sum + penalty)
}
