//! Overfitting, seen: the gap between training and validation after validation was best.

use super::canvas::{Align, Canvas, Type, text_width, tint};
use super::curves::{VALIDATION, VALIDATION_INK};
use super::labels::Label;
use super::panel::{Panel, SMALL};
use super::run::{Best, best, higher_is_better};

impl Panel<'_> {
    /// Shades the gap after the best epoch where validation is worse than it was and training better.
    pub(super) fn shade(&self, canvas: &mut dyn Canvas) {
        for stretch in self.overfitted() {
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
        }
    }

    /// The word "overfitting" in each gap that is wide and high enough for it.
    pub(super) fn gap_names(&self) -> Vec<Label> {
        let stretches = self.overfitted();
        let places = stretches
            .iter()
            .filter_map(|stretch| self.name_of_gap(stretch));
        let style = Type::new(SMALL, VALIDATION_INK);
        let label = |at| Label::new("overfitting", at, Align::Center, style);
        places.map(label).collect()
    }

    /// The stretches of epochs in which the model overfits.
    fn overfitted(&self) -> Vec<Vec<usize>> {
        let higher = higher_is_better(self.name());
        // Of what is drawn: a single lucky epoch of a smoothed curve is no turning point.
        let Some(Best { index: first, .. }) = best(&self.validation, higher) else {
            return Vec::new();
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
        let mut stretches = vec![Vec::new()];
        for index in first..count {
            match stretches.last_mut() {
                Some(stretch) if overfits(index) => stretch.push(index),
                _ => stretches.push(Vec::new()),
            }
        }
        // The best epoch alone, or with one neighbour, is no trend.
        stretches.retain(|stretch| stretch.len() >= 3);
        stretches
    }

    /// Where the word fits into the gap.
    fn name_of_gap(&self, stretch: &[usize]) -> Option<(f64, f64)> {
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
        stretch
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
            })
    }
}
