//! Metrics from counts of right and wrong answers of each kind: precision, recall, F1, IoU.

use super::accuracy::largest;
use super::state::{Batch, MetricState, ratio};
use super::{Average, unfit};
use crate::losses::EPSILON;
use crate::{DType, Result, Tensor};

/// Which share of the positives is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Of {
    /// Of what was answered yes, how much is: precision.
    Answers,
    /// Of what is yes, how much was answered so: recall.
    Labels,
}

/// Precision or recall: an element is a yes where its prediction is above the threshold.
pub(super) struct PositivesState {
    of: Of,
    threshold: f32,
    true_positives: f64,
    /// False positives for precision, false negatives for recall.
    missed: f64,
}

impl PositivesState {
    pub(super) fn new(of: Of, threshold: f64) -> PositivesState {
        PositivesState {
            of,
            threshold: threshold as f32,
            true_positives: 0.0,
            missed: 0.0,
        }
    }
}

impl MetricState for PositivesState {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let (labels, answers) = (batch.y_true.to_vec(), batch.y_pred.to_vec());
        if labels.len() != answers.len() {
            let name = match self.of {
                Of::Answers => "precision",
                Of::Labels => "recall",
            };
            return Err(unfit(name, batch.y_true, batch.y_pred));
        }
        for (index, (&label, &p)) in labels.iter().zip(&answers).enumerate() {
            let (label, answer) = (label != 0.0, p > self.threshold);
            let weight = batch.weight(index, labels.len());
            match (label, answer, self.of) {
                (true, true, _) => self.true_positives += weight,
                (false, true, Of::Answers) | (true, false, Of::Labels) => self.missed += weight,
                _ => {}
            }
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.missed)
    }
}

/// Weighted counts of one class.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    true_positives: f64,
    false_positives: f64,
    false_negatives: f64,
    labels: f64,
}

impl Counts {
    fn add(self, other: Counts) -> Counts {
        Counts {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
            labels: self.labels + other.labels,
        }
    }

    fn f1(self) -> f64 {
        let right = self.true_positives;
        let precision = right / (right + self.false_positives + EPSILON);
        let recall = right / (right + self.false_negatives + EPSILON);
        2.0 * precision * recall / (precision + recall + EPSILON)
    }
}

/// The F1 score: the harmonic mean of precision and recall, of each class, averaged.
pub(super) struct F1State {
    average: Average,
    threshold: Option<f64>,
    classes: Vec<Counts>,
}

impl F1State {
    pub(super) fn new(average: Average, threshold: Option<f64>) -> F1State {
        F1State {
            average,
            threshold,
            classes: Vec::new(),
        }
    }

    /// Whether each prediction is a yes: above the threshold, or without one the largest of its row.
    fn answers(&self, values: &[f32], classes: usize) -> Vec<bool> {
        let threshold = match self.threshold {
            None if classes == 1 => Some(0.5),
            other => other,
        };
        if let Some(threshold) = threshold {
            return values.iter().map(|&p| p > threshold as f32).collect();
        }
        let row = |row: &[f32]| {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // A row of zeros is no answer.
            let yes = move |&p: &f32| p >= most && p.abs() > 1e-9;
            row.iter().map(yes).collect::<Vec<bool>>()
        };
        values.chunks(classes).flat_map(row).collect()
    }
}

impl MetricState for F1State {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let classes = batch.y_pred.shape().get(1..).and_then(<[usize]>::last);
        let classes = classes.copied().unwrap_or(1).max(1);
        let labels = labels_of_classes(batch.y_true, batch.y_pred, classes)?;
        let answers = self.answers(&batch.y_pred.to_vec(), classes);
        self.classes.resize(classes, Counts::default());
        for (index, (&label, &answer)) in labels.iter().zip(&answers).enumerate() {
            let weight = batch.weight(index, labels.len());
            let (label, answer) = (f64::from(label), f64::from(u8::from(answer)));
            let counts = &mut self.classes[index % classes];
            *counts = counts.add(Counts {
                true_positives: weight * answer * label,
                false_positives: weight * answer * (1.0 - label),
                false_negatives: weight * (1.0 - answer) * label,
                labels: weight * label,
            });
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let classes = self.classes.iter().copied();
        match self.average {
            Average::Micro => classes.fold(Counts::default(), Counts::add).f1(),
            Average::Macro => classes.map(Counts::f1).sum::<f64>() / self.classes.len() as f64,
            Average::Weighted => {
                let total: f64 = classes.clone().map(|counts| counts.labels).sum();
                let shares = classes.map(|counts| counts.f1() * counts.labels);
                shares.sum::<f64>() / (total + EPSILON)
            }
        }
    }
}

/// Labels in the predictions' shape; the numbers of classes become one-hot rows.
fn labels_of_classes(y_true: &Tensor, y_pred: &Tensor, classes: usize) -> Result<Vec<f32>> {
    if y_true.len() == y_pred.len() {
        return Ok(y_true.to_vec());
    }
    if y_true.len() * classes == y_pred.len() {
        return Ok(y_true.try_one_hot(classes)?.to_vec());
    }
    Err(unfit("f1_score", y_true, y_pred))
}

/// What an intersection over union is told: the number of classes, and whether labels and predictions are
/// their numbers, where somebody has said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Iou {
    pub(super) classes: usize,
    pub(super) sparse_y_true: Option<bool>,
    pub(super) sparse_y_pred: Option<bool>,
}

impl Iou {
    pub(super) fn new(classes: usize) -> Iou {
        Iou {
            classes,
            sparse_y_true: None,
            sparse_y_pred: None,
        }
    }

    /// Whether a tensor may be rows of one number a class.
    fn may_be_rows(self, tensor: &Tensor) -> bool {
        tensor.ndim() > 1 && self.classes > 1 && tensor.shape().last() == Some(&self.classes)
    }

    /// Whether the predictions are classes' numbers.
    fn answers_are_numbers(self, y_true: &Tensor, y_pred: &Tensor) -> bool {
        self.sparse_y_pred.unwrap_or_else(|| {
            let numbers = matches!(y_pred.dtype(), DType::U8 | DType::I32 | DType::I64);
            // Labels of the same shape are one-hot where these are rows.
            let alike = y_true.len() == y_pred.len() && !self.labels_are_hot(y_true);
            numbers || alike || !self.may_be_rows(y_pred)
        })
    }

    fn labels_are_hot(self, y_true: &Tensor) -> bool {
        let hot = |row: &[f32]| row.iter().sum::<f32>() == 1.0 && row.contains(&1.0);
        self.sparse_y_true != Some(true)
            && self.may_be_rows(y_true)
            && y_true.to_vec().chunks(self.classes).all(hot)
    }

    /// The numbers of classes at so many positions: as they are, or the places of the largest of each row.
    fn numbers(self, tensor: &Tensor, positions: usize, sparse: bool) -> Option<Vec<i64>> {
        if sparse {
            return (tensor.len() == positions).then(|| tensor.to_vec_of::<i64>());
        }
        let rows = tensor.len() == positions * self.classes
            && tensor.shape().last() == Some(&self.classes);
        let places = rows.then(|| largest(tensor).into_iter());
        places.map(|places| places.map(|place| place as i64).collect())
    }
}

/// The mean over classes of the intersection of labels and answers over their union.
pub(super) struct IouState {
    settings: Iou,
    /// Label by answer, row by row.
    matrix: Vec<f64>,
}

impl IouState {
    pub(super) fn new(settings: Iou) -> IouState {
        IouState {
            settings,
            matrix: vec![0.0; settings.classes * settings.classes],
        }
    }
}

impl MetricState for IouState {
    fn update(&mut self, batch: &Batch<'_>) -> Result<()> {
        let (settings, classes) = (self.settings, self.settings.classes);
        let (y_true, y_pred) = (batch.y_true, batch.y_pred);
        let sparse = settings.answers_are_numbers(y_true, y_pred);
        let positions = y_pred.len() / if sparse { 1 } else { classes };
        let numbers = settings.sparse_y_true.unwrap_or(y_true.len() == positions);
        let labels = settings.numbers(y_true, positions, numbers);
        let answers = settings.numbers(y_pred, positions, sparse);
        let (Some(labels), Some(answers)) = (labels, answers) else {
            return Err(unfit("mean_io_u", y_true, y_pred));
        };
        let known = |class: i64| usize::try_from(class).ok().filter(|&c| c < classes);
        for (index, (&label, &answer)) in labels.iter().zip(&answers).enumerate() {
            if let (Some(label), Some(answer)) = (known(label), known(answer)) {
                self.matrix[label * classes + answer] += batch.weight(index, positions);
            }
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        let cell =
            |label: usize, answer: usize| self.matrix[label * self.settings.classes + answer];
        let (mut sum, mut present) = (0.0, 0.0);
        for class in 0..self.settings.classes {
            let labels: f64 = (0..self.settings.classes)
                .map(|other| cell(class, other))
                .sum();
            let answers: f64 = (0..self.settings.classes)
                .map(|other| cell(other, class))
                .sum();
            let union = labels + answers - cell(class, class);
            if union > 1e-9 {
                sum += cell(class, class) / (union + EPSILON);
                present += 1.0;
            }
        }
        sum / (present + EPSILON)
    }
}
