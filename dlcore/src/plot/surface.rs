//! A function of two numbers as a map, with the ways that optimizers take on it.

use std::sync::Arc;

use super::axis::Axis;
use super::canvas::{Align, Canvas, GROUND, INK, MUTED, Type, tint};
use super::curves::TRAINING;
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, number};
use super::frame::Frame;
use super::palette::{KINDS, Legend, color, mark};
use super::regions::{Grid, Place, contours, fill};
use crate::{Error, Result, Tensor};

const COLUMNS: usize = 160;
const ROWS: usize = 120;
const RATIO: f64 = 0.78;
/// Steps of the tint, from the least value to the greatest.
const LEVELS: usize = 12;
/// Longer ways are refused.
const MOST: usize = 10_000;
/// A way of fewer steps has a dot for each.
const DOTTED: usize = 80;

/// A function of two numbers, strongly tinted where it is high; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Surface {
    head: Head,
    x: (f64, f64),
    y: (f64, f64),
    grid: Arc<Grid<f64>>,
    paths: Vec<Way>,
    axes: [String; 2],
}

figure!(Surface);

/// The name of an optimizer and the points that it came by.
type Way = (String, Vec<(f64, f64)>);

/// A function of two numbers, such as a loss of two weights, as a map with lines of equal height.
///
/// ```
/// use dlcore::prelude::*;
/// let way: Vec<f64> = (0..20).flat_map(|step| [2.0 * 0.8_f64.powi(step), 0.0]).collect();
/// let way = Tensor::from_shape_vec_f64([20, 2], way)?;
/// let figure = plot::surface(|x, y| x * x + 3.0 * y * y, (-2.5, 2.5), (-2.0, 2.0))?.path("SGD", &way)?;
/// assert!(figure.alt().contains("SGD"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Value`] if a range does not ascend or the function is finite nowhere.
pub fn surface(
    function: impl Fn(f64, f64) -> f64,
    x: (f64, f64),
    y: (f64, f64),
) -> Result<Surface> {
    surface_of(&function, x, y)
}

fn surface_of(function: &dyn Fn(f64, f64) -> f64, x: (f64, f64), y: (f64, f64)) -> Result<Surface> {
    for (name, (low, high)) in [("x", x), ("y", y)] {
        if !(low < high && (high - low).is_finite()) {
            return Err(Error::Value(format!(
                "plot::surface: expected a range of {name} that ascends, got {low} to {high}"
            )));
        }
    }
    let cell = |(low, high): (f64, f64), index: usize, count: usize| {
        low + (index as f64 + 0.5) * (high - low) / count as f64
    };
    let at = |index: usize| {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        function(cell(x, column, COLUMNS), cell(y, row, ROWS))
    };
    let values: Vec<f64> = (0..COLUMNS * ROWS).map(at).collect();
    if !values.iter().any(|value| value.is_finite()) {
        return Err(Error::Value(
            "plot::surface: the function is finite nowhere in this part of the plane".to_owned(),
        ));
    }
    Ok(Surface {
        head: Head::default(),
        x,
        y,
        grid: Arc::new(Grid {
            columns: COLUMNS,
            rows: ROWS,
            values,
        }),
        paths: Vec::new(),
        axes: [String::new(), String::new()],
    })
}

impl Surface {
    /// Adds the way that an optimizer took, from its start.
    ///
    /// # Shapes
    /// `points`: `[steps, 2]`
    ///
    /// # Errors
    /// [`Error::Shape`] for another shape, [`Error::Value`] for more than 10,000 points or 20 ways, or a
    /// point that is NaN at the start. A way ends where it is not finite any more.
    pub fn path(mut self, name: &str, points: &Tensor) -> Result<Self> {
        let [steps @ 1..=MOST, 2] = *points.shape() else {
            return Err(Error::Shape(format!(
                "Surface::path: expected 1 to {MOST} points as [steps, 2], got {:?}",
                points.shape()
            )));
        };
        let values = points.to_vec_of::<f64>();
        let all = values.chunks_exact(2).map(|at| (at[0], at[1]));
        let way: Vec<(f64, f64)> = all
            .take_while(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        if way.is_empty() || self.paths.len() >= KINDS {
            return Err(Error::Value(format!(
                "Surface::path: expected a way with a finite start, and at most {KINDS} of them; {name:?} has {}",
                counted(steps, "point")
            )));
        }
        self.paths.push((name.to_owned(), way));
        Ok(self)
    }

    /// The name of the horizontal axis.
    pub fn x_label(mut self, name: &str) -> Self {
        self.axes[0] = name.to_owned();
        self
    }

    /// The name of the vertical axis.
    pub fn y_label(mut self, name: &str) -> Self {
        self.axes[1] = name.to_owned();
        self
    }

    fn range(&self) -> (f64, f64) {
        super::frame::range(self.grid.values.iter().copied())
    }

    /// The heights at which the tint changes: evenly spaced rings on a bowl, and so near to each other where
    /// the function is low, which is where optimizers go.
    fn levels(&self) -> Vec<f64> {
        let (low, high) = self.range();
        let level = |step: usize| low + (high - low) * (step as f64 / LEVELS as f64).powi(2);
        (1..LEVELS).map(level).collect()
    }

    /// The function at a point of the map, between the values that are known.
    fn height_at(&self, (x, y): (f64, f64)) -> Option<f64> {
        let place = |value: f64, (low, high): (f64, f64), count: usize| {
            let at = (value - low) / (high - low);
            let at = at * count as f64 - 0.5;
            (-0.5..=count as f64 - 0.5)
                .contains(&at)
                .then(|| at.clamp(0.0, count as f64 - 1.0001))
        };
        let (column, row) = (place(x, self.x, COLUMNS)?, place(y, self.y, ROWS)?);
        let (left, bottom) = (column as usize, row as usize);
        let (right, top) = (column.fract(), row.fract());
        let at = |dx: usize, dy: usize| self.grid.at(left + dx, bottom + dy);
        let low = at(0, 0) * (1.0 - right) + at(1, 0) * right;
        let high = at(0, 1) * (1.0 - right) + at(1, 1) * right;
        Some(low * (1.0 - top) + high * top).filter(|value| value.is_finite())
    }

    fn inside(&self, (x, y): (f64, f64)) -> bool {
        (self.x.0..=self.x.1).contains(&x) && (self.y.0..=self.y.1).contains(&y)
    }

    fn legend(&self) -> Legend {
        let entry = |(index, (name, way)): (usize, &Way)| {
            (
                index + 1,
                format!("{name}: {}", counted(way.len() - 1, "step")),
            )
        };
        Legend {
            entries: self.paths.iter().enumerate().map(entry).collect(),
            lines: true,
        }
    }

    fn note(&self) -> String {
        let (low, high) = self.range();
        format!("from {} (faint) to {} (strong)", number(low), number(high))
    }

    /// A way: a line on a rim, a dot for each step, a ring at its start and its sign at its end.
    fn draw_path(&self, canvas: &mut dyn Canvas, frame: &Frame, index: usize, way: &[(f64, f64)]) {
        let color = color(index);
        for pair in way.windows(2) {
            if let Some((from, to)) = clipped((pair[0], pair[1]), self.x, self.y) {
                let ends = [frame.at(from.0, from.1), frame.at(to.0, to.1)];
                canvas.line(&ends, 3.6, GROUND);
                canvas.line(&ends, 1.8, color);
            }
        }
        let shown = |point: &&(f64, f64)| self.inside(**point);
        if way.len() <= DOTTED {
            for &(x, y) in way.iter().filter(shown) {
                canvas.circle(frame.at(x, y), 2.2, color);
            }
        }
        if let Some(&(x, y)) = way.first().filter(shown) {
            canvas.ring(frame.at(x, y), 5.0, 2.0, color);
        }
        if let Some(&(x, y)) = way.last().filter(shown) {
            mark(canvas, index, frame.at(x, y), 4.6);
        }
    }
}

/// The part of a stretch that lies within both ranges, by Liang and Barsky.
pub(super) fn clipped(
    (from, to): ((f64, f64), (f64, f64)),
    x: (f64, f64),
    y: (f64, f64),
) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    let sides = [
        (-dx, from.0 - x.0),
        (dx, x.1 - from.0),
        (-dy, from.1 - y.0),
        (dy, y.1 - from.1),
    ];
    for (along, room) in sides {
        if along == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if along < 0.0 {
            start = start.max(room / along);
        } else {
            end = end.min(room / along);
        }
    }
    let at = |share: f64| (from.0 + share * dx, from.1 + share * dy);
    (start < end).then(|| (at(start), at(end)))
}

impl Figure for Surface {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        "Surface".to_owned()
    }

    fn height(&self, width: f64) -> f64 {
        18.0 + self.legend().height(width) + RATIO * width
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let note = fitted(&self.note(), SMALL, area.width);
        let at = (area.left, area.top + 4.0);
        canvas.text(&note, at, Align::Left, Type::new(SMALL, MUTED));
        let below = |top: f64| Area { top, ..area };
        let legend = self.legend();
        legend.draw(canvas, below(area.top + 18.0));
        let top = area.top + 18.0 + legend.height(area.width);
        let axes = (
            Axis::linear(self.x.0, self.x.1),
            Axis::linear(self.y.0, self.y.1),
        );
        let [x, y] = &self.axes;
        let frame = Frame::new(below(top), RATIO * area.width, axes, [x, y]);
        let place = Place {
            left: frame.left,
            top: frame.top,
            right: frame.right,
            bottom: frame.bottom,
        };
        let levels = self.levels();
        let kinds = self.grid.map(|value| match value.is_finite() {
            true => levels.iter().filter(|level| value >= **level).count(),
            false => LEVELS,
        });
        let shade = |kind: usize| tint(TRAINING, 0.04 + 0.56 * kind as f64 / (LEVELS - 1) as f64);
        fill(canvas, &kinds, place, |kind| {
            (kind < LEVELS).then(|| shade(kind))
        });
        for (step, &level) in levels.iter().enumerate() {
            for line in contours(&self.grid, level, place) {
                canvas.line(
                    &line,
                    0.7,
                    tint(TRAINING, 0.25 + 0.55 * step as f64 / LEVELS as f64),
                );
            }
        }
        frame.draw(canvas, false);
        for (index, (_, way)) in self.paths.iter().enumerate() {
            self.draw_path(canvas, &frame, index + 1, way);
        }
        if self.paths.is_empty() {
            let (x, y) = self.lowest();
            canvas.ring(frame.at(x, y), 4.0, 1.6, INK);
        }
    }

    fn summary(&self) -> String {
        let (low, high) = self.range();
        let (x, y) = self.lowest();
        let mut text = format!(
            "Surface over x from {} to {} and y from {} to {}: least {} near ({}, {}), greatest {}.",
            number(self.x.0),
            number(self.x.1),
            number(self.y.0),
            number(self.y.1),
            number(low),
            number(x),
            number(y),
            number(high)
        );
        for (name, way) in &self.paths {
            let say = |at: (f64, f64)| match self.height_at(at) {
                Some(height) => {
                    format!("({}, {}) at {}", number(at.0), number(at.1), number(height))
                }
                None => format!("({}, {}), outside", number(at.0), number(at.1)),
            };
            let steps = counted(way.len() - 1, "step");
            text += &format!(
                " {name} goes in {steps} from {} to {}.",
                say(way[0]),
                say(way[way.len() - 1])
            );
        }
        text
    }

    fn details(&self) -> String {
        let rows = |(name, way): &Way| {
            let step = way.len().div_ceil(12).max(1);
            let chosen = (0..way.len()).filter(|at| at % step == 0 || at + 1 == way.len());
            let one = |at: usize| {
                let (x, y) = way[at];
                let height = self.height_at((x, y)).map_or("outside".to_owned(), number);
                format!("{name} {at}: ({}, {}) {height}", number(x), number(y))
            };
            chosen.map(one).collect::<Vec<_>>()
        };
        self.paths
            .iter()
            .flat_map(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Surface {
    /// The middle of the cell in which the function is least.
    fn lowest(&self) -> (f64, f64) {
        let finite = self
            .grid
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite());
        let least = finite
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map_or(0, |(index, _)| index);
        let cell = |(low, high): (f64, f64), index: usize, count: usize| {
            low + (index as f64 + 0.5) * (high - low) / count as f64
        };
        (
            cell(self.x, least % COLUMNS, COLUMNS),
            cell(self.y, least / COLUMNS, ROWS),
        )
    }
}
