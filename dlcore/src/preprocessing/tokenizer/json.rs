//! A tokenizer as Keras's `to_json` writes it and `tokenizer_from_json` reads it.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{Counts, SplitWords, Tokenizer};
use crate::config::Fields;
use crate::{Error, Result};

impl Tokenizer {
    /// All that was set and learned, as Keras's `Tokenizer.to_json` writes it.
    pub fn to_json(&self) -> String {
        let sorted = |counts: &HashMap<u32, u64>| {
            let mut pairs: Vec<(u32, u64)> = counts.iter().map(|(&n, &c)| (n, c)).collect();
            pairs.sort_unstable();
            object(pairs.iter().map(|(n, c)| (n.to_string(), Value::from(*c))))
        };
        let index = self.word_index();
        let words = index
            .iter()
            .map(|(word, n)| (word.clone(), Value::from(*n)));
        let numbers = index
            .iter()
            .map(|(word, n)| (n.to_string(), Value::from(word.as_str())));
        let counts = self.counts.words.iter();
        let counts = counts.map(|(word, count)| (word.clone(), Value::from(*count)));
        let docs = self.counts.words.iter().map(|(word, _)| word);
        let docs =
            docs.filter_map(|word| Some((word.clone(), Value::from(*self.word_docs.get(word)?))));
        json!({
            "class_name": "Tokenizer",
            "config": {
                "num_words": self.num_words,
                "filters": self.split.filters,
                "lower": self.split.lower,
                "split": self.split.split,
                "char_level": self.char_level,
                "oov_token": self.oov_token,
                "document_count": self.document_count,
                "word_counts": object(counts),
                "word_docs": object(docs),
                "index_docs": sorted(&self.index_docs),
                "index_word": object(numbers),
                "word_index": object(words),
            },
        })
        .to_string()
    }

    /// The tokenizer that [`Tokenizer::to_json`] wrote, or Keras's `to_json`.
    ///
    /// # Errors
    /// [`Error::Value`] for a text that is something else, saying what and where.
    pub fn from_json(text: &str) -> Result<Tokenizer> {
        parse(text).map_err(|message| Error::Value(format!("Tokenizer::from_json: {message}")))
    }
}

/// A JSON object as text, its entries in the order given: what was seen first decides among equals.
fn object(entries: impl Iterator<Item = (String, Value)>) -> String {
    let entries: Vec<String> = entries
        .map(|(key, value)| format!("{}: {value}", Value::from(key)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn parse(text: &str) -> Result<Tokenizer, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let config = Fields::of(&value["config"], "config")?;
    let split = config.text("split")?;
    if split.is_empty() {
        return Err("config: split: expected what separates words, found an empty text".to_owned());
    }
    let mut tokenizer = Tokenizer {
        split: SplitWords::new()
            .filters(config.text("filters")?)
            .lower(config.flag("lower")?)
            .split(split),
        num_words: config
            .get("num_words")
            .map(|n| number(n, "num_words"))
            .transpose()?,
        char_level: config.flag("char_level")?,
        oov_token: config
            .get("oov_token")
            .map(|_| config.text("oov_token").map(str::to_owned))
            .transpose()?,
        document_count: config.size("document_count")? as u64,
        ..Tokenizer::default()
    };
    tokenizer.num_words = tokenizer.num_words.filter(|&words| words > 0);
    let mut counts = Counts::default();
    for (word, count) in entries(&config, "word_counts")? {
        counts.add(&word, count_of(&count, "word_counts")?);
    }
    tokenizer.counts = counts;
    for (word, count) in entries(&config, "word_docs")? {
        tokenizer
            .word_docs
            .insert(word, count_of(&count, "word_docs")?);
    }
    for (key, count) in entries(&config, "index_docs")? {
        let place = number_of(&key, "index_docs")?;
        tokenizer
            .index_docs
            .insert(place, count_of(&count, "index_docs")?);
    }
    for (word, place) in entries(&config, "word_index")? {
        tokenizer
            .word_index
            .insert(word, number(&place, "word_index")?);
    }
    for (key, word) in entries(&config, "index_word")? {
        let word = word.as_str().ok_or("index_word: expected words")?;
        tokenizer
            .index_word
            .insert(number_of(&key, "index_word")?, word.to_owned());
    }
    let unnumbered = tokenizer
        .word_docs
        .keys()
        .find(|word| !tokenizer.counts.places.contains_key(*word));
    match unnumbered {
        // Learning on would look for its number.
        Some(word) => Err(format!("word_docs: {word:?} is not among word_counts")),
        None => Ok(tokenizer),
    }
}

/// The entries of an object that is written as text within the configuration, in their order.
fn entries(config: &Fields<'_>, key: &str) -> Result<Vec<(String, Value)>, String> {
    let Ordered(entries) =
        serde_json::from_str(config.text(key)?).map_err(|error| format!("{key}: {error}"))?;
    Ok(entries)
}

fn count_of(value: &Value, key: &str) -> Result<u64, String> {
    let count = value.as_u64();
    count.ok_or_else(|| format!("{key}: expected whole numbers, found {value}"))
}

fn number(value: &Value, key: &str) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("{key}: expected a word's number, found {value}"))
}

fn number_of(key: &str, field: &str) -> Result<u32, String> {
    key.parse()
        .map_err(|_| format!("{field}: expected a word's number, found {key:?}"))
}

/// An object whose order is kept.
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Ordered, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_learns_on_alike() {
        let mut tokenizer = Tokenizer::new()
            .num_words(4)
            .oov_token("<?>")
            .filters("!\"")
            .char_level(false);
        tokenizer.fit_on_texts(["zebra \"ant\" größe", "ant \u{1f600}"]);
        let mut back = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(back.to_json(), tokenizer.to_json());
        for tokenizer in [&mut tokenizer, &mut back] {
            tokenizer.fit_on_texts(["\u{1f600} zebra größe"]);
        }
        assert_eq!(back.to_json(), tokenizer.to_json());
        assert_eq!(back.index_of("zebra"), Some(2));
    }

    #[test]
    fn a_text_that_is_no_tokenizer_is_refused_with_its_place() {
        let whole = Tokenizer::new().to_json();
        let error = |text: &str| Tokenizer::from_json(text).unwrap_err().to_string();
        for cut in 0..whole.len() {
            error(&whole[..cut]);
        }
        assert!(error("{}").contains("config: expected an object"));
        let text = whole.replace("\"split\":\" \"", "\"split\":\"\"");
        assert!(
            error(&text).contains("split: expected what separates words"),
            "{text}"
        );
        let text = whole.replace("\"word_counts\":\"{}\"", r#""word_counts":"{\"a\": -1}""#);
        assert!(error(&text).contains("word_counts: expected whole numbers, found -1"));
        let text = whole.replace("\"word_docs\":\"{}\"", r#""word_docs":"{\"a\": 1}""#);
        assert!(error(&text).contains("\"a\" is not among word_counts"));
        let text = whole.replace("\"index_docs\":\"{}\"", r#""index_docs":"[1]""#);
        assert!(error(&text).contains("index_docs: invalid type"));
    }
}
