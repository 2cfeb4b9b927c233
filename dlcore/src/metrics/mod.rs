//! What training is judged by: numbers that need no gradient.
//!
//! Formulas are Keras 3's (`metrics/`). A metric is told by all samples of an epoch, however they fell
//! into batches.

mod accuracy;
mod auc;
mod confusion;
mod list;
mod make;
#[cfg(test)]
mod parity;
mod regression;
mod saved;
mod state;
#[cfg(test)]
mod tests;

pub use list::Metrics;
pub(crate) use state::{Batch, MetricState, Totals};

use std::sync::Arc;

use crate::losses::{self, Loss};
use crate::{Error, Result, Tensor, names};
use auc::{AucState, Curve};
use confusion::{F1State, Iou, IouState, Of, PositivesState};
use regression::R2State;
use state::{MeanState, WholeState};

type Function = Arc<dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync>;

/// A metric: by name, by constructor, or a user's own closure.
///
/// `"accuracy"` becomes the binary, categorical or sparse categorical one by the shapes of labels
/// and predictions, as in Keras. Every loss is a metric too.
///
/// ```
/// use dlcore::metrics::Metric;
/// use dlcore::tensor::Tensor;
/// let by_name = Metric::from("precision");
/// let strict = Metric::precision().threshold(0.9).named("strict_precision");
/// let own = Metric::custom("within_one", |y, p| (y - p).abs().less(&Tensor::from(1.0)));
/// ```
#[derive(Clone)]
pub struct Metric {
    name: String,
    kind: Kind,
    /// What is wrong with its settings.
    problem: Option<String>,
}

#[derive(Clone)]
enum Kind {
    Accuracy,
    BinaryAccuracy(f64),
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy(usize),
    SparseTopKCategoricalAccuracy(usize),
    RootMeanSquaredError,
    CosineSimilarity,
    R2Score,
    Precision(f64),
    Recall(f64),
    F1Score(Average, Option<f64>),
    Auc(Curve, usize),
    MeanIou(Iou),
    Loss(Loss),
    Custom(Function),
    Unknown,
}

/// How the scores of classes become one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Average {
    Micro,
    Macro,
    Weighted,
}

/// Names of metrics that are no losses, and of the one that is not the loss of its name.
const NAMES: &[&str] = &[
    "accuracy",
    "acc",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "root_mean_squared_error",
    "r2_score",
    "precision",
    "recall",
    "f1_score",
    "auc",
];

impl Metric {
    fn of(kind: Kind, name: &str) -> Metric {
        Metric {
            name: name.to_string(),
            kind,
            problem: None,
        }
    }

    /// The name it is recorded under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The metric, if its name is known and its settings make sense.
    pub(crate) fn known(self) -> Result<Metric> {
        if let Some(problem) = self.problem {
            return Err(Error::Value(problem));
        }
        match &self.kind {
            Kind::Loss(loss) => loss.clone().known().map(|_| self),
            Kind::Unknown if self.name.to_lowercase().replace('_', "") == "meaniou" => Err(
                Error::Value("mean_io_u needs the number of classes: Metric::mean_io_u(3)".into()),
            ),
            Kind::Unknown => Err(Error::Value(format!(
                "{}; a function of your own is passed as Metric::custom(name, function)",
                names::unknown("metric", &self.name, &[NAMES, losses::NAMES].concat())
            ))),
            _ => Ok(self),
        }
    }

    /// The metric over one batch.
    ///
    /// # Shapes
    /// `y_pred` `[batch, …]`, `y_true` what the loss takes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the labels do not fit the predictions.
    pub fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<f64> {
        let mut state = self.clone().known()?.state();
        state.update(&Batch::new(y_true, y_pred, None)?)?;
        Ok(state.result())
    }

    /// An empty state, to be filled batch by batch.
    pub(crate) fn state(&self) -> Box<dyn MetricState> {
        match self.kind {
            Kind::Precision(threshold) => Box::new(PositivesState::new(Of::Answers, threshold)),
            Kind::Recall(threshold) => Box::new(PositivesState::new(Of::Labels, threshold)),
            Kind::F1Score(average, threshold) => Box::new(F1State::new(average, threshold)),
            Kind::Auc(curve, thresholds) => Box::new(AucState::new(curve, thresholds)),
            Kind::R2Score => Box::new(R2State::default()),
            Kind::MeanIou(iou) => Box::new(IouState::new(iou)),
            _ => Box::new(MeanState::new(self)),
        }
    }

    /// [`Metric::state`], which calls a function of the user's own once, with all batches joined.
    pub(crate) fn whole_state(&self) -> Box<dyn MetricState> {
        match self.kind {
            Kind::Custom(_) => Box::new(WholeState::new(self)),
            _ => self.state(),
        }
    }

    /// Numbers whose mean is the metric, or the square of it, as many for each sample, put into `values`
    /// in place of what is there. Those asked for most need no memory of their own: a step of a small
    /// network takes no longer than asking for some.
    fn values(&self, y_true: &Tensor, y_pred: &Tensor, values: &mut Vec<f32>) -> Result<()> {
        values.clear();
        match &self.kind {
            Kind::Accuracy => match by_shapes(y_true.shape(), y_pred.shape()) {
                Kind::BinaryAccuracy(threshold) => {
                    accuracy::binary(y_true, y_pred, threshold, values)
                }
                Kind::SparseCategoricalAccuracy => accuracy::sparse(y_true, y_pred, values),
                _ => accuracy::categorical(y_true, y_pred, values),
            },
            Kind::BinaryAccuracy(threshold) => accuracy::binary(y_true, y_pred, *threshold, values),
            Kind::CategoricalAccuracy => accuracy::categorical(y_true, y_pred, values),
            Kind::SparseCategoricalAccuracy => accuracy::sparse(y_true, y_pred, values),
            Kind::Loss(loss) if loss.of_columns(y_true, y_pred, values) => Ok(()),
            _ => {
                *values = self.other_values(y_true, y_pred)?;
                Ok(())
            }
        }
    }

    /// [`Metric::values`] of metrics that are asked for less.
    fn other_values(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Vec<f32>> {
        match &self.kind {
            Kind::TopKCategoricalAccuracy(k) => accuracy::top_k(y_true, y_pred, *k),
            Kind::SparseTopKCategoricalAccuracy(k) => accuracy::sparse_top_k(y_true, y_pred, *k),
            Kind::RootMeanSquaredError => {
                let squares = Loss::mean_squared_error().per_position(y_true, y_pred);
                squares.map(|squares| squares.to_vec())
            }
            Kind::CosineSimilarity => {
                let minus = Loss::cosine_similarity().per_position(y_true, y_pred);
                minus.map(|minus| minus.neg().to_vec())
            }
            Kind::Loss(loss) => Ok(loss.per_position(y_true, y_pred)?.to_vec()),
            Kind::Custom(function) => Ok(function(y_true, y_pred).to_vec()),
            _ => Err(Error::Value(format!(
                "{}: is no mean of numbers",
                self.name
            ))),
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

fn unfit(metric: &str, y_true: &Tensor, y_pred: &Tensor) -> Error {
    Error::Shape(format!(
        "{metric}: labels of shape {:?} do not fit predictions of shape {:?}",
        y_true.shape(),
        y_pred.shape()
    ))
}

/// Whether a metric of this name is better when it is larger; `None` for a name that says nothing.
pub(crate) fn larger_is_better(name: &str) -> Option<bool> {
    let metric = Metric::from(name.strip_prefix("val_").unwrap_or(name));
    match metric.kind {
        _ if metric.name == "loss" => Some(false),
        Kind::Loss(_) | Kind::RootMeanSquaredError => Some(false),
        Kind::Unknown => {
            let name = name.to_lowercase();
            let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
            if any(&[
                "acc",
                "auc",
                "precision",
                "recall",
                "f1",
                "r2",
                "io_u",
                "iou",
            ]) {
                Some(true)
            } else if any(&["loss", "error", "entropy", "mse", "mae"]) {
                Some(false)
            } else {
                None
            }
        }
        _ => Some(true),
    }
}

/// By name; one that is not known is reported by `compile`.
impl From<&str> for Metric {
    fn from(name: &str) -> Self {
        let known = match name.to_lowercase().replace('_', "").as_str() {
            "accuracy" | "acc" => Metric::accuracy(),
            "binaryaccuracy" => Metric::binary_accuracy(),
            "categoricalaccuracy" => Metric::categorical_accuracy(),
            "sparsecategoricalaccuracy" => Metric::sparse_categorical_accuracy(),
            "topkcategoricalaccuracy" => Metric::top_k_categorical_accuracy(),
            "sparsetopkcategoricalaccuracy" => Metric::sparse_top_k_categorical_accuracy(),
            "rootmeansquarederror" => Metric::root_mean_squared_error(),
            "cosinesimilarity" => Metric::cosine_similarity(),
            "r2score" => Metric::r2_score(),
            "precision" => Metric::precision(),
            "recall" => Metric::recall(),
            "f1score" => Metric::f1_score(),
            "auc" => Metric::auc(),
            "logcosherror" => Self::of(Kind::Loss(Loss::log_cosh()), name),
            _ => match Loss::from(name).known() {
                Ok(loss) => Self::of(Kind::Loss(loss), name),
                Err(_) => Self::of(Kind::Unknown, name),
            },
        };
        Metric::of(known.kind, name)
    }
}

impl From<&Metric> for Metric {
    fn from(metric: &Metric) -> Self {
        metric.clone()
    }
}

/// The mean of a loss, under its name.
impl From<Loss> for Metric {
    fn from(loss: Loss) -> Self {
        let name = loss.name().to_string();
        match loss.kind {
            losses::Kind::Custom(function) => Metric::of(Kind::Custom(function), &name),
            losses::Kind::Unknown => Metric::of(Kind::Unknown, &name),
            _ => Metric::of(Kind::Loss(loss), &name),
        }
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metric({:?})", self.name)
    }
}
