//! Samples as plain rows.

use serde_json::{Value, json};

use super::plan::{self, Input, Plan};
use super::{Base, DataFormat, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed};
use crate::{Result, Tensor};

/// The elements of each sample as one axis, in row-major order.
///
/// # Shapes
/// input `[batch, a, b, …]` → output `[batch, a · b · …]`; single numbers become columns, `[batch, 1]`
///
/// ```
/// use dlcore::prelude::*;
/// let layer = Flatten::new();
/// assert_eq!(layer.output_shape(&[28, 28])?, [784]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Flatten {
    base: Base,
    data_format: DataFormat,
}

layer_settings!(Flatten, "flatten");

impl Default for Flatten {
    fn default() -> Flatten {
        Flatten::new()
    }
}

impl Flatten {
    /// A layer for channels that stand last.
    pub fn new() -> Flatten {
        Flatten {
            base: Base::new("Flatten", "flatten"),
            data_format: DataFormat::ChannelsLast,
        }
    }

    /// Where the channels stand (`"channels_last"`). With `"channels_first"` they are put last before
    /// the elements are put in a row, so that the order is the same for both.
    pub fn data_format(mut self, data_format: impl Into<DataFormat>) -> Flatten {
        self.data_format = data_format.into();
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Flatten> {
        let layer = Flatten {
            base: Base::from_config("Flatten", "flatten", fields)?,
            data_format: DataFormat::from_field(fields)?,
        };
        let checked = layer.data_format.check(&layer.base);
        checked.map_err(|error| error.to_string())?;
        Ok(layer)
    }
}

impl Layer for Flatten {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.data_format.check(&self.base)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        let lengths = input_shape.iter();
        let all = lengths
            .map(|&length| Some(length))
            .reduce(|all, length| all?.checked_mul(length?));
        match all.unwrap_or(Some(1)) {
            Some(length) => Ok(vec![length]),
            None => Err(self.base.too_large(input_shape)),
        }
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let length: usize = self.base.sample(x).iter().product();
        let shape = [x.shape()[0], length];
        if self.data_format == DataFormat::ChannelsLast || x.ndim() < 3 {
            return x.reshape(shape);
        }
        let order: Vec<usize> = std::iter::once(0).chain(2..x.ndim()).chain([1]).collect();
        x.permute(&order).reshape(shape)
    }

    fn plan(&self, x: &Input<'_>, _logits: bool) -> Option<Box<dyn Plan>> {
        let as_it_lies = self.data_format == DataFormat::ChannelsLast || x.shape.len() < 3;
        let length = x.sample().iter().product();
        let plain = self.base.is_plain() && as_it_lies;
        let plan = plan::Flatten::new(x, plain.then_some(&[x.shape[0], length])?)?;
        Some(Box::new(plan))
    }

    fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
        None
    }

    fn config(&self) -> Option<Value> {
        let own = json!({"data_format": self.data_format.name()});
        Some(self.base.config(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(Flatten::new(), &[2, 3, 2], &[12], 0));
        check_layer(Case::new(Flatten::new(), &[], &[1], 0));
        let first = Flatten::new().data_format("channels_first");
        check_layer(Case::new(first, &[2, 3, 2], &[12], 0));
    }

    #[test]
    fn channels_come_last_whatever_the_format() {
        let x = Tensor::arange(0.0, 12.0, 1.0).reshape([1, 2, 2, 3]);
        let expected = Flatten::new().forward(&x, false);
        let first = Flatten::new().data_format("channels_first");
        assert_eq!(first.forward(&x.permute([0, 3, 1, 2]), false), expected);
        let error = Flatten::new().data_format("first").build(&[2]).unwrap_err();
        assert!(error.to_string().contains("unknown data_format \"first\""));
    }
}
