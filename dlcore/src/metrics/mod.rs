//! What training is judged by: numbers that need no gradient.
//!
//! Formulas are Keras 3's (`metrics/`). A metric is told by all samples of an epoch, however they fell
//! into batches.

mod accuracy;
mod auc;
mod confusion;
mod list;
#[cfg(test)]
mod parity;
mod regression;
mod state;
#[cfg(test)]
mod tests;

pub use list::Metrics;
pub(crate) use state::{Batch, MetricState, Totals};

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::losses::{self, Loss};
use crate::{Error, Result, Tensor, names};
use auc::{AucState, Curve};
use confusion::{F1State, IouState, Of, PositivesState};
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
    MeanIou(usize),
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

const AVERAGES: [(&str, Average); 3] = [
    ("micro", Average::Micro),
    ("macro", Average::Macro),
    ("weighted", Average::Weighted),
];

const CURVES: [(&str, Curve); 2] = [("ROC", Curve::Roc), ("PR", Curve::Pr)];

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

/// The constructors that take nothing and are named after their metric.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {
        impl Metric {$(
            $(#[$doc])*
            pub fn $name() -> Metric {
                Self::of($kind, stringify!($name))
            }
        )*}
    };
}

constructors! {
    /// The share of right answers; which kind of answer is told by the shapes.
    accuracy = Kind::Accuracy;
    /// The share of elements on the right side of the [`threshold`](Metric::threshold) (0.5).
    binary_accuracy = Kind::BinaryAccuracy(0.5);
    /// The share of samples whose largest prediction is at the largest label.
    categorical_accuracy = Kind::CategoricalAccuracy;
    /// The share of samples whose largest prediction is at the place the label names.
    sparse_categorical_accuracy = Kind::SparseCategoricalAccuracy;
    /// The share of samples whose right class is among the [`k`](Metric::k) (5) likeliest; labels one-hot.
    top_k_categorical_accuracy = Kind::TopKCategoricalAccuracy(5);
    /// The share of samples whose right class is among the [`k`](Metric::k) (5) likeliest; labels are the
    /// classes' numbers.
    sparse_top_k_categorical_accuracy = Kind::SparseTopKCategoricalAccuracy(5);
    /// The mean of the squared differences.
    mean_squared_error = Kind::Loss(Loss::mean_squared_error());
    /// The mean of the absolute differences.
    mean_absolute_error = Kind::Loss(Loss::mean_absolute_error());
    /// The mean of the absolute differences in percent of the labels.
    mean_absolute_percentage_error = Kind::Loss(Loss::mean_absolute_percentage_error());
    /// The root of the mean of the squared differences, over all samples.
    root_mean_squared_error = Kind::RootMeanSquaredError;
    /// The cosine of the angle between labels and predictions along the last axis: 1 where they point the
    /// same way (the loss of this name is its negative).
    cosine_similarity = Kind::CosineSimilarity;
    /// The coefficient of determination, 1 at best: the share of the labels' variance that is explained; the
    /// mean over the columns of `[batch, columns]`.
    r2_score = Kind::R2Score;
    /// Of what was answered yes, the share that is: an answer is a yes above the
    /// [`threshold`](Metric::threshold) (0.5).
    precision = Kind::Precision(0.5);
    /// Of what is yes, the share that was answered so: an answer is a yes above the
    /// [`threshold`](Metric::threshold) (0.5).
    recall = Kind::Recall(0.5);
    /// The harmonic mean of precision and recall of each class, averaged
    /// ([`"macro"`](Metric::average); Keras averages only when told). The answer is the likeliest class;
    /// with a [`threshold`](Metric::threshold), or for one output, whose threshold is 0.5, every class
    /// above it.
    f1_score = Kind::F1Score(Average::Macro, None);
    /// The area under the ROC [`curve`](Metric::curve): the chance that a yes gets a higher prediction than
    /// a no. Found from 200 [`thresholds`](Metric::thresholds), as in Keras.
    auc = Kind::Auc(Curve::Roc, 200);
}

impl Metric {
    fn of(kind: Kind, name: &str) -> Metric {
        Metric {
            name: name.to_string(),
            kind,
            problem: None,
        }
    }

    /// The mean over classes of the intersection of labels and answers over their union. Labels are the
    /// classes' numbers or one-hot; predictions one number a class on the last axis, or classes' numbers.
    pub fn mean_io_u(num_classes: usize) -> Metric {
        let metric = Self::of(Kind::MeanIou(num_classes), "mean_io_u");
        match num_classes {
            0 => metric.refused("num_classes must be at least 1, got 0".to_string()),
            _ => metric,
        }
    }

    /// A function of `(y_true, y_pred)`; what it returns is averaged to one number.
    ///
    /// In `evaluate` and for validation it sees all labels and predictions at once. While training it
    /// sees one batch at a time, and the mean over the batches is recorded, weighted by their samples.
    pub fn custom(
        name: &str,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Self::of(Kind::Custom(Arc::new(function)), name)
    }

    /// The prediction above which an answer is a yes, from 0 to 1: for binary accuracy, precision, recall
    /// and F1.
    pub fn threshold(mut self, threshold: f64) -> Metric {
        if !(0.0..=1.0).contains(&threshold) {
            return self.refused(format!("threshold must be from 0 to 1, got {threshold}"));
        }
        match &mut self.kind {
            Kind::BinaryAccuracy(current) | Kind::Precision(current) | Kind::Recall(current) => {
                *current = threshold;
            }
            Kind::F1Score(_, current) => *current = Some(threshold),
            _ => return self.without("threshold"),
        }
        self
    }

    /// How many likeliest classes the right one has to be among, for the top-k accuracies (5).
    pub fn k(mut self, k: usize) -> Metric {
        match &mut self.kind {
            _ if k == 0 => return self.refused("k must be at least 1, got 0".to_string()),
            Kind::TopKCategoricalAccuracy(current)
            | Kind::SparseTopKCategoricalAccuracy(current) => {
                *current = k;
            }
            _ => return self.without("k"),
        }
        self
    }

    /// How the scores of classes become one in F1: `"micro"` counts all answers alike, `"macro"` all
    /// classes, `"weighted"` all classes by their labels (`"macro"`).
    pub fn average(mut self, average: &str) -> Metric {
        let known = AVERAGES.iter().find(|(name, _)| *name == average);
        match (&mut self.kind, known) {
            (Kind::F1Score(current, _), Some((_, average))) => *current = *average,
            (Kind::F1Score(..), None) => {
                return self.refused(names::unknown(
                    "average",
                    average,
                    &AVERAGES.map(|(n, _)| n),
                ));
            }
            _ => return self.without("average"),
        }
        self
    }

    /// The curve of the area: `"ROC"` or `"PR"`, precision over recall (`"ROC"`).
    pub fn curve(mut self, curve: &str) -> Metric {
        let known = CURVES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(curve));
        match (&mut self.kind, known) {
            (Kind::Auc(current, _), Some((_, curve))) => *current = *curve,
            (Kind::Auc(..), None) => {
                return self.refused(names::unknown("curve", curve, &CURVES.map(|(n, _)| n)));
            }
            _ => return self.without("curve"),
        }
        self
    }

    /// How many thresholds the area under a curve is found from, at least 2 (200).
    pub fn thresholds(mut self, count: usize) -> Metric {
        match &mut self.kind {
            _ if count < 2 => {
                return self.refused(format!("thresholds must be at least 2, got {count}"));
            }
            Kind::Auc(_, current) => *current = count,
            _ => return self.without("thresholds"),
        }
        self
    }

    /// Records it under another name: two precisions need two.
    pub fn named(mut self, name: &str) -> Metric {
        if matches!(self.kind, Kind::Unknown) {
            return self;
        }
        self.name = name.to_string();
        self
    }

    fn refused(mut self, problem: String) -> Metric {
        let problem = format!("{}: {problem}", self.name);
        self.problem.get_or_insert(problem);
        self
    }

    fn without(self, setting: &str) -> Metric {
        self.refused(format!("this metric has no setting {setting}"))
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
            Kind::Unknown => Err(Error::Value(format!(
                "{}; a function of your own is passed as Metric::custom(name, function)",
                names::unknown("metric", &self.name, &[NAMES, losses::NAMES].concat())
            ))),
            _ => Ok(self),
        }
    }

    /// The name by which this kind of metric is found.
    fn kind_name(&self) -> &str {
        match &self.kind {
            Kind::Accuracy => "accuracy",
            Kind::BinaryAccuracy(_) => "binary_accuracy",
            Kind::CategoricalAccuracy => "categorical_accuracy",
            Kind::SparseCategoricalAccuracy => "sparse_categorical_accuracy",
            Kind::TopKCategoricalAccuracy(_) => "top_k_categorical_accuracy",
            Kind::SparseTopKCategoricalAccuracy(_) => "sparse_top_k_categorical_accuracy",
            Kind::RootMeanSquaredError => "root_mean_squared_error",
            Kind::CosineSimilarity => "cosine_similarity",
            Kind::R2Score => "r2_score",
            Kind::Precision(_) => "precision",
            Kind::Recall(_) => "recall",
            Kind::F1Score(..) => "f1_score",
            Kind::Auc(..) => "auc",
            Kind::MeanIou(_) => "mean_io_u",
            Kind::Loss(loss) => loss.name(),
            Kind::Custom(_) | Kind::Unknown => &self.name,
        }
    }

    /// As it stands in a saved model; a function of the user's own leaves only its name.
    pub(crate) fn config(&self) -> Value {
        let mut config = json!({"name": self.name, "metric": self.kind_name()});
        match &self.kind {
            Kind::Custom(_) => return json!({"custom": self.name}),
            Kind::BinaryAccuracy(threshold)
            | Kind::Precision(threshold)
            | Kind::Recall(threshold)
            | Kind::F1Score(_, Some(threshold)) => config["threshold"] = number(*threshold),
            Kind::TopKCategoricalAccuracy(k) | Kind::SparseTopKCategoricalAccuracy(k) => {
                config["k"] = json!(k);
            }
            Kind::MeanIou(classes) => config["num_classes"] = json!(classes),
            Kind::Loss(loss) => config["loss"] = loss.config(),
            _ => {}
        }
        match self.kind {
            Kind::F1Score(average, _) => {
                let named = AVERAGES.iter().find(|(_, known)| *known == average);
                config["average"] = json!(named.map(|(name, _)| name));
            }
            Kind::Auc(curve, thresholds) => {
                let named = CURVES.iter().find(|(_, known)| *known == curve);
                config["curve"] = json!(named.map(|(name, _)| name));
                config["thresholds"] = json!(thresholds);
            }
            _ => {}
        }
        config
    }

    /// What [`Metric::config`] wrote of a metric that has a name.
    pub(crate) fn from_config(value: &Value) -> Parsed<Metric> {
        let fields = Fields::of(value, "metric")?;
        let name = fields.text("name")?;
        // Earlier versions knew metrics by the name they are recorded under alone.
        let kind = fields.get("metric").and_then(Value::as_str).unwrap_or(name);
        let mut metric = match fields.get("num_classes") {
            Some(_) => Metric::mean_io_u(fields.size("num_classes")?),
            None => Metric::from(kind),
        };
        if let Some(loss) = fields.get("loss") {
            metric.kind = Kind::Loss(Loss::from_config(loss)?);
        }
        for (key, set) in [
            ("k", Metric::k as fn(Metric, usize) -> Metric),
            ("thresholds", Metric::thresholds),
        ] {
            if fields.get(key).is_some() {
                metric = set(metric, fields.size(key)?);
            }
        }
        for (key, set) in [
            ("average", Metric::average as fn(Metric, &str) -> Metric),
            ("curve", Metric::curve),
        ] {
            if fields.get(key).is_some() {
                metric = set(metric, fields.text(key)?);
            }
        }
        if fields.get("threshold").is_some() {
            metric = metric.threshold(fields.float("threshold")?);
        }
        let metric = metric.known().map_err(|error| error.to_string())?;
        Ok(metric.named(name))
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
            Kind::MeanIou(classes) => Box::new(IouState::new(classes)),
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

    /// Numbers whose mean is the metric, or the square of it: as many for each sample.
    fn values(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Vec<f32>> {
        match &self.kind {
            Kind::Accuracy => match by_shapes(y_true.shape(), y_pred.shape()) {
                Kind::BinaryAccuracy(threshold) => accuracy::binary(y_true, y_pred, threshold),
                Kind::SparseCategoricalAccuracy => accuracy::sparse(y_true, y_pred),
                _ => accuracy::categorical(y_true, y_pred),
            },
            Kind::BinaryAccuracy(threshold) => accuracy::binary(y_true, y_pred, *threshold),
            Kind::CategoricalAccuracy => accuracy::categorical(y_true, y_pred),
            Kind::SparseCategoricalAccuracy => accuracy::sparse(y_true, y_pred),
            Kind::TopKCategoricalAccuracy(k) => accuracy::top_k(y_true, y_pred, *k),
            Kind::SparseTopKCategoricalAccuracy(k) => accuracy::sparse_top_k(y_true, y_pred, *k),
            Kind::RootMeanSquaredError => {
                let squares = Loss::mean_squared_error().per_sample(y_true, y_pred);
                squares.map(|squares| squares.to_vec())
            }
            Kind::CosineSimilarity => {
                let minus = Loss::cosine_similarity().per_sample(y_true, y_pred);
                minus.map(|minus| minus.neg().to_vec())
            }
            Kind::Loss(loss) => Ok(loss.per_sample(y_true, y_pred)?.to_vec()),
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
