//! Where a classifier draws the line between classes.

use std::sync::Arc;

use super::axis::Axis;
use super::canvas::{Align, Canvas, INK, MUTED, Type, tint};
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, percent};
use super::frame::{Frame, range};
use super::palette::{Legend, color, mark};
use super::points::{Points, named};
use super::regions::{Grid, Place, contours, fill, smoothed};
use super::scatter::{draw_points, legend, lines_of};
use crate::classical::Classifier;
use crate::{Error, Result, Tensor};

/// More points than this are not drawn.
const MOST: usize = 5_000;
/// Where the classifier is asked: columns and rows.
const COLUMNS: usize = 200;
const ROWS: usize = 150;
const RATIO: f64 = 0.78;
/// How strongly the plane is tinted.
const STRENGTH: f64 = 0.2;

/// The plane as a classifier divides it, with the points; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct DecisionBoundary {
    head: Head,
    name: String,
    points: Points,
    names: Vec<String>,
    axes: (Axis, Axis),
    labels: [String; 2],
    /// For each cell the place of its class among the points' classes.
    kinds: Arc<Grid<usize>>,
    /// For each point whether the classifier is wrong about it.
    wrong: Vec<bool>,
}

figure!(DecisionBoundary);

/// The plane as a classifier or a model of two features divides it, with the points.
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(100, 0.2, 0);
/// let mut svc = SVC::new();
/// svc.fit(&x, &y)?;
/// let figure = plot::decision_boundary(&svc, &x, &y)?.title("An RBF kernel");
/// assert!(figure.alt().starts_with("Decision boundary of SVC"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `x`: `[n, 2]`; `y`: `[n]`, `[n, 1]` or one-hot `[n, classes]`
///
/// # Errors
/// [`Error::Shape`] for other shapes, [`Error::Value`] for more than 5,000 points or 20 classes, and what
/// the classifier returns where it was not fitted.
pub fn decision_boundary(
    model: &dyn Classifier,
    x: &Tensor,
    y: &Tensor,
) -> Result<DecisionBoundary> {
    let operation = "plot::decision_boundary";
    let mut points = Points::of(operation, x, y, MOST)?;
    let span = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = range(values);
        let room = match 0.12 * (high - low) {
            0.0 => 0.5,
            room => room,
        };
        (low - room, high + room)
    };
    let xs = span(&mut points.at.iter().map(|at| at.0));
    let ys = span(&mut points.at.iter().map(|at| at.1));
    let cell = |(low, high): (f64, f64), index: usize, count: usize| {
        (low + (index as f64 + 0.5) * (high - low) / count as f64) as f32
    };
    let at: Vec<f32> = (0..ROWS * COLUMNS)
        .flat_map(|i| [cell(xs, i % COLUMNS, COLUMNS), cell(ys, i / COLUMNS, ROWS)])
        .collect();
    let decided = model
        .decide(&Tensor::from_shape_vec([ROWS * COLUMNS, 2], at)?)?
        .to_vec_of::<i64>();
    let own = model.decide(x)?.to_vec_of::<i64>();
    if decided.len() != ROWS * COLUMNS || own.len() != points.at.len() {
        return Err(Error::Model(format!(
            "{operation}: expected a class for each point, got {} for {}",
            own.len(),
            points.at.len()
        )));
    }
    let truth: Vec<i64> = points
        .class_of
        .iter()
        .map(|&class| points.classes[class])
        .collect();
    // A class may be decided for that no point here has.
    points.classes.extend(&decided);
    points.classes.sort_unstable();
    points.classes.dedup();
    let place = |class: &i64| points.classes.binary_search(class).unwrap_or(0);
    let kinds = decided.iter().map(place).collect();
    points.class_of = truth.iter().map(place).collect();
    Ok(DecisionBoundary {
        head: Head::default(),
        name: model.title(),
        wrong: truth.iter().zip(&own).map(|(a, b)| a != b).collect(),
        names: Vec::new(),
        axes: (Axis::linear(xs.0, xs.1), Axis::linear(ys.0, ys.1)),
        labels: [String::new(), String::new()],
        kinds: Arc::new(Grid {
            columns: COLUMNS,
            rows: ROWS,
            values: kinds,
        }),
        points,
    })
}

impl DecisionBoundary {
    /// Names for the classes, in the order of their numbers.
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The name of the horizontal axis.
    pub fn x_label(mut self, name: &str) -> Self {
        self.labels[0] = name.to_owned();
        self
    }

    /// The name of the vertical axis.
    pub fn y_label(mut self, name: &str) -> Self {
        self.labels[1] = name.to_owned();
        self
    }

    fn legend(&self) -> Legend {
        legend(&self.points, &self.names)
    }

    fn wrong(&self) -> usize {
        self.wrong.iter().filter(|wrong| **wrong).count()
    }

    fn note(&self) -> String {
        match self.wrong() {
            0 => "every point lies on its own side".to_owned(),
            wrong => format!("{} on the wrong side (ringed)", counted(wrong, "point")),
        }
    }

    /// The share of the plane that each class is given.
    fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.points.classes.len()];
        self.kinds
            .values
            .iter()
            .for_each(|&kind| counts[kind] += 1.0);
        counts
            .iter()
            .map(|count| count / self.kinds.values.len() as f64)
            .collect()
    }

    /// The plane in characters, one a class.
    fn map(&self) -> Vec<String> {
        const SIGNS: &[u8] = b".#o+x*%@=~abcdefghij";
        let sign =
            |column: usize, row: usize| char::from(SIGNS[self.kinds.at(column, row) % SIGNS.len()]);
        let line = |row: usize| {
            (2..COLUMNS)
                .step_by(4)
                .map(|column| sign(column, row))
                .collect()
        };
        (4..ROWS).step_by(10).rev().map(line).collect()
    }
}

impl Figure for DecisionBoundary {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        format!("Decision boundary of {}", self.name)
    }

    fn height(&self, width: f64) -> f64 {
        18.0 + self.legend().height(width) + RATIO * width
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let legend = self.legend();
        let style = Type::new(SMALL, MUTED);
        let note = fitted(&self.note(), SMALL, area.width);
        canvas.text(&note, (area.left, area.top + 4.0), Align::Left, style);
        let below = |top: f64| Area { top, ..area };
        legend.draw(canvas, below(area.top + 18.0));
        let top = area.top + 18.0 + legend.height(area.width);
        let (x, y) = self.axes.clone();
        let [x_label, y_label] = &self.labels;
        let frame = Frame::new(below(top), RATIO * area.width, (x, y), [x_label, y_label]);
        let place = Place {
            left: frame.left,
            top: frame.top,
            right: frame.right,
            bottom: frame.bottom,
        };
        fill(canvas, &self.kinds, place, |kind| {
            Some(tint(color(kind), STRENGTH))
        });
        // Every line lies between two classes: those of the last are others' already.
        for class in 0..self.points.classes.len().saturating_sub(1) {
            let inside = self.kinds.map(|kind| if kind == class { 1.0 } else { 0.0 });
            for line in contours(&smoothed(&inside), 0.5, place) {
                canvas.line(&line, 1.4, MUTED);
            }
        }
        frame.draw(canvas, false);
        let points = self
            .points
            .at
            .iter()
            .zip(&self.points.class_of)
            .zip(&self.wrong);
        let wrong = points.filter(|(_, wrong)| **wrong).map(|(point, _)| point);
        draw_points(canvas, &self.points, |x, y| frame.at(x, y));
        for (&(x, y), &class) in wrong {
            canvas.ring(frame.at(x, y), 6.4, 1.4, INK);
            mark(canvas, class, frame.at(x, y), 3.4);
        }
    }

    fn summary(&self) -> String {
        let (count, wrong) = (self.points.at.len(), self.wrong());
        let classes = self.points.classes.len();
        let right = percent((count - wrong) as f64 / count as f64);
        format!(
            "Decision boundary of {} between {classes} classes: {right} of {} lie on their own side, {wrong} do not.",
            self.name,
            counted(count, "point")
        )
    }

    fn details(&self) -> String {
        let mut lines = lines_of(&self.points, &self.names);
        let shares = self.shares().into_iter().enumerate().map(|(place, share)| {
            let name = named(&self.names, place, self.points.classes[place]);
            format!("{name} {}", percent(share))
        });
        lines.push(format!(
            "Of the plane: {}.",
            shares.collect::<Vec<_>>().join(", ")
        ));
        lines.extend(self.map());
        lines.join("\n")
    }
}
