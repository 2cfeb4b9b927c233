//! The drawing of a model: a box for each call of a layer, lines along which tensors go.

use std::fmt;
use std::path::Path;

use super::canvas::{Align, Canvas, GRID, GROUND, INK, MUTED, Type, svg, text_width, tint};
use super::curves::{TRAINING, VALIDATION};
use super::layered::{self, Layout};
use super::{WIDTH, canvas, save};
use crate::Result;
use crate::display::{MimeBundle, PNG, Rich};
use crate::models::{DrawnCall, Model, shape_text};

const MARGIN: f64 = 16.0;
const TITLE: f64 = 30.0;
const BOX_HEIGHT: f64 = 40.0;
/// Room between ranks.
const GAP: f64 = 26.0;
const NAME: f64 = 12.0;
const SMALL: f64 = 10.5;
/// A drawing that is wider than a cell has room for is made smaller, but not so small that nobody reads it.
const SMALLEST: f64 = 0.62;
/// No picture of more pixels is drawn: it would take more memory than it is worth.
const MOST_PIXELS: u32 = 4_000_000;

/// A drawing of a model's layers; a cell that ends in one shows it.
///
/// ```
/// use dlcore::prelude::*;
/// let model = Sequential::new().add(Dense::new(8).input_shape([4])).add(Dense::new(1));
/// let drawing = model.plot();
/// assert!(drawing.svg().starts_with("<svg"));
/// assert!(drawing.text().contains("(None, 8)"));
/// ```
pub struct ModelPlot {
    name: String,
    calls: Vec<DrawnCall>,
}

impl Model {
    /// The layers and what connects them as a drawing: Keras's `plot_model`. A layer that is called
    /// more than once has a box for each call, in another colour.
    pub fn plot(&self) -> ModelPlot {
        ModelPlot {
            name: self.name().to_string(),
            calls: self.drawn(),
        }
    }
}

impl ModelPlot {
    fn title(&self) -> String {
        let inputs = self.calls.iter().filter(|c| c.kind == "InputLayer").count();
        let layers = self.calls.len() - inputs;
        format!("Model {}: {layers} calls of layers", self.name)
    }

    /// The name, the kind and the shapes of a box.
    fn label(&self, index: usize) -> (String, String) {
        let call = &self.calls[index];
        let shapes: Vec<String> = call.shapes.iter().map(|shape| shape_text(shape)).collect();
        let small = [call.kind.clone(), shapes.join(", ")];
        let small: Vec<String> = small.into_iter().filter(|text| !text.is_empty()).collect();
        (call.name.clone(), small.join("  "))
    }

    fn layout(&self) -> (Vec<f64>, Layout) {
        let width = |index| {
            let (name, small) = self.label(index);
            // The bold cut is a tenth wider.
            let name = 1.12 * text_width(&name, NAME);
            name.max(text_width(&small, SMALL)) + 20.0
        };
        let widths: Vec<f64> = (0..self.calls.len()).map(width).collect();
        let inputs: Vec<Vec<usize>> = self.calls.iter().map(|c| c.inputs.clone()).collect();
        let layout = layered::layout(&layered::Graph {
            widths: &widths,
            inputs: &inputs,
        });
        (widths, layout)
    }

    /// Size in pixels, and how much smaller than at its natural size.
    fn size(&self, layout: &Layout) -> ((u32, u32), f64) {
        let title = 1.12 * text_width(&self.title(), NAME);
        let width = layout.width.max(title) + 2.0 * MARGIN;
        let ranks = layout.ranks as f64;
        let height = 2.0 * MARGIN + TITLE + ranks * (BOX_HEIGHT + GAP) - GAP;
        let scale = (f64::from(WIDTH) / width).clamp(SMALLEST, 1.0);
        let pixels = |length: f64| (length * scale).ceil() as u32;
        ((pixels(width), pixels(height)), scale)
    }

    /// The drawing as an SVG document, with a title and a description for those who cannot see it.
    pub fn svg(&self) -> String {
        let (widths, layout) = self.layout();
        let (size, scale) = self.size(&layout);
        svg(size, &self.title(), &self.text(), |canvas| {
            self.draw(canvas, &widths, &layout, scale);
        })
    }

    /// The drawing as a PNG file of twice its size, for dense screens; empty for a model of hundreds of
    /// layers, whose picture would be too large.
    pub fn png(&self) -> Vec<u8> {
        let (widths, layout) = self.layout();
        let (size, scale) = self.size(&layout);
        if size.0.saturating_mul(size.1) > MOST_PIXELS {
            return Vec::new();
        }
        let draw = |canvas: &mut dyn Canvas| self.draw(canvas, &widths, &layout, scale);
        canvas::png(size, draw).unwrap_or_default()
    }

    /// The drawing in words: a line for each call, with what it takes.
    pub fn text(&self) -> String {
        let mut text = self.title();
        for (index, call) in self.calls.iter().enumerate() {
            let (name, small) = self.label(index);
            text += &format!("\n{name}: {small}");
            let from: Vec<&str> = call
                .inputs
                .iter()
                .map(|&input| self.calls[input].name.as_str())
                .collect();
            if !from.is_empty() {
                text += &format!(", takes {}", from.join(" and "));
            }
        }
        text
    }

    /// Writes the drawing to a file, as its ending says: `.svg`, `.png` or `.txt`.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) for another ending, [`Error::Io`](crate::Error::Io) if the
    /// file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path.as_ref(), || self.svg(), || self.png(), || self.text())
    }

    fn draw(&self, canvas: &mut dyn Canvas, widths: &[f64], layout: &Layout, scale: f64) {
        let left = MARGIN;
        let top = |rank: usize| MARGIN + TITLE + rank as f64 * (BOX_HEIGHT + GAP);
        let title = Type::new(NAME * scale, INK).bold();
        let at = (left * scale, (MARGIN + 6.0) * scale);
        canvas.text(&self.title(), at, Align::Left, title);
        for line in &layout.lines {
            let (start, end) = (layout.boxes[line.from], layout.boxes[line.to]);
            let mut points = vec![(left + start.1, top(start.0) + BOX_HEIGHT)];
            for &(rank, middle) in &line.way {
                points.push((left + middle, top(rank)));
                points.push((left + middle, top(rank) + BOX_HEIGHT));
            }
            points.push((left + end.1, top(end.0)));
            arrow(canvas, &points, scale);
        }
        for (index, &(rank, middle)) in layout.boxes.iter().enumerate() {
            let corner = (left + middle - widths[index] / 2.0, top(rank));
            self.draw_box(canvas, index, corner, widths[index], scale);
        }
    }

    fn draw_box(
        &self,
        canvas: &mut dyn Canvas,
        index: usize,
        corner: (f64, f64),
        width: f64,
        scale: f64,
    ) {
        let call = &self.calls[index];
        let again = self.calls.iter().filter(|c| c.name == call.name).count() > 1;
        let (border, fill) = match call.kind.as_str() {
            "InputLayer" => (MUTED, GRID),
            _ if again => (VALIDATION, tint(VALIDATION, 0.12)),
            _ => (TRAINING, tint(TRAINING, 0.10)),
        };
        let mut rectangle = |inset: f64, color| {
            let corner = ((corner.0 + inset) * scale, (corner.1 + inset) * scale);
            let size = (width - 2.0 * inset, BOX_HEIGHT - 2.0 * inset);
            canvas.rectangle(corner, (size.0 * scale, size.1 * scale), color);
        };
        rectangle(0.0, border);
        rectangle(1.2, GROUND);
        rectangle(1.2, fill);
        let (name, small) = self.label(index);
        let middle = (corner.0 + width / 2.0) * scale;
        let line = |y: f64| (middle, (corner.1 + y) * scale);
        let bold = Type::new(NAME * scale, INK).bold();
        canvas.text(&name, line(13.0), Align::Center, bold);
        let plain = Type::new(SMALL * scale, MUTED);
        canvas.text(&small, line(28.0), Align::Center, plain);
    }
}

/// A line with a head at its end.
fn arrow(canvas: &mut dyn Canvas, points: &[(f64, f64)], scale: f64) {
    let scaled: Vec<(f64, f64)> = points.iter().map(|p| (p.0 * scale, p.1 * scale)).collect();
    canvas.line(&scaled, 1.3 * scale, MUTED);
    let [.., before, end] = scaled.as_slice() else {
        return;
    };
    let (dx, dy) = (end.0 - before.0, end.1 - before.1);
    let length = dx.hypot(dy).max(1e-9);
    let (ux, uy) = (dx / length * scale, dy / length * scale);
    let corner = |along: f64, aside: f64| {
        (
            end.0 - along * ux - aside * uy,
            end.1 - along * uy + aside * ux,
        )
    };
    canvas.polygon(&[*end, corner(8.0, 3.5), corner(8.0, -3.5)], MUTED);
}

impl Rich for ModelPlot {
    fn mime_bundle(&self) -> MimeBundle {
        let bundle = MimeBundle::text(self.text()).with_drawing(&self.text(), &self.svg());
        match self.png() {
            empty if empty.is_empty() => bundle,
            png => bundle.with_bytes(PNG, &png),
        }
    }
}

impl fmt::Display for ModelPlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for ModelPlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Dense;
    use crate::models::{Input, LayerCall, LayerRef, Sequential};

    /// A shared layer with two inputs, and a branch of its own.
    fn branched() -> Model {
        let (a, b) = (Input::named("left", [4]), Input::named("right", [4]));
        let shared = LayerRef::new(Dense::new(8).name("shared"));
        let (left, right) = (shared.on(&a), shared.on(&b));
        let deep = Dense::new(3).name("deep").on(&left);
        Model::new([&a, &b], [&deep, &right]).unwrap().named("two")
    }

    #[test]
    fn the_drawing_is_well_formed_and_says_all_in_words() {
        let drawing = branched().plot();
        let svg = drawing.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .map(str::trim)
            .collect();
        for name in ["left", "shared", "deep", "Dense  (None, 8)"] {
            assert!(texts.contains(&name), "{texts:?} lacks {name}");
        }
        assert!(drawing.png().starts_with(b"\x89PNG"));
        assert_eq!(
            drawing.text(),
            "Model two: 3 calls of layers\nleft: InputLayer  (None, 4)\nright: InputLayer  (None, 4)\n\
             shared: Dense  (None, 8), takes left\ndeep: Dense  (None, 3), takes shared\n\
             shared: Dense  (None, 8), takes right"
        );
    }

    #[test]
    fn models_without_shapes_and_without_layers_and_very_deep_ones_are_drawn() {
        let unbuilt = Sequential::new().add(Dense::new(1).name("end"));
        assert!(unbuilt.plot().text().ends_with("end: Dense"));
        assert!(roxmltree::Document::parse(&Sequential::new().plot().svg()).is_ok());
        let mut deep = Sequential::new().add(Dense::new(1).input_shape([1]));
        for _ in 0..400 {
            deep.push(Dense::new(1));
        }
        assert!(deep.plot().png().is_empty());
        assert!(
            !deep
                .plot()
                .mime_bundle()
                .to_json()
                .to_string()
                .contains("image/png")
        );
    }
}
