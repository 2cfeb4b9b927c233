//! Sums and extremes.

use super::array::{DeviceArray, buffers};
use super::card::{Argument, BLOCK, Card};
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

/// How the columns of a matrix `[rows, width]` are shared among blocks.
pub(super) struct Tiles {
    rows: usize,
    width: usize,
    /// Columns of a tile; the block's other threads are lanes over the rows.
    across: usize,
    /// Rows of a piece.
    piece: usize,
}

impl Tiles {
    /// Pieces of 8 rows a lane at least, so that putting them together is little beside, and 256 of them at most.
    pub(super) fn of(rows: usize, width: usize) -> Tiles {
        let across = width.next_power_of_two().min(32);
        let lanes = BLOCK as usize / across;
        Tiles {
            rows,
            width,
            across,
            piece: (8 * lanes).max(rows.div_ceil(256)),
        }
    }

    pub(super) fn pieces(&self) -> usize {
        self.rows.div_ceil(self.piece)
    }

    /// Tiles of one piece.
    pub(super) fn tiles(&self) -> usize {
        self.width.div_ceil(self.across)
    }

    /// What kernels are told of it.
    pub(super) fn arguments(&self) -> [Argument<'static>; 4] {
        [self.rows, self.width, self.across, self.piece].map(|size| Argument::Int(size as i32))
    }

    /// Begins a kernel with a block for each tile of each piece.
    pub(super) fn launch(
        &self,
        card: &'static Card,
        kernel: &'static str,
        arrays: &[&DeviceArray],
        rest: &[Argument<'_>],
    ) -> Result<()> {
        let mut arguments = buffers(arrays);
        arguments.extend(self.arguments());
        arguments.extend(rest);
        card.launch(kernel, self.pieces() * self.tiles(), &arguments)
    }
}

/// The sums of a matrix's columns, by many threads for each.
fn sum_columns(
    card: &'static Card,
    x: &DeviceArray,
    (rows, width): (usize, usize),
    shape: &[usize],
) -> Result<DeviceArray> {
    let tiles = Tiles::of(rows, width);
    let sums = DeviceArray::empty(card, &[tiles.pieces(), width])?;
    tiles.launch(card, "sum_columns", &[&sums, x], &[])?;
    fold(card, Fold::Sum, &sums, Some(0), shape)
}

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
    // Few results of many numbers: with a thread for each, most of the card would wait.
    if outer == 1 && inner > 1 && steps > 256 && matches!(which, Fold::Sum) {
        return sum_columns(card, x, (steps, inner), shape);
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

/// The sums so far along an axis, from its beginning or its end.
pub(super) fn sums_so_far(
    card: &'static Card,
    x: &DeviceArray,
    axis: usize,
    reverse: bool,
) -> Result<DeviceArray> {
    let (outer, steps, inner) = split_at(x.shape(), axis);
    let out = DeviceArray::empty(card, x.shape())?;
    let lines = outer * inner;
    let arguments = [
        Argument::Buffer(out.buffer()),
        Argument::Buffer(x.buffer()),
        Argument::Long(lines as i64),
        Argument::Int(steps as i32),
        Argument::Int(inner as i32),
        Argument::Int(i32::from(reverse)),
    ];
    card.each("sums_so_far", lines, &arguments)?;
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
