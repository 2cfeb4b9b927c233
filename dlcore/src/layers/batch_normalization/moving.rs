//! What training calls have noted for the moving mean and variance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::cpu::vectorised;
use crate::layers::plan::{plain_of, single_mut, single_of};
use crate::{DType, Tensor};

/// The effect of the noted batches, one after another, on a moving average: `kept · average + added`.
/// It takes no more room the more batches there are.
struct Effect {
    kept: f64,
    mean: Tensor,
    variance: Tensor,
}

#[derive(Default)]
struct Noting {
    effect: Option<Effect>,
    /// One that was taken over, whose room the next one takes.
    spare: Option<Effect>,
}

/// The effect of the batches since the last time it was taken over, noted behind `&self`.
#[derive(Default)]
pub(super) struct Noted(Arc<Mutex<Noting>>);

fn lock(noting: &Mutex<Noting>) -> MutexGuard<'_, Noting> {
    noting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Noting {
    fn note(&mut self, momentum: f64, mean: &Tensor, variance: &Tensor) {
        let share = 1.0 - momentum;
        let (mean, variance) = (mean.detach() * share, variance.detach() * share);
        self.effect = Some(match self.effect.take() {
            None => Effect {
                kept: momentum,
                mean,
                variance,
            },
            Some(before) => Effect {
                kept: before.kept * momentum,
                mean: before.mean * momentum + mean,
                variance: before.variance * momentum + variance,
            },
        });
    }

    /// [`Noting::note`], in room that is there already where nothing else is noted.
    fn note_values(&mut self, momentum: f64, mean: &[f32], variance: &[f32]) {
        let tensor = |values: &[f32]| Tensor::from_values(&[values.len()], values.to_vec());
        let fits = |effect: &Effect| {
            plain_of(&effect.mean).is_some() && effect.mean.shape() == [mean.len()]
        };
        let spare = self.spare.take().filter(fits);
        let (None, Some(mut effect)) = (&self.effect, spare) else {
            return self.note(momentum, &tensor(mean), &tensor(variance));
        };
        effect.kept = momentum;
        let share = (1.0 - momentum) as f32;
        for (to, from) in [(&mut effect.mean, mean), (&mut effect.variance, variance)] {
            vectorised(|| {
                for (to, &from) in single_mut(to).iter_mut().zip(from) {
                    *to = from * share;
                }
            });
        }
        self.effect = Some(effect);
    }
}

impl Noted {
    /// Notes a batch's mean and variance, `momentum` being the share of the averages that stays.
    pub(super) fn note(&self, momentum: f64, mean: &Tensor, variance: &Tensor) {
        lock(&self.0).note(momentum, mean, variance);
    }

    /// What notes a batch's mean and variance.
    pub(super) fn taker(&self, momentum: f64) -> impl Fn(&[f32], &[f32]) + Send + Sync + use<> {
        let noting = self.0.clone();
        move |mean, variance| lock(&noting).note_values(momentum, mean, variance)
    }

    /// Brings the averages up to date, and forgets.
    pub(super) fn take_over(&mut self, mean: &mut Tensor, variance: &mut Tensor) {
        let mut noting = lock(&self.0);
        if let Some(effect) = noting.effect.take() {
            follow(mean, effect.kept, &effect.mean);
            follow(variance, effect.kept, &effect.variance);
            noting.spare = Some(effect);
        }
    }

    pub(super) fn forget(&self) {
        lock(&self.0).effect = None;
    }
}

/// `average = average · kept + added`
fn follow(average: &mut Tensor, kept: f64, added: &Tensor) {
    match single_of(added) {
        Some(added) if plain_of(average).is_some() && average.len() == added.len() => {
            vectorised(|| {
                for (average, &added) in single_mut(average).iter_mut().zip(added) {
                    *average = *average * kept as f32 + added;
                }
            })
        }
        _ => {
            let dtype: DType = average.dtype();
            *average = (&*average * kept + added).cast(dtype);
        }
    }
}

/// A copy begins with nothing noted: what the original's batches changed is the original's.
impl Clone for Noted {
    fn clone(&self) -> Noted {
        Noted::default()
    }
}

impl std::fmt::Debug for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Noted")
    }
}
