//! Taking parts: `t.slice((.., 14.., -7..))`.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use super::{Storage, Tensor, expect, fallible};
use crate::grad::ops::{self, Gather, Slice};
use crate::{Error, Result};

/// What is taken from one axis. Negative positions count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceItem {
    /// One position; the axis goes away.
    Index(isize),
    /// From `start` (included) to `end` (excluded; `None` is the axis's end), every `step`-th.
    Range {
        /// The first position.
        start: isize,
        /// The position after the last.
        end: Option<isize>,
        /// 1 takes every element, 2 every second one. A negative step takes the same range from
        /// its last element backwards: `SliceItem::from(..).step(-1)` reverses an axis.
        step: isize,
    },
    /// A new axis of length 1, NumPy's `newaxis`.
    NewAxis,
    /// As many whole axes as the other parts leave, NumPy's `...`; once at most.
    Ellipsis,
}

impl SliceItem {
    const ALL: SliceItem = SliceItem::Range {
        start: 0,
        end: None,
        step: 1,
    };

    /// The same range, taking every `step`-th element only, from the end if `step` is negative.
    pub fn step(self, step: isize) -> SliceItem {
        match self {
            SliceItem::Range { start, end, .. } => SliceItem::Range { start, end, step },
            other => other,
        }
    }

    /// Whether it says what to take from an axis that is there.
    fn names_an_axis(&self) -> bool {
        matches!(self, SliceItem::Index(_) | SliceItem::Range { .. })
    }
}

impl std::fmt::Display for SliceItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            SliceItem::Index(index) => write!(f, "{index}"),
            SliceItem::NewAxis => f.write_str("NewAxis"),
            SliceItem::Ellipsis => f.write_str("..."),
            SliceItem::Range { start, end, step } => {
                if start != 0 {
                    write!(f, "{start}")?;
                }
                f.write_str("..")?;
                if let Some(end) = end {
                    write!(f, "{end}")?;
                }
                if step != 1 {
                    write!(f, " by {step}")?;
                }
                Ok(())
            }
        }
    }
}

/// What is taken from each axis, first to last; axes not named are taken whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceSpec(Vec<SliceItem>);

impl std::fmt::Display for SliceSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items: Vec<String> = self.0.iter().map(SliceItem::to_string).collect();
        write!(f, "({})", items.join(", "))
    }
}

/// What [`Tensor::slice`] takes: a position, a range, or a tuple, array or `Vec` of these.
pub trait IntoSlice {
    /// The positions meant, axis by axis.
    fn into_slice(self) -> SliceSpec;
}

macro_rules! slice_item_from {
    ($($number:ty),*) => {$(
        slice_item_from!(one $number, |i| SliceItem::Index(i as isize));
        slice_item_from!(one Range<$number>, |r| range(r.start as isize, Some(r.end as isize)));
        slice_item_from!(one RangeFrom<$number>, |r| range(r.start as isize, None));
        slice_item_from!(one RangeTo<$number>, |r| range(0, Some(r.end as isize)));
        slice_item_from!(one RangeInclusive<$number>,
            |r| range(*r.start() as isize, after(*r.end() as isize)));
        slice_item_from!(one RangeToInclusive<$number>, |r| range(0, after(r.end as isize)));
    )*};
    (one $type:ty, $convert:expr) => {
        impl From<$type> for SliceItem {
            fn from(value: $type) -> SliceItem {
                let convert: fn($type) -> SliceItem = $convert;
                convert(value)
            }
        }
    };
}
slice_item_from!(usize, isize, i32, i64);
slice_item_from!(one RangeFull, |_| SliceItem::ALL);

fn range(start: isize, end: Option<isize>) -> SliceItem {
    SliceItem::Range {
        start,
        end,
        step: 1,
    }
}

/// The excluded end that includes `last`; after -1 comes the end of the axis.
fn after(last: isize) -> Option<isize> {
    (last != -1).then_some(last + 1)
}

macro_rules! into_slice {
    ($($number:ty),*) => {
        $(into_slice!(each $number, Range<$number>, RangeFrom<$number>, RangeTo<$number>,
            RangeInclusive<$number>, RangeToInclusive<$number>);)*
    };
    (each $($type:ty),*) => {$(
        impl IntoSlice for $type {
            fn into_slice(self) -> SliceSpec {
                SliceSpec(vec![self.into()])
            }
        }
    )*};
    (tuple $($item:ident),*) => {
        impl<$($item: Into<SliceItem>),*> IntoSlice for ($($item,)*) {
            fn into_slice(self) -> SliceSpec {
                #[expect(non_snake_case, reason = "the tuple's types name its parts")]
                let ($($item,)*) = self;
                SliceSpec(vec![$($item.into()),*])
            }
        }
    };
}
into_slice!(usize, isize, i32, i64);
into_slice!(each RangeFull, SliceItem);
into_slice!(tuple A);
into_slice!(tuple A, B);
into_slice!(tuple A, B, C);
into_slice!(tuple A, B, C, D);
into_slice!(tuple A, B, C, D, E);
into_slice!(tuple A, B, C, D, E, F);
into_slice!(tuple A, B, C, D, E, F, G);

impl<T: Into<SliceItem>, const N: usize> IntoSlice for [T; N] {
    fn into_slice(self) -> SliceSpec {
        SliceSpec(self.into_iter().map(Into::into).collect())
    }
}

impl IntoSlice for Vec<SliceItem> {
    fn into_slice(self) -> SliceSpec {
        SliceSpec(self)
    }
}

impl IntoSlice for SliceSpec {
    fn into_slice(self) -> SliceSpec {
        self
    }
}

/// What is taken from one axis, checked against its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Index(usize),
    /// The positions from `start` to before `end`, from the last if `step` is negative.
    Range {
        start: usize,
        end: usize,
        step: isize,
    },
    /// An axis of length 1 that was not there.
    New,
}

impl Part {
    /// All positions of an axis.
    pub(crate) fn whole(length: usize) -> Part {
        Part::Range {
            start: 0,
            end: length,
            step: 1,
        }
    }

    /// How many positions are taken.
    pub(crate) fn len(&self) -> usize {
        match *self {
            Part::Index(_) | Part::New => 1,
            Part::Range { start, end, step } => (end - start).div_ceil(step.unsigned_abs()),
        }
    }
}

impl SliceSpec {
    /// One part for each axis of `shape`, in order, and one for each new axis.
    pub(crate) fn resolve(&self, operation: &str, shape: &[usize]) -> Result<Vec<Part>> {
        let mut parts = Vec::with_capacity(shape.len());
        let mut axis = 0;
        for item in self.spelled_out(operation, shape)? {
            if item == SliceItem::NewAxis {
                parts.push(Part::New);
                continue;
            }
            let length = shape[axis];
            parts.push(
                part(&item, length).ok_or_else(|| self.misfit(operation, &item, axis, shape))?,
            );
            axis += 1;
        }
        Ok(parts)
    }

    /// One item for each axis of `shape`, and the new axes: no ellipsis, nothing left out.
    fn spelled_out(&self, operation: &str, shape: &[usize]) -> Result<Vec<SliceItem>> {
        let named = self.0.iter().filter(|item| item.names_an_axis()).count();
        if named > shape.len() {
            return Err(Error::Shape(format!(
                "{operation}: {self} names {named} axes, but shape {shape:?} has {}",
                shape.len()
            )));
        }
        let is_ellipsis = |item: &SliceItem| *item == SliceItem::Ellipsis;
        let place = self.0.iter().position(is_ellipsis);
        if self.0.iter().filter(|item| is_ellipsis(item)).count() > 1 {
            return Err(Error::Shape(format!(
                "{operation}: {self} has more than one ellipsis; only one can stand for the axes left over"
            )));
        }
        let (before, after) = match place {
            Some(place) => (&self.0[..place], &self.0[place + 1..]),
            None => (&self.0[..], &[][..]),
        };
        let whole = vec![SliceItem::ALL; shape.len() - named];
        Ok([before, &whole, after].concat())
    }

    fn misfit(&self, operation: &str, item: &SliceItem, axis: usize, shape: &[usize]) -> Error {
        if matches!(item, SliceItem::Range { step: 0, .. }) {
            return Error::Shape(format!(
                "{operation}: {self} of shape {shape:?}: a step of 0 takes nothing; expected 1, 2 … or -1, \
                 -2 … to go backwards"
            ));
        }
        Error::Shape(format!(
            "{operation}: {self} of shape {shape:?}: {item} does not fit axis {axis}, whose positions are {}",
            positions(shape[axis])
        ))
    }
}

fn positions(length: usize) -> String {
    match length {
        0 => "none: it is empty".into(),
        1 => "0 only (also as -1)".into(),
        _ => format!("0 to {} (or -{length} to -1)", length - 1),
    }
}

fn part(item: &SliceItem, length: usize) -> Option<Part> {
    let from_start = |position: isize| match position {
        negative if negative < 0 => length.checked_add_signed(negative),
        position => Some(position as usize),
    };
    match *item {
        SliceItem::Index(index) => from_start(index).filter(|&i| i < length).map(Part::Index),
        SliceItem::Range { start, end, step } => {
            let start = from_start(start)?;
            let end = end.map_or(Some(length), from_start)?;
            (start <= end && end <= length && step != 0).then_some(Part::Range { start, end, step })
        }
        SliceItem::NewAxis | SliceItem::Ellipsis => None,
    }
}

impl Tensor {
    /// A part of the tensor, sharing its elements: `t.slice(10..100)`, `t.slice((.., 14.., -7..))`,
    /// `t.slice((0, .., 3))`. Ranges keep their axis, single positions remove it; axes not named
    /// are taken whole; negative positions count from the end. Steps and new axes are
    /// [`SliceItem`]s: `t.slice((SliceItem::Ellipsis, SliceItem::from(..).step(-1)))`.
    ///
    /// ```
    /// use dlcore::{Tensor, tensor::SliceItem};
    /// let t = Tensor::arange(0.0, 24.0, 1.0).reshape([2, 3, 4]);
    /// assert_eq!(t.slice((.., 1.., -2..)).shape(), [2, 2, 2]);
    /// assert_eq!(t.slice((0, .., SliceItem::NewAxis, 1)).shape(), [3, 1]);
    /// assert_eq!(t.slice((0, 0, SliceItem::from(..).step(-1))).to_vec(), [3.0, 2.0, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If a position lies outside its axis, a range ends before it starts, or too many axes are
    /// named.
    #[track_caller]
    pub fn slice(&self, spec: impl IntoSlice) -> Tensor {
        expect(self.slice_spec(&spec.into_slice()))
    }

    /// [`Tensor::slice`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`], naming the shape and the parts asked for.
    pub fn try_slice(&self, spec: impl IntoSlice) -> Result<Tensor> {
        self.slice_spec(&spec.into_slice())
    }

    fn slice_spec(&self, spec: &SliceSpec) -> Result<Tensor> {
        let parts = spec.resolve("slice", self.shape())?;
        if let Some(rows) = self.sparse() {
            let whole = Part::whole(self.shape()[1]);
            if let [
                Part::Range {
                    start,
                    end,
                    step: 1,
                },
                columns,
            ] = parts[..]
                && columns == whole
            {
                return Ok(Tensor::from_storage(Storage::Sparse(
                    rows.slice(start..end).into(),
                )));
            }
        }
        ops::apply(Slice { parts }, &[&self.to_dense()])
    }

    /// A range of one axis, the others whole.
    pub(crate) fn part_of_axis(&self, axis: usize, range: Range<usize>) -> Tensor {
        let mut parts: Vec<Part> = self
            .shape()
            .iter()
            .map(|&length| Part::whole(length))
            .collect();
        parts[axis] = Part::Range {
            start: range.start,
            end: range.end,
            step: 1,
        };
        ops::apply_any(Slice { parts }, &[&self.to_dense()])
    }

    /// One position of the first axis, which goes away; negative positions count from the end. A range keeps the axis,
    /// as in [`Tensor::slice`].
    ///
    /// # Panics
    /// Where its `try_` twin returns an error.
    #[track_caller]
    pub fn get(&self, index: impl Into<SliceItem>) -> Tensor {
        expect(self.get_item(index.into()))
    }

    /// [`Tensor::get`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] for a position that there is not.
    pub fn try_get(&self, index: impl Into<SliceItem>) -> Result<Tensor> {
        self.get_item(index.into())
    }

    fn get_item(&self, item: SliceItem) -> Result<Tensor> {
        let SliceItem::Index(index) = item else {
            return self.slice_spec(&SliceSpec(vec![item]));
        };
        if let (Storage::Sparse(rows), [length, features]) = (self.storage(), self.shape())
            && let Some(Part::Index(row)) = part(&item, *length)
        {
            let row = rows.slice(row..row + 1).to_dense();
            return Tensor::from_array(row).try_reshape([*features]);
        }
        let Some(&length) = self.shape().first() else {
            return Err(Error::Shape(
                "get: a tensor of shape [] has no first axis".into(),
            ));
        };
        if part(&item, length).is_none() {
            return Err(Error::Shape(format!(
                "get: {index} on the first axis of shape {:?}, whose positions are {}",
                self.shape(),
                positions(length)
            )));
        }
        self.slice_spec(&SliceSpec(vec![item]))
    }

    fallible! {
        /// The given positions of the first axis, in the given order, as often as given.
        fn rows / try_rows(&self, indices: &[usize]) -> Tensor {
            let Some(&length) = self.shape().first() else {
                return Err(Error::Shape("rows: a tensor of shape [] has no rows".into()));
            };
            if let Some(bad) = indices.iter().find(|&&index| index >= length) {
                return Err(Error::Shape(format!(
                    "rows: row {bad} of shape {:?}: expected rows below {length}",
                    self.shape()
                )));
            }
            if let Some(rows) = self.sparse() {
                return Ok(Tensor::from_storage(Storage::Sparse(rows.gather(indices).into())));
            }
            ops::apply(Gather { rows: indices.to_vec() }, &[self])
        }
    }
}
