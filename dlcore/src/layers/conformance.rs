//! What every layer must pass; a new layer is tested by one call.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{Call, Layer, build_with, count_params, describe, from_config};
use crate::device::{cuda, default_device};
use crate::grad::{GradientTape, check_gradients};
use crate::tensor::expect;
use crate::{DType, Device, Tensor};

/// A layer and what is expected of it; shapes are those of one sample.
pub(crate) struct Case {
    layer: Box<dyn Layer>,
    inputs: Vec<Vec<usize>>,
    outputs: Vec<Vec<usize>>,
    params: usize,
    refused: Vec<(Vec<Vec<usize>>, &'static str)>,
    /// Inputs are class numbers below this, for which there is no gradient.
    classes: Option<usize>,
    /// Whether the output is random while training, so that its gradient is checked at inference only.
    random: bool,
    /// How many axes of a batch the masks of the inputs have, if calls are to have some.
    mask: Option<usize>,
    /// What numbers are copied from a card for: what is left to the processor.
    copied: BTreeSet<&'static str>,
}

impl Case {
    /// A layer with one input and one output, and so many numbers in its weights and state.
    pub(crate) fn new(
        layer: impl Layer + 'static,
        input: &[usize],
        output: &[usize],
        params: usize,
    ) -> Case {
        Self::many(layer, &[input], &[output], params)
    }

    /// A layer with several inputs or outputs.
    pub(crate) fn many(
        layer: impl Layer + 'static,
        inputs: &[&[usize]],
        outputs: &[&[usize]],
        params: usize,
    ) -> Case {
        Self::boxed(Box::new(layer), inputs, outputs, params)
    }

    /// [`Case::many`] for a layer whose type is not known.
    pub(crate) fn boxed(
        layer: Box<dyn Layer>,
        inputs: &[&[usize]],
        outputs: &[&[usize]],
        params: usize,
    ) -> Case {
        let owned = |shapes: &[&[usize]]| shapes.iter().map(|shape| shape.to_vec()).collect();
        Case {
            layer,
            inputs: owned(inputs),
            outputs: owned(outputs),
            params,
            refused: Vec::new(),
            classes: None,
            random: false,
            mask: None,
            copied: BTreeSet::new(),
        }
    }

    /// What a card leaves to the processor, by the names under which it is counted.
    pub(crate) fn copies(mut self, copied: &[&'static str]) -> Case {
        self.copied.extend(copied);
        self
    }

    /// A shape that is refused once the layer is built, and a part of what is said then.
    pub(crate) fn refuses(self, shape: &[usize], words: &'static str) -> Case {
        self.refuses_many(&[shape], words)
    }

    /// [`Case::refuses`] for several inputs.
    pub(crate) fn refuses_many(mut self, shapes: &[&[usize]], words: &'static str) -> Case {
        let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
        self.refused.push((shapes, words));
        self
    }

    /// Inputs are class numbers below `classes`.
    pub(crate) fn classes(mut self, classes: usize) -> Case {
        self.classes = Some(classes);
        self
    }

    /// The output is random while training.
    pub(crate) fn random(mut self) -> Case {
        self.random = true;
        self
    }

    /// Calls are checked with a mask of each input's timesteps too.
    pub(crate) fn mask(self) -> Case {
        self.mask_of(2)
    }

    /// [`Case::mask`] of so many axes, the batch axis among them.
    pub(crate) fn mask_of(mut self, axes: usize) -> Case {
        self.mask = Some(axes);
        self
    }

    /// The call, with irregular masks where the inputs have some.
    fn call(&self, inputs: &[Tensor], training: bool, masked: bool) -> Call {
        let mask = |input: &Tensor| {
            let shape = &input.shape()[..self.mask?];
            let length: usize = shape.iter().product();
            let counts = (0..length).map(|i| i % 3 != 1).collect();
            Some(Tensor::from_values(shape, counts))
        };
        Call {
            training,
            masks: match masked {
                true => inputs.iter().map(mask).collect(),
                false => Vec::new(),
            },
        }
    }

    fn batch(&self, size: usize) -> Vec<Tensor> {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .map(|(index, shape)| match self.classes {
                None => batch(size, shape, index),
                Some(classes) => class_numbers(size, shape, classes),
            })
            .collect()
    }
}

/// Builds the layer and checks shapes, parameter counts, gradients, copies, saving and refusals.
///
/// # Panics
/// At the first thing that is not as expected.
pub(crate) fn check_layer(mut case: Case) {
    let what = describe(&*case.layer);
    assert!(!case.layer.is_built(), "{what} is built before build()");
    let unbuilt = count_params(&*case.layer);
    assert_eq!(unbuilt, 0, "{what} has weights before build()");
    case.layer.build_many(&case.inputs).unwrap();
    assert!(case.layer.is_built(), "{what} is not built after build()");
    let outputs = case.layer.output_shapes(&case.inputs).unwrap();
    assert_eq!(outputs, case.outputs, "{what}: output_shapes");
    let params = count_params(&*case.layer);
    assert_eq!(params, case.params, "{what}: parameters");
    check_forward(&case);
    check_weights(&mut *case.layer);
    for masked in [false, true] {
        if masked && case.mask.is_none() {
            continue;
        }
        check_gradient(&case, false, masked);
        if !case.random {
            check_gradient(&case, true, masked);
        }
    }
    check_double(&mut case);
    check_device(&case);
    check_config(&case);
    check_freezing(&mut *case.layer);
    for (shapes, words) in &case.refused {
        let error = case.layer.output_shapes(shapes);
        let error = error.expect_err("a shape that does not fit").to_string();
        assert!(
            error.starts_with(&what),
            "{error:?} does not begin with {what:?}"
        );
        assert!(error.contains(words), "{error:?} does not say {words:?}");
        check_refused_call(&*case.layer, shapes);
    }
}

/// What does not fit is told by the layer itself, not by an operation somewhere in it.
fn check_refused_call(layer: &dyn Layer, shapes: &[Vec<usize>]) {
    let what = describe(layer);
    let inputs: Vec<Tensor> = shapes
        .iter()
        .map(|shape| Tensor::zeros([&[3], &shape[..]].concat()))
        .collect();
    let call = || layer.call(&inputs, &Call::inference());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    let Err(panic) = panic else {
        panic!("{what}: takes inputs of shapes {shapes:?}, which output_shapes refuses");
    };
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(
        text.starts_with(&what),
        "{what}: a call of {shapes:?} says {text:?}"
    );
}

/// Irregular numbers, no two of a sample equal, and nowhere near zero, where relu has no derivative to
/// compare.
fn batch(size: usize, shape: &[usize], index: usize) -> Tensor {
    let full = [&[size], shape].concat();
    let length: usize = full.iter().product();
    let values = (0..length)
        .map(|i| (((i * 37 + 11 * index) % 101) as f32 - 50.3) / 38.0)
        .collect();
    Tensor::from_shape_vec(full, values).unwrap()
}

fn class_numbers(size: usize, shape: &[usize], classes: usize) -> Tensor {
    let full = [&[size], shape].concat();
    let length: usize = full.iter().product();
    let values: Vec<i64> = (0..length).map(|i| (i * 7 % classes) as i64).collect();
    Tensor::from(values).reshape(full)
}

fn check_forward(case: &Case) {
    let (layer, what) = (&case.layer, describe(&*case.layer));
    for size in [1, 3] {
        let inputs = case.batch(size);
        for (training, masked) in [(false, false), (true, false), (false, true), (true, true)] {
            let call = case.call(&inputs, training, masked);
            let outputs = layer.call(&inputs, &call);
            check_mask(case, &inputs, &call, &outputs[0]);
            assert_eq!(outputs.len(), case.outputs.len(), "{what}: outputs");
            for (output, shape) in outputs.iter().zip(&case.outputs) {
                let full = [&[size], &shape[..]].concat();
                assert_eq!(output.shape(), full, "{what}: output");
                assert_eq!(output.dtype(), DType::F32, "{what}: output type");
            }
        }
        let outputs = layer.call(&inputs, &Call::inference());
        let again = layer.call(&inputs, &Call::inference());
        assert!(outputs == again, "{what}: inference differs from itself");
        if let (Some(activation), [x]) = (layer.activation(), &inputs[..]) {
            let logits = layer.forward_logits(x, false);
            assert_eq!(outputs[0], activation.apply(&logits), "{what}: logits");
        }
    }
}

/// The mask that a layer passes on fits its first output.
fn check_mask(case: &Case, inputs: &[Tensor], call: &Call, output: &Tensor) {
    let Some(mask) = case.layer.output_mask(inputs, &call.masks) else {
        return;
    };
    let what = describe(&*case.layer);
    assert_eq!(mask.dtype(), DType::Bool, "{what}: type of the mask");
    assert!(
        output.shape().starts_with(mask.shape()),
        "{what}: a mask of shape {:?} for an output of shape {:?}",
        mask.shape(),
        output.shape()
    );
}

/// On the default device the layer computes what it computes on the processor, forwards and back, and leaves that
/// nothing but what is said.
fn check_device(case: &Case) {
    let (what, device) = (describe(&*case.layer), default_device());
    let inputs = case.batch(3);
    let run = |layer: &dyn Layer, inputs: &[Tensor], training: bool, masked: bool| {
        let tape = GradientTape::new();
        let mut layer = layer.clone_box();
        for weight in layer.weights_mut() {
            expect(tape.watch_here(weight));
        }
        let free = if case.classes.is_some() {
            0
        } else {
            inputs.len()
        };
        let mut watched = inputs.to_vec();
        for input in &mut watched[..free] {
            *input = tape.watch(input);
        }
        let outputs = layer.call(&watched, &case.call(inputs, training, masked));
        layer.discard();
        let loss = outputs.iter().map(|output| (output * output).sum());
        let loss = loss.reduce(|sum, one| sum + one).expect("an output");
        let weights: Vec<Tensor> = layer.weights().into_iter().cloned().collect();
        let sources: Vec<&Tensor> = watched[..free].iter().chain(&weights).collect();
        let gradients = match sources.is_empty() {
            true => Vec::new(),
            false => tape.gradient(&loss, &sources),
        };
        outputs.into_iter().chain(gradients).collect::<Vec<_>>()
    };
    let mut layer = case.layer.clone_box();
    for weight in layer.weights_mut() {
        *weight = weight.to(device).unwrap();
    }
    for state in layer.state_mut() {
        *state = state.to(device).unwrap();
    }
    let moved: Vec<Tensor> = inputs.iter().map(|x| x.to(device).unwrap()).collect();
    for (training, masked) in [(false, false), (true, false), (false, true), (true, true)] {
        if training && case.random || masked && case.mask.is_none() {
            continue;
        }
        let expected = run(&*case.layer, &inputs, training, masked);
        let (got, copied) = cuda::fallback::seen(|| run(&*layer, &moved, training, masked));
        assert!(
            copied.is_subset(&case.copied),
            "{what} on {device} (training: {training}, masks: {masked}): copied from there for {copied:?}"
        );
        for (got, expected) in got.iter().zip(&expected) {
            let worst = (got.to(Device::Cpu).unwrap() - expected).abs().max().item();
            let scale = expected.abs().max().item().max(1.0);
            assert!(
                worst <= 5e-5 * scale,
                "{what} on {device} (training: {training}): off by {worst}"
            );
        }
    }
}

/// With weights and inputs in double precision the output is so too, and the same.
fn check_double(case: &mut Case) {
    let what = describe(&*case.layer);
    let inputs = case.batch(3);
    let single = case.layer.call(&inputs, &Call::inference());
    let mut layer = case.layer.clone_box();
    for weight in layer.weights_mut() {
        *weight = weight.cast(DType::F64);
    }
    for state in layer.state_mut() {
        *state = state.cast(DType::F64);
    }
    let inputs: Vec<Tensor> = inputs
        .iter()
        .map(|input| match input.dtype().is_float() {
            true => input.cast(DType::F64),
            false => input.clone(),
        })
        .collect();
    let double = layer.call(&inputs, &Call::inference());
    for (single, double) in single.iter().zip(&double) {
        assert_eq!(double.dtype(), DType::F64, "{what}: in double precision");
        let scale = single.abs().max().item().max(1.0);
        let worst = (single.cast(DType::F64) - double).abs().max().item();
        assert!(
            worst < 1e-5 * scale,
            "{what}: off by {worst} in double precision"
        );
    }
    let trained = layer.call(&inputs, &Call::training());
    layer.commit();
    assert_eq!(
        trained[0].dtype(),
        DType::F64,
        "{what}: training in double precision"
    );
    let doubles = layer.weights().into_iter().chain(layer.state());
    let types: Vec<DType> = doubles.map(Tensor::dtype).collect();
    assert!(types.iter().all(|&t| t == DType::F64), "{what}: {types:?}");
}

fn check_weights(layer: &mut dyn Layer) {
    let what = describe(layer);
    let copy = layer.clone_box();
    let all = |layer: &dyn Layer| -> Vec<Tensor> {
        let both = layer.weights().into_iter().chain(layer.state());
        both.cloned().collect()
    };
    let before = all(layer);
    let places = (layer.weights().len(), layer.state().len());
    let mutable = (layer.weights_mut().len(), layer.state_mut().len());
    assert_eq!(places, mutable, "{what}: weights and weights_mut");
    let (weights, state) = before.split_at(places.0);
    for (weight, before) in layer.weights_mut().into_iter().zip(weights) {
        assert_eq!(
            weight, before,
            "{what}: weights and weights_mut are in one order"
        );
        *weight += 1.0;
    }
    for (weight, before) in layer.state_mut().into_iter().zip(state) {
        assert_eq!(weight, before, "{what}: state and state_mut");
        *weight += 1.0;
    }
    assert!(
        all(&*copy) == before,
        "{what}: a copy changed with the original"
    );
    for (weight, before) in layer.weights_mut().into_iter().zip(weights) {
        weight.clone_from(before);
    }
    for (weight, before) in layer.state_mut().into_iter().zip(state) {
        weight.clone_from(before);
    }
}

/// Every weight and input against finite differences, in double precision.
fn check_gradient(case: &Case, training: bool, masked: bool) {
    let what = describe(&*case.layer);
    let inputs = case.batch(3);
    let free = if case.classes.is_some() {
        0
    } else {
        inputs.len()
    };
    let mut sources = inputs[..free].to_vec();
    sources.extend(case.layer.weights().into_iter().cloned());
    if sources.is_empty() {
        return;
    }
    let layer = Mutex::new(case.layer.clone_box());
    let error = check_gradients(
        |tensors| {
            let mut layer = layer.lock().unwrap();
            for (weight, tensor) in layer.weights_mut().into_iter().zip(&tensors[free..]) {
                *weight = tensor.clone();
            }
            let mut inputs = inputs.clone();
            inputs[..free].clone_from_slice(&tensors[..free]);
            let call = case.call(&inputs, training, masked);
            let outputs = layer.call(&inputs, &call);
            layer.discard();
            let outputs = outputs.iter().map(|output| output.flatten());
            let outputs: Vec<Tensor> = outputs.collect();
            let together = Tensor::concat(&outputs.iter().collect::<Vec<_>>(), 0);
            match layer.penalty() {
                Some(penalty) => together + penalty,
                None => together,
            }
        },
        &sources,
    );
    let error = error.unwrap();
    assert!(
        error < 1e-6,
        "{what}: gradients (training: {training}, masks: {masked}) differ from finite differences by {error}"
    );
}

/// Made again from its settings and weights, the layer is the same.
fn check_config(case: &Case) {
    let (layer, what) = (&case.layer, describe(&*case.layer));
    let Some(config) = layer.config() else {
        return;
    };
    let weights = layer.weights().into_iter().chain(layer.state());
    let weights: Vec<Tensor> = weights.cloned().collect();
    let mut again = from_config(layer.kind(), &config).unwrap();
    assert_eq!(again.config().unwrap(), config, "{what}: settings");
    assert_eq!(describe(&*again), what);
    build_with(&mut *again, &case.inputs, weights.clone()).unwrap();
    let inputs = case.batch(3);
    let (old, new) = (
        layer.call(&inputs, &Call::inference()),
        again.call(&inputs, &Call::inference()),
    );
    assert!(old == new, "{what}: made again it computes something else");
    let mut extra = weights;
    extra.push(Tensor::ones([7, 7, 7]));
    let mut again = from_config(layer.kind(), &config).unwrap();
    let error = build_with(&mut *again, &case.inputs, extra);
    assert!(
        error.is_err(),
        "{what}: takes weights that it does not have"
    );
}

fn check_freezing(layer: &mut dyn Layer) {
    let what = describe(layer);
    assert!(layer.trainable(), "{what}: trainable at first");
    layer.set_trainable(false);
    assert!(!layer.trainable(), "{what}: set_trainable");
    layer.set_trainable(true);
}
