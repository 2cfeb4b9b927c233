use super::*;

#[test]
fn prints_as_keras_prints_it() {
    let row = |name: &str, units: usize, params: usize| SummaryRow {
        name: name.to_string(),
        kind: "Dense".to_string(),
        output_shape: Some(vec![units]),
        params: Some(params),
        connected_to: Vec::new(),
    };
    let summary = Summary {
        model: "sequential".to_string(),
        rows: vec![row("dense", 512, 401_920), row("dense_1", 10, 5_130)],
        trainable: 407_050,
        non_trainable: 0,
        unbuilt: None,
    };
    // Copied from Keras 3.15, model.summary() of the same network.
    let expected = "\
Model: \"sequential\"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 512)            │       401,920 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         5,130 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 407,050 (1.55 MB)
 Trainable params: 407,050 (1.55 MB)
 Non-trainable params: 0 (0.00 B)";
    assert_eq!(summary.to_string(), expected);
}

#[test]
fn a_layer_that_is_not_built_says_so_and_a_long_name_widens_its_column() {
    let summary = Summary {
        model: "m".to_string(),
        rows: vec![SummaryRow {
            name: "a_name_that_is_longer_than_the_column_is_wide".to_string(),
            kind: "Dense".to_string(),
            output_shape: None,
            params: None,
            connected_to: Vec::new(),
        }],
        trainable: 0,
        non_trainable: 0,
        unbuilt: None,
    };
    let text = summary.to_string();
    assert!(
        text.contains("│ a_name_that_is_longer_than_the_column_is_wide (Dense) │ ? "),
        "{text}"
    );
    assert!(text.contains("0 (unbuilt)"), "{text}");
    let widths: Vec<usize> = text
        .lines()
        .skip(1)
        .take(5)
        .map(|line| line.chars().count())
        .collect();
    assert!(widths.iter().all(|&width| width == widths[0]), "{widths:?}");
}

#[test]
fn html_is_escaped() {
    let summary = Summary {
        model: "a<b".to_string(),
        rows: vec![],
        trainable: 1234,
        non_trainable: 0,
        unbuilt: None,
    };
    let bundle = summary.mime_bundle();
    let html = bundle.get(HTML).unwrap().as_str().unwrap();
    assert!(
        html.contains("Model: a&lt;b<") && html.contains("1,234"),
        "{html}"
    );
}

#[test]
fn counts_are_grouped_by_thousands() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(999), "999");
    assert_eq!(grouped(1_000), "1,000");
    assert_eq!(grouped(1_234_567), "1,234,567");
    assert_eq!(memory(4 * 160_305), "626.19 KB");
}

#[test]
fn a_model_that_is_not_built_says_why_below_its_table() {
    use crate::layers::{Conv2D, Dense};
    use crate::models::Sequential;
    let last = |model: &Sequential| {
        let text = model.summary().to_string();
        text.lines().last().unwrap_or_default().to_string()
    };
    let waits = Sequential::new().add(Dense::new(3));
    assert!(
        last(&waits).contains(".input_shape([…])"),
        "{}",
        last(&waits)
    );
    let mut unfit = Sequential::new()
        .add(Conv2D::new(8, 9).input_shape([8, 8, 1]))
        .add(Dense::new(3));
    let said = unfit
        .compile("sgd", "mse", ["mae"])
        .unwrap_err()
        .to_string();
    assert_eq!(last(&unfit).trim(), said.strip_prefix("compile: ").unwrap());
    let html = unfit.summary().mime_bundle();
    assert!(
        html.get(HTML)
            .unwrap()
            .as_str()
            .unwrap()
            .contains("</p><p>")
    );
    let built = Sequential::new().add(Dense::new(3).input_shape([2]));
    assert!(
        last(&built).starts_with(" Non-trainable"),
        "{}",
        last(&built)
    );
    assert_eq!(Sequential::new().summary().unbuilt, None);
}
