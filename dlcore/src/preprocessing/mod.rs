//! Raw data made ready for a network: labels, texts, sequences.

pub(crate) mod labels;
mod normalize;
mod pad;
mod text;
mod tokenizer;
mod words;

pub use labels::{to_categorical, try_to_categorical};
pub use normalize::{normalize, try_normalize};
pub use pad::{Pad, Ragged, pad_sequences};
pub use text::{multi_hot, try_multi_hot};
pub use tokenizer::{Texts, Tokenizer};
pub use words::{
    SplitWords, hashing_trick, hashing_trick_with, one_hot, text_to_word_sequence,
    text_to_word_sequence_with,
};

#[cfg(test)]
mod keras_tests;
