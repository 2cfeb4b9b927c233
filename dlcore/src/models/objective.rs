//! What a model is trained for: a loss and metrics for each output.

use super::chain::KeptChain;
use crate::losses::Loss;
use crate::metrics::{Metric, Metrics};
use crate::optimizers::Optimizer;
use crate::{Error, Result, names};

/// The losses given to `compile`: one for all outputs, one for each, or by the outputs' names.
///
/// ```
/// use dlcore::models::Losses;
/// let one = Losses::from("mse");
/// let each = Losses::each(["mse", "categorical_crossentropy"]).weights([0.25, 1.0]);
/// let named = Losses::named([("age", "mse"), ("gender", "binary_crossentropy")]).weights([0.25, 10.0]);
/// ```
///
/// The model is trained on the sum of its outputs' losses, each times its weight.
#[derive(Clone, Debug)]
pub struct Losses {
    losses: Each<Loss>,
    weights: Option<Vec<f64>>,
}

/// Something for every output, for each in order, or for some by name.
#[derive(Clone, Debug)]
enum Each<T> {
    All(T),
    Ordered(Vec<T>),
    Named(Vec<(String, T)>),
}

impl Losses {
    fn new(losses: Each<Loss>) -> Losses {
        Losses {
            losses,
            weights: None,
        }
    }

    /// No output has a loss: what [`Model::add_loss`](super::Model::add_loss) adds is all there is, and labels
    /// are `()`.
    pub fn none() -> Losses {
        Self::new(Each::Named(Vec::new()))
    }

    /// A loss for each output, in order.
    pub fn each<const N: usize, L: Into<Loss>>(losses: [L; N]) -> Losses {
        Self::new(Each::Ordered(losses.into_iter().map(L::into).collect()))
    }

    /// Losses by the names of the outputs; an output that is not named has none, and gets no labels.
    pub fn named<const N: usize, L: Into<Loss>>(losses: [(&str, L); N]) -> Losses {
        let owned = |(name, loss): (&str, L)| (name.to_string(), loss.into());
        Self::new(Each::Named(losses.into_iter().map(owned).collect()))
    }

    /// How much each loss counts in their sum (1), in the order the losses are given.
    pub fn weights(mut self, weights: impl Into<Vec<f64>>) -> Losses {
        self.weights = Some(weights.into());
        self
    }

    /// For each output its loss and weight, where it has one.
    fn resolve(self, outputs: &[String]) -> Result<Vec<Option<(Loss, f64)>>> {
        let weights = self.weights;
        let given = match &self.losses {
            Each::All(_) => outputs.len(),
            Each::Ordered(losses) => losses.len(),
            Each::Named(losses) => losses.len(),
        };
        check_weights(weights.as_deref(), given)?;
        let weight = |place: usize| weights.as_ref().map_or(1.0, |weights| weights[place]);
        let mut resolved = Vec::new();
        for (place, loss) in spread(&self.losses, outputs, "loss")?
            .into_iter()
            .enumerate()
        {
            resolved.push(match loss {
                None => None,
                Some((loss, given)) => {
                    let place = given.unwrap_or(place);
                    Some((loss.clone().known()?, weight(place)))
                }
            });
        }
        Ok(resolved)
    }
}

fn check_weights(weights: Option<&[f64]>, losses: usize) -> Result<()> {
    let Some(weights) = weights else {
        return Ok(());
    };
    if weights.len() != losses {
        return Err(Error::Value(format!(
            "compile: {losses} losses need as many weights, got {}",
            weights.len()
        )));
    }
    match weights.iter().find(|weight| !weight.is_finite()) {
        None => Ok(()),
        Some(weight) => Err(Error::Value(format!(
            "compile: the weight of a loss must be a number, got {weight}"
        ))),
    }
}

/// What an output was given, and for what came by name its place among the names.
type Given<'a, T> = Option<(&'a T, Option<usize>)>;

/// What is for each output; for what came by name also its place among the names.
fn spread<'a, T>(each: &'a Each<T>, outputs: &[String], what: &str) -> Result<Vec<Given<'a, T>>> {
    match each {
        Each::All(one) => Ok(outputs.iter().map(|_| Some((one, None))).collect()),
        Each::Ordered(several) if several.len() == outputs.len() => {
            Ok(several.iter().map(|one| Some((one, None))).collect())
        }
        Each::Ordered(several) => Err(Error::Value(format!(
            "compile: the model has {} output{} ({}), got {} to give a {what} each",
            outputs.len(),
            if outputs.len() == 1 { "" } else { "s" },
            outputs.join(", "),
            several.len()
        ))),
        Each::Named(named) => {
            let known: Vec<&str> = outputs.iter().map(String::as_str).collect();
            if let Some((name, _)) = named.iter().find(|(n, _)| !known.contains(&n.as_str())) {
                let text = names::unknown("output", name, &known);
                return Err(Error::Value(format!("compile: {text}")));
            }
            let of = |output: &String| {
                let place = named.iter().position(|(name, _)| name == output)?;
                Some((&named[place].1, Some(place)))
            };
            Ok(outputs.iter().map(of).collect())
        }
    }
}

macro_rules! losses_from {
    ($($one:ty),*) => {$(
        impl From<$one> for Losses {
            fn from(loss: $one) -> Losses {
                Losses::new(Each::All(loss.into()))
            }
        }
        impl<const N: usize> From<[$one; N]> for Losses {
            fn from(losses: [$one; N]) -> Losses {
                Losses::each(losses)
            }
        }
        impl<const N: usize> From<[(&str, $one); N]> for Losses {
            fn from(losses: [(&str, $one); N]) -> Losses {
                Losses::named(losses)
            }
        }
    )*};
}
losses_from!(&str, Loss, &Loss);

/// `compile("rmsprop", (), ())`: [`Losses::none`].
impl From<()> for Losses {
    fn from(_: ()) -> Losses {
        Losses::none()
    }
}

/// The metrics given to `compile`: for all outputs, for each, or by the outputs' names.
///
/// ```
/// use dlcore::models::OutputMetrics;
/// let all = OutputMetrics::from(["accuracy"]);
/// let named = OutputMetrics::named([("age", "mae"), ("gender", "accuracy")]);
/// let weighted = OutputMetrics::from(["mae"]).weighted(["mae"]); // recorded as mae and weighted_mae
/// ```
#[derive(Clone, Debug)]
pub struct OutputMetrics {
    metrics: Each<Metrics>,
    weighted: Each<Metrics>,
}

impl OutputMetrics {
    /// Metrics for each output, in order.
    pub fn each<const N: usize, M: Into<Metrics>>(metrics: [M; N]) -> OutputMetrics {
        Self::new(Each::Ordered(metrics.into_iter().map(M::into).collect()))
    }

    /// Metrics by the names of the outputs; an output that is not named has none.
    pub fn named<const N: usize, M: Into<Metrics>>(metrics: [(&str, M); N]) -> OutputMetrics {
        let owned = |(name, metrics): (&str, M)| (name.to_string(), metrics.into());
        Self::new(Each::Named(metrics.into_iter().map(owned).collect()))
    }

    fn new(metrics: Each<Metrics>) -> OutputMetrics {
        OutputMetrics {
            metrics,
            weighted: Each::All(Metrics::none()),
        }
    }

    /// Metrics in which samples count by their weights, as they do in the loss; the others take all samples
    /// alike. One that is among those as well is recorded as `weighted_…`: Keras's `weighted_metrics`.
    pub fn weighted(mut self, metrics: impl Into<OutputMetrics>) -> OutputMetrics {
        self.weighted = metrics.into().metrics;
        self
    }
}

impl<T: Into<Metrics>> From<T> for OutputMetrics {
    fn from(metrics: T) -> OutputMetrics {
        OutputMetrics::new(Each::All(metrics.into()))
    }
}

/// `[("age", "mae"), ("gender", "accuracy")]`
impl<const N: usize> From<[(&str, &str); N]> for OutputMetrics {
    fn from(metrics: [(&str, &str); N]) -> OutputMetrics {
        OutputMetrics::named(metrics)
    }
}

/// What `compile` adds to a model.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) objectives: Vec<Objective>,
    /// Which of the model's leaves it trains: those that were not frozen when it was compiled.
    pub(super) trained: Vec<bool>,
    /// What its last step has left for the next one, where it is a chain.
    pub(super) chain: KeptChain,
}

/// What one output is to come to.
#[derive(Clone)]
pub(super) struct Objective {
    pub(super) output: usize,
    /// The output's name.
    pub(super) name: String,
    pub(super) loss: Loss,
    /// How much the loss counts.
    pub(super) weight: f64,
    pub(super) metrics: Vec<Metric>,
    /// Metrics in which samples count by their weights.
    pub(super) weighted: Vec<Metric>,
}

/// The objectives of the outputs that have a loss.
pub(super) fn objectives(
    outputs: &[String],
    losses: Losses,
    metrics: OutputMetrics,
) -> Result<Vec<Objective>> {
    let losses = losses.resolve(outputs)?;
    let everywhere = |each: &Each<Metrics>| matches!(each, Each::All(_));
    let everywhere = everywhere(&metrics.metrics) && everywhere(&metrics.weighted);
    let plain = resolved(&metrics.metrics, outputs)?;
    let weighted = resolved(&metrics.weighted, outputs)?;
    let some = |metrics: &[Vec<Metric>]| metrics.iter().any(|metrics| !metrics.is_empty());
    if losses.iter().all(Option::is_none) && (some(&plain) || some(&weighted)) {
        return Err(Error::Value(
            "compile: no output has a loss, so none gets labels to measure metrics with; leave the metrics out: ()"
                .to_string(),
        ));
    }
    let mut objectives = Vec::new();
    for (output, ((loss, metrics), weighted)) in
        losses.into_iter().zip(plain).zip(weighted).enumerate()
    {
        let name = outputs[output].clone();
        match loss {
            Some((loss, weight)) => objectives.push(Objective {
                output,
                name,
                loss,
                weight,
                metrics,
                weighted,
            }),
            None if metrics.is_empty() && weighted.is_empty() || everywhere => {}
            None => {
                return Err(Error::Value(format!(
                    "compile: the output {name:?} has metrics but no loss, so it gets no labels to measure with"
                )));
            }
        }
    }
    Ok(objectives)
}

/// The metrics of each output.
fn resolved(metrics: &Each<Metrics>, outputs: &[String]) -> Result<Vec<Vec<Metric>>> {
    let each = spread(metrics, outputs, "list of metrics")?.into_iter();
    each.map(|metrics| match metrics {
        Some((metrics, _)) => metrics.clone().resolve(),
        None => Ok(Vec::new()),
    })
    .collect()
}

impl Compiled {
    /// The names of what is measured, in order: the loss, those of several outputs, the metrics, those by
    /// weight.
    pub(super) fn names(&self) -> Vec<String> {
        let several = self.objectives.len() > 1;
        let of = |objective: &Objective, name: &str| match several {
            true => format!("{}_{name}", objective.name),
            false => name.to_string(),
        };
        let mut names = vec!["loss".to_string()];
        if several {
            names.extend(self.objectives.iter().map(|o| of(o, "loss")));
        }
        for objective in &self.objectives {
            let metrics = objective.metrics.iter();
            names.extend(metrics.map(|metric| of(objective, metric.name())));
        }
        for objective in &self.objectives {
            for metric in &objective.weighted {
                let name = of(objective, metric.name());
                names.push(match names.contains(&name) {
                    true => of(objective, &format!("weighted_{}", metric.name())),
                    false => name,
                });
            }
        }
        names
    }

    /// The names of the outputs that labels are for.
    pub(super) fn targets(&self) -> Vec<String> {
        self.objectives.iter().map(|o| o.name.clone()).collect()
    }
}
