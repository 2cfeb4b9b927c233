//! Random omission of features while training.

use serde_json::{Value, json};

use super::plan::{self, Input, Plan};
use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::grad::ops;
use crate::random::{dropout_mask, next_seed};
use crate::tensor::{Shape, expect};
use crate::{Result, Tensor};

/// While training, sets each element to 0 with probability `rate` and scales the others by
/// `1 / (1 − rate)`, so that their expected sum stays; otherwise passes its input on.
///
/// # Shapes
/// any → the same
///
/// ```
/// use dlcore::prelude::*;
/// // Of sequences: what is left out at one timestep is left out at all of them.
/// let layer = Dropout::new(0.5).noise_shape([1, 8]);
/// let y = layer.forward(&Tensor::ones([1, 4, 8]), true);
/// assert_eq!(y.get(0).get(0), y.get(0).get(3));
/// ```
///
/// Source: Srivastava et al., 2014.
#[derive(Clone, Debug)]
pub struct Dropout {
    base: Base,
    rate: f64,
    noise_shape: Option<Vec<usize>>,
}

layer_settings!(Dropout, "dropout");

impl Dropout {
    /// A layer that leaves out `rate` of the elements, at least 0 and below 1.
    pub fn new(rate: f64) -> Dropout {
        Dropout {
            base: Base::new("Dropout", "dropout"),
            rate,
            noise_shape: None,
        }
    }

    /// The shape of what is drawn for a sample (the sample's own): along an axis of length 1 the same
    /// elements are left out everywhere.
    pub fn noise_shape(mut self, shape: impl Into<Shape>) -> Dropout {
        self.noise_shape = Some(shape.into().into_vec());
        self
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Dropout> {
        let layer = Dropout {
            base: Base::from_config("Dropout", "dropout", fields)?,
            rate: fields.float("rate")?,
            noise_shape: noise_shape(fields)?,
        };
        layer.check().map_err(|error| error.to_string())?;
        Ok(layer)
    }

    fn check(&self) -> Result<()> {
        self.base.check_rate("rate", self.rate)
    }

    fn check_shape(&self, sample: &[usize]) -> Result<()> {
        let Some(noise) = &self.noise_shape else {
            return Ok(());
        };
        let fits = |(&drawn, &length): (&usize, &usize)| drawn == 1 || drawn == length;
        match noise.len() == sample.len() && noise.iter().zip(sample).all(fits) {
            true => Ok(()),
            false => Err(self.base.shape_error(format!(
                "a noise_shape of {noise:?} does not fit samples of shape {sample:?}: expected for each axis its \
                 length, or 1 (without the batch axis)"
            ))),
        }
    }
}

/// A noise shape as Keras writes it, with the batch axis, which is null.
fn noise_shape(fields: &Fields<'_>) -> Parsed<Option<Vec<usize>>> {
    if fields.get("noise_shape").is_none() {
        return Ok(None);
    }
    match fields.list("noise_shape")? {
        [Value::Null, sample @ ..] => {
            let sample = json!({"noise_shape": sample});
            Fields::of(&sample, "Dropout")?.sizes("noise_shape")
        }
        other => Err(format!(
            "noise_shape: expected null for the batch axis, then the shape for a sample, found {other:?}"
        )),
    }
}

impl Layer for Dropout {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        self.check()?;
        self.check_shape(input_shape)?;
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.check_shape(input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn config(&self) -> Option<Value> {
        let batched = |shape: &Vec<usize>| -> Vec<Value> {
            let lengths = shape.iter().map(|&length| json!(length));
            std::iter::once(Value::Null).chain(lengths).collect()
        };
        let noise_shape = self.noise_shape.as_ref().map(batched);
        let own = json!({"rate": number(self.rate), "noise_shape": noise_shape});
        Some(self.base.config(own))
    }

    fn plan(&self, x: &Input<'_>, _logits: bool) -> Option<Box<dyn Plan>> {
        if !self.base.is_plain() || self.noise_shape.is_some() {
            return None;
        }
        if self.rate == 0.0 {
            return Some(Box::new(plan::Flatten::new(x, x.shape)?));
        }
        Some(Box::new(plan::Dropout::new(x, self.rate)?))
    }

    fn forward(&self, x: &Tensor, training: bool) -> Tensor {
        if self.noise_shape.is_some() {
            expect(self.check_shape(self.base.sample(x)));
        }
        if !training || self.rate == 0.0 {
            return x.clone();
        }
        if let Some(noise) = &self.noise_shape {
            let shape = [&x.shape()[..1], noise].concat();
            return x * dropout_mask(&shape, self.rate, next_seed());
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
        check_layer(
            Case::new(Dropout::new(0.5), &[2, 3], &[2, 3], 0)
                .random()
                .mask(),
        );
        let layer = Dropout::new(0.5).noise_shape([1, 3]);
        check_layer(Case::new(layer, &[2, 3], &[2, 3], 0).random().refuses(
            &[2, 4],
            "a noise_shape of [1, 3] does not fit samples of shape [2, 4]",
        ));
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
