//! The box with two axes in which points and lines are drawn.

use super::axis::Axis;
use super::canvas::{Align, Canvas, GRID, MUTED, Type, text_width, tint};
use super::figure::{Area, SMALL, fitted};

/// Room below the box: for the ticks, and for the name of the axis.
const TICKS: f64 = 20.0;
const NAME: f64 = 18.0;

/// A box in pixels with its axes.
pub(super) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Axis,
    pub y: Axis,
    /// Whether the ticks of x are whole numbers only.
    pub whole: bool,
    labels: [String; 2],
}

impl Frame {
    /// A frame of this height, names included, that fills an area's width.
    pub fn new(area: Area, height: f64, (x, y): (Axis, Axis), labels: [&str; 2]) -> Frame {
        let name = |label: &str| if label.is_empty() { 0.0 } else { NAME };
        let top = area.top + name(labels[1]) + 4.0;
        let bottom = area.top + height - TICKS - name(labels[0]);
        let widest = y_ticks(&y, bottom - top)
            .iter()
            .map(|(_, label)| text_width(label, SMALL))
            .fold(20.0, f64::max);
        Frame {
            left: area.left + widest + 7.0,
            // Half of the last tick's label stands out.
            right: area.right() - 10.0,
            top,
            bottom,
            x,
            y,
            whole: false,
            labels: labels.map(str::to_owned),
        }
    }

    /// Where a point lies; outside of the axes outside of the box.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (
            self.left + self.x.place(x) * (self.right - self.left),
            self.bottom - self.y.place(y) * (self.bottom - self.top),
        )
    }

    /// Grid, ticks and names; the grid is left out where something is drawn beneath it.
    pub fn draw(&self, canvas: &mut dyn Canvas, with_grid: bool) {
        let style = Type::new(SMALL, MUTED);
        let edge = tint(MUTED, 0.6);
        for (tick, label) in y_ticks(&self.y, self.bottom - self.top) {
            let y = self.bottom - self.y.place(tick) * (self.bottom - self.top);
            if with_grid {
                canvas.line(&[(self.left, y), (self.right, y)], 1.0, GRID);
            } else {
                canvas.line(&[(self.left - 4.0, y), (self.left, y)], 1.0, edge);
            }
            canvas.text(&label, (self.left - 6.0, y), Align::Right, style);
        }
        canvas.line(
            &[(self.left, self.bottom), (self.right, self.bottom)],
            1.0,
            edge,
        );
        for (tick, label) in self.x_ticks() {
            let x = self.left + self.x.place(tick) * (self.right - self.left);
            canvas.line(&[(x, self.bottom), (x, self.bottom + 4.0)], 1.0, edge);
            canvas.text(&label, (x, self.bottom + 13.0), Align::Center, style);
        }
        let width = self.right - self.left;
        let [x, y] = &self.labels;
        if !x.is_empty() {
            let at = ((self.left + self.right) / 2.0, self.bottom + TICKS + 10.0);
            canvas.text(&fitted(x, SMALL, width), at, Align::Center, style);
        }
        if !y.is_empty() {
            let at = (self.left, self.top - 13.0);
            canvas.text(&fitted(y, SMALL, width), at, Align::Left, style);
        }
    }

    /// As many ticks as there is room for.
    fn x_ticks(&self) -> Vec<(f64, String)> {
        let width = self.right - self.left;
        let all = |count: usize| match self.whole {
            true => self.x.whole_ticks(count),
            false => self.x.ticks(count),
        };
        let fits = |ticks: &[(f64, String)]| {
            let places = ticks.iter().map(|(tick, _)| self.x.place(*tick) * width);
            let halves = ticks
                .iter()
                .map(|(_, label)| text_width(label, SMALL) / 2.0 + 5.0);
            let spans: Vec<(f64, f64)> = places.zip(halves).collect();
            spans
                .windows(2)
                .all(|pair| pair[0].0 + pair[0].1 <= pair[1].0 - pair[1].1)
        };
        let inside = |ticks: Vec<(f64, String)>| -> Vec<(f64, String)> {
            let inside =
                |(tick, _): &(f64, String)| (-1e-9..=1.0 + 1e-9).contains(&self.x.place(*tick));
            ticks.into_iter().filter(inside).collect()
        };
        // Whole numbers come in fewer steps: what is too many does not fit.
        let least = if self.whole { 28.0 } else { 56.0 };
        let most = ((width / least) as usize).clamp(2, 12);
        let tries = (1..=most).rev().map(|count| inside(all(count)));
        tries
            .into_iter()
            .find(|ticks| fits(ticks))
            .unwrap_or_default()
    }
}

/// Ticks for so many pixels: more than two where there is room, at most one in 24 pixels.
fn y_ticks(axis: &Axis, height: f64) -> Vec<(f64, String)> {
    let most = ((height / 24.0) as usize).max(2);
    let first = ((height / 44.0) as usize).clamp(2, 8);
    let inside = |count: usize| {
        let mut ticks = axis.ticks(count);
        ticks.retain(|(tick, _)| (-1e-9..=1.0 + 1e-9).contains(&axis.place(*tick)));
        ticks
    };
    let tries = (first..=most.max(first)).map(inside);
    let mut tries = tries.filter(|ticks| ticks.len() <= most);
    let enough = tries.find(|ticks| ticks.len() > 2);
    enough.unwrap_or_else(|| inside(first))
}

/// An axis over all of these values, with a little room at both ends.
pub(super) fn around(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = range(values);
    let room = match 0.05 * (high - low) {
        0.0 => (0.05 * high.abs()).max(1e-3),
        room => room,
    };
    Axis::linear(low - room, high + room)
}

/// The least and the greatest of the finite values; 0 and 1 without any.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if ends.0 > ends.1 { (0.0, 1.0) } else { ends }
}
