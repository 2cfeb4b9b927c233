//! What normalization layers end in: a scale and a shift that are learned.

use serde_json::{Map, Value, json};

use super::Base;
use super::weight::Weight;
use crate::config::{Fields, Parsed};
use crate::{DType, Result, Tensor};

/// `gamma · x + beta`, either of which may be absent.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub(super) center: bool,
    pub(super) scale: bool,
    pub(super) gamma: Weight,
    pub(super) beta: Weight,
}

impl Affine {
    /// With both, beginning as the identity.
    pub(super) fn new() -> Affine {
        Affine {
            center: true,
            scale: true,
            gamma: Weight::new("gamma", "ones"),
            beta: Weight::new("beta", "zeros"),
        }
    }

    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Affine> {
        let new = Affine::new();
        Ok(Affine {
            center: fields.flag("center")?,
            scale: fields.flag("scale")?,
            gamma: new.gamma.with_config(fields)?,
            beta: new.beta.with_config(fields)?,
        })
    }

    /// A layer's own settings, a JSON object, together with these.
    pub(super) fn config(&self, own: Value) -> Value {
        let mut all = Map::new();
        all.insert("center".into(), json!(self.center));
        all.insert("scale".into(), json!(self.scale));
        self.beta.write(&mut all);
        self.gamma.write(&mut all);
        if let Value::Object(own) = own {
            all.extend(own);
        }
        Value::Object(all)
    }

    /// Makes the weights, gamma first.
    pub(super) fn build(&mut self, base: &mut Base, shape: &[usize]) -> Result<()> {
        self.gamma.check(base)?;
        self.beta.check(base)?;
        if self.scale {
            self.gamma.value = Some(self.gamma.make(base, shape)?);
        }
        if self.center {
            self.beta.value = Some(self.beta.make(base, shape)?);
        }
        Ok(())
    }

    /// The weights as rows of `length`, or what stands for an absent one.
    pub(super) fn rows(&self, length: usize, dtype: DType) -> (Tensor, Tensor) {
        let gamma = match &self.gamma.value {
            Some(gamma) => gamma.flatten().cast(dtype),
            None => Tensor::ones(length).cast(dtype),
        };
        let beta = match &self.beta.value {
            Some(beta) => beta.flatten().cast(dtype),
            None => Tensor::zeros(length).cast(dtype),
        };
        (gamma, beta)
    }

    /// `x`, its last axis scaled and shifted.
    pub(super) fn apply(&self, x: Tensor) -> Tensor {
        let dtype = x.dtype();
        let scaled = match &self.gamma.value {
            Some(gamma) => x * gamma.cast(dtype),
            None => x,
        };
        match &self.beta.value {
            Some(beta) => scaled + beta.cast(dtype),
            None => scaled,
        }
    }
}

/// Defines the settings of a layer that has an `epsilon` and ends in an [`Affine`].
macro_rules! affine_settings {
    ($layer:ident) => {
        $crate::layers::weight::weight_settings!(
            $layer,
            affine.beta,
            "shift `beta`",
            "zeros",
            beta_initializer,
            beta_regularizer,
            beta_constraint
        );
        $crate::layers::weight::weight_settings!(
            $layer,
            affine.gamma,
            "scale `gamma`",
            "ones",
            gamma_initializer,
            gamma_regularizer,
            gamma_constraint
        );

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
