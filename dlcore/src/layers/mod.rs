//! Layers: each a plain struct of settings and weights.
//!
//! A layer is made with its settings, built when the shape of its input is known, and then turns
//! tensors into tensors. Shapes here leave out the batch axis unless they are written with it.

mod activation;
mod activity;
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
mod known;
mod lambda;
mod layer;
mod layer_normalization;
mod lstm;
mod margins;
mod masking;
mod merge;
mod noise;
mod normalization;
pub(crate) mod plan;
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
mod weight;
mod zero_padding;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod parity;

pub use activation::ActivationLayer;
pub use activity::ActivityRegularization;
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
pub use layer::{Call, Layer, LayerClone};
pub use layer_normalization::LayerNormalization;
pub use lstm::LSTM;
pub use margins::Margins;
pub use masking::Masking;
pub use merge::{Add, Average, Maximum, Minimum, Multiply, Subtract};
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise};
pub use normalization::Normalization;
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
pub use zero_padding::{ZeroPadding1D, ZeroPadding2D};

pub(crate) use activity::{collect as collect_activity, note as note_activity, own_losses};
pub(crate) use base::{Base, base_methods, identity_methods, layer_settings};
pub(crate) use known::from_config;
#[cfg(test)]
pub(crate) use known::{KINDS, build_with};

/// How a message names a layer: `dense_1 (Dense)`.
pub(crate) fn describe(layer: &dyn Layer) -> String {
    format!("{} ({})", layer.name(), layer.kind())
}

/// How many numbers a layer's weights and state hold.
pub(crate) fn count_params(layer: &dyn Layer) -> usize {
    let all = layer.weights().into_iter().chain(layer.state());
    all.map(|weight| weight.len()).sum()
}
