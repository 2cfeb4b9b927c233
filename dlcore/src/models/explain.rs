//! A batch's way through a model, layer by layer: shapes and what the numbers are like.

use std::fmt;

use super::data::Data;
use super::model::Model;
use crate::display::{HTML, MimeBundle, Rich};
use crate::plot::escape;
use crate::{Error, Result, Tensor};

/// Bars of the small histogram.
const BINS: usize = 12;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const HEADER: [&str; 8] = ["", "shape", "mean", "std", "min", "max", "zeros", "spread"];

/// What a model does to a batch, layer by layer; a cell that ends in one shows it as a table.
#[derive(Clone, Debug)]
pub struct Explanation {
    model: String,
    steps: Vec<ExplainedStep>,
}

/// A tensor on its way: what an input or a layer hands on.
#[derive(Clone, Debug)]
pub struct ExplainedStep {
    /// The layer's name, or the input's.
    pub name: String,
    /// The layer's type, `InputLayer` for inputs.
    pub kind: String,
    /// Of the whole batch.
    pub shape: Vec<usize>,
    /// The mean of the finite numbers.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// The least of them.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The share of zeros, 0 to 1: units that are silent.
    pub zeros: f64,
    /// How many numbers are NaN or infinite.
    pub not_finite: usize,
    /// How many numbers fall into each of twelve equal parts of the range from `min` to `max`.
    pub histogram: [usize; BINS],
}

/// Takes a batch through a model, without training it, and says of each layer's output which shape it
/// has and what its numbers are like. Layers whose outputs are all zero, or grow from layer to layer, are
/// seen at a glance.
///
/// A layer that is called several times is shown as it is first called.
///
/// ```
/// use dlcore::prelude::*;
/// let model = Sequential::new()
///     .add(Dense::new(4).activation("relu").input_shape([3]))
///     .add(Dense::new(1));
/// let explained = explain(&model, &Tensor::ones([16, 3]))?;
/// assert_eq!(explained.steps()[1].shape, [16, 4]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Shapes
/// `x` `[samples, …]` as [`Model::predict`] takes it; some dozens of samples are enough.
///
/// # Errors
/// [`Error::Model`] for a model without layers or weights; [`Error::Shape`] for data that does not fit.
pub fn explain(model: &Model, x: impl Into<Data>) -> Result<Explanation> {
    explain_data(model, &x.into())
}

fn explain_data(model: &Model, x: &Data) -> Result<Explanation> {
    model.check_built("explain")?;
    let inputs = model.inputs()?;
    let layers = model.layers();
    let mut shown = Vec::with_capacity(layers.len());
    let mut outputs = Vec::with_capacity(layers.len());
    for layer in &layers {
        let output = model.layer_output(&layer.name())?;
        // An output that is an input of the model has no call of its own to be computed by.
        if !inputs.iter().any(|input| input.name() == output.name()) {
            shown.push(layer);
            outputs.push(output);
        }
    }
    let through = Model::new(inputs.clone(), outputs)?;
    let tensors = through.predict_all(x.clone())?;
    let given = super::checks::inputs(model, x, "explain")?;
    let mut steps = Vec::with_capacity(given.len() + tensors.len());
    for (input, tensor) in inputs.iter().zip(&given) {
        steps.push(ExplainedStep::of(&input.name(), "InputLayer", tensor));
    }
    for (layer, tensor) in shown.iter().zip(&tensors) {
        steps.push(ExplainedStep::of(&layer.name(), &layer.kind(), tensor));
    }
    Ok(Explanation {
        model: model.name().to_string(),
        steps,
    })
}

impl Explanation {
    /// The inputs, then the layers in the order of the model's summary.
    pub fn steps(&self) -> &[ExplainedStep] {
        &self.steps
    }

    /// The step of one layer.
    ///
    /// # Errors
    /// [`Error::Value`] if there is none of this name, naming those that are.
    pub fn step(&self, layer: &str) -> Result<&ExplainedStep> {
        let found = self.steps.iter().find(|step| step.name == layer);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
            Error::Value(crate::names::unknown("layer of this model", layer, &known))
        })
    }
}

impl ExplainedStep {
    fn of(name: &str, kind: &str, tensor: &Tensor) -> ExplainedStep {
        let values = tensor.to_vec();
        let finite = || {
            let numbers = values.iter().map(|&value| f64::from(value));
            numbers.filter(|value| value.is_finite())
        };
        let count = finite().count();
        let mean = finite().sum::<f64>() / count as f64;
        let variance = finite().map(|v| (v - mean).powi(2)).sum::<f64>() / count as f64;
        let min = finite().fold(f64::INFINITY, f64::min);
        let max = finite().fold(f64::NEG_INFINITY, f64::max);
        let mut histogram = [0; BINS];
        for value in finite() {
            let share = if max > min {
                (value - min) / (max - min)
            } else {
                0.0
            };
            histogram[((share * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        ExplainedStep {
            name: name.to_string(),
            kind: kind.to_string(),
            shape: tensor.shape().to_vec(),
            mean,
            std: variance.sqrt(),
            min,
            max,
            zeros: zeros as f64 / values.len().max(1) as f64,
            not_finite: values.len() - count,
            histogram,
        }
    }

    /// The histogram in characters, its fullest part the highest.
    fn bars(&self) -> String {
        let highest = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        // What is there at all is seen.
        let bar = |&count: &usize| BARS[(count * 8).div_ceil(highest)];
        self.histogram.iter().map(bar).collect()
    }

    fn cells(&self) -> [String; 8] {
        let zeros = format!("{:.0} %", 100.0 * self.zeros);
        let mut spread = self.bars();
        if self.not_finite > 0 {
            spread.push_str(&format!(" {} NaN or infinite", self.not_finite));
        }
        [
            format!("{} ({})", self.name, self.kind),
            batch_text(&self.shape),
            number(self.mean),
            number(self.std),
            number(self.min),
            number(self.max),
            zeros,
            spread,
        ]
    }
}

/// A batch's shape as Python prints a tuple: `(16, 4)`.
fn batch_text(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("{shape:?}").replace('[', "(").replace(']', ")"),
    }
}

/// Four digits that mean something; a dash where there is no number.
fn number(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "–".to_string(),
        0.0 => "0".to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 8]> = self.steps.iter().map(ExplainedStep::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEADER[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
        write!(f, "{}: a batch on its way", self.model)?;
        for row in std::iter::once(&HEADER.map(String::from)).chain(&rows) {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Words stand to the left, numbers to the right.
                match column {
                    0 | 1 | 7 => line.push_str(&format!("{cell:<width$}  ")),
                    _ => line.push_str(&format!("{cell:>width$}  ")),
                }
            }
            write!(f, "\n{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Rich for Explanation {
    fn mime_bundle(&self) -> MimeBundle {
        let row = |tag: &str, cells: &[String; 8]| {
            let cell = |(column, text): (usize, &String)| {
                let align = if matches!(column, 0 | 1 | 7) {
                    "left"
                } else {
                    "right"
                };
                format!(
                    "<{tag} style=\"text-align:{align}\">{}</{tag}>",
                    escape(text)
                )
            };
            let cells: String = cells.iter().enumerate().map(cell).collect();
            format!("<tr>{cells}</tr>")
        };
        let body: String = self
            .steps
            .iter()
            .map(|step| row("td", &step.cells()))
            .collect();
        let html = format!(
            "<table><caption style=\"text-align:left\">{}: a batch on its way</caption><thead>{}</thead><tbody>{body}</tbody></table>",
            escape(&self.model),
            row("th", &HEADER.map(String::from)),
        );
        MimeBundle::text(self.to_string()).with(HTML, html)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn each_layer_says_what_its_numbers_are_like() {
        let dense = LayerRef::from(
            Dense::new(2)
                .activation("relu")
                .name("hidden")
                .input_shape([2]),
        );
        let model = Sequential::new().add(&dense);
        model
            .set_weights(&[
                Tensor::from([[1.0, -1.0], [0.0, 0.0]]),
                Tensor::from([0.0, 0.0]),
            ])
            .unwrap();
        let x = Tensor::from([[1.0, 5.0], [3.0, 5.0]]);
        let explained = explain(&model, &x).unwrap();
        assert_eq!(explained.steps().len(), 2);
        let hidden = explained.step("hidden").unwrap();
        assert_eq!(
            (hidden.shape.as_slice(), hidden.kind.as_str()),
            (&[2, 2][..], "Dense")
        );
        // relu of [1, -1] and [3, -3]: two of four are silent.
        assert_eq!(
            (hidden.mean, hidden.min, hidden.max, hidden.zeros),
            (1.0, 0.0, 3.0, 0.5)
        );
        assert_eq!(
            (
                hidden.histogram[0],
                hidden.histogram[4],
                hidden.histogram[11]
            ),
            (2, 1, 1)
        );
        let text = explained.to_string();
        assert!(
            text.contains("  (2, 2)  1.000") && text.contains("50 %"),
            "{text}"
        );
        let error = explained.step("hiden").unwrap_err().to_string();
        assert!(error.contains("\"hidden\""), "{error}");
    }

    #[test]
    fn graphs_and_numbers_that_are_none() {
        let input = Input::named("picture", [4]);
        let one = Dense::new(3).on(&input);
        let two = Dense::new(3).on(&input);
        let model = Model::new(&input, &Add::new().on([&one, &two])).unwrap();
        let mut x = Tensor::ones([5, 4]);
        x.set([0, 0], f64::NAN);
        let explained = explain(&model, &x).unwrap();
        let kinds: Vec<&str> = explained
            .steps()
            .iter()
            .map(|step| step.kind.as_str())
            .collect();
        assert_eq!(kinds, ["InputLayer", "Dense", "Dense", "Add"]);
        assert_eq!(
            (explained.steps()[0].not_finite, explained.steps()[0].mean),
            (1, 1.0)
        );
        assert_eq!(explained.steps()[3].not_finite, 3);
        let html = explained.mime_bundle();
        let html = html.get(crate::display::HTML).unwrap().as_str().unwrap();
        roxmltree::Document::parse(html).unwrap();
        assert!(html.contains("1 NaN or infinite"), "{html}");
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let model = Sequential::new().add(Dense::new(2));
        let error = explain(&model, &Tensor::ones([1, 3]))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("explain"), "{error}");
        let model = Sequential::new().add(Dense::new(2).input_shape([3]));
        let error = explain(&model, &Tensor::ones([1, 4]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("[1, 4]"), "{error}");
    }
}
