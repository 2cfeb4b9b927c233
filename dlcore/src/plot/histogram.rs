//! How values are spread.

use super::axis::Axis;
use super::canvas::{Align, Canvas, GROUND, MUTED, Type};
use super::curves::TRAINING;
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, number};
use super::frame::Frame;
use crate::{Error, Result, Tensor};

const RATIO: f64 = 0.56;
/// The most bins that are chosen, and that may be asked for.
const CHOSEN: usize = 60;
const MOST: usize = 200;

/// How often values lie where; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Histogram {
    head: Head,
    /// The finite values, ascending.
    values: Vec<f64>,
    left_out: usize,
    bins: usize,
    axis: String,
}

figure!(Histogram);

/// How often values lie where, whatever the tensor's shape.
///
/// ```
/// use dlcore::prelude::*;
/// let figure = plot::histogram(&Tensor::normal([1000], 0.0, 1.0))?.bins(20).x_label("weight");
/// assert_eq!(figure.counts().0.len(), 20);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Value`] if there is no finite value.
pub fn histogram(values: &Tensor) -> Result<Histogram> {
    let all = values.to_vec_of::<f64>();
    let mut finite: Vec<f64> = all
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect();
    finite.sort_unstable_by(f64::total_cmp);
    if finite.is_empty() {
        return Err(Error::Value(format!(
            "plot::histogram: none of {} is finite",
            counted(all.len(), "value")
        )));
    }
    Ok(Histogram {
        head: Head::default(),
        left_out: all.len() - finite.len(),
        bins: chosen(&finite),
        values: finite,
        axis: String::new(),
    })
}

/// By D. Freedman and P. Diaconis's rule, and at least as many as H. Sturges's; few whole numbers have a
/// bin each.
fn chosen(sorted: &[f64]) -> usize {
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let whole = sorted.iter().all(|value| value.fract() == 0.0);
    if whole && high - low < CHOSEN as f64 {
        return (high - low) as usize + 1;
    }
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    let width = 2.0 * (at(0.75) - at(0.25)) / (sorted.len() as f64).cbrt();
    let least = (sorted.len() as f64).log2().ceil() + 1.0;
    let bins = if width > 0.0 {
        (high - low) / width
    } else {
        least
    };
    (bins.ceil().max(least) as usize).clamp(1, CHOSEN)
}

impl Histogram {
    /// The number of bins, from 1 to 200; chosen by the spread of the values unless set.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = bins.clamp(1, MOST);
        self
    }

    /// What the values are.
    pub fn x_label(mut self, name: &str) -> Self {
        self.axis = name.to_owned();
        self
    }

    /// The count of each bin, and the edges between them (one more).
    pub fn counts(&self) -> (Vec<usize>, Vec<f64>) {
        let (mut low, mut high) = (self.values[0], self.values[self.values.len() - 1]);
        let whole = self.values.iter().all(|value| value.fract() == 0.0);
        if whole && high - low + 1.0 == self.bins as f64 || low == high {
            // Whole numbers, or a single value, stand in the middle of their bins.
            (low, high) = (low - 0.5, high + 0.5);
        }
        let width = (high - low) / self.bins as f64;
        let mut counts = vec![0; self.bins];
        for value in &self.values {
            counts[(((value - low) / width) as usize).min(self.bins - 1)] += 1;
        }
        let edges = (0..=self.bins).map(|bin| low + bin as f64 * width);
        (counts, edges.collect())
    }

    fn mean_and_deviation(&self) -> (f64, f64) {
        let count = self.values.len() as f64;
        let mean = self.values.iter().sum::<f64>() / count;
        let square = self
            .values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        (mean, (square / count).sqrt())
    }
}

impl Figure for Histogram {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        format!("Histogram of {}", counted(self.values.len(), "value"))
    }

    fn height(&self, width: f64) -> f64 {
        18.0 + RATIO * width
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let (mean, deviation) = self.mean_and_deviation();
        let note = format!(
            "mean {}, standard deviation {}",
            number(mean),
            number(deviation)
        );
        let at = (area.left, area.top + 4.0);
        canvas.text(
            &fitted(&note, SMALL, area.width),
            at,
            Align::Left,
            Type::new(SMALL, MUTED),
        );
        let (counts, edges) = self.counts();
        let most = counts.iter().max().map_or(1, |&most| most) as f64;
        let axes = (
            Axis::linear(edges[0], edges[edges.len() - 1]),
            Axis::linear(0.0, 1.06 * most),
        );
        let below = Area {
            top: area.top + 18.0,
            ..area
        };
        let frame = Frame::new(below, RATIO * area.width, axes, [&self.axis, "count"]);
        frame.draw(canvas, true);
        for (bin, &count) in counts.iter().enumerate() {
            let (left, top) = frame.at(edges[bin], count as f64);
            let (right, bottom) = frame.at(edges[bin + 1], 0.0);
            if count > 0 {
                canvas.rectangle((left, top), (right - left, bottom - top), TRAINING);
            }
            if bin > 0 && right - left > 4.0 {
                canvas.line(&[(left, frame.top), (left, bottom - 0.5)], 0.8, GROUND);
            }
        }
    }

    fn summary(&self) -> String {
        let (mean, deviation) = self.mean_and_deviation();
        let [low, middle, high] = [0, self.values.len() / 2, self.values.len() - 1]
            .map(|place| number(self.values[place]));
        let mut text = format!(
            "Histogram of {} from {low} to {high}: mean {}, standard deviation {}, median {middle}.",
            counted(self.values.len(), "value"),
            number(mean),
            number(deviation)
        );
        if self.left_out > 0 {
            text += &format!(
                " {} not finite and left out.",
                match self.left_out {
                    1 => "1 value is".to_owned(),
                    count => format!("{count} values are"),
                }
            );
        }
        text
    }

    fn details(&self) -> String {
        let (counts, edges) = self.counts();
        let most = counts.iter().max().map_or(1, |&most| most.max(1));
        let line = |(bin, &count): (usize, &usize)| {
            let bar = "█".repeat((count * 30).div_ceil(most));
            let text = format!(
                "{} to {}: {count} {bar}",
                number(edges[bin]),
                number(edges[bin + 1])
            );
            text.trim_end().to_owned()
        };
        counts
            .iter()
            .enumerate()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }
}
