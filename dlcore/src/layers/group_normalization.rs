//! Normalization of each sample by groups of channels.

use serde_json::{Value, json};

use super::affine::{Affine, affine_settings};
use super::dims::with_axes_last;
use super::weight::weight_methods;
use super::{Base, Dims, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Gives each group of channels of each sample, over all other axes, mean 0 and variance 1, then each
/// channel a scale and a shift that are learned. It does the same in training and inference, and does
/// not depend on the size of the batch.
///
/// # Shapes
/// any → the same; `gamma` and `beta` `[channels]`
///
/// ```
/// use dlcore::prelude::*;
/// let mut layer = GroupNormalization::new(2).epsilon(0.0);
/// layer.build(&[4])?;
/// let y = layer.forward(&Tensor::from([[1.0, 3.0, -10.0, 10.0]]), false);
/// assert_eq!(y, Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
/// # Ok::<(), Error>(())
/// ```
///
/// Source: Wu and He, 2018; epsilon as in Keras.
#[derive(Clone, Debug)]
pub struct GroupNormalization {
    base: Base,
    groups: isize,
    axis: isize,
    epsilon: f64,
    affine: Affine,
    /// How many there are, once the layer is built.
    channels: Option<usize>,
}

layer_settings!(GroupNormalization, "group_normalization");
affine_settings!(GroupNormalization);

impl GroupNormalization {
    /// A layer of so many groups (Keras's own number is 32), which must divide the channels; -1 makes
    /// each channel a group: instance normalization.
    pub fn new(groups: isize) -> GroupNormalization {
        GroupNormalization {
            base: Base::new("GroupNormalization", "group_normalization"),
            groups,
            axis: -1,
            epsilon: 1e-3,
            affine: Affine::new(),
            channels: None,
        }
    }

    /// The axis of the channels (-1), the batch axis being 0.
    pub fn axis(mut self, axis: isize) -> GroupNormalization {
        self.axis = axis;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<GroupNormalization> {
        let layer = GroupNormalization {
            base: Base::from_config("GroupNormalization", "group_normalization", fields)?,
            groups: Dims::single(fields, "groups", 32)?,
            axis: Dims::single(fields, "axis", -1)?,
            epsilon: fields.float("epsilon")?,
            affine: Affine::from_config(fields)?,
            channels: None,
        };
        layer.check_epsilon().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    /// The axis of the channels and the number of groups.
    fn grouping(&self, sample: &[usize]) -> Result<(usize, usize)> {
        let axis = self.base.axis(self.axis, sample)?;
        let channels = sample[axis - 1];
        if let Some(built) = self.channels.filter(|&built| built != channels) {
            return Err(self.base.shape_error(format!(
                "expected {built} channels on axis {}, as when it was built, got samples of shape \
                 {sample:?}",
                self.axis
            )));
        }
        let groups = match self.groups {
            -1 => channels,
            groups => usize::try_from(groups).unwrap_or(0),
        };
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(self.base.value_error(format!(
                "{} groups do not divide {channels} channels; expected a divisor, or -1 for a group \
                 for each channel",
                self.groups
            )));
        }
        Ok((axis, groups))
    }
}

impl Layer for GroupNormalization {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check_epsilon()?;
        let (axis, _) = self.grouping(input_shape)?;
        let channels = input_shape[axis - 1];
        self.affine.build(&mut self.base, &[channels])?;
        self.base.finish()?;
        self.channels = Some(channels);
        Ok(())
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.grouping(input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        if self.channels.is_none() {
            panic!("{}", self.base.unbuilt());
        }
        let x = x.as_float();
        let (axis, groups) = expect(self.grouping(self.base.sample(&x)));
        with_axes_last(&x, &[axis], |x| {
            let (batch, channels) = (x.shape()[0], x.shape()[x.ndim() - 1]);
            let places: usize = x.shape()[1..x.ndim() - 1].iter().product();
            let width = places * (channels / groups);
            let (ones, zeros) = (Tensor::ones(width), Tensor::zeros(width));
            let grouped = x.reshape([batch, places, groups, channels / groups]);
            let rows = with_axes_last(&grouped, &[1, 3], |rows| {
                expect(ops::layer_norm(rows, &ones, &zeros, self.epsilon))
            });
            self.affine.apply(rows.reshape(x.shape()))
        })
    }

    weight_methods!(affine.gamma, affine.beta);

    fn config(&self) -> Option<Value> {
        Some(self.base.config(self.affine.config(json!({
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": number(self.epsilon),
        }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(GroupNormalization::new(2), &[4], &[4], 8)
                .refuses(&[6], "expected 4 channels on axis -1, as when it was built"),
        );
        check_layer(Case::new(
            GroupNormalization::new(2),
            &[2, 3, 4],
            &[2, 3, 4],
            8,
        ));
        let first = GroupNormalization::new(-1).axis(1).scale(false);
        check_layer(Case::new(first, &[2, 5], &[2, 5], 2));
    }

    #[test]
    fn groups_must_divide_the_channels() {
        for groups in [3, 0, -2, 8] {
            let mut layer = GroupNormalization::new(groups);
            let error = layer.build(&[4]).unwrap_err().to_string();
            let expected = format!("{groups} groups do not divide 4 channels");
            assert!(error.contains(&expected), "{error}");
        }
    }
}
