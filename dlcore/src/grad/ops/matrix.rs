//! Matrix products, the dense layer, dropout.

use ndarray::{ArrayView2, Axis, Ix2, IxDyn};

use super::{Products, Rule, Step, apply, apply_any, unbroadcast};
use crate::device::{Cpu, Kernels, cpu};
use crate::tensor::{Array, Real, broadcast, float, float2, row_major, same_float, with_slice};
use crate::{DType, Error, Result, Tensor};

fn matrix<T: Real>(array: &Array<T>) -> ArrayView2<'_, T> {
    array.view().into_dimensionality::<Ix2>().expect("two axes")
}

/// The last two axes exchanged; a view, which the product reads as it lies.
fn swapped(tensor: &Tensor) -> Tensor {
    let mut axes: Vec<usize> = (0..tensor.ndim()).collect();
    let last = axes.len() - 1;
    axes.swap(last - 1, last);
    tensor.permute(&axes)
}

/// The product over the last two axes, the axes before them broadcast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matmul {
    pub(crate) products: Products,
}

impl Matmul {
    pub(crate) fn now() -> Matmul {
        Matmul {
            products: Products::now(),
        }
    }
}

impl Rule for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let [left, right] = inputs else {
            unreachable!("two operands");
        };
        let ([.., m, k], [.., l, n]) = (*left, *right) else {
            return Err(Error::Shape(format!(
                "matmul: shapes {left:?} and {right:?}: both need at least two axes; for vectors \
                 there is dot"
            )));
        };
        if k != l {
            return Err(Error::Shape(format!(
                "matmul: shapes {left:?} and {right:?} do not fit: the last axis of the left, {k}, \
                 must equal the last axis but one of the right, {l}"
            )));
        }
        let before = |shape: &[usize]| shape[..shape.len() - 2].to_vec();
        let batch = broadcast("matmul", &before(left), &before(right))?;
        Ok([&batch[..], &[*m, *n]].concat())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        let [left, right] = [0, 1].map(|side| self.products.rounded(inputs[side]));
        float2!(left, right, (a, b) => Tensor::from_values(shape, products(a, b, shape)))
    }

    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let (a, b) = (&step.inputs[0], &step.inputs[1]);
        step.each(|side| match side {
            0 => unbroadcast(apply_any(*self, &[gradient, &swapped(b)]), a.shape()),
            _ => unbroadcast(apply_any(*self, &[&swapped(a), gradient]), b.shape()),
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

fn products<T: Real>(a: &Array<T>, b: &Array<T>, shape: &[usize]) -> Vec<T> {
    if shape.len() == 2 {
        return Cpu::gemm(matrix(a), matrix(b), None);
    }
    let batch = &shape[..shape.len() - 2];
    let widened = |array: &Array<T>| {
        let own = &array.shape()[array.ndim() - 2..];
        [batch, own].concat()
    };
    let (a_shape, b_shape) = (widened(a), widened(b));
    let a = a.broadcast(IxDyn(&a_shape)).expect("the shape rule holds");
    let b = b.broadcast(IxDyn(&b_shape)).expect("the shape rule holds");
    let mut result = Vec::with_capacity(shape.iter().product());
    for index in ndarray::indices(IxDyn(batch)) {
        let mut left = a.view();
        let mut right = b.view();
        for axis in 0..batch.len() {
            left.index_axis_inplace(Axis(0), index[axis]);
            right.index_axis_inplace(Axis(0), index[axis]);
        }
        let left = left.into_dimensionality().expect("two axes are left");
        let right = right.into_dimensionality().expect("two axes are left");
        result.extend(Cpu::gemm(left, right, None));
    }
    result
}

/// `x · kernel + bias`, the dense layer without its activation; sparse rows stay sparse.
///
/// # Shapes
/// `x` `[…, features]`, `kernel` `[features, units]`, `bias` `[units]`; returns `[…, units]`.
///
/// # Errors
/// [`Error::Shape`], naming the shapes, if these do not fit.
pub fn dense(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    dense_op(false, x, kernel, bias)
}

/// `max(x · kernel + bias, 0)`: [`dense`] and the activation used most, in one operation.
pub(crate) fn dense_relu(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    dense_op(true, x, kernel, bias)
}

fn dense_op(relu: bool, x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let op = Dense {
        relu,
        products: Products::now(),
    };
    let dtype = kernel.dtype();
    let alike = |tensor: &Tensor| tensor.dtype() == dtype && !tensor.is_sparse();
    if dtype.is_float()
        && [Some(x), Some(kernel), bias]
            .into_iter()
            .flatten()
            .all(alike)
    {
        return match bias {
            None => apply(op, &[x, kernel]),
            Some(bias) => apply(op, &[x, kernel, bias]),
        };
    }
    let kernel = kernel.as_float();
    let x = if x.is_sparse() && kernel.dtype() == DType::F32 && x.node().is_none() {
        x.clone()
    } else {
        x.to_dense().cast(kernel.dtype())
    };
    match bias {
        None => apply(op, &[&x, &kernel]),
        Some(bias) => apply(op, &[&x, &kernel, &bias.to_dense().cast(kernel.dtype())]),
    }
}

/// See [`dense`]: the operands are `x`, the kernel and, if there is one, the bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dense {
    /// Whether negative results become 0.
    pub(crate) relu: bool,
    pub(crate) products: Products,
}

impl Rule for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let (x, kernel) = (inputs[0], inputs[1]);
        let fits = match (x, kernel) {
            ([.., features], [rows, units]) => {
                features == rows && inputs.get(2).is_none_or(|bias| *bias == [*units])
            }
            _ => false,
        };
        if !fits {
            let bias = inputs
                .get(2)
                .map(|bias| format!(" and bias {bias:?}"))
                .unwrap_or_default();
            return Err(Error::Shape(format!(
                "dense: input {x:?}, kernel {kernel:?}{bias} do not fit: expected […, features], \
                 [features, units] and [units]"
            )));
        }
        Ok([&x[..x.len() - 1], &kernel[1..]].concat())
    }

    fn forward(&self, inputs: &[&Tensor], shape: &[usize]) -> Tensor {
        fn run<T: Real>(x: &Tensor, kernel: &Array<T>, bias: Option<&&Tensor>) -> Vec<T> {
            let array = |tensor: &Tensor| row_major(T::array(tensor.storage()).expect("one type"));
            let bias = bias.map(|bias| array(bias));
            let bias = bias.as_ref().and_then(|bias| bias.as_slice());
            if let Some(rows) = x.sparse() {
                return Cpu::sparse_gemm(rows, matrix(kernel), bias);
            }
            let x = as_rows(x);
            let x = T::array(x.storage()).expect("one type");
            Cpu::gemm(matrix(x), matrix(kernel), bias)
        }
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(inputs[side]));
        float!(kernel, kernel => {
            let mut values = run(&x, kernel, inputs.get(2));
            if self.relu {
                cpu::relu(&mut values);
            }
            Tensor::from_values(shape, values)
        })
    }

    /// `∂x = g · kernelᵀ`, `∂kernel = xᵀ · g`, `∂bias = Σ g`
    fn gradient(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let masked = self.relu.then(|| relu_gradient(step, gradient));
        let gradient = as_rows(masked.as_ref().unwrap_or(gradient));
        let (x, kernel) = (&step.inputs[0], &step.inputs[1]);
        if !step.recorded(&gradient) {
            return self.products_back(step, &gradient);
        }
        let product = Matmul {
            products: self.products,
        };
        step.each(|side| match side {
            0 => apply_any(product, &[&gradient, &swapped(kernel)]).reshape(x.shape()),
            1 => apply_any(product, &[&swapped(&as_rows(&x.to_dense())), &gradient]),
            _ => gradient.sum_axis(0),
        })
    }

    fn differentiable_twice(&self) -> bool {
        true
    }
}

impl Dense {
    /// The gradients, given that of the result as rows: the products themselves, not operations.
    fn products_back(&self, step: &Step<'_>, gradient: &Tensor) -> Vec<Option<Tensor>> {
        let [x, kernel] = [0, 1].map(|side| self.products.rounded(&step.inputs[side]));
        let rounded = self.products.rounded(gradient);
        step.each(|side| match side {
            0 | 1 => float2!(rounded, kernel, (g, kernel) => {
                let values = share(side, &x, g, kernel);
                Tensor::from_values(step.inputs[side].shape(), values)
            }),
            _ => float!(gradient, g => {
                let (rows, units) = (g.shape()[0], g.shape()[1]);
                let values = with_slice(g, |g| cpu::sum_axis(g, (1, rows, units)));
                Tensor::from_values(step.inputs[side].shape(), values)
            }),
        })
    }
}

/// `∂x` of [`Dense`] for side 0, else `∂kernel`.
fn share<T: Real>(side: usize, x: &Tensor, gradient: &Array<T>, kernel: &Array<T>) -> Vec<T> {
    let g = matrix(gradient);
    match (side, x.sparse()) {
        (0, _) => Cpu::gemm(g, matrix(kernel).reversed_axes(), None),
        (_, Some(rows)) => Cpu::sparse_transposed_gemm(rows, g),
        (_, None) => {
            let x = as_rows(x);
            let x = T::array(x.storage()).expect("one type");
            Cpu::gemm(matrix(x).reversed_axes(), g, None)
        }
    }
}

/// The gradient of what went into a relu that gave the step's output.
pub(super) fn relu_gradient(step: &Step<'_>, gradient: &Tensor) -> Tensor {
    let y = step.output;
    if step.recorded(gradient) {
        return gradient * y.greater(0).cast(y.dtype());
    }
    float2!(gradient, y, (g, y) => Tensor::from_array(cpu::zip_same(
        g,
        y,
        #[inline(always)]
        |g, y| g * indicator(y),
    )))
}

/// 1 above 0, else 0.
#[inline(always)]
pub(crate) fn indicator<T: Real>(y: T) -> T {
    if y > T::zero() { T::one() } else { T::zero() }
}

/// All axes but the last made one.
fn as_rows(x: &Tensor) -> Tensor {
    match x.shape() {
        [_, _] => x.clone(),
        [before @ .., last] => x.reshape([before.iter().product::<usize>(), *last]),
        [] => unreachable!("the shape rule wants a last axis"),
    }
}

/// Each element set to 0 with probability `rate`, the others scaled by `1 / (1 - rate)`, so that
/// the mean stays. The same seed drops the same elements.
///
/// # Errors
/// [`Error::Value`] if `rate` is not in `[0, 1)`.
pub fn dropout(x: &Tensor, rate: f64, seed: u64) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) {
        return Err(Error::Value(format!(
            "dropout: expected a rate of at least 0 and below 1, got {rate}"
        )));
    }
    let x = x.as_float();
    if rate == 0.0 {
        return Ok(x);
    }
    let mask = crate::random::dropout_mask(x.shape(), rate, seed);
    let (x, mask) = same_float(&x, &mask);
    x.try_mul(&mask)
}
