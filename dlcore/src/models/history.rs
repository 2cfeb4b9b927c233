//! What a `fit` recorded, epoch by epoch.

use std::fmt;

use serde_json::{Value, json};

use crate::callbacks::Logs;
use crate::config::{self, Fields, Parsed, number};
use crate::metrics::larger_is_better;
use crate::tensor::expect;
use crate::{Error, Result, names};

/// Under which name the optimizer's learning rate is recorded, where a callback changes it.
pub(crate) const LEARNING_RATE: &str = "learning_rate";

/// The losses and metrics of each epoch of one [`fit`](crate::models::Model::fit).
///
/// Epochs are counted from 1 here, as they are shown while training.
#[derive(Clone, Default, PartialEq)]
pub struct History {
    first_epoch: usize,
    names: Vec<String>,
    values: Vec<Vec<f64>>,
    stop_reason: String,
    partial: Option<PartialEpoch>,
    seconds: f64,
}

/// An epoch that was begun but not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialEpoch {
    /// Which epoch, counted from 1.
    pub epoch: usize,
    /// Batches that were trained on.
    pub batches: usize,
    /// Batches a whole epoch has.
    pub batches_per_epoch: usize,
    /// Loss and metrics, averaged over the batches that were trained on.
    pub logs: Logs,
}

impl History {
    pub(crate) fn new(first_epoch: usize) -> Self {
        History {
            first_epoch,
            ..History::default()
        }
    }

    /// Adds one epoch; the names are those of the first epoch.
    pub(crate) fn push(&mut self, logs: &Logs) {
        if self.names.is_empty() {
            self.names = logs.iter().map(|(name, _)| name.to_string()).collect();
            self.values = vec![Vec::new(); self.names.len()];
        }
        for (name, values) in self.names.iter().zip(&mut self.values) {
            values.push(logs.get(name).unwrap_or(f64::NAN));
        }
    }

    pub(crate) fn finish(&mut self, reason: &str, partial: Option<PartialEpoch>, seconds: f64) {
        self.stop_reason = reason.to_string();
        self.partial = partial;
        self.seconds = seconds;
    }

    /// The numbers of the epochs that were finished, from 1 (or from `initial_epoch` + 1).
    pub fn epochs(&self) -> Vec<usize> {
        (0..self.len()).map(|i| self.first_epoch + i + 1).collect()
    }

    /// How many epochs were finished.
    pub fn len(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Whether no epoch was finished.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was recorded: `loss`, the metrics, then the same with `val_` before them; then `learning_rate`, of
    /// the epoch's steps, where a callback changes it.
    pub fn metrics(&self) -> &[String] {
        &self.names
    }

    /// One value an epoch.
    ///
    /// # Panics
    /// If nothing of this name was recorded; [`History::try_get`] returns the error instead.
    #[track_caller]
    pub fn get(&self, name: &str) -> Vec<f64> {
        expect(self.try_get(name))
    }

    /// [`History::get`], returning the error.
    ///
    /// # Errors
    /// [`Error::Value`] with the names there are.
    pub fn try_get(&self, name: &str) -> Result<Vec<f64>> {
        match self.names.iter().position(|known| known == name) {
            Some(index) => Ok(self.values[index].clone()),
            None if self.names.is_empty() => Err(Error::Value(format!(
                "history has no {name:?}: no epoch was finished"
            ))),
            None => {
                let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
                let hint = if name.starts_with("val_")
                    && !known.iter().any(|name| name.starts_with("val_"))
                {
                    "; fit with validation_data or validation_split to have it"
                } else {
                    ""
                };
                Err(Error::Value(
                    names::unknown("metric of this history", name, &known) + hint,
                ))
            }
        }
    }

    /// The epoch (from 1) at which `name` was best, and its value: least for losses and errors,
    /// greatest for accuracies, scores, and what has "acc", "auc", "precision", "recall", "f1", "r2" or "iou"
    /// in its name.
    ///
    /// # Panics
    /// If nothing of this name was recorded, or no epoch was finished.
    #[track_caller]
    pub fn best(&self, name: &str) -> (usize, f64) {
        let values = self.get(name);
        let greater = greater_is_better(name);
        let mut best: Option<(usize, f64)> = None;
        for (epoch, &value) in self.epochs().into_iter().zip(&values) {
            let improves = best.is_none_or(|(_, so_far)| {
                so_far.is_nan()
                    || if greater {
                        value > so_far
                    } else {
                        value < so_far
                    }
            });
            if improves {
                best = Some((epoch, value));
            }
        }
        best.expect("a recorded name has at least one epoch")
    }

    /// Why training ended: `completed`, `interrupted`, `nan …`, or what a callback said
    /// (`early stopping …`).
    pub fn stop_reason(&self) -> &str {
        &self.stop_reason
    }

    /// The epoch that was begun but not finished, if training stopped inside one.
    pub fn partial_epoch(&self) -> Option<&PartialEpoch> {
        self.partial.as_ref()
    }

    /// How long training took, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Everything as JSON: `{"epochs": […], "metrics": {"loss": […], …}, "stop_reason": …,
    /// "partial_epoch": …, "seconds": …}`. Values that are not finite become null.
    pub fn to_json(&self) -> Value {
        let metrics: serde_json::Map<String, Value> = self
            .names
            .iter()
            .cloned()
            .zip(self.values.iter().map(|v| serde_json::json!(v)))
            .collect();
        let partial = self.partial.as_ref().map(|p| {
            let logs: serde_json::Map<String, Value> = p
                .logs
                .iter()
                .map(|(name, value)| (name.to_string(), serde_json::json!(value)))
                .collect();
            serde_json::json!({"epoch": p.epoch, "batches": p.batches,
                "batches_per_epoch": p.batches_per_epoch, "logs": logs})
        });
        serde_json::json!({"epochs": self.epochs(), "metrics": metrics,
            "stop_reason": self.stop_reason, "partial_epoch": partial, "seconds": self.seconds})
    }
}

/// As it stands in a saved model, every number exactly.
impl History {
    pub(crate) fn config(&self) -> Value {
        let numbers = |values: &Vec<f64>| values.iter().map(|&v| number(v)).collect::<Vec<_>>();
        let partial = self.partial.as_ref().map(|partial| {
            let logs: Vec<Value> = partial
                .logs
                .iter()
                .map(|(name, value)| json!([name, number(value)]))
                .collect();
            json!({"epoch": partial.epoch, "batches": partial.batches,
                "batches_per_epoch": partial.batches_per_epoch, "logs": logs})
        });
        json!({"first_epoch": self.first_epoch, "names": self.names,
            "values": self.values.iter().map(numbers).collect::<Vec<_>>(),
            "stop_reason": self.stop_reason, "partial_epoch": partial, "seconds": number(self.seconds)})
    }

    pub(crate) fn from_config(value: &Value) -> Parsed<History> {
        let fields = Fields::of(value, "history")?;
        let not = |what: &str| format!("history: expected {what}");
        let names = fields.texts("names")?;
        let numbers = |values: &Value| -> Option<Vec<f64>> {
            values.as_array()?.iter().map(config::float).collect()
        };
        let values: Option<Vec<Vec<f64>>> = fields.list("values")?.iter().map(numbers).collect();
        let values = values.ok_or_else(|| not("lists of numbers"))?;
        if values.len() != names.len() || values.iter().any(|v| v.len() != values[0].len()) {
            return Err(not("one value a name and epoch"));
        }
        let logs = |pair: &Value| -> Option<(String, f64)> {
            Some((
                pair.get(0)?.as_str()?.to_string(),
                config::float(pair.get(1)?)?,
            ))
        };
        let partial = match fields.get("partial_epoch") {
            None => None,
            Some(partial) => {
                let fields = Fields::of(partial, "partial_epoch")?;
                let logs: Option<Vec<_>> = fields.list("logs")?.iter().map(logs).collect();
                Some(PartialEpoch {
                    epoch: fields.size("epoch")?,
                    batches: fields.size("batches")?,
                    batches_per_epoch: fields.size("batches_per_epoch")?,
                    logs: Logs::from(logs.ok_or_else(|| not("names and numbers"))?),
                })
            }
        };
        // Epochs are counted on from it.
        let first_epoch = fields.size("first_epoch")?.min(1 << 32);
        Ok(History {
            first_epoch,
            names,
            values,
            stop_reason: fields.text("stop_reason")?.to_string(),
            partial,
            seconds: fields.float("seconds")?,
        })
    }
}

/// Whether a metric is one to be maximised, going by its name.
pub(crate) fn greater_is_better(name: &str) -> bool {
    larger_is_better(name) == Some(true)
}

/// The table.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A table: one line an epoch, one column a metric; of more than 40 epochs the first and the last ten, or with
/// `{:#}` all.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs = self.epochs();
        let cut = epochs.len() > MOST_ROWS && !f.alternate();
        let rows: Vec<usize> = match cut {
            true => (0..EDGE).chain(epochs.len() - EDGE..epochs.len()).collect(),
            false => (0..epochs.len()).collect(),
        };
        let column = |(name, values): (&String, &Vec<f64>)| {
            let fields = rows.iter().map(|&row| format_metric(values[row]));
            aligned(name.clone(), fields, 8)
        };
        let numbers = rows.iter().map(|&row| epochs[row].to_string());
        let mut columns = vec![aligned("epoch".to_owned(), numbers, 0)];
        columns.extend(self.names.iter().zip(&self.values).map(column));
        for line in 0..=rows.len() {
            let fields: Vec<&str> = columns.iter().map(|column| column[line].as_str()).collect();
            let before = match line {
                0 => "",
                _ if cut && line == EDGE + 1 => "\n    …\n",
                _ => "\n",
            };
            write!(f, "{before}{}", fields.join("  "))?;
        }
        if let Some(partial) = &self.partial {
            write!(
                f,
                "\nepoch {} stopped after {} of {} batches: {}",
                partial.epoch, partial.batches, partial.batches_per_epoch, partial.logs
            )?;
        }
        write!(f, "\n{} in ", self.stop_reason)?;
        match self.seconds {
            seconds if seconds < 1.0 => write!(f, "{:.0} ms", seconds * 1e3),
            seconds => write!(f, "{seconds:.1} s"),
        }
    }
}

/// More epochs than this are not all printed.
const MOST_ROWS: usize = 40;
/// So many of them are printed at either end.
const EDGE: usize = 10;

/// A column with its name above, as wide as the widest of it and at least `least`.
fn aligned(name: String, fields: impl Iterator<Item = String>, least: usize) -> Vec<String> {
    let column: Vec<String> = std::iter::once(name).chain(fields).collect();
    let width = column.iter().map(|field| field.chars().count()).max();
    let width = width.unwrap_or(0).max(least);
    column
        .iter()
        .map(|field| format!("{field:>width$}"))
        .collect()
}

/// Four decimals as Keras prints them, scientific where that would show nothing.
pub(crate) fn format_metric(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || value.abs() >= 1e-3 && value.abs() < 1e7 {
        format!("{value:.4}")
    } else {
        format!("{value:.4e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> History {
        let mut history = History::new(0);
        for (loss, acc, val) in [(0.9, 0.5, 0.8), (0.5, 0.7, 0.6), (0.3, 0.9, 0.7)] {
            history.push(&Logs::from(vec![
                ("loss".to_string(), loss),
                ("accuracy".to_string(), acc),
                ("val_loss".to_string(), val),
            ]));
        }
        history.finish("completed", None, 1.25);
        history
    }

    #[test]
    fn what_took_less_than_a_second_is_told_in_milliseconds() {
        let mut history = sample();
        assert!(history.to_string().ends_with("completed in 1.2 s"));
        history.finish("completed", None, 0.006);
        assert!(history.to_string().ends_with("completed in 6 ms"));
    }

    #[test]
    fn epochs_and_values_line_up() {
        let history = sample();
        assert_eq!(history.epochs(), [1, 2, 3]);
        assert_eq!(history.get("loss"), [0.9, 0.5, 0.3]);
        assert_eq!(history.best("val_loss"), (2, 0.6));
        assert_eq!(history.best("accuracy"), (3, 0.9));
        assert_eq!(history.metrics(), ["loss", "accuracy", "val_loss"]);
    }

    #[test]
    fn an_unknown_metric_names_the_nearest_and_says_how_to_have_validation() {
        let error = sample().try_get("acuracy").unwrap_err().to_string();
        assert!(error.contains("did you mean \"accuracy\"?"), "{error}");
        let mut history = History::new(0);
        history.push(&Logs::from(vec![("loss".to_string(), 1.0)]));
        let error = history.try_get("val_loss").unwrap_err().to_string();
        assert!(error.contains("validation_data"), "{error}");
    }

    #[test]
    fn the_best_of_a_run_that_began_with_nan_is_a_number() {
        let mut history = History::new(2);
        for loss in [f64::NAN, 0.5, 0.6] {
            history.push(&Logs::from(vec![("loss".to_string(), loss)]));
        }
        assert_eq!(history.best("loss"), (4, 0.5));
    }

    #[test]
    fn prints_a_table_and_turns_into_json() {
        let mut history = sample();
        history.finish(
            "interrupted",
            Some(PartialEpoch {
                epoch: 4,
                batches: 3,
                batches_per_epoch: 10,
                logs: Logs::from(vec![("loss".to_string(), 0.25)]),
            }),
            2.0,
        );
        let text = history.to_string();
        assert_eq!(text.lines().count(), 6);
        assert!(
            text.contains("    2    0.5000    0.7000    0.6000"),
            "{text}"
        );
        assert!(
            text.contains("epoch 4 stopped after 3 of 10 batches: loss: 0.2500"),
            "{text}"
        );
        let json = history.to_json();
        assert_eq!(json["metrics"]["val_loss"][1], 0.6);
        assert_eq!(json["partial_epoch"]["batches"], 3);
    }

    #[test]
    fn columns_are_as_wide_as_the_widest_of_them() {
        let mut history = History::new(99_998);
        for loss in [123_456.789, 1.5e-6, f64::NAN] {
            history.push(&Logs::from(vec![
                ("loss".to_string(), loss),
                ("mean_absolute_error".to_string(), 0.5),
            ]));
        }
        history.finish("completed", None, 1.25);
        assert_eq!(
            history.to_string(),
            " epoch         loss  mean_absolute_error\n 99999  123456.7890               0.5000\n\
             100000    1.5000e-6               0.5000\n100001          NaN               0.5000\n\
             completed in 1.2 s"
        );
    }

    #[test]
    fn of_many_epochs_the_first_and_the_last_are_printed() {
        let mut history = History::new(0);
        for epoch in 0..500 {
            history.push(&Logs::from(vec![("loss".to_string(), f64::from(epoch))]));
        }
        history.finish("completed", None, 1.25);
        let text = history.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 23, "{text}");
        assert_eq!(
            lines[10..13],
            ["   10    9.0000", "    …", "  491  490.0000"]
        );
        assert_eq!(format!("{history:?}"), text);
        assert_eq!(format!("{history:#}").lines().count(), 502);
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(format_metric(0.06523), "0.0652");
        assert_eq!(format_metric(0.0), "0.0000");
        assert_eq!(format_metric(1.5e-6), "1.5000e-6");
        assert_eq!(format_metric(f64::NAN), "NaN");
    }
}
