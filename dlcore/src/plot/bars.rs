//! A value for each of a few names.

use super::axis;
use super::canvas::{Align, Canvas, GRID, INK, MUTED, Type, text_width, tint};
use super::curves::TRAINING;
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted};
use crate::{Error, Result, Tensor};

const MOST: usize = 60;
const LINE: f64 = 24.0;
const BAR: f64 = 15.0;

/// Bars that lie beneath one another, each with its name and value; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Bars {
    head: Head,
    bars: Vec<(String, f64)>,
    axis: String,
}

figure!(Bars);

/// A bar for each name, as long as its value.
///
/// ```
/// use dlcore::prelude::*;
/// let accuracy = Tensor::from([0.88, 0.91, 0.87]);
/// plot::bars(["naive Bayes", "forest", "boosting"], &accuracy)?.x_label("test accuracy");
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `values`: `[n]` for n names
///
/// # Errors
/// [`Error::Shape`] if names and values do not come to the same number, [`Error::Value`] for none, more than
/// 60, or a value that is not finite.
pub fn bars(names: impl IntoIterator<Item = impl Into<String>>, values: &Tensor) -> Result<Bars> {
    bars_of(names.into_iter().map(Into::into).collect(), values)
}

/// A bar's value in words; a count has no decimals.
fn value(number: f64) -> String {
    match number.fract() == 0.0 && number.abs() < 1e6 {
        true => format!("{number:.0}"),
        false => axis::value(number),
    }
}

fn bars_of(names: Vec<String>, values: &Tensor) -> Result<Bars> {
    let numbers = values.to_vec_of::<f64>();
    if numbers.len() != names.len() {
        return Err(Error::Shape(format!(
            "plot::bars: expected a value for each name, got {} and values {:?}",
            counted(names.len(), "name"),
            values.shape()
        )));
    }
    if !(1..=MOST).contains(&numbers.len()) {
        return Err(Error::Value(format!(
            "plot::bars: expected 1 to {MOST} values, got {}; plot::histogram shows how many values are spread",
            numbers.len()
        )));
    }
    super::points::check_finite("plot::bars", &numbers)?;
    Ok(Bars {
        head: Head::default(),
        bars: names.into_iter().zip(numbers).collect(),
        axis: String::new(),
    })
}

impl Bars {
    /// What the values are.
    pub fn x_label(mut self, name: &str) -> Self {
        self.axis = name.to_owned();
        self
    }

    fn note(&self) -> f64 {
        if self.axis.is_empty() { 0.0 } else { 18.0 }
    }
}

impl Figure for Bars {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        counted(self.bars.len(), "value")
    }

    fn height(&self, _width: f64) -> f64 {
        self.note() + LINE * self.bars.len() as f64
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let muted = Type::new(SMALL, MUTED);
        if !self.axis.is_empty() {
            let axis = fitted(&self.axis, SMALL, area.width);
            canvas.text(&axis, (area.left, area.top + 4.0), Align::Left, muted);
        }
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts
                .map(|text| text_width(&text, SMALL))
                .fold(0.0, f64::max)
        };
        let names = widest(&mut self.bars.iter().map(|bar| bar.0.clone())).min(0.4 * area.width);
        let values = widest(&mut self.bars.iter().map(|bar| value(bar.1))) + 8.0;
        let low = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::min);
        let high = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let span = if high > low { high - low } else { 1.0 };
        // A negative bar has its number on the left.
        let left = area.left + names + 10.0 + if low < 0.0 { values } else { 0.0 };
        let width = area.right() - values - left;
        let at = |number: f64| left + (number - low) / span * width;
        for (row, (name, number)) in self.bars.iter().enumerate() {
            let y = area.top + self.note() + LINE * (row as f64 + 0.5);
            let name = fitted(name, SMALL, names);
            canvas.text(
                &name,
                (area.left + names, y),
                Align::Right,
                Type::new(SMALL, INK),
            );
            let (from, to) = (at(number.min(0.0)), at(number.max(0.0)));
            canvas.rectangle((left, y - BAR / 2.0), (width, BAR), tint(GRID, 0.5));
            canvas.rectangle((from, y - BAR / 2.0), ((to - from).max(1.0), BAR), TRAINING);
            let (x, align) = match *number < 0.0 {
                true => (from - 5.0, Align::Right),
                false => (to + 5.0, Align::Left),
            };
            canvas.text(&value(*number), (x, y), align, Type::new(SMALL, INK));
        }
    }

    fn summary(&self) -> String {
        let by_value = |a: &&(String, f64), b: &&(String, f64)| a.1.total_cmp(&b.1);
        let axis = if self.axis.is_empty() {
            "values"
        } else {
            &self.axis
        };
        let mut text = format!("Bar chart of {}, {axis}.", counted(self.bars.len(), "bar"));
        if let (Some(most), Some(least)) = (
            self.bars.iter().max_by(by_value),
            self.bars.iter().min_by(by_value),
        ) {
            text += &format!(
                " Greatest: {} with {}; least: {} with {}.",
                most.0,
                value(most.1),
                least.0,
                value(least.1)
            );
        }
        text
    }

    fn details(&self) -> String {
        let lines = self
            .bars
            .iter()
            .map(|(name, number)| format!("{name}: {}", value(*number)));
        lines.collect::<Vec<_>>().join("\n")
    }
}
