//! The real reviews against Keras's, where they are at hand, and small ones where they are not.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::numpy_tests::fixture;
use super::*;

/// What the fixture says of one half of the data.
fn summary(reviews: &Sequences, labels: &Tensor) -> serde_json::Value {
    let hexadecimal = |hasher: Sha256| {
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let mut rows = Sha256::new();
    for review in reviews {
        let numbers = review.iter().chain(&[u32::MAX]);
        rows.update(
            numbers
                .flat_map(|number| number.to_le_bytes())
                .collect::<Vec<_>>(),
        );
    }
    let labels: Vec<u8> = labels
        .to_vec()
        .into_iter()
        .map(|label| label as u8)
        .collect();
    let mut label_rows = Sha256::new();
    label_rows.update(&labels);
    json!({
        "sequences": reviews.len(),
        "numbers": reviews.iter().map(Vec::len).sum::<usize>(),
        "first": reviews[0][..16],
        "labels": labels[..16],
        "positive": labels.iter().filter(|label| **label == 1).count(),
        "sha256": hexadecimal(rows),
        "labels_sha256": hexadecimal(label_rows),
    })
}

#[test]
fn the_real_reviews_stand_in_kerass_order() {
    if std::env::var_os("DLCORE_DATA").is_none() {
        println!("skipped: DLCORE_DATA names no data");
        return;
    }
    for num_words in [10_000, 0] {
        let imdb = load(num_words).unwrap();
        let expected = &fixture()[num_words.to_string()];
        assert_eq!(
            summary(&imdb.train_data, &imdb.train_labels),
            expected["train"],
            "{num_words} words"
        );
        assert_eq!(
            summary(&imdb.test_data, &imdb.test_labels),
            expected["test"],
            "{num_words} words"
        );
        let text = imdb.decode(&imdb.train_data[0]);
        assert!(
            text.starts_with("? this film was just brilliant casting location scenery story"),
            "{text}"
        );
    }
    let words = word_index().unwrap();
    assert_eq!(
        (words.len(), words.get("the"), words.word(1)),
        (88_584, Some(1), Some("the"))
    );
    assert_eq!(
        (words.word(0), words.word(88_585), words.get("no such word")),
        (None, None, None)
    );
}
