//! The fully connected layer.

use serde_json::{Value, json};

use super::{Layer, describe};
use crate::activations::Activation;
use crate::config::{self, Fields, Parsed};
use crate::grad::ops;
use crate::initializers::Initializer;
use crate::tensor::{Shape, expect};
use crate::{Error, Result, Tensor, names};

/// Fully connected layer: `activation(x · kernel + bias)`.
///
/// # Shapes
/// input `[batch, …, in_features]` → output `[batch, …, units]`; `in_features` is taken from the
/// first input. Sparse rows stay sparse.
///
/// ```
/// use dlcore::layers::{Dense, Layer};
/// use dlcore::Tensor;
/// let mut layer = Dense::new(3).activation("relu");
/// layer.build(&[4])?;
/// assert_eq!(layer.forward(&Tensor::ones([2, 4]), false).shape(), [2, 3]);
/// # Ok::<(), dlcore::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    name: String,
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    input_shape: Option<Vec<usize>>,
    kernel: Option<Tensor>,
    bias: Option<Tensor>,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias; kernel Glorot uniform, bias zero.
    pub fn new(units: usize) -> Dense {
        Dense {
            name: names::next("dense"),
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            input_shape: None,
            kernel: None,
            bias: None,
        }
    }

    /// The activation, by name (`"linear"`).
    pub fn activation(mut self, activation: impl Into<Activation>) -> Dense {
        self.activation = activation.into();
        self
    }

    /// The shape of one sample, for the first layer of a model: `[784]`.
    pub fn input_shape(mut self, shape: impl Into<Shape>) -> Dense {
        self.input_shape = Some(shape.into().into_vec());
        self
    }

    /// Whether a bias is added (true).
    pub fn use_bias(mut self, use_bias: bool) -> Dense {
        self.use_bias = use_bias;
        self
    }

    /// How the kernel begins (`"glorot_uniform"`).
    pub fn kernel_initializer(mut self, initializer: impl Into<Initializer>) -> Dense {
        self.kernel_initializer = initializer.into();
        self
    }

    /// How the bias begins (`"zeros"`).
    pub fn bias_initializer(mut self, initializer: impl Into<Initializer>) -> Dense {
        self.bias_initializer = initializer.into();
        self
    }

    /// The layer's name (`"dense"`, `"dense_1"`, … in the order layers are made).
    pub fn name(mut self, name: &str) -> Dense {
        self.name = name.to_string();
        self
    }

    /// The layer that [`Layer::config`] described. No weight is made here: those given must fit.
    pub(super) fn from_config(config: &Value, weights: Vec<Tensor>) -> Parsed<Dense> {
        let fields = Fields::of(config, "Dense")?;
        let initializer = |key| {
            let value = fields.get(key).unwrap_or(&Value::Null);
            Initializer::from_config(value).map_err(|error| format!("Dense: {key}: {error}"))
        };
        let mut layer = Dense {
            name: fields.text("name")?.to_string(),
            units: fields.size("units")?,
            activation: fields.text("activation")?.into(),
            use_bias: fields.flag("use_bias")?,
            kernel_initializer: initializer("kernel_initializer")?,
            bias_initializer: initializer("bias_initializer")?,
            input_shape: fields.shape("input_shape")?,
            kernel: None,
            bias: None,
        };
        layer.check().map_err(|error| error.to_string())?;
        names::seen("dense", &layer.name);
        if weights.is_empty() {
            return Ok(layer);
        }
        let shapes: Vec<&[usize]> = weights.iter().map(Tensor::shape).collect();
        let fits = match shapes.as_slice() {
            [[features, units]] => !layer.use_bias && *features > 0 && *units == layer.units,
            [[features, units], [biases]] => {
                layer.use_bias && *features > 0 && *units == layer.units && biases == units
            }
            _ => false,
        };
        if !fits {
            return Err(format!(
                "{}: expected a kernel of shape [features, {}]{}, found weights of shapes {shapes:?}",
                describe(&layer),
                layer.units,
                if layer.use_bias { " and a bias" } else { "" },
            ));
        }
        let mut weights = weights.into_iter();
        (layer.kernel, layer.bias) = (weights.next(), weights.next());
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        self.activation
            .clone()
            .known()
            .map_err(|error| Error::Value(format!("{}: {error}", describe(self))))?;
        if self.units == 0 {
            return Err(Error::Value(format!(
                "{}: units must be at least 1, got 0",
                describe(self)
            )));
        }
        Ok(())
    }

    fn linear(&self, x: &Tensor) -> Tensor {
        let Some(kernel) = &self.kernel else {
            panic!(
                "{} is not built yet: call build(input_shape) or add it to a model",
                describe(self)
            );
        };
        if x.ndim() < 2 || x.shape().last() != kernel.shape().first() {
            panic!("{}", self.unfit(x.shape()));
        }
        expect(ops::dense(x, kernel, self.bias.as_ref()))
    }

    /// The text for an input, batch axis included, that the kernel cannot take.
    fn unfit(&self, shape: &[usize]) -> Error {
        let features = self.kernel.as_ref().map_or(0, |kernel| kernel.shape()[0]);
        let samples: usize = shape.iter().skip(1).product();
        let hint = if shape.len() > 2 && samples == features {
            format!("; reshape it: x.reshape([{}, {features}])", shape[0])
        } else if shape == [features] {
            format!("; one sample is a batch of one: x.reshape([1, {features}])")
        } else {
            String::new()
        };
        Error::Shape(format!(
            "{}: expected input of shape [batch, …, {features}], as when it was built, got {shape:?}{hint}",
            describe(self)
        ))
    }
}

impl Layer for Dense {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &str {
        "Dense"
    }

    fn input_shape(&self) -> Option<&[usize]> {
        self.input_shape.as_deref()
    }

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        let features = match input_shape {
            [.., features] if *features > 0 => *features,
            _ => {
                return Err(Error::Shape(format!(
                    "{}: expected samples with at least one feature on their last axis, got shape {input_shape:?} \
                     (without the batch axis); a column of single numbers is x.reshape([-1, 1])",
                    describe(self)
                )));
            }
        };
        let named = |error: Error| Error::Value(format!("{}: {error}", describe(self)));
        let kernel = self
            .kernel_initializer
            .create(&[features, self.units])
            .map_err(named)?;
        let bias = match self.use_bias {
            true => Some(self.bias_initializer.create(&[self.units]).map_err(named)?),
            false => None,
        };
        (self.kernel, self.bias) = (Some(kernel), bias);
        Ok(())
    }

    fn is_built(&self) -> bool {
        self.kernel.is_some()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let [before @ .., features] = input_shape else {
            return Err(Error::Shape(format!(
                "{}: expected samples with at least one axis, got single numbers; \
                 a column of them is x.reshape([-1, 1])",
                describe(self)
            )));
        };
        if let Some(kernel) = &self.kernel
            && kernel.shape()[0] != *features
        {
            let expected = kernel.shape()[0];
            let size: usize = input_shape.iter().product();
            let hint = if size == expected {
                format!("; reshape it: x.reshape([-1, {expected}])")
            } else {
                String::new()
            };
            return Err(Error::Shape(format!(
                "{}: expected last axis {expected}, as when it was built, got samples of shape {input_shape:?}{hint}",
                describe(self)
            )));
        }
        Ok([before, &[self.units]].concat())
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        self.activation.apply(&self.forward_logits(x, training))
    }

    fn weights(&self) -> Vec<&Tensor> {
        self.kernel.iter().chain(&self.bias).collect()
    }

    fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        self.kernel.iter_mut().chain(&mut self.bias).collect()
    }

    fn config(&self) -> Option<Value> {
        Some(json!({
            "name": self.name,
            "units": self.units,
            "activation": self.activation.name(),
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer.config(),
            "bias_initializer": self.bias_initializer.config(),
            "input_shape": config::shape(self.input_shape.as_deref()),
        }))
    }

    fn activation(&self) -> Option<&Activation> {
        Some(&self.activation)
    }

    fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
        self.linear(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        for activation in ["linear", "sigmoid", "tanh", "softmax", "relu"] {
            check_layer(Case {
                layer: Box::new(Dense::new(3).activation(activation)),
                input_shape: vec![4],
                output_shape: vec![3],
                params: 15,
                refused: vec![
                    (vec![5], "expected last axis 4"),
                    (vec![2, 2], "x.reshape([-1, 4])"),
                ],
            });
        }
        check_layer(Case {
            layer: Box::new(Dense::new(2).use_bias(false)),
            input_shape: vec![3, 5],
            output_shape: vec![3, 2],
            params: 10,
            refused: vec![
                (vec![3, 4], "expected last axis 5"),
                (vec![], "x.reshape([-1, 1])"),
            ],
        });
    }

    #[test]
    fn computes_activation_of_product_plus_bias() {
        let mut layer = Dense::new(2).activation("relu").bias_initializer("ones");
        layer.build(&[2]).unwrap();
        layer.kernel = Some(Tensor::from([[1.0, -2.0], [3.0, 1.0]]));
        let y = layer.forward(&Tensor::from([[1.0, 2.0], [-1.0, 0.0]]), false);
        assert_eq!(y.to_vec(), [8.0, 1.0, 0.0, 3.0]);
    }

    #[test]
    fn sparse_rows_give_what_dense_rows_give() {
        let mut layer = Dense::new(4).activation("tanh");
        layer.build(&[6]).unwrap();
        let sparse = Tensor::from_sparse_rows(6, &[vec![0, 5], vec![], vec![3]]).unwrap();
        assert_eq!(
            layer.forward(&sparse, true),
            layer.forward(&sparse.to_dense(), true)
        );
    }

    #[test]
    #[should_panic(
        expected = "(Dense): expected input of shape [batch, …, 4], as when it was built, got [3, 2, 2]; reshape it: x.reshape([3, 4])"
    )]
    fn forward_refuses_an_input_of_another_shape() {
        let mut layer = Dense::new(1);
        layer.build(&[4]).unwrap();
        layer.forward(&Tensor::zeros([3, 2, 2]), false);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: Dense| layer.build(&[2]).unwrap_err().to_string();
        let text = error(Dense::new(1).activation("sofmax").name("out"));
        assert!(
            text.starts_with(
                "out (Dense): unknown activation \"sofmax\"; did you mean \"softmax\"?"
            ),
            "{text}"
        );
        assert!(error(Dense::new(0)).contains("units must be at least 1, got 0"));
        assert!(error(Dense::new(1).kernel_initializer("glorot")).contains("unknown initializer"));
    }
}
