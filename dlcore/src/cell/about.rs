//! What a person wants to see of a variable in a list, and what it takes in memory.
//!
//! The types met most are looked up at run time, so that a cell has nothing more to compile.

use std::any::Any;

use super::kept;
use crate::Tensor;
use crate::datasets::Sequences;
use crate::datasets::imdb::Imdb;
use crate::datasets::mnist::Mnist;
use crate::files::Table;
use crate::models::{Evaluation, History, LayerRef, Model, Sequential, grouped};
use crate::{Error, Result};

/// A longer text is told by its length.
const LONGEST: usize = 40;

/// What there is to see, and its size in bytes. Sizes of other types are without what they point to.
pub(super) fn of(value: &dyn Any) -> (String, usize) {
    let own = size_of_val(value);
    if let Some(tensor) = value.downcast_ref::<Tensor>() {
        return tensor_about(tensor);
    }
    if let Some(model) = kept::model_in(value) {
        let parameters = grouped(model.count_params());
        return (format!("{parameters} parameters"), model.bytes());
    }
    if let Some(layer) = value.downcast_ref::<LayerRef>() {
        return (format!("{layer:?}"), 4 * layer.count_params());
    }
    if let Some(history) = value.downcast_ref::<History>() {
        let numbers = history.len() * history.metrics().len();
        return (counted(history.len(), "epoch"), own + 8 * numbers);
    }
    if let Some(scores) = value.downcast_ref::<Evaluation>() {
        return (scores.to_string(), own);
    }
    if let Some(sequences) = value.downcast_ref::<Sequences>() {
        return (counted(sequences.len(), "sequence"), rows_bytes(sequences));
    }
    if let Some(data) = value.downcast_ref::<Mnist>() {
        let images = counted(
            data.train_images.shape()[0] + data.test_images.shape()[0],
            "image",
        );
        let parts = [
            &data.train_images,
            &data.train_labels,
            &data.test_images,
            &data.test_labels,
        ];
        return (images, parts.map(Tensor::nbytes).iter().sum());
    }
    if let Some(data) = value.downcast_ref::<Imdb>() {
        let reviews = counted(data.train_data.len() + data.test_data.len(), "review");
        let labels = data.train_labels.nbytes() + data.test_labels.nbytes();
        return (
            reviews,
            rows_bytes(&data.train_data) + rows_bytes(&data.test_data) + labels,
        );
    }
    if let Some(text) = value.downcast_ref::<String>() {
        return (text_about(text), text.len());
    }
    if let Some(text) = value.downcast_ref::<&'static str>() {
        return (text_about(text), text.len());
    }
    if let Some((length, bytes)) = list(value) {
        return (counted(length, "element"), bytes);
    }
    if let Some(error) = failed(value) {
        return (format!("error: {error}"), own);
    }
    match kept::plain(value) {
        Some(text) => (text, own),
        None => (String::new(), own),
    }
}

/// The error in a `Result` of what the library's calls return most.
fn failed(value: &dyn Any) -> Option<&Error> {
    macro_rules! error_of {
        ($($kind:ty),*) => {
            $(if let Some(Err(error)) = value.downcast_ref::<Result<$kind>>() {
                return Some(error);
            })*
        };
    }
    error_of!((), History, Evaluation, Tensor, Model, Sequential, Table);
    None
}

fn rows_bytes(sequences: &Sequences) -> usize {
    let rows = sequences.rows();
    size_of_val(rows)
        + rows
            .iter()
            .map(|row| size_of_val(row.as_slice()))
            .sum::<usize>()
}

/// `f32 [60000, 784]`
fn tensor_about(tensor: &Tensor) -> (String, usize) {
    let sparse = if tensor.is_sparse() { ", sparse" } else { "" };
    let about = format!("{} {:?}{sparse}", tensor.dtype(), tensor.shape());
    (about, tensor.nbytes())
}

fn text_about(text: &str) -> String {
    let length = text.chars().count();
    match length <= LONGEST {
        true => format!("{text:?}"),
        false => counted(length, "character"),
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// The length of a vector of one of the usual types, and what its elements take.
fn list(value: &dyn Any) -> Option<(usize, usize)> {
    macro_rules! first_of {
        ($($element:ty),*) => {
            $(if let Some(list) = value.downcast_ref::<Vec<$element>>() {
                return Some((list.len(), size_of_val(list.as_slice())));
            })*
        };
    }
    first_of!(
        f32,
        f64,
        i32,
        i64,
        u8,
        u16,
        u32,
        u64,
        usize,
        isize,
        i8,
        i16,
        bool,
        char,
        &'static str
    );
    if let Some(texts) = value.downcast_ref::<Vec<String>>() {
        let bytes = texts.iter().map(|text| size_of::<String>() + text.len());
        return Some((texts.len(), bytes.sum()));
    }
    if let Some(tensors) = value.downcast_ref::<Vec<Tensor>>() {
        return Some((tensors.len(), tensors.iter().map(Tensor::nbytes).sum()));
    }
    macro_rules! first_nested {
        ($($element:ty),*) => {
            $(if let Some(lists) = value.downcast_ref::<Vec<Vec<$element>>>() {
                let bytes = lists.iter().map(|list| size_of_val(list.as_slice()));
                return Some((lists.len(), bytes.sum()));
            })*
        };
    }
    first_nested!(f32, f64, i32, i64, u8, u32, usize);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Dense;
    use crate::models::Sequential;

    #[test]
    fn the_types_met_most_show_what_one_wants_to_know() {
        let about = |value: &dyn Any| of(value);
        let model = Sequential::new().add(Dense::new(10).input_shape([784]));
        let rows = Sequences::new(vec![vec![1, 2, 3], vec![]]);
        let cases: [(&dyn Any, &str, usize); 10] = [
            (&rows, "2 sequences", 2 * size_of::<Vec<u32>>() + 12),
            (&Tensor::zeros([2, 3]), "f32 [2, 3]", 24),
            (&model, "7,850 parameters", 31_400),
            (&vec![1.0; 1000], "1,000 elements", 8000),
            (&vec![1_u8], "1 element", 1),
            (&String::from("short"), "\"short\"", 5),
            (&"x".repeat(1000), "1,000 characters", 1000),
            (&3.5_f32, "3.5", 4),
            (&true, "true", 1),
            (&Some(1_u16), "", 4),
        ];
        for (value, text, bytes) in cases {
            assert_eq!(about(value), (text.to_owned(), bytes));
        }
        let unseen: Result<History> = Err(Error::Value("too many".to_owned()));
        assert_eq!(about(&unseen).0, "error: too many");
        let sparse = Tensor::from_sparse_rows(9, &[vec![0, 5], vec![]]).unwrap();
        assert_eq!(about(&sparse).0, "f32 [2, 9], sparse");
        assert!(about(&sparse).1 < 72);
    }
}
