//! What a notebook sees without an import: concrete names only.

pub use crate::activations::Activation;
pub use crate::callbacks::{Callback, Control, EarlyStopping, LambdaCallback, Logs, Trainable};
pub use crate::datasets::{self, Sequences};
pub use crate::device::Device;
pub use crate::display::{
    DisplayHandle, MimeBundle, Rich, clear_output, display, display_updatable,
};
pub use crate::error::{Error, Result};
pub use crate::grad::GradientTape;
pub use crate::initializers::Initializer;
pub use crate::input::{input, input_password};
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
