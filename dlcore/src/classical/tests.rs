//! What is refused, and in which words; seeds; what stays after a failure.

use super::*;
use crate::{Result, Tensor, datasets, set_seed};

type Fit = fn(&Tensor, &Tensor) -> Result<()>;

/// Every classifier's `fit`.
fn all() -> Vec<(&'static str, Fit)> {
    vec![
        ("GaussianNB", |x, y| GaussianNB::new().fit(x, y)),
        ("LogisticRegression", |x, y| {
            LogisticRegression::new().fit(x, y)
        }),
        ("SVC", |x, y| SVC::new().fit(x, y)),
        ("DecisionTreeClassifier", |x, y| {
            DecisionTreeClassifier::new().fit(x, y)
        }),
        ("RandomForestClassifier", |x, y| {
            RandomForestClassifier::new().n_estimators(3).fit(x, y)
        }),
        ("GradientBoostingClassifier", |x, y| {
            GradientBoostingClassifier::new().n_estimators(3).fit(x, y)
        }),
    ]
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let x = Tensor::from([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    let y = Tensor::from([0_i64, 1, 1]);
    let cases: Vec<(Tensor, Tensor, &str)> = vec![
        (
            Tensor::from([1.0, 2.0]),
            y.clone(),
            "[samples, features], got [2]; a single feature is x.reshape([-1, 1])",
        ),
        (Tensor::zeros([3, 2, 2]), y.clone(), "x.reshape([n, -1])"),
        (
            Tensor::zeros([0, 2]),
            Tensor::from(Vec::<i64>::new()),
            "nothing to learn from",
        ),
        (
            Tensor::from([[0.0, 1.0], [f32::NAN, 3.0], [4.0, 5.0]]),
            y.clone(),
            "got NaN in row 1, column 0",
        ),
        (
            Tensor::from([[0.0, 1.0], [2.0, f32::INFINITY], [4.0, 5.0]]),
            y.clone(),
            "got inf in row 1, column 1",
        ),
        (
            x.clone(),
            Tensor::from([0_i64, 1]),
            "3 rows in x and 2 labels in y",
        ),
        (
            x.clone(),
            Tensor::from([1_i64, 1, 1]),
            "at least two classes, got class 1 alone",
        ),
        (
            x.clone(),
            Tensor::from([0.0, 0.5, 1.0]),
            "got 0.5 at position 1 of y",
        ),
        (
            x.clone(),
            Tensor::from([0.0, f32::NAN, 1.0]),
            "got NaN at position 1 of y",
        ),
        (
            x.clone(),
            Tensor::eye(3),
            "one-hot rows become class numbers by y.argmax(1)",
        ),
    ];
    for (name, fit) in all() {
        for (x, y, words) in &cases {
            let error = fit(x, y).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name}.fit: ")) && error.contains(words),
                "{error}"
            );
        }
    }
}

#[test]
fn odd_data_does_not_break_them() {
    let alike = (Tensor::ones([6, 2]), Tensor::from([0_i64, 1, 0, 1, 1, 1]));
    let two = (Tensor::from([[0.0], [1.0]]), Tensor::from([-5_i64, 70]));
    let far = (
        Tensor::from([[0.0, 1e30], [1.0, -1e30], [2.0, 1e30], [3.0, -1e30]]),
        Tensor::from([[0.0], [1.0], [0.0], [1.0]]),
    );
    for (name, fit) in all() {
        for (x, y) in [&alike, &two, &far] {
            fit(x, y).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let mut tree = DecisionTreeClassifier::new();
    tree.fit(&two.0, &two.1).unwrap();
    assert_eq!(tree.predict(&two.0).unwrap(), two.1);
    assert_eq!(
        tree.export_text().unwrap(),
        "|--- feature_0 <= 0.50\n|   |--- class: -5\n|--- feature_0 >  0.50\n|   |--- class: 70"
    );
}

#[test]
fn nothing_is_predicted_before_it_is_learnt_nor_from_other_features() {
    let mut svc = SVC::new();
    let error = svc.predict(&Tensor::zeros([2, 2])).unwrap_err().to_string();
    assert!(error.contains("call fit(&x, &y)? first"), "{error}");
    let (x, y) = datasets::make_moons(40, 0.1, 0);
    svc.fit(&x, &y).unwrap();
    let error = svc.predict(&Tensor::zeros([2, 3])).unwrap_err().to_string();
    assert!(
        error.contains("rows of 2 features as in fit, got [2, 3]"),
        "{error}"
    );
    let before = svc.predict(&x).unwrap();
    assert!(
        svc.fit(&Tensor::zeros([2, 3]), &Tensor::from([1_i64, 1]))
            .is_err()
    );
    assert_eq!(
        svc.predict(&x).unwrap(),
        before,
        "a failed fit changes nothing"
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let (x, y) = datasets::make_moons(20, 0.1, 0);
    let errors = [
        SVC::new().c(0.0).fit(&x, &y),
        SVC::new().gamma(f64::NAN).fit(&x, &y),
        LogisticRegression::new().c(-1.0).fit(&x, &y),
        GaussianNB::new().var_smoothing(-1.0).fit(&x, &y),
        DecisionTreeClassifier::new().max_depth(0).fit(&x, &y),
        DecisionTreeClassifier::new()
            .min_samples_split(1)
            .fit(&x, &y),
        RandomForestClassifier::new().n_estimators(0).fit(&x, &y),
        GradientBoostingClassifier::new()
            .learning_rate(0.0)
            .fit(&x, &y),
    ];
    for error in errors {
        assert!(error.unwrap_err().to_string().contains("expected"));
    }
}

#[test]
fn a_seed_repeats_a_forest() {
    let (x, y) = datasets::make_classification(200, 3, 1);
    let proba = |forest: RandomForestClassifier| {
        let mut forest = forest.n_estimators(10);
        forest.fit(&x, &y).unwrap();
        forest.predict_proba(&x).unwrap()
    };
    let seeded = || proba(RandomForestClassifier::new().random_state(4));
    assert_eq!(seeded(), seeded());
    assert_ne!(
        seeded(),
        proba(RandomForestClassifier::new().random_state(5))
    );
    let global = || {
        set_seed(9);
        proba(RandomForestClassifier::new())
    };
    assert_eq!(global(), global());
}

#[test]
fn a_shallow_tree_keeps_to_its_limits() {
    let (x, y) = datasets::make_spirals(300, 2, 0.02, 0);
    let mut tree = DecisionTreeClassifier::new()
        .max_depth(3)
        .min_samples_leaf(20);
    tree.fit(&x, &y).unwrap();
    assert!(tree.depth().unwrap() == 3 && tree.n_leaves().unwrap() <= 8);
    let smallest = tree.predict_proba(&x).unwrap().unique_counts().1.min();
    assert!(smallest.item() >= 20.0);
}

#[test]
fn the_parts_of_a_linear_machine_are_its_support_vectors() {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0], [2.0, 1.0], [9.0, 9.0]]);
    let y = Tensor::from([0_i64, 0, 1, 1, 1]);
    let mut svc = SVC::new().kernel("linear").c(100.0);
    svc.fit(&x, &y).unwrap();
    // The widest margin lies at x = 1, a margin of 1 to either side.
    let sides = svc
        .decision_function(&Tensor::from([[1.0, 0.3], [2.0, 0.3], [3.0, 0.3]]))
        .unwrap();
    for (side, expected) in sides.to_vec().into_iter().zip([0.0, 1.0, 2.0]) {
        assert!((side - expected).abs() < 2e-3, "{sides}");
    }
    assert!(svc.support_vectors().unwrap().shape()[0] <= 4);
}

#[test]
#[should_panic(expected = "unknown kernel \"rfb\"; did you mean \"rbf\"?")]
fn an_unknown_kernel_names_the_nearest() {
    SVC::new().kernel("rfb");
}
