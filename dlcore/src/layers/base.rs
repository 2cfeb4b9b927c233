//! What all layers of this library have in common.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::config::{self, Fields, Parsed};
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::{Error, Result, Tensor, names};

/// Name, declared input, whether it is trained, whether it is built.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) input_shape: Option<Vec<usize>>,
    pub(crate) trainable: bool,
    /// The penalty on what the layer returns.
    pub(crate) activity_regularizer: Option<Regularizer>,
    built: bool,
    /// Weights that `build` takes instead of making its own: those of a file.
    given: Option<VecDeque<Tensor>>,
}

impl Base {
    /// A layer of type `kind` (`"Dense"`) whose name is counted after `prefix` (`"dense"`).
    pub(crate) fn new(kind: &'static str, prefix: &'static str) -> Base {
        Base {
            kind,
            name: names::next(prefix),
            input_shape: None,
            trainable: true,
            activity_regularizer: None,
            built: false,
            given: None,
        }
    }

    /// What [`Base::config`] wrote. Only the name must be there.
    pub(crate) fn from_config(
        kind: &'static str,
        prefix: &'static str,
        fields: &Fields<'_>,
    ) -> Parsed<Base> {
        let name = fields.text("name")?.to_string();
        names::seen(prefix, &name);
        Ok(Base {
            kind,
            name,
            input_shape: fields.shape("input_shape")?,
            trainable: fields.flag_or("trainable", true)?,
            activity_regularizer: Regularizer::from_config(fields, "activity_regularizer")?,
            built: false,
            given: None,
        })
    }

    /// The settings common to all layers, together with a layer's own, a JSON object.
    pub(crate) fn config(&self, own: Value) -> Value {
        let mut fields: Map<String, Value> = Map::new();
        fields.insert("name".to_string(), json!(self.name));
        fields.insert("trainable".to_string(), json!(self.trainable));
        fields.insert(
            "input_shape".to_string(),
            config::shape(self.input_shape.as_deref()),
        );
        if self.activity_regularizer.is_some() {
            let regularizer = Regularizer::config(self.activity_regularizer.as_ref());
            fields.insert("activity_regularizer".to_string(), regularizer);
        }
        if let Value::Object(own) = own {
            fields.extend(own);
        }
        Value::Object(fields)
    }

    pub(crate) fn is_built(&self) -> bool {
        self.built
    }

    /// Whether it is built, and nothing is added to the loss for what it returns.
    pub(crate) fn is_plain(&self) -> bool {
        self.built && self.activity_regularizer.is_none()
    }

    /// How a message names the layer: `dense_1 (Dense)`.
    pub(crate) fn describe(&self) -> String {
        format!("{} ({})", self.name, self.kind)
    }

    /// [`Error::Shape`] that begins with the layer's name.
    pub(crate) fn shape_error(&self, text: impl std::fmt::Display) -> Error {
        Error::Shape(format!("{}: {text}", self.describe()))
    }

    /// An error for samples of which the output would have more elements than can be counted.
    pub(crate) fn too_large(&self, sample: &[usize]) -> Error {
        self.shape_error(format!(
            "the output for samples of shape {sample:?} would not fit into memory"
        ))
    }

    /// [`Error::Value`] that begins with the layer's name.
    pub(crate) fn value_error(&self, text: impl std::fmt::Display) -> Error {
        Error::Value(format!("{}: {text}", self.describe()))
    }

    /// The next weight of a layer that is being built, called `what` in messages. Weights are asked
    /// for in the order in which [`Layer::weights`](super::Layer::weights), then
    /// [`Layer::state`](super::Layer::state) list them.
    pub(crate) fn weight(
        &mut self,
        what: &str,
        shape: &[usize],
        initializer: &Initializer,
    ) -> Result<Tensor> {
        self.weight_from(what, shape, &|| initializer.create(shape))
    }

    /// [`Base::weight`] made by a function, unless it is given.
    pub(crate) fn weight_from(
        &mut self,
        what: &str,
        shape: &[usize],
        make: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Some(given) = &mut self.given else {
            return make().map_err(|error| self.value_error(format!("{what}: {error}")));
        };
        match given.pop_front() {
            Some(weight) if weight.shape() == shape => Ok(weight),
            Some(weight) => Err(self.shape_error(format!(
                "expected a {what} of shape {shape:?}, found one of shape {:?}",
                weight.shape()
            ))),
            None => Err(self.shape_error(format!(
                "expected a {what} of shape {shape:?}, found no more weights"
            ))),
        }
    }

    /// An error for an activity regularizer that makes no sense.
    pub(crate) fn check_activity_regularizer(&self) -> Result<()> {
        let known = self.activity_regularizer.as_ref().map(Regularizer::known);
        known
            .unwrap_or(Ok(()))
            .map_err(|error| self.value_error(format!("activity_regularizer: {error}")))
    }

    /// An error that names the setting, for a share that is left out while training and is none.
    pub(crate) fn check_rate(&self, setting: &str, rate: f64) -> Result<()> {
        if (0.0..1.0).contains(&rate) {
            return Ok(());
        }
        Err(self.value_error(format!(
            "{setting} is the share that is left out, at least 0 and below 1, got {rate}{}",
            match rate {
                1.0..100.0 if rate > 1.0 => format!("; for {rate} percent write {}", rate / 100.0),
                _ => String::new(),
            }
        )))
    }

    /// The last act of a successful `build`.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.check_activity_regularizer()?;
        let left = self.given.take().map_or(0, |given| given.len());
        if left > 0 {
            return Err(self.shape_error(format!("found {left} weights more than it has")));
        }
        self.built = true;
        Ok(())
    }

    /// What the next `build` is to take for weights.
    pub(crate) fn give(&mut self, weights: Vec<Tensor>) {
        self.given = Some(weights.into());
    }

    /// The weights that `build` is to take, for a layer that hands them on to others.
    pub(crate) fn take_given(&mut self) -> Option<Vec<Tensor>> {
        self.given.take().map(Vec::from)
    }

    /// The text of the panic of a layer that is used before it is built.
    pub(crate) fn unbuilt(&self) -> String {
        format!(
            "{} is not built yet: call build(input_shape) or add it to a model",
            self.describe()
        )
    }
}

/// Defines the settings that every layer has: its name, its input's shape, whether it is trained.
macro_rules! layer_settings {
    ($layer:ident, $prefix:literal) => {
        impl $layer {
            #[doc = concat!("The layer's name (`\"", $prefix, "\"`, `\"", $prefix, "_1\"`, … in the order layers are made).")]
            pub fn name(mut self, name: &str) -> $layer {
                self.base.name = name.to_string();
                self
            }

            /// The shape of one sample, for the first layer of a model; an axis may be
            /// [`dim::ANY`](crate::dim::ANY).
            pub fn input_shape(mut self, shape: impl Into<$crate::tensor::Shape>) -> $layer {
                self.base.input_shape = Some(shape.into().into_vec());
                self
            }

            /// Whether training changes the layer's weights (true).
            pub fn trainable(mut self, trainable: bool) -> $layer {
                self.base.trainable = trainable;
                self
            }

            /// The penalty on what the layer returns (none): of all elements of a batch, divided by its samples.
            pub fn activity_regularizer(
                mut self,
                regularizer: impl Into<$crate::regularizers::Regularizer>,
            ) -> $layer {
                self.base.activity_regularizer = Some(regularizer.into());
                self
            }
        }
    };
}
pub(crate) use layer_settings;

/// The methods of [`Layer`](super::Layer) that every layer with a `base` answers by it.
macro_rules! identity_methods {
    () => {
        fn name(&self) -> &str {
            &self.base.name
        }

        fn kind(&self) -> &str {
            self.base.kind
        }

        fn input_shape(&self) -> Option<&[usize]> {
            self.base.input_shape.as_deref()
        }

        fn is_built(&self) -> bool {
            self.base.is_built()
        }

        fn activity_regularizer(&self) -> Option<&$crate::regularizers::Regularizer> {
            self.base.activity_regularizer.as_ref()
        }
    };
}
pub(crate) use identity_methods;

/// [`identity_methods`] and what a layer answers that has no other layers in it.
macro_rules! base_methods {
    () => {
        $crate::layers::identity_methods!();

        fn trainable(&self) -> bool {
            self.base.trainable
        }

        fn set_trainable(&mut self, trainable: bool) {
            self.base.trainable = trainable;
        }

        fn give_weights(&mut self, weights: Vec<$crate::Tensor>) {
            self.base.give(weights);
        }
    };
}
pub(crate) use base_methods;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_weights_are_taken_in_order_and_must_fit() {
        let mut base = Base::new("Test", "base_test");
        base.give(vec![Tensor::ones([2]), Tensor::zeros([3])]);
        let kernel = base.weight("kernel", &[2], &Initializer::Zeros).unwrap();
        assert_eq!(kernel, Tensor::ones([2]));
        let error = base
            .weight("bias", &[4], &Initializer::Zeros)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "base_test (Test): expected a bias of shape [4], found one of shape [3]"
        );
        let error = base
            .weight("bias", &[4], &Initializer::Zeros)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("found no more weights"), "{error}");
        base.give(vec![Tensor::ones([2])]);
        let error = base.finish().unwrap_err().to_string();
        assert!(
            error.ends_with("found 1 weights more than it has"),
            "{error}"
        );
        assert!(!base.is_built());
    }

    #[test]
    fn a_rate_is_a_share_below_one() {
        let base = Base::new("Test", "base_rate");
        assert!(base.check_rate("dropout", 0.0).is_ok());
        let error = base.check_rate("dropout", 1.0).unwrap_err().to_string();
        assert_eq!(
            error,
            "base_rate (Test): dropout is the share that is left out, at least 0 and below 1, got 1"
        );
        assert!(base.check_rate("dropout", f64::NAN).is_err());
    }

    #[test]
    fn settings_come_back() {
        let mut base = Base::new("Test", "base_config");
        base.trainable = false;
        base.input_shape = Some(vec![2, 3]);
        let config = base.config(json!({"units": 3}));
        let fields = Fields::of(&config, "Test").unwrap();
        assert_eq!(fields.size("units"), Ok(3));
        let back = Base::from_config("Test", "base_config", &fields).unwrap();
        assert_eq!(
            (back.name, back.input_shape, back.trainable),
            (base.name, base.input_shape, false)
        );
    }
}
