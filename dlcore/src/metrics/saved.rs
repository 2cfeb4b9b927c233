//! Metrics as they stand in a saved model.

use serde_json::{Value, json};

use super::make::{AVERAGES, CURVES};
use super::{Kind, Metric};
use crate::config::{Fields, Parsed, number};
use crate::losses::Loss;

impl Metric {
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
            Kind::MeanIou(iou) => {
                config["num_classes"] = json!(iou.classes);
                config["sparse_y_true"] = json!(iou.sparse_y_true);
                config["sparse_y_pred"] = json!(iou.sparse_y_pred);
            }
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
                config["num_thresholds"] = json!(thresholds);
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
            ("num_thresholds", Metric::num_thresholds),
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
        for (key, set) in [
            (
                "sparse_y_true",
                Metric::sparse_y_true as fn(Metric, bool) -> Metric,
            ),
            ("sparse_y_pred", Metric::sparse_y_pred),
        ] {
            if fields.get(key).is_some() {
                metric = set(metric, fields.flag(key)?);
            }
        }
        if fields.get("threshold").is_some() {
            metric = metric.threshold(fields.float("threshold")?);
        }
        let metric = metric.known().map_err(|error| error.to_string())?;
        Ok(metric.named(name))
    }
}
