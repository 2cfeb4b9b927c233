//! Texts and sequences against Keras (`tests/parity/preprocessing_text.py`).

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::datasets::Sequences;
use crate::fixtures::{close, list, numbers, text};
use crate::{DType, Tensor};

static KERAS: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/preprocessing_text.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

fn texts(json: &Value) -> Vec<String> {
    serde_json::from_value(json.clone()).unwrap()
}

fn rows(json: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(json.clone()).unwrap()
}

fn split(settings: &Value) -> SplitWords {
    let mut split = SplitWords::new();
    for (name, value) in settings.as_object().unwrap() {
        split = match name.as_str() {
            "lower" => split.lower(value.as_bool().unwrap()),
            "filters" => split.filters(value.as_str().unwrap()),
            "split" => split.split(value.as_str().unwrap()),
            other => panic!("unknown setting {other}"),
        };
    }
    split
}

fn tokenizer(settings: &Value) -> Tokenizer {
    let mut tokenizer = Tokenizer::new();
    for (name, value) in settings.as_object().unwrap() {
        tokenizer = match name.as_str() {
            "num_words" => tokenizer.num_words(value.as_u64().unwrap() as u32),
            "oov_token" => tokenizer.oov_token(value.as_str().unwrap()),
            "filters" => tokenizer.filters(value.as_str().unwrap()),
            "split" => tokenizer.split(value.as_str().unwrap()),
            "lower" => tokenizer.lower(value.as_bool().unwrap()),
            "char_level" => tokenizer.char_level(value.as_bool().unwrap()),
            other => panic!("unknown setting {other}"),
        };
    }
    tokenizer
}

#[test]
fn words_are_separated_as_keras_separates_them() {
    let sample = &texts(&KERAS["texts"])[..11];
    for case in list(&KERAS["split"]) {
        let split = split(&case["settings"]);
        for (text, expected) in sample.iter().zip(list(&case["words"])) {
            let words = text_to_word_sequence_with(text, &split);
            assert_eq!(json!(words), *expected, "{text:?} {split:?}");
        }
    }
    for case in list(&KERAS["hashing"]) {
        let n = case["n"].as_u64().unwrap() as u32;
        for (text, expected) in sample.iter().zip(list(&case["numbers"])) {
            assert_eq!(
                json!(hashing_trick(text, n, "md5").unwrap()),
                *expected,
                "{text:?} {n}"
            );
        }
    }
}

/// The texts a tokenizer was fitted to, and how many of them the numbers `range` means.
fn corpus(case: &Value) -> Vec<Texts> {
    if text(case, "texts") == "words" {
        let words: Vec<Vec<String>> = serde_json::from_value(KERAS["words"].clone()).unwrap();
        return words
            .into_iter()
            .map(|text| Texts::from(vec![text]))
            .collect();
    }
    let count = list(&case["sequences"]).len();
    let all = texts(&KERAS["texts"]);
    all[..count]
        .iter()
        .map(|text| Texts::from([text.as_str()]))
        .collect()
}

fn check_matrix(tokenizer: &Tokenizer, texts: &Texts, mode: &str, expected: &Value) {
    let matrix = tokenizer.texts_to_matrix(texts.clone(), mode).unwrap();
    let shape: Vec<usize> = numbers(&expected["shape"])
        .iter()
        .map(|&v| v as usize)
        .collect();
    let mut values = vec![0.0; shape.iter().product()];
    for entry in list(&expected["entries"]) {
        let [row, column, value] = numbers(entry)[..] else {
            panic!("an entry has three numbers")
        };
        values[row as usize * shape[1] + column as usize] = value;
    }
    assert_eq!(matrix.shape(), shape);
    close(mode, &matrix.to_vec_of::<f64>(), &values);
}

#[test]
fn tokenizers_learn_what_kerass_learn() {
    let unseen = texts(&KERAS["unseen"]);
    for case in list(&KERAS["tokenizers"]) {
        let mut ours = tokenizer(&case["settings"]);
        let corpus = corpus(case);
        corpus
            .iter()
            .for_each(|text| ours.fit_on_texts(text.clone()));
        check_tokenizer(&ours, case, &corpus, &unseen);
        // What Keras wrote is the same tokenizer, and what we write is what Keras writes.
        let theirs = Tokenizer::from_json(text(case, "json")).unwrap();
        check_tokenizer(&theirs, case, &corpus, &unseen);
        let plain = |json: &str| {
            let mut json: Value = serde_json::from_str(json).unwrap();
            for field in json["config"].as_object_mut().unwrap().values_mut() {
                if let Some(inner) = field.as_str().filter(|text| text.starts_with('{')) {
                    *field = serde_json::from_str(inner).unwrap();
                }
            }
            json
        };
        assert_eq!(plain(&ours.to_json()), plain(text(case, "json")));
        assert_eq!(theirs.word_counts(), ours.word_counts());
    }
}

fn check_tokenizer(tokenizer: &Tokenizer, case: &Value, corpus: &[Texts], unseen: &[String]) {
    let settings = &case["settings"];
    assert_eq!(
        json!(tokenizer.word_index()),
        case["word_index"],
        "{settings}"
    );
    assert_eq!(
        json!(tokenizer.word_counts()),
        case["word_counts"],
        "{settings}"
    );
    let mut sequences: Vec<Vec<u32>> = Vec::new();
    for text in corpus {
        sequences.extend_from_slice(tokenizer.texts_to_sequences(text.clone()).rows());
    }
    assert_eq!(sequences, rows(&case["sequences"]), "{settings}");
    let unseen_rows = tokenizer.texts_to_sequences(unseen.to_vec());
    assert_eq!(unseen_rows.rows(), rows(&case["unseen"]), "{settings}");
    sequences.pop();
    sequences.push(vec![0, 1, 2, 3, 1_000_000]);
    let back = tokenizer.sequences_to_texts(&Sequences::new(sequences));
    assert_eq!(json!(back), case["back"], "{settings}");
    for (mode, expected) in case["matrices"].as_object().unwrap() {
        if text(case, "texts") == "words" {
            continue;
        }
        let known = texts(&KERAS["texts"]);
        let known = &known[..corpus.len().min(11)];
        let all = Texts::from([known, unseen].concat());
        check_matrix(tokenizer, &all, mode, expected);
    }
}

#[test]
fn sequences_are_padded_as_keras_pads_them() {
    let rows = rows(&KERAS["rows"]);
    for case in list(&KERAS["pads"]) {
        let settings = &case["settings"];
        let mut pad = settings["maxlen"]
            .as_u64()
            .map_or(Pad::to_longest(), |n| Pad::to(n as usize));
        for (name, value) in settings.as_object().unwrap() {
            pad = match name.as_str() {
                "maxlen" => pad,
                "padding" => pad.padding(value.as_str().unwrap()),
                "truncating" => pad.truncating(value.as_str().unwrap()),
                "value" => pad.value(value.as_f64().unwrap()),
                "dtype" if value == "float32" => pad.dtype(DType::F32),
                "dtype" => pad.dtype(DType::I64),
                other => panic!("unknown setting {other}"),
            };
        }
        let padded = pad_sequences(&rows, &pad).unwrap();
        let dtype = match text(case, "dtype") {
            "int32" => DType::I32,
            "int64" => DType::I64,
            _ => DType::F32,
        };
        assert_eq!(padded.dtype(), dtype, "{settings}");
        let expected: Vec<f64> = list(&case["values"]).iter().flat_map(numbers).collect();
        assert_eq!(padded.to_vec_of::<f64>(), expected, "{settings}");
    }
    let steps = |row: &Value| match list(row) {
        [] => Tensor::zeros([0, 7]),
        steps => {
            let values: Vec<f32> = steps.iter().flat_map(numbers).map(|v| v as f32).collect();
            Tensor::from_shape_vec([steps.len(), 2], values).unwrap()
        }
    };
    let nested: Vec<Tensor> = list(&KERAS["nested"]["rows"]).iter().map(steps).collect();
    let padded = pad_sequences(&nested, Pad::to(2).padding("post").value(9.0)).unwrap();
    let expected = list(&KERAS["nested"]["values"])
        .iter()
        .flat_map(list)
        .flat_map(numbers);
    assert_eq!(padded.shape(), [3, 2, 2]);
    assert_eq!(padded.to_vec_of::<f64>(), expected.collect::<Vec<f64>>());
}

#[test]
fn rows_and_labels_are_kerass() {
    let shape: Vec<usize> = numbers(&KERAS["normalize"]["shape"])
        .iter()
        .map(|&v| v as usize)
        .collect();
    let values = numbers(&KERAS["normalize"]["x"])
        .iter()
        .map(|&v| v as f32)
        .collect();
    let x = Tensor::from_shape_vec(shape, values).unwrap();
    for case in list(&KERAS["normalize"]["cases"]) {
        let (axis, order) = (
            case["axis"].as_i64().unwrap(),
            case["order"].as_f64().unwrap(),
        );
        let ours = try_normalize(&x, axis as isize, order).unwrap();
        close(
            "normalize",
            &ours.to_vec_of::<f64>(),
            &numbers(&case["values"]),
        );
    }
    let flat = |json: &Value| -> Vec<f64> {
        fn walk(json: &Value, to: &mut Vec<f64>) {
            match json {
                Value::Array(items) => items.iter().for_each(|item| walk(item, to)),
                other => to.push(other.as_f64().unwrap()),
            }
        }
        let mut all = Vec::new();
        walk(json, &mut all);
        all
    };
    for case in list(&KERAS["categorical"]) {
        let labels = &case["labels"];
        let shape: Vec<usize> = match list(labels)[0].as_array() {
            Some(row) => vec![list(labels).len(), row.len()],
            None => vec![list(labels).len()],
        };
        let values = flat(labels).iter().map(|&v| v as i64).collect();
        let labels = Tensor::from_shape_vec_i64(shape, values).unwrap();
        let rows = to_categorical(&labels, case["classes"].as_u64().unwrap_or(0) as usize);
        assert_eq!(rows.to_vec_of::<f64>(), flat(&case["values"]), "{case}");
        assert_eq!(rows.ndim(), if labels.shape() == [2, 2] { 3 } else { 2 });
    }
}
