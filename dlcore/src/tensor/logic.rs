//! Choosing by a condition, and what conditions are made of: logic, and tests of numbers.

use super::operators::{Operand, Right};
use super::{DType, Real, Tensor, broadcast, expect, fallible};
use crate::device::cpu::{self, Cost};
use crate::grad::ops::{self, Where};
use crate::{Error, Result, tensor::Storage};

impl Tensor {
    /// `a`'s element where the condition differs from zero, `b`'s elsewhere, broadcast: NumPy's and
    /// Keras's `where`, which Rust keeps for itself. `a` and `b` are tensors or numbers.
    ///
    /// ```
    /// use dlcore::Tensor;
    /// let x = Tensor::from([-1.0, 2.0, -3.0]);
    /// assert_eq!(Tensor::where_(&x.greater(0.0), &x, 0.0).to_vec(), [0.0, 2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// Where [`Tensor::try_where_`] returns an error.
    #[track_caller]
    pub fn where_(condition: &Tensor, a: impl Operand, b: impl Operand) -> Tensor {
        expect(choose(condition, a.operand(), b.operand()))
    }

    /// [`Tensor::where_`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not broadcast.
    pub fn try_where_(condition: &Tensor, a: impl Operand, b: impl Operand) -> Result<Tensor> {
        choose(condition, a.operand(), b.operand())
    }

    /// Whether the element is not a number.
    pub fn is_nan(&self) -> Tensor {
        test_floats(self, false, f32::is_nan, f64::is_nan)
    }

    /// Whether the element is `+∞` or `-∞`.
    pub fn is_infinite(&self) -> Tensor {
        test_floats(self, false, f32::is_infinite, f64::is_infinite)
    }

    /// Whether the element is neither infinite nor NaN.
    pub fn is_finite(&self) -> Tensor {
        test_floats(self, true, f32::is_finite, f64::is_finite)
    }

    /// Whether the element is zero.
    pub fn logical_not(&self) -> Tensor {
        let truth = self.to_array::<bool>();
        Tensor::from_array(cpu::map(&truth, Cost::Cheap, |x: bool| !x))
    }

    fallible! {
        /// Where both elements differ from zero, broadcast; a tensor of `Bool`. Also `&a & &b`.
        fn logical_and / try_logical_and(&self, other: &Tensor) -> Tensor {
            logical("logical_and", self, other, |a, b| a & b)
        }

        /// Where at least one element differs from zero, broadcast; a tensor of `Bool`. Also `&a | &b`.
        fn logical_or / try_logical_or(&self, other: &Tensor) -> Tensor {
            logical("logical_or", self, other, |a, b| a | b)
        }

        /// Where exactly one element differs from zero, broadcast; a tensor of `Bool`. Also `&a ^ &b`.
        fn logical_xor / try_logical_xor(&self, other: &Tensor) -> Tensor {
            logical("logical_xor", self, other, |a, b| a ^ b)
        }

        /// Whether the elements are equal up to `|a - b| ≤ 1e-8 + 1e-5 · |b|`, NumPy's `isclose`,
        /// broadcast; a tensor of `Bool`. NaN is close to nothing.
        fn is_close / try_is_close(&self, other: &Tensor) -> Tensor {
            let (a, b) = (self.detach().cast(DType::F64), other.detach().cast(DType::F64));
            let near = a.try_sub(&b)?.abs().less_equal(b.abs() * 1e-5 + 1e-8);
            // Infinities are equal or far apart; their difference says neither.
            let finite = a.is_finite().logical_and(&b.is_finite());
            Ok(finite.logical_and(&near).logical_or(&a.equal(&b)))
        }
    }
}

fn choose(condition: &Tensor, a: Right<'_>, b: Right<'_>) -> Result<Tensor> {
    // A number takes the type of the tensor beside it.
    let beside = b.dtype().or(a.dtype()).unwrap_or(DType::I64);
    let a = a.meeting(beside)?.to_dense();
    let b = b.meeting(a.dtype())?.to_dense();
    let dtype = a.dtype().max(b.dtype());
    let op = Where {
        condition: condition.to_array(),
    };
    ops::apply(op, &[&a.cast(dtype), &b.cast(dtype)])
}

fn logical(
    operation: &str,
    left: &Tensor,
    right: &Tensor,
    function: fn(bool, bool) -> bool,
) -> Result<Tensor> {
    let shape = broadcast(operation, left.shape(), right.shape())?;
    let truth = cpu::zip(&left.to_array(), &right.to_array(), &shape, function);
    Ok(Tensor::from_array::<bool>(truth))
}

/// `integers` is the answer for types that are whole numbers.
fn test_floats(
    tensor: &Tensor,
    integers: bool,
    single: fn(f32) -> bool,
    double: fn(f64) -> bool,
) -> Tensor {
    fn run<T: Real>(array: &super::Array<T>, test: fn(T) -> bool) -> Tensor {
        Tensor::from_array(cpu::map(array, Cost::Cheap, test))
    }
    let dense = tensor.to_dense();
    match dense.storage() {
        Storage::F32(array) => run(array, single),
        Storage::F64(array) => run(array, double),
        _ => Tensor::from_values(tensor.shape(), vec![integers; tensor.len()]),
    }
}

macro_rules! logic_operators {
    ($($trait:ident $method:ident = $named:ident;)*) => {$(
        logic_operators!(each $trait $method $named: Tensor, Tensor; Tensor, &Tensor;
            &Tensor, Tensor; &Tensor, &Tensor);
    )*};
    (each $trait:ident $method:ident $named:ident: $($left:ty, $right:ty);*) => {$(
        impl std::ops::$trait<$right> for $left {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: $right) -> Tensor {
                expect(booleans(stringify!($method), &[&self, &right]));
                self.$named(&right)
            }
        }
    )*};
}

logic_operators! {
    BitAnd bitand = logical_and;
    BitOr bitor = logical_or;
    BitXor bitxor = logical_xor;
}

impl std::ops::Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        expect(booleans("not", &[&self]));
        self.logical_not()
    }
}

impl std::ops::Not for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        expect(booleans("not", &[self]));
        self.logical_not()
    }
}

/// The operators mean logic; on numbers a reader could take them for bits.
fn booleans(operator: &str, operands: &[&Tensor]) -> Result<()> {
    match operands.iter().find(|tensor| tensor.dtype() != DType::Bool) {
        None => Ok(()),
        Some(tensor) => Err(Error::Value(format!(
            "{operator}: expected tensors of bool, got {} of shape {:?}; compare it first, for \
             instance with greater(0), or call logical_and, logical_or, logical_not",
            tensor.dtype(),
            tensor.shape()
        ))),
    }
}
