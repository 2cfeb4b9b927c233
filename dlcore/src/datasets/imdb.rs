//! IMDB: 25,000 and 25,000 film reviews as lists of word numbers, half of them positive.
//!
//! A. Maas and others, *Learning word vectors for sentiment analysis* (2011). The order, the reserved
//! numbers and the cut are those of `keras.datasets.imdb.load_data`.

use super::fetch::{self, File};
use super::load_data::LoadData;
use super::mt19937::RandomState;
use super::npz::Npz;
use super::sequences::Sequences;
use super::shown::show_fields;
use super::words::{Numbering, WordIndex};
use crate::display::progress::Progress;
use crate::{Error, Result, Tensor};

pub(super) const REVIEWS: File = File {
    name: "imdb.npz",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
    sha256: "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
};

// Keras publishes the MD5 bfafd718b763782e994055a2d397834f; this is the SHA-256 of the same file.
pub(super) const WORDS: File = File {
    name: "imdb_word_index.json",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
    sha256: "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
};

/// The number that begins every review.
pub const START: u32 = 1;
/// The number of a word that did not make the cut.
pub const UNKNOWN: u32 = 2;
/// What is added to a word's rank: 0 pads, 1 starts, 2 is unknown, 3 is unused.
pub const INDEX_FROM: u32 = 3;

/// The reviews and labels, in Keras's order.
#[derive(Clone, Debug)]
pub struct Imdb {
    /// 25,000 reviews.
    pub train_data: Sequences,
    /// `[25000]`, i64: 1 is positive, 0 negative.
    pub train_labels: Tensor,
    /// 25,000 reviews.
    pub test_data: Sequences,
    /// `[25000]`, i64.
    pub test_labels: Tensor,
    words: WordIndex,
    numbering: Numbering,
}

show_fields!(
    Imdb,
    "IMDB: film reviews as word numbers",
    train_data,
    train_labels,
    test_data,
    test_labels
);

impl Imdb {
    /// A review as text; `?` stands for the reserved numbers and for what no word has.
    pub fn decode(&self, review: &[u32]) -> String {
        self.numbering.decode(review, &self.words)
    }
}

/// The reviews, as `keras.datasets.imdb.load_data`; words outside the `num_words` most frequent
/// become [`UNKNOWN`].
///
/// `settings` is `num_words`, or all of [`LoadData`]. `num_words` counts the reserved numbers: with
/// 10,000 no number reaches 10,000. 0 keeps every word but the rarest one, as Keras does without
/// `num_words`.
///
/// ```no_run
/// use dlcore::datasets::{LoadData, imdb};
/// let imdb = imdb::load(10_000)?;
/// let short = imdb::load(LoadData::new().num_words(5_000).maxlen(200))?;
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// # Errors
/// [`Error::Download`] if the files can be had from nowhere, [`Error::File`] if one is damaged, and
/// [`Error::Value`] for settings that do not fit.
pub fn load(settings: impl Into<LoadData>) -> Result<Imdb> {
    load_with(&settings.into())
}

fn load_with(settings: &LoadData) -> Result<Imdb> {
    if settings.test_split.is_some() {
        return Err(Error::Value(
            "imdb: the reviews are split as published; test_split is for reuters and boston_housing"
                .to_owned(),
        ));
    }
    let path = fetch::get(&REVIEWS)?;
    let mut npz = Npz::open(&path)?;
    // One generator shuffles the training reviews, then the test reviews.
    let mut random = RandomState::new(settings.seed);
    let mut progress = Progress::start("imdb", "parts", 3);
    let (train, train_labels) = part(&mut npz, ["x_train", "y_train"], &mut random, settings)?;
    progress.at(1);
    let (test, test_labels) = part(&mut npz, ["x_test", "y_test"], &mut random, settings)?;
    progress.at(2);
    let words = word_index()?;
    progress.at(3);
    let limit = settings.limit(train.iter().chain(&test));
    Ok(Imdb {
        train_data: settings.cut(train, limit),
        train_labels: Tensor::from(train_labels),
        test_data: settings.cut(test, limit),
        test_labels: Tensor::from(test_labels),
        words,
        numbering: settings.numbering,
    })
}

/// Reviews with their start and reserved numbers, and labels, both shuffled.
fn part(
    npz: &mut Npz,
    [reviews, labels]: [&str; 2],
    random: &mut RandomState,
    settings: &LoadData,
) -> Result<(Vec<Vec<u32>>, Vec<i64>)> {
    let mut rows = npz.lists(reviews)?;
    let values = npz.integers(labels)?;
    if rows.len() != values.len() {
        let message = format!(
            "expected a label for each of {} reviews, found {}",
            rows.len(),
            values.len()
        );
        return Err(npz.error(labels, message));
    }
    if let Some(label) = values.iter().find(|label| !(0..=1).contains(*label)) {
        return Err(npz.error(labels, format!("expected labels 0 and 1, found {label}")));
    }
    let order = random.shuffled(rows.len());
    let mut shuffled = Vec::with_capacity(rows.len());
    for &index in &order {
        let review = settings.numbering.apply(&std::mem::take(&mut rows[index]));
        shuffled.push(
            review.map_err(|rank| npz.error(reviews, format!("no word has the rank {rank}")))?,
        );
    }
    let mut values = order.iter().map(|&index| values[index]).collect();
    settings.drop_long(&mut shuffled, &mut values);
    if shuffled.is_empty() {
        return Err(Error::Value(format!(
            "imdb: no review has fewer than {} words; raise maxlen",
            settings.maxlen.unwrap_or(0)
        )));
    }
    Ok((shuffled, values))
}

/// Every word of the reviews with its rank, as `keras.datasets.imdb.get_word_index`.
///
/// # Errors
/// As [`load`].
pub fn get_word_index() -> Result<WordIndex> {
    WordIndex::load(&WORDS)
}

/// [`get_word_index`], by a shorter name.
///
/// # Errors
/// As [`load`].
pub fn word_index() -> Result<WordIndex> {
    get_word_index()
}

#[cfg(test)]
mod tests;
