//! The metrics by their constructors, and their settings.

use std::sync::Arc;

use super::auc::Curve;
use super::confusion::Iou;
use super::{Average, Kind, Metric};
use crate::losses::Loss;
use crate::{Tensor, names};

pub(super) const AVERAGES: [(&str, Average); 3] = [
    ("micro", Average::Micro),
    ("macro", Average::Macro),
    ("weighted", Average::Weighted),
];

pub(super) const CURVES: [(&str, Curve); 2] = [("ROC", Curve::Roc), ("PR", Curve::Pr)];

/// The constructors that take nothing and are named after their metric.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {
        impl Metric {$(
            $(#[$doc])*
            pub fn $name() -> Metric {
                Self::of($kind, stringify!($name))
            }
        )*}
    };
}

constructors! {
    /// The share of right answers; which kind of answer is told by the shapes.
    accuracy = Kind::Accuracy;
    /// The share of elements on the right side of the [`threshold`](Metric::threshold) (0.5).
    binary_accuracy = Kind::BinaryAccuracy(0.5);
    /// The share of samples whose largest prediction is at the largest label.
    categorical_accuracy = Kind::CategoricalAccuracy;
    /// The share of samples whose largest prediction is at the place the label names.
    sparse_categorical_accuracy = Kind::SparseCategoricalAccuracy;
    /// The share of samples whose right class is among the [`k`](Metric::k) (5) likeliest; labels one-hot.
    top_k_categorical_accuracy = Kind::TopKCategoricalAccuracy(5);
    /// The share of samples whose right class is among the [`k`](Metric::k) (5) likeliest; labels are the
    /// classes' numbers.
    sparse_top_k_categorical_accuracy = Kind::SparseTopKCategoricalAccuracy(5);
    /// The mean of the squared differences.
    mean_squared_error = Kind::Loss(Loss::mean_squared_error());
    /// The mean of the absolute differences.
    mean_absolute_error = Kind::Loss(Loss::mean_absolute_error());
    /// The mean of the absolute differences in percent of the labels.
    mean_absolute_percentage_error = Kind::Loss(Loss::mean_absolute_percentage_error());
    /// The root of the mean of the squared differences, over all samples.
    root_mean_squared_error = Kind::RootMeanSquaredError;
    /// The cosine of the angle between labels and predictions along the last axis: 1 where they point the
    /// same way (the loss of this name is its negative).
    cosine_similarity = Kind::CosineSimilarity;
    /// The coefficient of determination, 1 at best: the share of the labels' variance that is explained; the
    /// mean over the columns of `[batch, columns]`.
    r2_score = Kind::R2Score;
    /// Of what was answered yes, the share that is: an answer is a yes above the
    /// [`threshold`](Metric::threshold) (0.5).
    precision = Kind::Precision(0.5);
    /// Of what is yes, the share that was answered so: an answer is a yes above the
    /// [`threshold`](Metric::threshold) (0.5).
    recall = Kind::Recall(0.5);
    /// The harmonic mean of precision and recall of each class, averaged
    /// ([`"macro"`](Metric::average); Keras averages only when told). The answer is the likeliest class;
    /// with a [`threshold`](Metric::threshold), or for one output, whose threshold is 0.5, every class
    /// above it.
    f1_score = Kind::F1Score(Average::Macro, None);
    /// The area under the ROC [`curve`](Metric::curve): the chance that a yes gets a higher prediction than
    /// a no. Found from 200 [`num_thresholds`](Metric::num_thresholds), as in Keras.
    auc = Kind::Auc(Curve::Roc, 200);
}

impl Metric {
    /// The mean over classes of the intersection of labels and answers over their union. Labels are the
    /// classes' numbers or one-hot; predictions one number a class on the last axis, or classes' numbers.
    ///
    /// Which of the two they are is told by their shapes. Where it is not, for pictures of class numbers that
    /// are as wide as there are classes, [`sparse_y_true`](Metric::sparse_y_true) and
    /// [`sparse_y_pred`](Metric::sparse_y_pred) say it.
    pub fn mean_io_u(num_classes: usize) -> Metric {
        let metric = Self::of(Kind::MeanIou(Iou::new(num_classes)), "mean_io_u");
        match num_classes {
            0 => metric.refused("num_classes must be at least 1, got 0".to_string()),
            _ => metric,
        }
    }

    /// A function of `(y_true, y_pred)`; what it returns is averaged to one number.
    ///
    /// In `evaluate` and for validation it sees all labels and predictions at once. While training it
    /// sees one batch at a time, and the mean over the batches is recorded, weighted by their samples.
    pub fn custom(
        name: &str,
        function: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> Metric {
        Self::of(Kind::Custom(Arc::new(function)), name)
    }

    /// The prediction above which an answer is a yes, from 0 to 1: for binary accuracy, precision, recall
    /// and F1.
    pub fn threshold(mut self, threshold: f64) -> Metric {
        if !(0.0..=1.0).contains(&threshold) {
            return self.refused(format!("threshold must be from 0 to 1, got {threshold}"));
        }
        match &mut self.kind {
            Kind::BinaryAccuracy(current) | Kind::Precision(current) | Kind::Recall(current) => {
                *current = threshold;
            }
            Kind::F1Score(_, current) => *current = Some(threshold),
            _ => return self.without("threshold"),
        }
        self
    }

    /// How many likeliest classes the right one has to be among, for the top-k accuracies (5).
    pub fn k(mut self, k: usize) -> Metric {
        match &mut self.kind {
            _ if k == 0 => return self.refused("k must be at least 1, got 0".to_string()),
            Kind::TopKCategoricalAccuracy(current)
            | Kind::SparseTopKCategoricalAccuracy(current) => {
                *current = k;
            }
            _ => return self.without("k"),
        }
        self
    }

    /// How the scores of classes become one in F1: `"micro"` counts all answers alike, `"macro"` all
    /// classes, `"weighted"` all classes by their labels (`"macro"`).
    pub fn average(mut self, average: &str) -> Metric {
        let known = AVERAGES.iter().find(|(name, _)| *name == average);
        match (&mut self.kind, known) {
            (Kind::F1Score(current, _), Some((_, average))) => *current = *average,
            (Kind::F1Score(..), None) => {
                return self.refused(names::unknown(
                    "average",
                    average,
                    &AVERAGES.map(|(n, _)| n),
                ));
            }
            _ => return self.without("average"),
        }
        self
    }

    /// The curve of the area: `"ROC"` or `"PR"`, precision over recall (`"ROC"`).
    pub fn curve(mut self, curve: &str) -> Metric {
        let known = CURVES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(curve));
        match (&mut self.kind, known) {
            (Kind::Auc(current, _), Some((_, curve))) => *current = *curve,
            (Kind::Auc(..), None) => {
                return self.refused(names::unknown("curve", curve, &CURVES.map(|(n, _)| n)));
            }
            _ => return self.without("curve"),
        }
        self
    }

    /// How many thresholds the area under a curve is found from, at least 2 (200).
    pub fn num_thresholds(mut self, count: usize) -> Metric {
        match &mut self.kind {
            _ if count < 2 => {
                return self.refused(format!("num_thresholds must be at least 2, got {count}"));
            }
            Kind::Auc(_, current) => *current = count,
            _ => return self.without("num_thresholds"),
        }
        self
    }

    /// Whether the labels of [`Metric::mean_io_u`] are the classes' numbers, rather than one-hot (told by the
    /// shapes).
    pub fn sparse_y_true(mut self, sparse: bool) -> Metric {
        match &mut self.kind {
            Kind::MeanIou(iou) => iou.sparse_y_true = Some(sparse),
            _ => return self.without("sparse_y_true"),
        }
        self
    }

    /// Whether the predictions of [`Metric::mean_io_u`] are the classes' numbers, rather than one number a class
    /// (told by the shapes).
    pub fn sparse_y_pred(mut self, sparse: bool) -> Metric {
        match &mut self.kind {
            Kind::MeanIou(iou) => iou.sparse_y_pred = Some(sparse),
            _ => return self.without("sparse_y_pred"),
        }
        self
    }

    /// Records it under another name: two precisions need two.
    pub fn named(mut self, name: &str) -> Metric {
        if matches!(self.kind, Kind::Unknown) {
            return self;
        }
        self.name = name.to_string();
        self
    }

    fn refused(mut self, problem: String) -> Metric {
        let problem = format!("{}: {problem}", self.name);
        self.problem.get_or_insert(problem);
        self
    }

    fn without(self, setting: &str) -> Metric {
        self.refused(format!("this metric has no setting {setting}"))
    }
}
