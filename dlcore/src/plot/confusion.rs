//! The confusion matrix: which classes are taken for which.

use super::canvas::{Align, Canvas, GRID, INK, MUTED, Type, text_width, tint};
use super::curves::TRAINING;
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, percent};
use super::points::{decisions, named};
use crate::sorted;
use crate::{Error, Result, Tensor};

/// More classes than this are not drawn.
const MOST: usize = 50;
/// The strongest tint that dark text is read on.
const STRONGEST: f64 = 0.55;
/// Room for the words over the columns and below the last row.
const ABOVE: f64 = 40.0;

/// How often each class was taken for each; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct ConfusionMatrix {
    head: Head,
    classes: Vec<i64>,
    names: Vec<String>,
    /// A row for each true class.
    counts: Vec<Vec<usize>>,
}

figure!(ConfusionMatrix);

/// How often each true class (rows) was predicted as each class (columns).
///
/// Labels and predictions are class numbers, or rows of probabilities (the largest decides; a single one
/// from one half).
///
/// ```
/// use dlcore::prelude::*;
/// let (y_true, y_pred) = (Tensor::from([0, 1, 1, 2]), Tensor::from([0, 1, 2, 2]));
/// let matrix = plot::confusion_matrix(&y_true, &y_pred)?.labels(["cat", "dog", "frog"]);
/// assert!(matrix.alt().contains("75.0 % right"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// each `[n]`, `[n, 1]` or `[n, classes]`
///
/// # Errors
/// [`Error::Shape`] for other shapes or lengths that differ, [`Error::Value`] for labels that are no whole
/// numbers or for more than 50 classes.
pub fn confusion_matrix(y_true: &Tensor, y_pred: &Tensor) -> Result<ConfusionMatrix> {
    let operation = "plot::confusion_matrix";
    let (truth, predicted) = (decisions(operation, y_true)?, decisions(operation, y_pred)?);
    if truth.len() != predicted.len() || truth.is_empty() {
        return Err(Error::Shape(format!(
            "{operation}: expected as many predictions as labels and at least one, got {} and {}",
            truth.len(),
            predicted.len()
        )));
    }
    let mut classes: Vec<i64> = truth.iter().chain(&predicted).copied().collect();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() > MOST {
        return Err(Error::Value(format!(
            "{operation}: {} classes are more than the {MOST} that are drawn; \
             are these class numbers, or rounded quantities?",
            classes.len()
        )));
    }
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    let place = |class| classes.binary_search(class).unwrap_or(0);
    for (truth, predicted) in truth.iter().zip(&predicted) {
        counts[place(truth)][place(predicted)] += 1;
    }
    Ok(ConfusionMatrix {
        head: Head::default(),
        names: Vec::new(),
        classes,
        counts,
    })
}

impl ConfusionMatrix {
    /// Names for the classes, in the order of their numbers.
    pub fn labels(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The counts, `[classes, classes]`, `I64`: a row for each true class, a column for each prediction.
    pub fn counts(&self) -> Tensor {
        let counts: Vec<i64> = self
            .counts
            .iter()
            .flatten()
            .map(|&count| count as i64)
            .collect();
        Tensor::from_values(&[self.classes.len(); 2], counts)
    }

    fn total(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    fn right(&self) -> usize {
        (0..self.classes.len())
            .map(|class| self.counts[class][class])
            .sum()
    }

    /// The share of a class that was recognised; none of a class that is only predicted.
    fn recall(&self, class: usize) -> Option<f64> {
        let total: usize = self.counts[class].iter().sum();
        (total > 0).then(|| self.counts[class][class] as f64 / total as f64)
    }

    /// The mistakes, the most frequent first: count, true class, prediction.
    fn mistakes(&self) -> Vec<(usize, usize, usize)> {
        let places = 0..self.classes.len();
        let pairs = places
            .clone()
            .flat_map(|row| places.clone().map(move |column| (row, column)));
        let mistakes: Vec<_> = pairs
            .filter(|(row, column)| row != column)
            .map(|(row, column)| (self.counts[row][column], row, column))
            .filter(|(count, _, _)| *count > 0)
            .collect();
        sorted::by(mistakes, |a, b| b.0.cmp(&a.0))
    }

    fn name(&self, class: usize) -> String {
        named(&self.names, class, self.classes[class])
    }

    /// Where the cells lie in an area so wide: left of them, and the length of a side.
    fn cells(&self, width: f64) -> (f64, f64) {
        let widest = (0..self.classes.len())
            .map(|class| text_width(&self.row_name(class), SMALL))
            .fold(0.0, f64::max);
        // The column for the share on the right.
        let left = widest.min(0.35 * width).max(44.0) + 8.0;
        let side = (width - left - 56.0) / self.classes.len() as f64;
        (left, side.min(64.0))
    }

    /// Names over the columns where they fit, else the numbers of the rows.
    fn column_names_fit(&self, side: f64) -> bool {
        let widths = (0..self.classes.len()).map(|class| text_width(&self.name(class), SMALL));
        widths.fold(0.0, f64::max) + 4.0 <= side
    }

    fn row_name(&self, class: usize) -> String {
        match self.names.is_empty() {
            true => self.name(class),
            false => format!("{} {}", self.classes[class], self.name(class)),
        }
    }

    fn draw_cell(
        &self,
        canvas: &mut dyn Canvas,
        (row, column): (usize, usize),
        corner: (f64, f64),
        side: f64,
    ) {
        let count = self.counts[row][column];
        let total: usize = self.counts[row].iter().sum();
        let share = count as f64 / total.max(1) as f64;
        // Few mistakes are still seen.
        let strength = if count == 0 {
            0.0
        } else {
            0.06 + (STRONGEST - 0.06) * share.sqrt()
        };
        canvas.rectangle(
            corner,
            (side - 1.0, side - 1.0),
            match count {
                0 => tint(GRID, 0.45),
                _ => tint(TRAINING, strength),
            },
        );
        let words = count.to_string();
        if text_width(&words, SMALL) + 3.0 <= side && side >= 15.0 {
            let middle = (corner.0 + side / 2.0 - 0.5, corner.1 + side / 2.0);
            let style = Type::new(SMALL, if count == 0 { MUTED } else { INK });
            let style = if row == column { style.bold() } else { style };
            canvas.text(&words, middle, Align::Center, style);
        }
    }
}

impl Figure for ConfusionMatrix {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        "Confusion matrix".to_owned()
    }

    fn height(&self, width: f64) -> f64 {
        ABOVE + self.cells(width).1 * self.classes.len() as f64
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let (left, side) = self.cells(area.width);
        let (x, top) = (area.left + left, area.top + ABOVE);
        let style = Type::new(SMALL, MUTED);
        let count = self.classes.len();
        let end = x + side * count as f64;
        canvas.text("predicted", (x, area.top + 6.0), Align::Left, style);
        canvas.text("true", (x - 8.0, area.top + 27.0), Align::Right, style);
        canvas.text("right", (end + 48.0, area.top + 27.0), Align::Right, style);
        let names_fit = self.column_names_fit(side);
        // Rows and columns too narrow for their names have every second, every third …
        let every = (14.0 / side).ceil().max(1.0) as usize;
        let column_name = |class: usize| match names_fit {
            true => self.name(class),
            false => self.classes[class].to_string(),
        };
        let widest = (0..count).map(|class| text_width(&column_name(class), SMALL));
        let every_column = ((widest.fold(0.0, f64::max) + 4.0) / side).ceil().max(1.0) as usize;
        for class in 0..count {
            let along = side * (class as f64 + 0.5);
            if class % every_column == 0 {
                let at = (x + along, area.top + 27.0);
                canvas.text(
                    &column_name(class),
                    at,
                    Align::Center,
                    Type::new(SMALL, INK),
                );
            }
            if class % every == 0 {
                let name = if names_fit {
                    self.name(class)
                } else {
                    self.row_name(class)
                };
                let name = fitted(&name, SMALL, left - 7.5);
                canvas.text(
                    &name,
                    (x - 8.0, top + along),
                    Align::Right,
                    Type::new(SMALL, INK),
                );
                let recall = self.recall(class).map_or("–".to_owned(), percent);
                canvas.text(&recall, (end + 48.0, top + along), Align::Right, style);
            }
            for column in 0..count {
                let corner = (x + side * column as f64, top + side * class as f64);
                self.draw_cell(canvas, (class, column), corner, side);
            }
        }
    }

    fn summary(&self) -> String {
        let (right, total) = (self.right(), self.total());
        let mut text = format!(
            "Confusion matrix of {} in {}: {right} of {total} are right, {} right.",
            counted(total, "prediction"),
            counted(self.classes.len(), "class").replace("classs", "classes"),
            percent(right as f64 / total as f64)
        );
        if let Some(&(count, row, column)) = self.mistakes().first() {
            text += &format!(
                " The most frequent mistake: {} taken for {}, {}.",
                self.name(row),
                self.name(column),
                counted(count, "time")
            );
        }
        text
    }

    fn details(&self) -> String {
        let mut lines = Vec::new();
        for class in 0..self.classes.len() {
            let total: usize = self.counts[class].iter().sum();
            let right = self.counts[class][class];
            let mut line = format!("{}: {right} of {total} right", self.name(class));
            let wrong = self
                .mistakes()
                .into_iter()
                .filter(|mistake| mistake.1 == class);
            let wrong: Vec<String> = wrong
                .map(|(count, _, column)| format!("{count} as {}", self.name(column)))
                .collect();
            if !wrong.is_empty() {
                line += &format!(", {}", wrong.join(", "));
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}
