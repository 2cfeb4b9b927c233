//! Tensors from Rust data, from ndarray, and from a rule.

use ndarray::{Array1, Array2, Array3, Array4, ArrayD};

use super::{Array, Element, Shape, Tensor, array_from_vec};
use crate::{Error, Result};

impl Tensor {
    /// Values in row-major order under a shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not the shape's.
    pub fn from_shape_vec(shape: impl Into<Shape>, data: Vec<f32>) -> Result<Tensor> {
        from_shape_vec(shape.into(), data)
    }

    /// As [`Tensor::from_shape_vec`], in double precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not the shape's.
    pub fn from_shape_vec_f64(shape: impl Into<Shape>, data: Vec<f64>) -> Result<Tensor> {
        from_shape_vec(shape.into(), data)
    }

    /// As [`Tensor::from_shape_vec`], of bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not the shape's.
    pub fn from_shape_vec_u8(shape: impl Into<Shape>, data: Vec<u8>) -> Result<Tensor> {
        from_shape_vec(shape.into(), data)
    }

    /// As [`Tensor::from_shape_vec`], of integers.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not the shape's.
    pub fn from_shape_vec_i64(shape: impl Into<Shape>, data: Vec<i64>) -> Result<Tensor> {
        from_shape_vec(shape.into(), data)
    }

    /// Zeros, `F32`.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        filled("zeros", shape.into(), 0.0)
    }

    /// Ones, `F32`.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        filled("ones", shape.into(), 1.0)
    }

    /// One value everywhere, `F32`.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: f64) -> Tensor {
        filled("full", shape.into(), value as f32)
    }

    /// Zeros of this tensor's shape and type.
    pub fn zeros_like(&self) -> Tensor {
        filled("zeros_like", self.shape().into(), 0.0).cast(self.dtype())
    }

    /// Ones of this tensor's shape and type.
    pub fn ones_like(&self) -> Tensor {
        filled("ones_like", self.shape().into(), 1.0).cast(self.dtype())
    }

    /// One value everywhere, of this tensor's shape and type.
    pub fn full_like(&self, value: f64) -> Tensor {
        let value = Tensor::from_values(&[], vec![value]).cast(self.dtype());
        value.broadcast_to(self.shape())
    }

    /// The identity matrix `[n, n]`, `F32`.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        let mut values = vec![0.0_f32; room::<f32>("eye", &[n, n])];
        values.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
        Tensor::from_values(&[n, n], values)
    }

    /// `start`, `start + step`, … up to but without `stop`, `F32`.
    ///
    /// # Panics
    /// If `step` is 0, or there is no room for so many numbers.
    #[track_caller]
    pub fn arange(start: f64, stop: f64, step: f64) -> Tensor {
        assert!(
            step != 0.0,
            "arange: the step from {start} to {stop} must not be 0"
        );
        let count = ((stop - start) / step).ceil();
        let most = isize::MAX as usize / size_of::<f32>();
        assert!(
            count < most as f64,
            "arange: {count:e} numbers from {start:?} to {stop:?} by steps of {step}: expected no \
             more than {most}, and what fits into memory"
        );
        let count = room::<f32>("arange", &[count.max(0.0) as usize]);
        let values = (0..count)
            .map(|i| (start + i as f64 * step) as f32)
            .collect();
        Tensor::from_values(&[count], values)
    }

    /// `n` evenly spaced numbers from `start` to `stop`, both included, `F32`.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn linspace(start: f64, stop: f64, n: usize) -> Tensor {
        let n = room::<f32>("linspace", &[n]);
        let step = (stop - start) / n.saturating_sub(1).max(1) as f64;
        let value = |i| {
            if i + 1 == n && n > 1 {
                stop
            } else {
                start + i as f64 * step
            }
        };
        Tensor::from_values(&[n], (0..n).map(|i| value(i) as f32).collect())
    }

    /// Independent numbers, uniform from `low` (included) to `high`, `F32`, from the stream that
    /// [`set_seed`](crate::random::set_seed) starts.
    ///
    /// # Panics
    /// If there is no room for so many elements.
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64) -> Tensor {
        crate::random::uniform(shape, low, high)
    }

    /// Independent normal numbers, `F32`, from the stream that
    /// [`set_seed`](crate::random::set_seed) starts.
    ///
    /// # Panics
    /// If the standard deviation is negative or NaN, or there is no room for so many elements.
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
        crate::random::normal(shape, mean, standard_deviation)
    }

    /// Independent normal numbers, `F32`, those further than two standard deviations from the mean
    /// drawn again, from the stream that [`set_seed`](crate::random::set_seed) starts.
    ///
    /// # Panics
    /// As [`Tensor::normal`].
    #[track_caller]
    pub fn truncated_normal(shape: impl Into<Shape>, mean: f64, standard_deviation: f64) -> Tensor {
        crate::random::truncated_normal(shape, mean, standard_deviation)
    }

    /// Independent whole numbers, each from `low` (included) to `high` (excluded) equally likely,
    /// `I64`, from the stream that [`set_seed`](crate::random::set_seed) starts.
    ///
    /// # Panics
    /// If `low` is not below `high`, or there is no room for so many elements.
    #[track_caller]
    pub fn randint(shape: impl Into<Shape>, low: i64, high: i64) -> Tensor {
        crate::random::randint(shape, low, high)
    }

    /// Independent `Bool`s, each true with probability `p`, from the stream that
    /// [`set_seed`](crate::random::set_seed) starts.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1, or there is no room for so many elements.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, p: f64) -> Tensor {
        crate::random::bernoulli(shape, p)
    }

    /// The positions of the first axis in random order.
    ///
    /// # Panics
    /// If there is no axis.
    #[track_caller]
    pub fn shuffle(&self) -> Tensor {
        super::expect(crate::random::shuffle(self))
    }

    /// `count` positions of the first axis, drawn independently (`replace`) or each once at most.
    ///
    /// # Panics
    /// If there is no axis, or it has no position, or too few to draw each once.
    #[track_caller]
    pub fn choice(&self, count: usize, replace: bool) -> Tensor {
        super::expect(crate::random::choice(self, count, replace))
    }

    /// For each row of logits (logarithms of probabilities, up to a constant), `samples` class
    /// numbers drawn with these probabilities.
    ///
    /// # Shapes
    /// `[…, classes]` → `[…, samples]`, `I64`
    ///
    /// # Panics
    /// If there is no axis, or no class, or a logit is NaN.
    #[track_caller]
    pub fn categorical(&self, samples: usize) -> Tensor {
        super::expect(crate::random::categorical(self, samples))
    }

    /// Rows of ones at the given columns and zeros elsewhere, `[rows.len(), n_features]`, `F32`,
    /// of which only the columns are stored. A column named twice in a row counts once.
    ///
    /// # Errors
    /// [`Error::Value`] if a column is not below `n_features`.
    pub fn from_sparse_rows(n_features: usize, rows: &[Vec<u32>]) -> Result<Tensor> {
        let rows = super::SparseRows::of_ones(n_features, rows)?;
        Ok(Tensor::from_storage(super::Storage::Sparse(rows.into())))
    }
}

fn from_shape_vec<T: Element>(shape: Shape, data: Vec<T>) -> Result<Tensor> {
    if shape.count() != Some(data.len()) {
        return Err(Error::Shape(format!(
            "from_shape_vec: shape {:?} holds {} values, got {}",
            shape.dims(),
            shape.size(),
            data.len()
        )));
    }
    Ok(Tensor::from_values(shape.dims(), data))
}

#[track_caller]
fn filled(operation: &str, shape: Shape, value: f32) -> Tensor {
    let size = room::<f32>(operation, shape.dims());
    Tensor::from_values(shape.dims(), vec![value; size])
}

#[track_caller]
fn room<T>(operation: &str, dims: &[usize]) -> usize {
    super::expect(Shape::from(dims).room::<T>(operation))
}

fn flat<T: Element>(values: Vec<T>) -> Tensor {
    Tensor::from_array(vector(values))
}

fn vector<T: Element>(values: Vec<T>) -> Array<T> {
    array_from_vec(&[values.len()], values)
}

/// Rows of one length, below each other.
///
/// # Panics
/// If they differ in length.
#[track_caller]
fn stacked<T: Element>(rows: &[Vec<T>]) -> Tensor {
    let width = rows.first().map_or(0, Vec::len);
    if let Some(other) = rows.iter().position(|row| row.len() != width) {
        panic!(
            "Tensor::from: row {other} has {} numbers, expected {width}, as in row 0; rows of several lengths are \
             brought to one by pad_sequences",
            rows[other].len()
        );
    }
    Tensor::from_values(&[rows.len(), width], rows.concat())
}

// Numbers, arrays and vectors: f32 is the only float type among them, so that a literal such as
// `[1.0, 2.0]` is F32; double precision comes in through ndarray or `from_shape_vec_f64`.
macro_rules! from_rust {
    ($($type:ty),*) => {$(
        impl From<$type> for Tensor {
            fn from(value: $type) -> Self {
                Tensor::from_values(&[], vec![value])
            }
        }
        impl From<Vec<$type>> for Tensor {
            fn from(values: Vec<$type>) -> Self {
                flat(values)
            }
        }
        impl From<&[$type]> for Tensor {
            fn from(values: &[$type]) -> Self {
                flat(values.to_vec())
            }
        }
        impl From<&Vec<$type>> for Tensor {
            fn from(values: &Vec<$type>) -> Self {
                flat(values.clone())
            }
        }
        impl From<Vec<Vec<$type>>> for Tensor {
            #[track_caller]
            fn from(rows: Vec<Vec<$type>>) -> Self {
                stacked(&rows)
            }
        }
        impl From<&[Vec<$type>]> for Tensor {
            #[track_caller]
            fn from(rows: &[Vec<$type>]) -> Self {
                stacked(rows)
            }
        }
        impl From<&Vec<Vec<$type>>> for Tensor {
            #[track_caller]
            fn from(rows: &Vec<Vec<$type>>) -> Self {
                stacked(rows)
            }
        }
        impl<const N: usize> From<[$type; N]> for Tensor {
            fn from(values: [$type; N]) -> Self {
                flat(values.to_vec())
            }
        }
        impl<const N: usize, const M: usize> From<[[$type; N]; M]> for Tensor {
            fn from(rows: [[$type; N]; M]) -> Self {
                Tensor::from_values(&[M, N], rows.as_flattened().to_vec())
            }
        }
        impl<const N: usize, const M: usize, const L: usize> From<[[[$type; N]; M]; L]> for Tensor {
            fn from(blocks: [[[$type; N]; M]; L]) -> Self {
                let values = blocks.as_flattened().as_flattened().to_vec();
                Tensor::from_values(&[L, M, N], values)
            }
        }
    )*};
}
from_rust!(f32, u8, i32, i64, bool);

macro_rules! from_ndarray {
    ($($type:ty),*) => {
        $(from_ndarray!($type: ArrayD, Array1, Array2, Array3, Array4);)*
    };
    ($type:ty: $($array:ident),*) => {$(
        impl From<$array<$type>> for Tensor {
            fn from(array: $array<$type>) -> Self {
                Tensor::from_array(array.into_dyn().into_shared())
            }
        }
        impl From<&$array<$type>> for Tensor {
            fn from(array: &$array<$type>) -> Self {
                Tensor::from(array.clone())
            }
        }
    )*};
}
from_ndarray!(f32, f64, u8, i32, i64, bool);

impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Self {
        tensor.clone()
    }
}
