//! Convolution of each channel by itself, then of all channels at each place by itself.

use serde_json::{Map, Value, json};

use super::{
    Head, Weight, check_count, convolution_methods, convolution_settings, kernel_of_images,
    kernel_shape, sample, weight_methods, weight_settings,
};
use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::grad::ops;
use crate::layers::spatial::{Pair, Sliding};
use crate::layers::{Base, Layer, layer_settings};
use crate::tensor::expect;
use crate::{Result, Tensor};

macro_rules! separable {
    ($(#[$doc:meta])* $layer:ident, $prefix:literal, $rank:literal, $extent:ty, $pair:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            filters: usize,
            depth_multiplier: usize,
            sliding: Sliding,
            depthwise: Weight,
            pointwise: Weight,
            head: Head,
        }

        layer_settings!($layer, $prefix);
        convolution_settings!($layer, $extent, $pair, "`\"valid\"`, `\"same\"`");
        weight_settings!(
            $layer,
            depthwise,
            "kernel of the first convolution",
            "glorot_uniform",
            depthwise_initializer,
            depthwise_regularizer,
            depthwise_constraint
        );
        weight_settings!(
            $layer,
            pointwise,
            "kernel of the second convolution",
            "glorot_uniform",
            pointwise_initializer,
            pointwise_regularizer,
            pointwise_constraint
        );

        impl $layer {
            /// A layer of so many filters, whose windows have this extent; linear, with a bias,
            /// kernels Glorot uniform, bias zero.
            pub fn new(filters: usize, kernel_size: $extent) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    filters,
                    depth_multiplier: 1,
                    sliding: Sliding::new("kernel_size", $rank, $pair(kernel_size), [1, 1]),
                    depthwise: Weight::new("depthwise", "glorot_uniform"),
                    pointwise: Weight::new("pointwise", "glorot_uniform"),
                    head: Head::new(),
                }
            }

            /// How many windows each channel has (1).
            pub fn depth_multiplier(mut self, depth_multiplier: usize) -> $layer {
                self.depth_multiplier = depth_multiplier;
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    filters: fields.size("filters")?,
                    depth_multiplier: match fields.get("depth_multiplier") {
                        Some(_) => fields.size("depth_multiplier")?,
                        None => 1,
                    },
                    sliding: Sliding::from_config("kernel_size", $rank, fields, |_| [1, 1])?,
                    depthwise: Weight::new("depthwise", "glorot_uniform").with_config(fields)?,
                    pointwise: Weight::new("pointwise", "glorot_uniform").with_config(fields)?,
                    head: Head::from_config(fields)?,
                };
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                check_count(&self.base, "filters", self.filters)?;
                check_count(&self.base, "depth_multiplier", self.depth_multiplier)?;
                self.sliding.check(&self.base, false)?;
                self.depthwise.check(&self.base)?;
                self.pointwise.check(&self.base)?;
                self.head.check(&self.base)
            }

            fn settings(&self) -> Map<String, Value> {
                let own = [
                    ("filters", self.filters),
                    ("depth_multiplier", self.depth_multiplier),
                ];
                own.map(|(key, value)| (key.to_string(), json!(value))).into_iter().collect()
            }

            /// The window over a sample, its positions, and the sample's channels.
            fn over(&self, shape: &[usize]) -> Result<(Window, [usize; 2], usize)> {
                let kernel = self.depthwise.value.as_ref();
                let built = kernel.map(|kernel| kernel.shape()[$rank]);
                self.sliding.over(&self.base, shape, built)
            }
        }

        impl Layer for $layer {
            convolution_methods!(depthwise, pointwise);

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.output_shape(input_shape)?;
                let (_, _, channels) = self.over(input_shape)?;
                let rest = [channels, self.depth_multiplier];
                let shape = kernel_shape($rank, self.sliding.size, rest);
                let depthwise = self.depthwise.make(&mut self.base, &shape)?;
                let rest = [channels * self.depth_multiplier, self.filters];
                let shape = kernel_shape($rank, [1, 1], rest);
                let pointwise = self.pointwise.make(&mut self.base, &shape)?;
                let bias = self.head.make(&mut self.base, self.filters)?;
                self.base.finish()?;
                self.depthwise.value = Some(depthwise);
                self.pointwise.value = Some(pointwise);
                self.head.bias.value = bias;
                Ok(())
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, positions, _) = self.over(input_shape)?;
                let shape = self.sliding.layout.join(positions, self.filters);
                self.head.output_shape(&self.base, &shape)
            }

            fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
                let depthwise = kernel_of_images(&self.depthwise, &self.base);
                let pointwise = kernel_of_images(&self.pointwise, &self.base);
                let (window, positions, _) = expect(self.over(sample(x)));
                let images = self.sliding.layout.images(x);
                let op = ops::DepthwiseConv {
                    window,
                    positions,
                    products: ops::Products::now(),
                };
                let each = expect(ops::depthwise_conv(&images, &depthwise, None, op));
                // A window of one place is a dense layer over the channels.
                let matrix = pointwise.reshape(&pointwise.shape()[2..]);
                let bias = self.head.bias.value.as_ref();
                let y = expect(ops::dense(&each, &matrix, bias));
                self.sliding.layout.samples(&y)
            }
        }
    };
}

separable! {
    /// Convolution over time in two steps: each channel by itself, then at each step all channels
    /// together. It has far fewer weights than [`Conv1D`](super::Conv1D).
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, filters]`; `new_steps` as of
    /// [`Conv1D`](super::Conv1D). The kernels are `[kernel_size, channels, depth_multiplier]` and
    /// `[1, channels · depth_multiplier, filters]`.
    ///
    /// ```
    /// use dlcore::layers::{Layer, SeparableConv1D};
    /// let mut layer = SeparableConv1D::new(32, 3).activation("relu");
    /// layer.build(&[10, 16])?;
    /// assert_eq!(layer.output_shape(&[10, 16])?, [8, 32]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_separable_conv.py`.
    SeparableConv1D, "separable_conv1d", 1, usize, Pair::of_sequences
}

separable! {
    /// Convolution over images in two steps: each channel by itself, then at each pixel all channels
    /// together. It has far fewer weights than [`Conv2D`](super::Conv2D).
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output `[batch, new_height, new_width, filters]`;
    /// the new extents as of [`Conv2D`](super::Conv2D). The kernels are
    /// `[…kernel_size, channels, depth_multiplier]` and `[1, 1, channels · depth_multiplier, filters]`.
    ///
    /// ```
    /// use dlcore::layers::{Layer, SeparableConv2D};
    /// let mut layer = SeparableConv2D::new(64, 3).activation("relu");
    /// layer.build(&[64, 64, 3])?;
    /// assert_eq!(layer.output_shape(&[64, 64, 3])?, [62, 62, 64]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_separable_conv.py`.
    SeparableConv2D, "separable_conv2d", 2, impl Into<Pair>, Pair::of_images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let layer = SeparableConv1D::new(3, 2).activation("tanh");
        check_layer(Case::new(layer, &[4, 2], &[3, 3], 13).refuses(&[4, 3], "expected 2 channels"));
        let layer = SeparableConv2D::new(3, [2, 3])
            .padding("same")
            .depth_multiplier(2);
        let layer = layer
            .pointwise_regularizer("l2")
            .depthwise_regularizer("l1");
        check_layer(
            Case::new(layer.strides(2), &[3, 4, 2], &[2, 2, 3], 39)
                .refuses(&[3, 4], "[height, width, channels]"),
        );
        let first = SeparableConv2D::new(2, 2).data_format("channels_first");
        check_layer(Case::new(first.use_bias(false), &[2, 3, 3], &[2, 2, 2], 12));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: SeparableConv2D| layer.build(&[9, 9, 3]).unwrap_err().to_string();
        let text = error(SeparableConv2D::new(0, 3).name("s"));
        assert_eq!(
            text,
            "s (SeparableConv2D): filters must be at least 1, got 0"
        );
        let text = error(SeparableConv2D::new(1, 3).pointwise_regularizer("l3"));
        assert!(
            text.contains("pointwise_regularizer: unknown regularizer"),
            "{text}"
        );
        let text = error(SeparableConv2D::new(1, 10));
        assert!(
            text.contains("expected samples of at least [10,10]"),
            "{text}"
        );
    }
}
