//! Raw data made ready for a network: labels, texts, sequences, pictures, series in time.

mod directory;
mod image;
pub(crate) mod labels;
mod normalize;
mod pad;
mod split;
mod string_lookup;
mod text;
mod text_folder;
mod timeseries;
mod tokenizer;
mod words;

pub use image::{
    Flow, FlowFromDirectory, ImageBatches, ImageDataGenerator, ImageDataset, ImageFolder,
    ImageIterator, ImageTransform, LoadImg, ZoomRange, apply_affine_transform, array_to_img,
    image_dataset_from_directory, img_to_array, load_img, save_img,
};
pub use labels::{to_categorical, try_to_categorical};
pub use normalize::{normalize, try_normalize};
pub use pad::{Pad, Ragged, pad_sequences};
pub use split::{TrainTestSplit, train_test_split};
pub use string_lookup::StringLookup;
pub use text::{multi_hot, try_multi_hot};
pub use text_folder::{TextDataset, TextFolder, text_dataset_from_directory};
pub use timeseries::{
    TimeseriesBatches, TimeseriesDataset, TimeseriesGenerator, Windows,
    timeseries_dataset_from_array,
};
pub use tokenizer::{Texts, Tokenizer};
pub use words::{
    SplitWords, hashing_trick, hashing_trick_with, one_hot, text_to_word_sequence,
    text_to_word_sequence_with,
};

#[cfg(test)]
mod keras_tests;
