//! Texts as numbers: one list of word numbers a text, of any length.

use std::ops::Index;
use std::sync::Arc;

/// Many lists of word numbers; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequences {
    rows: Arc<Vec<Vec<u32>>>,
}

impl Sequences {
    /// Sequences that hold the given rows.
    pub fn new(rows: Vec<Vec<u32>>) -> Self {
        Sequences {
            rows: Arc::new(rows),
        }
    }

    /// How many sequences there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The sequence at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&Vec<u32>> {
        self.rows.get(index)
    }

    /// The sequences, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Vec<u32>> {
        self.rows.iter()
    }

    /// The sequences as a slice.
    pub fn rows(&self) -> &[Vec<u32>] {
        &self.rows
    }
}

impl Index<usize> for Sequences {
    type Output = Vec<u32>;

    /// # Panics
    /// If there are not that many sequences.
    #[track_caller]
    fn index(&self, index: usize) -> &Vec<u32> {
        let count = self.len();
        self.rows
            .get(index)
            .unwrap_or_else(|| panic!("there is no sequence {index}: there are {count}, from 0"))
    }
}

impl<'a> IntoIterator for &'a Sequences {
    type Item = &'a Vec<u32>;
    type IntoIter = std::slice::Iter<'a, Vec<u32>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Vec<Vec<u32>>> for Sequences {
    fn from(rows: Vec<Vec<u32>>) -> Self {
        Sequences::new(rows)
    }
}
