//! The steps of optimizers on a card: all weights in one launch.

use std::sync::Arc;

use super::array::DeviceArray;
use super::card::{Argument, Card};
use super::on_card;
use crate::optimizers::Adjust;
use crate::{Result, Tensor};

/// Weights of one launch at most, as the kernels have it.
const TENSORS: usize = 32;

/// The kernels' own `Tensors`.
#[repr(C)]
pub(super) struct Tensors {
    count: i32,
    scale: f32,
    limit: f32,
    decay: f32,
    first: [i64; TENSORS + 1],
    weights: [u64; TENSORS],
    gradients: [u64; TENSORS],
    slots: [u64; TENSORS],
    others: [u64; TENSORS],
    thirds: [u64; TENSORS],
}

/// What an optimizer does to each number of a weight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    Sgd {
        rate: f32,
    },
    SgdMomentum {
        rate: f32,
        momentum: f32,
        nesterov: bool,
    },
    RmsProp {
        rate: f32,
        rho: f32,
        rest: f32,
        epsilon: f32,
        momentum: f32,
        centered: bool,
    },
    Adam {
        alpha: f32,
        new_1: f32,
        new_2: f32,
        epsilon: f32,
        amsgrad: bool,
    },
    Adamax {
        alpha: f32,
        new_1: f32,
        beta_2: f32,
        epsilon: f32,
    },
    Nadam {
        from_moment: f32,
        from_gradient: f32,
        correction: f32,
        new_1: f32,
        new_2: f32,
        epsilon: f32,
    },
    Adagrad {
        rate: f32,
        epsilon: f32,
    },
    Adadelta {
        rate: f32,
        rho: f32,
        rest: f32,
        epsilon: f32,
    },
}

impl Rule {
    /// The kernel, and what it is given after the tensors.
    fn kernel(self) -> (&'static str, Vec<Argument<'static>>) {
        let floats = |numbers: &[f32]| numbers.iter().map(|&x| Argument::Float(x)).collect();
        let with = |numbers: &[f32], flag: bool| {
            let mut all: Vec<Argument<'static>> = floats(numbers);
            all.push(Argument::Int(i32::from(flag)));
            all
        };
        match self {
            Rule::Sgd { rate } => ("sgd", floats(&[rate])),
            Rule::SgdMomentum {
                rate,
                momentum,
                nesterov,
            } => ("sgd_momentum", with(&[rate, momentum], nesterov)),
            Rule::RmsProp {
                rate,
                rho,
                rest,
                epsilon,
                momentum,
                centered,
            } => (
                "rmsprop",
                with(&[rate, rho, rest, epsilon, momentum], centered),
            ),
            Rule::Adam {
                alpha,
                new_1,
                new_2,
                epsilon,
                amsgrad,
            } => ("adam", with(&[alpha, new_1, new_2, epsilon], amsgrad)),
            Rule::Adamax {
                alpha,
                new_1,
                beta_2,
                epsilon,
            } => ("adamax", floats(&[alpha, new_1, beta_2, epsilon])),
            Rule::Nadam {
                from_moment,
                from_gradient,
                correction,
                new_1,
                new_2,
                epsilon,
            } => {
                let first = [from_moment, from_gradient, correction];
                (
                    "nadam",
                    floats(&[&first[..], &[new_1, new_2, epsilon]].concat()),
                )
            }
            Rule::Adagrad { rate, epsilon } => ("adagrad", floats(&[rate, epsilon])),
            Rule::Adadelta {
                rate,
                rho,
                rest,
                epsilon,
            } => ("adadelta", floats(&[rate, rho, rest, epsilon])),
        }
    }
}

/// One weight's part of a step.
pub(crate) struct Part<'a> {
    pub(crate) weight: &'a mut Tensor,
    pub(crate) gradient: &'a Tensor,
    /// What the optimizer keeps beside the weight: as many as its rule needs.
    pub(crate) slots: Vec<&'a mut Arc<DeviceArray>>,
}

/// A step of weights that are all on `card`. If it fails, nothing has changed; more weights than one launch takes are
/// the exception where the card is lost between two launches, with all of them.
pub(crate) fn step(
    card: &'static Card,
    rule: Rule,
    adjust: Adjust,
    parts: &mut [Part<'_>],
) -> Result<()> {
    // Everything that needs memory comes before anything changes.
    let mut gradients = Vec::with_capacity(parts.len());
    for part in parts.iter_mut() {
        let gradient = part.gradient.to_dense().cast(crate::DType::F32);
        gradients.push(on_card(card, &gradient).expect("it was made f32")?);
        if let Some(weight) = part.weight.on_card_mut() {
            DeviceArray::make_own(weight)?;
        }
        for slot in &mut part.slots {
            DeviceArray::make_own(slot)?;
        }
    }
    let (kernel, numbers) = rule.kernel();
    for (parts, gradients) in parts.chunks(TENSORS).zip(gradients.chunks(TENSORS)) {
        let mut all = Tensors {
            count: parts.len() as i32,
            scale: adjust.scale,
            limit: adjust.limit,
            decay: adjust.decay,
            first: [0; TENSORS + 1],
            weights: [0; TENSORS],
            gradients: [0; TENSORS],
            slots: [0; TENSORS],
            others: [0; TENSORS],
            thirds: [0; TENSORS],
        };
        for (index, (part, gradient)) in parts.iter().zip(gradients).enumerate() {
            let weight = part.weight.on_card().expect("all are on the card");
            assert_eq!(
                weight.len(),
                gradient.len(),
                "a gradient has its weight's shape"
            );
            all.first[index + 1] = all.first[index] + weight.len() as i64;
            all.weights[index] = weight.buffer().address();
            all.gradients[index] = gradient.buffer().address();
            let address = |slot: usize| {
                part.slots
                    .get(slot)
                    .map_or(0, |slot| slot.buffer().address())
            };
            all.slots[index] = address(0);
            all.others[index] = address(1);
            all.thirds[index] = address(2);
        }
        let total = all.first[parts.len()] as usize;
        let mut arguments = vec![Argument::Tensors(&all)];
        arguments.extend_from_slice(&numbers);
        card.each(kernel, total, &arguments)?;
    }
    Ok(())
}

/// Zeros beside a weight on a card.
pub(crate) fn zeros(card: &'static Card, length: usize) -> Result<Arc<DeviceArray>> {
    DeviceArray::zeros(card, &[length]).map(Arc::new)
}

/// These numbers beside a weight on a card.
pub(crate) fn slot(card: &'static Card, values: &[f32]) -> Result<Arc<DeviceArray>> {
    let tensor = Tensor::from_values(&[values.len()], values.to_vec());
    on_card(card, &tensor).expect("it is f32")
}
