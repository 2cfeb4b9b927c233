//! Charts of training and pictures of data: SVG, a PNG twin, and a text twin that reads well aloud.

mod axis;
mod bars;
mod boundary;
mod canvas;
mod comparison;
mod confusion;
mod curves;
mod figure;
mod frame;
mod graph;
mod header;
mod histogram;
mod image;
mod images;
mod labels;
mod layered;
mod linear_map;
mod live;
mod overfitting;
mod palette;
mod panel;
mod paper_ball;
mod points;
mod principal;
mod regions;
mod run;
mod scatter;
mod surface;
mod terminal;
mod text;
mod theme;
mod value_graph;

use std::fmt;
use std::path::Path;

pub use bars::{Bars, bars};
pub use boundary::{DecisionBoundary, decision_boundary};
pub(crate) use canvas::escape;
pub(crate) use comparison::curves_of;
pub use comparison::{Curve, Curves, curves};
pub use confusion::{ConfusionMatrix, confusion_matrix};
pub use graph::ModelPlot;
pub use histogram::{Histogram, histogram};
pub use image::{Image, image, try_image};
pub use images::{Images, images};
pub use linear_map::{LinearMap, linear_map};
pub(crate) use live::{EVERY, LiveFit, LiveOptions, LivePlan, Output, notebook};
pub use paper_ball::{PaperBall, paper_ball};
use run::{Run, Running};
pub use scatter::{Scatter, scatter};
pub use surface::{Surface, surface};
pub use value_graph::ValueGraph;
pub(crate) use value_graph::ValueNode;

use crate::display::{MimeBundle, PNG, Rich};
use crate::models::{History, LEARNING_RATE};
use crate::{Error, Result};

/// Width of a chart in pixels, unless another is asked for: what a JupyterLab cell has room for in a
/// window of 1280 pixels, its side bar open. JupyterLab cuts off a wider SVG rather than scale it.
pub(crate) const WIDTH: u32 = 800;
/// No chart is narrower: its texts would lie over each other.
const LEAST_WIDTH: u32 = 320;

/// A chart; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Plot {
    run: Run,
    width: u32,
}

impl Plot {
    fn curves(run: Run) -> Self {
        Plot { run, width: WIDTH }
    }

    /// The same chart at another width in pixels (800 unless set, at least 320); below 640 the panels
    /// are stacked.
    pub fn width(mut self, pixels: u32) -> Self {
        self.width = pixels.max(LEAST_WIDTH);
        self
    }

    /// The same chart with exponentially smoothed curves over faint raw points: each point is `factor` times the
    /// one before, and the raw value for the rest. `factor` is from 0, which draws the raw values, to below 1;
    /// without it only curves of more than 300 epochs are smoothed.
    pub fn smoothing(mut self, factor: f64) -> Self {
        self.run.options.smoothing = Some(factor.clamp(0.0, 0.999));
        self
    }

    /// The chart as an SVG document, with a title and a description for those who cannot see it.
    pub fn svg(&self) -> String {
        let (title, description) = (text::title(&self.run), curves::description(&self.run));
        canvas::svg(
            curves::size(&self.run, self.width),
            &title,
            &description,
            |canvas| {
                curves::draw(canvas, &self.run, self.width);
            },
        )
    }

    /// The chart as a PNG file of twice its size, for dense screens.
    pub fn png(&self) -> Vec<u8> {
        let draw = |canvas: &mut dyn canvas::Canvas| curves::draw(canvas, &self.run, self.width);
        canvas::png(curves::size(&self.run, self.width), draw).unwrap_or_default()
    }

    /// The chart in words: a line an epoch (thinned past 20), the best epoch, the time.
    pub fn text(&self) -> String {
        text::full(&self.run)
    }

    /// Writes the chart to a file, as its ending says: `.svg`, `.png` or `.txt`.
    ///
    /// # Errors
    /// [`Error::Value`] for another ending, [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path.as_ref(), || self.svg(), || self.png(), || self.text())
    }
}

fn save(
    path: &Path,
    svg: impl Fn() -> String,
    png: impl Fn() -> Vec<u8>,
    text: impl Fn() -> String,
) -> Result<()> {
    let content = match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => svg().into_bytes(),
        Some("png") => png(),
        Some("txt") => text().into_bytes(),
        _ => {
            let message = format!(
                "cannot tell the format of {}: expected .svg, .png or .txt",
                path.display()
            );
            return Err(Error::Value(message));
        }
    };
    std::fs::write(path, content).map_err(|source| Error::Io {
        context: format!("writing {}", path.display()),
        source,
    })
}

impl Rich for Plot {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.text())
            .with_drawing(&curves::alt(&self.run), &self.svg())
            .with_bytes(PNG, &self.png())
    }
}

impl fmt::Display for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl History {
    /// The training and validation curves as a chart, a panel for the loss and one for each metric.
    pub fn plot(&self) -> Plot {
        Plot::curves(run_of(self))
    }
}

/// A table, not the chart: `fit` has drawn that already, and `plot` draws it again.
impl Rich for History {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string())
    }
}

/// What there is to show of a fit that is over.
fn run_of(history: &History) -> Run {
    let names = history.metrics();
    let drawn = |name: &&String| !name.starts_with("val_") && *name != LEARNING_RATE;
    let finished = names.iter().filter(drawn);
    let metrics: Vec<String> = match history.partial_epoch() {
        // The first epoch did not come to its end: only it knows what was measured.
        Some(partial) if names.is_empty() => {
            let measured = partial.logs.iter().map(|(name, _)| name.to_string());
            measured.collect()
        }
        _ => finished.cloned().collect(),
    };
    let epochs = history.epochs();
    let initial_epoch = epochs.first().map_or(0, |first| first - 1);
    let mut run = Run::new(
        initial_epoch + epochs.len(),
        initial_epoch,
        0,
        metrics.clone(),
    );
    let values = |name: &str| {
        history
            .try_get(name)
            .unwrap_or_else(|_| vec![f64::NAN; epochs.len()])
    };
    run.train = metrics.iter().map(|name| values(name)).collect();
    if names.iter().any(|name| name.starts_with("val_")) {
        run.validation = metrics
            .iter()
            .map(|name| values(&format!("val_{name}")))
            .collect();
    }
    run.running = history.partial_epoch().map(|partial| Running {
        epoch: partial.epoch.saturating_sub(1),
        step: partial.batches,
        trace: vec![(
            partial.batches,
            metrics
                .iter()
                .map(|name| partial.logs.get(name).unwrap_or(f64::NAN))
                .collect(),
        )],
    });
    if let Some(partial) = history.partial_epoch() {
        run.steps_per_epoch = partial.batches_per_epoch;
        run.epochs = run.epochs.max(partial.epoch);
    }
    run.stop = Some(history.stop_reason().to_owned());
    run
}

#[cfg(test)]
mod figure_tests;
#[cfg(test)]
mod tests;
