//! The layers that can be made from a file.

use serde_json::Value;

use super::*;
use crate::config::{Fields, Parsed};

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
    "ActivityRegularization" => ActivityRegularization,
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
    "Normalization" => Normalization,
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
    weights: Vec<crate::Tensor>,
) -> Parsed<()> {
    layer.give_weights(weights);
    layer
        .build_many(input_shapes)
        .map_err(|error| error.to_string())
}
