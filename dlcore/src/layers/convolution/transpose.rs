//! Transposed convolution: from something of a convolution's output shape to one of its input shape.

use serde_json::{Map, Value, json};

use super::{
    Head, Weight, check_count, convolution_methods, convolution_settings, kernel_of_images,
    kernel_shape, sample, weight_methods, weight_settings,
};
use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::grad::ops;
use crate::layers::spatial::{Padding, Pair, Sliding, check_channels};
use crate::layers::{Base, Layer, layer_settings};
use crate::tensor::expect;
use crate::{Result, Tensor};

/// Along one axis: what is cut off before the first patch, and the length of the output. Keras 3's
/// rule, `backend/common/backend_utils.py`.
fn unwound(
    sliding: &Sliding,
    axis: usize,
    length: usize,
    output_padding: Option<usize>,
) -> (usize, usize) {
    let (stride, reach) = (sliding.strides[axis], sliding.reach(axis));
    // What would not fit into memory is found out where room is asked for.
    let between = length.saturating_sub(1).saturating_mul(stride);
    if sliding.padding == Padding::Valid {
        let more = output_padding.unwrap_or(stride.saturating_sub(reach));
        return (0, between.saturating_add(reach).saturating_add(more));
    }
    let (added, output) = match output_padding {
        None => (
            stride.saturating_add(reach).saturating_sub(2),
            length.saturating_mul(stride),
        ),
        Some(more) => (
            reach + reach % 2 + more - 2,
            between.saturating_add(reach % 2 + more),
        ),
    };
    let left = added.div_ceil(2).min(reach - 1);
    (reach - 1 - left, output)
}

macro_rules! transpose {
    ($(#[$doc:meta])* $layer:ident, $prefix:literal, $rank:literal, $extent:ty, $pair:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            filters: usize,
            output_padding: Option<[usize; 2]>,
            sliding: Sliding,
            kernel: Weight,
            head: Head,
        }

        layer_settings!($layer, $prefix);
        convolution_settings!($layer, $extent, $pair, "`\"valid\"`, `\"same\"`");
        weight_settings!(
            $layer,
            kernel,
            "kernel",
            "glorot_uniform",
            kernel_initializer,
            kernel_regularizer,
            kernel_constraint
        );

        impl $layer {
            /// A layer of so many filters, each of this extent; linear, with a bias, kernel Glorot
            /// uniform, bias zero.
            pub fn new(filters: usize, kernel_size: $extent) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    filters,
                    output_padding: None,
                    sliding: Sliding::new("kernel_size", $rank, $pair(kernel_size), [1, 1]),
                    kernel: Weight::new("kernel", "glorot_uniform"),
                    head: Head::new(),
                }
            }

            /// What the output is longer by than the least that has its input's length, below the
            /// strides (chosen for the lengths given above).
            pub fn output_padding(mut self, output_padding: $extent) -> $layer {
                self.output_padding = Some($pair(output_padding));
                if $rank == 1 {
                    // Along the height that a sequence does not have.
                    self.output_padding = self.output_padding.map(|[_, steps]| [0, steps]);
                }
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let sliding = Sliding::from_config("kernel_size", $rank, fields, |_| [1, 1])?;
                let mut layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    filters: fields.size("filters")?,
                    output_padding: sliding.layout.field(fields, "output_padding")?,
                    sliding,
                    kernel: Weight::new("kernel", "glorot_uniform").with_config(fields)?,
                    head: Head::from_config(fields)?,
                };
                if $rank == 1 {
                    layer.output_padding = layer.output_padding.map(|[_, steps]| [0, steps]);
                }
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                let base = &self.base;
                check_count(base, "filters", self.filters)?;
                self.sliding.check(base, false)?;
                self.sliding.check_skips(base)?;
                let strides = self.sliding.strides;
                if let Some(more) = self.output_padding
                    && (more[0] >= strides[0] || more[1] >= strides[1])
                {
                    let listed = |pair| self.sliding.layout.listed(pair);
                    return Err(base.value_error(format!(
                        "output_padding must be below strides, {}, along each axis, got {}",
                        listed(strides),
                        listed(more)
                    )));
                }
                self.kernel.check(base)?;
                self.head.check(base)
            }

            fn settings(&self) -> Map<String, Value> {
                let layout = &self.sliding.layout;
                let more = self.output_padding.map(|more| layout.listed(more));
                let mut own = Map::new();
                own.insert("filters".into(), json!(self.filters));
                own.insert("output_padding".into(), json!(more));
                own
            }

            /// The window from the output to a sample, the output's height and width, and the
            /// sample's channels.
            fn over(&self, shape: &[usize]) -> Result<(Window, [usize; 2], usize)> {
                let ([height, width], channels) = self.sliding.layout.split(&self.base, shape)?;
                let kernel = self.kernel.value.as_ref();
                let built = kernel.map(|kernel| kernel.shape()[$rank + 1]);
                check_channels(&self.base, built, channels, shape)?;
                let more = |axis: usize| self.output_padding.map(|more| more[axis]);
                let (above, down) = unwound(&self.sliding, 0, height, more(0));
                let (before, across) = unwound(&self.sliding, 1, width, more(1));
                if down == 0 || across == 0 {
                    return Err(self.base.shape_error(format!(
                        "nothing would be left of samples of shape {shape:?} with an output_padding of \
                         0; leave it out"
                    )));
                }
                Ok((self.sliding.window([above, before]), [down, across], channels))
            }
        }

        impl Layer for $layer {
            convolution_methods!(kernel);

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.output_shape(input_shape)?;
                let (_, _, channels) = self.over(input_shape)?;
                let shape = kernel_shape($rank, self.sliding.size, [self.filters, channels]);
                let kernel = self.kernel.make(&mut self.base, &shape)?;
                let bias = self.head.make(&mut self.base, self.filters)?;
                self.base.finish()?;
                (self.kernel.value, self.head.bias.value) = (Some(kernel), bias);
                Ok(())
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, images, _) = self.over(input_shape)?;
                let shape = self.sliding.layout.join(images, self.filters);
                self.head.output_shape(&self.base, &shape)
            }

            fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
                let kernel = kernel_of_images(&self.kernel, &self.base);
                let (window, images, _) = expect(self.over(sample(x)));
                let op = ops::ConvTranspose {
                    window,
                    images,
                    products: ops::Products::now(),
                };
                let x = self.sliding.layout.images(x);
                let bias = self.head.bias.value.as_ref();
                let y = expect(ops::conv_transpose(&x, &kernel, bias, op));
                self.sliding.layout.samples(&y)
            }
        }
    };
}

transpose! {
    /// Transposed convolution over time: each step, times the kernel, is a patch of the output, and
    /// patches that overlap are added.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, filters]`. `new_steps` is
    /// `steps · strides` with padding `"same"`, else
    /// `(steps − 1) · strides + max(reach, strides)`, where the window reaches over
    /// `(kernel_size − 1) · dilation_rate + 1` steps; with an `output_padding` it is
    /// `(steps − 1) · strides + reach % 2 + output_padding`, or
    /// `(steps − 1) · strides + reach + output_padding`. The kernel is
    /// `[kernel_size, filters, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{Conv1DTranspose, Layer};
    /// let mut layer = Conv1DTranspose::new(8, 3).strides(2).padding("same");
    /// layer.build(&[10, 16])?;
    /// assert_eq!(layer.output_shape(&[10, 16])?, [20, 8]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_conv_transpose.py`.
    Conv1DTranspose, "conv1d_transpose", 1, usize, Pair::of_sequences
}

transpose! {
    /// Transposed convolution over images: each pixel, times the kernel, is a patch of the output,
    /// and patches that overlap are added. With strides it makes images larger: the way back from
    /// what a [`Conv2D`](super::Conv2D) with strides made smaller.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output `[batch, new_height, new_width, filters]`. A
    /// new extent is `extent · strides` with padding `"same"`, else
    /// `(extent − 1) · strides + max(reach, strides)`, where the window reaches over
    /// `(kernel_size − 1) · dilation_rate + 1`; with an `output_padding` it is
    /// `(extent − 1) · strides + reach % 2 + output_padding`, or
    /// `(extent − 1) · strides + reach + output_padding`. The kernel is
    /// `[…kernel_size, filters, channels]`.
    ///
    /// ```
    /// use dlcore::layers::{Conv2DTranspose, Layer};
    /// let mut layer = Conv2DTranspose::new(64, 3).strides(2).padding("same").activation("relu");
    /// layer.build(&[25, 25, 256])?;
    /// assert_eq!(layer.output_shape(&[25, 25, 256])?, [50, 50, 64]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/base_conv_transpose.py`.
    Conv2DTranspose, "conv2d_transpose", 2, impl Into<Pair>, Pair::of_images
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let layer = Conv1DTranspose::new(3, 2).activation("tanh").strides(3);
        check_layer(Case::new(layer, &[3, 2], &[9, 3], 15).refuses(&[4, 3], "expected 2 channels"));
        let layer = Conv2DTranspose::new(2, 3).padding("same").strides(2);
        check_layer(
            Case::new(layer.kernel_regularizer("l2"), &[2, 3, 2], &[4, 6, 2], 38)
                .refuses(&[3, 4], "[height, width, channels]"),
        );
        let first = Conv2DTranspose::new(2, [2, 3]).data_format("channels_first");
        let first = first.strides(2).output_padding([1, 0]).use_bias(false);
        check_layer(Case::new(first, &[2, 2, 2], &[2, 5, 5], 24));
        let dilated = Conv2DTranspose::new(1, 2).dilation_rate([2, 1]);
        check_layer(Case::new(dilated, &[2, 2, 1], &[4, 3, 1], 5));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: Conv2DTranspose| layer.build(&[2, 2, 3]).unwrap_err().to_string();
        let text = error(
            Conv2DTranspose::new(1, 3)
                .strides(2)
                .output_padding([1, 2])
                .name("t"),
        );
        assert_eq!(
            text,
            "t (Conv2DTranspose): output_padding must be below strides, [2,2], along each axis, got [1,2]"
        );
        let text = error(Conv2DTranspose::new(1, 3).strides(2).dilation_rate(2));
        assert!(text.contains("do not go together"), "{text}");
    }
}
