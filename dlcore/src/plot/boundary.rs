//! Where a classifier draws the line between classes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::axis::Axis;
use super::canvas::{Align, Canvas, INK, MUTED, Type, tint};
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, percent};
use super::frame::{Frame, range};
use super::palette::{Legend, color, mark};
use super::points::{Points, named};
use super::regions::{Grid, Place, Side, borders, ends, fill, lines};
use super::scatter::{draw_points, legend, lines_of, radius};
use crate::classical::Classifier;
use crate::sorted;
use crate::{Error, Result, Tensor};

/// More points than this are not drawn.
const MOST: usize = 5_000;
/// Where the classifier is asked: columns and rows.
const COLUMNS: usize = 200;
const ROWS: usize = 150;
/// How often a side is halved to find where the decision changes: to a sixteenth of its length.
const HALVINGS: usize = 4;
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
    /// At which share of a side between two cells the decision changes.
    crossings: Arc<BTreeMap<Side, f64>>,
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
    // The middle of a cell, or what lies between middles.
    let middle = |(column, row): (f64, f64)| {
        let along = |(low, high): (f64, f64), index: f64, count: usize| {
            (low + (index + 0.5) * (high - low) / count as f64) as f32
        };
        [along(xs, column, COLUMNS), along(ys, row, ROWS)]
    };
    let at: Vec<f32> = (0..ROWS * COLUMNS)
        .flat_map(|i| middle(((i % COLUMNS) as f64, (i / COLUMNS) as f64)))
        .collect();
    let decided = model.decide(&Tensor::from_shape_vec([ROWS * COLUMNS, 2], at)?)?;
    let decided = Grid {
        columns: COLUMNS,
        rows: ROWS,
        values: decided.to_vec_of::<i64>(),
    };
    let own = model.decide(x)?.to_vec_of::<i64>();
    if decided.values.len() != ROWS * COLUMNS || own.len() != points.at.len() {
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
    points.classes.extend(&decided.values);
    points.classes.sort_unstable();
    points.classes.dedup();
    let place = |class: &i64| points.classes.binary_search(class).unwrap_or(0);
    let kinds = decided.map(|class| place(&class));
    let class_of = truth.iter().map(place).collect();
    let crossings = crossings(model, &decided, &kinds, &middle)?;
    points.class_of = class_of;
    Ok(DecisionBoundary {
        head: Head::default(),
        name: model.title(),
        wrong: truth.iter().zip(&own).map(|(a, b)| a != b).collect(),
        names: Vec::new(),
        axes: (Axis::linear(xs.0, xs.1), Axis::linear(ys.0, ys.1)),
        labels: [String::new(), String::new()],
        kinds: Arc::new(kinds),
        crossings: Arc::new(crossings),
        points,
    })
}

/// Where on each side between two kinds the decision changes, by halving the side: a straight boundary is
/// drawn straight, and a step as a step.
fn crossings(
    model: &dyn Classifier,
    decided: &Grid<i64>,
    kinds: &Grid<usize>,
    place: &dyn Fn((f64, f64)) -> [f32; 2],
) -> Result<BTreeMap<Side, f64>> {
    let sides = borders(kinds);
    let mut spans = vec![(0.0, 1.0); sides.len()];
    for _ in 0..HALVINGS {
        if sides.is_empty() {
            break;
        }
        let at = sides.iter().zip(&spans).flat_map(|(&side, &(low, high))| {
            let [(a, b), (c, d)] = ends(side).map(|(column, row)| (column as f64, row as f64));
            let share = (low + high) / 2.0;
            place((a + share * (c - a), b + share * (d - b)))
        });
        let at = Tensor::from_shape_vec([sides.len(), 2], at.collect())?;
        let classes = model.decide(&at)?.to_vec_of::<i64>();
        for ((&side, span), class) in sides.iter().zip(&mut spans).zip(classes) {
            let [(column, row), _] = ends(side);
            let middle = (span.0 + span.1) / 2.0;
            match class == decided.at(column, row) {
                true => span.0 = middle,
                false => span.1 = middle,
            }
        }
    }
    let shares = spans.into_iter().map(|(low, high)| (low + high) / 2.0);
    Ok(sorted::gathered(sides.into_iter().zip(shares)))
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
        format!("Boundary of {}", self.name)
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
        let share = |side: Side| self.crossings.get(&side).copied().unwrap_or(0.5);
        // Every line lies between two classes: those of the last are others' already.
        for class in 0..self.points.classes.len().saturating_sub(1) {
            let inside = self.kinds.map(|kind| if kind == class { 1.0 } else { 0.0 });
            for line in lines(&inside, 0.5, place, &share) {
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
        let box_size = (frame.right - frame.left, frame.bottom - frame.top);
        let radius = radius(&self.points, box_size);
        draw_points(canvas, &self.points, radius, |x, y| frame.at(x, y));
        for (&(x, y), &class) in wrong {
            canvas.ring(frame.at(x, y), radius + 2.6, 1.3, INK);
            mark(canvas, class, frame.at(x, y), radius);
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
