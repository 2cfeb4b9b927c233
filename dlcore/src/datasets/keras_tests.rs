//! The data sets against Keras's own loaders on the same files (`tests/parity/data_sets.py`).

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::mt19937::RandomState;
use super::*;
use crate::tensor::Element;
use crate::{DType, Tensor};

static KERAS: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/data_sets.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

fn data_is_here() -> bool {
    let here = std::env::var_os("DLCORE_DATA").is_some();
    if !here {
        println!("skipped: DLCORE_DATA names no data");
    }
    here
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<T: Element + Copy>(tensor: &Tensor, bytes: impl Fn(T) -> Vec<u8>) -> Vec<u8> {
    tensor
        .to_vec_of::<T>()
        .into_iter()
        .flat_map(bytes)
        .collect()
}

/// What the fixtures say of an array.
fn summary(tensor: &Tensor) -> Value {
    let first = &tensor.to_vec_of::<f64>()[..tensor.len().min(32)];
    let (dtype, content) = match tensor.dtype() {
        DType::U8 => ("uint8", tensor.to_vec_of::<u8>()),
        DType::I64 => ("int64", bytes(tensor, |v: i64| v.to_le_bytes().to_vec())),
        DType::F64 => ("float64", bytes(tensor, |v: f64| v.to_le_bytes().to_vec())),
        other => panic!("no data set has {other:?}"),
    };
    json!({
        "shape": tensor.shape(),
        "dtype": dtype,
        "first": first,
        "sha256": hexadecimal(&Sha256::digest(content)),
    })
}

/// Equal, whether numbers are written as whole ones or not.
#[track_caller]
fn equal(what: &str, actual: Value, expected: &Value) {
    fn plain(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), plain(v))).collect(),
            Value::Number(number) => json!(number.as_f64()),
            other => other.clone(),
        }
    }
    assert_eq!(plain(&actual), plain(expected), "{what}");
}

fn counts(labels: &Tensor) -> Value {
    let (labels, counts) = labels.unique_counts();
    labels
        .to_vec()
        .into_iter()
        .zip(counts.to_vec())
        .map(|(l, c)| json!([l, c]))
        .collect()
}

fn sequences(rows: &Sequences, labels: &Tensor) -> Value {
    let mut hash = Sha256::new();
    for row in rows {
        let numbers = row.iter().chain(&[u32::MAX]);
        hash.update(
            numbers
                .flat_map(|number| number.to_le_bytes())
                .collect::<Vec<_>>(),
        );
    }
    let first = rows
        .iter()
        .take(3)
        .map(|row| json!(row[..row.len().min(16)]));
    json!({
        "sequences": rows.len(),
        "numbers": rows.iter().map(Vec::len).sum::<usize>(),
        "first": first.collect::<Value>(),
        "sha256": hexadecimal(&hash.finalize()),
        "labels": summary(labels),
        "counts": counts(labels),
    })
}

/// The arguments of a case.
fn settings(arguments: &Value) -> LoadData {
    let mut settings = LoadData::new();
    for (name, value) in arguments.as_object().unwrap() {
        let number = value.as_u64().map(|number| number as u32);
        settings = match name.as_str() {
            "num_words" => settings.num_words(number.unwrap()),
            "skip_top" => settings.skip_top(number.unwrap()),
            "maxlen" => settings.maxlen(number.unwrap() as usize),
            "seed" => settings.seed(number.unwrap()),
            "start_char" => settings.start_char(number),
            "oov_char" => settings.oov_char(number),
            "index_from" => settings.index_from(number.unwrap()),
            "test_split" => settings.test_split(value.as_f64().unwrap()),
            other => panic!("unknown argument {other}"),
        };
    }
    settings
}

fn check_words(index: &WordIndex, expected: &Value) {
    let mut hash = Sha256::new();
    index
        .iter()
        .for_each(|(word, rank)| hash.update(format!("{rank} {word}\n")));
    assert_eq!(json!(index.len()), expected["words"]);
    assert_eq!(
        json!(hexadecimal(&hash.finalize())),
        expected["words_sha256"]
    );
}

#[test]
fn random_numbers_are_numpys() {
    let mut random = RandomState::new(113);
    let doubles: Vec<f64> = (0..5).map(|_| random.random()).collect();
    let uniform: Vec<f64> = (0..3).map(|_| random.uniform(-40.0, 40.0)).collect();
    assert_eq!(json!(doubles), KERAS["random"]["doubles"]);
    assert_eq!(json!(uniform), KERAS["random"]["uniform"]);
}

#[test]
fn pictures_are_kerass() {
    if !data_is_here() {
        return;
    }
    let check = |name: &str, [train, train_labels, test, test_labels]: [&Tensor; 4]| {
        let actual = json!({
            "train": summary(train), "train_labels": summary(train_labels), "train_counts": counts(train_labels),
            "test": summary(test), "test_labels": summary(test_labels), "test_counts": counts(test_labels),
        });
        equal(name, actual, &KERAS[name]);
    };
    let data = mnist::load().unwrap();
    check(
        "mnist",
        [
            &data.train_images,
            &data.train_labels,
            &data.test_images,
            &data.test_labels,
        ],
    );
    let data = fashion_mnist::load().unwrap();
    check(
        "fashion_mnist",
        [
            &data.train_images,
            &data.train_labels,
            &data.test_images,
            &data.test_labels,
        ],
    );
    assert_eq!(
        fashion_mnist::class_names()[data.train_labels.at(0) as usize],
        "Ankle boot"
    );
}

#[test]
fn an_archive_like_cifar10s_is_read_as_keras_reads_it() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/cifar10.tar.gz"
    );
    let data = cifar10::read(Path::new(path)).unwrap();
    let actual = json!({
        "train": summary(&data.train_images), "train_labels": summary(&data.train_labels),
        "test": summary(&data.test_images), "test_labels": summary(&data.test_labels),
    });
    equal("cifar10", actual, &KERAS["cifar10"]);
}

#[test]
fn houses_are_kerass() {
    if !data_is_here() {
        return;
    }
    for case in KERAS["boston_housing"].as_array().unwrap() {
        let data = boston_housing::load_with(settings(&case["arguments"])).unwrap();
        let actual = json!({
            "arguments": case["arguments"],
            "train": summary(&data.train_data), "train_targets": summary(&data.train_targets),
            "test": summary(&data.test_data), "test_targets": summary(&data.test_targets),
        });
        equal("boston_housing", actual, case);
    }
    assert_eq!(boston_housing::feature_names().len(), 13);
}

#[test]
fn reviews_and_newswires_are_kerass() {
    if !data_is_here() {
        return;
    }
    for case in KERAS["imdb"]["cases"].as_array().unwrap() {
        let data = imdb::load(settings(&case["arguments"])).unwrap();
        equal(
            "imdb train",
            sequences(&data.train_data, &data.train_labels),
            &case["train"],
        );
        equal(
            "imdb test",
            sequences(&data.test_data, &data.test_labels),
            &case["test"],
        );
    }
    check_words(&imdb::get_word_index().unwrap(), &KERAS["imdb"]);
    for case in KERAS["reuters"]["cases"].as_array().unwrap() {
        let data = reuters::load(settings(&case["arguments"])).unwrap();
        equal(
            "reuters train",
            sequences(&data.train_data, &data.train_labels),
            &case["train"],
        );
        equal(
            "reuters test",
            sequences(&data.test_data, &data.test_labels),
            &case["test"],
        );
    }
    check_words(&reuters::get_word_index().unwrap(), &KERAS["reuters"]);
    let data = reuters::load(10_000).unwrap();
    let text = data.decode(&data.train_data[0]);
    assert!(
        text.starts_with("? ? ? said as a result of its december acquisition"),
        "{text}"
    );
}

#[test]
fn topics_are_kerass() {
    assert_eq!(json!(reuters::get_label_names()), KERAS["reuters_labels"]);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let error = imdb::load(LoadData::new().test_split(0.5))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("imdb: the reviews are split as published"),
        "{error}"
    );
    for split in [1.0, -0.1, f64::NAN] {
        let settings = LoadData::new().test_split(split);
        let error = reuters::load(&settings).unwrap_err().to_string();
        assert!(
            error.contains("test_split: expected a share from 0"),
            "{error}"
        );
        assert!(boston_housing::load_with(&settings).is_err());
    }
    if data_is_here() {
        let error = imdb::load(LoadData::new().maxlen(2))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no review has fewer than 2 words; raise maxlen"),
            "{error}"
        );
    }
}

#[test]
fn the_list_names_what_is_here() {
    let info = info();
    let names: Vec<&str> = info.rows().iter().map(|row| row.name).collect();
    assert_eq!(
        names,
        [
            "mnist",
            "fashion_mnist",
            "cifar10",
            "imdb",
            "reuters",
            "boston_housing"
        ]
    );
    for row in info.rows() {
        assert_eq!(row.bytes > 0, !row.paths.is_empty());
        assert!(info.to_string().contains(row.name));
    }
    if data_is_here() {
        let bytes = std::fs::metadata(&info.rows()[0].paths[0]).unwrap().len();
        assert_eq!(info.rows()[0].bytes, bytes);
    }
}
