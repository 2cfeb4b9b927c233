//! Pooling over all of a sample.

use serde_json::{Value, json};

use crate::config::{Fields, Parsed};
use crate::layers::spatial::{Layout, data_format_setting};
use crate::layers::{Base, Call, Layer, base_methods, layer_settings};
use crate::tensor::expect;
use crate::{Result, Tensor};

/// The largest element of each channel of `[batch, places, channels]`.
fn largest(x: &Tensor, _: Option<&Tensor>) -> Tensor {
    x.max_axis(1)
}

/// The mean of each channel of `[batch, places, channels]`, over the places that count.
fn mean(x: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let Some(mask) = mask else {
        return x.mean_axis(1);
    };
    let counts = mask.cast(x.dtype()).expand_dims(-1);
    (x * &counts).sum_axis(1) / counts.sum_axis(1)
}

macro_rules! global {
    ($(#[$doc:meta])* $layer:ident, $prefix:literal, $rank:literal, $pool:path, $masked:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            keepdims: bool,
            layout: Layout,
        }

        layer_settings!($layer, $prefix);
        data_format_setting!($layer, layout.data_format);

        impl $layer {
            /// A layer that leaves the channels only.
            #[expect(clippy::new_without_default, reason = "layers are made by `new` alone")]
            pub fn new() -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    keepdims: false,
                    layout: Layout::new($rank),
                }
            }

            /// Whether the axes that are pooled over stay, with length 1 (false).
            pub fn keepdims(mut self, keepdims: bool) -> $layer {
                self.keepdims = keepdims;
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    keepdims: fields.flag_or("keepdims", false)?,
                    layout: Layout::from_config($rank, fields)?,
                };
                let checked = layer.layout.check(&layer.base);
                checked.map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn pooled(&self, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
                let sample = x.shape().get(1..).unwrap_or_default();
                let ([height, width], channels) = expect(self.layout.split(&self.base, sample));
                let images = self.layout.images(&x.as_float());
                let batch = images.shape()[0];
                let places = images.reshape([batch, height * width, channels]);
                let pooled = $pool(&places, mask);
                match self.keepdims {
                    true => self.layout.samples(&pooled.reshape([batch, 1, 1, channels])),
                    false => pooled,
                }
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.layout.check(&self.base)?;
                self.layout.split(&self.base, input_shape)?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, channels) = self.layout.split(&self.base, input_shape)?;
                Ok(match self.keepdims {
                    true => self.layout.join([1, 1], channels),
                    false => vec![channels],
                })
            }

            fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
                self.pooled(x, None)
            }

            fn call(&self, inputs: &[Tensor], call: &Call) -> Vec<Tensor> {
                let mask = call.mask(0).filter(|_| $masked);
                vec![self.pooled(&inputs[0], mask)]
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({
                    "keepdims": self.keepdims,
                    "data_format": self.layout.data_format.name(),
                })))
            }

            /// None: there are no timesteps any more.
            fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
                None
            }
        }
    };
}

global! {
    /// The largest element of each channel over all steps.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, channels]`; with `keepdims`
    /// `[batch, 1, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{GlobalMaxPooling1D, Layer};
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[[1.0, 4.0], [3.0, 2.0]]]);
    /// assert_eq!(GlobalMaxPooling1D::new().forward(&x, false), Tensor::from([[3.0, 4.0]]));
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/global_max_pooling1d.py`.
    GlobalMaxPooling1D, "global_max_pooling1d", 1, largest, false
}

global! {
    /// The largest element of each channel over height and width.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output `[batch, channels]`; with `keepdims`
    /// `[batch, 1, 1, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{GlobalMaxPooling2D, Layer};
    /// let mut layer = GlobalMaxPooling2D::new();
    /// layer.build(&[4, 4, 512])?;
    /// assert_eq!(layer.output_shape(&[4, 4, 512])?, [512]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/global_max_pooling2d.py`.
    GlobalMaxPooling2D, "global_max_pooling2d", 2, largest, false
}

global! {
    /// The mean of each channel over all steps, or over those that a mask says count.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, channels]`; with `keepdims`
    /// `[batch, 1, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{GlobalAveragePooling1D, Layer};
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[[1.0, 4.0], [3.0, 2.0]]]);
    /// assert_eq!(GlobalAveragePooling1D::new().forward(&x, false), Tensor::from([[2.0, 3.0]]));
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/global_average_pooling1d.py`.
    GlobalAveragePooling1D, "global_average_pooling1d", 1, mean, true
}

global! {
    /// The mean of each channel over height and width.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output `[batch, channels]`; with `keepdims`
    /// `[batch, 1, 1, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{GlobalAveragePooling2D, Layer};
    /// let mut layer = GlobalAveragePooling2D::new().keepdims(true);
    /// layer.build(&[4, 4, 512])?;
    /// assert_eq!(layer.output_shape(&[4, 4, 512])?, [1, 1, 512]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/global_average_pooling2d.py`.
    GlobalAveragePooling2D, "global_average_pooling2d", 2, mean, false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(GlobalMaxPooling1D::new(), &[4, 3], &[3], 0)
                .refuses(&[4], "[steps, channels], got [4]"),
        );
        check_layer(Case::new(
            GlobalAveragePooling1D::new().keepdims(true),
            &[4, 3],
            &[1, 3],
            0,
        ));
        let first = GlobalAveragePooling1D::new().data_format("channels_first");
        check_layer(Case::new(first, &[3, 4], &[3], 0));
        check_layer(Case::new(GlobalAveragePooling1D::new(), &[4, 3], &[3], 0).mask());
        check_layer(
            Case::new(GlobalAveragePooling2D::new(), &[2, 4, 3], &[3], 0)
                .refuses(&[4, 3], "[height, width, channels]"),
        );
        let first = GlobalMaxPooling2D::new()
            .data_format("channels_first")
            .keepdims(true);
        check_layer(Case::new(first, &[3, 2, 4], &[3, 1, 1], 0));
    }

    #[test]
    fn the_mean_is_over_the_steps_that_count() {
        let x = Tensor::from([[[1.0], [3.0], [8.0]], [[2.0], [4.0], [6.0]]]);
        let mask = Tensor::from([[true, true, false], [false, true, false]]);
        let call = Call {
            training: false,
            masks: vec![Some(mask)],
        };
        let y = GlobalAveragePooling1D::new()
            .call(std::slice::from_ref(&x), &call)
            .remove(0);
        assert_eq!(y.to_vec(), [2.0, 4.0]);
        let y = GlobalMaxPooling1D::new().call(&[x], &call).remove(0);
        assert_eq!(y.to_vec(), [8.0, 6.0]);
    }

    #[test]
    fn an_unknown_data_format_is_refused_with_the_layers_name() {
        let mut layer = GlobalMaxPooling2D::new()
            .data_format("chanels_first")
            .name("g");
        let text = layer.build(&[2, 2, 1]).unwrap_err().to_string();
        assert!(
            text.starts_with("g (GlobalMaxPooling2D): unknown data_format"),
            "{text}"
        );
        assert!(text.contains("did you mean \"channels_first\"?"), "{text}");
    }
}
