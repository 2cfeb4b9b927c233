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

    /// The number of elements; the largest `usize` where they are more than that.
    pub fn size(&self) -> usize {
        let lengths = self.0.iter();
        lengths.fold(1, |size: usize, &length| size.saturating_mul(length))
    }

    /// The number of elements, if a tensor can have this shape.
    pub(crate) fn count(&self) -> Option<usize> {
        count(&self.0)
    }

    /// The number of elements of a new tensor of type `T`, for which there must be room.
    pub(crate) fn room<T>(&self, operation: &str) -> Result<usize> {
        let bytes = size_of::<T>();
        let most = isize::MAX as usize / bytes;
        let size = self.count().filter(|&size| size <= most);
        match size {
            Some(size) if size <= SURE / bytes => Ok(size),
            // Asked for and given back at once: a failure later on would end the process.
            Some(size) if Vec::<T>::new().try_reserve_exact(size).is_ok() => Ok(size),
            _ => Err(Error::Shape(format!(
                "{operation}: expected a shape that there is memory for, got {:?}, which is {} elements of \
                 {bytes} bytes, {}; make it smaller, or make its parts one after the other",
                self.0,
                written(&self.0),
                in_bytes(&self.0, bytes)
            ))),
        }
    }

    /// The length of each axis, owned.
    pub fn into_vec(self) -> Vec<usize> {
        self.0
    }
}

/// So many bytes are not asked for on trial.
const SURE: usize = 1 << 30;

/// The number of elements, if a tensor can have this shape: the product of the lengths that are not
/// 0 must be within `isize`.
fn count(dims: &[usize]) -> Option<usize> {
    let mut lengths = dims.iter().filter(|&&length| length != 0);
    let count = lengths.try_fold(1_usize, |count, &length| count.checked_mul(length));
    let count = count.filter(|&count| isize::try_from(count).is_ok())?;
    Some(if dims.contains(&0) { 0 } else { count })
}

/// The number of elements for a message, also where no `usize` holds it.
fn written(dims: &[usize]) -> String {
    let exact = dims
        .iter()
        .try_fold(1_u128, |size, &length| size.checked_mul(length as u128));
    match exact {
        Some(size) => size.to_string(),
        None => format!("{:e}", dims.iter().map(|&n| n as f64).product::<f64>()),
    }
}

/// What elements of `bytes` bytes take, for a message: `4.4 TB`.
fn in_bytes(dims: &[usize], bytes: usize) -> String {
    let size = dims.iter().map(|&length| length as f64).product::<f64>() * bytes as f64;
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let unit = ((size.log10() / 3.0) as usize).clamp(1, units.len());
    format!(
        "{:.1} {}",
        size / 1000_f64.powi(unit as i32),
        units[unit - 1]
    )
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
        let lengths = self.0.iter().filter(|&&d| d != -1);
        let lengths: Vec<usize> = lengths.map(|&d| d as usize).collect();
        let Some(known) = count(&lengths) else {
            return wrong(format!(
                "the new shape asks for {} elements, it needs {size}",
                written(&lengths)
            ));
        };
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
        impl<const N: usize> From<&[$number; N]> for Axes {
            fn from(axes: &[$number; N]) -> Self {
                Self::from(&axes[..])
            }
        }
        impl From<&Vec<$number>> for Axes {
            fn from(axes: &Vec<$number>) -> Self {
                Self::from(&axes[..])
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
    /// The axes meant, in the order given.
    pub(crate) fn in_order(&self, operation: &str, shape: &[usize]) -> Result<Vec<usize>> {
        let axes = self.0.iter();
        axes.map(|&axis| resolve_axis(operation, axis, shape))
            .collect()
    }

    /// The axes meant, in ascending order.
    pub(crate) fn resolve(&self, operation: &str, shape: &[usize]) -> Result<Vec<usize>> {
        let mut axes = self.in_order(operation, shape)?;
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

#[cfg(test)]
mod tests {
    use crate::Tensor;

    fn panic_of(act: impl FnOnce() -> Tensor + std::panic::UnwindSafe) -> String {
        let payload = std::panic::catch_unwind(act).expect_err("there is no room");
        let text = payload.downcast_ref::<String>();
        text.expect("a message that was formatted").clone()
    }

    #[test]
    fn what_no_memory_holds_is_refused_in_words() {
        const WIDE: [usize; 2] = [1 << 40, 1 << 40];
        let asked = "expected a shape that there is memory for, got [1099511627776, 1099511627776], which is \
                     1208925819614629174706176 elements of 4 bytes, 4835703.3 EB; make it smaller";
        let refused = |operation: &str, act: fn() -> Tensor| {
            let text = panic_of(act);
            assert!(text.starts_with(&format!("{operation}: {asked}")), "{text}");
        };
        refused("zeros", || Tensor::zeros(WIDE));
        refused("ones", || Tensor::ones(WIDE));
        refused("full", || Tensor::full(WIDE, 2.0));
        refused("uniform", || Tensor::uniform(WIDE, 0.0, 1.0));
        refused("normal", || Tensor::normal(WIDE, 0.0, 1.0));
        refused("truncated_normal", || {
            Tensor::truncated_normal(WIDE, 0.0, 1.0)
        });
        refused("bernoulli", || Tensor::bernoulli(WIDE, 0.5));
        let text = panic_of(|| Tensor::randint(WIDE, 0, 2));
        assert!(text.contains("elements of 8 bytes"), "{text}");
        // Within `usize`, beyond any memory.
        let text = panic_of(|| Tensor::zeros(1_usize << 60));
        assert!(
            text.contains("got [1152921504606846976], which is"),
            "{text}"
        );
        assert!(
            text.contains("of 4 bytes, 4.6 EB; make it smaller"),
            "{text}"
        );
        assert!(panic_of(|| Tensor::eye(1 << 40)).starts_with("eye: expected a shape"));
        assert!(panic_of(|| Tensor::linspace(0.0, 1.0, usize::MAX)).starts_with("linspace: "));
        let text = panic_of(|| Tensor::zeros([usize::MAX, usize::MAX, usize::MAX]));
        assert!(text.contains("which is 6.277"), "{text}");
        assert!(panic_of(|| Tensor::zeros([1 << 40, 1 << 40, 0])).starts_with("zeros: "));
        assert!(Tensor::from_shape_vec(WIDE, Vec::new()).is_err());
    }

    #[test]
    fn a_range_without_end_is_refused_in_words() {
        assert_eq!(
            panic_of(|| Tensor::arange(0.0, 1e30, 1.0)),
            "arange: 1e30 numbers from 0.0 to 1e30 by steps of 1: expected no more than \
             2305843009213693951, and what fits into memory"
        );
        let text = panic_of(|| Tensor::arange(0.0, f64::NAN, 1.0));
        assert!(text.starts_with("arange: NaN numbers"), "{text}");
        assert!(
            panic_of(|| Tensor::arange(0.0, 1e17, 1.0)).starts_with("arange: expected a shape")
        );
        assert_eq!(Tensor::arange(1.0, 0.0, 1.0).len(), 0);
    }

    #[test]
    fn reshape_counts_elements_beyond_usize() {
        let error = Tensor::zeros([4]).try_reshape([i64::MAX, 4]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "reshape: [4] (4 elements) to [9223372036854775807, 4]: the new shape asks for \
             36893488147419103228 elements, it needs 4"
        );
        let infer = Tensor::zeros([4]).try_reshape([i64::MAX, -1, 4]);
        assert!(infer.is_err());
    }
}
