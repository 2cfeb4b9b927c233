//! What `evaluate` returns.

use std::fmt;
use std::ops::Index;

use serde_json::{Value, json};

use super::history::format_metric;
use crate::config::{self, Fields, Parsed, number};
use crate::names;

/// Loss and metrics over a data set.
///
/// `scores.loss`, `scores["accuracy"]`; printed as `loss: 0.0652 - accuracy: 0.9790`.
#[derive(Clone, PartialEq)]
pub struct Evaluation {
    /// The loss, averaged over samples.
    pub loss: f64,
    metrics: Vec<(String, f64)>,
}

impl Evaluation {
    pub(crate) fn new(loss: f64, metrics: Vec<(String, f64)>) -> Self {
        Evaluation { loss, metrics }
    }

    /// The value of a metric; `metric("loss")` is the loss.
    ///
    /// # Panics
    /// If the model was not compiled with this metric.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        self[name]
    }

    /// The metrics in the order they were given to `compile`.
    pub fn metrics(&self) -> &[(String, f64)] {
        &self.metrics
    }
}

/// As a session keeps it, every number exactly.
impl Evaluation {
    pub(crate) fn config(&self) -> Value {
        let metric = |(name, value): &(String, f64)| json!([name, number(*value)]);
        let metrics: Vec<Value> = self.metrics.iter().map(metric).collect();
        json!({"loss": number(self.loss), "metrics": metrics})
    }

    pub(crate) fn from_config(value: &Value) -> Parsed<Evaluation> {
        let fields = Fields::of(value, "evaluation")?;
        let metric = |pair: &Value| -> Option<(String, f64)> {
            Some((pair[0].as_str()?.to_owned(), config::float(&pair[1])?))
        };
        let metrics: Option<_> = fields.list("metrics")?.iter().map(metric).collect();
        let metrics = metrics.ok_or("evaluation: expected names and numbers")?;
        Ok(Evaluation::new(fields.float("loss")?, metrics))
    }
}

impl Index<&str> for Evaluation {
    type Output = f64;

    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        if name == "loss" {
            return &self.loss;
        }
        match self.metrics.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => {
                let mut known = vec!["loss"];
                known.extend(self.metrics.iter().map(|(name, _)| name.as_str()));
                panic!(
                    "{}",
                    names::unknown("metric of this evaluation", name, &known)
                )
            }
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss: {}", format_metric(self.loss))?;
        for (name, value) in &self.metrics {
            write!(f, " - {name}: {}", format_metric(*value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_indexes() {
        let scores = Evaluation::new(0.06519, vec![("accuracy".to_string(), 0.979)]);
        assert_eq!(scores.to_string(), "loss: 0.0652 - accuracy: 0.9790");
        assert_eq!(scores["accuracy"], 0.979);
        assert_eq!(scores.metric("loss"), scores.loss);
    }

    #[test]
    #[should_panic(expected = "did you mean \"accuracy\"?")]
    fn an_unknown_metric_names_the_nearest() {
        let _ = Evaluation::new(0.0, vec![("accuracy".to_string(), 1.0)])["acuracy"];
    }
}
