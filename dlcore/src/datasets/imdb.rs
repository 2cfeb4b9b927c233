//! IMDB: 25,000 and 25,000 film reviews as lists of word numbers, half of them positive.
//!
//! A. Maas and others, *Learning word vectors for sentiment analysis* (2011). The order, the reserved
//! numbers and the cut are those of `keras.datasets.imdb.load_data`.

use std::collections::HashMap;
use std::sync::Arc;

use super::fetch::{self, File};
use super::mt19937::RandomState;
use super::npz::Npz;
use super::sequences::Sequences;
use super::shown::show_fields;
use crate::display::progress::Progress;
use crate::{Error, Result, Tensor};

const REVIEWS: File = File {
    name: "imdb.npz",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
    sha256: "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
};

// Keras publishes the MD5 bfafd718b763782e994055a2d397834f; this is the SHA-256 of the same file.
const WORDS: File = File {
    name: "imdb_word_index.json",
    address: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
    sha256: "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
};

/// What Keras shuffles with.
const SEED: u32 = 113;
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
        let word = |&number: &u32| {
            number
                .checked_sub(INDEX_FROM)
                .and_then(|rank| self.words.word(rank))
        };
        review
            .iter()
            .map(|number| word(number).unwrap_or("?"))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The reviews; words outside the `num_words` most frequent become [`UNKNOWN`].
///
/// `num_words` counts the reserved numbers: with 10,000 no number reaches 10,000. 0 keeps every word
/// but the rarest one, as Keras does without `num_words`.
///
/// # Errors
/// [`Error::Download`] if the files can be had from nowhere, and [`Error::File`] if one is damaged.
pub fn load(num_words: u32) -> Result<Imdb> {
    let path = fetch::get(&REVIEWS)?;
    let mut npz = Npz::open(&path)?;
    // One generator shuffles the training reviews, then the test reviews.
    let mut random = RandomState::new(SEED);
    let mut progress = Progress::start("imdb", "parts", 3);
    let (train, train_labels) = part(&mut npz, "x_train", "y_train", &mut random)?;
    progress.at(1);
    let (test, test_labels) = part(&mut npz, "x_test", "y_test", &mut random)?;
    progress.at(2);
    let words = word_index()?;
    progress.at(3);
    let limit = match num_words {
        // Keras takes the largest number as the limit, and so cuts the rarest word.
        0 => train
            .iter()
            .chain(&test)
            .flatten()
            .copied()
            .max()
            .unwrap_or(0),
        limit => limit,
    };
    let cut = |rows: Vec<Vec<u32>>| {
        let keep = |number| if number < limit { number } else { UNKNOWN };
        Sequences::new(
            rows.into_iter()
                .map(|row| row.into_iter().map(keep).collect())
                .collect(),
        )
    };
    Ok(Imdb {
        train_data: cut(train),
        train_labels,
        test_data: cut(test),
        test_labels,
        words,
    })
}

/// Reviews with their start and reserved numbers, and labels, both shuffled.
fn part(
    npz: &mut Npz,
    reviews: &str,
    labels: &str,
    random: &mut RandomState,
) -> Result<(Vec<Vec<u32>>, Tensor)> {
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
        let row = std::mem::take(&mut rows[index]);
        let mut review = Vec::with_capacity(row.len() + 1);
        review.push(START);
        for rank in row {
            let number = rank.checked_add(INDEX_FROM);
            review.push(
                number.ok_or_else(|| npz.error(reviews, format!("no word has the rank {rank}")))?,
            );
        }
        shuffled.push(review);
    }
    let values: Vec<i64> = order.iter().map(|&index| values[index]).collect();
    Ok((
        shuffled,
        Tensor::from_shape_vec_i64([values.len()], values)?,
    ))
}

/// The words and their ranks by frequency; 1 is the most frequent.
#[derive(Clone, Debug)]
pub struct WordIndex {
    ranks: Arc<HashMap<String, u32>>,
    words: Arc<Vec<String>>,
}

impl WordIndex {
    /// A word's rank; its number in a review is greater by [`INDEX_FROM`].
    pub fn get(&self, word: &str) -> Option<u32> {
        self.ranks.get(word).copied()
    }

    /// The word of a rank.
    pub fn word(&self, rank: u32) -> Option<&str> {
        self.words
            .get(rank as usize)
            .map(String::as_str)
            .filter(|word| !word.is_empty())
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }
}

/// Every word of the reviews with its rank, as `keras.datasets.imdb.get_word_index`.
///
/// # Errors
/// As [`load`].
pub fn word_index() -> Result<WordIndex> {
    let path = fetch::get(&WORDS)?;
    let failed = |message: String| Error::File {
        path: path.clone(),
        message,
    };
    let text = std::fs::read(&path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let ranks: HashMap<String, u32> = serde_json::from_slice::<serde_json::Map<_, _>>(&text)
        .map_err(|error| failed(format!("expected words and their ranks as JSON: {error}")))?
        .into_iter()
        .map(|(word, rank)| {
            let rank = rank.as_u64().and_then(|rank| u32::try_from(rank).ok());
            rank.map(|rank| (word.clone(), rank))
                .ok_or_else(|| failed(format!("the rank of {word:?} is no number")))
        })
        .collect::<Result<_>>()?;
    let mut words = vec![String::new(); ranks.len() + 1];
    for (word, &rank) in &ranks {
        // Ranks are 1 to the number of words; another would make the list as long as it is large.
        let place = words
            .get_mut(rank as usize)
            .ok_or_else(|| failed(format!("{word:?} has rank {rank}")))?;
        word.clone_into(place);
    }
    Ok(WordIndex {
        ranks: Arc::new(ranks),
        words: Arc::new(words),
    })
}

#[cfg(test)]
mod tests;
