//! Keras's `Tokenizer`: a vocabulary learned from texts, and texts as word numbers.

mod json;
mod texts;

use std::collections::{HashMap, HashSet};

use texts::Text;
pub use texts::Texts;

use super::words::SplitWords;
use crate::datasets::Sequences;
use crate::sorted;
use crate::tensor::Shape;
use crate::{Error, Result, Tensor, names};

/// Words numbered by how often they occur: 1 is the most frequent one, 0 is nobody's number.
///
/// ```
/// use dlcore::prelude::*;
/// let samples = ["The cat sat on the mat.", "The dog ate my homework."];
/// let mut tokenizer = Tokenizer::new().num_words(1000);
/// tokenizer.fit_on_texts(samples);
/// let sequences = tokenizer.texts_to_sequences(samples);
/// assert_eq!(sequences[0], [1, 2, 3, 4, 1, 5]);
/// let one_hot = tokenizer.texts_to_matrix(samples, "binary")?;
/// assert_eq!(one_hot.shape(), [2, 1000]);
/// # Ok::<(), Error>(())
/// ```
///
/// The numbers are those of `keras.preprocessing.text.Tokenizer` (in Keras 3 among the legacy modules),
/// and [`Tokenizer::to_json`] writes what it reads.
#[derive(Clone, Debug, Default)]
pub struct Tokenizer {
    split: SplitWords,
    num_words: Option<u32>,
    char_level: bool,
    oov_token: Option<String>,
    document_count: u64,
    /// In the order in which words were first seen, which decides among equally frequent ones.
    counts: Counts,
    /// In how many texts each word occurs.
    word_docs: HashMap<String, u64>,
    /// The same by number.
    index_docs: HashMap<u32, u64>,
    word_index: HashMap<String, u32>,
    index_word: HashMap<u32, String>,
}

/// How often each word occurs, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
struct Counts {
    words: Vec<(String, u64)>,
    places: HashMap<String, usize>,
}

impl Counts {
    fn add(&mut self, word: &str, times: u64) {
        match self.places.get(word) {
            Some(&place) => self.words[place].1 += times,
            None => {
                self.places.insert(word.to_owned(), self.words.len());
                self.words.push((word.to_owned(), times));
            }
        }
    }
}

const MODES: [&str; 4] = ["binary", "count", "tfidf", "freq"];

impl Tokenizer {
    /// Keras's defaults; nothing learned yet.
    pub fn new() -> Tokenizer {
        Tokenizer::default()
    }

    /// Only words whose number is below this one are used, the most frequent ones; 0 for all (all).
    pub fn num_words(mut self, num_words: u32) -> Tokenizer {
        self.num_words = Some(num_words).filter(|&words| words > 0);
        self
    }

    /// Characters that separate words (punctuation without the apostrophe, tab, line break).
    pub fn filters(mut self, filters: &str) -> Tokenizer {
        self.split = self.split.filters(filters);
        self
    }

    /// Whether capitals become small letters (true).
    pub fn lower(mut self, lower: bool) -> Tokenizer {
        self.split = self.split.lower(lower);
        self
    }

    /// What separates words (a blank).
    ///
    /// # Panics
    /// If it is empty.
    #[track_caller]
    pub fn split(mut self, split: &str) -> Tokenizer {
        self.split = self.split.split(split);
        self
    }

    /// Whether every character counts as a word (false).
    pub fn char_level(mut self, char_level: bool) -> Tokenizer {
        self.char_level = char_level;
        self
    }

    /// What stands for words that are not known or not used, with the number 1; without it they are
    /// left out (none).
    pub fn oov_token(mut self, token: &str) -> Tokenizer {
        self.oov_token = Some(token.to_owned());
        self
    }

    /// Learns the words of texts; called again, it learns on, and the numbers may change.
    pub fn fit_on_texts(&mut self, texts: impl Into<Texts>) {
        self.fit_texts(&texts.into());
    }

    fn fit_texts(&mut self, texts: &Texts) {
        for text in texts.iter() {
            self.document_count += 1;
            let words = self.words(text);
            for word in &words {
                self.counts.add(word, 1);
            }
            for word in words.into_iter().collect::<HashSet<_>>() {
                *self.word_docs.entry(word).or_default() += 1;
            }
        }
        self.number();
    }

    /// Numbers the words, the most frequent first.
    fn number(&mut self) {
        let mut words: Vec<&(String, u64)> = self.counts.words.iter().collect();
        words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let words = words.into_iter().map(|(word, _)| word);
        // A word that is also the token for unknown ones has its own number, as in Keras.
        let numbered = self.oov_token.iter().chain(words).zip(1..);
        self.word_index = numbered
            .map(|(word, number)| (word.clone(), number))
            .collect();
        let index = self.word_index.iter();
        self.index_word = index
            .map(|(word, &number)| (number, word.clone()))
            .collect();
        for (word, &count) in &self.word_docs {
            self.index_docs.insert(self.word_index[word], count);
        }
    }

    /// Learns from sequences of numbers in how many each occurs, for `"tfidf"`.
    pub fn fit_on_sequences(&mut self, sequences: &Sequences) {
        self.document_count += sequences.len() as u64;
        for sequence in sequences {
            for number in sequence.iter().collect::<HashSet<_>>() {
                *self.index_docs.entry(*number).or_default() += 1;
            }
        }
    }

    fn words(&self, text: &Text) -> Vec<String> {
        let lower = |text: &str| match self.split.lower {
            true => text.to_lowercase(),
            false => text.to_owned(),
        };
        match text {
            Text::Words(words) => words.iter().map(|word| lower(word)).collect(),
            Text::Whole(text) if self.char_level => lower(text).chars().map(String::from).collect(),
            Text::Whole(text) => self.split.words(text),
        }
    }

    /// Texts as word numbers; words that are not known or not used are left out, or become that of
    /// [`Tokenizer::oov_token`].
    pub fn texts_to_sequences(&self, texts: impl Into<Texts>) -> Sequences {
        self.sequences_of(&texts.into())
    }

    fn sequences_of(&self, texts: &Texts) -> Sequences {
        let oov = self.oov_number();
        let number = |word: String| {
            let number = self.word_index.get(&word).copied();
            number.filter(|&number| self.is_used(number)).or(oov)
        };
        let rows = texts.iter().map(|text| {
            let words = self.words(text).into_iter();
            words.filter_map(number).collect()
        });
        Sequences::new(rows.collect())
    }

    /// Whether a word of this number is among the most frequent ones.
    fn is_used(&self, number: u32) -> bool {
        self.num_words.is_none_or(|words| number < words)
    }

    fn oov_number(&self) -> Option<u32> {
        let token = self.oov_token.as_ref()?;
        self.word_index.get(token).copied()
    }

    /// Word numbers as texts, words separated by a blank.
    pub fn sequences_to_texts(&self, sequences: &Sequences) -> Vec<String> {
        let oov = self.oov_number();
        let oov = oov.and_then(|number| self.index_word.get(&number));
        let word = |number: &u32| {
            let word = self.index_word.get(number);
            word.filter(|_| self.is_used(*number)).or(oov)
        };
        let text = |sequence: &Vec<u32>| {
            let words = sequence.iter().filter_map(word).map(String::as_str);
            words.collect::<Vec<_>>().join(" ")
        };
        sequences.iter().map(text).collect()
    }

    /// A row for each text, a column for each word number.
    ///
    /// `mode` says what stands in it: `"binary"`, 1 for a word that occurs; `"count"`, how often it
    /// occurs; `"freq"`, its share of the text; `"tfidf"`, `(1 + ln count) · ln(1 + texts / (1 + texts
    /// with the word))`.
    ///
    /// # Shapes
    /// `n` texts → `[n, num_words]`, `F32`; without `num_words` there is a column for each word known
    /// and column 0. Of `"binary"` only the ones are stored.
    ///
    /// # Errors
    /// [`Error::Value`] for a mode that is not known, or before anything was learned.
    pub fn texts_to_matrix(&self, texts: impl Into<Texts>, mode: &str) -> Result<Tensor> {
        self.sequences_to_matrix(&self.sequences_of(&texts.into()), mode)
    }

    /// [`Tokenizer::texts_to_matrix`] for word numbers.
    ///
    /// # Errors
    /// As [`Tokenizer::texts_to_matrix`].
    pub fn sequences_to_matrix(&self, sequences: &Sequences, mode: &str) -> Result<Tensor> {
        let columns = match self.num_words {
            Some(words) => words as usize,
            None if self.word_index.is_empty() => {
                return Err(Error::Value(
                    "texts_to_matrix: nothing was learned that would say how many columns there are; call \
                     fit_on_texts first, or set num_words"
                        .to_owned(),
                ));
            }
            None => self.word_index.len() + 1,
        };
        if !MODES.contains(&mode) {
            let text = names::unknown("mode", mode, &MODES);
            return Err(Error::Value(format!("texts_to_matrix: {text}")));
        }
        if mode == "tfidf" && self.document_count == 0 {
            return Err(Error::Value(
                "texts_to_matrix: \"tfidf\" compares with the texts learned from; call fit_on_texts first"
                    .to_owned(),
            ));
        }
        let used = |row: &Vec<u32>| -> Vec<u32> {
            let used = row.iter().filter(|&&number| (number as usize) < columns);
            used.copied().collect()
        };
        if mode == "binary" {
            let rows: Vec<Vec<u32>> = sequences.iter().map(used).collect();
            return Tensor::from_sparse_rows(columns, &rows);
        }
        let shape = Shape::from([sequences.len(), columns]);
        let mut values = vec![0.0_f32; shape.room::<f32>("texts_to_matrix")?];
        for (row, to) in sequences.iter().zip(values.chunks_mut(columns)) {
            let mut counts: HashMap<u32, u64> = HashMap::new();
            for number in used(row) {
                *counts.entry(number).or_default() += 1;
            }
            for (number, count) in counts {
                to[number as usize] = self.weight(mode, number, count as f64, row.len()) as f32;
            }
        }
        Tensor::from_shape_vec(shape, values)
    }

    fn weight(&self, mode: &str, number: u32, count: f64, length: usize) -> f64 {
        match mode {
            "count" => count,
            "freq" => count / length as f64,
            _ => {
                let with = self.index_docs.get(&number).copied().unwrap_or(0);
                let share = self.document_count as f64 / (1 + with) as f64;
                (1.0 + count.ln()) * (1.0 + share).ln()
            }
        }
    }

    /// A word's number, whether it is used or not.
    pub fn index_of(&self, word: &str) -> Option<u32> {
        self.word_index.get(word).copied()
    }

    /// The word of a number.
    pub fn word(&self, number: u32) -> Option<&str> {
        self.index_word.get(&number).map(String::as_str)
    }

    /// Words and their numbers, in the order of the numbers.
    pub fn word_index(&self) -> Vec<(String, u32)> {
        let index = self.word_index.clone().into_iter().collect();
        sorted::by(index, |(_, a), (_, b)| a.cmp(b))
    }

    /// Words and how often they occurred, in the order in which they were first seen.
    pub fn word_counts(&self) -> Vec<(String, u64)> {
        self.counts.words.clone()
    }

    /// How many texts were learned from.
    pub fn document_count(&self) -> u64 {
        self.document_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_anything_was_learned_errors_say_what_to_do() {
        let tokenizer = Tokenizer::new().oov_token("?");
        assert!(tokenizer.texts_to_sequences(["a b"])[0].is_empty());
        let error = |tokenizer: &Tokenizer, mode| {
            tokenizer
                .texts_to_matrix(["a"], mode)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&tokenizer, "binary").contains("call fit_on_texts first, or set num_words"));
        let ten = Tokenizer::new().num_words(10);
        assert!(error(&ten, "tfidf").contains("compares with the texts learned from"));
        assert!(error(&ten, "binray").contains("did you mean \"binary\"?"));
        assert_eq!(
            ten.texts_to_matrix(["a"], "count").unwrap(),
            Tensor::zeros([1, 10])
        );
    }

    #[test]
    fn learning_on_renumbers_words() {
        let mut tokenizer = Tokenizer::new();
        tokenizer.fit_on_texts(["b a", "b c"]);
        assert_eq!(tokenizer.index_of("b"), Some(1));
        tokenizer.fit_on_texts(vec!["c c c".to_owned()]);
        assert_eq!(
            (tokenizer.index_of("c"), tokenizer.word(2)),
            (Some(1), Some("b"))
        );
        assert_eq!(tokenizer.document_count(), 3);
    }
}
