//! A stack of layers.

use std::ops::{Deref, DerefMut};

use super::layer_ref::LayerRef;
use super::model::Model;
use super::network::Network;
use crate::names;

/// Layers one after the other, each taking what the one before returns.
///
/// With an `input_shape` on its first layer a model is built as its layers are added; without, at
/// its first `fit`. All that models can do, `compile`, `fit`, `predict` and so on, stands at [`Model`].
///
/// ```
/// use dlcore::layers::Dense;
/// use dlcore::models::Sequential;
/// let network = Sequential::new()
///     .add(Dense::new(512).activation("relu").input_shape([28 * 28]))
///     .add(Dense::new(10).activation("softmax"));
/// assert_eq!(network.count_params(), 407_050);
/// ```
///
/// A clone is independent, and shares its weights with the original until one of them is trained. A
/// layer, or a model, that is added by its handle is shared:
///
/// ```
/// use dlcore::prelude::*;
/// let base = Sequential::new().add(Dense::new(4).activation("relu").input_shape([9]));
/// let model = Sequential::new().add(&base).add(Dense::new(1));
/// base.set_trainable(false);
/// assert_eq!((model.summary().trainable, model.summary().non_trainable), (5, 40));
/// ```
#[derive(Clone)]
pub struct Sequential {
    model: Model,
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl Sequential {
    /// A model without layers.
    pub fn new() -> Sequential {
        let network = Network::sequential(names::next("sequential"));
        Sequential {
            model: Model::of(LayerRef::network(network)),
        }
    }

    /// A model that is a `Sequential`, as one of these.
    pub(crate) fn from_model(model: Model) -> Sequential {
        Sequential { model }
    }

    /// The model under another name.
    pub fn named(mut self, name: &str) -> Sequential {
        self.model.rename(name);
        self
    }

    /// The model with one more layer at its end: a layer, the handle of one, or another model. What
    /// cannot follow is reported by `compile` and `fit`, and below the summary.
    #[must_use = "it takes the model and hands it back: `let model = model.add(…);`; in place adds `model.push(…);`"]
    #[expect(
        clippy::should_implement_trait,
        reason = "it is Keras's name, and models are not numbers"
    )]
    pub fn add(mut self, layer: impl Into<LayerRef>) -> Sequential {
        self.push_ref(layer.into());
        self
    }

    /// As [`Sequential::add`], in place.
    pub fn push(&mut self, layer: impl Into<LayerRef>) {
        self.push_ref(layer.into());
    }

    fn push_ref(&mut self, layer: LayerRef) {
        let model = &mut self.model;
        let same_name = |other: &LayerRef| other.name() == layer.name() && !other.is_same(&layer);
        if model.layers().iter().any(same_name) {
            model.note(format!(
                "two layers are named {:?}; each layer of a model needs its own name",
                layer.name()
            ));
        }
        if layer.contains(&model.handle) {
            return model.note(format!("{} cannot be a layer of itself", model.name()));
        }
        model.compiled = None;
        model.identity.touch();
        let network = model.handle.as_network_mut();
        let pushed = network.map(|mut network| network.push(layer));
        if let Some(Err(error)) = pushed {
            model.note(error.to_string());
        }
    }

    /// Another model of the same layers; see [`Model::beside`].
    pub(crate) fn beside(&self) -> Sequential {
        Self::from_model(self.model.beside())
    }
}

/// A `Sequential` is a [`Model`].
impl Deref for Sequential {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

impl DerefMut for Sequential {
    fn deref_mut(&mut self) -> &mut Model {
        &mut self.model
    }
}

impl From<&Sequential> for LayerRef {
    fn from(model: &Sequential) -> LayerRef {
        model.as_layer()
    }
}

impl From<Sequential> for LayerRef {
    fn from(model: Sequential) -> LayerRef {
        model.model.into()
    }
}

/// The summary.
impl std::fmt::Debug for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.model, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Dropout};
    use crate::losses::Loss;
    use crate::metrics::{Metric, Metrics};
    use crate::optimizers::{Adam, RMSprop, SGD};
    use crate::{Result, Tensor};

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
        // Without an input shape the layer is not built yet; its name is wrong all the same.
        let mut network = Sequential::new().add(Dense::new(2).activation("rellu").name("later"));
        let text = refusal(network.compile("sgd", "mse", Metrics::none()));
        assert!(
            text.starts_with("compile: later (Dense): unknown activation \"rellu\"; did you mean"),
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
        let target = mnist();
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
