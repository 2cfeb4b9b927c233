//! What every layer must pass; a new layer is tested by one call.

use std::sync::Mutex;

use super::{Layer, count_params, describe};
use crate::grad::check_gradients;
use crate::{DType, Tensor};

/// A layer and what is expected of it; shapes are those of one sample.
pub(crate) struct Case {
    pub(crate) layer: Box<dyn Layer>,
    pub(crate) input_shape: Vec<usize>,
    pub(crate) output_shape: Vec<usize>,
    pub(crate) params: usize,
    /// Shapes that are refused once it is built, and a part of what is said then.
    pub(crate) refused: Vec<(Vec<usize>, &'static str)>,
}

/// Builds the layer and checks shapes, parameter counts, gradients, copies and refusals.
///
/// # Panics
/// At the first thing that is not as expected.
pub(crate) fn check_layer(case: Case) {
    let Case {
        mut layer,
        input_shape,
        output_shape,
        params,
        refused,
    } = case;
    let what = describe(&*layer);
    assert!(!layer.is_built(), "{what} is built before build()");
    assert_eq!(
        count_params(&*layer),
        0,
        "{what} has weights before build()"
    );
    layer.build(&input_shape).unwrap();
    assert!(layer.is_built(), "{what} is not built after build()");
    assert_eq!(
        layer.output_shape(&input_shape).unwrap(),
        output_shape,
        "{what}: output_shape"
    );
    assert_eq!(count_params(&*layer), params, "{what}: parameters");
    check_forward(&*layer, &input_shape, &output_shape);
    check_weights(&mut *layer);
    check_gradient(&*layer, &input_shape);
    for (shape, words) in refused {
        let error = layer
            .output_shape(&shape)
            .expect_err("a shape that does not fit")
            .to_string();
        assert!(
            error.starts_with(&what),
            "{error:?} does not begin with {what:?}"
        );
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}

fn batch(size: usize, shape: &[usize]) -> Tensor {
    let full = [&[size], shape].concat();
    let length: usize = full.iter().product();
    // Irregular, and nowhere near zero, where relu has no derivative to compare.
    let values = (0..length)
        .map(|i| ((i * 37 % 19) as f32 - 9.3) / 7.0)
        .collect();
    Tensor::from_shape_vec(full, values).unwrap()
}

fn check_forward(layer: &dyn Layer, input_shape: &[usize], output_shape: &[usize]) {
    let what = describe(layer);
    for size in [1, 3] {
        let x = batch(size, input_shape);
        for training in [false, true] {
            let y = layer.forward(&x, training);
            assert_eq!(
                y.shape(),
                [&[size], output_shape].concat(),
                "{what}: output"
            );
            assert_eq!(y.dtype(), DType::F32, "{what}: output type");
        }
        let y = layer.forward(&x, false);
        assert_eq!(
            y,
            layer.forward(&x, false),
            "{what}: inference differs from itself"
        );
        if let Some(activation) = layer.activation() {
            let logits = layer.forward_logits(&x, false);
            assert_eq!(y, activation.apply(&logits), "{what}: logits");
        }
    }
}

fn check_weights(layer: &mut dyn Layer) {
    let what = describe(layer);
    let copy = layer.clone_box();
    let before: Vec<Tensor> = layer.weights().into_iter().cloned().collect();
    assert_eq!(
        before.len(),
        layer.weights_mut().len(),
        "{what}: weights and weights_mut"
    );
    for (weight, before) in layer.weights_mut().into_iter().zip(&before) {
        assert_eq!(
            weight, before,
            "{what}: weights and weights_mut are in one order"
        );
        *weight += 1.0;
    }
    for (weight, before) in copy.weights().into_iter().zip(&before) {
        assert_eq!(weight, before, "{what}: a copy changed with the original");
    }
    for (weight, before) in layer.weights_mut().into_iter().zip(before) {
        *weight = before;
    }
}

/// Every weight and the input against finite differences, in double precision, at inference.
fn check_gradient(layer: &dyn Layer, input_shape: &[usize]) {
    let what = describe(layer);
    let mut inputs = vec![batch(3, input_shape)];
    inputs.extend(layer.weights().into_iter().cloned());
    let layer = Mutex::new(layer.clone_box());
    let error = check_gradients(
        |tensors| {
            let mut layer = layer.lock().unwrap();
            for (weight, tensor) in layer.weights_mut().into_iter().zip(&tensors[1..]) {
                *weight = tensor.clone();
            }
            layer.forward(&tensors[0], false)
        },
        &inputs,
    );
    let error = error.unwrap();
    assert!(
        error < 1e-6,
        "{what}: gradients differ from finite differences by {error}"
    );
}
