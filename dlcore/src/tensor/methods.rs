//! Functions of each element, and products.

use super::arithmetic::{Binary, Comparison, Number, compare, number_with};
use super::operators::{Operand, operate};
use super::{DType, Tensor, broadcast, fallible, resolve_axis, same_float};
use crate::device::cpu;
use crate::grad::ops::{self, Rule};
use crate::{Error, Result};

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident / $try_name:ident = $variant:ident;)*) => {
        impl Tensor {
            fallible! {$(
                $(#[$doc])*
                fn $name / $try_name(&self, other: impl Operand) -> Tensor {
                    operate(Binary::$variant, self, other.operand())
                }
            )*}
        }
    };
}

binary_methods! {
    /// The sum, element by element, broadcast.
    add / try_add = Add;
    /// The difference, element by element, broadcast.
    sub / try_sub = Sub;
    /// The product, element by element, broadcast.
    mul / try_mul = Mul;
    /// The quotient, element by element, broadcast; of integers too a float.
    div / try_div = Div;
    /// The larger of two elements, broadcast; NaN where either is.
    maximum / try_maximum = Maximum;
    /// The smaller of two elements, broadcast; NaN where either is.
    minimum / try_minimum = Minimum;
}

macro_rules! comparison_methods {
    ($($(#[$doc:meta])* $name:ident / $try_name:ident = $variant:ident;)*) => {
        impl Tensor {
            fallible! {$(
                $(#[$doc])*
                fn $name / $try_name(&self, other: impl Operand) -> Tensor {
                    compare(Comparison::$variant, self, &other.operand().compared_with(self.dtype()))
                }
            )*}
        }
    };
}

comparison_methods! {
    /// Where the elements are equal, broadcast; a tensor of `Bool`.
    equal / try_equal = Equal;
    /// Where the elements differ, broadcast; a tensor of `Bool`.
    not_equal / try_not_equal = NotEqual;
    /// Where this tensor's element is larger, broadcast; a tensor of `Bool`.
    greater / try_greater = Greater;
    /// Where this tensor's element is larger or equal, broadcast; a tensor of `Bool`.
    greater_equal / try_greater_equal = GreaterEqual;
    /// Where this tensor's element is smaller, broadcast; a tensor of `Bool`.
    less / try_less = Less;
    /// Where this tensor's element is smaller or equal, broadcast; a tensor of `Bool`.
    less_equal / try_less_equal = LessEqual;
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident = $op:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            pub fn $name(&self) -> Tensor {
                ops::apply_any(ops::$op, &[&self.as_float()])
            }
        )*}
    };
}

unary_methods! {
    /// `max(x, 0)`, element by element.
    relu = Relu;
    /// `1 / (1 + e⁻ˣ)`, element by element.
    sigmoid = Sigmoid;
    /// The hyperbolic tangent, element by element.
    tanh = Tanh;
    /// `eˣ`, element by element.
    exp = Exp;
    /// The natural logarithm, element by element.
    log = Log;
    /// The square root, element by element.
    sqrt = Sqrt;
    /// `x²`, element by element.
    square = Square;
    /// `1 / √x`, element by element.
    rsqrt = Rsqrt;
    /// `1 / x`, element by element.
    reciprocal = Reciprocal;
    /// The sine of an angle in radians, element by element.
    sin = Sin;
    /// The cosine of an angle in radians, element by element.
    cos = Cos;
    /// `eˣ - 1`, element by element, exact for small `x`.
    expm1 = Expm1;
    /// `ln(1 + x)`, element by element, exact for small `x`.
    log1p = Log1p;
    /// `ln(1 + eˣ)`, element by element, without overflow.
    softplus = Softplus;
    /// The error function `2/√π ∫₀ˣ e^(-t²) dt`, element by element.
    erf = Erf;
}

macro_rules! rounding_methods {
    ($($(#[$doc:meta])* $name:ident = $op:ident;)*) => {
        impl Tensor {$(
            $(#[$doc])*
            pub fn $name(&self) -> Tensor {
                match self.dtype().is_float() {
                    true => ops::apply_any(ops::$op, &[&self.to_dense()]),
                    false => self.clone(),
                }
            }
        )*}
    };
}

rounding_methods! {
    /// The nearest whole number downwards, element by element; the gradient is 0.
    floor = Floor;
    /// The nearest whole number upwards, element by element; the gradient is 0.
    ceil = Ceil;
    /// The nearest whole number, element by element, of two as near the even one, as in NumPy; the
    /// gradient is 0.
    round = Round;
}

impl Tensor {
    /// `-x`, element by element.
    pub fn neg(&self) -> Tensor {
        if self.dtype().is_float() {
            return ops::apply_any(ops::Neg, &[&self.to_dense()]);
        }
        number_with(Binary::Sub, Number::Integer(0), self).expect("0 is of every type")
    }

    /// `|x|`, element by element; the gradient at 0 is 0.
    pub fn abs(&self) -> Tensor {
        self.keeping_type(ops::Abs)
    }

    /// -1, 0 or 1, element by element; NaN for NaN.
    pub fn sign(&self) -> Tensor {
        self.keeping_type(ops::Sign)
    }

    /// Integers come back as integers.
    fn keeping_type(&self, op: impl Into<ops::Op>) -> Tensor {
        match self.dtype() {
            dtype if dtype.is_float() => ops::apply_any(op, &[&self.to_dense()]),
            dtype => ops::apply_any(op, &[&self.cast(DType::F64)]).cast(dtype),
        }
    }

    /// `xⁿ`, element by element.
    pub fn pow(&self, exponent: f64) -> Tensor {
        ops::apply_any(ops::Pow { exponent }, &[&self.as_float()])
    }

    fallible! {
        /// `xʸ`, element by element, broadcast; a float also for integers. For a fixed exponent
        /// there is the faster [`Tensor::pow`].
        fn power / try_power(&self, exponent: impl Operand) -> Tensor {
            let base = self.as_float();
            let (base, exponent) = same_float(&base, &exponent.operand().meeting(base.dtype())?);
            ops::apply(ops::Power, &[&base, &exponent])
        }

        /// What is left of `x` after taking away whole multiples of `y`, element by element,
        /// broadcast: NumPy's and Python's `%`, which has `y`'s sign. Whole numbers leave 0 by 0.
        fn remainder / try_remainder(&self, other: impl Operand) -> Tensor {
            remainder(self, &other.operand().meeting(self.dtype())?)
        }
    }

    /// Each element, moved to the nearest value within `[low, high]`. The gradient is 0 outside.
    /// Integers stay integers where both bounds are whole numbers.
    ///
    /// # Panics
    /// If `low` is above `high`.
    #[track_caller]
    pub fn clip(&self, low: f64, high: f64) -> Tensor {
        assert!(
            low <= high,
            "clip: the lower bound {low} is not below the upper bound {high}"
        );
        let op = ops::Clip { low, high };
        if low.fract() == 0.0 && high.fract() == 0.0 {
            return self.keeping_type(op);
        }
        ops::apply_any(op, &[&self.as_float()])
    }

    fallible! {
        /// `eˣ` divided by its sum along an axis: positive, summing to 1.
        fn softmax / try_softmax(&self, axis: isize) -> Tensor {
            let axis = resolve_axis("softmax", axis, self.shape())?;
            ops::apply(ops::Softmax { axis }, &[&self.as_float()])
        }

        /// The logarithm of [`Tensor::softmax`], without overflow or loss of digits.
        fn log_softmax / try_log_softmax(&self, axis: isize) -> Tensor {
            let axis = resolve_axis("log_softmax", axis, self.shape())?;
            ops::apply(ops::LogSoftmax { axis }, &[&self.as_float()])
        }

        /// NumPy's `dot`: sums over this tensor's last axis and the other's last but one (its only
        /// one, for a vector). `[m, k] · [k, n]` is `[m, n]`; a vector times a vector is a number;
        /// the axes not summed over follow one another. Times a single number it is `mul`.
        /// Sparse rows stay sparse on the left of a matrix.
        fn dot / try_dot(&self, other: &Tensor) -> Tensor {
            super::structure::dot(self, other)
        }

        /// The matrix product over the last two axes, the axes before them broadcast.
        fn matmul / try_matmul(&self, other: &Tensor) -> Tensor {
            if self.ndim() == 2 && other.ndim() == 2 {
                // The same product, which keeps sparse rows sparse.
                ops::Matmul::now().shape(&[self.shape(), other.shape()])?;
                return self.try_dot(other);
            }
            let (left, right) = same_float(self, other);
            ops::apply(ops::Matmul::now(), &[&left, &right])
        }
    }

    /// A row of zeros with a 1 at the element's place, for each element: `[…]` becomes
    /// `[…, classes]`, `F32`.
    ///
    /// # Panics
    /// If an element is not a whole number from 0 to `classes - 1`.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Tensor {
        super::expect(self.try_one_hot(classes))
    }

    /// [`Tensor::one_hot`], returning the error instead of panicking.
    ///
    /// # Errors
    /// [`Error::Value`] for an element that is not a whole number from 0 to `classes - 1`.
    pub fn try_one_hot(&self, classes: usize) -> Result<Tensor> {
        let labels = self.to_vec_of::<f64>();
        let mut values = vec![0.0_f32; labels.len() * classes];
        for (index, &label) in labels.iter().enumerate() {
            if label.fract() != 0.0 || !(0.0..classes as f64).contains(&label) {
                return Err(Error::Value(format!(
                    "one_hot: expected whole numbers from 0 to {}, got {label} at position {index}",
                    classes as i64 - 1
                )));
            }
            values[index * classes + label as usize] = 1.0;
        }
        let shape = [self.shape(), &[classes]].concat();
        Ok(Tensor::from_values(&shape, values))
    }
}

fn remainder(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let dtype = left.dtype().promote(right.dtype());
    let shape = broadcast("remainder", left.shape(), right.shape())?;
    if dtype.is_float() {
        let (left, right) = same_float(left, right);
        return Ok(&left - (&left / &right).floor() * &right);
    }
    let by = |x: i64, y: i64| match y {
        0 => 0,
        y => match x.wrapping_rem(y) {
            rest if rest != 0 && (rest < 0) != (y < 0) => rest + y,
            rest => rest,
        },
    };
    let wide = cpu::zip(&left.to_array(), &right.to_array(), &shape, by);
    Ok(Tensor::from_array::<i64>(wide).cast(dtype))
}
