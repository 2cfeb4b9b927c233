//! What a model makes of a handful of samples, shown anew after each epoch.

use std::fmt::Write as _;

use super::{Callback, Control, Logs, Trainable};
use crate::display::{DisplayHandle, HTML, MimeBundle, PNG, Rich, display_updatable};
use crate::plot::{escape, try_image};
use crate::{Error, Result, Tensor, interrupt};

use base64::Engine as _;

/// No more samples than a screen has room for.
const MOST: usize = 32;
/// Rows of so many numbers are shown as they are.
const SHORT: usize = 6;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows a handful of samples, and after each epoch what the model says of them: how it makes up its mind.
///
/// For a model with one output. Where that has several units, the answer is the place of the greatest
/// (or its name, with [`LivePredictions::classes`]); where it has one unit, the answer is the number, or, with
/// two names, the second from 0.5 on.
///
/// ```
/// use dlcore::prelude::*;
/// let mut model = Sequential::new().add(Dense::new(2).activation("softmax").input_shape([3]));
/// model.compile("rmsprop", "sparse_categorical_crossentropy", Metrics::none())?;
/// let (x, y) = (Tensor::uniform([20, 3], 0.0, 1.0), Tensor::randint([20], 0, 2));
/// let live = LivePredictions::new(&x.slice(..4)).truth(&y.slice(..4)).classes(["no", "yes"]);
/// model.fit(&x, &y, Fit::epochs(2).verbose(0).callback(live))?;
/// # Ok::<(), Error>(())
/// ```
pub struct LivePredictions {
    inputs: Tensor,
    pictures: Option<Tensor>,
    texts: Vec<String>,
    classes: Vec<String>,
    truth: Option<Tensor>,
    /// The epochs so far, counted from 1 (0 before training), with what was predicted.
    seen: Vec<(usize, Tensor)>,
    shown: Option<DisplayHandle>,
}

impl LivePredictions {
    /// Watches these samples, given as the model takes them: `[samples, …]`, at most 32.
    ///
    /// Pictures (`[samples, height, width]`, with one or three channels at the end or none) are drawn beside the
    /// answers, as are rows of 784 numbers, which are taken for digits.
    pub fn new(inputs: &Tensor) -> Self {
        LivePredictions {
            inputs: inputs.detach(),
            pictures: None,
            texts: Vec::new(),
            classes: Vec::new(),
            truth: None,
            seen: Vec::new(),
            shown: None,
        }
    }

    /// Draws these beside the answers, a picture for each sample: `[samples, height, width]`, with channels or
    /// without.
    pub fn pictures(mut self, pictures: &Tensor) -> Self {
        self.pictures = Some(pictures.detach());
        self
    }

    /// Shows these beside the answers, a text for each sample.
    pub fn texts<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        self.texts = texts.into_iter().map(Into::into).collect();
        self
    }

    /// What the classes are called, in the order of the model's units.
    pub fn classes<T: Into<String>>(mut self, classes: impl IntoIterator<Item = T>) -> Self {
        self.classes = classes.into_iter().map(Into::into).collect();
        self
    }

    /// The right answers, to mark the wrong ones: `[samples]`, numbers of classes, or `[samples, classes]`, one-hot.
    pub fn truth(mut self, truth: &Tensor) -> Self {
        self.truth = Some(truth.detach());
        self
    }

    fn check_settings(&self) -> Result<()> {
        let samples = match self.inputs.shape() {
            [] | [0, ..] => 0,
            [samples, ..] => *samples,
        };
        if !(1..=MOST).contains(&samples) {
            return Err(Error::Value(format!(
                "LivePredictions: expected 1 to {MOST} samples, got shape {:?}; take some with .slice(..8)",
                self.inputs.shape()
            )));
        }
        let given = [
            (
                "pictures",
                self.pictures
                    .as_ref()
                    .map(|p| p.shape().first().copied().unwrap_or(0)),
            ),
            (
                "texts",
                (!self.texts.is_empty()).then_some(self.texts.len()),
            ),
            (
                "truth",
                self.truth
                    .as_ref()
                    .map(|t| t.shape().first().copied().unwrap_or(0)),
            ),
        ];
        for (what, count) in given {
            if let Some(count) = count.filter(|&count| count != samples) {
                return Err(Error::Value(format!(
                    "LivePredictions: {what} for {count} samples, but there are {samples}"
                )));
            }
        }
        Ok(())
    }

    fn look(&mut self, epoch: usize, model: &dyn Trainable) -> Result<()> {
        let outputs = model.predict(&self.inputs)?;
        let samples = self.inputs.shape()[0];
        let units = outputs.len() / samples.max(1);
        let outputs = outputs.try_reshape([samples as isize, units as isize])?;
        if units > 1 && !self.classes.is_empty() && self.classes.len() != units {
            return Err(Error::Value(format!(
                "LivePredictions: {} names of classes for a model with {units} units at its end",
                self.classes.len()
            )));
        }
        self.seen.push((epoch, outputs));
        let view = View { of: self };
        match &self.shown {
            Some(shown) => shown.update(&view),
            None => self.shown = Some(display_updatable(&view)),
        }
        Ok(())
    }

    /// What the model says of a sample: the answer, and how sure it is of it where it says so.
    fn answer(&self, outputs: &Tensor, sample: usize) -> (String, Option<f64>) {
        let row = outputs.get(sample as isize).to_vec();
        if let [value] = row[..] {
            let value = f64::from(value);
            return match &self.classes[..] {
                [no, yes] => match value >= 0.5 {
                    true => (yes.clone(), Some(value)),
                    false => (no.clone(), Some(1.0 - value)),
                },
                _ => (format!("{value:.3}"), None),
            };
        }
        let place = argmax(&row);
        (self.class(place), Some(f64::from(row[place])))
    }

    fn class(&self, place: usize) -> String {
        let name = self.classes.get(place).cloned();
        name.unwrap_or_else(|| place.to_string())
    }

    /// The right answer in words, and whether the model's is it (for classes only).
    fn truth_of(&self, outputs: &Tensor, sample: usize) -> Option<(String, Option<bool>)> {
        let truth = self.truth.as_ref()?.get(sample as isize).to_vec();
        let row = outputs.get(sample as isize).to_vec();
        let named = row.len() > 1 || self.classes.len() == 2;
        if !named {
            return Some((format!("{:.3}", truth.first().copied()?), None));
        }
        let right = match truth[..] {
            [number] => number.max(0.0) as usize,
            _ => argmax(&truth),
        };
        let said = match row[..] {
            [value] => usize::from(value >= 0.5),
            _ => argmax(&row),
        };
        Some((self.class(right), Some(said == right)))
    }

    /// How sure the model has been of its latest answer, epoch by epoch, in characters.
    fn course(&self, sample: usize) -> String {
        let Some((_, latest)) = self.seen.last() else {
            return String::new();
        };
        let row = latest.get(sample as isize).to_vec();
        let place = argmax(&row);
        let share = |(_, outputs): &(usize, Tensor)| {
            let row = outputs.get(sample as isize).to_vec();
            f64::from(row[place])
        };
        let values: Vec<f64> = self.seen.iter().map(share).collect();
        if values.iter().any(|value| !(0.0..=1.0).contains(value)) {
            return String::new();
        }
        let recent = values.len().saturating_sub(20);
        let bar = |value: &f64| BARS[((value * 8.0).ceil() as usize).min(8)];
        values[recent..].iter().map(bar).collect()
    }

    /// The text that is shown for a sample: the one given, or the numbers of a short row.
    fn text(&self, sample: usize) -> String {
        match (self.texts.get(sample), self.inputs.shape()) {
            (Some(text), _) => text.clone(),
            (None, [_, 1..=SHORT]) if self.pictures.is_none() => {
                let row = self.inputs.get(sample as isize).to_vec();
                let numbers: Vec<String> = row.iter().map(|value| format!("{value:.2}")).collect();
                numbers.join("  ")
            }
            _ => String::new(),
        }
    }

    fn picture(&self, sample: usize) -> Option<String> {
        let given = match (&self.pictures, self.inputs.shape()) {
            (Some(pictures), _) => pictures.get(sample as isize),
            (None, [_, 784]) => self
                .inputs
                .get(sample as isize)
                .try_reshape([28, 28])
                .ok()?,
            (None, [_, height, width] | [_, height, width, 1 | 3]) if *height > 1 && *width > 1 => {
                self.inputs.get(sample as isize)
            }
            _ => return None,
        };
        let image = try_image(&given).ok()?;
        Some(base64::engine::general_purpose::STANDARD.encode(image.png()))
    }
}

fn argmax(row: &[f32]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(place, _)| place)
}

impl Callback for LivePredictions {
    fn check(&self, _: &[String]) -> Result<()> {
        self.check_settings()
    }

    fn train_begin(&mut self, model: &mut dyn Trainable) {
        self.seen.clear();
        self.shown = None;
        // What cannot be predicted is said after the first epoch, where training can end by it.
        let _ = self.look(0, model);
    }

    fn epoch_end(&mut self, epoch: usize, _: &Logs, model: &mut dyn Trainable) -> Control {
        match self.look(epoch + 1, model) {
            // Ending training is for `fit`, which hands back the history.
            Err(_) if interrupt::requested() => Control::Continue,
            looked => looked.into(),
        }
    }
}

/// The samples and the answers as they are now.
struct View<'a> {
    of: &'a LivePredictions,
}

impl View<'_> {
    fn title(&self) -> String {
        match self.of.seen.last() {
            Some((0, _)) | None => "Before training".to_string(),
            Some((epoch, _)) => format!("After epoch {epoch}"),
        }
    }
}

impl Rich for View<'_> {
    fn mime_bundle(&self) -> MimeBundle {
        let live = self.of;
        let Some((_, outputs)) = live.seen.last() else {
            return MimeBundle::text(self.title());
        };
        let (mut text, mut rows) = (self.title(), String::new());
        for sample in 0..live.inputs.shape()[0] {
            let (answer, sure) = live.answer(outputs, sample);
            let sure = sure.map_or(String::new(), |sure| format!("{:.0} %", 100.0 * sure));
            let truth = live.truth_of(outputs, sample);
            let (right, mark) = match &truth {
                Some((right, Some(true))) => (right.as_str(), "✓"),
                Some((right, Some(false))) => (right.as_str(), "✗"),
                Some((right, None)) => (right.as_str(), ""),
                None => ("", ""),
            };
            let _ = write!(text, "\n{:>3}  {answer} {sure}", sample + 1);
            if !right.is_empty() {
                let _ = write!(text, "  {mark} {right}");
            }
            if let Some(said) = live.texts.get(sample) {
                let _ = write!(text, "  {said}");
            }
            let picture = live.picture(sample).map_or(String::new(), |data| {
                format!(
                    "<img alt=\"sample {}\" style=\"height:42px;image-rendering:pixelated\" src=\"data:{PNG};base64,{data}\"/>",
                    sample + 1
                )
            });
            let said = live.text(sample);
            let said = said.as_str();
            let course = live.course(sample);
            let _ = write!(
                rows,
                "<tr><td>{picture}{}</td><td style=\"text-align:left\"><b>{}</b> {sure}</td>\
                 <td style=\"text-align:left\">{mark} {}</td><td style=\"text-align:left\">{course}</td></tr>",
                escape(said),
                escape(&answer),
                escape(right),
            );
        }
        let truth = if live.truth.is_some() { "truth" } else { "" };
        let html = format!(
            "<table><caption style=\"text-align:left\">{}</caption><thead><tr><th>sample</th>\
             <th style=\"text-align:left\">answer</th><th style=\"text-align:left\">{truth}</th>\
             <th style=\"text-align:left\">by epoch</th></tr></thead><tbody>{rows}</tbody></table>",
            self.title()
        );
        MimeBundle::text(text).with(HTML, html)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn watched(outputs: Tensor, live: LivePredictions) -> LivePredictions {
        let mut live = live;
        live.seen = vec![(0, outputs.ones_like() * 0.25), (3, outputs)];
        live
    }

    #[test]
    fn answers_are_named_and_wrong_ones_marked() {
        let live = LivePredictions::new(&Tensor::zeros([2, 28, 28])).classes(["cat", "d<g"]);
        let live = live.truth(&Tensor::from([1, 1])).texts(["first", "second"]);
        let live = watched(Tensor::from([[0.2, 0.8], [0.9, 0.1]]), live);
        let bundle = View { of: &live }.mime_bundle();
        assert_eq!(
            bundle.plain(),
            "After epoch 3\n  1  d<g 80 %  ✓ d<g  first\n  2  cat 90 %  ✗ d<g  second"
        );
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        let document = roxmltree::Document::parse(html).unwrap();
        let pictures = document
            .descendants()
            .filter(|node| node.has_tag_name("img"));
        assert_eq!(pictures.count(), 2);
        assert!(html.contains("▂▇") && html.contains("▂█"), "{html}");
    }

    #[test]
    fn one_unit_is_a_probability_where_two_names_are_given() {
        let inputs = Tensor::zeros([2, 5]);
        let outputs = Tensor::from([[0.9], [0.2]]);
        let named = LivePredictions::new(&inputs)
            .classes(["bad", "good"])
            .truth(&Tensor::from([0.0, 0.0]));
        let text = View {
            of: &watched(outputs.clone(), named),
        }
        .mime_bundle();
        assert_eq!(
            text.plain(),
            "After epoch 3\n  1  good 90 %  ✗ bad\n  2  bad 80 %  ✓ bad"
        );
        let bundle = View {
            of: &watched(outputs.clone(), LivePredictions::new(&inputs)),
        }
        .mime_bundle();
        let html = bundle.get(HTML).unwrap().as_str().unwrap();
        assert!(
            html.contains("<td>0.00  0.00  0.00  0.00  0.00</td>"),
            "{html}"
        );
        let number = LivePredictions::new(&inputs);
        let text = View {
            of: &watched(outputs, number),
        }
        .mime_bundle();
        assert_eq!(text.plain(), "After epoch 3\n  1  0.900 \n  2  0.200 ");
    }

    #[test]
    fn what_does_not_fit_keeps_training_from_beginning() {
        let mut model = Sequential::new().add(Dense::new(2).activation("softmax").input_shape([3]));
        model
            .compile("sgd", "sparse_categorical_crossentropy", Metrics::none())
            .unwrap();
        let (x, y) = (Tensor::ones([40, 3]), Tensor::zeros([40]));
        let mut said = |live: LivePredictions| {
            let fit = Fit::epochs(1).verbose(0).callback(live);
            model.fit(&x, &y, fit).unwrap_err().to_string()
        };
        let error = said(LivePredictions::new(&x));
        assert!(
            error.contains("1 to 32 samples, got shape [40, 3]"),
            "{error}"
        );
        let error = said(LivePredictions::new(&x.slice(..4)).texts(["one"]));
        assert!(
            error.contains("texts for 1 samples, but there are 4"),
            "{error}"
        );
        let error = said(LivePredictions::new(&x.slice(..4)).classes(["a", "b", "c"]));
        assert!(
            error.contains("3 names of classes") && error.contains("2 units"),
            "{error}"
        );
        let error = said(LivePredictions::new(&Tensor::ones([4, 7])));
        assert!(error.contains("[4, 7]"), "{error}");
    }
}
