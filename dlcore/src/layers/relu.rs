//! Rectifiers with settings: ReLU, LeakyReLU, ELU.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::activations::{elu, leaky_relu};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops::{self, LeakyRelu};
use crate::{Result, Tensor};

/// `x` above a threshold, at most `max_value`; `negative_slope · (x - threshold)` below it. Without
/// settings `max(x, 0)`.
///
/// # Shapes
/// any → the same
///
/// ```
/// use dlcore::prelude::*;
/// let layer = ReLU::new().max_value(2.0).negative_slope(0.5);
/// let y = layer.forward(&Tensor::from([[-1.0, 1.0, 3.0]]), false);
/// assert_eq!(y.to_vec(), [-0.5, 1.0, 2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct ReLU {
    base: Base,
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

layer_settings!(ReLU, "re_lu");

impl Default for ReLU {
    fn default() -> ReLU {
        ReLU::new()
    }
}

impl ReLU {
    /// `max(x, 0)`.
    pub fn new() -> ReLU {
        ReLU {
            base: Base::new("ReLU", "re_lu"),
            max_value: None,
            negative_slope: 0.0,
            threshold: 0.0,
        }
    }

    /// The largest value that comes out (none), at least 0.
    pub fn max_value(mut self, max_value: f64) -> ReLU {
        self.max_value = Some(max_value);
        self
    }

    /// The slope below the threshold (0), at least 0.
    pub fn negative_slope(mut self, negative_slope: f64) -> ReLU {
        self.negative_slope = negative_slope;
        self
    }

    /// Where the function becomes `x` (0), at least 0.
    pub fn threshold(mut self, threshold: f64) -> ReLU {
        self.threshold = threshold;
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<ReLU> {
        let max_value = fields.get("max_value").map(|_| fields.float("max_value"));
        let layer = ReLU {
            base: Base::from_config("ReLU", "re_lu", fields)?,
            max_value: max_value.transpose()?,
            negative_slope: fields.float("negative_slope")?,
            threshold: fields.float("threshold")?,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        at_least_zero(&self.base, "max_value", self.max_value.unwrap_or(0.0))?;
        at_least_zero(&self.base, "negative_slope", self.negative_slope)?;
        at_least_zero(&self.base, "threshold", self.threshold)
    }
}

fn at_least_zero(base: &Base, setting: &str, value: f64) -> Result<()> {
    if value >= 0.0 {
        return Ok(());
    }
    Err(base.value_error(format!("{setting} must be at least 0, got {value}")))
}

impl Layer for ReLU {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.check()?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        if self.max_value.is_none() && self.negative_slope == 0.0 && self.threshold == 0.0 {
            return x.relu();
        }
        let op = LeakyRelu {
            slope: self.negative_slope,
            threshold: self.threshold,
            limit: self.max_value.unwrap_or(f64::INFINITY),
        };
        ops::apply_any(op, &[&x.as_float()])
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({
            "max_value": self.max_value.map(number),
            "negative_slope": number(self.negative_slope),
            "threshold": number(self.threshold),
        })))
    }
}

/// Defines a layer of one number that is at least 0.
macro_rules! with_one_number {
    (
        $(#[$doc:meta])*
        $layer:ident $prefix:literal, $(#[$setting_doc:meta])* $setting:ident = $default:literal,
        $function:ident
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            base: Base,
            $setting: f64,
        }

        layer_settings!($layer, $prefix);

        impl Default for $layer {
            fn default() -> $layer {
                $layer::new()
            }
        }

        impl $layer {
            /// A layer with Keras's setting.
            pub fn new() -> $layer {
                $layer {
                    base: Base::new(stringify!($layer), $prefix),
                    $setting: $default,
                }
            }

            $(#[$setting_doc])*
            pub fn $setting(mut self, $setting: f64) -> $layer {
                self.$setting = $setting;
                self
            }

            /// The layer that [`Layer::config`] described.
            pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<$layer> {
                const SETTING: &str = stringify!($setting);
                let base = Base::from_config(stringify!($layer), $prefix, fields)?;
                // Keras's ELU leaves its setting out.
                let $setting = match fields.get(SETTING) {
                    None => $default,
                    Some(_) => fields.float(SETTING)?,
                };
                at_least_zero(&base, SETTING, $setting).map_err(|error| error.to_string())?;
                Ok($layer { base, $setting })
            }
        }

        impl Layer for $layer {
            base_methods!();

            fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
                at_least_zero(&self.base, stringify!($setting), self.$setting)?;
                self.base.finish()
            }

            fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
                Ok(input_shape.to_vec())
            }

            fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
                $function(x, self.$setting)
            }

            fn config(&self) -> Option<Value> {
                Some(self.base.config(json!({stringify!($setting): number(self.$setting)})))
            }
        }
    };
}

with_one_number! {
    /// `x` above 0, `negative_slope · x` below.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let layer = LeakyReLU::new().negative_slope(0.5);
    /// assert_eq!(layer.forward(&Tensor::from([[-2.0, 2.0]]), false).to_vec(), [-1.0, 2.0]);
    /// ```
    LeakyReLU "leaky_re_lu",
    /// The slope below 0 (0.3; the activation `"leaky_relu"` has 0.2, as in Keras).
    negative_slope = 0.3,
    leaky_relu
}

with_one_number! {
    /// Exponential linear unit: `x` above 0, `alpha · (exp(x) - 1)` below.
    ///
    /// # Shapes
    /// any → the same
    ///
    /// ```
    /// use dlcore::prelude::*;
    /// let layer = ELU::new().alpha(0.5);
    /// assert_eq!(layer.forward(&Tensor::from([[-1e3, 2.0]]), false).to_vec(), [-0.5, 2.0]);
    /// ```
    ///
    /// Source: Clevert et al., 2016.
    ELU "elu",
    /// What the function tends to below 0, with its sign changed (1).
    alpha = 1.0,
    elu
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        let relus = [
            ReLU::new(),
            ReLU::new().max_value(0.7),
            ReLU::new().negative_slope(0.2),
            ReLU::new().threshold(0.5),
            ReLU::new()
                .max_value(0.9)
                .negative_slope(0.2)
                .threshold(0.5),
        ];
        for layer in relus {
            check_layer(Case::new(layer, &[3, 2], &[3, 2], 0).mask());
        }
        check_layer(Case::new(LeakyReLU::new(), &[3, 2], &[3, 2], 0));
        check_layer(Case::new(ELU::new().alpha(0.7), &[3, 2], &[3, 2], 0));
    }

    #[test]
    fn infinities_and_nan_pass_as_through_relu() {
        let x = Tensor::from([[f32::NEG_INFINITY, f32::INFINITY, f32::NAN]]);
        let y = ReLU::new().threshold(1.0).forward(&x, false).to_vec();
        assert!(
            y[0] == 0.0 && y[1] == f32::INFINITY && y[2].is_nan(),
            "{y:?}"
        );
        let y = ReLU::new().max_value(6.0).forward(&x, false).to_vec();
        assert!(y[0] == 0.0 && y[1] == 6.0 && y[2].is_nan(), "{y:?}");
    }

    #[test]
    fn a_setting_below_zero_is_refused() {
        let error = |mut layer: ReLU| layer.build(&[2]).unwrap_err().to_string();
        assert!(
            error(ReLU::new().max_value(-1.0)).contains("max_value must be at least 0, got -1")
        );
        assert!(error(ReLU::new().negative_slope(-0.1)).contains("negative_slope"));
        assert!(error(ReLU::new().threshold(f64::NAN)).contains("threshold"));
        let mut leaky = LeakyReLU::new().negative_slope(-1.0);
        assert!(leaky.build(&[2]).is_err());
    }
}
