//! Words and their numbers: what IMDB and Reuters share.

use std::collections::HashMap;
use std::sync::Arc;

use super::fetch::{self, File};
use super::load_data::LoadData;
use super::sequences::Sequences;
use crate::{Error, Result};

/// The words of a data set and their ranks by frequency; 1 is the most frequent.
#[derive(Clone, Debug)]
pub struct WordIndex {
    ranks: Arc<HashMap<String, u32>>,
    words: Arc<Vec<String>>,
}

impl WordIndex {
    /// A word's rank; its number in a text is greater by `index_from`, which is 3 unless set.
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

    /// Words and ranks, the most frequent word first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        let words = self.words.iter().map(String::as_str).zip(0..);
        words.filter(|(word, _)| !word.is_empty())
    }

    /// Reads a file of words and ranks as JSON.
    pub(super) fn load(file: &File) -> Result<WordIndex> {
        let path = fetch::get(file)?;
        let failed = |message: String| Error::File {
            path: path.clone(),
            message,
        };
        let text =
            std::fs::read(&path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        WordIndex::parse(&text).map_err(failed)
    }

    fn parse(text: &[u8]) -> Result<WordIndex, String> {
        let ranks: HashMap<String, u32> = serde_json::from_slice::<serde_json::Map<_, _>>(text)
            .map_err(|error| format!("expected words and their ranks as JSON: {error}"))?
            .into_iter()
            .map(|(word, rank)| {
                let number = rank.as_u64().and_then(|rank| u32::try_from(rank).ok());
                let number = number
                    .ok_or_else(|| format!("expected a rank from 1 for {word:?}, found {rank}"))?;
                Ok((word, number))
            })
            .collect::<Result<_, String>>()?;
        let mut words = vec![String::new(); ranks.len() + 1];
        for (word, &rank) in &ranks {
            // Ranks are 1 to the number of words; another would make the list as long as it is large.
            let place = words.get_mut(rank as usize).filter(|_| rank > 0);
            let place = place.ok_or_else(|| {
                let last = ranks.len();
                format!("expected ranks from 1 to {last}, found {rank} for {word:?}")
            })?;
            word.clone_into(place);
        }
        Ok(WordIndex {
            ranks: Arc::new(ranks),
            words: Arc::new(words),
        })
    }
}

/// How ranks become numbers in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering {
    /// The number that begins every text.
    pub start: Option<u32>,
    /// What is added to a word's rank.
    pub index_from: u32,
}

impl Default for Numbering {
    fn default() -> Self {
        Numbering {
            start: Some(1),
            index_from: 3,
        }
    }
}

impl Numbering {
    /// A text's words; `?` stands for the reserved numbers and for what no word has.
    pub fn decode(&self, text: &[u32], words: &WordIndex) -> String {
        let word = |&number: &u32| {
            let rank = number.checked_sub(self.index_from);
            rank.and_then(|rank| words.word(rank)).unwrap_or("?")
        };
        text.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// A text's numbers from its ranks; the rank for which there is no number where there is none.
    pub fn apply(&self, ranks: &[u32]) -> Result<Vec<u32>, u32> {
        let mut numbers = Vec::with_capacity(ranks.len() + 1);
        numbers.extend(self.start);
        for &rank in ranks {
            numbers.push(rank.checked_add(self.index_from).ok_or(rank)?);
        }
        Ok(numbers)
    }
}

impl LoadData {
    /// Leaves out texts that are too long, with their labels.
    pub(super) fn drop_long(&self, texts: &mut Vec<Vec<u32>>, labels: &mut Vec<i64>) {
        let Some(maxlen) = self.maxlen.filter(|&maxlen| maxlen > 0) else {
            return;
        };
        let mut kept = texts.iter().map(|text| text.len() < maxlen);
        labels.retain(|_| kept.next() == Some(true));
        texts.retain(|text| text.len() < maxlen);
    }

    /// The first number that is not kept: without `num_words` the largest one, as in Keras.
    pub(super) fn limit<'a>(&self, texts: impl Iterator<Item = &'a Vec<u32>>) -> u32 {
        match self.num_words {
            0 => texts.flatten().copied().max().unwrap_or(0),
            limit => limit,
        }
    }

    /// Puts `oov_char` for what is not kept, or leaves it out.
    pub(super) fn cut(&self, texts: Vec<Vec<u32>>, limit: u32) -> Sequences {
        let kept = |number: &u32| (self.skip_top..limit).contains(number);
        let cut = |mut text: Vec<u32>| {
            match self.oov_char {
                Some(oov) => text.iter_mut().filter(|n| !kept(n)).for_each(|n| *n = oov),
                None => text.retain(kept),
            }
            text
        };
        Sequences::new(texts.into_iter().map(cut).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_whose_ranks_do_not_count_from_one_is_refused() {
        let error = |text: &str| WordIndex::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error(r#"{"a": 1, "b": 4000000000}"#),
            "expected ranks from 1 to 2, found 4000000000 for \"b\""
        );
        assert!(error(r#"{"a": 0}"#).contains("found 0 for \"a\""));
        assert!(error(r#"{"a": -1}"#).contains("found -1"));
        assert!(error(r#"["a"]"#).contains("as JSON"));
        let index = WordIndex::parse(r#"{"b": 2, "é": 1}"#.as_bytes()).unwrap();
        assert_eq!(index.iter().collect::<Vec<_>>(), [("é", 1), ("b", 2)]);
    }

    #[test]
    fn texts_are_cut_as_keras_cuts_them() {
        let texts = || vec![vec![1, 4, 5, 9], vec![1, 7]];
        let settings = LoadData::from(9).skip_top(5);
        let rows = settings.cut(texts(), settings.limit(texts().iter()));
        assert_eq!(rows.rows(), [vec![2, 2, 5, 2], vec![2, 7]]);
        let settings = settings.num_words(0).oov_char(None);
        let rows = settings.cut(texts(), settings.limit(texts().iter()));
        assert_eq!(rows.rows(), [vec![5], vec![7]]);
        let (mut long, mut labels) = (texts(), vec![0, 1]);
        settings.maxlen(4).drop_long(&mut long, &mut labels);
        assert_eq!((long, labels), (vec![vec![1, 7]], vec![1]));
    }
}
