//! Texts as numbers: one list of word numbers a text, of any length.

use std::fmt;
use std::ops::{Bound, Index, RangeBounds};
use std::sync::Arc;

use crate::Error;
use crate::error::raise;
use crate::tensor::{EDGE, THRESHOLD};

/// Many lists of word numbers; cheap to clone.
#[derive(Clone, PartialEq)]
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
            None => raise(&Error::Shape(format!(
                "slice: expected a range within the {count} sequences there are, got {}",
                range_text(start, end)
            ))),
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
        self.rows.get(index).unwrap_or_else(|| {
            raise(&Error::Shape(format!(
                "there is no sequence {index}: there are {count}, from 0"
            )))
        })
    }
}

/// A range as it is written: `..3000`.
fn range_text(start: Bound<usize>, end: Bound<usize>) -> String {
    let start = match start {
        Bound::Included(start) => start.to_string(),
        Bound::Excluded(before) => before.saturating_add(1).to_string(),
        Bound::Unbounded => String::new(),
    };
    let end = match end {
        Bound::Included(end) => format!("={end}"),
        Bound::Excluded(end) => end.to_string(),
        Bound::Unbounded => String::new(),
    };
    format!("{start}..{end}")
}

/// How many sequences there are and how long they are, then the sequences; the middle of what is long is left out, as it is of
/// tensors.
impl fmt::Debug for Sequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.iter().map(Vec::len);
        let numbers: usize = lengths.clone().sum();
        let (shortest, longest) = (lengths.clone().min(), lengths.max());
        write!(
            f,
            "Sequences: {} of {} to {} numbers",
            self.len(),
            shortest.unwrap_or(0),
            longest.unwrap_or(0)
        )?;
        // Empty sequences take a line each, too.
        let edge = if numbers.max(self.len()) > THRESHOLD {
            EDGE
        } else {
            usize::MAX
        };
        for row in ends(self.rows(), edge) {
            match row {
                None => write!(f, "\n…")?,
                Some(row) => {
                    let numbers = ends(row, edge).map(|one| match one {
                        Some(number) => number.to_string(),
                        None => "…".to_string(),
                    });
                    write!(f, "\n[{}]", numbers.collect::<Vec<_>>().join(", "))?;
                }
            }
        }
        Ok(())
    }
}

/// The first and the last `edge` of some values, `None` for those between.
fn ends<T>(values: &[T], edge: usize) -> impl Iterator<Item = Option<&T>> {
    let cut = values.len() > edge.saturating_mul(2);
    let (first, last) = match cut {
        true => (&values[..edge], &values[values.len() - edge..]),
        false => (values, &values[..0]),
    };
    let gap = cut.then_some(None);
    first
        .iter()
        .map(Some)
        .chain(gap)
        .chain(last.iter().map(Some))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_numbers_are_printed_whole_and_of_many_the_ends() {
        let few = Sequences::new(vec![vec![7], vec![], vec![1, 2]]);
        assert_eq!(
            format!("{few:?}"),
            "Sequences: 3 of 0 to 2 numbers\n[7]\n[]\n[1, 2]"
        );
        let many = Sequences::new(vec![(0..500).collect(); 30]);
        let text = format!("{:?}", many.slice(..3));
        assert_eq!(text.lines().nth(3), Some("[0, 1, 2, …, 497, 498, 499]"));
        let text = format!("{many:?}");
        assert_eq!(
            (text.lines().count(), text.lines().nth(4)),
            (8, Some("…")),
            "{text}"
        );
        let empty = format!("{:?}", Sequences::new(vec![vec![]; 3000]));
        assert_eq!(empty.lines().count(), 8, "{empty}");
        assert_eq!(
            format!("{:?}", Sequences::new(vec![])),
            "Sequences: 0 of 0 to 0 numbers"
        );
    }

    #[test]
    #[should_panic(expected = "expected a range within the 2 sequences there are, got 1..3")]
    fn a_range_of_more_than_there_are_is_refused_as_it_was_written() {
        Sequences::new(vec![vec![1], vec![2]]).slice(1..3);
    }
}
