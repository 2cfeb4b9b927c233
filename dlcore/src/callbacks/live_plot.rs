//! How the curves that `fit` shows are drawn.

use super::Callback;
use crate::plot::LiveOptions;
use crate::{Error, Result};

/// The curves of a running `fit`, which are there without it, drawn otherwise: smoothed over faint raw
/// points, with or without a mark at the best epoch.
///
/// The chart shows a panel for the loss and one for each metric, the best epoch of validation, what is left to
/// wait for, and why training ended. In a terminal there is a bar instead, with `verbose(0)` nothing.
///
/// ```
/// use dlcore::prelude::*;
/// let mut model = Sequential::new().add(Dense::new(1).input_shape([2]));
/// model.compile("sgd", "mse", ())?;
/// let (x, y) = (Tensor::ones([64, 2]), Tensor::ones([64, 1]));
/// model.fit(&x, &y, Fit::epochs(3).callback(LivePlot::new().smoothing(0.9)))?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LivePlot {
    options: LiveOptions,
}

impl LivePlot {
    /// The chart as it is without this callback: smoothed past 300 epochs only, the best epoch marked.
    pub fn new() -> LivePlot {
        LivePlot::default()
    }

    /// Draws exponentially smoothed curves over faint raw points: each point is `factor` times the one before,
    /// and the raw value for the rest, from 0 to below 1. 0 draws the raw values however many there are.
    pub fn smoothing(mut self, factor: f64) -> LivePlot {
        self.options.smoothing = Some(factor);
        self
    }

    /// Whether the best epoch of validation is marked and named (true).
    pub fn mark_best(mut self, mark: bool) -> LivePlot {
        self.options.mark_best = mark;
        self
    }
}

impl Callback for LivePlot {
    fn check(&self, _: &[String]) -> Result<()> {
        match self.options.smoothing {
            Some(factor) if !(0.0..1.0).contains(&factor) => Err(Error::Value(format!(
                "LivePlot: smoothing must be at least 0 and below 1, got {factor}"
            ))),
            _ => Ok(()),
        }
    }

    fn live_plot(&self) -> Option<LiveOptions> {
        Some(self.options.clone())
    }
}
