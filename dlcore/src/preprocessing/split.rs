//! Data divided into a part to train on and a part to test on.

use crate::datasets::RandomState;
use crate::{Error, Result, Tensor, random};

/// The settings of [`train_test_split`], with scikit-learn's defaults. A number alone is `test_size`.
///
/// ```
/// use dlcore::preprocessing::TrainTestSplit;
/// let settings = TrainTestSplit::new().test_size(0.2).random_state(42).stratify(true);
/// ```
#[derive(Clone, Debug)]
pub struct TrainTestSplit {
    test_size: f64,
    random_state: Option<u32>,
    shuffle: bool,
    stratify: bool,
}

impl Default for TrainTestSplit {
    fn default() -> Self {
        TrainTestSplit::new()
    }
}

impl TrainTestSplit {
    /// scikit-learn's defaults.
    pub fn new() -> TrainTestSplit {
        TrainTestSplit {
            test_size: 0.25,
            random_state: None,
            shuffle: true,
            stratify: false,
        }
    }

    /// The share of samples to test on (0.25).
    pub fn test_size(mut self, share: f64) -> TrainTestSplit {
        self.test_size = share;
        self
    }

    /// What the order is drawn from: the same one as in scikit-learn (from [`set_seed`](crate::set_seed)).
    pub fn random_state(mut self, seed: u32) -> TrainTestSplit {
        self.random_state = Some(seed);
        self
    }

    /// Whether samples are drawn (true); otherwise the last ones are to test on, as for a series in time.
    pub fn shuffle(mut self, shuffle: bool) -> TrainTestSplit {
        self.shuffle = shuffle;
        self
    }

    /// Whether each class has its share in both parts (false); `y` are the classes then.
    pub fn stratify(mut self, stratify: bool) -> TrainTestSplit {
        self.stratify = stratify;
        self
    }

    /// Which samples are for training, and which to test on.
    fn rows(&self, y: &Tensor, samples: usize) -> Result<(Vec<usize>, Vec<usize>)> {
        let wrong = |message: String| Err(Error::Value(format!("train_test_split: {message}")));
        if !(self.test_size > 0.0 && self.test_size < 1.0) {
            return wrong(format!(
                "expected a test_size between 0 and 1, the share of samples, got {}",
                self.test_size
            ));
        }
        let test = (self.test_size * samples as f64).ceil() as usize;
        let Some(training) = samples.checked_sub(test).filter(|&training| training > 0) else {
            return wrong(format!(
                "nothing of {samples} samples is left to train on with a test_size of {}",
                self.test_size
            ));
        };
        if !self.shuffle {
            return match self.stratify {
                false => Ok(((0..training).collect(), (training..samples).collect())),
                true => wrong("stratify draws samples, so it needs shuffle(true)".to_owned()),
            };
        }
        let seed = self
            .random_state
            .unwrap_or_else(|| random::next_seed() as u32);
        let mut random = RandomState::new(seed);
        if self.stratify {
            return stratified(y, training, test, &mut random);
        }
        let mut order = random.shuffled(samples);
        let train = order.split_off(test);
        Ok((train, order))
    }
}

impl From<f64> for TrainTestSplit {
    fn from(test_size: f64) -> TrainTestSplit {
        TrainTestSplit::new().test_size(test_size)
    }
}

impl From<&TrainTestSplit> for TrainTestSplit {
    fn from(settings: &TrainTestSplit) -> TrainTestSplit {
        settings.clone()
    }
}

/// Divides samples and their labels, as scikit-learn's `train_test_split`: into those to train on and those to
/// test on, first all samples, then all labels.
///
/// # Shapes
/// `x` `[samples, …]`, `y` `[samples, …]` → `x_train, x_test, y_train, y_test`
///
/// ```
/// use dlcore::prelude::*;
/// let (x, y) = datasets::make_moons(200, 0.1, 0);
/// let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, 0.2)?;
/// assert_eq!((x_train.shape(), y_test.shape()), (&[160, 2][..], &[40][..]));
/// // What is learned from the data is learned from those to train on.
/// let mut normalization = Normalization::new();
/// normalization.adapt(&x_train)?;
/// let x_test = normalization.forward(&x_test, false);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if there are not as many labels as samples; [`Error::Value`] for a share that leaves one part
/// empty, or a class with a single sample where classes are to be in both parts.
pub fn train_test_split(
    x: &Tensor,
    y: &Tensor,
    settings: impl Into<TrainTestSplit>,
) -> Result<(Tensor, Tensor, Tensor, Tensor)> {
    split(x, y, &settings.into())
}

fn split(
    x: &Tensor,
    y: &Tensor,
    settings: &TrainTestSplit,
) -> Result<(Tensor, Tensor, Tensor, Tensor)> {
    let (Some(&samples), Some(&labels)) = (x.shape().first(), y.shape().first()) else {
        return Err(Error::Shape(
            "train_test_split: expected samples and labels, got a single number".to_owned(),
        ));
    };
    if samples != labels {
        return Err(Error::Shape(format!(
            "train_test_split: expected as many labels as samples, got {samples} samples and {labels} labels"
        )));
    }
    let (train, test) = settings.rows(y, samples)?;
    Ok((
        x.try_rows(&train)?,
        x.try_rows(&test)?,
        y.try_rows(&train)?,
        y.try_rows(&test)?,
    ))
}

/// Each class with its share, drawn as scikit-learn's `StratifiedShuffleSplit` draws.
fn stratified(
    y: &Tensor,
    training: usize,
    test: usize,
    random: &mut RandomState,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let wrong = |message: String| Error::Value(format!("train_test_split: stratify: {message}"));
    if y.len() != y.shape()[0] {
        return Err(wrong(format!(
            "expected labels [samples], one class number each, got shape {:?}",
            y.shape()
        )));
    }
    let labels = y.to_vec_of::<f64>();
    if labels.iter().any(|label| label.is_nan()) {
        return Err(wrong("the labels hold NaN".to_owned()));
    }
    let mut classes = labels.clone();
    classes.sort_by(f64::total_cmp);
    classes.dedup();
    let members = |class: &f64| -> Vec<usize> {
        (0..labels.len())
            .filter(|&row| labels[row] == *class)
            .collect()
    };
    if classes.len() > training.min(test) {
        return Err(wrong(format!(
            "{} classes need as many samples in each part, there are {training} and {test}",
            classes.len()
        )));
    }
    let members: Vec<Vec<usize>> = classes.iter().map(members).collect();
    if let Some(class) = members.iter().position(|rows| rows.len() < 2) {
        return Err(wrong(format!(
            "class {} has one sample, which cannot be in both parts",
            classes[class]
        )));
    }
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let for_training = shares(&counts, training, random);
    let left: Vec<usize> = counts
        .iter()
        .zip(&for_training)
        .map(|(all, one)| all - one)
        .collect();
    let for_test = shares(&left, test, random);
    let (mut train, mut tested) = (Vec::new(), Vec::new());
    for (class, rows) in members.iter().enumerate() {
        let order = random.shuffled(rows.len());
        let (first, second) = (for_training[class], for_training[class] + for_test[class]);
        train.extend(order[..first].iter().map(|&place| rows[place]));
        tested.extend(order[first..second].iter().map(|&place| rows[place]));
    }
    random.shuffle(&mut train);
    random.shuffle(&mut tested);
    Ok((train, tested))
}

/// How many of each class are drawn if `drawn` of all are: the likeliest numbers, ties broken at random.
///
/// Source: scikit-learn, `_approximate_mode`.
fn shares(counts: &[usize], drawn: usize, random: &mut RandomState) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    let exact = |&count: &usize| count as f64 / all as f64 * drawn as f64;
    let exact: Vec<f64> = counts.iter().map(exact).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut missing = drawn.saturating_sub(shares.iter().sum());
    let rest: Vec<f64> = exact.iter().map(|share| share - share.floor()).collect();
    let mut values = rest.clone();
    values.sort_by(|a, b| b.total_cmp(a));
    values.dedup();
    for value in values {
        if missing == 0 {
            break;
        }
        let tied: Vec<usize> = (0..rest.len())
            .filter(|&class| rest[class] == value)
            .collect();
        let order = random.shuffled(tied.len());
        for &place in order.iter().take(missing.min(tied.len())) {
            shares[tied[place]] += 1;
        }
        missing -= missing.min(tied.len());
    }
    shares
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fixtures::{list, numbers};

    #[test]
    fn the_parts_are_those_of_scikit_learn() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/parity/fixtures/adapted.json"
        );
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in list(&json["train_test_split"]) {
            let y: Vec<i64> = numbers(&case["y"]).into_iter().map(|v| v as i64).collect();
            let y = Tensor::from(y);
            let x = Tensor::arange(0.0, y.len() as f64, 1.0);
            let settings = TrainTestSplit::new()
                .test_size(case["test_size"].as_f64().unwrap())
                .random_state(case["random_state"].as_u64().unwrap() as u32)
                .shuffle(case["shuffle"].as_bool().unwrap())
                .stratify(case["stratify"].as_bool().unwrap());
            let (train, test, y_train, y_test) = train_test_split(&x, &y, &settings).unwrap();
            assert_eq!(
                train.to_vec_of::<f64>(),
                numbers(&case["train"]),
                "{settings:?}"
            );
            assert_eq!(
                test.to_vec_of::<f64>(),
                numbers(&case["test"]),
                "{settings:?}"
            );
            assert_eq!((y_train.len(), y_test.len()), (train.len(), test.len()));
            for (row, label) in test.to_vec().iter().zip(y_test.to_vec()) {
                assert_eq!(y.get(*row as isize).item() as f32, label);
            }
        }
    }

    #[test]
    fn what_cannot_be_divided_is_said() {
        let (x, y) = (Tensor::zeros([4, 2]), Tensor::from([0, 0, 0, 1]));
        let error = |y: &Tensor, settings: TrainTestSplit| {
            train_test_split(&x, y, settings).unwrap_err().to_string()
        };
        assert!(error(&Tensor::zeros([3]), 0.5.into()).contains("4 samples and 3 labels"));
        for share in [0.0, 1.0, -0.5, f64::NAN, 20.0] {
            assert!(error(&y, share.into()).contains("between 0 and 1"));
        }
        assert!(error(&y, 0.9.into()).contains("nothing of 4 samples is left"));
        let half = TrainTestSplit::from(0.5).stratify(true);
        assert!(error(&y, half.clone()).contains("class 1 has one sample"));
        assert!(error(&y, half.clone().shuffle(false)).contains("shuffle(true)"));
        assert!(error(&Tensor::zeros([4, 2]), half).contains("one class number each"));
    }
}
