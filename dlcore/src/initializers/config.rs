//! Initializers as they stand in a saved model.

use serde_json::{Value, json};

use super::Initializer;
use crate::config::{Fields, Parsed, number};

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
