//! The metric a callback watches, and whether it got better.

use super::Logs;
use crate::metrics::larger_is_better;
use crate::{Error, Result, names};

const MODES: [&str; 3] = ["auto", "min", "max"];

/// A metric by name, and what counts as an improvement of it.
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) min_delta: f64,
}

impl Monitor {
    /// In mode "auto": as the metric's name tells.
    pub(super) fn new(name: &str, min_delta: f64) -> Monitor {
        Monitor {
            name: name.to_string(),
            mode: "auto".to_string(),
            min_delta,
        }
    }

    /// An error for an unknown mode, a metric that will not be recorded, and one of which nobody knows
    /// whether more is better.
    pub(super) fn check(&self, callback: &str, recorded: &[String]) -> Result<()> {
        let error = |problem: String| Err(Error::Value(format!("{callback}: {problem}")));
        if !MODES.contains(&self.mode.as_str()) {
            return error(names::unknown("mode", &self.mode, &MODES));
        }
        if !self.min_delta.is_finite() {
            return error(format!(
                "min_delta must be a number, got {}",
                self.min_delta
            ));
        }
        if !recorded.contains(&self.name) {
            let known: Vec<&str> = recorded.iter().map(String::as_str).collect();
            let validates = known.iter().any(|name| name.starts_with("val_"));
            let hint = if self.name.starts_with("val_") && !validates {
                "; to have it, fit with validation_data or validation_split"
            } else {
                ""
            };
            return error(names::unknown("metric", &self.name, &known) + hint);
        }
        if self.mode == "auto" && larger_is_better(&self.name).is_none() {
            return error(format!(
                "the name {:?} does not tell whether more is better; say so with .mode(\"max\") or .mode(\"min\")",
                self.name
            ));
        }
        Ok(())
    }

    pub(super) fn value(&self, logs: &Logs) -> Option<f64> {
        logs.get(&self.name)
    }

    /// Whether `value` is better than `reference` by more than the least change that counts.
    pub(super) fn improves(&self, value: f64, reference: Option<f64>) -> bool {
        let greater = match self.mode.as_str() {
            "max" => true,
            "min" => false,
            _ => larger_is_better(&self.name) == Some(true),
        };
        match reference {
            // Nothing compares with NaN, which would be the best for ever.
            _ if value.is_nan() => false,
            None => true,
            Some(reference) if greater => value - self.min_delta.abs() > reference,
            Some(reference) => value + self.min_delta.abs() < reference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_tells_nothing_needs_a_mode() {
        let recorded = ["loss".to_string(), "oddity".to_string()];
        let mut monitor = Monitor::new("oddity", 0.0);
        let error = monitor
            .check("EarlyStopping", &recorded)
            .unwrap_err()
            .to_string();
        assert!(error.contains(".mode(\"max\")"), "{error}");
        monitor.mode = "max".to_string();
        monitor.check("EarlyStopping", &recorded).unwrap();
        monitor.mode = "maximum".to_string();
        let error = monitor
            .check("EarlyStopping", &recorded)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("EarlyStopping: unknown mode \"maximum\""),
            "{error}"
        );
    }
}
