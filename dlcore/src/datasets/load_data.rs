//! The arguments of Keras's `load_data`, with its defaults.

use super::words::Numbering;
use crate::{Error, Result};

/// How a data set is loaded: the arguments of Keras's `load_data`, with its defaults.
///
/// A number alone is `num_words`.
///
/// ```
/// use dlcore::datasets::LoadData;
/// let settings = LoadData::new().num_words(10_000).skip_top(20).maxlen(400);
/// let same = LoadData::from(10_000).skip_top(20).maxlen(400);
/// # assert_eq!(format!("{settings:?}"), format!("{same:?}"));
/// ```
#[derive(Clone, Debug)]
pub struct LoadData {
    pub(super) num_words: u32,
    pub(super) skip_top: u32,
    pub(super) maxlen: Option<usize>,
    pub(super) seed: u32,
    pub(super) numbering: Numbering,
    pub(super) oov_char: Option<u32>,
    pub(super) test_split: Option<f64>,
}

impl Default for LoadData {
    fn default() -> Self {
        LoadData::new()
    }
}

impl LoadData {
    /// Keras's defaults.
    pub fn new() -> LoadData {
        LoadData {
            num_words: 0,
            skip_top: 0,
            maxlen: None,
            seed: 113,
            numbering: Numbering::default(),
            oov_char: Some(2),
            test_split: None,
        }
    }

    /// Only numbers below this one are kept; it counts the reserved ones. 0 keeps every word but the
    /// rarest one, as Keras does without `num_words` (0).
    pub fn num_words(mut self, num_words: u32) -> LoadData {
        self.num_words = num_words;
        self
    }

    /// Numbers below this one are not kept, the most frequent words among them (0).
    pub fn skip_top(mut self, skip_top: u32) -> LoadData {
        self.skip_top = skip_top;
        self
    }

    /// Texts that are as long or longer are left out, as Keras does (none).
    pub fn maxlen(mut self, maxlen: usize) -> LoadData {
        self.maxlen = Some(maxlen);
        self
    }

    /// What the shuffle begins with, as `numpy.random.RandomState(seed)` (113).
    pub fn seed(mut self, seed: u32) -> LoadData {
        self.seed = seed;
        self
    }

    /// The number that begins every text; `None` for none (1).
    pub fn start_char(mut self, start_char: impl Into<Option<u32>>) -> LoadData {
        self.numbering.start = start_char.into();
        self
    }

    /// The number of a word that is not kept; with `None` such words are left out (2).
    pub fn oov_char(mut self, oov_char: impl Into<Option<u32>>) -> LoadData {
        self.oov_char = oov_char.into();
        self
    }

    /// What is added to each word's rank (3).
    pub fn index_from(mut self, index_from: u32) -> LoadData {
        self.numbering.index_from = index_from;
        self
    }

    /// The share that becomes test data, where the data set is not split as published (0.2).
    pub fn test_split(mut self, test_split: f64) -> LoadData {
        self.test_split = Some(test_split);
        self
    }

    /// How many of `samples` are for training.
    pub(super) fn training(&self, samples: usize) -> Result<usize> {
        let split = self.test_split.unwrap_or(0.2);
        if !(0.0..1.0).contains(&split) {
            return Err(Error::Value(format!(
                "test_split: expected a share from 0 to below 1, got {split}"
            )));
        }
        Ok((samples as f64 * (1.0 - split)) as usize)
    }
}

impl From<u32> for LoadData {
    fn from(num_words: u32) -> LoadData {
        LoadData::new().num_words(num_words)
    }
}

impl From<&LoadData> for LoadData {
    fn from(settings: &LoadData) -> LoadData {
        settings.clone()
    }
}
