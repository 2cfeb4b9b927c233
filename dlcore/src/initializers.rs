//! How weights begin.

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::random::{normal, truncated_normal, uniform};
use crate::{DType, Error, Result, Tensor, names};

/// The distribution a layer's weights are drawn from when it is built, by its Keras name.
///
/// `fan_in` and `fan_out` are the numbers of inputs and outputs a weight connects; the normal
/// distributions of the `glorot`, `he` and `lecun` kinds are cut off at two standard deviations.
///
/// ```
/// use dlcore::prelude::*;
/// let by_name = Dense::new(16).kernel_initializer("he_normal");
/// let with_settings = Dense::new(16).kernel_initializer(Initializer::random_normal(0.0, 0.01));
/// ```
///
/// Source: Keras 3, `initializers/random_initializers.py`.
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
    /// Normal (mean 0 and standard deviation 0.05).
    RandomNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        stddev: f64,
    },
    /// Uniform (within ±0.05).
    RandomUniform {
        /// The lower bound, included.
        minval: f64,
        /// The upper bound, excluded.
        maxval: f64,
    },
    /// Normal (mean 0 and standard deviation 0.05), cut off at two standard deviations.
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before the cut.
        stddev: f64,
    },
    /// Variance `scale / n`, where n is what `mode` counts: [`Initializer::variance_scaling`].
    VarianceScaling {
        /// The variance times n, above 0.
        scale: f64,
        /// `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        mode: String,
        /// `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
        distribution: String,
    },
    /// `gain` on the diagonal of a matrix, 0 elsewhere.
    Identity {
        /// What stands on the diagonal.
        gain: f64,
    },
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

const NAMES: [&str; 15] = [
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "identity",
    "constant",
    "zeros",
    "ones",
    "orthogonal",
];

const MODES: [&str; 3] = ["fan_in", "fan_out", "fan_avg"];
const DISTRIBUTIONS: [&str; 3] = ["truncated_normal", "untruncated_normal", "uniform"];

/// What the cut at two standard deviations leaves of a normal distribution's standard deviation.
const TRUNCATED: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// Normal numbers.
    pub fn random_normal(mean: f64, stddev: f64) -> Initializer {
        Initializer::RandomNormal { mean, stddev }
    }

    /// Uniform numbers from `minval` to `maxval`.
    pub fn random_uniform(minval: f64, maxval: f64) -> Initializer {
        Initializer::RandomUniform { minval, maxval }
    }

    /// Normal numbers, those further than two standard deviations from the mean drawn again.
    pub fn truncated_normal(mean: f64, stddev: f64) -> Initializer {
        Initializer::TruncatedNormal { mean, stddev }
    }

    /// Numbers with mean 0 and variance `scale / n`.
    ///
    /// `mode` says what n is: `"fan_in"` (the default in Keras), `"fan_out"`, or their mean,
    /// `"fan_avg"`. `distribution` is `"truncated_normal"` (the default in Keras; the variance is
    /// that after the cut), `"untruncated_normal"` or `"uniform"`. Another name is reported when the
    /// layer is built.
    pub fn variance_scaling(scale: f64, mode: &str, distribution: &str) -> Initializer {
        // Keras's own shorter name.
        let distribution = match distribution {
            "normal" => "truncated_normal",
            other => other,
        };
        Initializer::VarianceScaling {
            scale,
            mode: mode.to_string(),
            distribution: distribution.to_string(),
        }
    }

    /// `gain` on the diagonal, 0 elsewhere; for weights that are matrices.
    pub fn identity(gain: f64) -> Initializer {
        Initializer::Identity { gain }
    }

    /// One value everywhere.
    pub fn constant(value: f64) -> Initializer {
        Initializer::Constant(value)
    }

    /// A new weight.
    ///
    /// # Errors
    /// [`Error::Value`] if the name is not known or a setting makes no sense; [`Error::Shape`] if the
    /// shape is not a matrix's, which [`Initializer::Identity`] needs, or has fewer than two axes,
    /// which [`Initializer::Orthogonal`] needs.
    pub fn create(&self, shape: &[usize]) -> Result<Tensor> {
        self.known()?;
        let (fan_in, fan_out) = fans(shape);
        let average = (fan_in + fan_out) / 2.0;
        Ok(match self {
            Initializer::GlorotUniform => uniform_of_variance(shape, 1.0 / average),
            Initializer::GlorotNormal => normal_of_variance(shape, 1.0 / average),
            Initializer::HeUniform => uniform_of_variance(shape, 2.0 / fan_in),
            Initializer::HeNormal => normal_of_variance(shape, 2.0 / fan_in),
            Initializer::LecunUniform => uniform_of_variance(shape, 1.0 / fan_in),
            Initializer::LecunNormal => normal_of_variance(shape, 1.0 / fan_in),
            Initializer::RandomNormal { mean, stddev } => normal(shape, *mean, *stddev),
            Initializer::RandomUniform { minval, maxval } => uniform(shape, *minval, *maxval),
            Initializer::TruncatedNormal { mean, stddev } => {
                truncated_normal(shape, *mean, *stddev)
            }
            Initializer::VarianceScaling {
                scale,
                mode,
                distribution,
            } => {
                let count = match mode.as_str() {
                    "fan_in" => fan_in,
                    "fan_out" => fan_out,
                    _ => average,
                };
                let variance = scale / count;
                match distribution.as_str() {
                    "uniform" => uniform_of_variance(shape, variance),
                    "untruncated_normal" => normal(shape, 0.0, variance.sqrt()),
                    _ => normal_of_variance(shape, variance),
                }
            }
            Initializer::Identity { gain } => diagonal(shape, *gain)?,
            Initializer::Zeros => Tensor::zeros(shape),
            Initializer::Ones => Tensor::ones(shape),
            Initializer::Constant(value) => Tensor::full(shape, *value),
            Initializer::Unknown(_) => unreachable!("an unknown name was refused above"),
            Initializer::Orthogonal(gain) => orthogonal(shape, *gain)?,
        })
    }

    /// An error for a name that is not known, or a setting that makes no sense.
    fn known(&self) -> Result<()> {
        let refused = |text: String| Err(Error::Value(text));
        match self {
            Initializer::Unknown(name) => refused(names::unknown("initializer", name, &NAMES)),
            Initializer::RandomNormal { stddev, .. }
            | Initializer::TruncatedNormal { stddev, .. }
                if !(*stddev >= 0.0 && stddev.is_finite()) =>
            {
                refused(format!(
                    "stddev must be a number of at least 0, got {stddev}"
                ))
            }
            Initializer::RandomUniform { minval, maxval }
                if !(minval <= maxval && (maxval - minval).is_finite()) =>
            {
                refused(format!(
                    "minval must not be above maxval, got {minval} and {maxval}"
                ))
            }
            Initializer::VarianceScaling { scale, .. } if !(*scale > 0.0 && scale.is_finite()) => {
                refused(format!("scale must be a number above 0, got {scale}"))
            }
            Initializer::VarianceScaling { mode, .. } if !MODES.contains(&mode.as_str()) => {
                refused(names::unknown("mode", mode, &MODES))
            }
            Initializer::VarianceScaling { distribution, .. }
                if !DISTRIBUTIONS.contains(&distribution.as_str()) =>
            {
                refused(names::unknown("distribution", distribution, &DISTRIBUTIONS))
            }
            _ => Ok(()),
        }
    }
}

impl Initializer {
    /// As it stands in a saved model: a name, or settings under one: `{"random_normal": {"mean": …}}`,
    /// `{"constant": value}`.
    pub(crate) fn config(&self) -> Value {
        let name = match self {
            Initializer::GlorotUniform => "glorot_uniform",
            Initializer::GlorotNormal => "glorot_normal",
            Initializer::HeUniform => "he_uniform",
            Initializer::HeNormal => "he_normal",
            Initializer::LecunUniform => "lecun_uniform",
            Initializer::LecunNormal => "lecun_normal",
            Initializer::Zeros => "zeros",
            Initializer::Ones => "ones",
            Initializer::Orthogonal(1.0) => "orthogonal",
            Initializer::Orthogonal(gain) => return json!({"orthogonal": number(*gain)}),
            Initializer::Unknown(name) => name,
            Initializer::Constant(value) => return json!({"constant": number(*value)}),
            Initializer::RandomNormal { mean, stddev } => {
                let own = json!({"mean": number(*mean), "stddev": number(*stddev)});
                return json!({"random_normal": own});
            }
            Initializer::TruncatedNormal { mean, stddev } => {
                let own = json!({"mean": number(*mean), "stddev": number(*stddev)});
                return json!({"truncated_normal": own});
            }
            Initializer::RandomUniform { minval, maxval } => {
                let own = json!({"minval": number(*minval), "maxval": number(*maxval)});
                return json!({"random_uniform": own});
            }
            Initializer::VarianceScaling {
                scale,
                mode,
                distribution,
            } => {
                let own = json!({
                    "scale": number(*scale), "mode": mode, "distribution": distribution,
                });
                return json!({"variance_scaling": own});
            }
            Initializer::Identity { gain } => {
                return json!({"identity": {"gain": number(*gain)}});
            }
        };
        Value::from(name)
    }

    /// What [`Initializer::config`] wrote under `key`.
    pub(crate) fn from_field(fields: &Fields<'_>, key: &str) -> Parsed<Initializer> {
        let value = fields.get(key).unwrap_or(&Value::Null);
        Self::from_config(value).map_err(|error| format!("{key}: {error}"))
    }

    /// What [`Initializer::config`] wrote.
    pub(crate) fn from_config(value: &Value) -> Parsed<Initializer> {
        let initializer = match value.as_str() {
            Some(name) => Initializer::from(name),
            None => Self::with_settings(&Fields::of(value, "initializer")?)?,
        };
        initializer.known().map_err(|error| error.to_string())?;
        Ok(initializer)
    }

    fn with_settings(fields: &Fields<'_>) -> Parsed<Initializer> {
        let own = |name: &'static str| fields.get(name).map(|own| Fields::of(own, name));
        if let Some(own) = own("random_normal").transpose()? {
            let (mean, stddev) = (own.float("mean")?, own.float("stddev")?);
            return Ok(Initializer::RandomNormal { mean, stddev });
        }
        if let Some(own) = own("truncated_normal").transpose()? {
            let (mean, stddev) = (own.float("mean")?, own.float("stddev")?);
            return Ok(Initializer::TruncatedNormal { mean, stddev });
        }
        if let Some(own) = own("random_uniform").transpose()? {
            let (minval, maxval) = (own.float("minval")?, own.float("maxval")?);
            return Ok(Initializer::RandomUniform { minval, maxval });
        }
        if let Some(own) = own("variance_scaling").transpose()? {
            let (mode, distribution) = (own.text("mode")?, own.text("distribution")?);
            let scale = own.float("scale")?;
            return Ok(Self::variance_scaling(scale, mode, distribution));
        }
        if let Some(own) = own("identity").transpose()? {
            return Ok(Initializer::Identity {
                gain: own.float("gain")?,
            });
        }
        if fields.get("orthogonal").is_some() {
            return Ok(Initializer::Orthogonal(fields.float("orthogonal")?));
        }
        Ok(Initializer::Constant(fields.float("constant")?))
    }
}

/// `gain` where row and column have the same number.
fn diagonal(shape: &[usize], gain: f64) -> Result<Tensor> {
    let [rows, columns] = *shape else {
        return Err(Error::Shape(format!(
            "the identity is a matrix, and this weight has shape {shape:?}; expected two axes"
        )));
    };
    let mut values = vec![0.0_f32; rows * columns];
    for place in 0..rows.min(columns) {
        values[place * columns + place] = gain as f32;
    }
    Tensor::from_shape_vec(shape, values)
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
            "random_normal" => Initializer::random_normal(0.0, 0.05),
            "random_uniform" => Initializer::random_uniform(-0.05, 0.05),
            "truncated_normal" => Initializer::truncated_normal(0.0, 0.05),
            "variance_scaling" => Initializer::variance_scaling(1.0, "fan_in", "truncated_normal"),
            "identity" => Initializer::identity(1.0),
            "constant" => Initializer::constant(0.0),
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
    fn moments_are_those_of_the_settings() {
        let scaled = Initializer::variance_scaling;
        // What a cut at two standard deviations leaves of the variance.
        let cut = TRUNCATED * TRUNCATED;
        for (initializer, mean, variance) in [
            (Initializer::random_normal(1.0, 0.3), 1.0, 0.09),
            (Initializer::truncated_normal(-1.0, 0.3), -1.0, 0.09 * cut),
            (Initializer::random_uniform(1.0, 3.0), 2.0, 4.0 / 12.0),
            (scaled(2.0, "fan_in", "truncated_normal"), 0.0, 2.0 / 300.0),
            (
                scaled(2.0, "fan_out", "untruncated_normal"),
                0.0,
                2.0 / 200.0,
            ),
            (scaled(0.5, "fan_avg", "uniform"), 0.0, 0.5 / 250.0),
        ] {
            let weights = initializer.create(&[300, 200]).unwrap();
            let found = weights.mean().item();
            assert!(
                (found - mean).abs() < 5.0 * (variance / 6e4).sqrt(),
                "{initializer:?}: mean {found}"
            );
            let found = (&weights - mean).square().mean().item();
            assert!(
                (found / variance - 1.0).abs() < 0.03,
                "{initializer:?}: variance {found}, expected {variance}"
            );
        }
    }

    #[test]
    fn distributions_end_where_they_should() {
        let furthest =
            |initializer: Initializer| initializer.create(&[300, 200]).unwrap().abs().max().item();
        assert!(furthest(Initializer::truncated_normal(0.0, 1.0)) <= 2.0);
        assert!(furthest(Initializer::random_normal(0.0, 1.0)) > 3.0);
        let scaled = |kind| furthest(Initializer::variance_scaling(300.0, "fan_in", kind));
        assert!(scaled("truncated_normal") <= 2.0 / TRUNCATED + 1e-6);
        assert!(scaled("untruncated_normal") > 3.0);
        assert!(scaled("uniform") <= 3.0_f64.sqrt() + 1e-6);
    }

    #[test]
    fn the_identity_is_a_matrix() {
        let identity = Initializer::identity(2.0);
        let expected = Tensor::from([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]);
        assert_eq!(identity.create(&[2, 3]).unwrap(), expected);
        let error = identity.create(&[2]).unwrap_err().to_string();
        assert!(
            error.contains("has shape [2]; expected two axes"),
            "{error}"
        );
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let error = |initializer: Initializer| initializer.create(&[2]).unwrap_err().to_string();
        assert!(error(Initializer::random_normal(0.0, -1.0)).contains("stddev must be"));
        assert!(error(Initializer::random_uniform(1.0, 0.0)).contains("minval must not be above"));
        let scaled = Initializer::variance_scaling;
        assert!(error(scaled(0.0, "fan_in", "uniform")).contains("scale must be a number above 0"));
        assert!(error(scaled(1.0, "fan", "uniform")).contains("did you mean \"fan_in\"?"));
        assert!(error(scaled(1.0, "fan_in", "gamma")).contains("unknown distribution"));
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
