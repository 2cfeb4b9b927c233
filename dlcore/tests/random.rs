//! What is drawn keeps its bounds and its proportions, and repeats after `set_seed`. One test: the
//! stream of random numbers is one for the process.

use dlcore::{DType, Error, Tensor, set_seed};

fn counting(shape: &[usize]) -> Tensor {
    let size: usize = shape.iter().product();
    let shape: Vec<isize> = shape.iter().map(|&n| n as isize).collect();
    Tensor::arange(0.0, size as f64, 1.0).reshape(shape)
}

fn message(result: Result<Tensor, Error>) -> String {
    result.expect_err("bad arguments").to_string()
}

#[test]
fn draws_repeat_and_keep_their_bounds() {
    let draw = || {
        set_seed(7);
        (
            Tensor::randint([1000], -2, 3),
            Tensor::bernoulli([1000], 0.25),
            counting(&[50, 2]).shuffle(),
            counting(&[50]).choice(20, false),
            Tensor::truncated_normal([1000], 1.0, 0.5),
            Tensor::from([[0.0, f32::NEG_INFINITY, (3.0_f32).ln()]]).categorical(2000),
        )
    };
    let (whole, truth, shuffled, chosen, normal, classes) = draw();
    let again = draw();
    assert!(whole == again.0 && shuffled == again.2 && classes == again.5);
    assert_eq!(whole.dtype(), DType::I64);
    assert_eq!(whole.unique().to_vec(), [-2.0, -1.0, 0.0, 1.0, 2.0]);
    assert!((truth.mean().item() - 0.25).abs() < 0.05 && truth.dtype() == DType::Bool);
    assert_eq!(shuffled.sort(0), counting(&[50, 2]));
    assert!(shuffled != counting(&[50, 2]));
    assert_eq!(
        (&shuffled.slice((.., 1)) - &shuffled.slice((.., 0)))
            .unique()
            .to_vec(),
        [1.0]
    );
    assert_eq!(chosen.unique().len(), 20);
    assert!(normal.max().item() <= 2.0 && normal.min().item() >= 0.0);
    assert_eq!(classes.shape(), [1, 2000]);
    assert_eq!(classes.unique().to_vec(), [0.0, 2.0]);
    assert!((classes.mean().item() - 1.5).abs() < 0.1);
    let error = message(dlcore::random::choice(&counting(&[3]), 4, false));
    assert!(error.contains("4 of the 3"), "{error}");
    assert!(message(dlcore::random::shuffle(&Tensor::from(1.0))).contains("shuffle"));
}
