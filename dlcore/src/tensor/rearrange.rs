//! Cutting, repeating, turning and padding.

use super::slice::Part;
use super::{Shape, Tensor, expect, fallible, resolve_axis};
use crate::grad::ops::{self, BroadcastTo, Slice};
use crate::{Error, Result, names};

impl Tensor {
    fallible! {
        /// The tensor cut into `parts` equal parts along an axis; they share its elements.
        fn split / try_split(&self, parts: usize, axis: isize) -> Vec<Tensor> {
            let axis = resolve_axis("split", axis, self.shape())?;
            let length = self.shape()[axis];
            if parts == 0 || !length.is_multiple_of(parts) {
                return Err(Error::Shape(format!(
                    "split: axis {axis} of shape {:?} cannot be cut into {parts} equal parts; expected \
                     a divisor of {length}, or positions with split_at",
                    self.shape()
                )));
            }
            let part = length / parts;
            Ok((0..parts).map(|i| self.part_of_axis(axis, i * part..(i + 1) * part)).collect())
        }

        /// The tensor cut before each of the given positions of an axis, which ascend: one part more
        /// than positions.
        fn split_at / try_split_at(&self, positions: &[usize], axis: isize) -> Vec<Tensor> {
            let axis = resolve_axis("split_at", axis, self.shape())?;
            let length = self.shape()[axis];
            let ends = [&[0], positions, &[length]].concat();
            if ends.windows(2).any(|pair| pair[0] > pair[1]) {
                return Err(Error::Shape(format!(
                    "split_at: positions {positions:?} along axis {axis} of shape {:?}: expected \
                     ascending ones, {length} at most",
                    self.shape()
                )));
            }
            let parts = ends.windows(2).map(|pair| self.part_of_axis(axis, pair[0]..pair[1]));
            Ok(parts.collect())
        }

        /// Each element along an axis `times` times in a row: `[a, b]` becomes `[a, a, b, b]`.
        fn repeat / try_repeat(&self, times: usize, axis: isize) -> Tensor {
            let axis = resolve_axis("repeat", axis, self.shape())?;
            ops::repeat(self, axis, times)
        }

        /// The elements along an axis moved towards its end, those that fall off coming back at the
        /// start; a negative shift moves the other way.
        fn roll / try_roll(&self, shift: isize, axis: isize) -> Tensor {
            let axis = resolve_axis("roll", axis, self.shape())?;
            let length = self.shape()[axis];
            if length == 0 {
                return Ok(self.to_dense());
            }
            let cut = (-shift).rem_euclid(length as isize) as usize;
            let (front, back) = (
                self.part_of_axis(axis, 0..cut),
                self.part_of_axis(axis, cut..length),
            );
            Tensor::try_concat(&[&back, &front], axis as isize)
        }

        /// `(before, after)` elements of one value put around each axis, first to last; axes not
        /// named get none.
        fn pad / try_pad(&self, widths: &[(usize, usize)], value: f64) -> Tensor {
            pad(self, widths, value)
        }

        /// As [`Tensor::pad`], with elements of the tensor itself: `"edge"` repeats the first and
        /// last, `"reflect"` mirrors at these, `"symmetric"` mirrors with these, as in NumPy.
        fn pad_with / try_pad_with(&self, widths: &[(usize, usize)], mode: &str) -> Tensor {
            pad_with(self, widths, mode)
        }

        /// Two axes exchanged, sharing the elements; negative axes count from the end.
        fn swap_axes / try_swap_axes(&self, a: isize, b: isize) -> Tensor {
            let (a, b) = (
                resolve_axis("swap_axes", a, self.shape())?,
                resolve_axis("swap_axes", b, self.shape())?,
            );
            let mut axes: Vec<usize> = (0..self.ndim()).collect();
            axes.swap(a, b);
            self.try_permute(&axes)
        }

        /// An axis put at another position, the others keeping their order, sharing the elements.
        fn move_axis / try_move_axis(&self, from: isize, to: isize) -> Tensor {
            let (from, to) = (
                resolve_axis("move_axis", from, self.shape())?,
                resolve_axis("move_axis", to, self.shape())?,
            );
            let mut axes: Vec<usize> = (0..self.ndim()).filter(|&axis| axis != from).collect();
            axes.insert(to, from);
            self.try_permute(&axes)
        }

        /// The lower triangle of the last two axes, zeros above the diagonal; `diagonal` 0 is the
        /// main one, 1 that above it, -1 that below.
        fn tril / try_tril(&self, diagonal: isize) -> Tensor {
            triangle("tril", self, |row, column| column <= row + diagonal)
        }

        /// The upper triangle of the last two axes, zeros below the diagonal; `diagonal` 0 is the
        /// main one, 1 that above it, -1 that below.
        fn triu / try_triu(&self, diagonal: isize) -> Tensor {
            triangle("triu", self, |row, column| column >= row + diagonal)
        }
    }

    /// The elements repeated along axes of length 1, and along new ones in front, to a shape.
    ///
    /// # Panics
    /// Where [`Tensor::try_broadcast_to`] returns an error.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor {
        expect(broadcast_to(self, shape.into()))
    }

    /// [`Tensor::broadcast_to`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if this shape does not broadcast to the other.
    pub fn try_broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        broadcast_to(self, shape.into())
    }

    /// The whole tensor so many times along each axis: `[a, b]` becomes `[a, b, a, b]`. With fewer
    /// numbers than axes they count from the last; with more, axes are put in front.
    ///
    /// # Panics
    /// If so many elements would not fit into memory.
    #[track_caller]
    pub fn tile(&self, times: impl Into<Shape>) -> Tensor {
        expect(tile(self, times.into().dims()))
    }

    /// The elements along an axis, or along several, in reverse order, sharing them.
    ///
    /// # Panics
    /// Where [`Tensor::try_flip`] returns an error.
    #[track_caller]
    pub fn flip(&self, axes: impl Into<super::Axes>) -> Tensor {
        expect(flip(self, &axes.into()))
    }

    /// [`Tensor::flip`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] for an axis that is not there or named twice.
    pub fn try_flip(&self, axes: impl Into<super::Axes>) -> Result<Tensor> {
        flip(self, &axes.into())
    }
}

fn broadcast_to(tensor: &Tensor, shape: Shape) -> Result<Tensor> {
    let shape = shape.into_vec();
    ops::apply(BroadcastTo { shape }, &[&tensor.to_dense()])
}

fn tile(tensor: &Tensor, times: &[usize]) -> Result<Tensor> {
    let rank = tensor.ndim().max(times.len());
    let own = [&vec![1; rank - tensor.ndim()], tensor.shape()].concat();
    let times = [&vec![1; rank - times.len()], times].concat();
    let interleaved = |first: &[usize]| -> Vec<usize> {
        let pairs = first.iter().zip(&own);
        pairs
            .flat_map(|(&times, &length)| [times, length])
            .collect()
    };
    let lengths = times.iter().zip(&own);
    let shape: Option<Vec<usize>> = lengths.map(|(n, length)| n.checked_mul(*length)).collect();
    let shape = shape.ok_or_else(|| {
        Error::Shape(format!(
            "tile: shape {:?} taken {times:?} times would not fit into memory",
            tensor.shape()
        ))
    })?;
    tensor
        .try_reshape(interleaved(&vec![1; rank]))?
        .try_broadcast_to(interleaved(&times))?
        .try_reshape(shape)
}

fn flip(tensor: &Tensor, axes: &super::Axes) -> Result<Tensor> {
    let axes = axes.resolve("flip", tensor.shape())?;
    let lengths = tensor.shape().iter().enumerate();
    let parts = lengths.map(|(axis, &length)| Part::Range {
        start: 0,
        end: length,
        step: if axes.contains(&axis) { -1 } else { 1 },
    });
    let parts = parts.collect();
    ops::apply(Slice { parts }, &[&tensor.to_dense()])
}

/// A width for each axis.
fn widths_for(
    operation: &str,
    tensor: &Tensor,
    widths: &[(usize, usize)],
) -> Result<Vec<[usize; 2]>> {
    if widths.len() > tensor.ndim() {
        return Err(Error::Shape(format!(
            "{operation}: {} pairs of widths for shape {:?}: expected one for each axis at most",
            widths.len(),
            tensor.shape()
        )));
    }
    let mut widths: Vec<[usize; 2]> = widths.iter().copied().map(Into::into).collect();
    widths.resize(tensor.ndim(), [0, 0]);
    Ok(widths)
}

fn pad(tensor: &Tensor, widths: &[(usize, usize)], value: f64) -> Result<Tensor> {
    let tensor = tensor.to_dense();
    let widths = widths_for("pad", &tensor, widths)?;
    let op = ops::padding(tensor.shape(), &widths)?;
    if value == 0.0 {
        return ops::apply(op, &[&tensor]);
    }
    let inside = ops::apply(
        op.clone(),
        &[&Tensor::from(true).try_broadcast_to(tensor.shape())?],
    )?;
    let around = Tensor::from_values(&[], vec![value]).cast(tensor.dtype());
    Tensor::try_where_(&inside, ops::apply(op, &[&tensor])?, around)
}

fn pad_with(tensor: &Tensor, widths: &[(usize, usize)], mode: &str) -> Result<Tensor> {
    let source: fn(isize, isize) -> isize = match mode {
        "edge" => |position, length| position.clamp(0, length - 1),
        "symmetric" => |position, length| {
            let place = position.rem_euclid(2 * length);
            place.min(2 * length - 1 - place)
        },
        "reflect" => |position, length| {
            let period = (2 * length - 2).max(1);
            let place = position.rem_euclid(period);
            place.min(period - place).min(length - 1)
        },
        other => {
            let known = ["edge", "reflect", "symmetric"];
            return Err(Error::Value(format!(
                "pad_with: {}",
                names::unknown("mode", other, &known)
            )));
        }
    };
    let mut padded = tensor.to_dense();
    for (axis, [before, after]) in widths_for("pad_with", tensor, widths)?
        .into_iter()
        .enumerate()
    {
        let length = tensor.shape()[axis] as isize;
        if [before, after] == [0, 0] {
            continue;
        }
        if length == 0 {
            return Err(Error::Shape(format!(
                "pad_with: axis {axis} of shape {:?} has no elements to pad with",
                tensor.shape()
            )));
        }
        let positions = -(before as isize)..length + after as isize;
        let positions: Vec<i64> = positions.map(|p| source(p, length) as i64).collect();
        padded = padded.try_take(positions, axis as isize)?;
    }
    Ok(padded)
}

fn triangle(
    operation: &str,
    tensor: &Tensor,
    kept: impl Fn(isize, isize) -> bool,
) -> Result<Tensor> {
    let [.., rows, columns] = *tensor.shape() else {
        return Err(Error::Shape(format!(
            "{operation}: expected at least two axes, got shape {:?}",
            tensor.shape()
        )));
    };
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let mask = places
        .map(|(row, column)| kept(row as isize, column as isize))
        .collect();
    Tensor::try_where_(&Tensor::from_values(&[rows, columns], mask), tensor, 0)
}
