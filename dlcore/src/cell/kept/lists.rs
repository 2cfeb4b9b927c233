//! Values that are kept as bytes: lists of numbers and of texts, tables, tokenizers, evaluations.

use std::any::{Any, type_name};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::cell::Store;
use crate::files::Table;
use crate::models::Evaluation;
use crate::preprocessing::Tokenizer;

/// The value of one variable, written down.
pub(in crate::cell) struct Bytes {
    /// The name of its type.
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// By what one sees that it has not changed.
#[derive(PartialEq)]
pub(in crate::cell) struct Print {
    kind: &'static str,
    pub(super) length: usize,
    hash: u64,
}

/// Runs `$body` with `$type` as each type of number whose lists are kept.
macro_rules! each_number {
    ($type:ident => $body:expr) => {
        each_number!(@ $type, $body, f32 f64 i32 i64 u8 u32 usize)
    };
    (@ $type:ident, $body:expr, $($number:ident)*) => {
        $({ type $type = $number; $body })*
    };
}

impl Bytes {
    /// The bytes of a value of one of these types, if they are no more than `most`.
    pub(super) fn of(value: &dyn Any, most: usize) -> Option<Bytes> {
        let text = |kind: &'static str, value: Value| Some((kind, value.to_string().into_bytes()));
        let numbers = || {
            each_number!(T => if let Some(list) = value.downcast_ref::<Vec<T>>() {
                let small = size_of_val(list.as_slice()) <= most;
                let bytes = list.iter().filter(|_| small).flat_map(|number| number.to_le_bytes());
                return small.then(|| (type_name::<Vec<T>>(), bytes.collect()));
            });
            None
        };
        let written = if let Some(texts) = value.downcast_ref::<Vec<String>>() {
            let small = texts.iter().map(String::len).sum::<usize>() <= most;
            small.then(|| text(type_name::<Vec<String>>(), texts.as_slice().into()))?
        } else if let Some(table) = value.downcast_ref::<Table>() {
            // A number is written as up to twenty digits and a comma.
            let small = table.rows() * table.names().len() <= most / 21;
            small.then(|| text(type_name::<Table>(), table.config()))?
        } else if let Some(words) = value.downcast_ref::<Tokenizer>() {
            Some((type_name::<Tokenizer>(), words.to_json().into_bytes()))
        } else if let Some(scores) = value.downcast_ref::<Evaluation>() {
            text(type_name::<Evaluation>(), scores.config())
        } else {
            numbers()
        };
        let (kind, bytes) = written.filter(|(_, bytes): &(_, Vec<u8>)| bytes.len() <= most)?;
        Some(Bytes { kind, bytes })
    }

    pub(super) fn print(&self) -> Print {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        Print {
            kind: self.kind,
            length: self.bytes.len(),
            hash: hasher.finish(),
        }
    }

    /// What was written of a value of this type, if it is one of these.
    pub(super) fn read(kind: &str, bytes: Vec<u8>) -> Option<Bytes> {
        each_number!(T => if kind == type_name::<Vec<T>>() {
            return Some(Bytes { kind: type_name::<Vec<T>>(), bytes });
        });
        let others = [
            type_name::<Vec<String>>(),
            type_name::<Table>(),
            type_name::<Tokenizer>(),
            type_name::<Evaluation>(),
        ];
        let kind = others.into_iter().find(|other| *other == kind)?;
        Some(Bytes { kind, bytes })
    }

    /// Puts the value into the store; what cannot be read is left out.
    pub(super) fn put(&self, name: &str, store: &mut Store) {
        each_number!(T => if self.kind == type_name::<Vec<T>>() {
            let numbers = self.bytes.chunks_exact(size_of::<T>());
            let number = |bytes: &[u8]| bytes.try_into().map(T::from_le_bytes).ok();
            return store.put(name, numbers.filter_map(number).collect::<Vec<T>>(), false);
        });
        let Ok(text) = std::str::from_utf8(&self.bytes) else {
            return;
        };
        if self.kind == type_name::<Tokenizer>() {
            if let Ok(words) = Tokenizer::from_json(text) {
                store.put(name, words, false);
            }
            return;
        }
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return;
        };
        if self.kind == type_name::<Table>() {
            if let Ok(table) = Table::from_config(&value) {
                store.put(name, table, false);
            }
        } else if self.kind == type_name::<Evaluation>() {
            if let Ok(scores) = Evaluation::from_config(&value) {
                store.put(name, scores, false);
            }
        } else if let Some(texts) = value.as_array() {
            let texts = texts.iter().filter_map(Value::as_str).map(str::to_owned);
            store.put(name, texts.collect::<Vec<String>>(), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    /// The value that comes back of what was written.
    fn again<T: Any>(value: T) -> T {
        let written = Bytes::of(&value, 1 << 20).expect("it can be kept");
        let read = Bytes::read(written.kind, written.bytes.clone()).expect("its type is known");
        assert!(read.print() == written.print());
        let mut store = Store::default();
        read.put("x", &mut store);
        store.take("x")
    }

    #[test]
    fn what_comes_back_is_what_was_written() {
        let floats = again(vec![0.1_f32, f32::NAN, f32::NEG_INFINITY]);
        assert!(floats[0] == 0.1 && floats[1].is_nan() && floats[2] == f32::NEG_INFINITY);
        assert_eq!(again(vec![1_usize, usize::MAX]), [1, usize::MAX]);
        assert_eq!(again(vec![-1_i64, i64::MIN]), [-1, i64::MIN]);
        let texts = vec!["é\n\"".to_owned(), String::new()];
        assert_eq!(again(texts.clone()), texts);
        let table = Table::new()
            .with("age", &Tensor::from([0.1, f32::NAN]))
            .and_then(|table| table.with_text("city", &["NA", ""]))
            .unwrap();
        let back = again(table.clone());
        assert_eq!(
            (back.config(), back.missing()),
            (table.config(), table.missing())
        );
        assert_eq!(
            again(Evaluation::new(f64::NAN, vec![("mae".to_owned(), 0.1)])).metric("mae"),
            0.1
        );
        let mut words = Tokenizer::new();
        words.fit_on_texts(["the cat sat", "the dog"]);
        assert_eq!(again(words.clone()).to_json(), words.to_json());
    }

    #[test]
    fn what_is_large_is_not_written() {
        assert!(Bytes::of(&vec![0.0_f32; 1000], 3999).is_none());
        assert!(Bytes::of(&vec!["x".repeat(100)], 99).is_none());
        assert!(Bytes::of(&vec![Some(1)], 99).is_none());
    }
}
