//! What products multiply: single precision, or, where a model is trained in mixed precision, bfloat16.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use crate::Tensor;
use crate::device::cpu::{self, Cost};
use crate::tensor::Storage;

/// What the operands of matrix products and convolutions are rounded to; their sums are of single precision. Noted in
/// an operation when it is applied, so that its gradient is computed in the same way, whenever that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Products {
    #[default]
    Single,
    Bfloat16,
}

thread_local! {
    static PRODUCTS: Cell<Products> = const { Cell::new(Products::Single) };
}

impl Products {
    /// Of the operations that this thread applies.
    pub(crate) fn now() -> Products {
        PRODUCTS.get()
    }

    /// Computes with such products.
    pub(crate) fn during<R>(self, compute: impl FnOnce() -> R) -> R {
        struct Restore(Products);
        impl Drop for Restore {
            fn drop(&mut self) {
                PRODUCTS.set(self.0);
            }
        }
        let _restore = Restore(PRODUCTS.replace(self));
        compute()
    }

    /// The tensor as it goes into a product; one of double precision stays as it is.
    pub(crate) fn rounded(self, tensor: &Tensor) -> Cow<'_, Tensor> {
        if self == Products::Single {
            return Cow::Borrowed(tensor);
        }
        if let Some(rows) = tensor.sparse() {
            let rows = Arc::new(rows.map(to_bfloat16));
            return Cow::Owned(Tensor::from_storage(Storage::Sparse(rows)));
        }
        match tensor.storage() {
            Storage::F32(array) => Cow::Owned(Tensor::from_array(cpu::map(
                array,
                Cost::Cheap,
                #[inline(always)]
                |x: f32| to_bfloat16(x),
            ))),
            _ => Cow::Borrowed(tensor),
        }
    }
}

/// The nearest number of 8 bits of mantissa, the even one of two, as a float.
#[inline(always)]
fn to_bfloat16(x: f32) -> f32 {
    let bits = x.to_bits();
    let half = 0x7FFF + ((bits >> 16) & 1);
    let rounded = f32::from_bits(bits.wrapping_add(half) & 0xFFFF_0000);
    if x.is_nan() { x } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::{GradientTape, ops};

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_to_the_even_one_of_two() {
        let unit = 1.0 / 128.0;
        for (x, expected) in [
            (1.0, 1.0),
            (1.0 + unit / 2.0, 1.0),
            (1.0 + unit * 1.5, 1.0 + 2.0 * unit),
            (1.0 + unit * 0.51, 1.0 + unit),
            (-1.0 - unit * 0.51, -1.0 - unit),
            (0.1, 0.100_097_656),
            (-0.0, -0.0),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
        ] {
            assert_eq!(to_bfloat16(x).to_bits(), f32::to_bits(expected), "{x}");
        }
        assert!(to_bfloat16(f32::NAN).is_nan());
        assert!(to_bfloat16(f32::from_bits(0x7F80_0001)).is_nan());
    }

    /// What `function` gives, and its gradients.
    fn computed(function: &dyn Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> Vec<Tensor> {
        let tape = GradientTape::new();
        let inputs: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
        let result = function(&inputs);
        let loss = (&result * &weights(result.shape())).sum();
        let sources: Vec<&Tensor> = inputs.iter().collect();
        [vec![result.detach()], tape.gradient(&loss, &sources)].concat()
    }

    /// Numbers that bfloat16 holds, so that a result's gradient is not rounded.
    fn weights(shape: &[usize]) -> Tensor {
        let count = shape.iter().product::<usize>();
        let value = |i: usize| (i * 7 % 11) as f32 / 4.0 - 1.0;
        Tensor::from_values(shape, (0..count).map(value).collect())
    }

    fn irregular(shape: &[usize], salt: usize) -> Tensor {
        let count = shape.iter().product::<usize>();
        let value = |i: usize| ((i * 37 + salt * 11) % 41) as f32 / 20.0 - 1.0;
        Tensor::from_values(shape, (0..count).map(value).collect())
    }

    /// A product in bfloat16 is one of rounded operands, forwards and back.
    #[test]
    fn products_are_those_of_rounded_operands() {
        let window = cpu::Window {
            size: [2, 2],
            strides: [1, 1],
            dilation: [1, 1],
            before: [0, 0],
        };
        type Function = Box<dyn Fn(&[Tensor]) -> Tensor>;
        let conv = move |x: &[Tensor]| {
            let op = ops::Conv {
                window,
                positions: [3, 4],
                groups: 1,
                relu: true,
                products: Products::now(),
            };
            ops::conv(&x[0], &x[1], None, op).unwrap()
        };
        let transposed = move |x: &[Tensor]| {
            let op = ops::ConvTranspose {
                window,
                images: [5, 6],
                products: Products::now(),
            };
            ops::conv_transpose(&x[0], &x[1], None, op).unwrap()
        };
        let by_channel = move |x: &[Tensor]| {
            let op = ops::DepthwiseConv {
                window,
                positions: [3, 4],
                products: Products::now(),
            };
            ops::depthwise_conv(&x[0], &x[1], None, op).unwrap()
        };
        let cases: [(&str, [&[usize]; 2], Function); 6] = [
            (
                "dense",
                [&[3, 5], &[5, 2]],
                Box::new(|x| ops::dense_relu(&x[0], &x[1], None).unwrap()),
            ),
            ("dot", [&[3, 5], &[5, 2]], Box::new(|x| x[0].dot(&x[1]))),
            (
                "matmul",
                [&[2, 3, 5], &[1, 5, 2]],
                Box::new(|x| x[0].matmul(&x[1])),
            ),
            ("conv", [&[2, 4, 5, 3], &[2, 2, 3, 2]], Box::new(conv)),
            (
                "conv_transpose",
                [&[2, 4, 5, 3], &[2, 2, 2, 3]],
                Box::new(transposed),
            ),
            (
                "depthwise_conv",
                [&[2, 4, 5, 3], &[2, 2, 3, 1]],
                Box::new(by_channel),
            ),
        ];
        for (name, shapes, function) in &cases {
            let inputs = [irregular(shapes[0], 1), irregular(shapes[1], 2)];
            let rounded = [0, 1].map(|side| Products::Bfloat16.rounded(&inputs[side]).into_owned());
            let mixed = Products::Bfloat16.during(|| computed(function, &inputs));
            assert_eq!(mixed, computed(function, &rounded), "{name}");
            assert_ne!(mixed, computed(function, &inputs), "{name}");
        }
    }

    #[test]
    fn what_comes_back_is_rounded_too() {
        let (x, kernel) = (Tensor::from([[1.0]]), Tensor::from([[1.0]]));
        let tape = GradientTape::new();
        let watched = tape.watch(&kernel);
        let y = Products::Bfloat16.during(|| ops::dense(&x, &watched, None).unwrap());
        let loss = (&y * 1.001).sum();
        assert_eq!(tape.gradient(&loss, &[&watched])[0].item(), 1.0);
    }

    #[test]
    fn products_are_single_again_after_a_panic() {
        let caught = std::panic::catch_unwind(|| Products::Bfloat16.during(|| panic!("stop")));
        assert!(caught.is_err());
        assert_eq!(Products::now(), Products::Single);
    }
}
