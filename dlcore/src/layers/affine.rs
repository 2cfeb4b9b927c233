//! What normalization layers end in: a scale and a shift that are learned.

use serde_json::{Value, json};

use super::Base;
use crate::config::{Fields, Parsed};
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::{DType, Result, Tensor};

/// `gamma · x + beta`, either of which may be absent.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub(super) center: bool,
    pub(super) scale: bool,
    pub(super) beta_initializer: Initializer,
    pub(super) gamma_initializer: Initializer,
    pub(super) beta_regularizer: Option<Regularizer>,
    pub(super) gamma_regularizer: Option<Regularizer>,
    pub(super) gamma: Option<Tensor>,
    pub(super) beta: Option<Tensor>,
}

impl Affine {
    /// With both, beginning as the identity.
    pub(super) fn new() -> Affine {
        Affine {
            center: true,
            scale: true,
            beta_initializer: Initializer::Zeros,
            gamma_initializer: Initializer::Ones,
            beta_regularizer: None,
            gamma_regularizer: None,
            gamma: None,
            beta: None,
        }
    }

    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Affine> {
        Ok(Affine {
            center: fields.flag("center")?,
            scale: fields.flag("scale")?,
            beta_initializer: Initializer::from_field(fields, "beta_initializer")?,
            gamma_initializer: Initializer::from_field(fields, "gamma_initializer")?,
            beta_regularizer: Regularizer::from_config(fields, "beta_regularizer")?,
            gamma_regularizer: Regularizer::from_config(fields, "gamma_regularizer")?,
            gamma: None,
            beta: None,
        })
    }

    /// A layer's own settings, a JSON object, together with these.
    pub(super) fn config(&self, own: Value) -> Value {
        let mut all = json!({
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": self.beta_initializer.config(),
            "gamma_initializer": self.gamma_initializer.config(),
            "beta_regularizer": Regularizer::config(self.beta_regularizer.as_ref()),
            "gamma_regularizer": Regularizer::config(self.gamma_regularizer.as_ref()),
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        all
    }

    /// Makes the weights, gamma first.
    pub(super) fn build(&mut self, base: &mut Base, shape: &[usize]) -> Result<()> {
        base.check_regularizer("gamma_regularizer", self.gamma_regularizer.as_ref())?;
        base.check_regularizer("beta_regularizer", self.beta_regularizer.as_ref())?;
        if self.scale {
            self.gamma = Some(base.weight("gamma", shape, &self.gamma_initializer)?);
        }
        if self.center {
            self.beta = Some(base.weight("beta", shape, &self.beta_initializer)?);
        }
        Ok(())
    }

    /// The weights as rows of `length`, or what stands for an absent one.
    pub(super) fn rows(&self, length: usize, dtype: DType) -> (Tensor, Tensor) {
        let gamma = match &self.gamma {
            Some(gamma) => gamma.flatten().cast(dtype),
            None => Tensor::ones(length).cast(dtype),
        };
        let beta = match &self.beta {
            Some(beta) => beta.flatten().cast(dtype),
            None => Tensor::zeros(length).cast(dtype),
        };
        (gamma, beta)
    }

    /// `x`, its last axis scaled and shifted.
    pub(super) fn apply(&self, x: Tensor) -> Tensor {
        let dtype = x.dtype();
        let scaled = match &self.gamma {
            Some(gamma) => x * gamma.cast(dtype),
            None => x,
        };
        match &self.beta {
            Some(beta) => scaled + beta.cast(dtype),
            None => scaled,
        }
    }

    pub(super) fn penalty(&self) -> Option<Tensor> {
        super::penalties([
            (self.gamma.as_ref(), self.gamma_regularizer.as_ref()),
            (self.beta.as_ref(), self.beta_regularizer.as_ref()),
        ])
    }

    pub(super) fn weights(&self) -> Vec<&Tensor> {
        self.gamma.iter().chain(&self.beta).collect()
    }

    pub(super) fn weights_mut(&mut self) -> Vec<&mut Tensor> {
        self.gamma.iter_mut().chain(&mut self.beta).collect()
    }
}

/// Defines the settings of a layer that has an `epsilon` and ends in an [`Affine`].
macro_rules! affine_settings {
    ($layer:ident) => {
        impl $layer {
            /// What is added to the variance (0.001), so that nothing is divided by 0.
            pub fn epsilon(mut self, epsilon: f64) -> $layer {
                self.epsilon = epsilon;
                self
            }

            /// Whether `beta` is added (true).
            pub fn center(mut self, center: bool) -> $layer {
                self.affine.center = center;
                self
            }

            /// Whether the result is multiplied by `gamma` (true); a linear layer or ReLU that follows
            /// can do without.
            pub fn scale(mut self, scale: bool) -> $layer {
                self.affine.scale = scale;
                self
            }

            /// How `beta` begins (`"zeros"`).
            pub fn beta_initializer(mut self, initializer: impl Into<Initializer>) -> $layer {
                self.affine.beta_initializer = initializer.into();
                self
            }

            /// How `gamma` begins (`"ones"`).
            pub fn gamma_initializer(mut self, initializer: impl Into<Initializer>) -> $layer {
                self.affine.gamma_initializer = initializer.into();
                self
            }

            /// The penalty on `beta` (none).
            pub fn beta_regularizer(mut self, regularizer: impl Into<Regularizer>) -> $layer {
                self.affine.beta_regularizer = Some(regularizer.into());
                self
            }

            /// The penalty on `gamma` (none).
            pub fn gamma_regularizer(mut self, regularizer: impl Into<Regularizer>) -> $layer {
                self.affine.gamma_regularizer = Some(regularizer.into());
                self
            }

            fn check_epsilon(&self) -> Result<()> {
                match self.epsilon >= 0.0 && self.epsilon.is_finite() {
                    true => Ok(()),
                    false => Err(self.base.value_error(format!(
                        "epsilon must be a number of at least 0, got {}",
                        self.epsilon
                    ))),
                }
            }
        }
    };
}
pub(super) use affine_settings;
