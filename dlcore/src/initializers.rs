//! How weights begin.

mod config;
mod draw;

use crate::random::{normal, truncated_normal, uniform};
use crate::tensor::Shape;
use crate::{Error, Result, Tensor, names};
use draw::{diagonal, fans, normal_of_variance, orthogonal, uniform_of_variance};

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
    /// [`Error::Value`] if the name is not known or a setting makes no sense; [`Error::Shape`] if there is no room for
    /// so many numbers, or if the shape is not a matrix's, which [`Initializer::Identity`] needs, or has fewer than two axes,
    /// which [`Initializer::Orthogonal`] needs.
    pub fn create(&self, shape: &[usize]) -> Result<Tensor> {
        self.known()?;
        Shape::from(shape).room::<f32>("a weight")?;
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
mod tests;
