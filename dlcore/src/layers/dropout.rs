//! Random omission of features while training.

use serde_json::{Value, json};

use super::{Layer, describe};
use crate::config::{self, Fields, Parsed};
use crate::grad::ops;
use crate::random::next_seed;
use crate::tensor::{Shape, expect};
use crate::{Error, Result, Tensor, names};

/// While training, sets each element to 0 with probability `rate` and scales the others by
/// `1 / (1 − rate)`, so that their expected sum stays; otherwise passes its input on.
///
/// # Shapes
/// any → the same
///
/// Source: Srivastava et al., 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    name: String,
    rate: f64,
    input_shape: Option<Vec<usize>>,
    built: bool,
}

impl Dropout {
    /// A layer that leaves out `rate` of the elements, at least 0 and below 1.
    pub fn new(rate: f64) -> Dropout {
        Dropout {
            name: names::next("dropout"),
            rate,
            input_shape: None,
            built: false,
        }
    }

    /// The shape of one sample, for the first layer of a model.
    pub fn input_shape(mut self, shape: impl Into<Shape>) -> Dropout {
        self.input_shape = Some(shape.into().into_vec());
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(config: &Value, weights: Vec<Tensor>) -> Parsed<Dropout> {
        let fields = Fields::of(config, "Dropout")?;
        let mut layer = Dropout::new(fields.float("rate")?).name(fields.text("name")?);
        layer.input_shape = fields.shape("input_shape")?;
        names::seen("dropout", &layer.name);
        if !weights.is_empty() {
            return Err(format!(
                "{}: has no weights, found {}",
                describe(&layer),
                weights.len()
            ));
        }
        if fields.flag("built")? {
            layer.build(&[]).map_err(|error| error.to_string())?;
        }
        Ok(layer)
    }

    /// The layer's name (`"dropout"`, `"dropout_1"`, …).
    pub fn name(mut self, name: &str) -> Dropout {
        self.name = name.to_string();
        self
    }
}

impl Layer for Dropout {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &str {
        "Dropout"
    }

    fn input_shape(&self) -> Option<&[usize]> {
        self.input_shape.as_deref()
    }

    fn build(&mut self, _input_shape: &[usize]) -> Result<()> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::Value(format!(
                "{}: the rate is the share that is left out, at least 0 and below 1, got {}",
                describe(self),
                self.rate
            )));
        }
        self.built = true;
        Ok(())
    }

    fn is_built(&self) -> bool {
        self.built
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        Ok(input_shape.to_vec())
    }

    fn config(&self) -> Option<Value> {
        Some(json!({
            "name": self.name,
            "rate": config::number(self.rate),
            "built": self.built,
            "input_shape": config::shape(self.input_shape.as_deref()),
        }))
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
        check_layer(Case {
            layer: Box::new(Dropout::new(0.5)),
            input_shape: vec![2, 3],
            output_shape: vec![2, 3],
            params: 0,
            refused: vec![],
        });
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
