//! The words in a panel: the curves' names at their ends, why training stopped, where it overfits.
//!
//! They are placed before anything is drawn, so that grid lines can leave them free.

use super::axis::value;
use super::canvas::{Align, Canvas, MUTED, Type, text_width};
use super::curves::{TRAINING_INK, VALIDATION_INK};
use super::panel::{Panel, PlotBox, SMALL};
use super::theme::INK;
use crate::sorted;

/// Room that a grid line leaves on either side of a label.
const ROOM: f64 = 4.0;

/// How far from each other the names of two curves stand, at least.
const APART: f64 = 14.0;

/// Words and where they stand.
pub(super) struct Label {
    text: String,
    at: (f64, f64),
    align: Align,
    style: Type,
}

impl Label {
    pub fn new(text: impl Into<String>, at: (f64, f64), align: Align, style: Type) -> Self {
        Label {
            text: text.into(),
            at,
            align,
            style,
        }
    }

    pub fn draw(&self, canvas: &mut dyn Canvas) {
        canvas.text(&self.text, self.at, self.align, self.style);
    }

    /// From where to where it reaches.
    fn span(&self) -> (f64, f64) {
        // The bold of a browser is wider than the font that is measured.
        let bold = if self.style.bold { 1.1 } else { 1.0 };
        let width = bold * text_width(&self.text, self.style.size);
        let left = match self.align {
            Align::Left => self.at.0,
            Align::Center => self.at.0 - width / 2.0,
            Align::Right => self.at.0 - width,
        };
        (left, left + width)
    }
}

/// The parts of a horizontal line at `y` that no label stands on.
pub(super) fn free(labels: &[Label], y: f64, whole: (f64, f64)) -> Vec<(f64, f64)> {
    let taken: Vec<(f64, f64)> = labels
        .iter()
        .filter(|label| (label.at.1 - y).abs() < 0.75 * label.style.size)
        .map(|label| (label.span().0 - ROOM, label.span().1 + ROOM))
        .collect();
    let taken = sorted::by(taken, |a, b| a.0.total_cmp(&b.0));
    let mut parts = Vec::new();
    let mut start = whole.0;
    for (left, right) in taken {
        if left > start {
            parts.push((start, left.min(whole.1)));
        }
        start = start.max(right);
    }
    if start < whole.1 {
        parts.push((start, whole.1));
    }
    parts
}

impl Panel<'_> {
    pub(super) fn labels(&self) -> Vec<Label> {
        let mut labels = self.names();
        labels.extend(self.stop_words());
        labels.extend(self.gap_names());
        labels
    }

    /// The curves' names at their ends; beside single dots, with what these stand for.
    fn names(&self) -> Vec<Label> {
        let end = self.run.position().max(self.x_end());
        let x = self.at(end, 0.0).0.min(self.plot.right) + 7.0;
        let alone = self.run.finished() == 1 && self.run.shown_epoch().is_none();
        let curves = [
            ("training", TRAINING_INK, self.train.last()),
            ("validation", VALIDATION_INK, self.validation.last()),
        ];
        let heights = self.name_heights();
        let labels = curves
            .into_iter()
            .zip(heights)
            .filter_map(|((name, color, last), y)| {
                let text = match last {
                    Some(last) if alone => format!("{name} {}", value(*last)),
                    _ => name.to_owned(),
                };
                Some(Label::new(
                    text,
                    (x, y?),
                    Align::Left,
                    Type::new(SMALL, color),
                ))
            });
        labels.collect()
    }

    /// Where the names of training and validation stand: at the lines' ends, but apart.
    fn name_heights(&self) -> [Option<f64>; 2] {
        let last = |values: &[f64]| {
            let index = values.iter().rposition(|value| value.is_finite());
            index.map(|index| self.point(values, index).1)
        };
        let head = self.run.running.iter().find_map(|running| {
            let finite = |(_, values): &&(usize, Vec<f64>)| values[self.metric].is_finite();
            let (step, values) = running.trace.iter().rfind(finite)?;
            Some(
                self.run
                    .rolling(running, self.metric, (*step, values[self.metric])),
            )
        });
        let training = head
            .map(|value| self.at(0.0, value).1)
            .or_else(|| last(&self.train));
        let (top, bottom) = (self.plot.top, self.plot.bottom - 6.0);
        let heights = [training, last(&self.validation)];
        let mut heights = heights.map(|y| y.map(|y| y.clamp(top, bottom)));
        if let [Some(a), Some(b)] = &mut heights
            && (*a - *b).abs() < APART
        {
            // Apart within the panel, also where both curves end at its edge.
            let half = APART / 2.0;
            let middle = ((*a + *b) / 2.0).clamp(top + half, bottom - half);
            let up = if a < b { half } else { -half };
            (*a, *b) = (middle - up, middle + up);
        }
        heights
    }

    /// Where on the panel training ended before its time.
    fn stop_place(&self) -> Option<f64> {
        self.run.stop_words()?;
        let epoch = match self.run.diverged() {
            Some(epoch) => (epoch as f64).min(self.run.position()),
            None => self.run.position(),
        };
        let PlotBox { left, right, .. } = self.plot;
        Some(self.at(epoch, 0.0).0.clamp(left, right))
    }

    /// A line where training ended before its time.
    pub(super) fn stop_line(&self, canvas: &mut dyn Canvas) {
        if let Some(x) = self.stop_place() {
            let PlotBox { top, bottom, .. } = self.plot;
            canvas.dashes((x, top - 4.0), (x, bottom), 1.2, MUTED);
        }
    }

    /// The words beside that line.
    fn stop_words(&self) -> Option<Label> {
        let (words, x) = (self.run.stop_words()?, self.stop_place()?);
        let PlotBox { top, bottom, .. } = self.plot;
        let fits_right = x + 6.0 + text_width(&words, SMALL) * 1.1 < self.corner.0 + self.width;
        let (at, align) = if fits_right {
            (x + 7.0, Align::Left)
        } else {
            (x - 7.0, Align::Right)
        };
        // As far as can be from the curves' names.
        let free = |y: f64| {
            let taken = self.name_heights().into_iter().flatten();
            taken
                .map(|name| (name - y).abs())
                .fold(f64::INFINITY, f64::min)
        };
        let heights = [top + 4.0, (top + bottom) / 2.0, bottom - 12.0];
        let height = heights
            .into_iter()
            .rev()
            .max_by(|a, b| free(*a).total_cmp(&free(*b)));
        let at = (at, height.unwrap_or(top));
        Some(Label::new(words, at, align, Type::new(SMALL, INK).bold()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_line_leaves_labels_free() {
        let style = Type::new(10.0, INK);
        let width = text_width("label", 10.0);
        let labels = [
            Label::new("label", (50.0, 20.0), Align::Left, style),
            Label::new("label", (0.0, 18.0), Align::Right, style),
            Label::new("label", (200.0, 22.0), Align::Center, style),
        ];
        assert_eq!(free(&labels, 40.0, (0.0, 300.0)), [(0.0, 300.0)]);
        let parts = free(&labels, 20.0, (0.0, 300.0));
        let expected = [
            (4.0, 46.0),
            (54.0 + width, 196.0 - width / 2.0),
            (204.0 + width / 2.0, 300.0),
        ];
        assert_eq!(parts.len(), 3, "{parts:?}");
        for (part, expected) in parts.iter().zip(expected) {
            assert!(
                (part.0 - expected.0).abs() < 1e-9 && (part.1 - expected.1).abs() < 1e-9,
                "{parts:?}"
            );
        }
    }
}
