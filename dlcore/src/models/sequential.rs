//! A stack of layers.

use std::path::Path;

use super::checks;
use super::history::History;
use super::identity::Identity;
use super::summary::{Summary, SummaryRow};
use crate::callbacks::Trainable;
use crate::layers::{Layer, count_params, describe};
use crate::losses::Loss;
use crate::metrics::{Metric, Metrics};
use crate::optimizers::{Optimizer, OptimizerChoice};
use crate::{Error, Result, Tensor, names};

/// Layers one after the other, each taking what the one before returns.
///
/// With an `input_shape` on its first layer a model is built as its layers are added; without, at
/// its first `fit`. A clone shares its weights with the original until one of them is trained.
///
/// ```
/// use dlcore::layers::Dense;
/// use dlcore::models::Sequential;
/// let network = Sequential::new()
///     .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
///     .add(Dense::new(10).activation("softmax"));
/// assert_eq!(network.count_params(), 407_050);
/// ```
#[derive(Clone)]
pub struct Sequential {
    pub(super) name: String,
    pub(super) layers: Vec<Box<dyn Layer>>,
    pub(super) input_shape: Option<Vec<usize>>,
    /// What was wrong with a layer when it was added; told by whatever can return an error next.
    problem: Option<String>,
    pub(super) compiled: Option<Compiled>,
    pub(super) history: Option<History>,
    /// Why a model that came from a file is not compiled, though it was when it was saved.
    pub(super) not_compiled: Option<String>,
    pub(crate) identity: Identity,
}

/// What `compile` adds to a model.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) loss: Loss,
    pub(super) metrics: Vec<Metric>,
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl Sequential {
    /// A model without layers.
    pub fn new() -> Sequential {
        Sequential {
            name: names::next("sequential"),
            layers: Vec::new(),
            input_shape: None,
            problem: None,
            compiled: None,
            history: None,
            not_compiled: None,
            identity: Identity::new(),
        }
    }

    /// The model with one more layer at its end. A layer that cannot follow is reported by
    /// `compile` and `fit`.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is Keras's name, and models are not numbers"
    )]
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.push(Box::new(layer));
        self
    }

    /// As [`Sequential::add`], in place.
    pub fn push(&mut self, layer: Box<dyn Layer>) {
        if self.layers.iter().any(|other| other.name() == layer.name()) {
            self.note(format!(
                "two layers are named {:?}; each layer of a model needs its own name",
                layer.name()
            ));
        }
        if self.layers.is_empty() {
            self.input_shape = layer.input_shape().map(<[usize]>::to_vec);
        }
        self.compiled = None;
        self.identity.touch();
        self.layers.push(layer);
        if let Some(input_shape) = self.input_shape.clone()
            && let Err(error) = self.build(&input_shape)
        {
            self.note(error.to_string());
        }
    }

    fn note(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// Makes the weights of the layers that have none yet, for samples of this shape (without the
    /// batch axis). `fit` does it by itself.
    ///
    /// # Errors
    /// What is wrong with a layer, by its name.
    pub fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        let mut shape = input_shape.to_vec();
        self.identity.touch();
        for layer in &mut self.layers {
            if !layer.is_built() {
                layer.build(&shape)?;
            }
            shape = layer.output_shape(&shape)?;
        }
        self.input_shape = Some(input_shape.to_vec());
        Ok(())
    }

    pub(crate) fn is_built(&self) -> bool {
        !self.layers.is_empty() && self.layers.iter().all(|layer| layer.is_built())
    }

    /// The shape of one sample of the output, for samples of the shape the model was built for.
    pub(super) fn output_shape(&self) -> Result<Vec<usize>> {
        let shape = self.input_shape.clone().unwrap_or_default();
        self.layers
            .iter()
            .try_fold(shape, |shape, layer| layer.output_shape(&shape))
    }

    /// An error if a layer could not be added, or there is none.
    pub(super) fn check_layers(&self, operation: &str) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(Error::Model(format!("{operation}: {problem}")));
        }
        if self.layers.is_empty() {
            return Err(Error::Model(format!(
                "{operation}: {} has no layers yet; add some first, for instance .add(Dense::new(10))",
                self.name
            )));
        }
        Ok(())
    }

    /// Chooses how the model is trained. Compiling again keeps the weights and starts the
    /// optimizer anew.
    ///
    /// # Errors
    /// [`Error::Value`] for an unknown name, with the nearest known one, or a setting out of range;
    /// [`Error::Model`] for a model without layers or a last layer that does not fit the loss.
    pub fn compile(
        &mut self,
        optimizer: impl Into<OptimizerChoice>,
        loss: impl Into<Loss>,
        metrics: impl Into<Metrics>,
    ) -> Result<()> {
        self.compile_with(optimizer.into(), loss.into(), metrics.into())
    }

    fn compile_with(
        &mut self,
        optimizer: OptimizerChoice,
        loss: Loss,
        metrics: Metrics,
    ) -> Result<()> {
        self.check_layers("compile")?;
        let named = |error: Error| match error {
            Error::Value(text) if !text.starts_with("compile:") => {
                Error::Value(format!("compile: {text}"))
            }
            other => other,
        };
        let loss = loss.known().map_err(named)?;
        if let Some(last) = self.layers.last() {
            checks::last_layer(&**last, &loss)?;
        }
        let optimizer = optimizer.resolve().map_err(named)?;
        let metrics = metrics.resolve().map_err(named)?;
        self.compiled = Some(Compiled {
            optimizer,
            loss,
            metrics,
        });
        self.not_compiled = None;
        self.identity.touch();
        Ok(())
    }

    /// The model's name: `sequential`, `sequential_1`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layers, from input to output.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The history of the last `fit`, also of one that ended with an error.
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// A copy as of now, with what an unfinished `fit` has recorded so far.
    pub(crate) fn with_history(&self, history: &History) -> Sequential {
        let mut model = self.clone();
        model.history = Some(history.clone());
        model
    }

    /// Why a model that came from a file has to be compiled again.
    pub(crate) fn not_compiled(&self) -> Option<&str> {
        self.not_compiled.as_deref()
    }

    /// What weights and optimizer take in memory.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.compiled.iter().flat_map(|c| c.optimizer.state());
        let slots: usize = state
            .flat_map(|(_, slots)| slots)
            .map(|slot| slot.len())
            .sum();
        4 * (self.count_params() + slots)
    }

    /// How many numbers the weights hold; 0 until the model is built.
    pub fn count_params(&self) -> usize {
        self.layers.iter().map(|layer| count_params(&**layer)).sum()
    }

    /// The layers with their output shapes and parameter counts; prints as a table.
    pub fn summary(&self) -> Summary {
        let mut shape = self.input_shape.clone();
        let mut rows = Vec::new();
        for layer in &self.layers {
            shape = shape.and_then(|shape| layer.output_shape(&shape).ok());
            rows.push(SummaryRow {
                name: layer.name().to_string(),
                kind: layer.kind().to_string(),
                output_shape: shape.clone(),
                params: layer.is_built().then(|| count_params(&**layer)),
            });
        }
        Summary {
            model: self.name.clone(),
            rows,
            trainable: self.count_params(),
            non_trainable: 0,
        }
    }

    /// The weights of all layers, in order: kernel and bias of the first, of the second, …
    pub fn get_weights(&self) -> Vec<Tensor> {
        self.layers
            .iter()
            .flat_map(|layer| layer.weights())
            .cloned()
            .collect()
    }

    /// How many weights each layer has.
    pub(super) fn weight_counts(&self) -> Vec<usize> {
        self.layers
            .iter()
            .map(|layer| layer.weights().len())
            .collect()
    }

    /// Puts weights in place, in the order of [`Sequential::get_weights`].
    ///
    /// # Errors
    /// [`Error::Shape`] if number or shapes differ, [`Error::Model`] if the model is not built;
    /// nothing is changed then.
    pub fn set_weights(&mut self, weights: &[Tensor]) -> Result<()> {
        if !self.is_built() {
            return Err(Error::Model(format!(
                "set_weights: {} has no weights yet; give its first layer an input_shape, or call build",
                self.name
            )));
        }
        let current: Vec<(String, Vec<usize>)> = self
            .layers
            .iter()
            .flat_map(|layer| {
                layer
                    .weights()
                    .into_iter()
                    .map(|w| (describe(&**layer), w.shape().to_vec()))
            })
            .collect();
        if current.len() != weights.len() {
            return Err(Error::Shape(format!(
                "set_weights: {} has {} weights, got {}",
                self.name,
                current.len(),
                weights.len()
            )));
        }
        for (index, ((layer, shape), weight)) in current.iter().zip(weights).enumerate() {
            if weight.shape() != shape.as_slice() {
                return Err(Error::Shape(format!(
                    "set_weights: weight {index}, of {layer}, has shape {shape:?}, got {:?}",
                    weight.shape()
                )));
            }
        }
        self.identity.touch();
        let places = self.layers.iter_mut().flat_map(|layer| layer.weights_mut());
        for (place, weight) in places.zip(weights) {
            *place = weight.detach().cast(place.dtype());
        }
        Ok(())
    }

    /// The output for a batch, recorded on the tape that watches the input or the weights.
    ///
    /// # Panics
    /// If the model is not built, or `x` does not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        self.layers
            .iter()
            .fold(x.clone(), |x, layer| layer.forward(&x, training))
    }
}

impl Trainable for Sequential {
    fn get_weights(&self) -> Vec<Tensor> {
        Sequential::get_weights(self)
    }

    fn set_weights(&mut self, weights: &[Tensor]) -> Result<()> {
        Sequential::set_weights(self, weights)
    }

    fn learning_rate(&self) -> f64 {
        self.compiled
            .as_ref()
            .map_or(f64::NAN, |compiled| compiled.optimizer.learning_rate())
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.identity.touch();
        if let Some(compiled) = &mut self.compiled {
            compiled.optimizer.set_learning_rate(learning_rate);
        }
    }

    fn schedule(&self) -> Option<&'static str> {
        self.compiled.as_ref()?.optimizer.schedule()
    }

    fn save(&self, path: &Path) -> Result<()> {
        Sequential::save(self, path)
    }

    fn save_weights(&self, path: &Path) -> Result<()> {
        Sequential::save_weights(self, path)
    }
}

/// The summary.
impl std::fmt::Debug for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.summary(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Dropout};
    use crate::optimizers::{Adam, RMSprop, SGD};

    fn mnist() -> Sequential {
        Sequential::new()
            .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
            .add(Dense::new(10).activation("softmax"))
    }

    #[test]
    fn the_first_network_has_407_050_parameters() {
        let network = mnist();
        assert_eq!(network.count_params(), 407_050);
        let text = network.summary().to_string();
        assert!(text.contains(" Total params: 407,050 (1.55 MB)"), "{text}");
        assert!(
            text.contains("│ (None, 512)            │       401,920 │"),
            "{text}"
        );
        let shapes: Vec<Vec<usize>> = network
            .get_weights()
            .iter()
            .map(|w| w.shape().to_vec())
            .collect();
        assert_eq!(shapes, [vec![784, 512], vec![512], vec![512, 10], vec![10]]);
    }

    #[test]
    fn without_an_input_shape_it_is_built_later() {
        let mut network = Sequential::new()
            .add(Dense::new(3))
            .add(Dropout::new(0.5))
            .add(Dense::new(1));
        assert_eq!(network.count_params(), 0);
        assert!(network.summary().to_string().contains("0 (unbuilt)"));
        network.build(&[4]).unwrap();
        assert_eq!(network.count_params(), 19);
        assert_eq!(
            network.forward(&Tensor::ones([2, 4]), false).shape(),
            [2, 1]
        );
    }

    #[test]
    fn compile_takes_names_values_and_nothing() {
        let mut network = mnist();
        network
            .compile("rmsprop", "categorical_crossentropy", ["accuracy"])
            .unwrap();
        network
            .compile(
                RMSprop::new(),
                Loss::categorical_crossentropy(),
                vec!["acc", "mse"],
            )
            .unwrap();
        network
            .compile(Adam::new(), "mse", Metrics::none())
            .unwrap();
        network
            .compile(SGD::new().momentum(0.9), "mse", [Metric::accuracy()])
            .unwrap();
        let own = Loss::custom("own", |y, p| (y - p).square());
        network
            .compile("adam", own, [Metric::custom("m", |y, p| (y - p).abs())])
            .unwrap();
    }

    fn refusal(result: Result<()>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn compile_refuses_unknown_names_with_the_nearest() {
        let mut network = mnist();
        let text = refusal(network.compile("rmsporp", "mse", ["accuracy"]));
        assert!(
            text.starts_with("compile: unknown optimizer \"rmsporp\"; did you mean \"rmsprop\"?"),
            "{text}"
        );
        let text = refusal(network.compile("rmsprop", "categorical_crosentropy", ["accuracy"]));
        assert!(
            text.contains("did you mean \"categorical_crossentropy\"?"),
            "{text}"
        );
        let text = refusal(network.compile("rmsprop", "mse", ["acuracy"]));
        assert!(text.contains("did you mean \"accuracy\"?"), "{text}");
        let text = refusal(network.compile(SGD::new().learning_rate(0.0), "mse", ["mae"]));
        assert!(
            text.contains("learning_rate must be a number above 0, got 0"),
            "{text}"
        );
    }

    #[test]
    fn compile_before_layers_and_a_layer_that_cannot_be_built_are_refused() {
        let text = refusal(Sequential::new().compile("sgd", "mse", Metrics::none()));
        assert!(text.contains("has no layers yet"), "{text}");
        let mut network = Sequential::new().add(
            Dense::new(2)
                .activation("rellu")
                .input_shape([3])
                .name("first"),
        );
        let text = refusal(network.compile("sgd", "mse", Metrics::none()));
        assert!(
            text.contains("first (Dense): unknown activation \"rellu\"; did you mean \"relu\"?"),
            "{text}"
        );
        let mut network = Sequential::new()
            .add(Dense::new(2).name("a"))
            .add(Dense::new(2).name("a"));
        let text = refusal(network.compile("sgd", "mse", Metrics::none()));
        assert!(text.contains("two layers are named \"a\""), "{text}");
    }

    #[test]
    fn weights_go_in_as_they_came_out_and_others_are_refused() {
        let source = mnist();
        let mut target = mnist();
        target.set_weights(&source.get_weights()).unwrap();
        assert_eq!(target.get_weights(), source.get_weights());
        let error = target
            .set_weights(&source.get_weights()[1..])
            .unwrap_err()
            .to_string();
        assert!(error.contains("has 4 weights, got 3"), "{error}");
        let mut wrong = source.get_weights();
        wrong[2] = Tensor::zeros([10, 512]);
        let error = target.set_weights(&wrong).unwrap_err().to_string();
        assert!(
            error.contains("(Dense), has shape [512, 10], got [10, 512]"),
            "{error}"
        );
        let error = Sequential::new()
            .add(Dense::new(1))
            .set_weights(&[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("no weights yet"), "{error}");
    }
}
