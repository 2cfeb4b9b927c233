//! Categories as numbers: Keras's `StringLookup`.

use std::collections::HashMap;

use crate::{Error, Result, Tensor, names};

const OUTPUT_MODES: [&str; 2] = ["int", "one_hot"];

/// The words of a column as numbers, and back: the most frequent one of those it has seen is 1, and 0 stands for
/// all that it has not seen.
///
/// ```
/// use dlcore::prelude::*;
/// let mut lookup = StringLookup::new();
/// lookup.adapt(&["red", "blue", "red"])?;
/// assert_eq!(lookup.get_vocabulary(), ["[UNK]", "red", "blue"]);
/// assert_eq!(lookup.call(&["blue", "green", "red"])?, Tensor::from([2, 0, 1]));
/// let one_hot = lookup.output_mode("one_hot").call(&["blue"])?;
/// assert_eq!(one_hot, Tensor::from([[0.0, 0.0, 1.0]]));
/// # Ok::<(), Error>(())
/// ```
///
/// For labels, of which all are known, [`Table::classes`](crate::files::Table::classes) numbers them by their
/// alphabet, as does `num_oov_indices(0)` with [`StringLookup::vocabulary`] in any order.
#[derive(Clone, Debug)]
pub struct StringLookup {
    num_oov_indices: usize,
    max_tokens: Option<usize>,
    oov_token: String,
    output_mode: String,
    /// Without what stands for the unknown.
    words: Vec<String>,
    places: HashMap<String, usize>,
}

impl Default for StringLookup {
    fn default() -> Self {
        StringLookup::new()
    }
}

impl StringLookup {
    /// Keras's defaults; nothing seen yet.
    pub fn new() -> StringLookup {
        StringLookup {
            num_oov_indices: 1,
            max_tokens: None,
            oov_token: "[UNK]".to_owned(),
            output_mode: "int".to_owned(),
            words: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// How many numbers are for words that are not known: 1, or 0, with which such a word is an error (1).
    ///
    /// # Panics
    /// If there are more, which Keras tells apart by a hash.
    #[track_caller]
    pub fn num_oov_indices(mut self, indices: usize) -> StringLookup {
        assert!(
            indices <= 1,
            "StringLookup: num_oov_indices: expected 0 or 1, got {indices}"
        );
        self.num_oov_indices = indices;
        self
    }

    /// The largest size of the vocabulary, that of the unknown included; the most frequent words stay (none).
    pub fn max_tokens(mut self, tokens: usize) -> StringLookup {
        self.max_tokens = Some(tokens);
        self
    }

    /// How the unknown is called (`"[UNK]"`).
    pub fn oov_token(mut self, token: &str) -> StringLookup {
        self.oov_token = token.to_owned();
        self
    }

    /// `"int"` numbers, `[texts]`, `I64`; `"one_hot"` rows, `[texts, vocabulary]`, `F32` (`"int"`).
    pub fn output_mode(mut self, mode: &str) -> StringLookup {
        self.output_mode = mode.to_owned();
        self
    }

    /// The words in the order of their numbers, instead of those of data. What stands for the unknown may come first,
    /// as in [`StringLookup::get_vocabulary`]: it is not one more word.
    ///
    /// # Errors
    /// [`Error::Value`] for no words, more than `max_tokens`, or one that comes twice.
    pub fn vocabulary(mut self, words: &[impl AsRef<str>]) -> Result<StringLookup> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let words = match &words[..] {
            [first, rest @ ..] if self.num_oov_indices == 1 && *first == self.oov_token => rest,
            all => all,
        };
        self.set(words.iter().map(|&word| word.to_owned()).collect())?;
        Ok(self)
    }

    /// Learns the words of a column, in place of those before: by how often they occur, and among equally
    /// frequent ones in reverse alphabetical order, as Keras.
    ///
    /// # Errors
    /// [`Error::Value`] for no texts.
    pub fn adapt(&mut self, texts: &[impl AsRef<str>]) -> Result<()> {
        self.learn(texts.iter().map(AsRef::as_ref).collect())
    }

    fn learn(&mut self, texts: Vec<&str>) -> Result<()> {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for text in texts {
            *counts.entry(text).or_default() += 1;
        }
        counts.remove(self.oov_token.as_str());
        let mut words: Vec<(u64, &str)> = counts.into_iter().map(|(w, n)| (n, w)).collect();
        words.sort_unstable_by(|a, b| b.cmp(a));
        let most = self
            .max_tokens
            .map(|most| most.saturating_sub(self.num_oov_indices));
        words.truncate(most.unwrap_or(usize::MAX));
        self.set(words.into_iter().map(|(_, word)| word.to_owned()).collect())
    }

    fn set(&mut self, words: Vec<String>) -> Result<()> {
        let wrong = |message: String| Err(Error::Value(format!("StringLookup: {message}")));
        if words.is_empty() {
            return wrong("expected words to learn, got none".to_owned());
        }
        let most = self.max_tokens.unwrap_or(usize::MAX);
        if words.len() + self.num_oov_indices > most {
            return wrong(format!(
                "{} words are more than max_tokens, {most}, has room for",
                words.len()
            ));
        }
        let mut places = HashMap::new();
        for (place, word) in words.iter().enumerate() {
            if places.insert(word.clone(), place).is_some() {
                return wrong(format!("the vocabulary has {word:?} twice"));
            }
        }
        (self.words, self.places) = (words, places);
        Ok(())
    }

    /// The words in the order of their numbers.
    pub fn get_vocabulary(&self) -> Vec<String> {
        let unknown = (self.num_oov_indices == 1).then(|| self.oov_token.clone());
        unknown
            .into_iter()
            .chain(self.words.iter().cloned())
            .collect()
    }

    /// How many numbers there are: the units of an embedding, or the classes of a one-hot row.
    pub fn vocabulary_size(&self) -> usize {
        self.words.len() + self.num_oov_indices
    }

    /// The number of each text, as [`StringLookup::output_mode`] says.
    ///
    /// # Errors
    /// [`Error::Value`] if nothing was learned, for a word that is not known where none stands for those, or for
    /// a mode that is not known.
    pub fn call(&self, texts: &[impl AsRef<str>]) -> Result<Tensor> {
        self.look_up(texts.iter().map(AsRef::as_ref).collect())
    }

    fn look_up(&self, texts: Vec<&str>) -> Result<Tensor> {
        let numbers = self.numbers(&texts)?;
        match self.output_mode.as_str() {
            "int" => Ok(numbers),
            "one_hot" => numbers.try_one_hot(self.vocabulary_size()),
            other => Err(Error::Value(format!(
                "StringLookup: {}",
                names::unknown("output_mode", other, &OUTPUT_MODES)
            ))),
        }
    }

    fn numbers(&self, texts: &[&str]) -> Result<Tensor> {
        if self.words.is_empty() {
            return Err(Error::Value(
                "StringLookup: it knows no words yet: call adapt(texts) with those of the training data"
                    .to_owned(),
            ));
        }
        let number = |(row, text): (usize, &&str)| match self.places.get(*text) {
            Some(place) => Ok((place + self.num_oov_indices) as i64),
            None if self.num_oov_indices == 1 => Ok(0),
            None => {
                let known: Vec<&str> = self.words.iter().map(String::as_str).collect();
                Err(Error::Value(format!(
                    "StringLookup: text {row}: {}",
                    names::unknown("word", text, &known)
                )))
            }
        };
        let numbers: Result<Vec<i64>> = texts.iter().enumerate().map(number).collect();
        Ok(Tensor::from(numbers?))
    }

    /// The words of numbers: of predicted classes, for instance.
    ///
    /// # Errors
    /// [`Error::Value`] for a number that no word has.
    pub fn invert(&self, numbers: &Tensor) -> Result<Vec<String>> {
        let vocabulary = self.get_vocabulary();
        let word = |number: f64| {
            let place = (number.fract() == 0.0 && number >= 0.0).then_some(number as usize);
            let word = place.and_then(|place| vocabulary.get(place)).cloned();
            word.ok_or_else(|| {
                Error::Value(format!(
                    "StringLookup: invert: expected whole numbers below {}, got {number}",
                    vocabulary.len()
                ))
            })
        };
        numbers.to_vec_of::<f64>().into_iter().map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fixtures::{list, text};

    fn texts(json: &Value) -> Vec<String> {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn numbers_are_those_of_keras() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/parity/fixtures/adapted.json"
        );
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in list(&json["string_lookup"]) {
            let settings = &case["settings"];
            let mut lookup = StringLookup::new();
            if let Some(tokens) = settings["max_tokens"].as_u64() {
                lookup = lookup.max_tokens(tokens as usize);
            }
            if let Some(indices) = settings["num_oov_indices"].as_u64() {
                lookup = lookup.num_oov_indices(indices as usize);
            }
            if settings["output_mode"].is_string() {
                lookup = lookup.output_mode(text(settings, "output_mode"));
            }
            lookup.adapt(&texts(&case["data"])).unwrap();
            assert_eq!(
                lookup.get_vocabulary(),
                texts(&case["vocabulary"]),
                "{settings}"
            );
            let numbers = lookup.call(&texts(&case["input"])).unwrap();
            let expected = crate::fixtures::tensor(&case["output"]);
            assert_eq!(numbers.shape(), expected.shape(), "{settings}");
            assert_eq!(numbers.to_vec(), expected.to_vec(), "{settings}");
        }
    }

    #[test]
    fn a_vocabulary_of_another_lookup_gives_the_same_numbers() {
        let mut lookup = StringLookup::new();
        lookup.adapt(&["red", "blue", "red"]).unwrap();
        let vocabulary = lookup.get_vocabulary();
        let again = StringLookup::new().vocabulary(&vocabulary).unwrap();
        assert_eq!(again.get_vocabulary(), vocabulary);
        let words = ["green", "red", "blue"];
        assert_eq!(again.call(&words).unwrap(), lookup.call(&words).unwrap());
        // Where nothing stands for the unknown it is a word like others, and so it is in another place.
        let plain = StringLookup::new().num_oov_indices(0);
        let plain = plain.vocabulary(&vocabulary).unwrap();
        assert_eq!(plain.call(&words[1..]).unwrap(), Tensor::from([1, 2]));
        let alone = StringLookup::new().vocabulary(&["[UNK]"]);
        assert!(alone.unwrap_err().to_string().contains("got none"));
    }

    #[test]
    fn what_it_does_not_know_is_said() {
        let mut lookup = StringLookup::new().num_oov_indices(0);
        let error = lookup.call(&["red"]).unwrap_err().to_string();
        assert!(error.contains("call adapt(texts)"), "{error}");
        lookup.adapt(&["red", "blue"]).unwrap();
        let error = lookup.call(&["red", "rde"]).unwrap_err().to_string();
        assert!(
            error.contains("text 1") && error.contains("did you mean \"red\"?"),
            "{error}"
        );
        assert_eq!(
            lookup.invert(&Tensor::from([1, 0])).unwrap(),
            ["blue", "red"]
        );
        let error = lookup.invert(&Tensor::from([2])).unwrap_err().to_string();
        assert!(error.contains("below 2, got 2"), "{error}");
        let error = StringLookup::new().vocabulary(&["a", "a"]).unwrap_err();
        assert!(error.to_string().contains("\"a\" twice"), "{error}");
        let many = StringLookup::new().max_tokens(2).vocabulary(&["a", "b"]);
        assert!(many.unwrap_err().to_string().contains("max_tokens"));
        assert!(lookup.adapt(&[""; 0]).is_err());
    }
}
