//! What a notebook sees without an import: concrete names only.

pub use crate::activations::Activation;
pub use crate::callbacks::{Callback, Control, EarlyStopping, LambdaCallback, Logs, Trainable};
pub use crate::datasets::{self, Sequences};
pub use crate::device::Device;
pub use crate::display::{
    DisplayHandle, MimeBundle, Rich, clear_output, display, display_updatable,
};
pub use crate::error::{Error, Result};
pub use crate::grad::{self, GradientTape, Value};
pub use crate::initializers::Initializer;
pub use crate::input::{input, input_password};
pub use crate::layers::{
    ActivationLayer, Add, AlphaDropout, Average, AveragePooling1D, AveragePooling2D,
    BatchNormalization, Concatenate, Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Cropping1D,
    Cropping2D, DepthwiseConv1D, DepthwiseConv2D, Dims, Dot, ELU, Flatten, GaussianDropout,
    GaussianNoise, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, GroupNormalization, Lambda, LayerNormalization, LeakyReLU, MaxPooling1D,
    MaxPooling2D, Maximum, Minimum, Multiply, PReLU, Permute, ReLU, RepeatVector, Rescaling,
    Reshape, SeparableConv1D, SeparableConv2D, Softmax, SpatialDropout1D, SpatialDropout2D,
    SpatialDropout3D, Subtract, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
pub use crate::layers::{Bidirectional, Embedding, GRU, LSTM, Masking, SimpleRNN, TimeDistributed};
pub use crate::layers::{Call, Dense, Dropout, Layer};
pub use crate::losses::Loss;
pub use crate::metrics::{Metric, Metrics};
pub use crate::models::{
    Batch, Block, Data, Evaluate, Evaluation, Fit, History, Input, LayerCall, LayerRef, Losses,
    Model, OutputMetrics, Sequential, Summary, Symbol,
};
pub use crate::optimizers::{Adam, Optimizer, RMSprop, SGD};
pub use crate::plot::{self, ModelPlot, Plot};
pub use crate::preprocessing::{multi_hot, to_categorical};
pub use crate::random::set_seed;
pub use crate::regularizers::Regularizer;
pub use crate::tensor::{DType, SliceItem, Tensor};

// Training: optimizers, schedules, callbacks.
pub use crate::callbacks::{
    CSVLogger, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau, TensorBoard,
    TerminateOnNaN,
};
pub use crate::optimizers::{
    Adadelta, Adagrad, AdamW, Adamax, CosineDecay, ExponentialDecay, InverseTimeDecay,
    LearningRate, Nadam, PiecewiseConstantDecay, PolynomialDecay,
};
