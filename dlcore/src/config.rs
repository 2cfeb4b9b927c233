//! Settings as JSON, as they stand in a saved model: written exactly, read with suspicion.

use serde_json::{Map, Value};

use crate::dim;
use crate::tensor::Shape;

/// What reading gives; the error says what was expected and what was found.
pub(crate) type Parsed<T> = Result<T, String>;

/// A number that reads back as the very same bits: as JSON where that is so, else as text.
pub(crate) fn number(value: f64) -> Value {
    let plain = Value::from(value);
    let back: Option<Value> = serde_json::from_str(&plain.to_string()).ok();
    match back.and_then(|back| back.as_f64()) {
        Some(back) if back.to_bits() == value.to_bits() => plain,
        // NaN and infinity, which JSON does not have, and what its reader rounds.
        _ => Value::from(value.to_string()),
    }
}

/// A shape, or null; an axis of any length is null, too.
pub(crate) fn shape(shape: Option<&[usize]>) -> Value {
    shape.map_or(Value::Null, dim::config)
}

/// No shape of a saved model has more elements.
const MOST_ELEMENTS: usize = 1 << 40;

/// The fields of a JSON object.
pub(crate) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    what: &'a str,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is called `what` in messages.
    pub(crate) fn of(value: &'a Value, what: &'a str) -> Parsed<Fields<'a>> {
        match value {
            Value::Object(fields) => Ok(Fields { fields, what }),
            other => Err(format!(
                "{what}: expected an object, found {}",
                brief(other)
            )),
        }
    }

    fn expected(&self, key: &str, expected: &str) -> String {
        let found = self.fields.get(key).map_or("nothing".to_string(), brief);
        format!("{}: {key}: expected {expected}, found {found}", self.what)
    }

    /// A field that may be absent; null is absent too.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, key: &str) -> Parsed<&'a str> {
        let text = self.get(key).and_then(Value::as_str);
        text.ok_or_else(|| self.expected(key, "text"))
    }

    pub(crate) fn flag(&self, key: &str) -> Parsed<bool> {
        let flag = self.get(key).and_then(Value::as_bool);
        flag.ok_or_else(|| self.expected(key, "true or false"))
    }

    /// A flag that may be absent.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Parsed<bool> {
        match self.get(key) {
            Some(_) => self.flag(key),
            None => Ok(default),
        }
    }

    pub(crate) fn size(&self, key: &str) -> Parsed<usize> {
        let size = self.get(key).and_then(Value::as_u64);
        size.and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| self.expected(key, "a whole number, at least 0"))
    }

    /// A list of whole numbers, a number alone being a list of one, or `None` where there is none.
    pub(crate) fn sizes(&self, key: &str) -> Parsed<Option<Vec<usize>>> {
        /// No window, stride or margin is larger, and products of two of them are numbers still.
        const LARGEST: u64 = 1 << 24;
        let size = |value: &Value| value.as_u64().filter(|&size| size <= LARGEST);
        let sizes = match self.get(key) {
            None => return Ok(None),
            Some(Value::Array(all)) => all.iter().map(size).collect::<Option<Vec<u64>>>(),
            Some(one) => size(one).map(|size| vec![size]),
        };
        sizes
            .map(|sizes| Some(sizes.iter().map(|&size| size as usize).collect()))
            .ok_or_else(|| self.expected(key, "whole numbers, at least 0"))
    }

    pub(crate) fn float(&self, key: &str) -> Parsed<f64> {
        self.get(key)
            .and_then(float)
            .ok_or_else(|| self.expected(key, "a number"))
    }

    pub(crate) fn list(&self, key: &str) -> Parsed<&'a [Value]> {
        let list = self.get(key).and_then(Value::as_array);
        list.map(Vec::as_slice)
            .ok_or_else(|| self.expected(key, "a list"))
    }

    pub(crate) fn texts(&self, key: &str) -> Parsed<Vec<String>> {
        let texts = self.list(key)?.iter().map(Value::as_str);
        texts
            .map(|text| text.map(str::to_string))
            .collect::<Option<_>>()
            .ok_or_else(|| self.expected(key, "a list of texts"))
    }

    /// A shape of positive axes, null where they may be of any length, or `None` where there is none.
    pub(crate) fn shape(&self, key: &str) -> Parsed<Option<Vec<usize>>> {
        if self.get(key).is_none() {
            return Ok(None);
        }
        let axis = |axis: &Value| match axis {
            Value::Null => Some(dim::ANY),
            axis => {
                let length = usize::try_from(axis.as_u64()?).ok();
                length.filter(|length| (1..=MOST_ELEMENTS).contains(length))
            }
        };
        let axes: Option<Vec<usize>> = self.list(key)?.iter().map(axis).collect();
        let fits = |axes: &Vec<usize>| {
            let mut lengths = axes.iter().filter(|&&length| length != dim::ANY);
            let size = lengths.try_fold(1_usize, |size, &axis| size.checked_mul(axis));
            axes.len() <= 16 && size.is_some_and(|size| size <= MOST_ELEMENTS)
        };
        axes.filter(fits)
            .map(|axes| Some(Shape::from(axes).into_vec()))
            .ok_or_else(|| self.expected(key, "a shape"))
    }
}

/// A number as [`number`] writes it.
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

/// The beginning of what was found.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_bit_for_bit() {
        let odd = [0.1 + 0.2, 1e-3, f64::MIN_POSITIVE, -0.0, 1.0 / 3.0, 1e300];
        for value in odd.into_iter().chain([f64::INFINITY, f64::NAN]) {
            let text = number(value).to_string();
            let back = float(&serde_json::from_str(&text).unwrap()).unwrap();
            assert!(
                back.to_bits() == value.to_bits() || value.is_nan() && back.is_nan(),
                "{value} {text}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        let value = serde_json::json!({"units": -1, "shape": [usize::MAX, 2], "name": null});
        let fields = Fields::of(&value, "Dense").unwrap();
        let error = fields.size("units").unwrap_err();
        assert_eq!(
            error,
            "Dense: units: expected a whole number, at least 0, found -1"
        );
        assert_eq!(fields.flag_or("name", true), Ok(true));
        assert!(fields.flag_or("units", true).is_err());
        assert!(fields.shape("shape").is_err());
        assert_eq!(fields.shape("name"), Ok(None));
        assert!(fields.sizes("shape").unwrap_err().contains("whole numbers"));
        assert!(fields.sizes("units").is_err());
        assert_eq!(fields.sizes("name"), Ok(None));
        assert!(fields.text("rate").unwrap_err().contains("found nothing"));
    }

    #[test]
    fn axes_of_any_length_are_null_where_they_may_be() {
        let value = serde_json::json!({"shape": shape(Some(&[dim::ANY, 8])), "zero": [0, null]});
        assert_eq!(value["shape"], serde_json::json!([null, 8]));
        let fields = Fields::of(&value, "LSTM").unwrap();
        assert_eq!(fields.shape("shape"), Ok(Some(vec![dim::ANY, 8])));
        assert!(fields.shape("zero").is_err());
    }
}
