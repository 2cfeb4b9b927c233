//! Convolution of each channel by itself.

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

macro_rules! depthwise {
    ($(#[$doc:meta])* $layer:ident, $prefix:literal, $rank:literal, $extent:ty, $pair:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            depth_multiplier: usize,
            sliding: Sliding,
            depthwise: Weight,
            head: Head,
        }

        layer_settings!($layer, $prefix);
        convolution_settings!($layer, $extent, $pair, "`\"valid\"`, `\"same\"`");
        weight_settings!(
            $layer,
            depthwise,
            "kernel",
            "glorot_uniform",
            depthwise_initializer,
            depthwise_regularizer,
            depthwise_constraint
        );

        impl $layer {
            /// A layer with one window of this extent for each channel; linear, with a bias, kernel
            /// Glorot uniform, bias zero.
            pub fn new(kernel_size: $extent) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    depth_multiplier: 1,
                    sliding: Sliding::new("kernel_size", $rank, $pair(kernel_size), [1, 1]),
                    depthwise: Weight::new("depthwise", "glorot_uniform"),
                    head: Head::new(),
                }
            }

            /// How many windows, and so outputs, each channel has (1).
            pub fn depth_multiplier(mut self, depth_multiplier: usize) -> $layer {
                self.depth_multiplier = depth_multiplier;
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    depth_multiplier: match fields.get("depth_multiplier") {
                        Some(_) => fields.size("depth_multiplier")?,
                        None => 1,
                    },
                    sliding: Sliding::from_config("kernel_size", $rank, fields, |_| [1, 1])?,
                    depthwise: Weight::new("depthwise", "glorot_uniform").with_config(fields)?,
                    head: Head::from_config(fields)?,
                };
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                check_count(&self.base, "depth_multiplier", self.depth_multiplier)?;
                self.sliding.check(&self.base, false)?;
                self.depthwise.check(&self.base)?;
                self.head.check(&self.base)
            }

            fn settings(&self) -> Map<String, Value> {
                let own = ("depth_multiplier".to_string(), json!(self.depth_multiplier));
                [own].into_iter().collect()
            }

            /// The window over a sample, its positions, and the sample's channels.
            fn over(&self, shape: &[usize]) -> Result<(Window, [usize; 2], usize)> {
                let kernel = self.depthwise.value.as_ref();
                let built = kernel.map(|kernel| kernel.shape()[$rank]);
                self.sliding.over(&self.base, shape, built)
            }
        }

        impl Layer for $layer {
            convolution_methods!(depthwise);

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.output_shape(input_shape)?;
                let (_, _, channels) = self.over(input_shape)?;
                let rest = [channels, self.depth_multiplier];
                let shape = kernel_shape($rank, self.sliding.size, rest);
                let kernel = self.depthwise.make(&mut self.base, &shape)?;
                let bias = self.head.make(&mut self.base, channels * self.depth_multiplier)?;
                self.base.finish()?;
                (self.depthwise.value, self.head.bias.value) = (Some(kernel), bias);
                Ok(())
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, positions, channels) = self.over(input_shape)?;
                let outputs = channels * self.depth_multiplier;
                let shape = self.sliding.layout.join(positions, outputs);
                self.head.output_shape(&self.base, &shape)
            }

            fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
                let kernel = kernel_of_images(&self.depthwise, &self.base);
                let (window, positions, _) = expect(self.over(sample(x)));
                let images = self.sliding.layout.images(x);
                let bias = self.head.bias.value.as_ref();
                let op = ops::DepthwiseConv {
                    window,
                    positions,
                    products: ops::Products::now(),
                };
                let y = expect(ops::depthwise_conv(&images, &kernel, bias, op));
                self.sliding.layout.samples(&y)
            }
        }
    };
}

depthwise! {
    /// Convolution over time of each channel by itself: the first half of
    /// [`SeparableConv1D`](super::SeparableConv1D).
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, channels · depth_multiplier]`,
    /// the outputs of one channel together; `new_steps` as of [`Conv1D`](super::Conv1D). The kernel
    /// is `[kernel_size, channels, depth_multiplier]`.
    ///
    /// ```
    /// use dlcore::layers::{DepthwiseConv1D, Layer};
    /// let mut layer = DepthwiseConv1D::new(3).depth_multiplier(2);
    /// layer.build(&[10, 12])?;
    /// assert_eq!(layer.output_shape(&[10, 12])?, [8, 24]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_depthwise_conv.py`.
    DepthwiseConv1D, "depthwise_conv1d", 1, usize, Pair::of_sequences
}

depthwise! {
    /// Convolution over images of each channel by itself: the first half of
    /// [`SeparableConv2D`](super::SeparableConv2D).
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output
    /// `[batch, new_height, new_width, channels · depth_multiplier]`, the outputs of one channel
    /// together; the new extents as of [`Conv2D`](super::Conv2D). The kernel is
    /// `[…kernel_size, channels, depth_multiplier]`.
    ///
    /// ```
    /// use dlcore::layers::{DepthwiseConv2D, Layer};
    /// let mut layer = DepthwiseConv2D::new(3).padding("same");
    /// layer.build(&[8, 8, 16])?;
    /// assert_eq!(layer.output_shape(&[8, 8, 16])?, [8, 8, 16]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_depthwise_conv.py`.
    DepthwiseConv2D, "depthwise_conv2d", 2, impl Into<Pair>, Pair::of_images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let layer = DepthwiseConv1D::new(2)
            .depth_multiplier(3)
            .activation("tanh");
        check_layer(Case::new(layer, &[4, 2], &[3, 6], 18).refuses(&[4, 3], "expected 2 channels"));
        let layer = DepthwiseConv2D::new([2, 3]).padding("same").strides(2);
        check_layer(
            Case::new(
                layer.depthwise_regularizer("l2"),
                &[3, 4, 2],
                &[2, 2, 2],
                14,
            )
            .refuses(&[3, 4], "[height, width, channels]"),
        );
        let first = DepthwiseConv2D::new(2)
            .data_format("channels_first")
            .dilation_rate([1, 2]);
        check_layer(Case::new(first.use_bias(false), &[2, 3, 4], &[2, 2, 2], 8));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: DepthwiseConv2D| layer.build(&[9, 9, 3]).unwrap_err().to_string();
        let text = error(DepthwiseConv2D::new(3).depth_multiplier(0).name("d"));
        assert_eq!(
            text,
            "d (DepthwiseConv2D): depth_multiplier must be at least 1, got 0"
        );
        let text = error(DepthwiseConv2D::new(3).depthwise_initializer("one"));
        assert!(text.contains("did you mean \"ones\"?"), "{text}");
    }
}
