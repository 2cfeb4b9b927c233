//! Tensors as the classifiers take them: rows of features and class numbers, checked.

use crate::{DType, Error, Result, Tensor, interrupt};

/// Samples in rows, in double precision.
pub(super) struct Rows {
    values: Vec<f64>,
    pub features: usize,
}

impl Rows {
    /// The rows of `[samples, features]`, all of them finite.
    pub fn of(operation: &str, x: &Tensor) -> Result<Rows> {
        let features = match *x.shape() {
            [samples, features] if samples > 0 && features > 0 => features,
            ref shape => {
                let hint = match shape {
                    [_] => "; a single feature is x.reshape([-1, 1])",
                    [_, _, _, ..] => "; pictures become rows by x.reshape([n, -1])",
                    _ => "; there is nothing to learn from",
                };
                return Err(Error::Shape(format!(
                    "{operation}: expected x as [samples, features], got {shape:?}{hint}"
                )));
            }
        };
        let values = x.to_vec_of::<f64>();
        // Trees compare in single precision, as scikit-learn's do.
        let unfit = |value: &f64| value.is_nan() || value.abs() > f64::from(f32::MAX);
        if let Some(place) = values.iter().position(unfit) {
            return Err(Error::Value(format!(
                "{operation}: expected finite numbers, got {} in row {}, column {}; \
                 leave such rows out or put a number there",
                values[place],
                place / features,
                place % features
            )));
        }
        Ok(Rows { values, features })
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.features
    }

    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.features..][..self.features]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.features)
    }

    /// The same rows in single precision.
    pub fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }
}

/// Rows with the class of each.
pub(super) struct Labelled {
    pub rows: Rows,
    /// The class numbers there are, ascending.
    pub classes: Vec<i64>,
    /// The position in `classes` of each row's class.
    pub labels: Vec<usize>,
}

impl Labelled {
    pub fn of(operation: &str, x: &Tensor, y: &Tensor) -> Result<Labelled> {
        let rows = Rows::of(operation, x)?;
        let numbers = class_numbers(operation, y)?;
        if numbers.len() != rows.len() {
            return Err(Error::Shape(format!(
                "{operation}: expected as many labels as rows, got {} rows in x and {} labels in y",
                rows.len(),
                numbers.len()
            )));
        }
        let mut classes = numbers.clone();
        classes.sort_unstable();
        classes.dedup();
        if let [only] = classes[..] {
            return Err(Error::Value(format!(
                "{operation}: expected at least two classes, got class {only} alone; \
                 is y the labels, and shuffled before it was cut?"
            )));
        }
        let place = |number| {
            classes
                .binary_search(number)
                .expect("a class that is there")
        };
        let labels = numbers.iter().map(place).collect();
        Ok(Labelled {
            rows,
            classes,
            labels,
        })
    }

    /// How many rows each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }
}

/// The class numbers in `[n]` or `[n, 1]`.
pub(crate) fn class_numbers(operation: &str, y: &Tensor) -> Result<Vec<i64>> {
    if !matches!(*y.shape(), [_] | [_, 1]) {
        let hint = match y.shape() {
            [_, _] => "; one-hot rows become class numbers by y.argmax(1)",
            _ => "",
        };
        return Err(Error::Shape(format!(
            "{operation}: expected y as class numbers [samples], got {:?}{hint}",
            y.shape()
        )));
    }
    if matches!(y.dtype(), DType::I64 | DType::I32 | DType::U8 | DType::Bool) {
        return Ok(y.to_vec_of::<i64>());
    }
    let values = y.to_vec_of::<f64>();
    // Beyond 2^53 not every whole number has a float.
    let unfit = |value: &f64| value.fract() != 0.0 || value.abs() >= 9e15;
    match values.iter().position(unfit) {
        Some(place) => Err(Error::Value(format!(
            "{operation}: expected class numbers, got {} at position {place} of y; \
             a classifier tells classes apart, not quantities",
            values[place]
        ))),
        None => Ok(values.into_iter().map(|value| value as i64).collect()),
    }
}

/// Whether a setting is a number above 0: NaN is not.
pub(super) fn positive(setting: f64) -> bool {
    setting > 0.0
}

/// An error if a stop was asked for.
pub(super) fn go_on(operation: &str) -> Result<()> {
    match interrupt::requested() {
        true => Err(Error::Model(format!(
            "{operation}: interrupted; the classifier is as it was before"
        ))),
        false => Ok(()),
    }
}
