//! Convolution over sequences and images.

use crate::activations::Activation;
use serde_json::{Map, Value, json};

use super::{
    Head, Weight, check_count, convolution_methods, convolution_settings, kernel_of_images,
    kernel_shape, sample, weight_methods, weight_settings,
};
use crate::config::{Fields, Parsed};
use crate::device::cpu::Window;
use crate::grad::ops;
use crate::layers::plan::{self, Input, Plan};
use crate::layers::spatial::{DataFormat, Pair, Sliding};
use crate::layers::weight::are_free;
use crate::layers::{Base, Layer, layer_settings};
use crate::tensor::expect;
use crate::{Result, Tensor};

macro_rules! conv {
    (
        $(#[$doc:meta])*
        $layer:ident, $prefix:literal, $rank:literal, $extent:ty, $pair:path, $paddings:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            filters: usize,
            groups: usize,
            sliding: Sliding,
            kernel: Weight,
            head: Head,
        }

        layer_settings!($layer, $prefix);
        convolution_settings!($layer, $extent, $pair, $paddings);
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
                    groups: 1,
                    sliding: Sliding::new("kernel_size", $rank, $pair(kernel_size), [1, 1]),
                    kernel: Weight::new("kernel", "glorot_uniform"),
                    head: Head::new(),
                }
            }

            /// Into how many parts channels and filters are divided, each filter seeing the channels
            /// of its own part (1).
            pub fn groups(mut self, groups: usize) -> $layer {
                self.groups = groups;
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(in crate::layers) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let groups = match fields.get("groups") {
                    Some(_) => fields.size("groups")?,
                    None => 1,
                };
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    filters: fields.size("filters")?,
                    groups,
                    sliding: Sliding::from_config("kernel_size", $rank, fields, |_| [1, 1])?,
                    kernel: Weight::new("kernel", "glorot_uniform").with_config(fields)?,
                    head: Head::from_config(fields)?,
                };
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                let base = &self.base;
                check_count(base, "filters", self.filters)?;
                check_count(base, "groups", self.groups)?;
                if !self.filters.is_multiple_of(self.groups) {
                    return Err(base.value_error(format!(
                        "filters must divide into {} groups, got {}",
                        self.groups, self.filters
                    )));
                }
                self.sliding.check(base, $rank == 1)?;
                self.sliding.check_skips(base)?;
                self.kernel.check(base)?;
                self.head.check(base)
            }

            fn settings(&self) -> Map<String, Value> {
                let own = [("filters", self.filters), ("groups", self.groups)];
                own.map(|(key, value)| (key.to_string(), json!(value))).into_iter().collect()
            }

            /// The window over a sample, its positions, and the sample's channels.
            fn over(&self, shape: &[usize]) -> Result<(Window, [usize; 2], usize)> {
                let kernel = self.kernel.value.as_ref();
                let built = kernel.map(|kernel| kernel.shape()[$rank] * self.groups);
                self.sliding.over(&self.base, shape, built)
            }
        }

        impl Layer for $layer {
            convolution_methods!(fused kernel);

            fn build(&mut self, input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.output_shape(input_shape)?;
                let (_, _, channels) = self.over(input_shape)?;
                if !channels.is_multiple_of(self.groups) {
                    return Err(self.base.shape_error(format!(
                        "expected channels that divide into {} groups, got {channels} in samples of \
                         shape {input_shape:?}",
                        self.groups
                    )));
                }
                let rest = [channels / self.groups, self.filters];
                let shape = kernel_shape($rank, self.sliding.size, rest);
                let kernel = self.kernel.make(&mut self.base, &shape)?;
                let bias = self.head.make(&mut self.base, self.filters)?;
                self.base.finish()?;
                (self.kernel.value, self.head.bias.value) = (Some(kernel), bias);
                Ok(())
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                let (_, positions, _) = self.over(input_shape)?;
                let shape = self.sliding.layout.join(positions, self.filters);
                self.head.output_shape(&self.base, &shape)
            }

            fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
                match &self.head.activation {
                    Activation::Relu => self.convolved(x, true),
                    other => other.apply(&self.convolved(x, false)),
                }
            }

            fn forward_logits(&self, x: &Tensor, _training: bool) -> Tensor {
                self.convolved(x, false)
            }

            fn plan(&self, x: &Input<'_>, logits: bool) -> Option<Box<dyn Plan>> {
                let relu = self.head.activation.in_place(logits)?;
                let free = are_free(&[&self.kernel, &self.head.bias]) && self.base.is_plain();
                if !free || self.sliding.layout.data_format != DataFormat::ChannelsLast {
                    return None;
                }
                let plan = plan::Conv::new(x, self.operation(x.sample(), relu), self.filters)?;
                Some(Box::new(plan))
            }
        }

        impl $layer {
            fn operation(&self, sample: &[usize], relu: bool) -> ops::Conv {
                let (window, positions, _) = expect(self.over(sample));
                ops::Conv {
                    window,
                    positions,
                    groups: self.groups,
                    relu,
                    products: ops::Products::now(),
                }
            }

            /// The convolution with its bias, and with negative results made 0 if `relu`.
            fn convolved(&self, x: &Tensor, relu: bool) -> Tensor {
                let kernel = kernel_of_images(&self.kernel, &self.base);
                let op = self.operation(sample(x), relu);
                let images = self.sliding.layout.images(x);
                let bias = self.head.bias.value.as_ref();
                let y = expect(ops::conv(&images, &kernel, bias, op));
                self.sliding.layout.samples(&y)
            }
        }
    };
}

conv! {
    /// Convolution over time: each filter is a window that slides over the steps, and gives at each
    /// position `activation(Σ window · kernel + bias)`.
    ///
    /// # Shapes
    /// input `[batch, steps, channels]` → output `[batch, new_steps, filters]`; with
    /// `data_format("channels_first")` the channels come before the steps on both sides. The kernel
    /// is `[kernel_size, channels / groups, filters]`. `new_steps` is `⌈steps / strides⌉` with
    /// padding `"same"` or `"causal"`, else `⌊(steps − reach) / strides⌋ + 1`, where the window reaches
    /// over `(kernel_size − 1) · dilation_rate + 1` steps.
    ///
    /// ```
    /// use dlcore::layers::{Conv1D, Layer};
    /// use dlcore::Tensor;
    /// let mut layer = Conv1D::new(8, 24).activation("relu");
    /// layer.build(&[120, 14])?;
    /// assert_eq!(layer.forward(&Tensor::ones([2, 120, 14]), false).shape(), [2, 97, 8]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/conv1d.py`.
    Conv1D, "conv1d", 1, usize, Pair::of_sequences, "`\"valid\"`, `\"same\"`, `\"causal\"`"
}

conv! {
    /// Convolution over images: each filter is a window that slides over height and width, and gives
    /// at each position `activation(Σ window · kernel + bias)`.
    ///
    /// # Shapes
    /// input `[batch, height, width, channels]` → output `[batch, new_height, new_width, filters]`;
    /// with `data_format("channels_first")` the channels come before height and width on both sides.
    /// The kernel is `[…kernel_size, channels / groups, filters]`. A new extent is
    /// `⌈extent / strides⌉` with padding `"same"`, else `⌊(extent − reach) / strides⌋ + 1`, where the
    /// window reaches over `(kernel_size − 1) · dilation_rate + 1`.
    ///
    /// ```
    /// use dlcore::layers::{Conv2D, Layer};
    /// use dlcore::Tensor;
    /// let mut layer = Conv2D::new(32, 3).activation("relu");
    /// layer.build(&[28, 28, 1])?;
    /// assert_eq!(layer.forward(&Tensor::ones([2, 28, 28, 1]), false).shape(), [2, 26, 26, 32]);
    /// # Ok::<(), dlcore::Error>(())
    /// ```
    ///
    /// Source: Keras 3, `layers/convolutional/conv2d.py`.
    Conv2D, "conv2d", 2, impl Into<Pair>, Pair::of_images, "`\"valid\"`, `\"same\"`"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms_over_sequences() {
        let layer = Conv1D::new(3, 2).activation("tanh");
        check_layer(
            Case::new(layer, &[5, 4], &[4, 3], 27)
                .refuses(&[5, 3], "expected 4 channels, as when it was built, got 3")
                .refuses(&[1, 4], "at least [2]")
                .refuses(&[5], "[steps, channels], got [5]"),
        );
        let causal = Conv1D::new(2, 3).padding("causal").dilation_rate(2);
        check_layer(Case::new(causal.use_bias(false), &[6, 2], &[6, 2], 12));
        let first = Conv1D::new(2, 3).data_format("channels_first").strides(2);
        check_layer(Case::new(first.padding("same"), &[3, 5], &[2, 3], 20));
    }

    #[test]
    fn conforms_over_images() {
        let layer = Conv2D::new(3, [2, 3]).activation("tanh");
        check_layer(
            Case::new(layer, &[4, 5, 2], &[3, 3, 3], 39)
                .refuses(&[4, 2, 2], "at least [2,3], which a kernel_size of [2,3]")
                .refuses(&[4, 5], "x.expand_dims(-1) adds an axis of one channel")
                .refuses(&[4, 5, 0], "at least one element"),
        );
        let grouped = Conv2D::new(4, 2).groups(2).strides([2, 1]).padding("same");
        let grouped = grouped.kernel_regularizer("l2").bias_regularizer("l1");
        check_layer(Case::new(grouped, &[3, 3, 4], &[2, 3, 4], 36));
        let first = Conv2D::new(2, 2)
            .data_format("channels_first")
            .dilation_rate(2);
        check_layer(Case::new(first, &[3, 4, 3], &[2, 2, 1], 26));
        check_layer(Case::new(Conv2D::new(2, 1), &[2, 2, 3], &[2, 2, 2], 8));
    }

    #[test]
    fn computes_the_window_times_the_kernel() {
        let mut layer = Conv2D::new(1, 2).bias_initializer("ones");
        layer.build(&[3, 3, 1]).unwrap();
        layer.kernel.value = Some(Tensor::from([1.0, 2.0, 3.0, -1.0]).reshape([2, 2, 1, 1]));
        let x = Tensor::arange(0.0, 9.0, 1.0).reshape([1, 3, 3, 1]);
        // 0·1 + 1·2 + 3·3 − 4 + 1, …
        assert_eq!(layer.forward(&x, false).to_vec(), [8.0, 13.0, 23.0, 28.0]);
    }

    #[test]
    fn bytes_are_taken_for_numbers() {
        let mut layer = Conv2D::new(2, 2);
        layer.build(&[3, 3, 1]).unwrap();
        let pixels = Tensor::from_shape_vec_u8([1, 3, 3, 1], (0..9).collect()).unwrap();
        let numbers = pixels.cast(crate::DType::F32);
        assert_eq!(
            layer.forward(&pixels, false),
            layer.forward(&numbers, false)
        );
    }

    #[test]
    #[should_panic(
        expected = "(Conv2D): expected samples of shape [height, width, channels], got [28, 1]"
    )]
    fn forward_refuses_what_is_no_batch() {
        let mut layer = Conv2D::new(1, 3);
        layer.build(&[28, 28, 1]).unwrap();
        layer.forward(&Tensor::zeros([28, 28, 1]), false);
    }

    #[test]
    #[should_panic(expected = "is not built yet")]
    fn forward_needs_the_layer_built() {
        Conv1D::new(1, 3).forward(&Tensor::zeros([1, 3, 1]), false);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_the_layers_name() {
        let error = |mut layer: Conv2D| layer.build(&[9, 9, 3]).unwrap_err().to_string();
        let text = error(Conv2D::new(2, 3).padding("sam").name("c"));
        assert!(
            text.starts_with("c (Conv2D): unknown padding \"sam\"; did you mean \"same\"?"),
            "{text}"
        );
        let cases = [
            (Conv2D::new(0, 3), "filters must be at least 1, got 0"),
            (
                Conv2D::new(2, [3, 0]),
                "kernel_size must be at least 1, got [3,0]",
            ),
            (Conv2D::new(2, 3).strides(0), "strides must be at least 1"),
            (Conv2D::new(2, 3).groups(0), "groups must be at least 1"),
            (
                Conv2D::new(3, 3).groups(2),
                "filters must divide into 2 groups, got 3",
            ),
            (
                Conv2D::new(2, 3).groups(2),
                "channels that divide into 2 groups, got 3",
            ),
            (
                Conv2D::new(2, 3).padding("causal"),
                "unknown padding \"causal\"",
            ),
            (
                Conv2D::new(2, 3).data_format("last"),
                "unknown data_format \"last\"",
            ),
            (Conv2D::new(2, 3).activation("sofmax"), "unknown activation"),
            (
                Conv2D::new(2, 3).kernel_initializer("glorot"),
                "kernel: unknown initializer",
            ),
            (
                Conv2D::new(2, 3).kernel_regularizer("l3"),
                "kernel_regularizer: unknown regularizer",
            ),
            (
                Conv2D::new(2, 3).strides(2).dilation_rate(2),
                "do not go together",
            ),
        ];
        for (layer, words) in cases {
            let text = error(layer);
            assert!(text.contains(words), "{text} does not say {words}");
        }
    }
}
