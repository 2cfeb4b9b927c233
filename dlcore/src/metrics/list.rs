//! Several metrics, as `compile` takes them.

use super::Metric;
use crate::{Error, Result};

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

/// `compile("rmsprop", "mse", ())`: the loss alone.
impl From<()> for Metrics {
    fn from(_: ()) -> Metrics {
        Metrics::none()
    }
}
