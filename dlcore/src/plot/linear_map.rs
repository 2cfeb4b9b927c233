//! What a matrix does to the plane: a grid before and after.

use super::axis::Axis;
use super::canvas::{Align, Canvas, Color, INK, MUTED, Type, tint};
use super::curves::{TRAINING, VALIDATION};
use super::figure::{Area, Figure, Head, SMALL, figure, fitted, number};
use super::frame::Frame;
use super::surface::clipped;
use crate::{Error, Result, Tensor};

/// Below this width the grids stand over each other.
const NARROW: f64 = 480.0;
const GUTTER: f64 = 16.0;
/// Room for the words over a grid.
const WORDS: f64 = 20.0;

/// A grid before and after a linear map; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct LinearMap {
    head: Head,
    /// The images of the two unit vectors.
    columns: [(f64, f64); 2],
    shift: (f64, f64),
}

figure!(LinearMap);

/// The plane's grid before and after a matrix: where the unit vectors go, and what becomes of the unit
/// square.
///
/// ```
/// use dlcore::prelude::*;
/// let shear = Tensor::from([[1.0, 0.8], [0.0, 1.0]]);
/// assert!(plot::linear_map(&shear)?.alt().contains("determinant 1"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `[2, 2]`, applied to columns; or `[2, 3]`, the third column a shift (an affine map)
///
/// # Errors
/// [`Error::Shape`] for another shape, [`Error::Value`] for numbers that are not finite.
pub fn linear_map(matrix: &Tensor) -> Result<LinearMap> {
    let values = matrix.to_vec_of::<f64>();
    let (columns, shift) = match (matrix.shape(), &values[..]) {
        ([2, 2], &[a, b, c, d]) => ([(a, c), (b, d)], (0.0, 0.0)),
        ([2, 3], &[a, b, x, c, d, y]) => ([(a, c), (b, d)], (x, y)),
        (shape, _) => {
            return Err(Error::Shape(format!(
                "plot::linear_map: expected a matrix [2, 2], or [2, 3] with a shift, got {shape:?}"
            )));
        }
    };
    super::points::check_finite("plot::linear_map", &values)?;
    if let Some(value) = values.iter().find(|value| value.abs() > 1e6) {
        return Err(Error::Value(format!(
            "plot::linear_map: {value} reaches further than a picture shows (1,000,000)"
        )));
    }
    Ok(LinearMap {
        head: Head::default(),
        columns,
        shift,
    })
}

/// Before the map.
const UNIT: [(f64, f64); 2] = [(1.0, 0.0), (0.0, 1.0)];

impl LinearMap {
    fn determinant(&self) -> f64 {
        let [a, b] = self.columns;
        a.0 * b.1 - a.1 * b.0
    }

    /// The determinant in words.
    fn effect(&self) -> String {
        let determinant = self.determinant();
        let size = determinant.abs();
        let area = match size {
            size if size < 1e-9 => return "everything falls onto a line or a point".to_owned(),
            size if number(size) == "1" => "areas stay as they are".to_owned(),
            _ => format!("areas become {} times as large", number(size)),
        };
        match determinant < 0.0 {
            true => format!("{area}, mirrored"),
            false => area,
        }
    }

    /// How far the picture reaches to each side.
    fn reach(&self) -> f64 {
        let [a, b] = self.columns;
        let corners = [a, b, (a.0 + b.0, a.1 + b.1), (0.0, 0.0)];
        let furthest = corners
            .iter()
            .flat_map(|at| [at.0 + self.shift.0, at.1 + self.shift.1])
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        (1.2 * furthest).max(2.4)
    }

    fn draw_grid(&self, canvas: &mut dyn Canvas, area: Area, side: f64, after: bool) {
        let reach = self.reach();
        let axis = || Axis::linear(-reach, reach);
        let frame = Frame::new(area, side, (axis(), axis()), ["", ""]);
        frame.draw(canvas, true);
        let limits = (-reach, reach);
        let line = |canvas: &mut dyn Canvas, from, to, width: f64, color: Color| {
            if let Some((from, to)) = clipped((from, to), limits, limits) {
                canvas.line(
                    &[frame.at(from.0, from.1), frame.at(to.0, to.1)],
                    width,
                    color,
                );
            }
        };
        let ([a, b], shift) = if after {
            (self.columns, self.shift)
        } else {
            (UNIT, (0.0, 0.0))
        };
        let at = |x: f64, y: f64| (a.0 * x + b.0 * y + shift.0, a.1 * x + b.1 * y + shift.1);
        let square = [at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)];
        canvas.polygon(&square.map(|(x, y)| frame.at(x, y)), tint(VALIDATION, 0.22));
        // Lines of the old grid, as many as may be seen.
        let step = 10_f64.powf((reach / 10.0).log10().ceil().max(0.0));
        let count = 24;
        for index in -count..=count {
            let (along, far) = (f64::from(index) * step, f64::from(count) * step);
            let (width, color) = if index == 0 {
                (1.6, tint(MUTED, 0.9))
            } else {
                (1.0, tint(TRAINING, 0.45))
            };
            line(canvas, at(along, -far), at(along, far), width, color);
            line(canvas, at(-far, along), at(far, along), width, color);
        }
        for (place, (end, color)) in [(at(1.0, 0.0), TRAINING), (at(0.0, 1.0), VALIDATION)]
            .into_iter()
            .enumerate()
        {
            let ends = (frame.at(shift.0, shift.1), frame.at(end.0, end.1));
            arrow(canvas, ends, color, place);
        }
    }
}

/// An arrow, with a dot for the first unit vector and a square for the second at its tail side.
fn arrow(
    canvas: &mut dyn Canvas,
    (from, to): ((f64, f64), (f64, f64)),
    color: Color,
    place: usize,
) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    if length < 1.0 {
        return canvas.circle(to, 3.0, color);
    }
    let (ux, uy) = (dx / length, dy / length);
    let head = 9.0_f64.min(length);
    let base = (to.0 - ux * head, to.1 - uy * head);
    canvas.line(&[from, base], if place == 0 { 3.2 } else { 2.4 }, color);
    let half = head * 0.5;
    let corners = [
        to,
        (base.0 - uy * half, base.1 + ux * half),
        (base.0 + uy * half, base.1 - ux * half),
    ];
    canvas.polygon(&corners, color);
}

/// A vector as `(1, 0.5)`.
fn vector((x, y): (f64, f64)) -> String {
    format!("({}, {})", number(x), number(y))
}

impl LinearMap {
    /// The sides of the two grids, and whether they stand beside each other.
    fn side(&self, width: f64) -> (f64, bool) {
        match width < NARROW {
            true => (width.min(340.0), false),
            false => ((width - GUTTER) / 2.0, true),
        }
    }

    /// The words over a grid: where the unit vectors are.
    fn words(&self, after: bool) -> String {
        let [a, b] = if after { self.columns } else { UNIT };
        let name = if after { "after" } else { "before" };
        format!("{name}: e₁ {}, e₂ {}", vector(a), vector(b))
    }
}

impl Figure for LinearMap {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        let [a, b] = self.columns;
        let kind = if self.shift == (0.0, 0.0) {
            "linear"
        } else {
            "affine"
        };
        format!(
            "The {kind} map [[{}, {}], [{}, {}]]",
            number(a.0),
            number(b.0),
            number(a.1),
            number(b.1)
        )
    }

    fn natural_width(&self) -> u32 {
        720
    }

    fn height(&self, width: f64) -> f64 {
        let (side, beside) = self.side(width);
        let rows = if beside { 1.0 } else { 2.0 };
        20.0 + rows * (WORDS + side) + (rows - 1.0) * GUTTER
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let note = format!(
            "determinant {}: {}",
            number(self.determinant()),
            self.effect()
        );
        let note = fitted(&note, SMALL, area.width);
        canvas.text(
            &note,
            (area.left, area.top + 4.0),
            Align::Left,
            Type::new(SMALL, MUTED),
        );
        let (side, beside) = self.side(area.width);
        for after in [false, true] {
            let place = if after { 1.0 } else { 0.0 };
            let (column, row) = if beside { (place, 0.0) } else { (0.0, place) };
            let part = Area {
                left: area.left + column * (side + GUTTER),
                top: area.top + 20.0 + row * (WORDS + side + GUTTER),
                width: side,
            };
            let words = fitted(&self.words(after), SMALL, side);
            canvas.text(
                &words,
                (part.left, part.top + 8.0),
                Align::Left,
                Type::new(SMALL, INK),
            );
            let below = Area {
                top: part.top + WORDS,
                ..part
            };
            self.draw_grid(canvas, below, side, after);
        }
    }

    fn summary(&self) -> String {
        let [a, b] = self.columns;
        let shift = match self.shift {
            (0.0, 0.0) => String::new(),
            shift => format!(" Everything is shifted by {}.", vector(shift)),
        };
        format!(
            "A grid before and after a linear map: (1, 0) goes to {} and (0, 1) to {}; determinant {}, {}.{shift}",
            vector(a),
            vector(b),
            number(self.determinant()),
            self.effect()
        )
    }

    fn details(&self) -> String {
        String::new()
    }
}
