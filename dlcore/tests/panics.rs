//! What a notebook sees when shapes do not fit: both shapes, and the user's own line.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use dlcore::{GradientTape, Tensor};

/// The message and the file of the panic that `work` ends in.
fn panic_of(work: impl FnOnce()) -> (String, String) {
    let seen = Arc::new(Mutex::new((String::new(), String::new())));
    let report = Arc::clone(&seen);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or_default().to_string();
        let file = info
            .location()
            .map(|place| place.file().to_string())
            .unwrap_or_default();
        *report.lock().unwrap() = (message, file);
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(before);
    assert!(result.is_err(), "expected a panic");
    let seen = seen.lock().unwrap();
    seen.clone()
}

// One test: the hook belongs to the whole process.
#[test]
fn panics_name_both_shapes_at_the_users_line() {
    let a = Tensor::zeros([2, 3]);
    let b = Tensor::zeros([4, 5]);
    type Case<'a> = (Box<dyn FnOnce() + 'a>, &'a [&'a str]);
    let cases: Vec<Case<'_>> = vec![
        (
            Box::new(|| drop(&a + &b)),
            &["add", "[2, 3]", "[4, 5]", "3 meets 5"],
        ),
        (
            Box::new(|| drop(&a * Tensor::zeros([2]))),
            &["mul", "[2, 3]", "[2]"],
        ),
        (
            Box::new(|| drop(a.maximum(&b))),
            &["maximum", "[2, 3]", "[4, 5]"],
        ),
        (
            Box::new(|| drop(a.equal(&b))),
            &["equal", "[2, 3]", "[4, 5]"],
        ),
        (
            Box::new(|| drop(a.dot(&b))),
            &["dot", "[2, 3]", "[4, 5]", "3", "4"],
        ),
        (
            Box::new(|| drop(a.expand_dims(0).matmul(&b))),
            &["matmul", "[1, 2, 3]", "[4, 5]"],
        ),
        (
            Box::new(|| drop(a.reshape([4, -1]))),
            &["reshape", "[2, 3]", "[4, -1]", "6 elements"],
        ),
        (
            Box::new(|| drop(a.permute([0, 0]))),
            &["permute", "[0, 0]", "[2, 3]"],
        ),
        (
            Box::new(|| drop(a.slice((.., 5)))),
            &["slice", "(.., 5)", "[2, 3]", "0 to 2"],
        ),
        (
            Box::new(|| drop(a.slice(1..9))),
            &["slice", "1..9", "[2, 3]"],
        ),
        (Box::new(|| drop(a.slice((0, 0, 0)))), &["3 axes", "[2, 3]"]),
        (Box::new(|| drop(a.get(2))), &["2", "[2, 3]"]),
        (Box::new(|| drop(a.rows(&[0, 7]))), &["row 7", "[2, 3]"]),
        (
            Box::new(|| drop(a.sum_axis(2))),
            &["sum_axis", "axis 2", "[2, 3]", "-2 to 1"],
        ),
        (Box::new(|| drop(Tensor::zeros([0]).max())), &["max", "[0]"]),
        (
            Box::new(|| drop(Tensor::concat(&[&a, &b], 0))),
            &["concat", "[2, 3]", "[4, 5]"],
        ),
        (Box::new(|| drop(a.squeeze(0))), &["squeeze", "[2, 3]"]),
        (Box::new(|| assert!(a.item() > 0.0)), &["item", "[2, 3]"]),
        (
            Box::new(|| drop(Tensor::from([5]).one_hot(3))),
            &["one_hot", "0 to 2", "5"],
        ),
        (
            Box::new(|| {
                let mut small = Tensor::zeros([3]);
                small += &a;
            }),
            &["add", "[3]", "[2, 3]"],
        ),
        (
            Box::new(|| {
                let tape = GradientTape::new();
                let w = tape.watch(&a);
                tape.gradient(&w.square(), &[&w]);
            }),
            &["gradient", "[2, 3]", "mean()"],
        ),
    ];
    for (work, expected) in cases {
        let (message, file) = panic_of(work);
        for part in expected {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
        assert!(
            file.ends_with("panics.rs"),
            "{message:?} is placed in {file}"
        );
    }
}
