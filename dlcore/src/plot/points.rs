//! Class numbers as figures take them.

use std::collections::BTreeSet;

use super::palette::KINDS;
use crate::classical::class_numbers;
use crate::sorted;
use crate::{DType, Error, Result, Tensor};

/// The class of each row: class numbers as they are, of several probabilities the largest, of a single
/// one whether it is above one half.
pub(super) fn decisions(operation: &str, y: &Tensor) -> Result<Vec<i64>> {
    match *y.shape() {
        [_, classes] if classes > 1 => Ok(y.try_argmax(1)?.to_vec_of::<i64>()),
        [_] | [_, 1] if matches!(y.dtype(), DType::F32 | DType::F64) => {
            let values = y.to_vec_of::<f64>();
            let share = |value: &f64| (0.0..=1.0).contains(value);
            let broken = values.iter().any(|value| value.fract() != 0.0);
            if broken && values.iter().all(share) {
                return Ok(values.iter().map(|&value| i64::from(value > 0.5)).collect());
            }
            class_numbers(operation, y)
        }
        _ => class_numbers(operation, y),
    }
}

/// What a class is called: its name where there is one, else its number.
pub(super) fn named(names: &[String], place: usize, number: i64) -> String {
    names
        .get(place)
        .cloned()
        .unwrap_or_else(|| number.to_string())
}

/// Points in the plane with the place of each one's class.
#[derive(Clone, Debug)]
pub(super) struct Points {
    pub at: Vec<(f64, f64)>,
    /// The class numbers there are, ascending.
    pub classes: Vec<i64>,
    pub class_of: Vec<usize>,
}

impl Points {
    /// Points `[n, 2]` and their labels.
    pub fn of(operation: &str, x: &Tensor, y: &Tensor, most: usize) -> Result<Points> {
        let [count, 2] = *x.shape() else {
            return Err(Error::Shape(format!(
                "{operation}: expected points [n, 2], got {:?}; two features are drawn: x.take([0, 1], 1)",
                x.shape()
            )));
        };
        check_count(operation, count, most)?;
        let labels = decisions(operation, y)?;
        if labels.len() != count {
            return Err(Error::Shape(format!(
                "{operation}: expected as many labels as points, got {count} points and {} labels",
                labels.len()
            )));
        }
        let classes: BTreeSet<i64> = sorted::gathered(labels.iter().copied());
        let classes: Vec<i64> = classes.into_iter().collect();
        if classes.len() > KINDS {
            return Err(Error::Value(format!(
                "{operation}: {} classes are more than the {KINDS} that can be told apart; \
                 are these class numbers?",
                classes.len()
            )));
        }
        let values = x.to_vec_of::<f64>();
        check_finite(operation, &values)?;
        let place = |label| classes.binary_search(label).unwrap_or(0);
        Ok(Points {
            at: values.chunks_exact(2).map(|at| (at[0], at[1])).collect(),
            class_of: labels.iter().map(place).collect(),
            classes,
        })
    }

    /// One of so many points.
    pub fn every(&self, stride: usize) -> Points {
        Points {
            at: self.at.iter().step_by(stride).copied().collect(),
            class_of: self.class_of.iter().step_by(stride).copied().collect(),
            classes: self.classes.clone(),
        }
    }

    /// How many points each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.class_of.iter().for_each(|&class| counts[class] += 1);
        counts
    }
}

/// An error for no point at all, or for too many to draw.
pub(super) fn check_count(operation: &str, count: usize, most: usize) -> Result<()> {
    match count {
        0 => Err(Error::Shape(format!(
            "{operation}: there is no point to draw"
        ))),
        _ if count > most => Err(Error::Value(format!(
            "{operation}: {count} points are more than the {most} that are drawn; \
             take a part of them: .slice(..{most})"
        ))),
        _ => Ok(()),
    }
}

/// An error for a number that has no place.
pub(super) fn check_finite(operation: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(Error::Value(format!(
            "{operation}: {} at position {place} has no place in a picture; leave it out",
            values[place]
        ))),
        None => Ok(()),
    }
}
