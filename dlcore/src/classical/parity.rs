//! The decisions of scikit-learn (`tests/parity/classical.py`) on four sets of points in the plane.

use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::fixtures::{list, numbers, text};
use crate::{Result, Tensor, datasets};

static FIXTURES: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/parity/fixtures/classical.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

fn points(json: &Value) -> Tensor {
    let values: Vec<f32> = numbers(json).iter().map(|&v| v as f32).collect();
    Tensor::from_shape_vec([values.len() / 2, 2], values).unwrap()
}

fn labels(json: &Value) -> Tensor {
    Tensor::from(numbers(json).iter().map(|&v| v as i64).collect::<Vec<_>>())
}

fn decisions(text: &str) -> Vec<i64> {
    text.bytes().map(|digit| i64::from(digit - b'0')).collect()
}

/// The points of the grid row by row.
fn grid(set: &Value) -> Tensor {
    let (xs, ys) = (numbers(&set["xs"]), numbers(&set["ys"]));
    let values = ys
        .iter()
        .flat_map(|&y| xs.iter().flat_map(move |&x| [x as f32, y as f32]));
    Tensor::from_shape_vec([xs.len() * ys.len(), 2], values.collect()).unwrap()
}

/// The least share of points on which the decision must be the same.
const ALIKE: f64 = 0.98;

/// Fits on each set and compares the decisions, and the numbers behind them to this distance.
fn compare(
    name: &str,
    tolerance: f64,
    fit: impl Fn(&Tensor, &Tensor) -> Result<Box<dyn Classifier>>,
    values: impl Fn(&dyn Classifier, &Tensor, &Tensor, &Tensor) -> Tensor,
) {
    let sets = list(&FIXTURES["sets"]);
    assert_eq!(sets.len(), 4);
    for set in sets {
        let (x, y, test) = (points(&set["x"]), labels(&set["y"]), points(&set["test_x"]));
        let case = &set["cases"][name];
        let classifier = fit(&x, &y).unwrap();
        let mut same = [0.0; 2];
        for (share, (at, key)) in same
            .iter_mut()
            .zip([(grid(set), "grid"), (test.clone(), "test")])
        {
            let ours = classifier.decide(&at).unwrap().to_vec_of::<i64>();
            let theirs = decisions(text(case, key));
            assert_eq!(ours.len(), theirs.len());
            let equal = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
            *share = equal as f64 / ours.len() as f64;
        }
        let few = test.slice(0..20);
        let ours = values(classifier.as_ref(), &x, &y, &few).to_vec_of::<f64>();
        let theirs = numbers(&case["values"]);
        assert_eq!(ours.len(), theirs.len());
        let off = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        println!(
            "{name:27} {:9} grid {:.2}%, test {:.2}%, values off by {off:.1e} at most",
            text(set, "name"),
            100.0 * same[0],
            100.0 * same[1]
        );
        assert!(same[0] >= ALIKE && same[1] >= ALIKE, "{name}: {same:?}");
        assert!(off <= tolerance, "{name}: {off}");
    }
}

/// A comparison of the probabilities, for a type with `predict_proba`.
macro_rules! compare_probabilities {
    ($test:ident, $type:ident, $make:expr, $tolerance:expr) => {
        #[test]
        fn $test() {
            let fitted = |x: &Tensor, y: &Tensor| {
                let mut classifier = $make;
                classifier.fit(x, y).map(|()| classifier)
            };
            compare(
                stringify!($type),
                $tolerance,
                |x, y| Ok(Box::new(fitted(x, y)?)),
                |_, x, y, few| fitted(x, y).unwrap().predict_proba(few).unwrap(),
            );
        }
    };
}

compare_probabilities!(naive_bayes, GaussianNB, GaussianNB::new(), 1e-6);
compare_probabilities!(
    logistic_regression,
    LogisticRegression,
    LogisticRegression::new(),
    5e-3 // Both end where the slope is below 1e-4, on different ways.
);
compare_probabilities!(
    decision_tree,
    DecisionTreeClassifier,
    DecisionTreeClassifier::new().random_state(0),
    1e-6
);
compare_probabilities!(
    random_forest,
    RandomForestClassifier,
    RandomForestClassifier::new().random_state(0),
    1e-6
);
compare_probabilities!(
    gradient_boosting,
    GradientBoostingClassifier,
    GradientBoostingClassifier::new().random_state(0),
    0.05
);

#[test]
fn support_vector_machines() {
    for (name, kernel) in [("SVC linear", Kernel::Linear), ("SVC rbf", Kernel::Rbf)] {
        let fitted = |x: &Tensor, y: &Tensor| {
            let mut svc = SVC::new().kernel(kernel);
            svc.fit(x, y).map(|()| svc)
        };
        compare(
            name,
            5e-3,
            |x, y| Ok(Box::new(fitted(x, y)?)),
            |_, x, y, few| fitted(x, y).unwrap().decision_function(few).unwrap(),
        );
    }
}

#[test]
fn the_data_makers_give_scikit_learns_points() {
    let cases = [
        ("moons", datasets::make_moons(11, 0.1, 5)),
        ("moons without noise", datasets::make_moons(6, 0.0, 5)),
        ("circles", datasets::make_circles(11, 0.05, 0.3, 6)),
        ("blobs", datasets::make_blobs(10, 3, 2.0, 7)),
    ];
    for (name, (x, y)) in cases {
        let case = &FIXTURES["makers"][name];
        let ours = x.to_vec_of::<f64>();
        for (a, b) in ours.iter().zip(numbers(&case["x"])) {
            assert!((a - b).abs() < 1e-6, "{name}: {a} and {b}");
        }
        assert_eq!(y, labels(&case["y"]), "{name}");
    }
}
