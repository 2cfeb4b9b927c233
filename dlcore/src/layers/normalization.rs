//! Features brought to one range by the statistics of data.

use serde_json::{Value, json};

use super::{Base, Layer, base_methods, layer_settings};
use crate::config::{Fields, Parsed, number};
use crate::initializers::Initializer;
use crate::losses::EPSILON;
use crate::tensor::expect;
use crate::{DType, Result, Tensor};

/// Gives each feature mean 0 and variance 1 by what [`Normalization::adapt`] has seen:
/// `(x - mean) / √variance`. Adapt it to the training data alone; what it then does to test data and to new
/// samples is the same.
///
/// As a layer of a model it is saved with it, so that the model takes data as they are; called by itself it
/// prepares data once. A feature that is the same everywhere becomes 0.
///
/// # Shapes
/// any → the same; state `mean` and `variance` `[features]`, and a number that Keras keeps beside them
///
/// ```
/// use dlcore::prelude::*;
/// let train = Tensor::from([[0.0, 10.0], [2.0, 30.0]]);
/// let mut normalization = Normalization::new();
/// normalization.adapt(&train)?;
/// assert_eq!(normalization.forward(&train, false), Tensor::from([[-1.0, -1.0], [1.0, 1.0]]));
/// let model = Sequential::new().add(normalization).add(Dense::new(1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Normalization {
    base: Base,
    /// The axis of the features; none for one mean and variance over all.
    axis: Option<isize>,
    invert: bool,
    given_mean: Option<Vec<f64>>,
    given_variance: Option<Vec<f64>>,
    /// Mean and variance of each feature, and Keras's count, which stays 0.
    adapted: Option<[Tensor; 3]>,
}

layer_settings!(Normalization, "normalization");

impl Default for Normalization {
    fn default() -> Normalization {
        Normalization::new()
    }
}

impl Normalization {
    /// A layer for features on the last axis, not adapted yet.
    pub fn new() -> Normalization {
        Normalization {
            base: Base::new("Normalization", "normalization"),
            axis: Some(-1),
            invert: false,
            given_mean: None,
            given_variance: None,
            adapted: None,
        }
    }

    /// The axis of the features (-1), the batch axis being 0; `None` for one mean and one variance over all.
    pub fn axis(mut self, axis: impl Into<Option<isize>>) -> Normalization {
        self.axis = axis.into();
        self
    }

    /// The means, of all features or one for all, instead of those of data; together with
    /// [`Normalization::variance`].
    pub fn mean(mut self, mean: impl Into<Vec<f64>>) -> Normalization {
        self.given_mean = Some(mean.into());
        self
    }

    /// The variances, as [`Normalization::mean`].
    pub fn variance(mut self, variance: impl Into<Vec<f64>>) -> Normalization {
        self.given_variance = Some(variance.into());
        self
    }

    /// Whether the layer goes the other way, from what was normalized back to what it was: `mean + x · √variance`
    /// (false).
    pub fn invert(mut self, invert: bool) -> Normalization {
        self.invert = invert;
        self
    }

    /// Takes over the mean and variance of these data, in place of those of data before.
    ///
    /// # Shapes
    /// `[samples, …]`
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for no samples, or other features than when the layer was built;
    /// [`Error::Value`](crate::Error::Value) for NaN or infinity, for a mean or variance beyond what `F32` holds, or if
    /// mean and variance were given.
    pub fn adapt(&mut self, data: &Tensor) -> Result<()> {
        if self.given_mean.is_some() || self.given_variance.is_some() {
            return Err(self
                .base
                .value_error("adapt: its mean and variance were given as settings"));
        }
        if data.ndim() == 0 || data.len() == 0 {
            return Err(self.base.shape_error(format!(
                "adapt: expected data [samples, …], got shape {:?}",
                data.shape()
            )));
        }
        let sample = &data.shape()[1..];
        let axis = self.feature_axis(sample)?;
        let [mean, variance] = moments(data, axis);
        let known = mean.to_vec_of::<f64>();
        if let Some(feature) = known.iter().position(|mean| !mean.is_finite()) {
            return Err(self.base.value_error(format!(
                "adapt: feature {feature} holds NaN or infinity; leave such rows out first, or put a number there"
            )));
        }
        let [mean, variance] = [mean, variance].map(|row| row.cast(DType::F32));
        for (what, row) in [("mean", &mean), ("variance", &variance)] {
            if let Some(feature) = row.to_vec().iter().position(|value| !value.is_finite()) {
                return Err(self.base.value_error(format!(
                    "adapt: the {what} of feature {feature} is beyond what F32 holds, {:.1e}; divide the feature by \
                     its order of magnitude first",
                    f32::MAX
                )));
            }
        }
        if !self.is_built() {
            self.build(sample)?;
        }
        if let Some(adapted) = &mut self.adapted {
            (adapted[0], adapted[1]) = (mean, variance);
        }
        Ok(())
    }

    /// The layer that [`Layer::config`] described.
    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Normalization> {
        let axis = match fields.get("axis") {
            None => None,
            Some(Value::Array(axes)) if axes.is_empty() => None,
            Some(Value::Array(axes)) if axes.len() == 1 => axes[0].as_i64(),
            Some(Value::Number(axis)) => axis.as_i64(),
            Some(other) => return Err(format!("axis: expected one axis or none, found {other}")),
        };
        Ok(Normalization {
            base: Base::from_config("Normalization", "normalization", fields)?,
            axis: axis.and_then(|axis| isize::try_from(axis).ok()),
            invert: fields.flag_or("invert", false)?,
            given_mean: numbers(fields, "mean")?,
            given_variance: numbers(fields, "variance")?,
            adapted: None,
        })
    }

    /// The axis of the features in a batch, of which there must be as many as when the layer was built.
    fn feature_axis(&self, sample: &[usize]) -> Result<Option<usize>> {
        let Some(axis) = self.axis else {
            self.check(1)?;
            return Ok(None);
        };
        let axis = self.base.axis(axis, sample)?;
        let features = sample[axis - 1];
        if let Some([mean, ..]) = &self.adapted
            && mean.len() != features
        {
            return Err(self.base.shape_error(format!(
                "expected {} features on axis {axis}, as when it was built, got samples of shape {sample:?}",
                mean.len()
            )));
        }
        self.check(features)?;
        Ok(Some(axis))
    }

    /// An error for mean and variance that were given and do not fit.
    fn check(&self, features: usize) -> Result<()> {
        let (mean, variance) = match (&self.given_mean, &self.given_variance) {
            (None, None) => return Ok(()),
            (Some(mean), Some(variance)) => (mean, variance),
            _ => {
                return Err(self
                    .base
                    .value_error("mean and variance are given together, or neither"));
            }
        };
        for (what, given) in [("mean", mean), ("variance", variance)] {
            if given.len() != 1 && given.len() != features {
                let room = match features {
                    1 => "1 number".to_owned(),
                    more => format!("1 or {more} numbers"),
                };
                return Err(self
                    .base
                    .shape_error(format!("expected a {what} of {room}, got {}", given.len())));
            }
            let wrong = |v: &&f64| !v.is_finite() || what == "variance" && **v < 0.0;
            if let Some(wrong) = given.iter().find(wrong) {
                return Err(self.base.value_error(format!("{what} cannot be {wrong}")));
            }
        }
        Ok(())
    }

    /// Mean and variance, as they stand in a row of features.
    fn statistics(&self) -> [Tensor; 2] {
        let row = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            match (self.axis, values.len()) {
                (None, 1) => Tensor::from(values[0]),
                _ => Tensor::from(values),
            }
        };
        match (&self.given_mean, &self.given_variance, &self.adapted) {
            (Some(mean), Some(variance), _) => [row(mean), row(variance)],
            (_, _, Some([mean, variance, _])) => [mean.clone(), variance.clone()],
            _ => panic!("{}", self.base.unbuilt()),
        }
    }
}

/// One number or a list of them.
fn numbers(fields: &Fields<'_>, key: &str) -> Parsed<Option<Vec<f64>>> {
    let Some(value) = fields.get(key) else {
        return Ok(None);
    };
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    let numbers: Option<Vec<f64>> = match value {
        Value::Array(list) => list.iter().map(number).collect(),
        one => number(one).map(|one| vec![one]),
    };
    let found = numbers.ok_or_else(|| format!("{key}: expected numbers, found {value}"));
    found.map(Some)
}

/// Mean and variance over all axes but one, in `F64`.
fn moments(data: &Tensor, axis: Option<usize>) -> [Tensor; 2] {
    let data = data.to_dense().cast(DType::F64);
    let (rows, shape) = match axis {
        None => (data.reshape([1, data.len()]), Vec::new()),
        Some(axis) => {
            let others = (0..data.ndim()).filter(|&other| other != axis);
            let order: Vec<usize> = std::iter::once(axis).chain(others).collect();
            let features = data.shape()[axis];
            let rest = data.len() / features.max(1);
            (
                data.permute(&order).reshape([features, rest]),
                vec![features],
            )
        }
    };
    let mean = rows.mean_axis(1);
    let variance = (rows - mean.expand_dims(1)).square().mean_axis(1);
    [mean.reshape(&shape), variance.reshape(&shape)]
}

impl Layer for Normalization {
    base_methods!();

    fn build(&mut self, input_shape: &[usize]) -> Result<()> {
        let axis = self.feature_axis(input_shape)?;
        let shape: Vec<usize> = axis.map(|axis| input_shape[axis - 1]).into_iter().collect();
        if self.given_mean.is_none() {
            let base = &mut self.base;
            self.adapted = Some([
                base.weight("mean", &shape, &Initializer::Zeros)?,
                base.weight("variance", &shape, &Initializer::Ones)?,
                base.weight("count", &[], &Initializer::Zeros)?,
            ]);
        }
        self.base.finish()
    }

    fn output_shape(&self, input_shape: &[usize]) -> Result<Vec<usize>> {
        self.feature_axis(input_shape)?;
        Ok(input_shape.to_vec())
    }

    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let x = x.as_float();
        let [mean, variance] = self.statistics();
        let axis = expect(self.feature_axis(self.base.sample(&x)));
        // The features' axis, and one of length 1 for each after it.
        let mut shape = axis.map_or(Vec::new(), |axis| vec![1; x.ndim() - axis]);
        if let Some(first) = shape.first_mut() {
            *first = mean.len();
        }
        let deviation = variance.sqrt().clip(EPSILON, f64::INFINITY);
        let [mean, deviation] = [mean, deviation].map(|row| row.cast(x.dtype()).reshape(&shape));
        match self.invert {
            true => mean + x * deviation,
            false => (x - mean) / deviation,
        }
    }

    fn state(&self) -> Vec<&Tensor> {
        self.adapted.iter().flatten().collect()
    }

    fn state_mut(&mut self) -> Vec<&mut Tensor> {
        self.adapted.iter_mut().flatten().collect()
    }

    fn config(&self) -> Option<Value> {
        let given = |given: &Option<Vec<f64>>| match given {
            None => Value::Null,
            Some(one) if self.axis.is_none() && one.len() == 1 => number(one[0]),
            Some(all) => all.iter().map(|&v| number(v)).collect(),
        };
        let axis: Vec<isize> = self.axis.into_iter().collect();
        Some(self.base.config(json!({
            "axis": axis,
            "invert": self.invert,
            "mean": given(&self.given_mean),
            "variance": given(&self.given_variance),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{list, tensor};
    use crate::layers::conformance::{Case, check_layer};

    #[test]
    fn conforms() {
        check_layer(
            Case::new(Normalization::new(), &[2, 3], &[2, 3], 7).refuses(&[2, 4], "3 features"),
        );
        check_layer(Case::new(Normalization::new().axis(1), &[4, 3], &[4, 3], 9));
        check_layer(Case::new(
            Normalization::new().axis(None).invert(true),
            &[2, 3],
            &[2, 3],
            3,
        ));
        let given = Normalization::new()
            .mean([1.0, 2.0, 3.0])
            .variance([4.0, 1.0, 0.25]);
        check_layer(Case::new(given, &[2, 3], &[2, 3], 0));
    }

    #[test]
    fn it_learns_what_keras_learns() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/parity/fixtures/adapted.json"
        );
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in list(&json["normalization"]) {
            let config = &case["config"];
            let mut layer = Normalization::from_config(&Fields::of(config, "it").unwrap()).unwrap();
            layer.adapt(&tensor(&case["data"])).unwrap();
            let close = |what: &str, found: &Tensor| {
                let expected = tensor(&case[what]);
                let off = (found - &expected).abs().max().item();
                let scale = expected.abs().max().item().max(1.0);
                assert_eq!(found.shape(), expected.shape(), "{what} of {config}");
                assert!(off <= 1e-5 * scale, "{what} of {config} is off by {off}");
            };
            close("mean", layer.state()[0]);
            close("variance", layer.state()[1]);
            close("output", &layer.forward(&tensor(&case["input"]), false));
        }
    }

    #[test]
    fn data_that_it_cannot_learn_from_change_nothing() {
        let mut layer = Normalization::new().name("scale");
        layer
            .adapt(&Tensor::from([[1.0, 5.0], [3.0, 5.0]]))
            .unwrap();
        let before = layer.statistics();
        let mut error = |data: Tensor| layer.adapt(&data).unwrap_err().to_string();
        let missing = error(Tensor::from([[1.0, f32::NAN], [3.0, 5.0]]));
        assert!(
            missing.contains("scale (Normalization): adapt: feature 1 holds NaN"),
            "{missing}"
        );
        assert!(error(Tensor::zeros([0, 2])).contains("[samples, …]"));
        assert!(error(Tensor::zeros([3, 4])).contains("expected 2 features"));
        assert!(error(Tensor::zeros([3])).contains("reshape([-1, 1])"));
        let wide = error(Tensor::from([[1.0, 1e20], [3.0, 3e20]]));
        assert!(
            wide.contains("the variance of feature 1 is beyond what F32 holds"),
            "{wide}"
        );
        assert_eq!(layer.statistics(), before);
        // A feature without any spread is not divided by 0.
        let y = layer.forward(&Tensor::from([[2.0, 5.0]]), false);
        assert_eq!(y.to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn mean_and_variance_are_given_together() {
        let error = |mut layer: Normalization| layer.build(&[2]).unwrap_err().to_string();
        assert!(error(Normalization::new().mean([1.0])).contains("together"));
        let three = Normalization::new().mean([1.0; 3]).variance([1.0]);
        assert!(error(three).contains("1 or 2 numbers, got 3"));
        let negative = Normalization::new().mean([1.0]).variance([-1.0]);
        assert!(error(negative).contains("variance cannot be -1"));
        let mut given = Normalization::new().mean([1.0]).variance([4.0]);
        assert!(given.adapt(&Tensor::ones([2, 2])).is_err());
        given.build(&[2]).unwrap();
        let y = given.forward(&Tensor::from([[3.0, 1.0]]), false);
        assert_eq!(y.to_vec(), [1.0, 0.0]);
        // Three means do not make three features of one.
        let mut three = Normalization::new().mean([0.0; 3]).variance([1.0; 3]);
        three.build(&[3]).unwrap();
        let error = three.output_shape(&[1]).unwrap_err().to_string();
        assert!(
            error.contains("expected a mean of 1 number, got 3"),
            "{error}"
        );
        let forward = || three.forward(&Tensor::ones([2, 1]), false);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(forward)).is_err());
    }
}
