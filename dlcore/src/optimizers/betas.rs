//! What Adam, Adamax and Nadam are told alike.

use serde_json::{Value, json};

use super::{check_fraction, check_positive};
use crate::Result;
use crate::config::{Fields, Parsed, number};

/// How slowly the two running means forget, and what keeps a divisor from zero.
#[derive(Clone, Debug)]
pub(super) struct Betas {
    pub(super) beta_1: f64,
    pub(super) beta_2: f64,
    pub(super) epsilon: f64,
}

impl Default for Betas {
    fn default() -> Self {
        Betas {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
        }
    }
}

impl Betas {
    pub(super) fn check(&self, optimizer: &str) -> Result<()> {
        check_fraction(optimizer, "beta_1", self.beta_1)?;
        check_fraction(optimizer, "beta_2", self.beta_2)?;
        check_positive(optimizer, "epsilon", self.epsilon)
    }

    /// As they stand in a saved model, beside an optimizer's own settings.
    pub(super) fn config(&self, own: Value) -> Value {
        let mut config = json!({
            "beta_1": number(self.beta_1),
            "beta_2": number(self.beta_2),
            "epsilon": number(self.epsilon),
        });
        if let (Value::Object(config), Value::Object(own)) = (&mut config, own) {
            config.extend(own);
        }
        config
    }

    pub(super) fn from_config(fields: &Fields<'_>) -> Parsed<Betas> {
        Ok(Betas {
            beta_1: fields.float("beta_1")?,
            beta_2: fields.float("beta_2")?,
            epsilon: fields.float("epsilon")?,
        })
    }
}

/// The methods that set them.
macro_rules! beta_settings {
    ($optimizer:ident, $second:literal) => {
        impl $optimizer {
            /// How slowly the mean of gradients forgets, from 0 to below 1 (0.9).
            pub fn beta_1(mut self, beta_1: f64) -> Self {
                self.betas.beta_1 = beta_1;
                self
            }

            #[doc = concat!("How slowly ", $second, ", from 0 to below 1 (0.999).")]
            pub fn beta_2(mut self, beta_2: f64) -> Self {
                self.betas.beta_2 = beta_2;
                self
            }

            /// Keeps the divisor from zero (1e-7).
            pub fn epsilon(mut self, epsilon: f64) -> Self {
                self.betas.epsilon = epsilon;
                self
            }
        }
    };
}
pub(super) use beta_settings;
