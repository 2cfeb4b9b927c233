//! A model's layers as a table.

use std::fmt;

use super::graph::{Entry, Graph};
use super::layer_ref::LayerRef;
use super::model::Model;
use crate::dim;
use crate::display::{HTML, MimeBundle, Rich};

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's own name: `dense_1`.
    pub name: String,
    /// Its type: `Dense`.
    pub kind: String,
    /// What it returns, without the batch axis, an axis of any length as [`dim::ANY`]; `None` until the
    /// input's shape is known.
    pub output_shape: Option<Vec<usize>>,
    /// Its weights' elements; `None` until it is built.
    pub params: Option<usize>,
    /// What it takes its inputs from, as Keras writes it: `dense[0][0]`, for the first output of the
    /// first call of `dense`.
    pub connected_to: Vec<String>,
}

impl SummaryRow {
    /// `(None, 512)`, or `?` until it is known.
    pub fn shape_text(&self) -> String {
        self.output_shape
            .as_deref()
            .map_or_else(|| "?".to_string(), shape_text)
    }

    /// `401,920`, or `0 (unbuilt)`.
    pub fn params_text(&self) -> String {
        self.params
            .map_or_else(|| "0 (unbuilt)".to_string(), grouped)
    }
}

/// A sample's shape as Keras prints that of a batch: `(None, 512)`.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    // A tuple of one has a comma in Keras's print too.
    match dim::axes(shape) {
        axes if axes.is_empty() => "(None,)".to_string(),
        axes => format!("(None, {})", axes.join(", ")),
    }
}

/// A model's layers, their output shapes and parameter counts; prints as Keras's table.
#[derive(Clone, PartialEq)]
pub struct Summary {
    /// The model's name: `sequential`.
    pub model: String,
    /// One row a layer, from input to output.
    pub rows: Vec<SummaryRow>,
    /// Weights that training changes, in elements.
    pub trainable: usize,
    /// Weights that training leaves alone, in elements.
    pub non_trainable: usize,
    /// Why layers are not built, and what to do; `None` where all are.
    pub unbuilt: Option<String>,
}

/// Keras's widths of the columns, borders' blanks included: of layers in a row, of a graph.
const WIDTHS: [usize; 3] = [33, 24, 15];
const GRAPH_WIDTHS: [usize; 4] = [21, 19, 12, 19];
const HEADER: [&str; 4] = ["Layer (type)", "Output Shape", "Param #", "Connected to"];
/// Connections of one row that are not shorter stand below each other.
const WIDEST_CONNECTIONS: usize = 40;

impl Summary {
    /// All weights, in elements.
    pub fn total(&self) -> usize {
        self.trainable + self.non_trainable
    }

    /// The summary of a model.
    pub(super) fn of(model: &Model) -> Summary {
        let graph = model.handle.graph();
        let rows = match &graph {
            Some(graph) => rows_of(graph, model.is_sequential()),
            None => model.layers().iter().map(|l| row(l, None)).collect(),
        };
        let (mut trainable, mut non_trainable) = (0, 0);
        for leaf in model.leaves() {
            let Some(layer) = leaf.leaf() else { continue };
            let count = |tensors: Vec<&crate::Tensor>| -> usize {
                tensors.iter().map(|tensor| tensor.len()).sum()
            };
            let weights = count(layer.weights());
            non_trainable += count(layer.state());
            drop(layer);
            match leaf.trainable() {
                true => trainable += weights,
                false => non_trainable += weights,
            }
        }
        Summary {
            model: model.name().to_string(),
            rows,
            trainable,
            non_trainable,
            unbuilt: why_unbuilt(model),
        }
    }

    /// Whether the layers are more than a row, each taking what the one before returns.
    fn is_graph(&self) -> bool {
        let before = [None].into_iter().chain(self.rows.iter().map(Some));
        self.rows
            .iter()
            .zip(before)
            .any(|(row, before)| match before {
                None => !row.connected_to.is_empty(),
                Some(before) => {
                    !row.connected_to.is_empty()
                        && row.connected_to != [format!("{}[0][0]", before.name)]
                }
            })
    }

    fn cells(&self) -> Vec<Vec<String>> {
        let graph = self.is_graph();
        let cells = |row: &SummaryRow| {
            let mut cells = vec![
                format!("{} ({})", row.name, row.kind),
                row.shape_text(),
                row.params_text(),
            ];
            if graph {
                cells.push(match row.connected_to.is_empty() {
                    true => "-".to_string(),
                    false => row.connected_to.join(", "),
                });
            }
            cells
        };
        self.rows.iter().map(cells).collect()
    }

    fn widths(&self, cells: &[Vec<String>]) -> Vec<usize> {
        let least: &[usize] = match self.is_graph() {
            true => &GRAPH_WIDTHS,
            false => &WIDTHS,
        };
        // Wider than Keras's where a name needs it: it would break the name in two.
        let column = |(column, &least): (usize, &usize)| {
            let lines = cells.iter().flat_map(|row| lines_of(&row[column], column));
            let longest = lines.map(|line| line.chars().count() + 2).max();
            longest.unwrap_or(0).max(least)
        };
        least.iter().enumerate().map(column).collect()
    }
}

/// A cell's text in lines: only connections are ever broken, behind a comma.
fn lines_of(text: &str, column: usize) -> Vec<String> {
    if column < 3 {
        return vec![text.to_string()];
    }
    let mut lines: Vec<String> = Vec::new();
    for part in text.split_inclusive(", ") {
        match lines.last_mut() {
            Some(line) if line.len() + part.trim_end().len() <= WIDEST_CONNECTIONS => {
                line.push_str(part);
            }
            _ => lines.push(part.to_string()),
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_string())
        .collect()
}

/// What keeps a model from being built: a layer that does not fit, or an input whose shape nobody has said.
fn why_unbuilt(model: &Model) -> Option<String> {
    if let Some(problem) = &model.problem {
        return Some(problem.clone());
    }
    if model.is_built() || model.layers().is_empty() {
        return None;
    }
    Some(
        "not built yet, since the input's shape is not known: give the first layer .input_shape([…]), or fit the model"
            .to_string(),
    )
}

/// The rows of a built model; the input of a `Sequential` is no row of its own.
fn rows_of(graph: &Graph, sequential: bool) -> Vec<SummaryRow> {
    let mut rows = Vec::new();
    for entry in graph.order() {
        match entry {
            Entry::Input(_) if sequential => {}
            Entry::Input(place) => rows.push(SummaryRow {
                name: graph.value(*place).name(),
                kind: "InputLayer".to_string(),
                output_shape: Some(graph.value(*place).shape().to_vec()),
                params: Some(0),
                connected_to: Vec::new(),
            }),
            Entry::Layer(layer) => rows.push(row(layer, Some((graph, sequential)))),
        }
    }
    rows
}

fn row(layer: &LayerRef, within: Option<(&Graph, bool)>) -> SummaryRow {
    let mut connected_to = Vec::new();
    if let Some((graph, false)) = within {
        let calls = graph.nodes().iter().filter(|n| n.layer.is_same(layer));
        for &input in calls.flat_map(|node| &node.inputs) {
            let (name, call, output) = graph.origin(input);
            connected_to.push(format!("{name}[{call}][{output}]"));
        }
    }
    let output = within.and_then(|(graph, _)| graph.output_of(layer));
    SummaryRow {
        name: layer.name(),
        kind: layer.kind(),
        output_shape: output.map(|output| output.shape().to_vec()),
        params: layer.is_built().then(|| layer.count_params()),
        connected_to,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        let widths = self.widths(&cells);
        let header: Vec<String> = HEADER[..widths.len()]
            .iter()
            .map(|text| text.to_string())
            .collect();
        let rule = |left: &str, fill: &str, middle: &str, right: &str| {
            let parts: Vec<String> = widths.iter().map(|&width| fill.repeat(width)).collect();
            format!("{left}{}{right}", parts.join(middle))
        };
        writeln!(f, "Model: \"{}\"", self.model)?;
        writeln!(f, "{}", rule("┏", "━", "┳", "┓"))?;
        write!(f, "{}", lines("┃", &header, &widths))?;
        writeln!(f, "{}", rule("┡", "━", "╇", "┩"))?;
        for (index, row) in cells.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", rule("├", "─", "┼", "┤"))?;
            }
            write!(f, "{}", lines("│", row, &widths))?;
        }
        writeln!(f, "{}", rule("└", "─", "┴", "┘"))?;
        let sized = |count: usize| format!("{} ({})", grouped(count), memory(4 * count));
        writeln!(f, " Total params: {}", sized(self.total()))?;
        writeln!(f, " Trainable params: {}", sized(self.trainable))?;
        write!(f, " Non-trainable params: {}", sized(self.non_trainable))?;
        match &self.unbuilt {
            Some(why) => write!(f, "\n {why}"),
            None => Ok(()),
        }
    }
}

/// A row of the table, as many lines as its longest cell has; counts stand to the right.
fn lines(bar: &str, cells: &[String], widths: &[usize]) -> String {
    let columns = cells.iter().enumerate();
    let columns: Vec<Vec<String>> = columns.map(|(i, cell)| lines_of(cell, i)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(1);
    let mut text = String::new();
    for line in 0..height {
        for (index, column) in columns.iter().enumerate() {
            let width = widths[index] - 2;
            let cell = column.get(line).map_or("", String::as_str);
            let cell = match index {
                2 => format!("{bar} {cell:>width$} "),
                _ => format!("{bar} {cell:<width$} "),
            };
            text.push_str(&cell);
        }
        text.push_str(bar);
        text.push('\n');
    }
    text
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The table as text and as an HTML table, which screen readers read cell by cell.
impl Rich for Summary {
    fn mime_bundle(&self) -> MimeBundle {
        // A notebook centres captions and aligns cells to the right, which only counts should be.
        let row = |tag: &str, cells: &[String]| {
            let cell = |(column, text): (usize, &String)| {
                let side = if column == 2 { "right" } else { "left" };
                let text = escaped(text);
                format!("<{tag} style=\"text-align:{side}\">{text}</{tag}>")
            };
            let cells: String = cells.iter().enumerate().map(cell).collect();
            format!("<tr>{cells}</tr>")
        };
        let cells = self.cells();
        let columns = self.widths(&cells).len();
        let header = row("th", &HEADER.map(String::from)[..columns]);
        let body: String = cells.iter().map(|cells| row("td", cells)).collect();
        let counts = format!(
            "Total params: {} · trainable: {} · non-trainable: {}",
            grouped(self.total()),
            grouped(self.trainable),
            grouped(self.non_trainable)
        );
        let unbuilt = self.unbuilt.iter();
        let unbuilt: String = unbuilt
            .map(|why| format!("<p>{}</p>", escaped(why)))
            .collect();
        let html = format!(
            "<table><caption style=\"text-align:left\">Model: {}</caption><thead>{header}</thead><tbody>{body}</tbody></table><p>{counts}</p>{unbuilt}",
            escaped(&self.model)
        );
        MimeBundle::text(self.to_string()).with(HTML, html)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A count with a comma every three digits.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that keeps them above 1.
fn memory(bytes: usize) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} TB")
}
#[cfg(test)]
mod tests;
