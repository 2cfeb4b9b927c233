//! Many pictures beside each other, with their labels.

use base64::Engine as _;

use super::canvas::{Align, Canvas, GRID, INK, MUTED, Type};
use super::curves::VALIDATION_INK;
use super::figure::{Area, Figure, Head, SMALL, counted, figure, fitted, percent};
use super::image::{Image, try_image};
use super::points::{decisions, named};
use crate::{Error, Result, Tensor};

/// More pictures than this are not drawn.
const MOST: usize = 100;
/// The longest side of a picture.
const LARGEST: usize = 512;
const GAP: f64 = 10.0;
const WORDS: f64 = 18.0;

/// Pictures in rows; a cell that ends in one shows it.
#[derive(Clone, Debug)]
pub struct Images {
    head: Head,
    pictures: Vec<Image>,
    size: (usize, usize),
    labels: Option<Vec<i64>>,
    predictions: Option<Vec<i64>>,
    names: Vec<String>,
    columns: Option<usize>,
}

figure!(Images);

/// Pictures in rows: `plot::images(&x.slice(..25))?.labels(&y.slice(..25))?`.
///
/// ```
/// use dlcore::prelude::*;
/// let x = Tensor::uniform([6, 28, 28], 0.0, 1.0);
/// let y = Tensor::from([5, 0, 4, 1, 9, 2]);
/// let figure = plot::images(&x)?.labels(&y)?.predictions(&Tensor::from([5, 0, 9, 1, 9, 2]))?;
/// assert!(figure.alt().contains("1 is predicted wrongly"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `[n, height, width]`, `[n, height, width, 1]` or `[n, height, width, 3]`, as [`image`](super::image)
/// takes them one by one
///
/// # Errors
/// [`Error::Shape`] for other shapes or sides over 512 pixels, [`Error::Value`] for none or more than 100.
pub fn images(x: &Tensor) -> Result<Images> {
    let operation = "plot::images";
    let (count, size) = match *x.shape() {
        [count, height, width] | [count, height, width, 1 | 3] => (count, (height, width)),
        ref shape => {
            return Err(Error::Shape(format!(
                "{operation}: expected [n, height, width] or [n, height, width, 3], got {shape:?}; \
                 flat digits get their shape back by x.reshape([-1, 28, 28])"
            )));
        }
    };
    if !(1..=MOST).contains(&count) {
        return Err(Error::Value(format!(
            "{operation}: expected 1 to {MOST} pictures, got {count}; take some of them: x.slice(..25)"
        )));
    }
    if size.0.max(size.1) > LARGEST {
        return Err(Error::Shape(format!(
            "{operation}: expected sides of at most {LARGEST} pixels, got {} × {}",
            size.0, size.1
        )));
    }
    let picture = |index: usize| try_image(&x.try_get(index as isize)?);
    Ok(Images {
        head: Head::default(),
        pictures: (0..count).map(picture).collect::<Result<_>>()?,
        size,
        labels: None,
        predictions: None,
        names: Vec::new(),
        columns: None,
    })
}

impl Images {
    /// What each picture shows: class numbers, or one-hot rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not a label for each picture.
    pub fn labels(mut self, y: &Tensor) -> Result<Self> {
        self.labels = Some(self.classes("labels", y)?);
        Ok(self)
    }

    /// What a model takes each picture for: class numbers, or rows of probabilities. What differs from the
    /// label is marked.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not a prediction for each picture.
    pub fn predictions(mut self, y: &Tensor) -> Result<Self> {
        self.predictions = Some(self.classes("predictions", y)?);
        Ok(self)
    }

    /// Names for the classes from 0 on.
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// How many pictures stand in a row.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns.max(1));
        self
    }

    fn classes(&self, what: &str, y: &Tensor) -> Result<Vec<i64>> {
        let classes = decisions("plot::images", y)?;
        match classes.len() == self.pictures.len() {
            true => Ok(classes),
            false => Err(Error::Shape(format!(
                "plot::images: expected {what} for {}, got {:?}",
                counted(self.pictures.len(), "picture"),
                y.shape()
            ))),
        }
    }

    fn name(&self, class: i64) -> String {
        let place = usize::try_from(class).unwrap_or(usize::MAX);
        named(&self.names, place, class)
    }

    fn is_wrong(&self, index: usize) -> bool {
        match (&self.labels, &self.predictions) {
            (Some(labels), Some(predictions)) => labels[index] != predictions[index],
            _ => false,
        }
    }

    fn wrong(&self) -> usize {
        (0..self.pictures.len())
            .filter(|&index| self.is_wrong(index))
            .count()
    }

    /// What stands below a picture.
    fn words(&self, index: usize) -> Option<String> {
        let label = self.labels.as_ref().map(|labels| self.name(labels[index]));
        let prediction = self.predictions.as_ref().map(|all| self.name(all[index]));
        match (label, prediction) {
            (Some(label), Some(prediction)) if self.is_wrong(index) => {
                Some(format!("{label} → {prediction}"))
            }
            (Some(label), _) => Some(label),
            (None, prediction) => prediction,
        }
    }

    /// Columns, and the size of a picture on the page.
    fn layout(&self, width: f64) -> (usize, (f64, f64)) {
        let count = self.pictures.len();
        // Names of classes need room.
        let least = if self.names.is_empty() { 52.0 } else { 72.0 };
        let most = (((width + GAP) / (least + GAP)) as usize).max(1);
        let natural = ((count as f64).sqrt().ceil() as usize).clamp(4, 10);
        let columns = self.columns.unwrap_or(natural).min(most).min(count);
        let (height, across) = (self.size.0 as f64, self.size.1 as f64);
        let side =
            ((width + GAP) / columns as f64 - GAP).min(if count == 1 { 224.0 } else { 120.0 });
        let scale = side / across.max(height);
        (columns, (across * scale, height * scale))
    }

    fn line(&self) -> f64 {
        if self.words(0).is_some() { WORDS } else { 0.0 }
    }

    /// The corner of each picture.
    fn corners(&self, area: Area) -> Vec<(f64, f64)> {
        let (columns, (width, height)) = self.layout(area.width);
        // As wide apart as the longest side, so that words below have room.
        let step = width.max(height).max(width);
        let corner = |index: usize| {
            let (column, row) = (index % columns, index / columns);
            (
                area.left + column as f64 * (step + GAP) + (step - width) / 2.0,
                area.top + row as f64 * (height + self.line() + GAP),
            )
        };
        (0..self.pictures.len()).map(corner).collect()
    }

    fn draw_words(&self, canvas: &mut dyn Canvas, area: Area) {
        let (_, (width, height)) = self.layout(area.width);
        let step = width.max(height);
        for (index, corner) in self.corners(area).into_iter().enumerate() {
            let Some(words) = self.words(index) else {
                continue;
            };
            let style = match self.is_wrong(index) {
                true => Type::new(SMALL, VALIDATION_INK).bold(),
                false => Type::new(SMALL, if self.labels.is_some() { INK } else { MUTED }),
            };
            let at = (corner.0 + width / 2.0, corner.1 + height + 10.0);
            let words = fitted(&words, SMALL * 1.12, step + GAP - 4.0);
            canvas.text(&words, at, Align::Center, style);
            if self.is_wrong(index) {
                frame(canvas, corner, (width, height), 2.0);
            }
        }
    }
}

/// A frame around a wrong picture: not by colour alone.
fn frame(canvas: &mut dyn Canvas, (x, y): (f64, f64), (width, height): (f64, f64), line: f64) {
    let (left, top, right, bottom) = (x - line, y - line, x + width + line, y + height + line);
    let corners = [
        (left, top),
        (right, top),
        (right, bottom),
        (left, bottom),
        (left, top),
    ];
    canvas.line(&corners, line, VALIDATION_INK);
}

impl Figure for Images {
    fn head(&self) -> &Head {
        &self.head
    }

    fn default_title(&self) -> String {
        counted(self.pictures.len(), "picture")
    }

    fn height(&self, width: f64) -> f64 {
        let (columns, (_, height)) = self.layout(width);
        let rows = self.pictures.len().div_ceil(columns) as f64;
        rows * (height + self.line() + GAP) - GAP
    }

    fn draw(&self, canvas: &mut dyn Canvas, area: Area) {
        let (_, (width, height)) = self.layout(area.width);
        for (x, y) in self.corners(area) {
            canvas.rectangle((x - 1.0, y - 1.0), (width + 2.0, height + 2.0), GRID);
        }
        self.draw_words(canvas, area);
    }

    fn draw_bitmap(&self, canvas: &mut dyn Canvas, area: Area) {
        self.draw(canvas, area);
        let (_, size) = self.layout(area.width);
        for (picture, corner) in self.pictures.iter().zip(self.corners(area)) {
            picture.draw(canvas, corner, size);
        }
    }

    fn complete(&self, svg: String, area: Area) -> String {
        let (_, (width, height)) = self.layout(area.width);
        let Some(end) = svg.rfind("</svg>") else {
            return svg;
        };
        let mut out = svg[..end].to_owned();
        for (picture, (x, y)) in self.pictures.iter().zip(self.corners(area)) {
            let data = base64::engine::general_purpose::STANDARD.encode(picture.png());
            // The canvas counts in tenths of a pixel.
            let [x, y, width, height] = [x, y, width, height].map(|length| (10.0 * length).round());
            out += &format!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
                 preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
                 href=\"data:image/png;base64,{data}\"/>\n"
            );
        }
        out + "</svg>\n"
    }

    fn summary(&self) -> String {
        let count = self.pictures.len();
        let (height, width) = self.size;
        let mut text = format!("{} of {height} × {width} pixels", counted(count, "picture"));
        if self.labels.is_some() && self.predictions.is_some() {
            let wrong = self.wrong();
            text += &match wrong {
                0 => ", all predicted rightly".to_owned(),
                1 => format!(
                    ", of which 1 is predicted wrongly ({})",
                    percent(1.0 / count as f64)
                ),
                _ => format!(
                    ", of which {wrong} are predicted wrongly ({})",
                    percent(wrong as f64 / count as f64)
                ),
            };
        }
        text + "."
    }

    fn details(&self) -> String {
        let line = |index: usize| {
            let label = self.labels.as_ref().map(|all| self.name(all[index]));
            let prediction = self.predictions.as_ref().map(|all| self.name(all[index]));
            let mark = if self.is_wrong(index) { " (wrong)" } else { "" };
            let words: Vec<String> = label
                .into_iter()
                .chain(prediction.map(|prediction| format!("predicted {prediction}{mark}")))
                .collect();
            (!words.is_empty()).then(|| format!("picture {}: {}", index + 1, words.join(", ")))
        };
        (0..self.pictures.len())
            .filter_map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }
}
