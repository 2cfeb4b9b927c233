//! Overfitting, seen: the gap between training and validation after validation was best.

use super::canvas::{Align, Canvas, Type, text_width, tint};
use super::curves::{VALIDATION, VALIDATION_INK};
use super::panel::{Panel, SMALL};
use super::run::{Best, best, higher_is_better};

impl Panel<'_> {
    /// Shades the gap after the best epoch where validation is worse than it was and training better.
    pub(super) fn shade(&self, canvas: &mut dyn Canvas) {
        let higher = higher_is_better(self.name());
        // Of what is drawn: a single lucky epoch of a smoothed curve is no turning point.
        let Some(Best { index: first, .. }) = best(&self.validation, higher) else {
            return;
        };
        let sign = if higher { 1.0 } else { -1.0 };
        let overfits = |index: usize| {
            let (train, validation) = (self.train[index], self.validation[index]);
            index == first
                || (sign * (validation - self.validation[first]) < 0.0
                    && sign * (train - self.train[first]) > 0.0
                    && sign * (train - validation) > 0.0)
        };
        let count = self.train.len().min(self.validation.len());
        let mut stretch = Vec::new();
        for index in first..=count {
            if index < count && overfits(index) {
                stretch.push(index);
                continue;
            }
            self.shade_stretch(canvas, &stretch);
            stretch.clear();
        }
    }

    fn shade_stretch(&self, canvas: &mut dyn Canvas, stretch: &[usize]) {
        // The best epoch alone, or with one neighbour, is no trend.
        if stretch.len() < 3 {
            return;
        }
        let upper = stretch
            .iter()
            .map(|&index| self.point(&self.validation, index));
        let lower = stretch
            .iter()
            .rev()
            .map(|&index| self.point(&self.train, index));
        canvas.polygon(
            &upper.chain(lower).collect::<Vec<_>>(),
            tint(VALIDATION, 0.13),
        );
        self.name_gap(canvas, stretch);
    }

    /// Writes "overfitting" into the gap where it is wide and high enough.
    fn name_gap(&self, canvas: &mut dyn Canvas, stretch: &[usize]) {
        let half = text_width("overfitting", SMALL) / 2.0 + 4.0;
        let gap = |index: usize| {
            let ((x, a), (_, b)) = (
                self.point(&self.validation, index),
                self.point(&self.train, index),
            );
            (x, a.min(b), a.max(b))
        };
        let (start, end) = (gap(stretch[0]).0, gap(stretch[stretch.len() - 1]).0);
        // The free band over every epoch that the word would cover, at the last place it fits.
        let place = stretch
            .iter()
            .rev()
            .map(|&index| gap(index).0.min(end - half))
            .find_map(|x| {
                let covered = stretch
                    .iter()
                    .map(|&i| gap(i))
                    .filter(|(px, _, _)| (px - x).abs() <= half);
                let (top, bottom) = covered
                    .fold((f64::MIN, f64::MAX), |(t, b), (_, top, bottom)| {
                        (t.max(top), b.min(bottom))
                    });
                (x - half >= start && bottom - top > 24.0 && top > f64::MIN)
                    .then_some((x, (top + bottom) / 2.0))
            });
        if let Some(at) = place {
            canvas.text(
                "overfitting",
                at,
                Align::Center,
                Type::new(SMALL, VALIDATION_INK),
            );
        }
    }
}
