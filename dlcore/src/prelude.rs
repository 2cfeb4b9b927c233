//! What a notebook sees without an import: concrete names only.

pub use crate::activations::Activation;
pub use crate::callbacks::{
    self, CSVLogger, Callback, ComparedRun, Control, EarlyStopping, LambdaCallback,
    LearningRateScheduler, LiveComparison, LivePlot, LivePredictions, Logs, ModelCheckpoint,
    ReduceLROnPlateau, TensorBoard, TerminateOnNaN, Trainable,
};
pub use crate::classical::{
    Classifier, DecisionTreeClassifier, GaussianNB, GradientBoostingClassifier, Kernel,
    LogisticRegression, RandomForestClassifier, SVC,
};
pub use crate::constraints::Constraint;
pub use crate::datasets::{self, LoadData, Sequences};
pub use crate::device::{self, Device};
pub use crate::dim;
pub use crate::display::{
    DisplayHandle, MimeBundle, Rich, clear_output, display, display_updatable,
};
pub use crate::distributed::DataParallel;
pub use crate::error::{Error, Result};
pub use crate::files::{self, NamedTensors, Table};
pub use crate::grad::{self, GradientTape, Value};
pub use crate::initializers::Initializer;
pub use crate::input::{input, input_password};
pub use crate::layers::{
    self, ActivationLayer, ActivityRegularization, Add, AlphaDropout, Average, AveragePooling1D,
    AveragePooling2D, BatchNormalization, Bidirectional, Call, Concatenate, Conv1D,
    Conv1DTranspose, Conv2D, Conv2DTranspose, Cropping1D, Cropping2D, Dense, DepthwiseConv1D,
    DepthwiseConv2D, Dims, Dot, Dropout, ELU, Embedding, Flatten, GRU, GaussianDropout,
    GaussianNoise, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, GroupNormalization, LSTM, Lambda, Layer, LayerNormalization, LeakyReLU,
    Masking, MaxPooling1D, MaxPooling2D, Maximum, Minimum, Multiply, Normalization, PReLU, Permute,
    ReLU, RepeatVector, Rescaling, Reshape, SeparableConv1D, SeparableConv2D, SimpleRNN, Softmax,
    SpatialDropout1D, SpatialDropout2D, SpatialDropout3D, Subtract, TimeDistributed, UpSampling1D,
    UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
pub use crate::losses::{self, Loss};
pub use crate::metrics::{Metric, Metrics};
pub use crate::models::{
    self, Batch, BatchSequence, Block, Data, Evaluate, Evaluation, Fit, History, Input, LayerCall,
    LayerRef, LoadWeights, Losses, Model, OutputMetrics, Sequential, Summary, Symbol, explain,
};
pub use crate::optimizers::{
    self, Adadelta, Adagrad, Adam, AdamW, Adamax, CosineDecay, ExponentialDecay, InverseTimeDecay,
    LearningRate, LossScaleOptimizer, Nadam, Optimizer, PiecewiseConstantDecay, PolynomialDecay,
    RMSprop, SGD,
};
pub use crate::plot::{self, ModelPlot, Plot};
pub use crate::preprocessing::{
    self, Flow, FlowFromDirectory, ImageDataGenerator, ImageDataset, ImageFolder, ImageIterator,
    ImageTransform, LoadImg, Pad, SplitWords, StringLookup, TextDataset, TextFolder,
    TimeseriesDataset, TimeseriesGenerator, Tokenizer, TrainTestSplit, Windows, array_to_img,
    hashing_trick, image_dataset_from_directory, img_to_array, load_img, multi_hot, normalize,
    one_hot, pad_sequences, save_img, text_dataset_from_directory, text_to_word_sequence,
    timeseries_dataset_from_array, to_categorical, train_test_split,
};
pub use crate::random::set_seed;
pub use crate::regularizers::Regularizer;
pub use crate::tensor::{DType, SliceItem, Tensor};
