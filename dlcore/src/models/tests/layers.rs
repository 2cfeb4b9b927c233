//! Small layers that models are tested with.

use std::sync::Mutex;

use crate::layers::{Call, Layer};
use crate::{DType, Error, Result, Tensor};

/// The sum of its inputs.
#[derive(Clone)]
pub(super) struct Plus(pub(super) &'static str);

impl Layer for Plus {
    fn name(&self) -> &str {
        self.0
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn build_many(&mut self, _: &[Vec<usize>]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(shape.to_vec())
    }
    fn output_shapes(&self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        match shapes.iter().all(|shape| *shape == shapes[0]) {
            true => Ok(vec![shapes[0].clone()]),
            false => Err(Error::Shape(format!(
                "{} (Plus): expected inputs of one shape, got {shapes:?}",
                self.0
            ))),
        }
    }
    fn forward(&self, x: &Tensor, _: bool) -> Tensor {
        x.clone()
    }
    fn call(&self, inputs: &[Tensor], _: &Call) -> Vec<Tensor> {
        let sum = inputs.iter().cloned().reduce(|sum, x| sum + x);
        vec![sum.unwrap()]
    }
}

/// Its inputs one behind the other.
#[derive(Clone)]
pub(super) struct Together(pub(super) &'static str);

impl Layer for Together {
    fn name(&self) -> &str {
        self.0
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn build_many(&mut self, _: &[Vec<usize>]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(shape.to_vec())
    }
    fn output_shapes(&self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        let mut whole = shapes[0].clone();
        let last = whole.len() - 1;
        whole[last] = shapes.iter().map(|shape| shape[last]).sum();
        Ok(vec![whole])
    }
    fn forward(&self, x: &Tensor, _: bool) -> Tensor {
        x.clone()
    }
    fn call(&self, inputs: &[Tensor], _: &Call) -> Vec<Tensor> {
        vec![Tensor::concat(&inputs.iter().collect::<Vec<_>>(), -1)]
    }
}

/// The two halves of its input's last axis.
#[derive(Clone)]
pub(super) struct Halves;

impl Layer for Halves {
    fn name(&self) -> &str {
        "halves"
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(vec![shape[0] / 2])
    }
    fn output_shapes(&self, shapes: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
        let half = self.output_shape(&shapes[0])?;
        Ok(vec![half.clone(), half])
    }
    fn forward(&self, x: &Tensor, _: bool) -> Tensor {
        x.clone()
    }
    fn call(&self, inputs: &[Tensor], _: &Call) -> Vec<Tensor> {
        let half = inputs[0].shape()[1] as isize / 2;
        vec![inputs[0].slice((.., ..half)), inputs[0].slice((.., half..))]
    }
}

/// Scales by one weight, knows nothing of freezing, and counts the training batches that came to
/// something.
pub(super) struct Counter {
    pub(super) name: &'static str,
    factor: Option<Tensor>,
    count: Tensor,
    noted: Mutex<f64>,
}

impl Counter {
    pub(super) fn new(name: &'static str) -> Counter {
        Counter {
            name,
            factor: None,
            count: Tensor::zeros([1]),
            noted: Mutex::new(0.0),
        }
    }
}

impl Clone for Counter {
    fn clone(&self) -> Self {
        Counter {
            name: self.name,
            factor: self.factor.clone(),
            count: self.count.clone(),
            noted: Mutex::new(*self.noted.lock().unwrap()),
        }
    }
}

impl Layer for Counter {
    fn name(&self) -> &str {
        self.name
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        self.factor = Some(Tensor::ones([1]));
        Ok(())
    }
    fn is_built(&self) -> bool {
        self.factor.is_some()
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(shape.to_vec())
    }
    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        if training {
            *self.noted.lock().unwrap() += 1.0;
        }
        x * self.factor.as_ref().unwrap()
    }
    fn weights(&self) -> Vec<&Tensor> {
        self.factor.iter().collect()
    }
    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        self.factor.iter_mut().collect()
    }
    fn state(&self) -> Vec<&Tensor> {
        vec![&self.count]
    }
    fn state_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.count]
    }
    fn commit(&mut self) {
        let noted = std::mem::take(self.noted.get_mut().unwrap());
        self.count = &self.count + noted;
    }
    fn discard(&mut self) {
        *self.noted.get_mut().unwrap() = 0.0;
    }
}

/// Says that timesteps whose features are all 0 do not count.
#[derive(Clone)]
pub(super) struct Masks;

impl Layer for Masks {
    fn name(&self) -> &str {
        "masks"
    }
    fn build(&mut self, _: &[usize]) -> Result<()> {
        Ok(())
    }
    fn is_built(&self) -> bool {
        true
    }
    fn output_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        Ok(shape.to_vec())
    }
    fn forward(&self, x: &Tensor, _: bool) -> Tensor {
        x.clone()
    }
    fn output_mask(&self, inputs: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        Some(
            inputs[0]
                .abs()
                .sum_axis(-1)
                .greater(&Tensor::from(0.0))
                .cast(DType::Bool),
        )
    }
}
