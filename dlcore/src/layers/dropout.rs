//! Random omission of features while training.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::random::next_seed;
use crate::tensor::expect;
use crate::{Result, Tensor};

/// While training, sets each element to 0 with probability `rate` and scales the others by
/// `1 / (1 − rate)`, so that their expected sum stays; otherwise passes its input on.
///
/// # Shapes
/// any → the same
///
/// Source: Srivastava et al., 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    base: Base,
    rate: f64,
}

layer_settings!(Dropout, "dropout");

impl Dropout {
    /// A layer that leaves out `rate` of the elements, at least 0 and below 1.
    pub fn new(rate: f64) -> Dropout {
        Dropout {
            base: Base::new("Dropout", "dropout"),
            rate,
        }
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Dropout> {
        let layer = Dropout {
            base: Base::from_config("Dropout", "dropout", fields)?,
            rate: fields.float("rate")?,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        self.base.check_rate("rate", self.rate)
    }
}

impl Layer for Dropout {
    base_methods!();

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        self.check()?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }

    fn config(&self) -> Option<Value> {
        Some(self.base.config(json!({"rate": number(self.rate)})))
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        if !training || self.rate == 0.0 {
            return x.clone();
        }
        expect(ops::dropout(x, self.rate, next_seed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(Case::new(Dropout::new(0.5), &[2, 3], &[2, 3], 0).random());
    }

    #[test]
    fn leaves_out_its_share_and_scales_the_rest_while_training_only() {
        let mut layer = Dropout::new(0.25);
        layer.build(&[1000]).unwrap();
        let x = Tensor::ones([20, 1000]);
        assert_eq!(layer.forward(&x, false), x);
        let y = layer.forward(&x, true).to_vec();
        let dropped = y.iter().filter(|&&v| v == 0.0).count();
        assert!(y.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
        // 20,000 draws: six standard deviations are 367.
        assert!((4_633..=5_367).contains(&dropped), "{dropped}");
        assert_ne!(layer.forward(&x, true).to_vec(), y);
    }

    #[test]
    fn a_rate_out_of_range_is_refused() {
        for rate in [-0.1, 1.0, f64::NAN] {
            let error = Dropout::new(rate).build(&[1]).unwrap_err().to_string();
            assert!(error.contains("at least 0 and below 1"), "{error}");
        }
    }
}
