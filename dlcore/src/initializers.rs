//! How weights begin.

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::random::{normal, truncated_normal, uniform};
use crate::{DType, Error, Result, Tensor, names};

/// The distribution a layer's weights are drawn from when it is built, by its Keras name.
///
/// `fan_in` and `fan_out` are the numbers of inputs and outputs a weight connects; the normal
/// distributions of the `glorot`, `he` and `lecun` kinds are cut off at two standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// Uniform within ±√(6 / (fan_in + fan_out)): Glorot and Bengio, 2010.
    GlorotUniform,
    /// Normal with variance 2 / (fan_in + fan_out).
    GlorotNormal,
    /// Uniform within ±√(6 / fan_in): He et al., 2015.
    HeUniform,
    /// Normal with variance 2 / fan_in.
    HeNormal,
    /// Uniform within ±√(3 / fan_in).
    LecunUniform,
    /// Normal with variance 1 / fan_in.
    LecunNormal,
    /// Normal with mean 0 and standard deviation 0.05.
    RandomNormal,
    /// Uniform within ±0.05.
    RandomUniform,
    /// 0 everywhere.
    Zeros,
    /// 1 everywhere.
    Ones,
    /// One value everywhere.
    Constant(f64),
    /// Orthonormal columns, or rows where there are fewer of them, times a gain: Saxe et al., 2014.
    Orthogonal(f64),
    /// A name that is not known; a layer that has it cannot be built.
    Unknown(String),
}

const NAMES: [&str; 11] = [
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "random_normal",
    "random_uniform",
    "zeros",
    "ones",
    "orthogonal",
];

/// What the cut at two standard deviations leaves of a normal distribution's standard deviation.
const TRUNCATED: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// A new weight.
    ///
    /// # Errors
    /// [`Error::Value`] if the name is not known; [`Error::Shape`] if an orthogonal weight has fewer than
    /// two axes.
    pub fn create(&self, shape: &[usize]) -> Result<Tensor> {
        let (fan_in, fan_out) = fans(shape);
        let average = (fan_in + fan_out) / 2.0;
        Ok(match self {
            Initializer::GlorotUniform => uniform_of_variance(shape, 1.0 / average),
            Initializer::GlorotNormal => normal_of_variance(shape, 1.0 / average),
            Initializer::HeUniform => uniform_of_variance(shape, 2.0 / fan_in),
            Initializer::HeNormal => normal_of_variance(shape, 2.0 / fan_in),
            Initializer::LecunUniform => uniform_of_variance(shape, 1.0 / fan_in),
            Initializer::LecunNormal => normal_of_variance(shape, 1.0 / fan_in),
            Initializer::RandomNormal => normal(shape, 0.0, 0.05),
            Initializer::RandomUniform => uniform(shape, -0.05, 0.05),
            Initializer::Zeros => Tensor::zeros(shape),
            Initializer::Ones => Tensor::ones(shape),
            Initializer::Constant(value) => Tensor::full(shape, *value),
            Initializer::Orthogonal(gain) => orthogonal(shape, *gain)?,
            Initializer::Unknown(name) => {
                return Err(Error::Value(names::unknown("initializer", name, &NAMES)));
            }
        })
    }
}

impl Initializer {
    /// As it stands in a saved model: a name, `{"constant": value}` or `{"orthogonal": gain}`.
    pub(crate) fn config(&self) -> Value {
        Value::from(match self {
            Initializer::GlorotUniform => "glorot_uniform",
            Initializer::GlorotNormal => "glorot_normal",
            Initializer::HeUniform => "he_uniform",
            Initializer::HeNormal => "he_normal",
            Initializer::LecunUniform => "lecun_uniform",
            Initializer::LecunNormal => "lecun_normal",
            Initializer::RandomNormal => "random_normal",
            Initializer::RandomUniform => "random_uniform",
            Initializer::Zeros => "zeros",
            Initializer::Ones => "ones",
            Initializer::Constant(value) => return json!({"constant": number(*value)}),
            Initializer::Orthogonal(1.0) => "orthogonal",
            Initializer::Orthogonal(gain) => return json!({"orthogonal": number(*gain)}),
            Initializer::Unknown(name) => name,
        })
    }

    /// What [`Initializer::config`] wrote under `key`.
    pub(crate) fn from_field(fields: &Fields<'_>, key: &str) -> Parsed<Initializer> {
        let value = fields.get(key).unwrap_or(&Value::Null);
        Self::from_config(value).map_err(|error| format!("{key}: {error}"))
    }

    /// What [`Initializer::config`] wrote.
    pub(crate) fn from_config(value: &Value) -> Parsed<Initializer> {
        match value.as_str().map(Initializer::from) {
            Some(Initializer::Unknown(name)) => Err(names::unknown("initializer", &name, &NAMES)),
            Some(known) => Ok(known),
            None => {
                let fields = Fields::of(value, "initializer")?;
                if fields.get("orthogonal").is_some() {
                    return Ok(Initializer::Orthogonal(fields.float("orthogonal")?));
                }
                Ok(Initializer::Constant(fields.float("constant")?))
            }
        }
    }
}

fn uniform_of_variance(shape: &[usize], variance: f64) -> Tensor {
    let limit = (3.0 * variance).sqrt();
    uniform(shape, -limit, limit)
}

fn normal_of_variance(shape: &[usize], variance: f64) -> Tensor {
    truncated_normal(shape, 0.0, variance.sqrt() / TRUNCATED)
}

/// The axes but the last make rows; the shorter side's vectors are normal draws made orthonormal one after
/// the other (Gram–Schmidt), which is the QR decomposition with a positive diagonal.
fn orthogonal(shape: &[usize], gain: f64) -> Result<Tensor> {
    let [before @ .., columns] = shape else {
        return Err(orthogonal_needs_axes(shape));
    };
    if before.is_empty() {
        return Err(orthogonal_needs_axes(shape));
    }
    let rows: usize = before.iter().product();
    let (vectors, length) = (rows.min(*columns), rows.max(*columns));
    let mut values = normal([vectors, length], 0.0, 1.0).to_vec_of::<f64>();
    for index in 0..vectors {
        let (done, vector) = values.split_at_mut(index * length);
        let vector = &mut vector[..length];
        // Twice, since the first time leaves rounding errors of nearly parallel vectors.
        for _ in 0..2 {
            for other in done.chunks_exact(length) {
                let along: f64 = vector.iter().zip(other).map(|(v, o)| v * o).sum();
                vector
                    .iter_mut()
                    .zip(other)
                    .for_each(|(v, o)| *v -= along * o);
            }
        }
        let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
    }
    let vectors = Tensor::from_values(&[vectors, length], values) * gain;
    let matrix = if rows < *columns {
        vectors
    } else {
        vectors.transpose()
    };
    Ok(matrix.contiguous().reshape(shape).cast(DType::F32))
}

fn orthogonal_needs_axes(shape: &[usize]) -> Error {
    Error::Shape(format!(
        "orthogonal: expected a weight with at least two axes, got shape {shape:?}; for a bias there is \"zeros\""
    ))
}

/// Inputs and outputs of a weight as Keras counts them: the last two axes, times what is before
/// them (a kernel's extent).
fn fans(shape: &[usize]) -> (f64, f64) {
    let (fan_in, fan_out) = match shape {
        [] => (1, 1),
        [n] => (*n, *n),
        [kernel @ .., inputs, outputs] => {
            let field: usize = kernel.iter().product();
            (inputs * field, outputs * field)
        }
    };
    (fan_in.max(1) as f64, fan_out.max(1) as f64)
}

/// By name; one that is not known is reported when the layer is built.
impl From<&str> for Initializer {
    fn from(name: &str) -> Self {
        match name {
            "glorot_uniform" => Initializer::GlorotUniform,
            "glorot_normal" => Initializer::GlorotNormal,
            "he_uniform" => Initializer::HeUniform,
            "he_normal" => Initializer::HeNormal,
            "lecun_uniform" => Initializer::LecunUniform,
            "lecun_normal" => Initializer::LecunNormal,
            "random_normal" => Initializer::RandomNormal,
            "random_uniform" => Initializer::RandomUniform,
            "zeros" => Initializer::Zeros,
            "ones" => Initializer::Ones,
            "orthogonal" => Initializer::Orthogonal(1.0),
            other => Initializer::Unknown(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variance(weights: &Tensor) -> f64 {
        weights.square().mean().item()
    }

    #[test]
    fn variances_are_those_of_the_formulas() {
        let shape = [300, 200];
        for (name, expected) in [
            ("glorot_uniform", 1.0 / 250.0),
            ("glorot_normal", 1.0 / 250.0),
            ("he_uniform", 2.0 / 300.0),
            ("he_normal", 2.0 / 300.0),
            ("lecun_uniform", 1.0 / 300.0),
            ("lecun_normal", 1.0 / 300.0),
            ("random_normal", 0.0025),
            ("random_uniform", 0.01 / 12.0),
        ] {
            let weights = Initializer::from(name).create(&shape).unwrap();
            // 60,000 draws: five standard errors of the variance are below 3 %.
            let actual = variance(&weights);
            assert!(
                (actual / expected - 1.0).abs() < 0.03,
                "{name}: {actual} {expected}"
            );
            assert!(
                weights.mean().item().abs() < 5.0 * (expected / 6e4).sqrt(),
                "{name}"
            );
        }
    }

    #[test]
    fn glorot_uniform_stays_within_its_limit_and_reaches_for_it() {
        let limit = (6.0_f64 / 500.0).sqrt();
        let weights = Initializer::GlorotUniform.create(&[300, 200]).unwrap();
        let largest = weights.abs().max().item();
        assert!(
            largest <= limit * 1.000_001 && largest > 0.99 * limit,
            "{largest} {limit}"
        );
    }

    #[test]
    fn every_name_is_known_and_another_is_refused_with_the_nearest() {
        for name in NAMES {
            let initializer = Initializer::from(name);
            assert_eq!(
                Initializer::from_config(&initializer.config()),
                Ok(initializer)
            );
            assert_eq!(
                Initializer::from(name).create(&[2, 3]).unwrap().shape(),
                [2, 3]
            );
        }
        let error = Initializer::from("glorot")
            .create(&[2])
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown initializer \"glorot\""), "{error}");
        let error = Initializer::from("he_norml")
            .create(&[2])
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean \"he_normal\"?"), "{error}");
    }

    #[test]
    fn orthogonal_vectors_are_of_one_length_and_at_right_angles() {
        for (shape, gain) in [([8, 8], 1.0), ([5, 12], 1.0), ([12, 5], 2.0)] {
            let weight = Initializer::Orthogonal(gain).create(&shape).unwrap();
            assert_eq!((weight.shape(), weight.dtype()), (&shape[..], DType::F32));
            let square = match shape[0] < shape[1] {
                true => weight.dot(&weight.transpose()),
                false => weight.transpose().dot(&weight),
            };
            let expected = Tensor::eye(5.max(shape[0].min(shape[1]))) * (gain * gain);
            assert!((square - expected).abs().max().item() < 1e-6);
        }
        let kernel = Initializer::Orthogonal(1.0).create(&[3, 3, 2, 4]).unwrap();
        assert_eq!(kernel.shape(), [3, 3, 2, 4]);
        let error = Initializer::Orthogonal(1.0).create(&[4]).unwrap_err();
        assert!(error.to_string().contains("at least two axes"), "{error}");
        let config = Initializer::Orthogonal(2.5).config();
        let back = Initializer::from_config(&config);
        assert_eq!(back, Ok(Initializer::Orthogonal(2.5)));
    }

    #[test]
    fn fans_count_a_kernels_extent() {
        assert_eq!(fans(&[784, 512]), (784.0, 512.0));
        assert_eq!(fans(&[3, 3, 32, 64]), (288.0, 576.0));
        assert_eq!(fans(&[7]), (7.0, 7.0));
    }
}
