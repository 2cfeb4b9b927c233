//! Points in the plane.

use super::axis::Axis;
use super::canvas::{Canvas, MUTED};
use super::figure::{Area, Figure, Head, counted, figure, number};
use super::frame::{Frame, around, range};
use super::palette::{Legend, mark, plain_mark};
use super::points::{Points, check_count, check_finite, named};
use crate::{Error, Result, Tensor};

/// More points than this are not drawn: the notebook would carry megabytes of them.
pub(super) const MOST: usize = 20_000;
/// Smaller signs have no rim.
const RIMMED: f64 = 2.2;
/// The height of the box for its width.
const RATIO: f64 = 0.72;

/// Points in the plane; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Scatter {
    head: Head,
    points: Points,
    names: Vec<String>,
    axes: [String; 2],
    diagonal: bool,
}

figure!(Scatter);

/// Points in the plane: either points and their classes, or the two coordinates.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(200, 0.1, 0);
/// plot::scatter(&x, &y)?.title("Moons").labels(["upper", "lower"]);
/// plot::scatter(&Tensor::linspace(0.0, 1.0, 50), &Tensor::uniform([50], 0.0, 1.0))?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `x`: `[n, 2]` with class numbers `y`: `[n]`; or both `[n]`
///
/// # Errors
/// [`Error::Shape`] for other shapes, [`Error::Value`] for numbers that are not finite, more than 20,000
/// points or more than 20 classes.
pub fn scatter(x: &Tensor, y: &Tensor) -> Result<Scatter> {
    let operation = "plot::scatter";
    let points = match (x.shape(), y.shape()) {
        ([count], [other]) if count == other => {
            check_count(operation, *count, MOST)?;
            let (xs, ys) = (x.to_vec_of::<f64>(), y.to_vec_of::<f64>());
            check_finite(operation, &xs)?;
            check_finite(operation, &ys)?;
            Points {
                class_of: vec![0; xs.len()],
                at: xs.into_iter().zip(ys).collect(),
                classes: vec![0],
            }
        }
        ([_], other) => {
            return Err(Error::Shape(format!(
                "{operation}: expected two vectors of one length, or points [n, 2] and their classes, got {:?} and {other:?}",
                x.shape()
            )));
        }
        _ => Points::of(operation, x, y, MOST)?,
    };
    Ok(Scatter {
        head: Head::default(),
        points,
        names: Vec::new(),
        axes: [String::new(), String::new()],
        diagonal: false,
    })
}

impl Scatter {
    /// Names for the classes, in the order of their numbers.
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
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

    /// Draws the line on which both coordinates are equal: where predictions would lie if all were right.
    pub fn diagonal(mut self) -> Self {
        self.diagonal = true;
        self
    }

    /// From where to where the diagonal is drawn: as far as both coordinates reach.
    fn ends(&self) -> Option<(f64, f64)> {
        let x = range(self.points.at.iter().map(|at| at.0));
        let y = range(self.points.at.iter().map(|at| at.1));
        let (low, high) = (x.0.max(y.0), x.1.min(y.1));
        (self.diagonal && low < high).then_some((low, high))
    }

    fn legend(&self) -> Legend {
        legend(&self.points, &self.names)
    }
}

/// The classes' signs; none where there is one class only.
pub(super) fn legend(points: &Points, names: &[String]) -> Legend {
    let entry = |(place, &class): (usize, &i64)| match names.get(place) {
        Some(name) => (place, name.clone()),
        None => (place, format!("class {class}")),
    };
    let entries = match points.classes.len() > 1 {
        true => points.classes.iter().enumerate().map(entry).collect(),
        false => Vec::new(),
    };
    Legend {
        entries,
        lines: false,
    }
}

/// The axes around all points.
pub(super) fn axes(points: &Points) -> (Axis, Axis) {
    (
        around(points.at.iter().map(|at| at.0)),
        around(points.at.iter().map(|at| at.1)),
    )
}

/// How large the signs are: the smaller the more of them there are on an area of this size.
pub(super) fn radius(points: &Points, (width, height): (f64, f64)) -> f64 {
    (0.14 * (width * height / points.at.len() as f64).sqrt()).clamp(1.3, 3.8)
}

/// Each point with the sign of its class.
pub(super) fn draw_points(
    canvas: &mut dyn Canvas,
    points: &Points,
    radius: f64,
    at: impl Fn(f64, f64) -> (f64, f64),
) {
    for (&(x, y), &class) in points.at.iter().zip(&points.class_of) {
        match radius >= RIMMED {
            true => mark(canvas, class, at(x, y), radius),
            false => plain_mark(canvas, class, at(x, y), radius),
        }
    }
}

/// `class 0: 100 points around (0.50, 0.24)`, a line a class.
pub(super) fn lines_of(points: &Points, names: &[String]) -> Vec<String> {
    let line = |(place, count): (usize, usize)| {
        let of_class = || {
            points
                .at
                .iter()
                .zip(&points.class_of)
                .filter(|(_, class)| **class == place)
        };
        let mean = |of: fn(&(f64, f64)) -> f64| {
            of_class().map(|(at, _)| of(at)).sum::<f64>() / count as f64
        };
        let name = match names.is_empty() {
            true => format!("class {}", points.classes[place]),
            false => named(names, place, points.classes[place]),
        };
        let (x, y) = (number(mean(|at| at.0)), number(mean(|at| at.1)));
        format!("{name}: {} around ({x}, {y})", counted(count, "point"))
    };
    points.counts().into_iter().enumerate().map(line).collect()
}

/// From where to where the points reach.
pub(super) fn reach(points: &Points) -> String {
    let (x, y) = (
        range(points.at.iter().map(|at| at.0)),
        range(points.at.iter().map(|at| at.1)),
    );
    let [a, b, c, d] = [x.0, x.1, y.0, y.1].map(number);
    format!("x from {a} to {b}, y from {c} to {d}")
}

impl Figure for Scatter {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        counted(self.points.at.len(), "point")
    }

    fn height(&self, width: f64) -> f64 {
        self.legend().height(width) + RATIO * width
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let legend = self.legend();
        legend.draw(canvas, area);
        let room = legend.height(area.width);
        let below = Area {
            top: area.top + room,
            ..area
        };
        let [x, y] = &self.axes;
        let frame = Frame::new(below, RATIO * area.width, axes(&self.points), [x, y]);
        frame.draw(canvas, true);
        if let Some((low, high)) = self.ends() {
            canvas.dashes(frame.at(low, low), frame.at(high, high), 1.2, MUTED);
        }
        let box_size = (frame.right - frame.left, frame.bottom - frame.top);
        let radius = radius(&self.points, box_size);
        draw_points(canvas, &self.points, radius, |x, y| frame.at(x, y));
    }

    fn summary(&self) -> String {
        let classes = match self.points.classes.len() {
            1 => String::new(),
            count => format!(" in {count} classes"),
        };
        let points = counted(self.points.at.len(), "point");
        format!("Scatter of {points}{classes}, {}.", reach(&self.points))
    }

    fn details(&self) -> String {
        match self.points.classes.len() {
            1 => String::new(),
            _ => lines_of(&self.points, &self.names).join("\n"),
        }
    }
}
