//! The two lines above the panels: where training stands, and the latest values.

use super::axis::{duration, remaining};
use super::canvas::{Align, Canvas, Color, GRID, INK, MUTED, Type, text_width};
use super::curves::{TRAINING_INK, VALIDATION_INK};
use super::run::{Run, shorten};
use super::text;

/// Height of the two lines.
pub(super) const HEIGHT: f64 = 44.0;

/// Height of the first of them, which is all there is to say of a fit without a point.
pub(super) const BLANK_HEIGHT: f64 = 20.0;

const SIZE: f64 = 12.5;
const GAP: f64 = 16.0;
const BAR: (f64, f64) = (170.0, 8.0);

/// Draws both lines into the box that begins at `(x, y)` and is `width` wide.
pub(super) fn draw(canvas: &mut dyn Canvas, run: &Run, (x, y): (f64, f64), width: f64) {
    let mut line = Line {
        canvas,
        x,
        y: y + 10.0,
        end: x + width,
    };
    if run.elapsed.is_none() || run.stop.is_some() {
        ended(&mut line, run);
    } else {
        under_way(&mut line, run);
    }
    if run.is_blank() {
        return;
    }
    let mut line = Line {
        canvas,
        x,
        y: y + 32.0,
        end: x + width,
    };
    values(&mut line, run);
}

/// A line of text that is filled from the left.
struct Line<'a> {
    canvas: &'a mut dyn Canvas,
    x: f64,
    y: f64,
    end: f64,
}

impl Line<'_> {
    /// Adds a text if it fits, in a box at least as wide as `widest`, so that what follows stays put.
    fn add(&mut self, words: &str, widest: &str, color: Color, bold: bool) -> bool {
        let taken = text_width(words, SIZE).max(text_width(widest, SIZE));
        if self.x + taken > self.end {
            return false;
        }
        let style = if bold {
            Type::new(SIZE, color).bold()
        } else {
            Type::new(SIZE, color)
        };
        self.canvas
            .text(words, (self.x, self.y), Align::Left, style);
        self.x += taken + GAP;
        true
    }

    fn bar(&mut self, fraction: f64) {
        let (width, height) = BAR;
        let corner = (self.x, self.y - height / 2.0);
        self.canvas.rectangle(corner, BAR, GRID);
        self.canvas.rectangle(
            corner,
            (width * fraction.clamp(0.0, 1.0), height),
            TRAINING_INK,
        );
        self.x += width + GAP;
    }
}

fn under_way(line: &mut Line<'_>, run: &Run) {
    let widest = format!("Epoch {0}/{0}", run.epochs);
    line.add(&text::position(run), &widest, INK, true);
    let step = run.running.as_ref().map_or(0, |running| running.step);
    let between = run.running.is_none() && run.finished() > 0;
    line.bar(if between {
        1.0
    } else {
        step as f64 / run.steps_per_epoch.max(1) as f64
    });
    line.add(
        &text::steps(run),
        &format!("{0}/{0}", run.steps_per_epoch),
        MUTED,
        false,
    );
    if let Some(seconds) = run.seconds_per_epoch() {
        line.add(
            &format!("{}/epoch", duration(seconds)),
            "88.8 s/epoch",
            MUTED,
            false,
        );
    }
    if let Some(left) = run.seconds_left() {
        line.add(&remaining(left), "", MUTED, false);
    }
}

fn ended(line: &mut Line<'_>, run: &Run) {
    let last = run.initial_epoch + run.finished();
    line.add(&text::epochs(last), "", INK, true);
    if let Some(elapsed) = run.elapsed {
        line.add(
            &format!("in {}", duration(elapsed.as_secs_f64())),
            "",
            MUTED,
            false,
        );
    }
    if run.finished() > 1
        && let Some(seconds) = run.seconds_per_epoch()
    {
        line.add(&format!("{}/epoch", duration(seconds)), "", MUTED, false);
    }
    if let Some(reason) = text::stopped(run) {
        // What does not fit is in the text twin.
        let words = [110, 80, 50, 24].map(|length| shorten(&format!("stopped: {reason}"), length));
        let _ = words
            .iter()
            .any(|words| line.add(words, "", VALIDATION_INK, true));
    }
}

fn values(line: &mut Line<'_>, run: &Run) {
    for (name, value) in text::values(run) {
        let color = if name.starts_with("val_") {
            VALIDATION_INK
        } else {
            TRAINING_INK
        };
        if !line.add(
            &format!("{name} {value}"),
            &format!("{name} 0.0000"),
            color,
            false,
        ) {
            return;
        }
    }
    if let Some(best) = text::best_words(run, 0) {
        line.add(&format!("best {best}"), "", MUTED, false);
    }
}
