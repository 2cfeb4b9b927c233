//! Dropout of whole feature maps.

use serde_json::{Value, json};

use super::spatial::data_format_setting;
use super::{Base, DataFormat, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::random::{dropout_mask, next_seed};
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Defines the layer for samples of one number of axes.
macro_rules! spatial_dropout {
    ($(#[$doc:meta])* $layer:ident $prefix:literal, $rank:literal, $axes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            rate: f64,
            data_format: DataFormat,
        }

        layer_settings!($layer, $prefix);

        impl $layer {
            /// A layer that leaves out `rate` of the feature maps, at least 0 and below 1.
            pub fn new(rate: f64) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    rate,
                    data_format: DataFormat::ChannelsLast,
                }
            }

            /// The layer that [`Layer::config`] described.
            pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    rate: fields.float("rate")?,
                    data_format: DataFormat::from_field(fields)?,
                };
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                self.base.check_rate("rate", self.rate)?;
                self.data_format.check(&self.base)
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.base.expect_rank(input_shape, $rank, $axes)?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                self.base.expect_rank(input_shape, $rank, $axes)?;
                Ok(input_shape.to_vec())
            }

            fn forward(&self, x: &Tensor, training: bool) -> Tensor {
                expect(self.output_shape(self.base.sample(x)));
                if !training || self.rate == 0.0 {
                    return x.clone();
                }
                // One draw for each sample and channel.
                let mut shape = vec![1; $rank + 1];
                let channels = match self.data_format {
                    DataFormat::ChannelsFirst => 1,
                    _ => $rank,
                };
                shape[0] = x.shape()[0];
                shape[channels] = x.shape()[channels];
                x * dropout_mask(&shape, self.rate, next_seed())
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({
                    "rate": number(self.rate),
                    "data_format": self.data_format.name(),
                })))
            }
        }
    };
}

spatial_dropout! {
    /// While training, sets whole features of a sequence to 0, at all timesteps, with probability
    /// `rate`, and scales the others by `1 / (1 − rate)`; otherwise passes its input on.
    ///
    /// # Shapes
    /// `[batch, timesteps, channels]` → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let y = SpatialDropout1D::new(0.5).forward(&Tensor::ones([1, 4, 8]), true);
    /// // What is left out in one timestep is left out in all.
    /// assert_eq!(y.get(0).get(0), y.get(0).get(3));
    /// ```
    ///
    /// Source: Tompson et al., 2014.
    SpatialDropout1D "spatial_dropout1d", 2, "timesteps, channels"
}

spatial_dropout! {
    /// While training, sets whole channels of an image to 0 with probability `rate`, and scales the
    /// others by `1 / (1 − rate)`; otherwise passes its input on.
    ///
    /// # Shapes
    /// `[batch, rows, columns, channels]`, or `[batch, channels, rows, columns]` with
    /// `"channels_first"` → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let y = SpatialDropout2D::new(0.5).forward(&Tensor::ones([1, 4, 4, 8]), true);
    /// assert_eq!(y.slice((0, 0, 0)), y.slice((0, 3, 3)));
    /// ```
    ///
    /// Source: Tompson et al., 2014.
    SpatialDropout2D "spatial_dropout2d", 3, "rows, columns, channels"
}
data_format_setting!(SpatialDropout2D, data_format);

spatial_dropout! {
    /// While training, sets whole channels of a volume to 0 with probability `rate`, and scales the
    /// others by `1 / (1 − rate)`; otherwise passes its input on.
    ///
    /// # Shapes
    /// `[batch, depth, rows, columns, channels]`, or `[batch, channels, depth, rows, columns]` with
    /// `"channels_first"` → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let layer = SpatialDropout3D::new(0.5).data_format("channels_first");
    /// let y = layer.forward(&Tensor::ones([1, 8, 2, 2, 2]), false);
    /// assert_eq!(y, Tensor::ones([1, 8, 2, 2, 2]));
    /// ```
    ///
    /// Source: Tompson et al., 2014.
    SpatialDropout3D "spatial_dropout3d", 4, "depth, rows, columns, channels"
}
data_format_setting!(SpatialDropout3D, data_format);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(SpatialDropout1D::new(0.5), &[2, 3], &[2, 3], 0)
                .random()
                .refuses(
                    &[3],
                    "expected samples of shape [timesteps, channels], got shape [3]",
                ),
        );
        let first = SpatialDropout2D::new(0.5).data_format("channels_first");
        check_layer(Case::new(first, &[2, 3, 2], &[2, 3, 2], 0).random());
        check_layer(
            Case::new(SpatialDropout3D::new(0.5), &[2, 1, 3, 2], &[2, 1, 3, 2], 0).random(),
        );
    }

    /// Each channel is left out as a whole or kept as a whole, and about the rate is.
    fn check_maps(y: &Tensor, samples: usize, channels: usize) {
        let maps = y.reshape([samples, channels, 4]);
        let (low, high) = (maps.min_axis(-1), maps.max_axis(-1));
        assert_eq!(low, high);
        let dropped = low.to_vec().iter().filter(|&&v| v == 0.0).count();
        // 3,000 draws at 0.25: six standard deviations are 142.
        assert!((608..=892).contains(&dropped), "{dropped}");
        let scaled = |&v: &f32| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6;
        assert!(low.to_vec().iter().all(scaled));
    }

    #[test]
    fn whole_feature_maps_are_left_out() {
        let y = SpatialDropout1D::new(0.25).forward(&Tensor::ones([100, 4, 30]), true);
        check_maps(&y.permute([0, 2, 1]), 100, 30);
        let y = SpatialDropout2D::new(0.25).forward(&Tensor::ones([100, 2, 2, 30]), true);
        check_maps(&y.permute([0, 3, 1, 2]), 100, 30);
        let first = SpatialDropout2D::new(0.25).data_format("channels_first");
        check_maps(
            &first.forward(&Tensor::ones([100, 30, 2, 2]), true),
            100,
            30,
        );
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let error = SpatialDropout1D::new(1.0).build(&[2, 2]).unwrap_err();
        assert!(error.to_string().contains("at least 0 and below 1, got 1"));
        let mut layer = SpatialDropout2D::new(0.1).data_format("chanels_last");
        let error = layer.build(&[2, 2, 2]).unwrap_err().to_string();
        assert!(error.contains("did you mean \"channels_last\"?"), "{error}");
    }
}
