//! Sums and extremes.

use super::array::DeviceArray;
use super::card::{Argument, Card};
use super::moving::{join, part};
use crate::Result;
use crate::tensor::split_at;

/// What a reduction makes of its numbers.
#[derive(Clone, Copy)]
pub(super) enum Fold {
    Sum,
    Max,
    Min,
}

impl Fold {
    fn kernels(self) -> (&'static str, &'static str) {
        match self {
            Fold::Sum => ("sum_rows", "sum_middle"),
            Fold::Max => ("max_rows", "max_middle"),
            Fold::Min => ("min_rows", "min_middle"),
        }
    }
}

/// Numbers that one block folds on its own, where all are folded into one.
const PIECE: usize = 1 << 12;

/// A reduction along an axis or over all.
pub(super) fn fold(
    card: &'static Card,
    which: Fold,
    x: &DeviceArray,
    axis: Option<usize>,
    shape: &[usize],
) -> Result<DeviceArray> {
    let (by_rows, by_middle) = which.kernels();
    let (outer, steps, inner) = match axis {
        Some(axis) => split_at(x.shape(), axis),
        None => (1, x.len(), 1),
    };
    if outer == 1 && inner == 1 && steps > 2 * PIECE {
        return fold_all(card, which, x, shape);
    }
    let out = DeviceArray::empty(card, shape)?;
    let (to, from) = (Argument::Buffer(out.buffer()), Argument::Buffer(x.buffer()));
    let steps = Argument::Int(steps as i32);
    if inner == 1 {
        card.launch(
            by_rows,
            outer,
            &[to, from, Argument::Int(outer as i32), steps],
        )?;
    } else {
        let results = Argument::Long(out.len() as i64);
        let inner = Argument::Int(inner as i32);
        card.each(by_middle, out.len(), &[to, from, results, steps, inner])?;
    }
    Ok(out)
}

/// Many numbers into one: by pieces first, then the pieces' results with what is left over.
fn fold_all(
    card: &'static Card,
    which: Fold,
    x: &DeviceArray,
    shape: &[usize],
) -> Result<DeviceArray> {
    let pieces = x.len() / PIECE;
    let rest = x.len() - pieces * PIECE;
    let whole = part(card, x, 0, &[pieces, PIECE])?;
    let mut folded = fold(card, which, &whole, Some(1), &[pieces])?;
    if rest > 0 {
        let left = part(card, x, pieces * PIECE, &[rest])?;
        let left = fold(card, which, &left, None, &[1])?;
        folded = join(card, &[&folded, &left], 0, &[pieces + 1])?;
    }
    fold(card, which, &folded, None, shape)
}
