//! Texts taken apart into words, and words turned into numbers by hashing.

use md5::{Digest as _, Md5};

use crate::{Error, Result, names};

/// What separates words unless others are named: punctuation without the apostrophe, tab, line break.
const FILTERS: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

/// How a text is taken apart, with Keras's defaults.
///
/// ```
/// use dlcore::preprocessing::{SplitWords, text_to_word_sequence_with};
/// let settings = SplitWords::new().filters("!").lower(false);
/// assert_eq!(text_to_word_sequence_with("Good, no: great!", &settings), ["Good,", "no:", "great"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SplitWords {
    pub(super) filters: String,
    pub(super) lower: bool,
    pub(super) split: String,
}

impl Default for SplitWords {
    fn default() -> Self {
        SplitWords::new()
    }
}

impl SplitWords {
    /// Keras's defaults.
    pub fn new() -> SplitWords {
        SplitWords {
            filters: FILTERS.to_owned(),
            lower: true,
            split: " ".to_owned(),
        }
    }

    /// Characters that separate words as `split` does (punctuation without the apostrophe, tab, line
    /// break).
    pub fn filters(mut self, filters: &str) -> SplitWords {
        self.filters = filters.to_owned();
        self
    }

    /// Whether capitals become small letters (true).
    pub fn lower(mut self, lower: bool) -> SplitWords {
        self.lower = lower;
        self
    }

    /// What separates words (a blank).
    ///
    /// # Panics
    /// If it is empty: then nothing would be separated.
    #[track_caller]
    pub fn split(mut self, split: &str) -> SplitWords {
        assert!(
            !split.is_empty(),
            "split: expected what separates words, got an empty text; for single characters there is \
             Tokenizer's char_level(true)"
        );
        self.split = split.to_owned();
        self
    }

    pub(super) fn words(&self, text: &str) -> Vec<String> {
        let lowered;
        let text = match self.lower {
            true => {
                lowered = text.to_lowercase();
                &lowered
            }
            false => text,
        };
        let mut separated = String::with_capacity(text.len());
        for c in text.chars() {
            match self.filters.contains(c) {
                true => separated.push_str(&self.split),
                false => separated.push(c),
            }
        }
        let words = separated.split(&self.split).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }
}

/// The words of a text, in small letters and without punctuation, as Keras's
/// `text_to_word_sequence`.
///
/// ```
/// use dlcore::preprocessing::text_to_word_sequence;
/// assert_eq!(text_to_word_sequence("The cat's on the mat."), ["the", "cat's", "on", "the", "mat"]);
/// ```
pub fn text_to_word_sequence(text: &str) -> Vec<String> {
    SplitWords::new().words(text)
}

/// [`text_to_word_sequence`] with settings.
pub fn text_to_word_sequence_with(text: &str, settings: &SplitWords) -> Vec<String> {
    settings.words(text)
}

const HASHES: [&str; 2] = ["stable", "md5"];

/// The words of a text as numbers from 1 to `n − 1`, each by a hash: no vocabulary has to be kept, and
/// different words may share a number.
///
/// `hash_function` is `"md5"`, which gives the numbers that Keras gives, or `"stable"` (64 bits of
/// FNV-1a), which is faster. Python's own `hash` differs from run to run and is not there.
///
/// ```
/// use dlcore::preprocessing::hashing_trick;
/// let numbers = hashing_trick("the cat sat on the mat", 100, "md5")?;
/// assert_eq!(numbers[0], numbers[4]);
/// # Ok::<(), dlcore::Error>(())
/// ```
///
/// # Errors
/// [`Error::Value`] for a hash that is not known, and `n` below 2.
pub fn hashing_trick(text: &str, n: u32, hash_function: &str) -> Result<Vec<u32>> {
    hashing_trick_with(text, n, hash_function, &SplitWords::new())
}

/// [`hashing_trick`] with settings.
///
/// # Errors
/// As [`hashing_trick`].
pub fn hashing_trick_with(
    text: &str,
    n: u32,
    hash_function: &str,
    settings: &SplitWords,
) -> Result<Vec<u32>> {
    let buckets = n.checked_sub(1).filter(|&buckets| buckets > 0);
    let buckets = buckets.ok_or_else(|| {
        Error::Value(format!(
            "hashing_trick: expected n of at least 2 (0 is nobody's number), got {n}"
        ))
    })?;
    let hash: fn(&str, u32) -> u32 = match hash_function {
        "md5" => by_md5,
        "stable" => by_fnv,
        other => {
            return Err(Error::Value(format!(
                "hashing_trick: {}",
                names::unknown("hash function", other, &HASHES)
            )));
        }
    };
    let words = settings.words(text);
    Ok(words.iter().map(|word| hash(word, buckets) + 1).collect())
}

/// The words of a text as numbers from 1 to `n − 1`: [`hashing_trick`] by the stable hash. In spite of
/// its name, which is Keras's, it gives numbers, not vectors.
///
/// # Errors
/// [`Error::Value`] if `n` is below 2.
pub fn one_hot(text: &str, n: u32) -> Result<Vec<u32>> {
    hashing_trick(text, n, "stable")
}

/// MD5 as a number of 128 bits, the highest byte first, as Python reads its hexadecimal digits.
fn by_md5(word: &str, buckets: u32) -> u32 {
    let digest: [u8; 16] = Md5::digest(word).into();
    (u128::from_be_bytes(digest) % u128::from(buckets)) as u32
}

/// FNV-1a (Fowler, Noll and Vo), 64 bits.
fn by_fnv(word: &str, buckets: u32) -> u32 {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(buckets)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stable_hash_stays() {
        // FNV-1a's published values: 0xcbf29ce484222325 for nothing, 0xaf63dc4c8601ec8c for "a".
        assert_eq!(
            by_fnv("", u32::MAX),
            (0xcbf2_9ce4_8422_2325_u64 % 0xffff_ffff) as u32
        );
        assert_eq!(
            by_fnv("a", u32::MAX),
            (0xaf63_dc4c_8601_ec8c_u64 % 0xffff_ffff) as u32
        );
        let numbers = one_hot("a b a", 10).unwrap();
        assert!(numbers[0] == numbers[2] && numbers.iter().all(|n| (1..10).contains(n)));
    }

    #[test]
    fn what_cannot_be_hashed_is_refused() {
        let error = |n, hash| hashing_trick("a", n, hash).unwrap_err().to_string();
        assert!(error(1, "md5").contains("at least 2"));
        assert!(error(0, "md5").contains("got 0"));
        assert!(error(9, "md6").contains("did you mean \"md5\"?"));
    }

    #[test]
    #[should_panic(expected = "got an empty text")]
    fn an_empty_separator_is_refused() {
        let _ = SplitWords::new().split("");
    }
}
