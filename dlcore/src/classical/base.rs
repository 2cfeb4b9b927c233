//! What the classifiers share: learning from tensors, deciding, and how right they are.

use std::fmt;
use std::sync::Arc;

use super::data::{Labelled, Rows, class_numbers};
use crate::models::{Model, Sequential};
use crate::{Error, Result, Tensor};

/// Whatever decides to which class a row of features belongs: the classifiers of
/// [`classical`](crate::classical), and models.
pub trait Classifier {
    /// What it is called, for titles.
    fn title(&self) -> String;

    /// The class number of each row: `[samples, features]` → `[samples]`, `I64`.
    ///
    /// # Errors
    /// If it was not fitted, or to rows of another length.
    fn decide(&self, x: &Tensor) -> Result<Tensor>;
}

/// By the largest of several outputs. A single output decides between 0 and 1: above one half where
/// all are probabilities, above 0 otherwise.
impl Classifier for Model {
    fn title(&self) -> String {
        self.name().to_owned()
    }

    fn decide(&self, x: &Tensor) -> Result<Tensor> {
        let outputs = self.predict(x)?;
        match *outputs.shape() {
            [_, classes] if classes > 1 => outputs.try_argmax(1),
            [_] | [_, 1] => {
                let values = outputs.to_vec();
                let shares = values.iter().all(|value| (0.0..=1.0).contains(value));
                let threshold = if shares { 0.5 } else { 0.0 };
                let classes = values.iter().map(|&value| i64::from(value > threshold));
                Ok(Tensor::from(classes.collect::<Vec<i64>>()))
            }
            ref shape => Err(Error::Model(format!(
                "{}: expected an output [samples, classes] to decide by, got {shape:?}",
                self.name()
            ))),
        }
    }
}

impl Classifier for Sequential {
    fn title(&self) -> String {
        self.name().to_owned()
    }

    fn decide(&self, x: &Tensor) -> Result<Tensor> {
        Model::decide(self, x)
    }
}

/// What was learnt: how probable each class is, and which it is.
pub(super) trait Rule {
    /// A probability for each row and class, row by row.
    fn probabilities(&self, rows: &Rows) -> Vec<f64>;

    /// The position of the class of each row; of equals the first.
    fn decide(&self, rows: &Rows) -> Vec<usize> {
        let all = self.probabilities(rows);
        all.chunks_exact(all.len() / rows.len())
            .map(largest)
            .collect()
    }
}

/// The position of the largest value; of equals the first.
pub(super) fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// A rule and what it was learnt from.
pub(super) struct Fitted<R> {
    classes: Arc<[i64]>,
    features: usize,
    pub rule: Arc<R>,
}

impl<R> Clone for Fitted<R> {
    fn clone(&self) -> Self {
        Fitted {
            classes: Arc::clone(&self.classes),
            features: self.features,
            rule: Arc::clone(&self.rule),
        }
    }
}

impl<R> fmt::Debug for Fitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (classes, features) = (self.classes.len(), self.features);
        write!(f, "{classes} classes, {features} features")
    }
}

/// Learns from tensors by `learn`.
pub(super) fn fit<R>(
    name: &str,
    (x, y): (&Tensor, &Tensor),
    learn: impl FnOnce(&Labelled) -> Result<R>,
) -> Result<Fitted<R>> {
    let data = Labelled::of(&format!("{name}.fit"), x, y)?;
    Ok(Fitted {
        rule: Arc::new(learn(&data)?),
        features: data.rows.features,
        classes: data.classes.into(),
    })
}

/// What was learnt, or an error that says that nothing was.
pub(super) fn known<'a, R>(
    operation: &str,
    fitted: &'a Option<Fitted<R>>,
) -> Result<&'a Fitted<R>> {
    fitted.as_ref().ok_or_else(|| {
        Error::Model(format!(
            "{operation}: nothing was learnt yet; call fit(&x, &y)? first"
        ))
    })
}

impl<R> Fitted<R> {
    /// The class numbers, ascending.
    pub fn classes(&self) -> Tensor {
        Tensor::from(self.classes.to_vec())
    }

    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// Rows of as many features as were learnt from.
    pub fn rows(&self, operation: &str, x: &Tensor) -> Result<Rows> {
        let rows = Rows::of(operation, x)?;
        if rows.features == self.features {
            return Ok(rows);
        }
        Err(Error::Shape(format!(
            "{operation}: expected rows of {} features as in fit, got {:?}",
            self.features,
            x.shape()
        )))
    }
}

impl<R: Rule> Fitted<R> {
    pub fn predict(&self, operation: &str, x: &Tensor) -> Result<Tensor> {
        let rows = self.rows(operation, x)?;
        let places = self.rule.decide(&rows).into_iter();
        let numbers: Vec<i64> = places.map(|place| self.classes[place]).collect();
        Ok(Tensor::from(numbers))
    }

    pub fn predict_proba(&self, operation: &str, x: &Tensor) -> Result<Tensor> {
        let rows = self.rows(operation, x)?;
        let values = self.rule.probabilities(&rows).into_iter();
        let values = values.map(|value| value as f32).collect();
        Tensor::from_shape_vec([rows.len(), self.count()], values)
    }

    pub fn score(&self, operation: &str, x: &Tensor, y: &Tensor) -> Result<f64> {
        let predicted = self.predict(operation, x)?.to_vec_of::<i64>();
        let labels = class_numbers(operation, y)?;
        if predicted.len() != labels.len() {
            return Err(Error::Shape(format!(
                "{operation}: expected as many labels as rows, got {} rows in x and {} labels in y",
                predicted.len(),
                labels.len()
            )));
        }
        let right = predicted.iter().zip(&labels).filter(|(a, b)| a == b);
        Ok(right.count() as f64 / labels.len() as f64)
    }
}

/// The methods that every classifier has, over its `learn` and its field `fitted`.
macro_rules! classifier {
    ($name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $name {
            /// Learns from rows of features and their class numbers.
            ///
            /// # Shapes
            /// `x`: `[samples, features]`; `y`: `[samples]` or `[samples, 1]`, whole numbers
            ///
            /// # Errors
            /// For other shapes, a number that is not finite, a label that is not whole, a single
            /// class, or a setting out of its range. What was learnt before then stays.
            pub fn fit(&mut self, x: &Tensor, y: &Tensor) -> Result<()> {
                let fitted = base::fit(stringify!($name), (x, y), |data| self.learn(data))?;
                self.fitted = Some(fitted);
                Ok(())
            }

            /// The class number of each row.
            ///
            /// # Shapes
            /// `[samples, features]` → `[samples]`, `I64`
            ///
            /// # Errors
            /// If it was not fitted, or to rows of another length.
            pub fn predict(&self, x: &Tensor) -> Result<Tensor> {
                let operation = concat!(stringify!($name), ".predict");
                base::known(operation, &self.fitted)?.predict(operation, x)
            }

            /// The share of rows whose class is predicted rightly: the accuracy.
            ///
            /// # Errors
            /// If it was not fitted, or to rows of another length, or the labels do not fit.
            pub fn score(&self, x: &Tensor, y: &Tensor) -> Result<f64> {
                let operation = concat!(stringify!($name), ".score");
                base::known(operation, &self.fitted)?.score(operation, x, y)
            }

            /// The class numbers that were learnt, ascending.
            ///
            /// # Errors
            /// If it was not fitted.
            pub fn classes(&self) -> Result<Tensor> {
                let operation = concat!(stringify!($name), ".classes");
                Ok(base::known(operation, &self.fitted)?.classes())
            }
        }

        impl base::Classifier for $name {
            fn title(&self) -> String {
                stringify!($name).to_owned()
            }

            fn decide(&self, x: &Tensor) -> Result<Tensor> {
                self.predict(x)
            }
        }
    };
}

/// `predict_proba`, for those that have probabilities.
macro_rules! probabilities {
    ($name:ident) => {
        impl $name {
            /// How probable each class is for each row, in the order of
            #[doc = concat!("[`classes`](", stringify!($name), "::classes).")]
            ///
            /// # Shapes
            /// `[samples, features]` → `[samples, classes]`, `F32`
            ///
            /// # Errors
            /// If it was not fitted, or to rows of another length.
            pub fn predict_proba(&self, x: &Tensor) -> Result<Tensor> {
                let operation = concat!(stringify!($name), ".predict_proba");
                base::known(operation, &self.fitted)?.predict_proba(operation, x)
            }
        }
    };
}

pub(super) use {classifier, probabilities};
