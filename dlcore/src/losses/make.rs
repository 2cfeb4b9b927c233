//! The losses by their constructors, and their settings.

use std::sync::Arc;

use super::{Focus, Kind, Loss};
use crate::Tensor;

impl Loss {
    /// `(y_true − y_pred)²`, the mean over the last axis.
    pub fn mean_squared_error() -> Loss {
        Self::of(Kind::MeanSquaredError, "mean_squared_error")
    }

    /// `|y_true − y_pred|`, the mean over the last axis.
    pub fn mean_absolute_error() -> Loss {
        Self::of(Kind::MeanAbsoluteError, "mean_absolute_error")
    }

    /// `100 · |y_true − y_pred| / |y_true|`, the mean over the last axis.
    pub fn mean_absolute_percentage_error() -> Loss {
        Self::of(
            Kind::MeanAbsolutePercentageError,
            "mean_absolute_percentage_error",
        )
    }

    /// `(ln(1 + y_true) − ln(1 + y_pred))²`, the mean over the last axis; both kept from below 0.
    pub fn mean_squared_logarithmic_error() -> Loss {
        Self::of(
            Kind::MeanSquaredLogarithmicError,
            "mean_squared_logarithmic_error",
        )
    }

    /// `e² / 2` for errors `e` of at most [`delta`](Loss::delta) (1), a straight line beyond; the mean
    /// over the last axis.
    pub fn huber() -> Loss {
        Self::of(Kind::Huber(1.0), "huber")
    }

    /// `ln cosh(y_pred − y_true)`, the mean over the last axis: the square of small errors, the size
    /// of large ones.
    pub fn log_cosh() -> Loss {
        Self::of(Kind::LogCosh, "log_cosh")
    }

    /// `max(1 − y_true · y_pred, 0)`, the mean over the last axis; labels −1 and 1, or 0 and 1, which
    /// are taken for them.
    pub fn hinge() -> Loss {
        Self::of(Kind::Hinge, "hinge")
    }

    /// The square of [`Loss::hinge`], the mean over the last axis.
    pub fn squared_hinge() -> Loss {
        Self::of(Kind::SquaredHinge, "squared_hinge")
    }

    /// `max(largest wrong − right + 1, 0)` over the classes on the last axis; labels one-hot.
    pub fn categorical_hinge() -> Loss {
        Self::of(Kind::CategoricalHinge, "categorical_hinge")
    }

    /// `Σ y_true · ln(y_true / y_pred)` over the last axis, of two distributions.
    pub fn kl_divergence() -> Loss {
        Self::of(Kind::KlDivergence, "kl_divergence")
    }

    /// `y_pred − y_true · ln y_pred`, the mean over the last axis; labels are counts.
    pub fn poisson() -> Loss {
        Self::of(Kind::Poisson, "poisson")
    }

    /// Minus the cosine of the angle between `y_true` and `y_pred` along the last axis: −1 where they
    /// point the same way.
    pub fn cosine_similarity() -> Loss {
        Self::of(Kind::CosineSimilarity, "cosine_similarity")
    }

    /// `−t·log(p) − (1 − t)·log(1 − p)`, the mean over the last axis; `p` kept within
    /// 1e-7 of 0 and 1.
    pub fn binary_crossentropy() -> Loss {
        Self::of(Kind::BinaryCrossentropy, "binary_crossentropy")
    }

    /// The binary cross-entropy times `(1 − pₜ) ^ gamma`, where `pₜ` is what was given to the right
    /// answer: easy answers count little. See [`Loss::gamma`]. Source: Lin and others, 2017,
    /// <https://arxiv.org/abs/1708.02002>.
    pub fn binary_focal_crossentropy() -> Loss {
        let focus = Focus {
            gamma: 2.0,
            alpha: 0.25,
            balance: false,
        };
        Self::of(
            Kind::BinaryFocalCrossentropy(focus),
            "binary_focal_crossentropy",
        )
    }

    /// `−Σ t·log(p)` over the classes on the last axis; labels one-hot (or probabilities).
    pub fn categorical_crossentropy() -> Loss {
        Self::of(Kind::CategoricalCrossentropy, "categorical_crossentropy")
    }

    /// `−log(p[label])`; labels are the classes' numbers.
    pub fn sparse_categorical_crossentropy() -> Loss {
        Self::of(
            Kind::SparseCategoricalCrossentropy,
            "sparse_categorical_crossentropy",
        )
    }

    /// A function of `(y_true, y_pred)`; what it returns is averaged to one number. To be trained
    /// with, it computes with operations on `y_pred`. To be weighted by samples, it returns a number
    /// for each of them.
    pub fn custom(
        name: &str,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Loss {
        Self::of(Kind::Custom(Arc::new(function)), name)
    }

    /// Whether the model's output is what a sigmoid or softmax would be applied to (false).
    pub fn from_logits(mut self, from_logits: bool) -> Loss {
        self.from_logits = from_logits;
        self
    }

    /// How far labels are moved towards "all classes alike", from 0 to 1 (0): for binary and
    /// categorical cross-entropies.
    pub fn label_smoothing(mut self, smoothing: f64) -> Loss {
        match self.kind {
            Kind::BinaryCrossentropy
            | Kind::BinaryFocalCrossentropy(_)
            | Kind::CategoricalCrossentropy => self.label_smoothing = smoothing,
            _ => self.misplaced = Some("label_smoothing"),
        }
        self
    }

    /// The error from which on [`Loss::huber`] is a straight line (1).
    pub fn delta(mut self, delta: f64) -> Loss {
        match &mut self.kind {
            Kind::Huber(current) => *current = delta,
            _ => self.misplaced = Some("delta"),
        }
        self
    }

    /// How little easy answers count in [`Loss::binary_focal_crossentropy`]: at 0 as much as others (2).
    pub fn gamma(mut self, gamma: f64) -> Loss {
        match &mut self.kind {
            Kind::BinaryFocalCrossentropy(focus) => focus.gamma = gamma,
            _ => self.misplaced = Some("gamma"),
        }
        self
    }

    /// What labels of 1 weigh in [`Loss::binary_focal_crossentropy`] where classes are balanced, from 0 to 1
    /// (0.25).
    pub fn alpha(mut self, alpha: f64) -> Loss {
        match &mut self.kind {
            Kind::BinaryFocalCrossentropy(focus) => focus.alpha = alpha,
            _ => self.misplaced = Some("alpha"),
        }
        self
    }

    /// Whether [`Loss::binary_focal_crossentropy`] weighs labels of 1 by [`alpha`](Loss::alpha) and labels of
    /// 0 by what is left of 1 (false).
    pub fn apply_class_balancing(mut self, balance: bool) -> Loss {
        match &mut self.kind {
            Kind::BinaryFocalCrossentropy(focus) => focus.balance = balance,
            _ => self.misplaced = Some("apply_class_balancing"),
        }
        self
    }
}
