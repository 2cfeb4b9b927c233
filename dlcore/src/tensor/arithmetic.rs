//! Arithmetic and comparison: which type it is done in, then which kernel does it.

use super::{Array, DType, Element, Storage, Tensor, broadcast};
use crate::device::cpu;
use crate::grad::ops::{self, Add, Div, Maximum, Minimum, Mul, Op, Sub};
use crate::{Error, Result};

/// An operation of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Maximum,
    Minimum,
}

impl Binary {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
        }
    }

    fn op(self) -> Op {
        match self {
            Binary::Add => Add.into(),
            Binary::Sub => Sub.into(),
            Binary::Mul => Mul.into(),
            Binary::Div => Div.into(),
            Binary::Maximum => Maximum.into(),
            Binary::Minimum => Minimum.into(),
        }
    }

    /// The type the operation is done in.
    fn dtype(self, left: DType, right: DType) -> DType {
        let wide = left.promote(right);
        if self == Binary::Div && !wide.is_float() {
            DType::F32
        } else {
            wide
        }
    }
}

/// A comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

impl Comparison {
    fn name(self) -> &'static str {
        match self {
            Comparison::Equal => "equal",
            Comparison::NotEqual => "not_equal",
            Comparison::Greater => "greater",
            Comparison::GreaterEqual => "greater_equal",
            Comparison::Less => "less",
            Comparison::LessEqual => "less_equal",
        }
    }

    /// Compared as `T`, which holds the values of both sides.
    fn run<T: Element>(self, left: &Tensor, right: &Tensor, shape: &[usize]) -> Array<bool> {
        let (a, b) = (&left.to_array::<T>(), &right.to_array::<T>());
        match self {
            Comparison::Equal => cpu::zip(a, b, shape, |x, y| x == y),
            Comparison::NotEqual => cpu::zip(a, b, shape, |x, y| x != y),
            Comparison::Greater => cpu::zip(a, b, shape, |x, y| x > y),
            Comparison::GreaterEqual => cpu::zip(a, b, shape, |x, y| x >= y),
            Comparison::Less => cpu::zip(a, b, shape, |x, y| x < y),
            Comparison::LessEqual => cpu::zip(a, b, shape, |x, y| x <= y),
        }
    }
}

/// A Rust number met by a tensor: it takes the tensor's type, except that a float turns an integer
/// tensor into `F32`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Float(f64),
    Integer(i64),
}

impl Number {
    pub(crate) fn value(self) -> f64 {
        match self {
            Number::Float(value) => value,
            Number::Integer(value) => value as f64,
        }
    }

    /// As a tensor that `other` will be computed with.
    ///
    /// # Errors
    /// [`Error::Value`] for a whole number that `other` cannot hold, as in NumPy 2.
    pub(crate) fn meeting(self, other: DType) -> Result<Tensor> {
        let dtype = match self {
            Number::Float(_) if !other.is_float() => DType::F32,
            Number::Integer(_) if other == DType::Bool => DType::I64,
            _ => other,
        };
        let (least, most) = match dtype {
            DType::U8 => (i64::from(u8::MIN), i64::from(u8::MAX)),
            DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        match self {
            Number::Integer(value) if !(least..=most).contains(&value) => {
                Err(Error::Value(format!(
                    "{value} does not fit a tensor of {dtype}, which holds {least} to {most}: cast that first, \
                 x.cast(DType::I64) for whole numbers or x.cast(DType::F32)"
                )))
            }
            Number::Float(value) => Ok(Tensor::from_values(&[], vec![value]).cast(dtype)),
            Number::Integer(value) => Ok(Tensor::from_values(&[], vec![value]).cast(dtype)),
        }
    }

    /// As the other side of `which`, which may be done in another type than that of a tensor of `other`.
    fn beside(self, which: Binary, other: DType) -> Result<Tensor> {
        match which {
            Binary::Div => self.meeting(which.dtype(other, other)),
            _ => self.meeting(other),
        }
    }
}

/// `left ∘ right`, broadcast.
pub(crate) fn binary(which: Binary, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let dtype = which.dtype(left.dtype(), right.dtype());
    let (left, right) = (left.to_dense().cast(dtype), right.to_dense().cast(dtype));
    if dtype.is_float() {
        return ops::apply(which.op(), &[&left, &right]);
    }
    let shape = broadcast(which.name(), left.shape(), right.shape())?;
    // Wrapping arithmetic in 64 bits, cut to fewer, is wrapping arithmetic in fewer.
    let wide = integers(which, &left.to_array(), &right.to_array(), &shape);
    Ok(Tensor::from_array(wide).cast(dtype))
}

fn integers(which: Binary, a: &Array<i64>, b: &Array<i64>, shape: &[usize]) -> Array<i64> {
    match which {
        Binary::Add => cpu::zip(a, b, shape, i64::wrapping_add),
        Binary::Sub => cpu::zip(a, b, shape, i64::wrapping_sub),
        Binary::Mul => cpu::zip(a, b, shape, i64::wrapping_mul),
        Binary::Maximum => cpu::zip(a, b, shape, Ord::max),
        Binary::Minimum => cpu::zip(a, b, shape, Ord::min),
        Binary::Div => unreachable!("division is done in floats"),
    }
}

/// `tensor ∘ number`.
pub(crate) fn with_number(which: Binary, tensor: &Tensor, number: Number) -> Result<Tensor> {
    let value = number.value();
    if tensor.dtype().is_float() {
        let x = tensor.to_dense();
        let op = match which {
            Binary::Add => ops::AddScalar { value }.into(),
            Binary::Sub => ops::AddScalar { value: -value }.into(),
            Binary::Mul => ops::MulScalar { value }.into(),
            Binary::Div => ops::DivScalar { value }.into(),
            _ => which.op(),
        };
        if !matches!(which, Binary::Maximum | Binary::Minimum) {
            return Ok(ops::apply_any(op, &[&x]));
        }
    }
    binary(which, tensor, &number.beside(which, tensor.dtype())?)
}

/// `number ∘ tensor`.
pub(crate) fn number_with(which: Binary, number: Number, tensor: &Tensor) -> Result<Tensor> {
    match which {
        Binary::Add | Binary::Mul => with_number(which, tensor, number),
        _ => binary(which, &number.beside(which, tensor.dtype())?, tensor),
    }
}

/// A tensor of booleans.
pub(crate) fn compare(which: Comparison, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let shape = broadcast(which.name(), left.shape(), right.shape())?;
    let compared = match left.dtype().max(right.dtype()) {
        DType::F64 => which.run::<f64>(left, right, &shape),
        DType::F32 => which.run::<f32>(left, right, &shape),
        _ => which.run::<i64>(left, right, &shape),
    };
    Ok(Tensor::from_array(compared))
}

/// `target ∘= other`: in place where nothing else shares the elements and nothing records.
pub(crate) fn assign(which: Binary, target: &mut Tensor, other: &Tensor) -> Result<()> {
    let dtype = which.dtype(target.dtype(), other.dtype());
    let shape = broadcast(which.name(), target.shape(), other.shape())?;
    if shape != target.shape() {
        return Err(Error::Shape(format!(
            "{}: a tensor of shape {:?} cannot take the result of shape {shape:?}, which its \
             operand {:?} broadcasts to; write a = &a ∘ b",
            which.name(),
            target.shape(),
            other.shape()
        )));
    }
    let recorded = target.node().is_some() || other.node().is_some();
    let on_card = target.on_card().is_some() || other.on_card().is_some();
    if recorded || on_card || dtype != target.dtype() || !dtype.is_float() || target.is_sparse() {
        *target = binary(which, target, other)?;
        return Ok(());
    }
    let other = other.to_dense().cast(dtype);
    match (target.storage_mut(), other.storage()) {
        (Storage::F32(a), Storage::F32(b)) => assign_floats(which, a, b),
        (Storage::F64(a), Storage::F64(b)) => assign_floats(which, a, b),
        _ => unreachable!("both sides are of one float type"),
    }
    Ok(())
}

fn assign_floats<T: super::Real>(which: Binary, a: &mut Array<T>, b: &Array<T>) {
    match which {
        Binary::Add => cpu::zip_assign(a, b, |x, y| x + y),
        Binary::Sub => cpu::zip_assign(a, b, |x, y| x - y),
        Binary::Mul => cpu::zip_assign(a, b, |x, y| x * y),
        Binary::Div => cpu::zip_assign(a, b, |x, y| x / y),
        Binary::Maximum => cpu::zip_assign(a, b, |x: T, y| ops::larger(x, y)),
        Binary::Minimum => cpu::zip_assign(a, b, |x: T, y| ops::smaller(x, y)),
    }
}
