//! `+ - * /`, unary `-` and `+=` and its kind, between tensors and with Rust numbers.
//!
//! Shapes are broadcast as in NumPy, which makes `[n, n]` of `[n, 1]` and `[n]`: what `predict` returns, `[n, 1]`, less
//! labels `[n]` is every prediction less every label. `y.reshape([-1, 1])` makes them one shape.

use super::arithmetic::{Binary, Number, assign, binary, number_with, with_number};
use super::{DType, Tensor, expect};
use crate::Result;

/// What may stand to the right of an operator: a tensor, a reference to one, or a number.
///
/// One generic implementation, rather than one for each type, lets the compiler know the result of
/// `&x * 2.0` before it has settled the type of `2.0`, and so accept `&x * 2.0 + 1.0`. To the left
/// of a tensor, where there is no such way, stand `f64` and `i32` only, which literals are.
pub trait Operand {
    #[doc(hidden)]
    fn operand(&self) -> Right<'_>;
}

#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Right<'a> {
    Tensor(&'a Tensor),
    Float(f64),
    Integer(i64),
}

impl Operand for Tensor {
    fn operand(&self) -> Right<'_> {
        Right::Tensor(self)
    }
}

impl Operand for &Tensor {
    fn operand(&self) -> Right<'_> {
        Right::Tensor(self)
    }
}

macro_rules! number_operands {
    ($($number:ty => $kind:ident as $wide:ty),*) => {$(
        impl Operand for $number {
            fn operand(&self) -> Right<'_> {
                Right::$kind(*self as $wide)
            }
        }
    )*};
}
number_operands!(f32 => Float as f64, f64 => Float as f64, u8 => Integer as i64,
    i32 => Integer as i64, i64 => Integer as i64, usize => Integer as i64);

impl Right<'_> {
    /// As a tensor that one of type `other` is computed with.
    ///
    /// # Errors
    /// As [`Number::meeting`].
    pub(crate) fn meeting(self, other: DType) -> Result<Tensor> {
        match self {
            Right::Tensor(tensor) => Ok(tensor.clone()),
            Right::Float(value) => Number::Float(value).meeting(other),
            Right::Integer(value) => Number::Integer(value).meeting(other),
        }
    }

    /// As a tensor that one of type `other` is compared with: a whole number keeps its value also
    /// where the other side's type cannot hold it.
    pub(crate) fn compared_with(self, other: DType) -> Tensor {
        match self {
            Right::Integer(value) if !other.is_float() => Tensor::from(value),
            right => right.meeting(other).expect("floats take whole numbers"),
        }
    }

    /// The type of a tensor; none for a number, which takes the other side's.
    pub(crate) fn dtype(self) -> Option<DType> {
        match self {
            Right::Tensor(tensor) => Some(tensor.dtype()),
            Right::Float(_) | Right::Integer(_) => None,
        }
    }
}

/// `left ∘ right`, broadcast.
pub(crate) fn operate(which: Binary, left: &Tensor, right: Right<'_>) -> Result<Tensor> {
    match right {
        Right::Tensor(right) => binary(which, left, right),
        Right::Float(value) => with_number(which, left, Number::Float(value)),
        Right::Integer(value) => with_number(which, left, Number::Integer(value)),
    }
}

#[track_caller]
fn compute(which: Binary, left: &Tensor, right: Right<'_>) -> Tensor {
    expect(operate(which, left, right))
}

#[track_caller]
fn compute_in_place(which: Binary, left: &mut Tensor, right: Right<'_>) {
    match right {
        Right::Tensor(right) => expect(assign(which, left, right)),
        number => *left = compute(which, left, number),
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident, $assign_trait:ident $assign_method:ident;)*) => {$(
        impl<R: Operand> std::ops::$trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: R) -> Tensor {
                compute(Binary::$trait, &self, right.operand())
            }
        }

        impl<R: Operand> std::ops::$trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: R) -> Tensor {
                compute(Binary::$trait, self, right.operand())
            }
        }

        impl<R: Operand> std::ops::$assign_trait<R> for Tensor {
            #[track_caller]
            fn $assign_method(&mut self, right: R) {
                compute_in_place(Binary::$trait, self, right.operand());
            }
        }

        operators!(left $trait $method: f64 => Float as f64, i32 => Integer as i64);
    )*};
    (left $trait:ident $method:ident: $($number:ty => $kind:ident as $wide:ty),*) => {$(
        impl std::ops::$trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, tensor: Tensor) -> Tensor {
                expect(number_with(Binary::$trait, Number::$kind(self as $wide), &tensor))
            }
        }

        impl std::ops::$trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, tensor: &Tensor) -> Tensor {
                expect(number_with(Binary::$trait, Number::$kind(self as $wide), tensor))
            }
        }
    )*};
}

operators! {
    Add add, AddAssign add_assign;
    Sub sub, SubAssign sub_assign;
    Mul mul, MulAssign mul_assign;
    Div div, DivAssign div_assign;
}

impl std::ops::Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}

impl std::ops::Neg for &Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}
