//! Taking parts: `t.slice((.., 14.., -7..))`.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use super::{Storage, Tensor, fallible};
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
        /// 1 takes every element.
        step: usize,
    },
}

impl SliceItem {
    const ALL: SliceItem = SliceItem::Range {
        start: 0,
        end: None,
        step: 1,
    };

    /// The same range, taking every `step`-th element only.
    pub fn step(self, step: usize) -> SliceItem {
        match self {
            SliceItem::Range { start, end, .. } => SliceItem::Range { start, end, step },
            index => index,
        }
    }
}

impl std::fmt::Display for SliceItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            SliceItem::Index(index) => write!(f, "{index}"),
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
    Range {
        start: usize,
        end: usize,
        step: usize,
    },
}

impl Part {
    /// How many positions are taken.
    pub(crate) fn len(&self) -> usize {
        match *self {
            Part::Index(_) => 1,
            Part::Range { start, end, step } => (end - start).div_ceil(step),
        }
    }
}

impl SliceSpec {
    /// One part for each axis of `shape`.
    pub(crate) fn resolve(&self, shape: &[usize]) -> Result<Vec<Part>> {
        if self.0.len() > shape.len() {
            return Err(Error::Shape(format!(
                "slice: {self} names {} axes, but shape {shape:?} has {}",
                self.0.len(),
                shape.len()
            )));
        }
        let all = std::iter::repeat(&SliceItem::ALL);
        let items = self.0.iter().chain(all);
        shape
            .iter()
            .zip(items)
            .enumerate()
            .map(|(axis, (&length, item))| {
                part(item, length).ok_or_else(|| {
                    Error::Shape(format!(
                        "slice: {self} of shape {shape:?}: {item} does not fit axis {axis}, whose \
                         positions are {}",
                        positions(length)
                    ))
                })
            })
            .collect()
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
            (start <= end && end <= length && step > 0).then_some(Part::Range { start, end, step })
        }
    }
}

impl Tensor {
    /// A part of the tensor, sharing its elements: `t.slice(10..100)`, `t.slice((.., 14.., -7..))`,
    /// `t.slice((0, .., 3))`. Ranges keep their axis, single positions remove it; axes not named
    /// are taken whole; negative positions count from the end.
    ///
    /// # Panics
    /// If a position lies outside its axis, a range ends before it starts, or too many axes are
    /// named.
    #[track_caller]
    pub fn slice(&self, spec: impl IntoSlice) -> Tensor {
        super::expect(self.slice_spec(&spec.into_slice()))
    }

    /// [`Tensor::slice`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`], naming the shape and the parts asked for.
    pub fn try_slice(&self, spec: impl IntoSlice) -> Result<Tensor> {
        self.slice_spec(&spec.into_slice())
    }

    fn slice_spec(&self, spec: &SliceSpec) -> Result<Tensor> {
        let parts = spec.resolve(self.shape())?;
        if let Storage::Sparse(rows) = self.storage() {
            let whole = Part::Range {
                start: 0,
                end: self.shape()[1],
                step: 1,
            };
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

    fallible! {
        /// One position of the first axis, which goes away; negative positions count from the end.
        fn get / try_get(&self, index: isize) -> Tensor {
            if let (Storage::Sparse(rows), [length, features]) = (self.storage(), self.shape())
                && let Some(Part::Index(row)) = part(&SliceItem::Index(index), *length)
            {
                let row = rows.slice(row..row + 1).to_dense();
                return Tensor::from_array(row).try_reshape([*features]);
            }
            self.slice_spec(&SliceSpec(vec![SliceItem::Index(index)]))
        }

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
            if let Storage::Sparse(rows) = self.storage() {
                return Ok(Tensor::from_storage(Storage::Sparse(rows.gather(indices).into())));
            }
            ops::apply(Gather { rows: indices.to_vec() }, &[self])
        }
    }
}
