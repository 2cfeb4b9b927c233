//! Rows of which few elements differ from zero: a review as the set of its words.

use std::sync::Arc;

use super::{Array, array_from_vec};
use crate::{Error, Result};

/// An f32 matrix that keeps, for each row, the columns that differ from zero (compressed sparse
/// rows). Slices of rows share the buffers.
#[derive(Clone, Debug)]
pub struct SparseRows {
    shape: [usize; 2],
    /// Row i's columns are `columns[offsets[first + i]..offsets[first + i + 1]]`.
    offsets: Arc<[usize]>,
    first: usize,
    /// Ascending within a row.
    columns: Arc<[u32]>,
    /// One for each column; absent when all are 1.
    values: Option<Arc<[f32]>>,
}

impl SparseRows {
    /// Ones at the given columns.
    pub(crate) fn of_ones(features: usize, rows: &[Vec<u32>]) -> Result<SparseRows> {
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        let mut columns = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        offsets.push(0);
        for (index, row) in rows.iter().enumerate() {
            let mut row = row.clone();
            row.sort_unstable();
            row.dedup();
            if let Some(&last) = row.last().filter(|&&c| c as usize >= features) {
                return Err(Error::Value(format!(
                    "from_sparse_rows: row {index} names column {last}, expected columns below \
                     {features}, the number of features"
                )));
            }
            columns.extend(row);
            offsets.push(columns.len());
        }
        Ok(SparseRows {
            shape: [rows.len(), features],
            offsets: offsets.into(),
            first: 0,
            columns: columns.into(),
            values: None,
        })
    }

    /// Rows and features.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements kept.
    pub fn stored(&self) -> usize {
        self.offsets[self.first + self.shape[0]] - self.offsets[self.first]
    }

    /// What columns, values and row ends take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let value = if self.values.is_some() { 4 } else { 0 };
        self.stored() * (4 + value) + (self.shape[0] + 1) * size_of::<usize>()
    }

    /// A row's columns, ascending, and their values; no values means ones.
    #[inline]
    pub fn row(&self, index: usize) -> (&[u32], Option<&[f32]>) {
        let range = self.offsets[self.first + index]..self.offsets[self.first + index + 1];
        (
            &self.columns[range.clone()],
            self.values.as_ref().map(|values| &values[range]),
        )
    }

    /// Consecutive rows, sharing the buffers.
    pub(crate) fn slice(&self, rows: std::ops::Range<usize>) -> SparseRows {
        let shape = [rows.len(), self.shape[1]];
        SparseRows {
            shape,
            first: self.first + rows.start,
            ..self.clone()
        }
    }

    /// The rows of these numbers, which must exist.
    pub(crate) fn gather(&self, rows: &[usize]) -> SparseRows {
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        let mut columns = Vec::new();
        let mut values = self.values.as_ref().map(|_| Vec::new());
        for &row in rows {
            let (row_columns, row_values) = self.row(row);
            columns.extend_from_slice(row_columns);
            if let (Some(values), Some(row_values)) = (&mut values, row_values) {
                values.extend_from_slice(row_values);
            }
            offsets.push(columns.len());
        }
        SparseRows {
            shape: [rows.len(), self.shape[1]],
            offsets: offsets.into(),
            first: 0,
            columns: columns.into(),
            values: values.map(Into::into),
        }
    }

    /// `function` of what is stored; it must leave 0 and 1 as they are.
    pub(crate) fn map(&self, function: impl Fn(f32) -> f32) -> SparseRows {
        let values = self.values.as_ref();
        SparseRows {
            values: values.map(|values| values.iter().map(|&value| function(value)).collect()),
            ..self.clone()
        }
    }

    /// One element.
    pub(crate) fn get(&self, row: usize, column: usize) -> f32 {
        let (columns, values) = self.row(row);
        match columns.binary_search(&(column as u32)) {
            Ok(position) => values.map_or(1.0, |values| values[position]),
            Err(_) => 0.0,
        }
    }

    /// Every element stored.
    pub(crate) fn to_dense(&self) -> Array<f32> {
        let [rows, features] = self.shape;
        let mut dense = vec![0.0; rows * features];
        for row in 0..rows {
            let (columns, values) = self.row(row);
            for (position, &column) in columns.iter().enumerate() {
                dense[row * features + column as usize] = values.map_or(1.0, |v| v[position]);
            }
        }
        array_from_vec(&self.shape, dense)
    }
}
