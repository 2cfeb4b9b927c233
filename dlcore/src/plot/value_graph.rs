//! The drawing of how a number was computed: boxes from left to right, an operation before each that
//! is not given.

use super::canvas::{self, Align, Canvas, Color, GRID, GROUND, INK, MUTED, Type};
use super::curves::{TRAINING, TRAINING_INK};
use super::{WIDTH, save};
use crate::Result;
use crate::display::{MimeBundle, PNG, Rich};
use crate::sorted;
use std::fmt;
use std::path::Path;

/// More numbers than this are counted, not drawn.
const MOST: usize = 150;
const MARGIN: f64 = 16.0;
const BOX: (f64, f64) = (98.0, 52.0);
/// From one box to the next below.
const ROW: f64 = 66.0;
/// Room between columns: for lines, and the circle of the operation.
const GAP: f64 = 60.0;
const CIRCLE: f64 = 17.0;
/// Of all text: with six columns, which are made smaller to fit, it can still be read.
const TEXT: f64 = 12.2;
/// As many letters of that size fit into a circle.
const LETTERS_IN_CIRCLE: usize = 5;
/// No drawing is made smaller than this part of its size to fit the width.
const LEAST_SCALE: f64 = 0.5;

/// One number of the drawing.
#[derive(Clone, Debug)]
pub(crate) struct ValueNode {
    pub(crate) name: String,
    pub(crate) data: f64,
    pub(crate) grad: f64,
    /// Empty for a number that was given.
    pub(crate) operation: String,
    /// The numbers it was computed from, which come before it.
    pub(crate) inputs: Vec<usize>,
}

/// What led to a [`Value`](crate::grad::Value), with data and gradients as they were when it was
/// asked for; a cell that ends in one shows it.
///
/// ```
/// use dlcore::grad::Value;
/// let x = Value::new(3.0).label("x");
/// let y = x.pow(2.0).label("y");
/// y.backward();
/// assert_eq!(y.graph().text(), "x = 3, grad 6\ny = x^2 = 9, grad 1");
/// ```
#[derive(Clone, Debug)]
pub struct ValueGraph {
    nodes: Vec<ValueNode>,
}

impl ValueGraph {
    pub(crate) fn new(nodes: Vec<ValueNode>) -> Self {
        ValueGraph { nodes }
    }

    /// The drawing as an SVG document, with a title and a description for those who cannot see it.
    pub fn svg(&self) -> String {
        let layout = Layout::of(&self.nodes);
        let title = format!("Computation graph of {} numbers", self.nodes.len());
        canvas::svg(layout.size(), &title, &self.text(), |canvas| {
            layout.draw(canvas, &self.nodes);
        })
    }

    /// The drawing as a PNG file of twice its size, for dense screens.
    pub fn png(&self) -> Vec<u8> {
        let layout = Layout::of(&self.nodes);
        let draw = |canvas: &mut dyn Canvas| layout.draw(canvas, &self.nodes);
        canvas::png(layout.size(), draw).unwrap_or_default()
    }

    /// The drawing in words: a line for each number, what it is computed from before it.
    pub fn text(&self) -> String {
        let name = |index: usize| match &self.nodes[index].name {
            name if name.is_empty() => format!("v{index}"),
            name => name.clone(),
        };
        let line = |(index, node): (usize, &ValueNode)| {
            let inputs: Vec<String> = node.inputs.iter().map(|&input| name(input)).collect();
            let formula = match &inputs[..] {
                [] => String::new(),
                [one] if node.operation.starts_with('^') => format!(" = {one}{}", node.operation),
                [a, b] => format!(" = {a} {} {b}", node.operation),
                all => format!(" = {}({})", node.operation, all.join(", ")),
            };
            let (data, grad) = (short(node.data), short(node.grad));
            format!("{}{formula} = {data}, grad {grad}", name(index))
        };
        let lines: Vec<String> = self.nodes.iter().enumerate().map(line).collect();
        lines.join("\n")
    }

    /// Writes the drawing to a file, as its ending says: `.svg`, `.png` or `.txt`.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) for another ending, [`Error::Io`](crate::Error::Io) if
    /// the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path.as_ref(), || self.svg(), || self.png(), || self.text())
    }
}

impl fmt::Display for ValueGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Rich for ValueGraph {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.text())
            .with_drawing(&self.text(), &self.svg())
            .with_bytes(PNG, &self.png())
    }
}

/// A number in four digits or so.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        // Adding 0 makes -0 a plain 0.
        let text = format!("{:.4}", value + 0.0);
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    match value.is_finite() {
        true => format!("{value:.2e}"),
        false => value.to_string(),
    }
}

/// What stands in a column: a number, or a line that passes on its way further right.
#[derive(Clone, Copy, PartialEq)]
enum Spot {
    Number(usize),
    Passing { from: usize, to: usize },
}

/// Where everything stands.
struct Layout {
    columns: Vec<Vec<Spot>>,
    /// The column of each number.
    column_of: Vec<usize>,
    scale: f64,
}

impl Layout {
    fn of(nodes: &[ValueNode]) -> Layout {
        if nodes.len() > MOST {
            return Layout {
                columns: Vec::new(),
                column_of: Vec::new(),
                scale: 1.0,
            };
        }
        let column_of = columns_of(nodes);
        let mut columns = vec![Vec::new(); column_of.iter().max().map_or(0, |last| last + 1)];
        for (index, node) in nodes.iter().enumerate() {
            columns[column_of[index]].push(Spot::Number(index));
            for &from in &node.inputs {
                let passing = Spot::Passing { from, to: index };
                for column in &mut columns[column_of[from] + 1..column_of[index]] {
                    if !column.contains(&passing) {
                        column.push(passing);
                    }
                }
            }
        }
        let mut layout = Layout {
            columns,
            column_of,
            scale: 1.0,
        };
        layout.order(nodes);
        let (width, _) = layout.natural_size();
        layout.scale = (f64::from(WIDTH) / width).clamp(LEAST_SCALE, 1.0);
        layout
    }

    /// Puts everything near what it is connected with, column by column, to and fro.
    fn order(&mut self, nodes: &[ValueNode]) {
        for round in 0..8 {
            // The last round goes back, since what is given has neighbours on its right only.
            let forwards = round % 2 == 0;
            for step in 1..self.columns.len() {
                let (column, beside) = match forwards {
                    true => (step, step - 1),
                    false => (self.columns.len() - 1 - step, self.columns.len() - step),
                };
                self.columns[column] = self.ordered(column, beside, forwards, nodes);
            }
        }
    }

    /// A column by the middle of what each spot is connected with in the one beside it.
    fn ordered(
        &self,
        column: usize,
        beside: usize,
        forwards: bool,
        nodes: &[ValueNode],
    ) -> Vec<Spot> {
        let height = |column: usize, row: usize| {
            row as f64 - (self.columns[column].len() as f64 - 1.0) / 2.0
        };
        let middle = |(row, spot): (usize, &Spot)| {
            let others = self.columns[beside].iter().enumerate();
            let near = others.filter(|(_, other)| match forwards {
                true => leads_to(other, spot, nodes),
                false => leads_to(spot, other, nodes),
            });
            let near: Vec<f64> = near.map(|(row, _)| height(beside, row)).collect();
            match near.len() {
                0 => (height(column, row), *spot),
                count => (near.iter().sum::<f64>() / count as f64, *spot),
            }
        };
        let spots: Vec<(f64, Spot)> = self.columns[column]
            .iter()
            .enumerate()
            .map(middle)
            .collect();
        let spots = sorted::by(spots, |a, b| a.0.total_cmp(&b.0));
        spots.into_iter().map(|(_, spot)| spot).collect()
    }

    fn natural_size(&self) -> (f64, f64) {
        let columns = self.columns.len().max(3) as f64;
        let rows = self.columns.iter().map(Vec::len).max().unwrap_or(0).max(1) as f64;
        (
            2.0 * MARGIN + columns * (BOX.0 + GAP) - GAP,
            2.0 * MARGIN + rows * ROW - (ROW - BOX.1),
        )
    }

    fn size(&self) -> (u32, u32) {
        let (width, height) = self.natural_size();
        (
            (width * self.scale).round() as u32,
            (height * self.scale).ceil() as u32,
        )
    }

    /// The left middle of a spot; columns are centred on one another.
    fn at(&self, column: usize, spot: Spot) -> (f64, f64) {
        let column_of = &self.columns[column];
        let row = column_of
            .iter()
            .position(|other| *other == spot)
            .unwrap_or(0);
        let (_, height) = self.natural_size();
        let from_middle = row as f64 - (column_of.len() as f64 - 1.0) / 2.0;
        (
            MARGIN + column as f64 * (BOX.0 + GAP),
            height / 2.0 + from_middle * ROW,
        )
    }

    fn draw(&self, canvas: &mut dyn Canvas, nodes: &[ValueNode]) {
        if self.columns.is_empty() {
            let (width, height) = self.natural_size();
            let words = format!("{} numbers are too many to draw", nodes.len());
            let middle = (width / 2.0, height / 2.0);
            return canvas.text(&words, middle, Align::Center, Type::new(13.0, MUTED));
        }
        let mut pen = Pen {
            canvas,
            scale: self.scale,
        };
        for (index, node) in nodes.iter().enumerate() {
            for &from in &node.inputs {
                self.draw_line(&mut pen, from, index);
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            let at = self.at(self.column_of[index], Spot::Number(index));
            draw_number(&mut pen, node, at);
        }
    }

    /// From the right of one box to the circle before another, by way of the spots between.
    fn draw_line(&self, pen: &mut Pen<'_>, from: usize, to: usize) {
        let (first, last) = (self.column_of[from], self.column_of[to]);
        let (x, y) = self.at(first, Spot::Number(from));
        let mut points = vec![(x + BOX.0, y)];
        for column in first + 1..last {
            let (x, y) = self.at(column, Spot::Passing { from, to });
            points.extend([(x - GAP / 3.0, y), (x + BOX.0, y)]);
        }
        let (x, y) = self.at(last, Spot::Number(to));
        points.push((x - CIRCLE * 2.0 + 4.0, y));
        pen.line(&points, 1.4, MUTED);
    }
}

/// The column of each number: one after the last of its inputs; a number that is given stands just
/// before the first that needs it.
fn columns_of(nodes: &[ValueNode]) -> Vec<usize> {
    let mut columns = vec![0; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let inputs = node.inputs.iter().map(|&input| columns[input] + 1);
        columns[index] = inputs.max().unwrap_or(0);
    }
    for given in (0..nodes.len()).filter(|&index| nodes[index].inputs.is_empty()) {
        let users = nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.inputs.contains(&given));
        let first = users.map(|(user, _)| columns[user]).min();
        columns[given] = first.map_or(0, |first| first - 1);
    }
    columns
}

/// Whether a line runs from a spot to one in the next column.
fn leads_to(left: &Spot, right: &Spot, nodes: &[ValueNode]) -> bool {
    match (*left, *right) {
        (Spot::Number(a), Spot::Number(b)) => nodes[b].inputs.contains(&a),
        (Spot::Number(a), Spot::Passing { from, .. }) => a == from,
        (Spot::Passing { to, .. }, Spot::Number(b)) => b == to,
        (a, b) => a == b,
    }
}

/// A canvas at a scale.
struct Pen<'a> {
    canvas: &'a mut dyn Canvas,
    scale: f64,
}

impl Pen<'_> {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x * self.scale, y * self.scale)
    }

    fn line(&mut self, points: &[(f64, f64)], width: f64, color: Color) {
        let points: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        self.canvas.line(&points, width * self.scale, color);
    }

    fn rectangle(&mut self, corner: (f64, f64), size: (f64, f64), color: Color) {
        let (corner, size) = (self.at(corner), self.at(size));
        self.canvas.rectangle(corner, size, color);
    }

    fn circle(&mut self, center: (f64, f64), radius: f64, color: Color) {
        let center = self.at(center);
        self.canvas.circle(center, radius * self.scale, color);
    }

    fn text(&mut self, text: &str, at: (f64, f64), style: Type) {
        let at = self.at(at);
        let size = style.size * self.scale;
        self.canvas
            .text(text, at, Align::Center, Type { size, ..style });
    }
}

/// The box of a number, its left middle at `at`, and before it the circle of what computed it.
fn draw_number(pen: &mut Pen<'_>, node: &ValueNode, (x, y): (f64, f64)) {
    let corner = (x, y - BOX.1 / 2.0);
    pen.rectangle(corner, BOX, MUTED);
    let inside = (corner.0 + 1.2, corner.1 + 1.2);
    pen.rectangle(inside, (BOX.0 - 2.4, BOX.1 - 2.4), GROUND);
    let middle = x + BOX.0 / 2.0;
    let mut lines = vec![
        (format!("data {}", short(node.data)), Type::new(TEXT, INK)),
        (
            format!("grad {}", short(node.grad)),
            Type::new(TEXT, TRAINING_INK),
        ),
    ];
    if !node.name.is_empty() {
        lines.insert(0, (fitting(&node.name), Type::new(TEXT, INK).bold()));
    }
    let first = y - 15.0 * (lines.len() as f64 - 1.0) / 2.0;
    for (place, (text, style)) in lines.into_iter().enumerate() {
        pen.text(&text, (middle, first + 15.0 * place as f64), style);
    }
    if node.operation.is_empty() {
        return;
    }
    let center = (x - CIRCLE - 2.0, y);
    pen.circle(center, CIRCLE, TRAINING);
    pen.circle(center, CIRCLE - 1.4, GROUND);
    pen.circle(center, CIRCLE - 1.4, canvas::tint(GRID, 0.5));
    let text = match &node.operation[..] {
        "sigmoid" => "σ",
        other => other,
    };
    let letters = text.chars().count().max(LETTERS_IN_CIRCLE) as f64;
    let size = TEXT * LETTERS_IN_CIRCLE as f64 / letters;
    pen.text(text, center, Type::new(size, INK));
}

/// A name cut to the box.
fn fitting(name: &str) -> String {
    const LETTERS: usize = 12;
    match name.chars().count() {
        0..=LETTERS => name.to_owned(),
        _ => name.chars().take(LETTERS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::Value;

    fn neuron() -> Value {
        let (x, w) = (Value::new(2.0).label("x"), Value::new(-3.0).label("w"));
        let b = Value::new(6.88).label("<b> & c");
        let out = (&x * &w + b).tanh().label("out");
        out.backward();
        out
    }

    #[test]
    fn the_text_says_each_step() {
        let text = neuron().graph().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "x = 2, grad -1.5029");
        assert_eq!(lines[2], "v2 = x * w = -6, grad 0.501");
        assert!(
            lines[5].starts_with("out = tanh(v4) = 0.7064, grad 1"),
            "{text}"
        );
    }

    #[test]
    fn the_svg_is_well_formed_and_fits_the_cell() {
        let graph = neuron().graph();
        let svg = graph.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let width: u32 = document
            .root_element()
            .attribute("width")
            .unwrap()
            .parse()
            .unwrap();
        assert!(width <= WIDTH, "{width}");
        let texts: Vec<String> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .map(|node| node.text().unwrap_or_default().trim().to_owned())
            .collect();
        for expected in ["x", "<b> & c", "data 2", "grad 0.501", "tanh", "*"] {
            assert!(
                texts.iter().any(|text| text == expected),
                "{expected} in {texts:?}"
            );
        }
        assert!(graph.png().len() > 1000);
    }

    #[test]
    fn the_text_of_a_neuron_with_its_loss_can_be_read() {
        let loss = (neuron() - 1.0).pow(2.0).label("loss");
        loss.backward();
        let svg = loss.graph().svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let sizes: Vec<f64> = document
            .descendants()
            .filter_map(|node| node.attribute("font-size")?.parse().ok())
            .collect();
        assert!(sizes.len() > 20);
        assert!(sizes.iter().all(|&size| size >= 10.5), "{sizes:?}");
    }

    #[test]
    fn long_lines_pass_between_the_boxes() {
        let x = Value::new(1.0);
        let y = ((&x * 2.0).exp().log() + &x).pow(2.0);
        let graph = y.graph();
        let layout = Layout::of(&graph.nodes);
        let passing = layout.columns.iter().flatten();
        assert_eq!(
            passing
                .filter(|spot| matches!(spot, Spot::Passing { .. }))
                .count(),
            3
        );
    }

    #[test]
    fn thousands_of_numbers_are_counted_only() {
        let sum: Value = (0..2000).map(|i| Value::new(f64::from(i))).sum();
        assert!(sum.graph().svg().contains("too many to draw"));
    }
}
