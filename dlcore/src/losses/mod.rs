//! What training makes small.
//!
//! Formulas are Keras 3's (`losses/losses.py`): a loss is one number a sample, a batch's loss their
//! mean.

mod compute;
mod formulas;
mod make;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::activations::Activation;
use crate::config::{Fields, Parsed, number};
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
                refuse("gamma", focus.gamma, "a number, at least 0")
            }
            Kind::BinaryFocalCrossentropy(focus) if !(0.0..=1.0).contains(&focus.alpha) => {
                refuse("alpha", focus.alpha, "from 0 to 1")
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
                config["gamma"] = number(focus.gamma);
                config["alpha"] = number(focus.alpha);
                config["apply_class_balancing"] = json!(focus.balance);
            }
            _ => {}
        }
        config
    }

    /// What [`Loss::config`] wrote of a loss that has a name.
    pub(crate) fn from_config(value: &Value) -> Parsed<Loss> {
        let fields = Fields::of(value, "loss")?;
        let mut loss = Loss::from(fields.text("name")?).from_logits(fields.flag("from_logits")?);
        let settings = ["label_smoothing", "delta", "gamma", "alpha"];
        for setting in settings.into_iter().filter(|key| fields.get(key).is_some()) {
            let value = fields.float(setting)?;
            loss = match setting {
                "label_smoothing" => loss.label_smoothing(value),
                "delta" => loss.delta(value),
                "gamma" => loss.gamma(value),
                _ => loss.alpha(value),
            };
        }
        if fields.get("apply_class_balancing").is_some() {
            loss = loss.apply_class_balancing(fields.flag("apply_class_balancing")?);
        }
        loss.known().map_err(|error| error.to_string())
    }

    /// Whether it is a function of the user's own.
    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.kind, Kind::Custom(_))
    }

    /// Whether labels are taken as they are.
    pub(crate) fn takes_labels_as_they_are(&self) -> bool {
        self.label_smoothing == 0.0
    }

    /// Whether labels are the numbers of classes.
    pub(crate) fn takes_class_numbers(&self) -> bool {
        matches!(self.kind, Kind::SparseCategoricalCrossentropy)
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
