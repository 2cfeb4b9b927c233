//! What training is judged by: numbers that need no gradient.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::losses::Loss;
use crate::{Error, Result, Tensor, names};

type Function = Arc<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// A metric: by name, by constructor, or a user's own closure.
///
/// `"accuracy"` becomes the binary, categorical or sparse categorical one by the shapes of labels
/// and predictions, as in Keras.
#[derive(Clone)]
pub struct Metric {
    name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Accuracy,
    BinaryAccuracy(f64),
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    Loss(Loss),
    Custom(Function),
    Unknown,
}

const NAMES: [&str; 12] = [
    "accuracy",
    "acc",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "mean_squared_error",
    "mse",
    "mean_absolute_error",
    "mae",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
];

impl Metric {
    fn of(kind: Kind, name: &str) -> Metric {
        Metric {
            name: name.to_string(),
            kind,
        }
    }

    /// The share of right answers; which kind of answer is told by the shapes.
    pub fn accuracy() -> Metric {
        Self::of(Kind::Accuracy, "accuracy")
    }

    /// The share of elements on the right side of 0.5.
    pub fn binary_accuracy() -> Metric {
        Self::of(Kind::BinaryAccuracy(0.5), "binary_accuracy")
    }

    /// The share of samples whose largest prediction is at the largest label.
    pub fn categorical_accuracy() -> Metric {
        Self::of(Kind::CategoricalAccuracy, "categorical_accuracy")
    }

    /// The share of samples whose largest prediction is at the place the label names.
    pub fn sparse_categorical_accuracy() -> Metric {
        Self::of(
            Kind::SparseCategoricalAccuracy,
            "sparse_categorical_accuracy",
        )
    }

    /// The mean of the squared differences.
    pub fn mean_squared_error() -> Metric {
        Self::of(Kind::Loss(Loss::mean_squared_error()), "mean_squared_error")
    }

    /// The mean of the absolute differences.
    pub fn mean_absolute_error() -> Metric {
        Self::of(
            Kind::Loss(Loss::mean_absolute_error()),
            "mean_absolute_error",
        )
    }

    /// A function of `(y_true, y_pred)`; what it returns is averaged to one number.
    ///
    /// It sees one batch at a time, and `evaluate` reports the mean over the batches, weighted by
    /// their samples. So return a mean over samples: a correlation or a root mean square would
    /// depend on how the data falls into batches.
    pub fn custom(
        name: &str,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Self::of(Kind::Custom(Arc::new(function)), name)
    }

    /// The threshold of [`Metric::binary_accuracy`] (0.5); other metrics ignore it.
    pub fn threshold(mut self, threshold: f64) -> Metric {
        if let Kind::BinaryAccuracy(current) = &mut self.kind {
            *current = threshold;
        }
        self
    }

    /// The name it is recorded under.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn known(self) -> Result<Metric> {
        match self.kind {
            Kind::Unknown => Err(Error::Value(format!(
                "{}; a function of your own is passed as Metric::custom(name, function)",
                names::unknown("metric", &self.name, &NAMES)
            ))),
            _ => Ok(self),
        }
    }

    /// As it stands in a saved model; a function of the user's own leaves only its name.
    pub(crate) fn config(&self) -> Value {
        match self.kind {
            Kind::Custom(_) => json!({"custom": self.name}),
            Kind::BinaryAccuracy(threshold) => {
                json!({"name": self.name, "threshold": number(threshold)})
            }
            _ => json!({"name": self.name}),
        }
    }

    /// What [`Metric::config`] wrote of a metric that has a name.
    pub(crate) fn from_config(value: &Value) -> Parsed<Metric> {
        let fields = Fields::of(value, "metric")?;
        let metric = Metric::from(fields.text("name")?).known();
        let metric = metric.map_err(|error| error.to_string())?;
        Ok(match fields.get("threshold") {
            Some(_) => metric.threshold(fields.float("threshold")?),
            None => metric,
        })
    }

    /// The metric over one batch.
    ///
    /// # Shapes
    /// `y_pred` `[batch, …]`, `y_true` what the loss takes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the labels do not fit the predictions.
    pub fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<f64> {
        match &self.kind {
            Kind::Accuracy => match by_shapes(y_true.shape(), y_pred.shape()) {
                Kind::BinaryAccuracy(threshold) => binary_accuracy(y_true, y_pred, threshold),
                Kind::SparseCategoricalAccuracy => sparse_accuracy(y_true, y_pred),
                _ => categorical_accuracy(y_true, y_pred),
            },
            Kind::BinaryAccuracy(threshold) => binary_accuracy(y_true, y_pred, *threshold),
            Kind::CategoricalAccuracy => categorical_accuracy(y_true, y_pred),
            Kind::SparseCategoricalAccuracy => sparse_accuracy(y_true, y_pred),
            Kind::Loss(loss) => Ok(loss.call(y_true, y_pred)?.item()),
            Kind::Custom(function) => Ok(function(y_true, y_pred).mean().item()),
            Kind::Unknown => Err(self.clone().known().expect_err("it is unknown")),
        }
    }
}

/// Keras's choice (`trainers/compile_utils.py`).
fn by_shapes(labels: &[usize], output: &[usize]) -> Kind {
    let last = output.last().copied().unwrap_or(1);
    if last == 1 {
        Kind::BinaryAccuracy(0.5)
    } else if labels.len() < output.len() || labels.last() == Some(&1) {
        Kind::SparseCategoricalAccuracy
    } else {
        Kind::CategoricalAccuracy
    }
}

fn binary_accuracy(y_true: &Tensor, y_pred: &Tensor, threshold: f64) -> Result<f64> {
    if y_true.len() != y_pred.len() {
        return Err(unfit("binary_accuracy", y_true, y_pred));
    }
    let threshold = threshold as f32;
    let pairs = y_true.to_vec().into_iter().zip(y_pred.to_vec());
    let right = pairs
        .filter(|&(label, p)| label == f32::from(u8::from(p > threshold)))
        .count();
    Ok(share(right, y_pred.len()))
}

fn categorical_accuracy(y_true: &Tensor, y_pred: &Tensor) -> Result<f64> {
    if y_true.shape() != y_pred.shape() {
        return Err(unfit("categorical_accuracy", y_true, y_pred));
    }
    let labels = largest(y_true);
    let answers = largest(y_pred);
    let right = labels
        .iter()
        .zip(&answers)
        .filter(|(label, answer)| label == answer)
        .count();
    Ok(share(right, answers.len()))
}

fn sparse_accuracy(y_true: &Tensor, y_pred: &Tensor) -> Result<f64> {
    let answers = largest(y_pred);
    if y_true.len() != answers.len() {
        return Err(unfit("sparse_categorical_accuracy", y_true, y_pred));
    }
    let labels = y_true.to_vec_of::<i64>();
    let right = labels
        .iter()
        .zip(&answers)
        .filter(|&(&label, &answer)| label == answer as i64)
        .count();
    Ok(share(right, answers.len()))
}

/// The place of the largest element of each row of the last axis, the first where they tie.
fn largest(tensor: &Tensor) -> Vec<usize> {
    let row = tensor.shape().last().copied().unwrap_or(1).max(1);
    let place = |values: &[f32]| {
        let mut best = 0;
        for (index, value) in values.iter().enumerate() {
            if *value > values[best] {
                best = index;
            }
        }
        best
    };
    tensor.to_vec().chunks(row).map(place).collect()
}

fn share(right: usize, all: usize) -> f64 {
    if all == 0 {
        f64::NAN
    } else {
        right as f64 / all as f64
    }
}

fn unfit(metric: &str, y_true: &Tensor, y_pred: &Tensor) -> Error {
    Error::Shape(format!(
        "{metric}: labels of shape {:?} do not fit predictions of shape {:?}",
        y_true.shape(),
        y_pred.shape()
    ))
}

/// By name; one that is not known is reported by `compile`.
impl From<&str> for Metric {
    fn from(name: &str) -> Self {
        let kind = match name {
            "accuracy" | "acc" => Kind::Accuracy,
            "binary_accuracy" => Kind::BinaryAccuracy(0.5),
            "categorical_accuracy" => Kind::CategoricalAccuracy,
            "sparse_categorical_accuracy" => Kind::SparseCategoricalAccuracy,
            other => match Loss::from(other).known() {
                Ok(loss) => Kind::Loss(loss),
                Err(_) => Kind::Unknown,
            },
        };
        Metric::of(kind, name)
    }
}

impl From<&Metric> for Metric {
    fn from(metric: &Metric) -> Self {
        metric.clone()
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metric({:?})", self.name)
    }
}

/// The metrics given to `compile`: names, [`Metric`] values, or [`Metrics::none`].
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// No metric besides the loss.
    pub fn none() -> Metrics {
        Metrics::default()
    }

    /// The metrics, each name known and used once.
    ///
    /// # Errors
    /// [`Error::Value`] for an unknown or repeated name.
    pub(crate) fn resolve(self) -> Result<Vec<Metric>> {
        let mut seen: Vec<Metric> = Vec::new();
        for metric in self.0 {
            let metric = metric.known()?;
            if metric.name == "loss" || seen.iter().any(|other| other.name == metric.name) {
                return Err(Error::Value(format!(
                    "compile: two metrics are named {:?} (the loss is \"loss\"); each needs its own name",
                    metric.name
                )));
            }
            seen.push(metric);
        }
        Ok(seen)
    }
}

impl From<&str> for Metrics {
    fn from(name: &str) -> Self {
        Metrics(vec![name.into()])
    }
}

impl From<Metric> for Metrics {
    fn from(metric: Metric) -> Self {
        Metrics(vec![metric])
    }
}

impl From<&[&str]> for Metrics {
    fn from(names: &[&str]) -> Self {
        Metrics(names.iter().map(|&name| name.into()).collect())
    }
}

impl<const N: usize> From<[&str; N]> for Metrics {
    fn from(names: [&str; N]) -> Self {
        Self::from(&names[..])
    }
}

impl<const N: usize> From<[Metric; N]> for Metrics {
    fn from(metrics: [Metric; N]) -> Self {
        Metrics(metrics.into())
    }
}

impl From<Vec<&str>> for Metrics {
    fn from(names: Vec<&str>) -> Self {
        Self::from(&names[..])
    }
}

impl From<Vec<Metric>> for Metrics {
    fn from(metrics: Vec<Metric>) -> Self {
        Metrics(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, y_true: Tensor, y_pred: Tensor) -> f64 {
        Metric::from(name).call(&y_true, &y_pred).unwrap()
    }

    #[test]
    fn accuracy_is_chosen_by_shape_as_keras_does() {
        let column = Tensor::from([[0.9], [0.2], [0.6]]);
        assert_eq!(
            value("accuracy", Tensor::from([1.0, 0.0, 0.0]), column.clone()),
            2.0 / 3.0
        );
        assert_eq!(
            value("accuracy", Tensor::from([[1.0], [0.0], [1.0]]), column),
            1.0
        );
        let rows = Tensor::from([[0.1, 0.9], [0.7, 0.3]]);
        assert_eq!(
            value(
                "accuracy",
                Tensor::from([[0.0, 1.0], [0.0, 1.0]]),
                rows.clone()
            ),
            0.5
        );
        assert_eq!(
            value("accuracy", Tensor::from([1_i64, 0]), rows.clone()),
            1.0
        );
        assert_eq!(value("acc", Tensor::from([[1_u8], [1]]), rows), 0.5);
    }

    #[test]
    fn one_half_is_not_above_the_threshold_and_ties_go_to_the_first() {
        assert_eq!(
            value("binary_accuracy", Tensor::from([0.0]), Tensor::from([0.5])),
            1.0
        );
        let strict = Metric::binary_accuracy().threshold(0.8);
        assert_eq!(
            strict
                .call(&Tensor::from([1.0]), &Tensor::from([0.7]))
                .unwrap(),
            0.0
        );
        assert_eq!(
            value(
                "sparse_categorical_accuracy",
                Tensor::from([0_i64]),
                Tensor::from([[0.5, 0.5]])
            ),
            1.0
        );
    }

    #[test]
    fn errors_and_own_functions_are_averaged() {
        let (y, p) = (Tensor::from([[1.0], [3.0]]), Tensor::from([[2.0], [5.0]]));
        assert_eq!(value("mae", y.clone(), p.clone()), 1.5);
        assert_eq!(value("mse", y.clone(), p.clone()), 2.5);
        let largest = Metric::custom("largest", |y, p| (y - p).abs().max());
        assert_eq!(largest.call(&y, &p).unwrap(), 2.0);
    }

    #[test]
    fn unknown_and_repeated_names_are_refused() {
        let error = Metrics::from(["acuracy"])
            .resolve()
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean \"accuracy\"?"), "{error}");
        let error = Metrics::from(["mae", "mae"])
            .resolve()
            .unwrap_err()
            .to_string();
        assert!(error.contains("two metrics are named \"mae\""), "{error}");
        assert!(Metrics::none().resolve().unwrap().is_empty());
    }

    #[test]
    fn labels_that_do_not_fit_are_refused_with_both_shapes() {
        let error = Metric::categorical_accuracy()
            .call(&Tensor::zeros([2, 3]), &Tensor::zeros([2, 4]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("[2, 3]") && error.contains("[2, 4]"),
            "{error}"
        );
    }
}
