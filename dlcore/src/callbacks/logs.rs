//! Names and values of an epoch or a batch.

use std::fmt;
use std::ops::Index;

use crate::models::format_metric;
use crate::names;

/// Losses and metrics by name, in the order they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs(Vec<(String, f64)>);

impl Logs {
    /// The value of a metric, if it was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|&(_, value)| value)
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    pub(crate) fn set_values(&mut self, values: &[f64]) {
        for ((_, slot), &value) in self.0.iter_mut().zip(values) {
            *slot = value;
        }
    }
}

impl From<Vec<(String, f64)>> for Logs {
    fn from(values: Vec<(String, f64)>) -> Self {
        Logs(values)
    }
}

/// # Panics
/// If nothing of this name was measured; [`Logs::get`] does not panic.
impl Index<&str> for Logs {
    type Output = f64;

    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => {
                let known: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
                panic!("{}", names::unknown("metric", name, &known))
            }
        }
    }
}

/// `loss: 0.2134 - accuracy: 0.9312`
impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " - " };
            write!(f, "{separator}{name}: {}", format_metric(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name_and_printed_in_order() {
        let logs = Logs::from(vec![
            ("loss".to_string(), 0.25),
            ("accuracy".to_string(), 0.5),
        ]);
        assert_eq!(logs["accuracy"], 0.5);
        assert_eq!(logs.get("val_loss"), None);
        assert_eq!(logs.to_string(), "loss: 0.2500 - accuracy: 0.5000");
    }
}
