//! A folded data set, layer by layer: how a network uncrumples a paper ball.

use super::canvas::{Align, Canvas, GRID, INK, MUTED, Type, tint};
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, percent};
use super::frame::range;
use super::palette::Legend;
use super::points::Points;
use super::principal::two_directions;
use super::scatter::{draw_points, legend, radius};
use crate::classical::LogisticRegression;
use crate::models::Model;
use crate::{Error, Result, Tensor};

/// More points than this are not drawn.
const MOST: usize = 2_000;
/// Signs in all views together.
const DRAWN: usize = 6_000;
/// More layers than this are not drawn.
const LAYERS: usize = 24;
/// Wider outputs of layers are not turned into two directions.
const WIDEST: usize = 4_096;
const GAP: f64 = 14.0;
const WORDS: f64 = 36.0;

/// The points of a data set as each layer of a model sees them; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct PaperBall {
    head: Head,
    name: String,
    names: Vec<String>,
    views: Vec<View>,
}

figure!(PaperBall);

/// What one layer returns for the points.
#[derive(Clone, Debug)]
struct View {
    layer: String,
    /// How many numbers it returns for each.
    units: usize,
    points: Points,
    /// The share of points that a straight cut puts on the right side.
    separable: f64,
}

impl View {
    fn of(layer: String, outputs: &Tensor, points: &Points, labels: &Tensor) -> Result<View> {
        let rows = outputs.try_reshape([points.at.len() as isize, -1])?;
        let units = rows.shape()[1];
        if units > WIDEST {
            return Err(Error::Shape(format!(
                "plot::paper_ball: layer {layer} returns {units} numbers for each point, more than {WIDEST}"
            )));
        }
        let values = rows.to_vec_of::<f64>();
        super::points::check_finite(&format!("plot::paper_ball: layer {layer}"), &values)?;
        let at = match units {
            1 => beside(&values, &points.class_of),
            2 => values.chunks_exact(2).map(|at| (at[0], at[1])).collect(),
            _ => two_directions(&values, units),
        };
        Ok(View {
            layer,
            units,
            points: Points {
                at,
                ..points.clone()
            },
            separable: separable(&rows, labels)?,
        })
    }

    /// What the two directions are.
    fn how(&self) -> String {
        match self.units {
            1 => "1 unit, a row a class".to_owned(),
            2 => "2 units".to_owned(),
            units => format!("{units} units, 2 principal"),
        }
    }
}

/// Single numbers along a line, a row for each class, the rows a little spread.
fn beside(values: &[f64], class_of: &[usize]) -> Vec<(f64, f64)> {
    let spread = |index: usize| (index as f64 * 0.618_034).fract() * 0.6;
    let place = |(index, &value): (usize, &f64)| (value, class_of[index] as f64 + spread(index));
    values.iter().enumerate().map(place).collect()
}

/// How many of the points logistic regression puts on the right side.
fn separable(rows: &Tensor, labels: &Tensor) -> Result<f64> {
    let centred = rows - rows.mean_axis(0);
    let deviation = (&centred * &centred).mean().item().sqrt().max(1e-12);
    let scaled = centred / deviation;
    let mut straight = LogisticRegression::new().c(100.0).max_iter(200);
    straight.fit(&scaled, labels)?;
    straight.score(&scaled, labels)
}

/// The points of a folded data set through the layers of a model: the input, then what each layer makes of
/// it, in two dimensions (of more, the two principal directions).
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_circles(100, 0.05, 0.5, 0);
/// let model = Sequential::new()
///     .add(Dense::new(4).activation("tanh").input_shape([2]))
///     .add(Dense::new(1).activation("sigmoid"));
/// let figure = plot::paper_ball(&model, &x, &y)?;
/// assert!(figure.text().contains("dense"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `x`: `[n, features…]` as the model takes it; `y`: class numbers `[n]` or one-hot rows
///
/// # Errors
/// [`Error::Model`] for a model that is not built or has several inputs, [`Error::Value`] for more than
/// 2,000 points, 20 classes or 24 layers, and what the layers return for data that does not fit them.
pub fn paper_ball(model: &Model, x: &Tensor, y: &Tensor) -> Result<PaperBall> {
    let operation = "plot::paper_ball";
    let count = x.shape().first().copied().unwrap_or(0);
    super::points::check_count(operation, count, MOST)?;
    // The classes; where the points lie each layer says.
    let points = Points::of(operation, &Tensor::zeros([count, 2]), y, MOST)?;
    let numbers: Vec<i64> = points.class_of.iter().map(|&class| class as i64).collect();
    let labels = Tensor::from(numbers);
    if points.classes.len() < 2 {
        return Err(Error::Value(format!(
            "{operation}: expected points of at least two classes, got one"
        )));
    }
    let mut views = vec![View::of(
        "input".to_owned(),
        &x.as_float(),
        &points,
        &labels,
    )?];
    // Dropout and noise do nothing here.
    let layers = model.layers();
    let layers = layers.iter().filter(|layer| {
        let kind = layer.kind();
        !kind.contains("Dropout") && !kind.contains("Noise") && kind != "InputLayer"
    });
    for layer in layers {
        if views.len() > LAYERS {
            return Err(Error::Value(format!(
                "{operation}: more than {LAYERS} layers do not fit into a picture; \
                 Model::new(model.inputs()?, &model.layer_output(name)?)? ends at a layer"
            )));
        }
        let name = layer.name();
        let until = Model::new(model.inputs()?, &model.layer_output(&name)?)?;
        views.push(View::of(name, &until.predict(x)?, &points, &labels)?);
    }
    Ok(PaperBall {
        head: Head::default(),
        name: model.name().to_owned(),
        names: Vec::new(),
        views,
    })
}

impl PaperBall {
    /// Names for the classes, in the order of their numbers.
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Of so many points one is drawn: more would make the notebook heavy.
    fn stride(&self) -> usize {
        (self.views.len() * self.views[0].points.at.len()).div_ceil(DRAWN)
    }

    fn legend(&self) -> Legend {
        legend(&self.views[0].points, &self.names)
    }

    /// Columns, and the side of each view.
    fn layout(&self, width: f64) -> (usize, f64) {
        let most = (((width + GAP) / (150.0 + GAP)) as usize).max(1);
        let columns = most.min(self.views.len()).min(4);
        (columns, ((width + GAP) / columns as f64 - GAP).min(300.0))
    }

    fn draw_view(&self, canvas: &mut dyn Canvas, view: &View, corner: (f64, f64), side: f64) {
        let (x, y) = corner;
        let name = fitted(&view.layer, SMALL * 1.12, side);
        canvas.text(
            &name,
            (x, y + 6.0),
            Align::Left,
            Type::new(SMALL, INK).bold(),
        );
        let how = fitted(&view.how(), SMALL, side);
        canvas.text(&how, (x, y + 22.0), Align::Left, Type::new(SMALL, MUTED));
        let top = y + WORDS;
        canvas.rectangle((x, top), (side, side), GRID);
        canvas.rectangle(
            (x + 1.0, top + 1.0),
            (side - 2.0, side - 2.0),
            tint(GRID, 0.18),
        );
        let span = |of: fn(&(f64, f64)) -> f64| range(view.points.at.iter().map(of));
        let (xs, ys) = (span(|at| at.0), span(|at| at.1));
        // Both directions to one scale, so that a fold is seen as it is; a line a class fills the height.
        let (mut across, mut up) = (xs.1 - xs.0, ys.1 - ys.0);
        if view.units > 1 {
            (across, up) = (across.max(up), across.max(up));
        }
        let room = 12.0;
        let place = |value: f64, (low, high): (f64, f64), span: f64| {
            let middle = (low + high) / 2.0;
            0.5 + if span > 0.0 {
                (value - middle) / span
            } else {
                0.0
            }
        };
        let shown = view.points.every(self.stride());
        let radius = radius(&shown, (side, side)).max(1.6);
        draw_points(canvas, &shown, radius, |px, py| {
            (
                x + room + place(px, xs, across) * (side - 2.0 * room),
                top + side - room - place(py, ys, up) * (side - 2.0 * room),
            )
        });
        let words = fitted(
            &format!("a straight cut: {}", percent(view.separable)),
            SMALL,
            side,
        );
        let at = (x, top + side + 10.0);
        canvas.text(&words, at, Align::Left, Type::new(SMALL, INK));
    }
}

impl Figure for PaperBall {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        format!("What the layers of {} see", self.name)
    }

    fn natural_width(&self) -> u32 {
        800
    }

    fn height(&self, width: f64) -> f64 {
        let (columns, side) = self.layout(width);
        let rows = self.views.len().div_ceil(columns) as f64;
        self.legend().height(width) + rows * (WORDS + side + 20.0 + GAP) - GAP
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let legend = self.legend();
        legend.draw(canvas, area);
        let top = area.top + legend.height(area.width);
        let (columns, side) = self.layout(area.width);
        for (index, view) in self.views.iter().enumerate() {
            let (column, row) = ((index % columns) as f64, (index / columns) as f64);
            let corner = (
                area.left + column * (side + GAP),
                top + row * (WORDS + side + 20.0 + GAP),
            );
            self.draw_view(canvas, view, corner, side);
        }
    }

    fn summary(&self) -> String {
        let (first, last) = (&self.views[0], &self.views[self.views.len() - 1]);
        let thinned = match self.stride() {
            1 => String::new(),
            stride => format!(" One point of {stride} is drawn."),
        };
        format!(
            "{} in {} classes through {} of {}: a straight cut puts {} of them right in the input and {} after {}.{thinned}",
            counted(first.points.at.len(), "point"),
            first.points.classes.len(),
            counted(self.views.len() - 1, "layer"),
            self.name,
            percent(first.separable),
            percent(last.separable),
            last.layer
        )
    }

    fn details(&self) -> String {
        let line = |view: &View| {
            let units = counted(view.units, "unit");
            format!(
                "{}: {units}, a straight cut puts {} right",
                view.layer,
                percent(view.separable)
            )
        };
        self.views.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
