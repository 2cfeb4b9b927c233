//! What training makes small.
//!
//! Formulas are Keras 3's (`losses/losses.py`): a loss is one number a sample, a batch's loss their
//! mean.

mod formulas;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::activations::Activation;
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::{Error, Result, Tensor, names};

/// Probabilities are kept this far from 0 and 1 before their logarithm is taken, as in Keras.
pub(crate) const EPSILON: f64 = 1e-7;

type Function = Arc<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// A loss function: by name, by constructor, or a user's own closure.
///
/// ```
/// use dlcore::losses::Loss;
/// let by_name = Loss::from("mse");
/// let from_logits = Loss::categorical_crossentropy().from_logits(true).label_smoothing(0.1);
/// let own = Loss::custom("cubic", |y_true, y_pred| (y_true - y_pred).abs().pow(3.0).mean());
/// ```
#[derive(Clone)]
pub struct Loss {
    name: String,
    pub(crate) kind: Kind,
    pub(crate) from_logits: bool,
    label_smoothing: f64,
    /// A setting that this loss does not have.
    misplaced: Option<&'static str>,
}

#[derive(Clone)]
pub(crate) enum Kind {
    MeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    /// With its delta.
    Huber(f64),
    LogCosh,
    Hinge,
    SquaredHinge,
    CategoricalHinge,
    KlDivergence,
    Poisson,
    CosineSimilarity,
    BinaryCrossentropy,
    BinaryFocalCrossentropy(Focus),
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    Custom(Function),
    Unknown,
}

/// What a focal cross-entropy looks at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Focus {
    gamma: f64,
    alpha: f64,
    balance: bool,
}

/// Names by which losses are known: Keras's, and its short ones.
pub(crate) const NAMES: &[&str] = &[
    "mean_squared_error",
    "mse",
    "mean_absolute_error",
    "mae",
    "mean_absolute_percentage_error",
    "mape",
    "mean_squared_logarithmic_error",
    "msle",
    "huber",
    "log_cosh",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "kl_divergence",
    "kld",
    "poisson",
    "cosine_similarity",
    "binary_crossentropy",
    "bce",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
];

impl Loss {
    fn of(kind: Kind, name: &str) -> Loss {
        Loss {
            name: name.to_string(),
            kind,
            from_logits: false,
            label_smoothing: 0.0,
            misplaced: None,
        }
    }

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
    /// answer: easy answers count little. See [`Loss::focus`]. Source: Lin and others, 2017,
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

    /// How little easy answers count in [`Loss::binary_focal_crossentropy`]: 0 as much as others (2).
    pub fn focus(mut self, gamma: f64) -> Loss {
        match &mut self.kind {
            Kind::BinaryFocalCrossentropy(focus) => focus.gamma = gamma,
            _ => self.misplaced = Some("focus"),
        }
        self
    }

    /// Weighs labels of 1 by `alpha` and labels of 0 by `1 − alpha` in
    /// [`Loss::binary_focal_crossentropy`], where Keras calls it `apply_class_balancing` (not done; Keras's
    /// alpha is 0.25).
    pub fn class_balancing(mut self, alpha: f64) -> Loss {
        match &mut self.kind {
            Kind::BinaryFocalCrossentropy(focus) => {
                (focus.alpha, focus.balance) = (alpha, true);
            }
            _ => self.misplaced = Some("class_balancing"),
        }
        self
    }

    /// The name it is shown under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loss, if its name is known and its settings make sense.
    pub(crate) fn known(self) -> Result<Loss> {
        let refuse = |setting: &str, value: f64, allowed: &str| {
            Err(Error::Value(format!(
                "{}: {setting} must be {allowed}, got {value}",
                self.name
            )))
        };
        if let Some(setting) = self.misplaced {
            return Err(Error::Value(format!(
                "{}: this loss has no setting {setting}",
                self.name
            )));
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return refuse("label_smoothing", self.label_smoothing, "from 0 to 1");
        }
        match self.kind {
            Kind::Huber(delta) if !(delta > 0.0 && delta.is_finite()) => {
                refuse("delta", delta, "a number above 0")
            }
            Kind::BinaryFocalCrossentropy(focus)
                if !(focus.gamma >= 0.0 && focus.gamma.is_finite()) =>
            {
                refuse("focus", focus.gamma, "a number, at least 0")
            }
            Kind::BinaryFocalCrossentropy(focus) if !(0.0..=1.0).contains(&focus.alpha) => {
                refuse("class_balancing", focus.alpha, "from 0 to 1")
            }
            Kind::Unknown => Err(Error::Value(format!(
                "{}; a function of your own is passed as Loss::custom(name, function)",
                names::unknown("loss", &self.name, NAMES)
            ))),
            _ => Ok(self),
        }
    }

    /// As it stands in a saved model; a function of the user's own leaves only its name.
    pub(crate) fn config(&self) -> Value {
        let mut config = match self.kind {
            Kind::Custom(_) => return json!({"custom": self.name}),
            _ => json!({"name": self.name, "from_logits": self.from_logits}),
        };
        if self.label_smoothing != 0.0 {
            config["label_smoothing"] = number(self.label_smoothing);
        }
        match self.kind {
            Kind::Huber(delta) => config["delta"] = number(delta),
            Kind::BinaryFocalCrossentropy(focus) => {
                config["focus"] = number(focus.gamma);
                if focus.balance {
                    config["class_balancing"] = number(focus.alpha);
                }
            }
            _ => {}
        }
        config
    }

    /// What [`Loss::config`] wrote of a loss that has a name.
    pub(crate) fn from_config(value: &Value) -> Parsed<Loss> {
        let fields = Fields::of(value, "loss")?;
        let mut loss = Loss::from(fields.text("name")?).from_logits(fields.flag("from_logits")?);
        let settings: [(&str, fn(Loss, f64) -> Loss); 4] = [
            ("label_smoothing", Loss::label_smoothing),
            ("delta", Loss::delta),
            ("focus", Loss::focus),
            ("class_balancing", Loss::class_balancing),
        ];
        for (key, set) in settings {
            if fields.get(key).is_some() {
                loss = set(loss, fields.float(key)?);
            }
        }
        loss.known().map_err(|error| error.to_string())
    }

    /// Whether labels are the numbers of classes.
    pub(crate) fn takes_class_numbers(&self) -> bool {
        matches!(self.kind, Kind::SparseCategoricalCrossentropy)
    }

    /// The mean loss of a batch.
    ///
    /// # Shapes
    /// `y_pred` `[batch, …]`, `y_true` the same; for the sparse categorical cross-entropy without
    /// the last axis. Returns one number, `[]`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Value`] if the labels do not fit the predictions.
    pub fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        self.weighted(y_true, y_pred, None)
    }

    /// The loss of each sample, `[batch]`: its mean over all other axes.
    ///
    /// # Errors
    /// As [`Loss::call`]; [`Error::Shape`] if a function of the user's own returns something else
    /// than numbers for each sample.
    pub(crate) fn per_sample(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        means_of_rest(self.terms_of(samples, y_true, y_pred)?, 1)
    }

    /// The mean over the batch of each loss times its weight (of 1 without weights), which is Keras's
    /// `sum_over_batch_size`: the weights' own sum does not matter.
    ///
    /// # Shapes
    /// `sample_weight` `[batch]`; or `[batch, time]`, … where the loss has such axes.
    ///
    /// # Errors
    /// As [`Loss::call`]; [`Error::Shape`] for weights of another shape.
    pub(crate) fn weighted(
        &self,
        y_true: &Tensor,
        y_pred: &Tensor,
        sample_weight: Option<&Tensor>,
    ) -> Result<Tensor> {
        let Some(weights) = sample_weight else {
            return Ok(self.terms(y_true, y_pred)?.mean());
        };
        let samples = y_pred.shape().first().copied().unwrap_or(1);
        let terms = self.terms_of(samples, y_true, y_pred)?;
        if !terms.shape().starts_with(weights.shape()) || weights.ndim() == 0 {
            return Err(Error::Shape(format!(
                "{}: sample weights are one for each sample, shape [{samples}]{}, got {:?}",
                self.name,
                match terms.ndim() {
                    0 | 1 => String::new(),
                    _ => format!(", or of the first axes of {:?}", terms.shape()),
                },
                weights.shape(),
            )));
        }
        Ok((means_of_rest(terms, weights.ndim())? * weights).mean())
    }

    /// [`Loss::terms`], sure to begin with the batch's axis.
    fn terms_of(&self, samples: usize, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let terms = self.terms(y_true, y_pred)?;
        if terms.shape().first() == Some(&samples) {
            return Ok(terms);
        }
        Err(Error::Shape(format!(
            "{}: samples can be weighted where the loss is a number for each of them, shape [{samples}], but the \
             function returned shape {:?}; leave the mean over samples to fit",
            self.name,
            terms.shape(),
        )))
    }

    /// Numbers of shape `[batch, …]` whose mean is the loss.
    fn terms(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let t = &self.smoothed(self.aligned(y_true, y_pred)?, y_pred);
        let p = y_pred;
        Ok(match &self.kind {
            Kind::MeanSquaredError => p.try_sub(t)?.square(),
            Kind::MeanAbsoluteError => p.try_sub(t)?.abs(),
            Kind::MeanAbsolutePercentageError => formulas::mean_absolute_percentage_error(t, p),
            Kind::MeanSquaredLogarithmicError => formulas::mean_squared_logarithmic_error(t, p),
            Kind::Huber(delta) => formulas::huber(t, p, *delta),
            Kind::LogCosh => formulas::log_cosh(t, p),
            Kind::Hinge => formulas::hinge(t, p),
            Kind::SquaredHinge => formulas::hinge(t, p).square(),
            Kind::CategoricalHinge => formulas::categorical_hinge(t, p),
            Kind::KlDivergence => formulas::kl_divergence(t, p),
            Kind::Poisson => formulas::poisson(t, p),
            Kind::CosineSimilarity => -formulas::cosine(t, p),
            Kind::BinaryCrossentropy if self.from_logits => ops::sigmoid_cross_entropy(p, t)?,
            Kind::BinaryCrossentropy => formulas::binary_crossentropy(t, p),
            Kind::BinaryFocalCrossentropy(focus) => {
                let p = if self.from_logits { &p.sigmoid() } else { p };
                let alpha = focus.balance.then_some(focus.alpha);
                formulas::binary_focal_crossentropy(t, p, focus.gamma, alpha)
            }
            Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy
                if self.from_logits =>
            {
                ops::softmax_cross_entropy(p, t)?
            }
            Kind::CategoricalCrossentropy => formulas::categorical_crossentropy(t, p),
            Kind::SparseCategoricalCrossentropy => {
                let classes = p.shape().last().copied().unwrap_or(1);
                formulas::categorical_crossentropy(&t.try_one_hot(classes)?, p)
            }
            Kind::Custom(function) => function(t, p),
            Kind::Unknown => return Err(self.clone().known().expect_err("it is unknown")),
        })
    }

    /// Labels moved towards "all classes alike".
    fn smoothed(&self, y_true: Tensor, y_pred: &Tensor) -> Tensor {
        let smoothing = self.label_smoothing;
        if smoothing == 0.0 {
            return y_true;
        }
        let classes = match self.kind {
            Kind::CategoricalCrossentropy => y_pred.shape().last().copied().unwrap_or(1),
            _ => 2,
        };
        y_true * (1.0 - smoothing) + smoothing / classes as f64
    }

    /// Whether softmax or sigmoid and this loss can be computed as one from the logits, which loses
    /// no digits where probabilities come close to 0 or 1 (Keras on TensorFlow does the same).
    pub(crate) fn fuses_with(&self, activation: &Activation) -> bool {
        !self.from_logits
            && matches!(
                (&self.kind, activation),
                (Kind::BinaryCrossentropy, Activation::Sigmoid)
                    | (
                        Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy,
                        Activation::Softmax
                    )
            )
    }

    /// The same loss on logits.
    pub(crate) fn on_logits(&self) -> Loss {
        Loss {
            from_logits: true,
            ..self.clone()
        }
    }

    /// Labels in the shape the formula wants: `[n]` and `[n, 1]` are taken for one another.
    fn aligned(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let (labels, output) = (y_true.shape(), y_pred.shape());
        let wanted: &[usize] = match output {
            [positions @ .., _] if self.takes_class_numbers() => positions,
            _ => output,
        };
        if labels == wanted || matches!(self.kind, Kind::Custom(_)) && labels.len() >= output.len()
        {
            return Ok(y_true.clone());
        }
        let without_ones = |shape: &[usize]| {
            let end = shape
                .iter()
                .rposition(|&axis| axis != 1)
                .map_or(0, |last| last + 1);
            shape[..end.max(1).min(shape.len())].to_vec()
        };
        if without_ones(labels) == without_ones(wanted) {
            return y_true.try_reshape(wanted);
        }
        if matches!(self.kind, Kind::Custom(_)) {
            return Ok(y_true.clone());
        }
        Err(Error::Shape(format!(
            "{}: expected labels of shape {wanted:?} for an output of shape {output:?}, got {labels:?}",
            self.name
        )))
    }
}

/// The means over all axes but the first so many.
fn means_of_rest(terms: Tensor, kept: usize) -> Result<Tensor> {
    if terms.ndim() == kept {
        return Ok(terms);
    }
    let shape = terms.shape();
    let rest: usize = shape[kept..].iter().product();
    let shape = [&shape[..kept], &[rest]].concat();
    terms.try_reshape(shape)?.try_mean_axis(-1)
}

/// By name; one that is not known is reported by `compile`.
impl From<&str> for Loss {
    fn from(name: &str) -> Self {
        let known = match name.to_lowercase().replace('_', "").as_str() {
            "meansquarederror" | "mse" => Loss::mean_squared_error(),
            "meanabsoluteerror" | "mae" => Loss::mean_absolute_error(),
            "meanabsolutepercentageerror" | "mape" => Loss::mean_absolute_percentage_error(),
            "meansquaredlogarithmicerror" | "msle" => Loss::mean_squared_logarithmic_error(),
            "huber" => Loss::huber(),
            "logcosh" => Loss::log_cosh(),
            "hinge" => Loss::hinge(),
            "squaredhinge" => Loss::squared_hinge(),
            "categoricalhinge" => Loss::categorical_hinge(),
            "kldivergence" | "kld" => Loss::kl_divergence(),
            "poisson" => Loss::poisson(),
            "cosinesimilarity" => Loss::cosine_similarity(),
            "binarycrossentropy" | "bce" => Loss::binary_crossentropy(),
            "binaryfocalcrossentropy" => Loss::binary_focal_crossentropy(),
            "categoricalcrossentropy" => Loss::categorical_crossentropy(),
            "sparsecategoricalcrossentropy" => Loss::sparse_categorical_crossentropy(),
            _ => Loss::of(Kind::Unknown, name),
        };
        Loss::of(known.kind, name)
    }
}

impl From<&Loss> for Loss {
    fn from(loss: &Loss) -> Self {
        loss.clone()
    }
}

impl std::fmt::Debug for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loss")
            .field("name", &self.name)
            .field("from_logits", &self.from_logits)
            .finish()
    }
}
