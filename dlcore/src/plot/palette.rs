//! How classes and runs are told apart: by colour, and by shape for whoever does not see the colour.

use plotters::style::RGBColor;

use super::canvas::{Align, Canvas, Color, GROUND, INK, Type, text_width};
use super::curves::{TRAINING, VALIDATION};
use super::figure::{Area, SMALL, fitted};

/// After Okabe and Ito, darkened until each has a contrast of 3 on a light ground.
pub(super) const COLORS: [Color; 8] = [
    TRAINING,
    VALIDATION,
    RGBColor(0x00, 0x8a, 0x64),
    RGBColor(0x8e, 0x3a, 0x7e),
    RGBColor(0x8c, 0x6d, 0x00),
    RGBColor(0x5a, 0x4f, 0xb3),
    RGBColor(0x00, 0x86, 0xa3),
    RGBColor(0x7a, 0x4a, 0x2b),
];
/// Shapes that there are: filled, then hollow.
const SHAPES: usize = 4;
/// More kinds than this are not told apart any more.
pub(super) const KINDS: usize = 20;

/// The colour of a class or a run.
pub(super) fn color(index: usize) -> Color {
    COLORS[index % COLORS.len()]
}

/// The sign of a class or a run: a shape in its colour, on a rim of the ground's colour.
pub(super) fn mark(canvas: &mut dyn Canvas, index: usize, at: (f64, f64), radius: f64) {
    shape(canvas, index, at, radius + 1.0, GROUND);
    plain_mark(canvas, index, at, radius);
}

/// [`mark`] without the rim.
pub(super) fn plain_mark(canvas: &mut dyn Canvas, index: usize, at: (f64, f64), radius: f64) {
    shape(canvas, index, at, radius, color(index));
    if index >= COLORS.len() {
        shape(canvas, index, at, radius * 0.5, GROUND);
    }
}

fn shape(canvas: &mut dyn Canvas, index: usize, (x, y): (f64, f64), radius: f64, color: Color) {
    let corners = |corners: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let corner = |&(dx, dy): &(f64, f64)| (x + dx * radius, y + dy * radius);
        corners.iter().map(corner).collect()
    };
    // Of about the same area.
    match index % SHAPES {
        0 => canvas.circle((x, y), radius, color),
        1 => {
            let half = 0.88 * radius;
            canvas.rectangle((x - half, y - half), (2.0 * half, 2.0 * half), color);
        }
        2 => canvas.polygon(&corners(&[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)]), color),
        _ => canvas.polygon(
            &corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            color,
        ),
    }
}

/// Signs and what they stand for, in as many lines as it takes.
pub(super) struct Legend {
    pub entries: Vec<(usize, String)>,
    /// Whether each sign has a piece of line through it.
    pub lines: bool,
}

const LINE: f64 = 18.0;
const GAP: f64 = 18.0;

impl Legend {
    fn sign(&self) -> f64 {
        if self.lines { 26.0 } else { 14.0 }
    }

    /// What fits of each entry, with its place: the line, and how far from the left.
    fn places(&self, width: f64) -> Vec<(String, usize, f64)> {
        let (mut line, mut x) = (0, 0.0);
        let mut place = |(_, words): &(usize, String)| {
            let words = fitted(words, SMALL, width - self.sign());
            let taken = self.sign() + text_width(&words, SMALL);
            if x > 0.0 && x + taken > width {
                (line, x) = (line + 1, 0.0);
            }
            let at = x;
            x += taken + GAP;
            (words, line, at)
        };
        self.entries.iter().map(&mut place).collect()
    }

    pub fn height(&self, width: f64) -> f64 {
        let places = self.places(width);
        places
            .last()
            .map_or(0.0, |(_, line, _)| (line + 1) as f64 * LINE + 6.0)
    }

    pub fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let places = self.places(area.width);
        for ((index, _), (words, line, x)) in self.entries.iter().zip(places) {
            let (x, y) = (area.left + x, area.top + line as f64 * LINE + LINE / 2.0);
            let middle = x + (self.sign() - 6.0) / 2.0;
            if self.lines {
                canvas.line(&[(x, y), (x + self.sign() - 6.0, y)], 2.0, color(*index));
            }
            plain_mark(canvas, *index, (middle, y), 3.6);
            let at = (x + self.sign(), y);
            canvas.text(&words, at, Align::Left, Type::new(SMALL, INK));
        }
    }
}
