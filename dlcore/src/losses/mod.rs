//! What training makes small.
//!
//! Formulas are Keras 3's (`losses/losses.py`): a loss is one number a sample, a batch's loss their
//! mean.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::activations::Activation;
use crate::config::{Fields, Parsed};
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
/// let from_logits = Loss::categorical_crossentropy().from_logits(true);
/// let own = Loss::custom("cubic", |y_true, y_pred| (y_true - y_pred).abs().pow(3.0).mean());
/// ```
#[derive(Clone)]
pub struct Loss {
    name: String,
    pub(crate) kind: Kind,
    pub(crate) from_logits: bool,
}

#[derive(Clone)]
pub(crate) enum Kind {
    MeanSquaredError,
    MeanAbsoluteError,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    Custom(Function),
    Unknown,
}

const NAMES: [&str; 7] = [
    "mean_squared_error",
    "mse",
    "mean_absolute_error",
    "mae",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
];

impl Loss {
    fn of(kind: Kind, name: &str) -> Loss {
        Loss {
            name: name.to_string(),
            kind,
            from_logits: false,
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

    /// `−t·log(p) − (1 − t)·log(1 − p)`, the mean over the last axis; `p` kept within
    /// 1e-7 of 0 and 1.
    pub fn binary_crossentropy() -> Loss {
        Self::of(Kind::BinaryCrossentropy, "binary_crossentropy")
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
    /// with, it computes with operations on `y_pred`.
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

    /// The name it is shown under.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn known(self) -> Result<Loss> {
        match self.kind {
            Kind::Unknown => Err(Error::Value(format!(
                "{}; a function of your own is passed as Loss::custom(name, function)",
                names::unknown("loss", &self.name, &NAMES)
            ))),
            _ => Ok(self),
        }
    }

    /// As it stands in a saved model; a function of the user's own leaves only its name.
    pub(crate) fn config(&self) -> Value {
        match self.kind {
            Kind::Custom(_) => json!({"custom": self.name}),
            _ => json!({"name": self.name, "from_logits": self.from_logits}),
        }
    }

    /// What [`Loss::config`] wrote of a loss that has a name.
    pub(crate) fn from_config(value: &Value) -> Parsed<Loss> {
        let fields = Fields::of(value, "loss")?;
        let loss = Loss::from(fields.text("name")?).known();
        let from_logits = fields.flag("from_logits")?;
        loss.map(|loss| loss.from_logits(from_logits))
            .map_err(|error| error.to_string())
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
        let y_true = &self.aligned(y_true, y_pred)?;
        Ok(match &self.kind {
            Kind::MeanSquaredError => y_pred.try_sub(y_true)?.square().mean(),
            Kind::MeanAbsoluteError => y_pred.try_sub(y_true)?.abs().mean(),
            Kind::BinaryCrossentropy if self.from_logits => {
                ops::sigmoid_cross_entropy(y_pred, y_true)?.mean()
            }
            Kind::BinaryCrossentropy => binary_from_probabilities(y_true, y_pred).mean(),
            Kind::CategoricalCrossentropy | Kind::SparseCategoricalCrossentropy
                if self.from_logits =>
            {
                ops::softmax_cross_entropy(y_pred, y_true)?.mean()
            }
            Kind::CategoricalCrossentropy => categorical_from_probabilities(y_true, y_pred).mean(),
            Kind::SparseCategoricalCrossentropy => {
                let classes = y_pred.shape().last().copied().unwrap_or(1);
                categorical_from_probabilities(&y_true.try_one_hot(classes)?, y_pred).mean()
            }
            Kind::Custom(function) => function(y_true, y_pred).mean(),
            Kind::Unknown => return Err(self.clone().known().expect_err("it is unknown")),
        })
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

fn binary_from_probabilities(y_true: &Tensor, y_pred: &Tensor) -> Tensor {
    let p = y_pred.clip(EPSILON, 1.0 - EPSILON);
    -(y_true * p.log() + (1.0 - y_true) * (1.0 - &p).log())
}

/// One loss a sample; the probabilities are made to sum to 1 first, as Keras does.
fn categorical_from_probabilities(y_true: &Tensor, y_pred: &Tensor) -> Tensor {
    let p = (y_pred / y_pred.sum_axis_keep(-1)).clip(EPSILON, 1.0 - EPSILON);
    -(y_true * p.log()).sum_axis(-1)
}

/// By name; one that is not known is reported by `compile`.
impl From<&str> for Loss {
    fn from(name: &str) -> Self {
        let kind = match name.to_lowercase().as_str() {
            "mean_squared_error" | "mse" => Kind::MeanSquaredError,
            "mean_absolute_error" | "mae" => Kind::MeanAbsoluteError,
            "binary_crossentropy" | "bce" => Kind::BinaryCrossentropy,
            "categorical_crossentropy" => Kind::CategoricalCrossentropy,
            "sparse_categorical_crossentropy" => Kind::SparseCategoricalCrossentropy,
            _ => Kind::Unknown,
        };
        Loss::of(kind, name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::check_gradients;

    fn close(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() < 1e-6 * expected.abs().max(1.0),
            "{actual} {expected}"
        );
    }

    fn value(loss: &str, y_true: Tensor, y_pred: Tensor) -> f64 {
        Loss::from(loss).call(&y_true, &y_pred).unwrap().item()
    }

    #[test]
    fn values_are_those_of_keras() {
        // Keras 3.15's docstrings and by hand.
        let (y, p) = (
            Tensor::from([[0.0, 1.0], [0.0, 0.0]]),
            Tensor::from([[0.6, 0.4], [0.4, 0.6]]),
        );
        close(
            value("binary_crossentropy", y.clone(), p.clone()),
            (0.916_290_7 + 0.713_558_2) / 2.0,
        );
        close(
            value("mse", y.clone(), p.clone()),
            (0.36 + 0.36 + 0.16 + 0.36) / 4.0,
        );
        close(value("mae", y, p), (0.6 + 0.6 + 0.4 + 0.6) / 4.0);
        let (y, p) = (
            Tensor::from([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            Tensor::from([[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]]),
        );
        let expected = -(0.95_f64.ln() + 0.1_f64.ln()) / 2.0;
        close(value("categorical_crossentropy", y, p.clone()), expected);
        close(
            value(
                "sparse_categorical_crossentropy",
                Tensor::from([1_i64, 2]),
                p,
            ),
            expected,
        );
    }

    #[test]
    fn certain_and_wrong_is_clipped_and_unnormalised_rows_are_normalised() {
        let clipped = -(1e-7_f32.ln()) as f64;
        close(
            value(
                "categorical_crossentropy",
                Tensor::from([[1.0, 0.0]]),
                Tensor::from([[0.0, 1.0]]),
            ),
            clipped,
        );
        close(
            value(
                "binary_crossentropy",
                Tensor::from([[1.0]]),
                Tensor::from([[0.0]]),
            ),
            clipped,
        );
        close(
            value(
                "categorical_crossentropy",
                Tensor::from([[1.0, 0.0]]),
                Tensor::from([[2.0, 6.0]]),
            ),
            4.0_f64.ln(),
        );
    }

    #[test]
    fn logits_and_probabilities_agree_where_both_are_exact() {
        let logits = Tensor::from([[0.3, -1.2, 2.0], [1.0, 0.0, -0.5]]);
        let y = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
        for (loss, activation) in [
            (Loss::categorical_crossentropy(), Activation::Softmax),
            (Loss::binary_crossentropy(), Activation::Sigmoid),
        ] {
            let plain = loss.call(&y, &activation.apply(&logits)).unwrap().item();
            close(loss.on_logits().call(&y, &logits).unwrap().item(), plain);
            assert!(loss.fuses_with(&activation) && !loss.fuses_with(&Activation::Tanh));
        }
    }

    #[test]
    fn gradients_of_every_loss_match_finite_differences() {
        let p = Tensor::from([[0.2, 0.5, 0.3], [0.6, 0.15, 0.25]]);
        let hot = Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
        let numbers = Tensor::from([2_i64, 0]);
        for name in NAMES {
            let y = if name.starts_with("sparse") {
                &numbers
            } else {
                &hot
            };
            for from_logits in [false, true] {
                let loss = Loss::from(name).from_logits(from_logits);
                let error =
                    check_gradients(|t| loss.call(y, &t[0]).unwrap(), std::slice::from_ref(&p))
                        .unwrap();
                assert!(error < 1e-6, "{name} from_logits={from_logits}: {error}");
            }
        }
    }

    #[test]
    fn a_column_and_a_vector_of_labels_are_the_same() {
        let p = Tensor::from([[0.6], [0.4]]);
        let column = value(
            "binary_crossentropy",
            Tensor::from([[1.0], [0.0]]),
            p.clone(),
        );
        close(
            value("binary_crossentropy", Tensor::from([1.0, 0.0]), p.clone()),
            column,
        );
        let p = Tensor::from([[0.6, 0.4], [0.4, 0.6]]);
        let vector = value(
            "sparse_categorical_crossentropy",
            Tensor::from([1_i64, 0]),
            p.clone(),
        );
        close(
            value(
                "sparse_categorical_crossentropy",
                Tensor::from([[1_i64], [0]]),
                p,
            ),
            vector,
        );
    }

    #[test]
    fn labels_of_another_shape_and_unknown_names_are_refused() {
        let error = Loss::from("mse")
            .call(&Tensor::zeros([2, 4]), &Tensor::zeros([2, 3]))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected labels of shape [2, 3]"),
            "{error}"
        );
        let error = Loss::from("categorical_crossentrpy")
            .known()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean \"categorical_crossentropy\"?"),
            "{error}"
        );
    }
}
