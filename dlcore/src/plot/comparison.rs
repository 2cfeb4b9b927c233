//! Several runs in one picture, or any lines.

use super::axis::{Axis, value};
use super::canvas::Canvas;
use super::figure::{self, Area, Figure, Head, counted, figure};
use super::frame::Frame;
use super::palette::{KINDS, Legend, color, mark};
use super::run::{Best, best, higher_is_better};
use crate::display::MimeBundle;
use crate::models::History;
use crate::{Error, Result, Tensor};

const RATIO: f64 = 0.56;
/// More values in a line are not drawn one by one.
const DRAWN: usize = 400;
const MOST: usize = 1_000_000;

/// What a line of [`curves`] is made from: a history, or values.
#[derive(Clone, Debug)]
pub struct Curve(Source);

#[derive(Clone, Debug)]
enum Source {
    History(History),
    Values(Vec<f64>),
}

impl From<&History> for Curve {
    fn from(history: &History) -> Self {
        Curve(Source::History(history.clone()))
    }
}

impl From<&Tensor> for Curve {
    fn from(values: &Tensor) -> Self {
        Curve(Source::Values(values.to_vec_of::<f64>()))
    }
}

impl From<Vec<f64>> for Curve {
    fn from(values: Vec<f64>) -> Self {
        Curve(Source::Values(values))
    }
}

impl From<&Vec<f64>> for Curve {
    fn from(values: &Vec<f64>) -> Self {
        Curve(Source::Values(values.clone()))
    }
}

/// Lines over each other, by epoch or step; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Curves {
    head: Head,
    curves: Vec<(String, Curve)>,
    metric: String,
    lines: Vec<Line>,
    axis: String,
    /// Whether the best of each line is marked and named.
    mark_best: bool,
}

figure!(Curves);

/// A line's values and the number of the first.
#[derive(Clone, Debug)]
struct Line {
    first: usize,
    values: Vec<f64>,
}

/// Runs over each other, each under its name: histories (of their validation loss, unless
/// [`metric`](Curves::metric) names another), or vectors of values.
///
/// ```
/// use dlcore::prelude::*;
/// let (fast, slow) = (Tensor::from([0.9, 0.3, 0.2]), Tensor::from([0.9, 0.7, 0.5]));
/// let figure = plot::curves([("rate 0.1", &fast), ("rate 0.01", &slow)])?;
/// assert!(figure.alt().contains("rate 0.1"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Value`] for no run, more than 20, one without a value or with more than a million, or runs
/// without a metric in common.
pub fn curves<'a>(runs: impl IntoIterator<Item = (&'a str, impl Into<Curve>)>) -> Result<Curves> {
    let runs = runs
        .into_iter()
        .map(|(name, curve)| (name.to_owned(), curve.into()));
    curves_of(runs.collect())
}

pub(crate) fn curves_of(curves: Vec<(String, Curve)>) -> Result<Curves> {
    if !(1..=KINDS).contains(&curves.len()) {
        return Err(Error::Value(format!(
            "plot::curves: expected 1 to {KINDS} runs, got {}",
            curves.len()
        )));
    }
    let histories = || {
        curves.iter().filter_map(|(_, curve)| match &curve.0 {
            Source::History(history) => Some(history),
            Source::Values(_) => None,
        })
    };
    let all_have =
        |name: &str| histories().all(|history| history.metrics().iter().any(|known| known == name));
    let metric = match histories().next() {
        None => "value",
        Some(_) if all_have("val_loss") => "val_loss",
        Some(_) => "loss",
    };
    let trained = histories().next().is_some();
    Curves {
        head: Head::default(),
        axis: if trained { "epoch" } else { "step" }.to_owned(),
        mark_best: trained,
        metric: String::new(),
        lines: Vec::new(),
        curves,
    }
    .metric(metric)
}

impl History {
    /// This run and others over each other, each under its name:
    /// `small.compare("16 units", [("512 units", &large)])?`.
    ///
    /// # Errors
    /// As [`curves`].
    pub fn compare<'a>(
        &self,
        name: &str,
        others: impl IntoIterator<Item = (&'a str, &'a History)>,
    ) -> Result<Curves> {
        let mut runs = vec![(name.to_owned(), Curve::from(self))];
        let others = others
            .into_iter()
            .map(|(name, history)| (name.to_owned(), history.into()));
        runs.extend(others);
        curves_of(runs)
    }
}

impl Curves {
    /// Another metric of the histories: `loss`, `accuracy`, `val_accuracy` …
    ///
    /// # Errors
    /// [`Error::Value`] if a run has not recorded it.
    pub fn metric(mut self, name: &str) -> Result<Self> {
        let mut lines = Vec::with_capacity(self.curves.len());
        for (run, Curve(source)) in &self.curves {
            let line = match source {
                Source::Values(values) => Line {
                    first: 1,
                    values: values.clone(),
                },
                Source::History(history) => Line {
                    first: history.epochs().first().map_or(1, |&first| first),
                    values: history.try_get(name).map_err(|error| {
                        Error::Value(format!("plot::curves: run {run:?}: {error}"))
                    })?,
                },
            };
            let finite = line.values.iter().any(|value| value.is_finite());
            if !finite || line.values.len() > MOST {
                return Err(Error::Value(format!(
                    "plot::curves: expected 1 to {MOST} values of which some are finite, got {} for {run:?}",
                    line.values.len()
                )));
            }
            lines.push(line);
        }
        self.metric = name.to_owned();
        self.lines = lines;
        Ok(self)
    }

    /// The chart without its PNG, for a frame that the next one replaces.
    pub(crate) fn frame(&self) -> MimeBundle {
        MimeBundle::text(self.alt()).with_frame(&figure::alt(self), &self.svg())
    }

    /// What is counted along the horizontal axis: `epoch` for histories and `step` for values unless set.
    pub fn x_label(mut self, name: &str) -> Self {
        self.axis = name.to_owned();
        self
    }

    /// What the values are.
    pub fn y_label(mut self, name: &str) -> Self {
        self.metric = name.to_owned();
        self
    }

    /// Whether the best of each line is marked and named: of histories unless set, of other values not, since what
    /// is good is known of metrics only (the greatest of accuracies and scores, the least of all others).
    pub fn mark_best(mut self, mark: bool) -> Self {
        self.mark_best = mark;
        self
    }

    fn best(&self, line: &Line) -> Option<(usize, f64)> {
        let found = best(&line.values, higher_is_better(&self.metric));
        found
            .filter(|_| self.mark_best)
            .map(|Best { index, value }| (line.first + index, value))
    }

    fn legend(&self) -> Legend {
        let entry = |(index, ((name, _), line)): (usize, (&(String, Curve), &Line))| {
            let words = match self.best(line) {
                Some((at, best)) => format!("{name}: best {} at {at}", value(best)),
                None => name.clone(),
            };
            (index, words)
        };
        Legend {
            entries: self
                .curves
                .iter()
                .zip(&self.lines)
                .enumerate()
                .map(entry)
                .collect(),
            lines: true,
        }
    }

    fn axes(&self) -> (Axis, Axis) {
        let first = self.lines.iter().map(|line| line.first).min().unwrap_or(1) as f64;
        let ends = self
            .lines
            .iter()
            .map(|line| line.first + line.values.len() - 1);
        let last = ends.max().unwrap_or(1) as f64;
        let room = (0.02 * (last - first)).max(0.04);
        let values = self
            .lines
            .iter()
            .flat_map(|line| line.values.iter().copied());
        (
            Axis::linear(first - room, last + room),
            Axis::fitting(values, higher_is_better(&self.metric)),
        )
    }
}

impl Figure for Curves {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        match self.curves.len() {
            1 => format!("{} by {}", self.metric, self.axis),
            count => format!("{} of {count} runs", self.metric),
        }
    }

    fn natural_width(&self) -> u32 {
        640
    }

    fn height(&self, width: f64) -> f64 {
        self.legend().height(width) + RATIO * width
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let legend = self.legend();
        legend.draw(canvas, area);
        let below = Area {
            top: area.top + legend.height(area.width),
            ..area
        };
        let (x, y) = self.axes();
        let name = match y.is_log() {
            true => format!("{} (log scale)", self.metric),
            false => self.metric.clone(),
        };
        let mut frame = Frame::new(below, RATIO * area.width, (x, y), [&self.axis, &name]);
        frame.whole = true;
        frame.draw(canvas, true);
        for (index, line) in self.lines.iter().enumerate() {
            draw_line(canvas, &frame, index, line);
        }
        // Signs over all lines: at the best value of each, or at its end.
        for (index, line) in self.lines.iter().enumerate() {
            let signed = if self.mark_best {
                self.best(line)
            } else {
                end(line)
            };
            if let Some((at, value)) = signed {
                mark(canvas, index, frame.at(at as f64, value), 4.4);
            }
        }
    }

    fn summary(&self) -> String {
        let part = |((name, _), line): (&(String, Curve), &Line)| {
            let last = line
                .values
                .last()
                .map_or("none".to_owned(), |&last| value(last));
            match self.best(line) {
                Some((at, best)) => format!(
                    "{name} is best at {} {at} with {} and ends at {last}",
                    self.axis,
                    value(best)
                ),
                None => format!("{name} ends at {last}"),
            }
        };
        let parts: Vec<String> = self.curves.iter().zip(&self.lines).map(part).collect();
        let count = counted(self.curves.len(), "run");
        format!(
            "{} by {} of {count}: {}.",
            self.metric,
            self.axis,
            parts.join("; ")
        )
    }

    fn details(&self) -> String {
        let longest = self
            .lines
            .iter()
            .map(|line| line.values.len())
            .max()
            .unwrap_or(0);
        let first = self.lines.iter().map(|line| line.first).min().unwrap_or(1);
        let step = longest.div_ceil(20).max(1);
        let row = |at: usize| {
            let number = first + at;
            let part = |((name, _), line): (&(String, Curve), &Line)| {
                let place = number.checked_sub(line.first)?;
                line.values
                    .get(place)
                    .map(|&v| format!("{name} {}", value(v)))
            };
            let parts: Vec<String> = self
                .curves
                .iter()
                .zip(&self.lines)
                .filter_map(part)
                .collect();
            format!("{} {number}: {}", self.axis, parts.join(", "))
        };
        let rows = (0..longest).filter(|at| at % step == 0 || at + 1 == longest);
        rows.map(row).collect::<Vec<_>>().join("\n")
    }
}

/// The last of a line's finite values, where a sign names the line without a best.
fn end(line: &Line) -> Option<(usize, f64)> {
    let place = line.values.iter().rposition(|value| value.is_finite())?;
    Some((line.first + place, line.values[place]))
}

/// A line through the finite values, broken where there is none.
fn draw_line(canvas: &mut dyn Canvas, frame: &Frame, index: usize, line: &Line) {
    let step = line.values.len().div_ceil(DRAWN).max(1);
    let mut points = Vec::new();
    for place in 0..=line.values.len() {
        match line.values.get(place).filter(|value| value.is_finite()) {
            Some(&value) if place % step == 0 || place + 1 == line.values.len() => {
                points.push(frame.at((line.first + place) as f64, value));
            }
            Some(_) => {}
            None => {
                match points[..] {
                    [] => {}
                    [only] => mark(canvas, index, only, 2.4),
                    _ => canvas.line(&points, 2.0, color(index)),
                }
                points.clear();
            }
        }
    }
}
