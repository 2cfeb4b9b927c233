//! Bounds that weights are brought back to after each update.

use serde_json::{Value, json};

use crate::config::{Fields, Parsed, number};
use crate::layers::Dims;
use crate::losses::EPSILON;
use crate::{Error, Result, Tensor, names};

/// What a layer's weights are held to while training, by its Keras name or with settings.
///
/// ```
/// use dlcore::prelude::*;
/// let positive = Dense::new(16).kernel_constraint("non_neg");
/// let bounded = Conv2D::new(32, 3).kernel_constraint(Constraint::max_norm(3.0).axis([0, 1, 2]));
/// ```
///
/// Norms are `√Σw²` along an axis or several: along the first one (the default), that of the weights of
/// each unit of a [`Dense`](crate::layers::Dense) layer.
///
/// Source: Keras 3, `constraints/constraints.py`; max-norm: Srebro and Shraibman, 2005.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    bound: Bound,
    axis: Dims,
}

#[derive(Clone, Debug, PartialEq)]
enum Bound {
    NonNegative,
    UnitNorm,
    Norm {
        min: f64,
        max: f64,
        rate: f64,
    },
    /// As `Norm`, without a lower bound.
    MaxNorm(f64),
    Unknown(String),
}

const NAMES: [&str; 4] = ["max_norm", "min_max_norm", "non_neg", "unit_norm"];

impl Constraint {
    fn new(bound: Bound) -> Constraint {
        Constraint {
            bound,
            axis: Dims::from(0),
        }
    }

    /// Weights whose norm is at most `max_value` (2 by name): `w · min(norm, max_value) / norm`.
    pub fn max_norm(max_value: f64) -> Constraint {
        Self::new(Bound::MaxNorm(max_value))
    }

    /// Weights whose norm is between the two (0 and 1 by name).
    pub fn min_max_norm(min_value: f64, max_value: f64) -> Constraint {
        Self::new(Bound::Norm {
            min: min_value,
            max: max_value,
            rate: 1.0,
        })
    }

    /// Weights that are at least 0: those below become 0.
    pub fn non_neg() -> Constraint {
        Self::new(Bound::NonNegative)
    }

    /// Weights whose norm is 1: `w / norm`.
    pub fn unit_norm() -> Constraint {
        Self::new(Bound::UnitNorm)
    }

    /// The axes along which norms are taken (0); `[0, 1, 2]` for those of a
    /// [`Conv2D`](crate::layers::Conv2D) layer's filters.
    pub fn axis(mut self, axis: impl Into<Dims>) -> Constraint {
        self.axis = axis.into();
        self
    }

    /// How much of the way to its bound a norm goes at each update, from 0 to 1 (1); of use with
    /// [`Constraint::min_max_norm`].
    pub fn rate(mut self, share: f64) -> Constraint {
        if let Bound::Norm { rate, .. } = &mut self.bound {
            *rate = share;
        }
        self
    }

    /// An error for a name that is not known or a setting that makes no sense.
    pub(crate) fn known(&self) -> Result<()> {
        let refused = |text: String| Err(Error::Value(text));
        match &self.bound {
            Bound::Unknown(name) => refused(format!(
                "{}; settings of its own are given as Constraint::max_norm(3.0)",
                names::unknown("constraint", name, &NAMES)
            )),
            Bound::MaxNorm(max) if !(*max >= 0.0 && max.is_finite()) => refused(format!(
                "max_norm: max_value must be a number of at least 0, got {max}"
            )),
            Bound::Norm { min, max, .. } if !(0.0 <= *min && min <= max && max.is_finite()) => {
                refused(format!(
                    "min_max_norm: expected 0 ≤ min_value ≤ max_value, got {min} and {max}"
                ))
            }
            Bound::Norm { rate, .. } if !(0.0..=1.0).contains(rate) => refused(format!(
                "min_max_norm: rate is a share, from 0 to 1, got {rate}"
            )),
            _ => Ok(()),
        }
    }

    /// An error if a weight of this shape does not have the axes that norms are taken along.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<()> {
        self.known()?;
        if self.bound != Bound::NonNegative {
            self.axes(shape.len())?;
        }
        Ok(())
    }

    fn axes(&self, rank: usize) -> Result<Vec<isize>> {
        let rank = rank as isize;
        let counted = |&axis: &isize| {
            let axis = if axis < 0 { axis + rank } else { axis };
            (0..rank).contains(&axis).then_some(axis)
        };
        let axes: Option<Vec<isize>> = self.axis.as_slice().iter().map(counted).collect();
        axes.ok_or_else(|| {
            Error::Shape(format!(
                "axis {:?} is out of range for a weight with {rank} axes",
                self.axis.as_slice()
            ))
        })
    }

    /// The weight as it is allowed to be.
    ///
    /// # Errors
    /// [`Error::Value`] if the name is not known or a setting makes no sense; [`Error::Shape`] if the
    /// weight does not have the axes.
    pub fn apply(&self, weight: &Tensor) -> Result<Tensor> {
        self.check(weight.shape())?;
        if self.bound == Bound::NonNegative {
            return Ok(weight.maximum(0.0));
        }
        let axes = self.axes(weight.ndim())?.into_iter();
        let squares = axes.fold(weight.square(), |sum, axis| sum.sum_axis_keep(axis));
        let norms = squares.sqrt();
        let desired = match self.bound {
            Bound::MaxNorm(max) => norms.clip(0.0, max),
            Bound::Norm { min, max, rate } => norms.clip(min, max) * rate + &norms * (1.0 - rate),
            _ => norms.ones_like(),
        };
        Ok(weight * (desired / (norms + EPSILON)))
    }

    /// As it stands in a saved model, or null.
    pub(crate) fn config(constraint: Option<&Constraint>) -> Value {
        let Some(own) = constraint else {
            return Value::Null;
        };
        let axis = own.axis.config();
        match &own.bound {
            Bound::NonNegative => json!({"non_neg": {}}),
            Bound::UnitNorm => json!({"unit_norm": {"axis": axis}}),
            Bound::MaxNorm(max) => json!({"max_norm": {"max_value": number(*max), "axis": axis}}),
            Bound::Norm { min, max, rate } => json!({"min_max_norm": {
                "min_value": number(*min), "max_value": number(*max), "rate": number(*rate), "axis": axis,
            }}),
            Bound::Unknown(name) => Value::from(name.as_str()),
        }
    }

    /// What [`Constraint::config`] wrote under `key`; a field that is missing is none.
    pub(crate) fn from_config(fields: &Fields<'_>, key: &str) -> Parsed<Option<Constraint>> {
        let Some(value) = fields.get(key) else {
            return Ok(None);
        };
        let constraint = match value.as_str() {
            Some(name) => Constraint::from(name),
            None => Self::with_settings(&Fields::of(value, key)?, key)?,
        };
        constraint.known().map_err(|error| error.to_string())?;
        Ok(Some(constraint))
    }

    fn with_settings(fields: &Fields<'_>, key: &str) -> Parsed<Constraint> {
        for name in NAMES {
            let Some(value) = fields.get(name) else {
                continue;
            };
            let own = Fields::of(value, name)?;
            let constraint = match name {
                "non_neg" => Self::non_neg(),
                "unit_norm" => Self::unit_norm(),
                "max_norm" => Self::max_norm(own.float("max_value")?),
                _ => Self::min_max_norm(own.float("min_value")?, own.float("max_value")?)
                    .rate(own.float("rate")?),
            };
            let axis = Dims::from_field(&own, "axis")?;
            return Ok(constraint.axis(axis.unwrap_or(Dims::from(0))));
        }
        Err(format!("{key}: expected one of {}", NAMES.join(", ")))
    }
}

/// By name, with Keras's settings; one that is not known is reported when the layer is built.
impl From<&str> for Constraint {
    fn from(name: &str) -> Self {
        match name {
            "max_norm" => Self::max_norm(2.0),
            "min_max_norm" => Self::min_max_norm(0.0, 1.0),
            "non_neg" => Self::non_neg(),
            "unit_norm" => Self::unit_norm(),
            other => Self::new(Bound::Unknown(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_come_to_their_bounds() {
        // Columns of norm 5 and 0.5.
        let weight = Tensor::from([[3.0, 0.3], [-4.0, 0.4]]);
        let after = |constraint: Constraint| constraint.apply(&weight).unwrap().to_vec();
        let close = |actual: Vec<f32>, expected: [f32; 4]| {
            let worst = actual.iter().zip(expected).map(|(a, e)| (a - e).abs());
            assert!(worst.fold(0.0, f32::max) < 1e-5, "{actual:?} {expected:?}");
        };
        close(after("max_norm".into()), [1.2, 0.3, -1.6, 0.4]);
        close(after("unit_norm".into()), [0.6, 0.6, -0.8, 0.8]);
        close(after("non_neg".into()), [3.0, 0.3, 0.0, 0.4]);
        let between = Constraint::min_max_norm(1.0, 2.5);
        close(after(between.clone()), [1.5, 0.6, -2.0, 0.8]);
        close(after(between.rate(0.5)), [2.25, 0.45, -3.0, 0.6]);
        let whole = Constraint::unit_norm().axis([0, -1]);
        let norm = whole.apply(&weight).unwrap().square().sum().item();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let error = |constraint: Constraint| {
            let result = constraint.apply(&Tensor::ones([2]));
            result.unwrap_err().to_string()
        };
        assert!(error("max_nrm".into()).contains("did you mean \"max_norm\"?"));
        assert!(error(Constraint::max_norm(-1.0)).contains("max_value must be a number"));
        let text = error(Constraint::min_max_norm(2.0, 1.0));
        assert!(text.contains("got 2 and 1"), "{text}");
        let text = error(Constraint::min_max_norm(0.0, 1.0).rate(2.0));
        assert!(text.contains("rate is a share"), "{text}");
        let text = error(Constraint::unit_norm().axis(1));
        assert!(text.contains("axis [1] is out of range"), "{text}");
    }

    #[test]
    fn settings_come_back() {
        for constraint in [
            Constraint::max_norm(3.0).axis([0, 1, 2]),
            Constraint::min_max_norm(0.5, 1.5).rate(0.9),
            Constraint::non_neg(),
            Constraint::unit_norm().axis(-1),
        ] {
            let config = json!({"kernel_constraint": Constraint::config(Some(&constraint))});
            let fields = Fields::of(&config, "Dense").unwrap();
            let back = Constraint::from_config(&fields, "kernel_constraint");
            assert_eq!(back, Ok(Some(constraint)));
            assert_eq!(Constraint::from_config(&fields, "other"), Ok(None));
        }
    }
}
