//! The fully connected layer.

use serde_json::{Map, Value, json};

use super::plan::{self, Input, Plan};
use super::weight::{Weight, are_free, weight_methods, weight_settings};
use super::{Base, Layer, base_methods, layer_settings};
use crate::activations::Activation;
use crate::config::{Fields, Parsed};
use crate::error::raise;
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Error, Result, Tensor};

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
    base: Base,
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel: Weight,
    bias: Weight,
}

layer_settings!(Dense, "dense");
weight_settings!(
    Dense,
    kernel,
    "kernel",
    "glorot_uniform",
    kernel_initializer,
    kernel_regularizer,
    kernel_constraint
);
weight_settings!(
    Dense,
    bias,
    "bias",
    "zeros",
    bias_initializer,
    bias_regularizer,
    bias_constraint
);

impl Dense {
    /// A layer of `units` outputs, linear, with a bias; kernel Glorot uniform, bias zero.
    pub fn new(units: usize) -> Dense {
        Self::of(Base::new("Dense", "dense"), units)
    }

    fn of(base: Base, units: usize) -> Dense {
        Dense {
            base,
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel: Weight::new("kernel", "glorot_uniform"),
            bias: Weight::new("bias", "zeros"),
        }
    }

    /// The activation, by name (`"linear"`).
    pub fn activation(mut self, activation: impl Into<Activation>) -> Dense {
        self.activation = activation.into();
        self
    }

    /// Whether a bias is added (true).
    pub fn use_bias(mut self, use_bias: bool) -> Dense {
        self.use_bias = use_bias;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Dense> {
        let base = Base::from_config("Dense", "dense", fields)?;
        let mut layer = Self::of(base, fields.size("units")?);
        layer.activation = Activation::from_field(fields, "activation")?;
        layer.use_bias = fields.flag("use_bias")?;
        layer.kernel = layer.kernel.with_config(fields)?;
        layer.bias = layer.bias.with_config(fields)?;
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        let base = &self.base;
        let activation = self.activation.clone().known();
        activation.map_err(|error| base.value_error(error))?;
        self.kernel.check(base)?;
        self.bias.check(base)?;
        if self.units == 0 {
            return Err(base.value_error("units must be at least 1, got 0"));
        }
        Ok(())
    }

    /// The shape of a sample whose axes before the last are `before`.
    fn of_activation(&self, before: &[usize]) -> Result<Vec<usize>> {
        let shape = [before, &[self.units]].concat();
        let shape = self.activation.output_shape(&shape);
        shape.map_err(|error| self.base.shape_error(error))
    }

    /// The product with the kernel, by `dense` itself or with an activation in it.
    fn product(
        &self,
        x: &Tensor,
        dense: fn(&Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor>,
    ) -> Tensor {
        let kernel = self.kernel.built(&self.base);
        if x.ndim() < 2 || x.shape().last() != kernel.shape().first() {
            raise(&self.unfit(x.shape()));
        }
        expect(dense(x, kernel, self.bias.value.as_ref()))
    }

    /// The text for an input, batch axis included, that the kernel cannot take.
    fn unfit(&self, shape: &[usize]) -> Error {
        let kernel = self.kernel.value.as_ref();
        let features = kernel.map_or(0, |kernel| kernel.shape()[0]);
        let samples: usize = shape.iter().skip(1).product();
        let hint = if shape.len() > 2 && samples == features {
            format!("; reshape it: x.reshape([{}, {features}])", shape[0])
        } else if shape == [features] {
            format!("; one sample is a batch of one: x.reshape([1, {features}])")
        } else {
            String::new()
        };
        self.base.shape_error(format!(
            "expected input of shape [batch, …, {features}], as when it was built, got {shape:?}{hint}"
        ))
    }
}

impl Layer for Dense {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        let features = match input_shape {
            [.., features] if *features > 0 => *features,
            _ => {
                return Err(self.base.shape_error(format!(
                    "expected samples with at least one feature on their last axis, got shape {input_shape:?} \
                     (without the batch axis); a column of single numbers is x.reshape([-1, 1])"
                )));
            }
        };
        self.of_activation(&[])?;
        let base = &mut self.base;
        let kernel = self.kernel.make(base, &[features, self.units])?;
        let bias = match self.use_bias {
            true => Some(self.bias.make(base, &[self.units])?),
            false => None,
        };
        base.finish()?;
        (self.kernel.value, self.bias.value) = (Some(kernel), bias);
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let [before @ .., features] = input_shape else {
            return Err(self.base.shape_error(
                "expected samples with at least one axis, got single numbers; a column of them is \
                 x.reshape([-1, 1])",
            ));
        };
        if let Some(kernel) = &self.kernel.value
            && kernel.shape()[0] != *features
        {
            let expected = kernel.shape()[0];
            let size: usize = input_shape.iter().product();
            let hint = if size == expected {
                format!("; reshape it: x.reshape([-1, {expected}])")
            } else {
                String::new()
            };
            return Err(self.base.shape_error(format!(
                "expected last axis {expected}, as when it was built, got samples of shape {input_shape:?}{hint}"
            )));
        }
        self.of_activation(before)
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        match &self.activation {
            Activation::Relu => self.product(x, ops::dense_relu),
            other => other.apply(&self.forward_logits(x, training)),
        }
    }

    weight_methods!(kernel, bias);

    fn config(&self) -> Option<Value> {
        let mut own = Map::new();
        own.insert("units".into(), json!(self.units));
        own.insert("activation".into(), self.activation.config()?);
        own.insert("use_bias".into(), json!(self.use_bias));
        self.kernel.write(&mut own);
        self.bias.write(&mut own);
        Some(self.base.config(Value::Object(own)))
    }

    fn activation(&self) -> Option<&Activation> {
        Some(&self.activation)
    }

    fn plan(&self, x: &Input<'_>, logits: bool) -> Option<Box<dyn Plan>> {
        let relu = self.activation.in_place(logits)?;
        let free = are_free(&[&self.kernel, &self.bias]) && self.base.is_plain();
        let plan = plan::Dense::new(x, self.kernel.value.as_ref().filter(|_| free)?, relu)?;
        Some(Box::new(plan))
    }

    fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
        self.product(x, ops::dense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};
    use crate::regularizers::Regularizer;

    #[test]
    fn conforms() {
        for activation in ["linear", "sigmoid", "tanh", "softmax", "relu"] {
            let layer = Dense::new(3).activation(activation);
            check_layer(
                Case::new(layer, &[4], &[3], 15)
                    .refuses(&[5], "expected last axis 4")
                    .refuses(&[2, 2], "x.reshape([-1, 4])"),
            );
        }
        let regularized = Dense::new(2)
            .use_bias(false)
            .kernel_regularizer(Regularizer::l1_l2(0.1, 0.2));
        check_layer(
            Case::new(regularized, &[3, 5], &[3, 2], 10)
                .mask()
                .refuses(&[3, 4], "expected last axis 5")
                .refuses(&[], "x.reshape([-1, 1])"),
        );
    }

    #[test]
    fn an_activation_of_ones_own_is_applied_but_cannot_be_saved() {
        let mut layer = Dense::new(2).activation(Activation::custom("half", |x| x / 2.0));
        layer.build(&[3]).unwrap();
        let x = Tensor::ones([1, 3]);
        assert_eq!(
            layer.forward(&x, false),
            layer.forward_logits(&x, false) / 2.0
        );
        assert_eq!(layer.config(), None);
    }

    #[test]
    fn computes_activation_of_product_plus_bias() {
        let mut layer = Dense::new(2).activation("relu").bias_initializer("ones");
        layer.build(&[2]).unwrap();
        layer.kernel.value = Some(Tensor::from([[1.0, -2.0], [3.0, 1.0]]));
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
        assert!(
            error(Dense::new(1).kernel_regularizer("l3"))
                .contains("(Dense): kernel_regularizer: unknown regularizer \"l3\"")
        );
    }
}
