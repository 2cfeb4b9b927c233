//! Noise while training: Gaussian, added or multiplied, and dropout that keeps mean and variance.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::activations::{SELU_ALPHA, SELU_SCALE};
use crate::config::{Fields, Parsed, number};
use crate::random::{dropout_mask, next_seed, normal};
use crate::{Result, Tensor};

/// Defines a layer of one strength that changes its input while training only.
macro_rules! noise {
    (
        $(#[$doc:meta])*
        $layer:ident $prefix:literal, $(#[$setting_doc:meta])* $setting:ident, $valid:expr,
        $function:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            $setting: f64,
        }

        layer_settings!($layer, $prefix);

        impl $layer {
            $(#[$setting_doc])*
            pub fn new($setting: f64) -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    $setting,
                }
            }

            /// The layer that [`Layer::config`] described.
            pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                let layer = $layer {
                    base: Base::from_config(stringify!($layer), $prefix, fields)?,
                    $setting: fields.float(stringify!($setting))?,
                };
                layer.check().map_err(|error| error.to_string())?;
                Ok(layer)
            }

            fn check(&self) -> Result<()> {
                match ($valid).contains(&self.$setting) {
                    true => Ok(()),
                    false => Err(self.base.value_error(format!(
                        "{} must be within {:?}, got {}",
                        stringify!($setting),
                        $valid,
                        self.$setting
                    ))),
                }
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
                self.check()?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                Ok(input_shape.to_vec())
            }

            fn forward(&self, x: &Tensor, training: bool) -> Tensor {
                match training && self.$setting > 0.0 {
                    true => $function(&x.as_float(), self.$setting),
                    false => x.clone(),
                }
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({stringify!($setting): number(self.$setting)})))
            }
        }
    };
}

noise! {
    /// While training, adds normal noise of mean 0; otherwise passes its input on.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let layer = GaussianNoise::new(0.1);
    /// let x = Tensor::ones([2, 3]);
    /// assert_eq!(layer.forward(&x, false), x);
    /// assert_ne!(layer.forward(&x, true), x);
    /// ```
    GaussianNoise "gaussian_noise",
    /// A layer of noise with standard deviation `stddev`, from 0 to 1.
    stddev, 0.0..=1.0, add_noise
}

noise! {
    /// While training, multiplies by normal noise of mean 1 and the variance that dropout's has,
    /// `rate / (1 − rate)`; otherwise passes its input on.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let layer = GaussianDropout::new(0.3);
    /// let x = Tensor::ones([2, 3]);
    /// assert_eq!(layer.forward(&x, false), x);
    /// ```
    ///
    /// Source: Srivastava et al., 2014.
    GaussianDropout "gaussian_dropout",
    /// A layer as strong as dropout of this rate, at least 0 and below 1.
    rate, 0.0..1.0, multiply_noise
}

noise! {
    /// While training, sets each element with probability `rate` to what SELU tends to below 0, then
    /// scales and shifts all, so that mean 0 and variance 1 stay; otherwise passes its input on.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let hidden = Dense::new(64).activation("selu").kernel_initializer("lecun_normal");
    /// let dropout = AlphaDropout::new(0.1);
    /// ```
    ///
    /// Source: Klambauer et al., 2017.
    AlphaDropout "alpha_dropout",
    /// A layer that leaves out `rate` of the elements, at least 0 and below 1.
    rate, 0.0..1.0, alpha_dropout
}

fn add_noise(x: &Tensor, stddev: f64) -> Tensor {
    x + normal(x.shape(), 0.0, stddev)
}

fn multiply_noise(x: &Tensor, rate: f64) -> Tensor {
    x * normal(x.shape(), 1.0, (rate / (1.0 - rate)).sqrt())
}

fn alpha_dropout(x: &Tensor, rate: f64) -> Tensor {
    let saturated = -SELU_ALPHA * SELU_SCALE;
    let scale = ((1.0 - rate) * (1.0 + rate * saturated * saturated)).powf(-0.5);
    let shift = -scale * saturated * rate;
    // Ones and zeros, from what dropout multiplies by.
    let kept = dropout_mask(x.shape(), rate, next_seed()) * (1.0 - rate);
    (x * &kept + (1.0 - kept) * saturated) * scale + shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(GaussianNoise::new(0.5), &[2, 3], &[2, 3], 0).random());
        check_layer(Case::new(GaussianDropout::new(0.5), &[2, 3], &[2, 3], 0).random());
        check_layer(Case::new(AlphaDropout::new(0.5), &[2, 3], &[2, 3], 0).random());
    }

    /// Mean and variance over 100,000 elements.
    fn moments(x: &Tensor) -> (f64, f64) {
        let mean = x.mean().item();
        (mean, (x - mean).square().mean().item())
    }

    #[test]
    fn noise_has_the_moments_of_the_formulas() {
        let x = Tensor::full([1000, 100], 2.0);
        let (mean, variance) = moments(&GaussianNoise::new(0.5).forward(&x, true));
        assert!(
            (mean - 2.0).abs() < 0.01 && (variance - 0.25).abs() < 0.01,
            "{mean} {variance}"
        );
        let (mean, variance) = moments(&GaussianDropout::new(0.2).forward(&x, true));
        assert!(
            (mean - 2.0).abs() < 0.02 && (variance - 1.0).abs() < 0.04,
            "{mean} {variance}"
        );
    }

    #[test]
    fn alpha_dropout_keeps_mean_and_variance() {
        let x = Tensor::normal([1000, 100], 0.0, 1.0);
        let (mean, variance) = moments(&AlphaDropout::new(0.3).forward(&x, true));
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04,
            "{mean} {variance}"
        );
        let dropped = AlphaDropout::new(0.3).forward(&Tensor::zeros([1000, 100]), true);
        let lowest = dropped.min().item();
        let share = dropped
            .less(Tensor::from((lowest + 1e-3) as f32))
            .cast(crate::DType::F32);
        // Six standard deviations.
        assert!((share.mean().item() - 0.3).abs() < 0.009);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let error = GaussianNoise::new(1.5).build(&[1]).unwrap_err().to_string();
        assert!(
            error.contains("stddev must be within 0.0..=1.0, got 1.5"),
            "{error}"
        );
        assert!(GaussianDropout::new(1.0).build(&[1]).is_err());
        assert!(AlphaDropout::new(f64::NAN).build(&[1]).is_err());
    }
}
