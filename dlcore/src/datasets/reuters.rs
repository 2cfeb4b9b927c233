//! Reuters: 11,228 newswires as lists of word numbers, each about one of 46 topics.
//!
//! From Reuters-21578 (1987), prepared by D. Lewis; for research. The order, the split, the reserved
//! numbers and the cut are those of `keras.datasets.reuters.load_data`.

use super::fetch::{self, File};
use super::load_data::LoadData;
use super::mt19937::RandomState;
use super::npz::Npz;
use super::sequences::Sequences;
use super::words::{Numbering, WordIndex};
use crate::display::progress::Progress;
use crate::{Result, Tensor};

pub(super) const NEWSWIRES: File = File {
    name: "reuters.npz",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/reuters.npz",
    sha256: "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
};

// Keras publishes the MD5 4d44cc38712099c9e383dc6e5f11a921; this is the SHA-256 of the same file.
pub(super) const WORDS: File = File {
    name: "reuters_word_index.json",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/reuters_word_index.json",
    sha256: "9b56000edc4b34a32e89fd5a23b2605594682c74efcf7d8f4e2a5514b771e633",
};

/// The topics, in the order of the labels.
const TOPICS: [&str; 46] = [
    "cocoa",
    "grain",
    "veg-oil",
    "earn",
    "acq",
    "wheat",
    "copper",
    "housing",
    "money-supply",
    "coffee",
    "sugar",
    "trade",
    "reserves",
    "ship",
    "cotton",
    "carcass",
    "crude",
    "nat-gas",
    "cpi",
    "money-fx",
    "interest",
    "gnp",
    "meal-feed",
    "alum",
    "oilseed",
    "gold",
    "tin",
    "strategic-metal",
    "livestock",
    "retail",
    "ipi",
    "iron-steel",
    "rubber",
    "heat",
    "jobs",
    "lei",
    "bop",
    "zinc",
    "orange",
    "pet-chem",
    "dlr",
    "gas",
    "silver",
    "wpi",
    "hog",
    "lead",
];

/// The newswires and labels, in Keras's order.
#[derive(Clone, Debug)]
pub struct Reuters {
    /// 8,982 newswires, unless another split is asked for.
    pub train_data: Sequences,
    /// `[8982]`, i64 from 0 to 45.
    pub train_labels: Tensor,
    /// 2,246 newswires.
    pub test_data: Sequences,
    /// `[2246]`, i64.
    pub test_labels: Tensor,
    words: WordIndex,
    numbering: Numbering,
}

impl Reuters {
    /// A newswire as text; `?` stands for the reserved numbers and for what no word has.
    pub fn decode(&self, newswire: &[u32]) -> String {
        self.numbering.decode(newswire, &self.words)
    }
}

/// The newswires, as `keras.datasets.reuters.load_data`; `settings` is `num_words`, or all of
/// [`LoadData`].
///
/// ```no_run
/// use dlcore::datasets::reuters;
/// let reuters = reuters::load(10_000)?;
/// println!("{}", reuters.decode(&reuters.train_data[0]));
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// # Errors
/// [`Error::Download`](crate::Error::Download) if the files can be had from nowhere,
/// [`Error::File`](crate::Error::File) if one is damaged, and [`Error::Value`](crate::Error::Value)
/// for settings that do not fit.
pub fn load(settings: impl Into<LoadData>) -> Result<Reuters> {
    load_with(&settings.into())
}

fn load_with(settings: &LoadData) -> Result<Reuters> {
    settings.training(0)?;
    let mut npz = Npz::open(&fetch::get(&NEWSWIRES)?)?;
    let mut progress = Progress::start("reuters", "parts", 2);
    let (texts, labels) = newswires(&mut npz, settings)?;
    progress.at(1);
    let words = get_word_index()?;
    progress.at(2);
    let limit = settings.limit(texts.iter());
    let mut train = texts;
    let test = train.split_off(settings.training(train.len())?);
    let (train_labels, test_labels) = labels.split_at(train.len());
    Ok(Reuters {
        train_data: settings.cut(train, limit),
        train_labels: Tensor::from(train_labels),
        test_data: settings.cut(test, limit),
        test_labels: Tensor::from(test_labels),
        words,
        numbering: settings.numbering,
    })
}

/// Newswires with their start and reserved numbers, and labels, both shuffled.
fn newswires(npz: &mut Npz, settings: &LoadData) -> Result<(Vec<Vec<u32>>, Vec<i64>)> {
    let rows = npz.lists("x")?;
    let values = npz.integers("y")?;
    if rows.len() != values.len() {
        let message = format!(
            "expected a label for each of {} newswires, found {}",
            rows.len(),
            values.len()
        );
        return Err(npz.error("y", message));
    }
    if let Some(label) = values.iter().find(|label| !(0..46).contains(*label)) {
        return Err(npz.error("y", format!("expected labels from 0 to 45, found {label}")));
    }
    let order = RandomState::new(settings.seed).shuffled(rows.len());
    let numbers = |&index: &usize| {
        let numbers = settings.numbering.apply(&rows[index]);
        numbers.map_err(|rank| npz.error("x", format!("no word has the rank {rank}")))
    };
    let mut texts = order.iter().map(numbers).collect::<Result<_>>()?;
    let mut labels = order.iter().map(|&index| values[index]).collect();
    settings.drop_long(&mut texts, &mut labels);
    Ok((texts, labels))
}

/// Every word of the newswires with its rank, as `keras.datasets.reuters.get_word_index`.
///
/// # Errors
/// As [`load`].
pub fn get_word_index() -> Result<WordIndex> {
    WordIndex::load(&WORDS)
}

/// The topics, in the order of the labels, as `keras.datasets.reuters.get_label_names`.
pub fn get_label_names() -> Vec<&'static str> {
    TOPICS.to_vec()
}
