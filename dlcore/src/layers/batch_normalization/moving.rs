//! What training calls have noted for the moving mean and variance.

use std::sync::{Mutex, PoisonError};

use crate::Tensor;

/// The effect of the noted batches, one after another, on a moving average: `kept · average + added`.
/// It takes no more room the more batches there are.
struct Effect {
    kept: f64,
    mean: Tensor,
    variance: Tensor,
}

/// The effect of the batches since the last time it was taken over, noted behind `&self`.
#[derive(Default)]
pub(super) struct Noted(Mutex<Option<Effect>>);

impl Noted {
    /// Notes a batch's mean and variance, `momentum` being the share of the averages that stays.
    pub(super) fn note(&self, momentum: f64, mean: &Tensor, variance: &Tensor) {
        let share = 1.0 - momentum;
        let (mean, variance) = (mean.detach() * share, variance.detach() * share);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(match noted.take() {
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

    /// Brings the averages up to date, and forgets.
    pub(super) fn take_over(&mut self, mean: &mut Tensor, variance: &mut Tensor) {
        let noted = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(effect) = noted.take() {
            let after = |average: &Tensor, added: Tensor| {
                (average * effect.kept + added).cast(average.dtype())
            };
            *mean = after(mean, effect.mean);
            *variance = after(variance, effect.variance);
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
