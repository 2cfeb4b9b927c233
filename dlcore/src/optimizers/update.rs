//! One pass over a weight, its gradient and its state, split over threads.
//!
//! Every element is computed by itself, so the result does not depend on the number of threads.
//! Denormals count as zero: the running means of weights that no longer get a gradient would
//! otherwise decay into them, and slow every step down. A rule owns the numbers it computes with, and each
//! piece has a copy of it: behind a reference they would be read again for every element, and nothing
//! would be vectorised.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use super::settings::Step;
use crate::device::cpu::{each_piece_of, vectorised};
use crate::device::cuda::{self, DeviceArray};
use crate::tensor::{Storage, expect};
use crate::{DType, Result, Tensor};

/// Below this many elements one thread is faster than waking the others.
const PARALLEL: usize = 1 << 15;
/// Elements a thread takes at a time: weight, gradient and two slots of it stay in the L2 cache.
const CHUNK: usize = 1 << 14;

/// The state an optimizer keeps beside each weight, where the weight is.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    here: Vec<Arc<Vec<f32>>>,
    /// Those on a card; there is none in `here` for them, or an old one.
    there: BTreeMap<usize, Arc<DeviceArray>>,
    /// What their numbers are at first.
    first: f32,
}

impl Slots {
    /// Has new slots begin with another number than 0.
    pub(super) fn begin_with(&mut self, first: f32) {
        self.first = first;
    }

    /// The slot of weight `index`, as long as the weight.
    pub(super) fn get(&mut self, index: usize, length: usize) -> &mut [f32] {
        if self.here.len() <= index {
            self.here.resize_with(index + 1, Arc::default);
        }
        expect(self.fetch(index));
        let slot = &mut self.here[index];
        if slot.len() != length {
            *slot = Arc::new(vec![self.first; length]);
        }
        // A copy of the optimizer shares the slot until one of the two makes a step.
        Arc::make_mut(slot).as_mut_slice()
    }

    /// The slots of this name in a saved state.
    pub(super) fn take(state: &mut State, name: &str) -> Slots {
        let slots = state.remove(name).unwrap_or_default();
        Slots {
            here: slots.into_iter().map(Arc::new).collect(),
            ..Slots::default()
        }
    }

    pub(super) fn clear(&mut self) {
        self.here.clear();
        self.there.clear();
    }

    /// All slots, one for each weight; empty ones were never used.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if any is on a card that has failed.
    pub(super) fn all(&self) -> Result<Vec<Arc<Vec<f32>>>> {
        let mut all = self.clone();
        all.bring_here()?;
        Ok(all.here)
    }

    /// Copies those that are on a card, all or none.
    fn bring_here(&mut self) -> Result<()> {
        for there in self.there.values() {
            there.try_here()?;
        }
        let on_card: Vec<usize> = self.there.keys().copied().collect();
        on_card.into_iter().try_for_each(|index| self.fetch(index))
    }

    /// Copies one that may be on a card. If that fails it stays there.
    fn fetch(&mut self, index: usize) -> Result<()> {
        let Some(there) = self.there.get(&index) else {
            return Ok(());
        };
        there.try_here()?;
        let values = Tensor::from_card(there.clone()).to_vec();
        if self.here.len() <= index {
            self.here.resize_with(index + 1, Arc::default);
        }
        self.here[index] = Arc::new(values);
        self.there.remove(&index);
        Ok(())
    }

    /// The slot of a weight on a card, for a step; [`Slots::put_back`] takes it again. If it fails, the slot is where
    /// it was.
    fn take_there(&mut self, index: usize, weight: &DeviceArray) -> Result<Arc<DeviceArray>> {
        let length = weight.shape().iter().product();
        let same_card = |there: &Arc<DeviceArray>| std::ptr::eq(there.card(), weight.card());
        if !self.there.get(&index).is_none_or(same_card) {
            self.fetch(index)?;
        }
        match (self.there.remove(&index), self.here.get(index)) {
            (Some(there), _) if there.shape() == [length] => Ok(there),
            (_, Some(here)) if here.len() == length => cuda::optimizer_slot(weight.card(), here),
            _ if self.first != 0.0 => {
                cuda::optimizer_slot(weight.card(), &vec![self.first; length])
            }
            _ => cuda::optimizer_zeros(weight.card(), length),
        }
    }

    fn put_back(&mut self, index: usize, there: Arc<DeviceArray>) {
        self.there.insert(index, there);
        // What was there before is no longer true.
        if let Some(old) = self.here.get_mut(index) {
            *old = Arc::default();
        }
    }
}

/// A step of all weights at once, if they are on one card and their gradients are adjusted alike; whether it was
/// made. If it was not, the slots are in the processor's memory.
///
/// # Panics
/// If the card is full or fails. Nothing has changed then, unless the card itself was lost between the launches for
/// more than 32 weights; it has taken all of them with it.
pub(super) fn on_card<const N: usize>(
    weights: &mut [&mut Tensor],
    gradients: &[Tensor],
    step: &Step,
    rule: cuda::OptimizerRule,
    mut slots: [&mut Slots; N],
) -> bool {
    let first = weights.first().and_then(|weight| weight.on_card());
    let Some(card) = first.map(|array| array.card()) else {
        return left_here(&mut slots);
    };
    let there = |weight: &&mut Tensor| {
        let array = weight.on_card();
        array.is_some_and(|array| std::ptr::eq(array.card(), card))
    };
    let adjust = step.clipped(&gradients[0]).adjust;
    let alike = |gradient: &Tensor| step.clipped(gradient).adjust == adjust;
    if !weights.iter().all(there) || !gradients.iter().all(alike) {
        return left_here(&mut slots);
    }
    // Each goes back into its place, whatever happens to the next.
    let mut taken: Vec<Vec<Arc<DeviceArray>>> = Vec::with_capacity(weights.len());
    let mut full = Ok(());
    'all: for (index, weight) in weights.iter().enumerate() {
        let weight = weight.on_card().expect("just seen");
        taken.push(Vec::with_capacity(N));
        for slots in &mut slots {
            match slots.take_there(index, weight) {
                Ok(there) => taken[index].push(there),
                Err(error) => {
                    full = Err(error);
                    break 'all;
                }
            }
        }
    }
    if full.is_err() {
        put_back(&mut slots, taken);
        expect(full);
        return false;
    }
    let parts = weights.iter_mut().zip(gradients).zip(&mut taken);
    let mut parts: Vec<cuda::OptimizerPart<'_>> = parts
        .map(|((weight, gradient), beside)| cuda::OptimizerPart {
            weight,
            gradient,
            slots: beside.iter_mut().collect(),
        })
        .collect();
    let made = cuda::optimizer_step(card, rule, adjust, &mut parts);
    drop(parts);
    put_back(&mut slots, taken);
    expect(made);
    true
}

fn put_back(slots: &mut [&mut Slots], taken: Vec<Vec<Arc<DeviceArray>>>) {
    for (index, beside) in taken.into_iter().enumerate() {
        for (slots, there) in slots.iter_mut().zip(beside) {
            slots.put_back(index, there);
        }
    }
}

/// Brings slots here before the first of them changes; the step is the processor's.
fn left_here(slots: &mut [&mut Slots]) -> bool {
    let brought = slots.iter_mut().try_for_each(|slots| slots.bring_here());
    expect(brought);
    false
}

/// A gradient, and what is done to it and its weight before a rule sees them.
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a> {
    pub(super) values: &'a Tensor,
    pub(super) adjust: Adjust,
}

/// Clipping and weight decay: `g = clip(g · scale, ±limit)`, `w -= w · decay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Adjust {
    pub(crate) scale: f32,
    pub(crate) limit: f32,
    pub(crate) decay: f32,
}

impl Adjust {
    pub(super) const NONE: Adjust = Adjust {
        scale: 1.0,
        limit: f32::INFINITY,
        decay: 0.0,
    };

    #[inline(always)]
    fn apply(self, w: f32, g: f32) -> (f32, f32) {
        let g = g * self.scale;
        // Compared so that NaN stays what it is.
        let g = if g > self.limit { self.limit } else { g };
        let g = if g < -self.limit { -self.limit } else { g };
        (w - w * self.decay, g)
    }
}

/// Runs a pass with the rule as it is, or with what is done to weight and gradient before it.
macro_rules! adjusted {
    ($pass:ident($weight:ident, $gradient:ident $(, $slots:ident)?), $rule:ident, [$($slot:ident),*]) => {
        let adjust = $gradient.adjust;
        if adjust == Adjust::NONE {
            $pass($weight, $gradient.values $(, $slots)?, $rule);
        } else {
            $pass(
                $weight,
                $gradient.values
                $(, $slots)?,
                #[inline(always)]
                move |w, g $(, $slot)*| {
                    let (w, g) = adjust.apply(w, g);
                    $rule(w, g $(, $slot)*)
                },
            );
        }
    };
}

/// `w = rule(w, g)` for each element.
pub(super) fn update0(
    weight: &mut Tensor,
    gradient: Gradient<'_>,
    rule: impl Fn(f32, f32) -> f32 + Sync + Copy,
) {
    adjusted!(pass0(weight, gradient), rule, []);
}

/// `(w, s) = rule(w, g, s)` for each element and its slot.
pub(super) fn update1(
    weight: &mut Tensor,
    gradient: Gradient<'_>,
    slot: &mut [f32],
    rule: impl Fn(f32, f32, f32) -> (f32, f32) + Sync + Copy,
) {
    adjusted!(pass1(weight, gradient, slot), rule, [s]);
}

/// `(w, s, t) = rule(w, g, s, t)` for each element and its two slots.
pub(super) fn update2(
    weight: &mut Tensor,
    gradient: Gradient<'_>,
    slots: (&mut [f32], &mut [f32]),
    rule: impl Fn(f32, f32, f32, f32) -> (f32, f32, f32) + Sync + Copy,
) {
    adjusted!(pass2(weight, gradient, slots), rule, [s, t]);
}

/// `(w, s, t, u) = rule(w, g, s, t, u)` for each element and its three slots.
pub(super) fn update3(
    weight: &mut Tensor,
    gradient: Gradient<'_>,
    slots: (&mut [f32], &mut [f32], &mut [f32]),
    rule: impl Fn(f32, f32, f32, f32, f32) -> (f32, f32, f32, f32) + Sync + Copy,
) {
    adjusted!(pass3(weight, gradient, slots), rule, [s, t, u]);
}

fn pass0(weight: &mut Tensor, gradient: &Tensor, rule: impl Fn(f32, f32) -> f32 + Sync + Copy) {
    let loops = |w: &mut [f32], g: &[f32]| {
        vectorised(
            #[inline(always)]
            || {
                let own = rule;
                for (w, &g) in w.iter_mut().zip(g) {
                    *w = own(*w, g);
                }
            },
        );
    };
    with_values(weight, gradient, &mut |w, g| {
        in_pieces([w], g, &|[w], g| loops(w, g));
    });
}

fn pass1(
    weight: &mut Tensor,
    gradient: &Tensor,
    slot: &mut [f32],
    rule: impl Fn(f32, f32, f32) -> (f32, f32) + Sync + Copy,
) {
    let loops = |[w, s]: [&mut [f32]; 2], g: &[f32]| {
        vectorised(
            #[inline(always)]
            || {
                let own = rule;
                for ((w, &g), s) in w.iter_mut().zip(g).zip(s) {
                    (*w, *s) = own(*w, g, *s);
                }
            },
        );
    };
    with_values(weight, gradient, &mut |w, g| {
        in_pieces([w, slot], g, &loops);
    });
}

fn pass2(
    weight: &mut Tensor,
    gradient: &Tensor,
    slots: (&mut [f32], &mut [f32]),
    rule: impl Fn(f32, f32, f32, f32) -> (f32, f32, f32) + Sync + Copy,
) {
    let loops = |[w, s, t]: [&mut [f32]; 3], g: &[f32]| {
        vectorised(
            #[inline(always)]
            || {
                let own = rule;
                for (((w, &g), s), t) in w.iter_mut().zip(g).zip(s).zip(t) {
                    (*w, *s, *t) = own(*w, g, *s, *t);
                }
            },
        );
    };
    with_values(weight, gradient, &mut |w, g| {
        in_pieces([w, slots.0, slots.1], g, &loops);
    });
}

fn pass3(
    weight: &mut Tensor,
    gradient: &Tensor,
    slots: (&mut [f32], &mut [f32], &mut [f32]),
    rule: impl Fn(f32, f32, f32, f32, f32) -> (f32, f32, f32, f32) + Sync + Copy,
) {
    let loops = |[w, s, t, u]: [&mut [f32]; 4], g: &[f32]| {
        vectorised(
            #[inline(always)]
            || {
                let own = rule;
                for ((((w, &g), s), t), u) in w.iter_mut().zip(g).zip(s).zip(t).zip(u) {
                    (*w, *s, *t, *u) = own(*w, g, *s, *t, *u);
                }
            },
        );
    };
    with_values(weight, gradient, &mut |w, g| {
        in_pieces([w, slots.0, slots.1, slots.2], g, &loops);
    });
}

/// What is done with a piece of weight and slots, and of the gradient.
type Loops<'a, const N: usize> = dyn Fn([&mut [f32]; N], &[f32]) + Sync + 'a;

/// Calls `loops` with the pieces of weight and slots, and of the gradient, on all threads where that is worth it.
fn in_pieces<const N: usize>(buffers: [&mut [f32]; N], gradient: &[f32], loops: &Loops<'_, N>) {
    if gradient.len() < PARALLEL {
        return loops(buffers, gradient);
    }
    each_piece_of(buffers, CHUNK, &|index, pieces| {
        loops(pieces, &gradient[index * CHUNK..]);
    });
}

/// The elements of both in row-major order. A weight that nothing else shares is changed where it
/// is; one that is shared is copied first.
fn with_values(weight: &mut Tensor, gradient: &Tensor, then: &mut dyn FnMut(&mut [f32], &[f32])) {
    assert_eq!(
        weight.shape(),
        gradient.shape(),
        "a gradient has its weight's shape"
    );
    let other = (gradient.dtype() != DType::F32 || gradient.is_sparse())
        .then(|| gradient.to_dense().cast(DType::F32));
    let gradient = other.as_ref().unwrap_or(gradient);
    if weight.dtype() != DType::F32 {
        *weight = weight.cast(DType::F32);
    }
    let (Storage::F32(weight), Storage::F32(gradient)) = (weight.storage_mut(), gradient.storage())
    else {
        unreachable!("both were made dense f32 above")
    };
    if !weight.is_standard_layout() {
        *weight = weight.as_standard_layout().into_owned().into_shared();
    }
    let gradient = gradient.as_standard_layout();
    let weight = weight.as_slice_mut().expect("row-major order");
    then(weight, gradient.as_slice().expect("row-major order"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &Tensor) -> Gradient<'_> {
        Gradient {
            values,
            adjust: Adjust::NONE,
        }
    }

    #[test]
    fn a_weight_held_once_is_changed_where_it_is_and_a_shared_one_is_not_changed_for_others() {
        let address = |tensor: &Tensor| match tensor.storage() {
            Storage::F32(array) => array.as_ptr(),
            _ => unreachable!(),
        };
        let mut weight = Tensor::from([1.0, 2.0]);
        let before = address(&weight);
        update0(&mut weight, plain(&Tensor::from([0.5, 0.5])), |w, g| w - g);
        assert_eq!(weight.to_vec(), [0.5, 1.5]);
        assert_eq!(address(&weight), before);
        let snapshot = weight.clone();
        update0(&mut weight, plain(&Tensor::from([0.5, 0.5])), |w, g| w - g);
        assert_eq!(
            (weight.to_vec(), snapshot.to_vec()),
            (vec![0.0, 1.0], vec![0.5, 1.5])
        );
    }

    #[test]
    fn layouts_other_than_row_major_line_up() {
        let mut weight = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).transpose();
        let gradient = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).transpose();
        update0(&mut weight, plain(&gradient), |w, g| w - g);
        assert_eq!(weight.to_vec(), [0.0; 6]);
    }

    #[test]
    fn the_parallel_path_equals_the_plain_one() {
        let length = 3 * PARALLEL + 7;
        let values: Vec<f32> = (0..length).map(|i| (i % 97) as f32).collect();
        let gradient = Tensor::from(values.clone());
        let mut weight = Tensor::from(values.clone());
        let (mut s, mut t) = (vec![1.0; length], vec![2.0; length]);
        update2(
            &mut weight,
            plain(&gradient),
            (&mut s, &mut t),
            |w, g, s, t| (w * 2.0 - g + s, s + g, t - g),
        );
        for (i, &v) in values.iter().enumerate() {
            assert_eq!((s[i], t[i]), (1.0 + v, 2.0 - v));
        }
        let expected: Vec<f32> = values.iter().map(|v| v + 1.0).collect();
        assert_eq!(weight.to_vec(), expected);
    }

    #[test]
    fn clipping_and_decay_come_before_the_rule_and_nan_stays_nan() {
        let gradient = Gradient {
            values: &Tensor::from([8.0, -8.0, 0.5, f32::NAN]),
            adjust: Adjust {
                scale: 0.5,
                limit: 2.0,
                decay: 0.25,
            },
        };
        let mut weight = Tensor::from([4.0, 4.0, 4.0, 4.0]);
        let (mut s, mut t, mut u) = (vec![0.0; 4], vec![0.0; 4], vec![0.0; 4]);
        update3(
            &mut weight,
            gradient,
            (&mut s, &mut t, &mut u),
            |w, g, s, t, u| (w - g, s + g, t + w, u + 1.0),
        );
        assert_eq!(weight.to_vec()[..3], [1.0, 5.0, 2.75]);
        assert_eq!(
            (&s[..3], &t[..3], u[0]),
            (&[2.0, -2.0, 0.25][..], &[3.0; 3][..], 1.0)
        );
        assert!(weight.to_vec()[3].is_nan());
    }
}
