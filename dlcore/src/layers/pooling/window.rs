//! Pooling by a window that slides over sequences and images.

use serde_json::{Map, Value};

use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::grad::ops;
use crate::layers::plan::{self, Input, Plan};
use crate::layers::spatial::{DataFormat, Pair, Sliding, sliding_settings};
use crate::layers::{Base, Layer, base_methods, layer_settings};
use crate::tensor::expect;
use crate::{Result, Tensor};

macro_rules! pooling {
    (
        $(#[$doc:meta])*
        $layer:ident, $prefix:literal, $rank:literal, $largest:literal, $extent:ty, $pair:path
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            sliding: Sliding,
        }

        layer_settings!($layer, $prefix);
        sliding_settings!($layer, $extent, $pair, "`pool_size`", "`\"valid\"`, `\"same\"`");

        impl $layer {
            /// A layer whose windows have this extent and lie side by side. Keras's default is 2.
            pub fn new(pool_size: $extent) -> $layer {
                let size = $pair(pool_size);
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    sliding: Sliding::new("pool_size", $rank, size, size),
                }
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    sliding: Sliding::from_config("pool_size", $rank, fields, |size| size)?,
                };
                let checked = layer.sliding.check(&layer.base, false);
                checked.map_err(|error| error.to_string())?;
                Ok(layer)
            }

            /// The window over a sample, its positions, and the sample's channels.
            fn over(&self, shape: &[usize]) -> Result<(Window, [usize; 2], usize)> {
                let (extent, channels) = self.sliding.layout.split(&self.base, shape)?;
                let (window, positions) = self.sliding.positions(&self.base, extent)?;
                Ok((window, positions, channels))
            }
        }

        impl $layer {
            fn operation(&self, sample: &[usize]) -> ops::Pool {
                let (window, positions, _) = expect(self.over(sample));
                ops::Pool {
                    window,
                    positions,
                    largest: $largest,
                }
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.sliding.check(&self.base, false)?;
                self.over(input_shape)?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, positions, channels) = self.over(input_shape)?;
                Ok(self.sliding.layout.join(positions, channels))
            }

            fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
                let op = self.operation(x.shape().get(1..).unwrap_or_default());
                let y = expect(ops::pool(&self.sliding.layout.images(x), op));
                self.sliding.layout.samples(&y)
            }

            fn plan(&self, x: &Input<'_>, _logits: bool) -> Option<Box<dyn Plan>> {
                let plain = self.base.is_plain()
                    && self.sliding.layout.data_format == DataFormat::ChannelsLast;
                let plan = plan::Pool::new(x, plain.then(|| self.operation(x.sample()))?)?;
                Some(Box::new(plan))
            }

            fn config(&self) -> Option<Value> {
                let mut own = Map::new();
                self.sliding.write(&mut own);
                Some(self.base.config(Value::Object(own)))
            }

            /// None: Keras's pooling does not pass masks on.
            fn output_mask(&self, _: &[Tensor], _: &[Option<Tensor>]) -> Option<Tensor> {
                None
            }
        }
    };
}

pooling! {
    /// The largest of each window over the steps, channel by channel.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, channels]`; `new_steps` is
    /// `⌈steps / strides⌉` with padding `"same"`, else `⌊(steps − pool_size) / strides⌋ + 1`.
    ///
    /// ```
    /// use dlcore::layers::{Layer, MaxPooling1D};
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[[1.0], [3.0], [2.0], [0.0]]]);
    /// assert_eq!(MaxPooling1D::new(2).forward(&x, false).to_vec(), [3.0, 2.0]);
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/max_pooling1d.py`.
    MaxPooling1D, "max_pooling1d", 1, true, usize, Pair::of_sequences
}

pooling! {
    /// The largest of each window over height and width, channel by channel. Where several are
    /// largest, the gradient goes to the first.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output
    /// `[batch, new_height, new_width, channels]`; a new extent is `⌈extent / strides⌉` with padding
    /// `"same"`, else `⌊(extent − pool_size) / strides⌋ + 1`.
    ///
    /// ```
    /// use dlcore::layers::{Layer, MaxPooling2D};
    /// let mut layer = MaxPooling2D::new(2);
    /// layer.build(&[26, 26, 32])?;
    /// assert_eq!(layer.output_shape(&[26, 26, 32])?, [13, 13, 32]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/max_pooling2d.py`.
    MaxPooling2D, "max_pooling2d", 2, true, impl Into<Pair>, Pair::of_images
}

pooling! {
    /// The mean of each window over the steps, channel by channel; padding is left out of it.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, channels]`; `new_steps` as of
    /// [`MaxPooling1D`].
    ///
    /// ```
    /// use dlcore::layers::{AveragePooling1D, Layer};
    /// use dlcore::Tensor;
    /// let x = Tensor::from([[[1.0], [3.0], [2.0], [0.0]]]);
    /// assert_eq!(AveragePooling1D::new(2).forward(&x, false).to_vec(), [2.0, 1.0]);
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/average_pooling1d.py`.
    AveragePooling1D, "average_pooling1d", 1, false, usize, Pair::of_sequences
}

pooling! {
    /// The mean of each window over height and width, channel by channel; padding is left out of it.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output
    /// `[batch, new_height, new_width, channels]`; the new extents as of [`MaxPooling2D`].
    ///
    /// ```
    /// use dlcore::layers::{AveragePooling2D, Layer};
    /// let mut layer = AveragePooling2D::new(2).strides(1).padding("same");
    /// layer.build(&[5, 6, 3])?;
    /// assert_eq!(layer.output_shape(&[5, 6, 3])?, [5, 6, 3]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/pooling/average_pooling2d.py`.
    AveragePooling2D, "average_pooling2d", 2, false, impl Into<Pair>, Pair::of_images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};
    use crate::{GradientTape, Tensor};

    #[test]
    fn conforms_over_sequences() {
        check_layer(
            Case::new(MaxPooling1D::new(2), &[5, 3], &[2, 3], 0)
                .refuses(&[1, 3], "at least [2], which a pool_size of [2]")
                .refuses(&[5], "[steps, channels]"),
        );
        let layer = AveragePooling1D::new(3).strides(1).padding("same");
        check_layer(Case::new(layer, &[4, 2], &[4, 2], 0));
        let first = AveragePooling1D::new(2).data_format("channels_first");
        check_layer(Case::new(first, &[3, 4], &[3, 2], 0));
    }

    #[test]
    fn conforms_over_images() {
        let layer = MaxPooling2D::new([2, 3]).strides((1, 2)).padding("same");
        check_layer(
            Case::new(layer, &[3, 4, 2], &[3, 2, 2], 0).refuses(&[3, 4], "x.expand_dims(-1)"),
        );
        let first = MaxPooling2D::new(2).data_format("channels_first");
        check_layer(Case::new(first, &[2, 5, 4], &[2, 2, 2], 0));
        check_layer(Case::new(
            AveragePooling2D::new(2),
            &[3, 4, 2],
            &[1, 2, 2],
            0,
        ));
    }

    #[test]
    fn the_first_of_several_largest_takes_the_gradient() {
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::ones([1, 2, 4, 1]));
        let y = MaxPooling2D::new(2).forward(&x, false).sum();
        let gradient = tape.gradient(&y, &[&x]).remove(0);
        assert_eq!(gradient.to_vec(), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: MaxPooling1D| layer.build(&[9, 3]).unwrap_err().to_string();
        let text = error(MaxPooling1D::new(0).name("p"));
        assert_eq!(
            text,
            "p (MaxPooling1D): pool_size must be at least 1, got [0]"
        );
        let text = error(MaxPooling1D::new(2).padding("causal"));
        assert!(text.contains("unknown padding \"causal\""), "{text}");
    }
}
