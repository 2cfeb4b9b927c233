//! Shapes as arguments, broadcasting, axes.

use crate::{Error, Result};

/// A shape given as an argument: a number, an array, a tuple, a slice or a `Vec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The length of each axis.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// The length of each axis, owned.
    pub fn into_vec(self) -> Vec<usize> {
        self.0
    }
}

/// The shape given to `reshape`: as [`Shape`], but one axis may be -1 and is then inferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShape(Vec<isize>);

macro_rules! shape_from {
    ($target:ident, $own:ty: $($number:ty),*) => {$(
        impl From<$number> for $target {
            fn from(length: $number) -> Self {
                $target(vec![length as $own])
            }
        }
        impl<const N: usize> From<[$number; N]> for $target {
            fn from(dims: [$number; N]) -> Self {
                $target(dims.iter().map(|&d| d as $own).collect())
            }
        }
        impl<const N: usize> From<&[$number; N]> for $target {
            fn from(dims: &[$number; N]) -> Self {
                $target(dims.iter().map(|&d| d as $own).collect())
            }
        }
        impl From<&[$number]> for $target {
            fn from(dims: &[$number]) -> Self {
                $target(dims.iter().map(|&d| d as $own).collect())
            }
        }
        impl From<Vec<$number>> for $target {
            fn from(dims: Vec<$number>) -> Self {
                Self::from(&dims[..])
            }
        }
        impl From<&Vec<$number>> for $target {
            fn from(dims: &Vec<$number>) -> Self {
                Self::from(&dims[..])
            }
        }
        impl From<($number, $number)> for $target {
            fn from((a, b): ($number, $number)) -> Self {
                Self::from([a, b])
            }
        }
        impl From<($number, $number, $number)> for $target {
            fn from((a, b, c): ($number, $number, $number)) -> Self {
                Self::from([a, b, c])
            }
        }
        impl From<($number, $number, $number, $number)> for $target {
            fn from((a, b, c, d): ($number, $number, $number, $number)) -> Self {
                Self::from([a, b, c, d])
            }
        }
    )*};
}

shape_from!(Shape, usize: usize);
shape_from!(NewShape, isize: usize, isize, i32, i64);

impl From<()> for Shape {
    fn from(_: ()) -> Self {
        Shape(Vec::new())
    }
}

impl From<()> for NewShape {
    fn from(_: ()) -> Self {
        NewShape(Vec::new())
    }
}

impl From<Shape> for NewShape {
    fn from(shape: Shape) -> Self {
        Self::from(shape.0)
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl NewShape {
    /// The shape meant, for a tensor of shape `from`.
    pub(crate) fn resolve(&self, from: &[usize]) -> Result<Vec<usize>> {
        let size: usize = from.iter().product();
        let wrong = |why: String| {
            Err(Error::Shape(format!(
                "reshape: {from:?} ({size} elements) to {:?}: {why}",
                self.0
            )))
        };
        let inferred = self.0.iter().filter(|&&d| d == -1).count();
        if inferred > 1 {
            return wrong("only one axis may be -1".into());
        }
        if let Some(bad) = self.0.iter().find(|&&d| d < -1) {
            return wrong(format!(
                "{bad} is not a length; use -1 for an axis to infer"
            ));
        }
        let known: usize = self
            .0
            .iter()
            .filter(|&&d| d != -1)
            .map(|&d| d as usize)
            .product();
        if inferred == 0 && known != size {
            return wrong(format!(
                "the new shape has {known} elements, it needs {size}"
            ));
        }
        if inferred == 1 && (known == 0 || !size.is_multiple_of(known)) {
            return wrong(format!(
                "{size} elements do not divide into groups of {known}"
            ));
        }
        let infer = |&d: &isize| if d == -1 { size / known } else { d as usize };
        Ok(self.0.iter().map(infer).collect())
    }
}

/// The shape two operands broadcast to, NumPy's rule: axes are matched from the last; each pair
/// must be equal, or one of them 1 or absent.
pub(crate) fn broadcast(operation: &str, left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    if left == right {
        return Ok(left.to_vec());
    }
    let rank = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(own) => shape[own],
        None => 1,
    };
    let mut shape = Vec::with_capacity(rank);
    for axis in (0..rank).rev() {
        match (length(left, axis), length(right, axis)) {
            (a, b) if a == b => shape.push(a),
            (1, b) => shape.push(b),
            (a, 1) => shape.push(a),
            (a, b) => {
                return Err(Error::Shape(format!(
                    "{operation}: shapes {left:?} and {right:?} do not broadcast: matched from \
                     the last axis, each pair must be equal or contain a 1, here {a} meets {b}"
                )));
            }
        }
    }
    shape.reverse();
    Ok(shape)
}

/// One axis or several, given as an argument; negative ones count from the end.
///
/// ```
/// use dlcore::Tensor;
/// let x = Tensor::ones([2, 3, 4]);
/// assert_eq!(x.sum_axis(-1).shape(), [2, 3]);
/// assert_eq!(x.sum_axis([0, 2]).shape(), [3]);
/// assert_eq!(x.sum_axis_keep([0, 2]).shape(), [1, 3, 1]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes(Vec<isize>);

macro_rules! axes_from {
    ($($number:ty),*) => {$(
        impl From<$number> for Axes {
            fn from(axis: $number) -> Self {
                Axes(vec![axis as isize])
            }
        }
        impl<const N: usize> From<[$number; N]> for Axes {
            fn from(axes: [$number; N]) -> Self {
                Axes(axes.iter().map(|&axis| axis as isize).collect())
            }
        }
        impl From<&[$number]> for Axes {
            fn from(axes: &[$number]) -> Self {
                Axes(axes.iter().map(|&axis| axis as isize).collect())
            }
        }
        impl From<Vec<$number>> for Axes {
            fn from(axes: Vec<$number>) -> Self {
                Self::from(&axes[..])
            }
        }
        impl From<($number, $number)> for Axes {
            fn from((a, b): ($number, $number)) -> Self {
                Self::from([a, b])
            }
        }
        impl From<($number, $number, $number)> for Axes {
            fn from((a, b, c): ($number, $number, $number)) -> Self {
                Self::from([a, b, c])
            }
        }
    )*};
}
axes_from!(isize, usize, i32, i64);

impl Axes {
    /// The axes meant, in ascending order.
    pub(crate) fn resolve(&self, operation: &str, shape: &[usize]) -> Result<Vec<usize>> {
        let mut axes = Vec::with_capacity(self.0.len());
        for &axis in &self.0 {
            axes.push(resolve_axis(operation, axis, shape)?);
        }
        axes.sort_unstable();
        if axes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::Shape(format!(
                "{operation}: axes {:?} of shape {shape:?} name one axis twice",
                self.0
            )));
        }
        Ok(axes)
    }
}

/// The axis meant by `axis`, which counts from the end when negative.
pub(crate) fn resolve_axis(operation: &str, axis: isize, shape: &[usize]) -> Result<usize> {
    let rank = shape.len() as isize;
    let resolved = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&resolved) {
        return Ok(resolved as usize);
    }
    Err(Error::Shape(format!(
        "{operation}: axis {axis} is out of range for shape {shape:?}: expected {}",
        match rank {
            0 => "a tensor with at least one axis".to_string(),
            _ => format!("{} to {}", -rank, rank - 1),
        }
    )))
}

/// A shape around one axis: how many blocks, how many steps along it, how many elements a step.
pub(crate) fn split_at(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    let outer = shape[..axis].iter().product();
    let inner = shape[axis + 1..].iter().product();
    (outer, shape[axis], inner)
}

/// `shape` with `axis` taken out, or kept with length 1.
pub(crate) fn reduced(shape: &[usize], axis: usize, keep: bool) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if keep {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    shape
}
