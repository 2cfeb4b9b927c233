//! Texts as numbers: one list of word numbers a text, of any length.

use std::ops::{Bound, Index, RangeBounds};
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

    /// Some of the sequences, as [`Tensor::slice`](crate::Tensor::slice) takes some of their labels.
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let reviews = Sequences::new(vec![vec![7], vec![1, 2], vec![3]]);
    /// assert_eq!(reviews.slice(..2).len(), 2);
    /// assert_eq!(reviews.slice(1..).rows(), [vec![1, 2], vec![3]]);
    /// ```
    ///
    /// # Panics
    /// If there are not that many sequences, or the range ends before it starts.
    #[track_caller]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Sequences {
        self.part(range.start_bound().cloned(), range.end_bound().cloned())
    }

    #[track_caller]
    fn part(&self, start: Bound<usize>, end: Bound<usize>) -> Sequences {
        let count = self.len();
        match self.rows.get((start, end)) {
            Some(rows) => Sequences::new(rows.to_vec()),
            None => panic!(
                "slice: there are {count} sequences, which the range {start:?} to {end:?} does not fit"
            ),
        }
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
