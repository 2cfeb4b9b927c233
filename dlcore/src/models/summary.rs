//! A model's layers as a table.

use std::fmt;

use crate::display::{HTML, MimeBundle, Rich};

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's own name: `dense_1`.
    pub name: String,
    /// Its type: `Dense`.
    pub kind: String,
    /// What it returns, without the batch axis; `None` until the input's shape is known.
    pub output_shape: Option<Vec<usize>>,
    /// Its weights' elements; `None` until it is built.
    pub params: Option<usize>,
}

impl SummaryRow {
    /// `(None, 512)`, or `?` until it is known.
    pub fn shape_text(&self) -> String {
        match &self.output_shape {
            None => "?".to_string(),
            Some(shape) => {
                let axes: Vec<String> = shape.iter().map(|axis| format!(", {axis}")).collect();
                // A tuple of one has a comma in Keras's print too.
                format!(
                    "(None{})",
                    if axes.is_empty() {
                        ",".to_string()
                    } else {
                        axes.concat()
                    }
                )
            }
        }
    }

    /// `401,920`, or `0 (unbuilt)`.
    pub fn params_text(&self) -> String {
        self.params
            .map_or_else(|| "0 (unbuilt)".to_string(), grouped)
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
}

/// Keras's widths of the three columns, borders' blanks included.
const WIDTHS: [usize; 3] = [33, 24, 15];

impl Summary {
    /// All weights, in elements.
    pub fn total(&self) -> usize {
        self.trainable + self.non_trainable
    }

    fn cells(&self) -> Vec<[String; 3]> {
        self.rows
            .iter()
            .map(|row| {
                [
                    format!("{} ({})", row.name, row.kind),
                    row.shape_text(),
                    row.params_text(),
                ]
            })
            .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        let header = ["Layer (type)", "Output Shape", "Param #"].map(String::from);
        // Wider than Keras's where a name needs it: it would break the name in two.
        let widths = [0, 1, 2].map(|column| {
            let longest = cells
                .iter()
                .map(|row| row[column].chars().count() + 2)
                .max();
            longest.unwrap_or(0).max(WIDTHS[column])
        });
        let rule = |left: &str, fill: &str, middle: &str, right: &str| {
            let parts: Vec<String> = widths.iter().map(|&width| fill.repeat(width)).collect();
            format!("{left}{}{right}", parts.join(middle))
        };
        let line = |bar: &str, cells: &[String; 3]| {
            let [a, b, c] = widths.map(|width| width - 2);
            format!(
                "{bar} {:<a$} {bar} {:<b$} {bar} {:>c$} {bar}",
                cells[0], cells[1], cells[2]
            )
        };
        writeln!(f, "Model: \"{}\"", self.model)?;
        writeln!(f, "{}", rule("┏", "━", "┳", "┓"))?;
        writeln!(f, "{}", line("┃", &header))?;
        writeln!(f, "{}", rule("┡", "━", "╇", "┩"))?;
        for (index, row) in cells.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", rule("├", "─", "┼", "┤"))?;
            }
            writeln!(f, "{}", line("│", row))?;
        }
        writeln!(f, "{}", rule("└", "─", "┴", "┘"))?;
        let sized = |count: usize| format!("{} ({})", grouped(count), memory(4 * count));
        writeln!(f, " Total params: {}", sized(self.total()))?;
        writeln!(f, " Trainable params: {}", sized(self.trainable))?;
        write!(f, " Non-trainable params: {}", sized(self.non_trainable))
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The table as text and as an HTML table, which screen readers read cell by cell.
impl Rich for Summary {
    fn mime_bundle(&self) -> MimeBundle {
        let row = |tag: &str, cells: &[String; 3]| {
            let cell = |text: &String| format!("<{tag}>{}</{tag}>", escaped(text));
            format!("<tr>{}</tr>", cells.iter().map(cell).collect::<String>())
        };
        let header = row(
            "th",
            &["Layer (type)", "Output Shape", "Param #"].map(String::from),
        );
        let body: String = self.cells().iter().map(|cells| row("td", cells)).collect();
        let counts = format!(
            "Total params: {} · trainable: {} · non-trainable: {}",
            grouped(self.total()),
            grouped(self.trainable),
            grouped(self.non_trainable)
        );
        let html = format!(
            "<table><caption>Model: {}</caption><thead>{header}</thead><tbody>{body}</tbody></table><p>{counts}</p>",
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
mod tests {
    use super::*;

    #[test]
    fn prints_as_keras_prints_it() {
        let row = |name: &str, units: usize, params: usize| SummaryRow {
            name: name.to_string(),
            kind: "Dense".to_string(),
            output_shape: Some(vec![units]),
            params: Some(params),
        };
        let summary = Summary {
            model: "sequential".to_string(),
            rows: vec![row("dense", 512, 401_920), row("dense_1", 10, 5_130)],
            trainable: 407_050,
            non_trainable: 0,
        };
        // Copied from Keras 3.15, model.summary() of the same network.
        let expected = "\
Model: \"sequential\"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 512)            │       401,920 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         5,130 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 407,050 (1.55 MB)
 Trainable params: 407,050 (1.55 MB)
 Non-trainable params: 0 (0.00 B)";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn a_layer_that_is_not_built_says_so_and_a_long_name_widens_its_column() {
        let summary = Summary {
            model: "m".to_string(),
            rows: vec![SummaryRow {
                name: "a_name_that_is_longer_than_the_column_is_wide".to_string(),
                kind: "Dense".to_string(),
                output_shape: None,
                params: None,
            }],
            trainable: 0,
            non_trainable: 0,
        };
        let text = summary.to_string();
        assert!(
            text.contains("│ a_name_that_is_longer_than_the_column_is_wide (Dense) │ ? "),
            "{text}"
        );
        assert!(text.contains("0 (unbuilt)"), "{text}");
        let widths: Vec<usize> = text
            .lines()
            .skip(1)
            .take(5)
            .map(|line| line.chars().count())
            .collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{widths:?}");
    }

    #[test]
    fn html_is_escaped() {
        let summary = Summary {
            model: "a<b".to_string(),
            rows: vec![],
            trainable: 1234,
            non_trainable: 0,
        };
        let bundle = summary.mime_bundle();
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        assert!(
            html.contains("Model: a&lt;b<") && html.contains("1,234"),
            "{html}"
        );
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(memory(4 * 160_305), "626.19 KB");
    }
}
